"""The break-even curve: what each system has cost in all after so many queries, on two logarithmic scales.

`SystemCost`s and `BreakEven`s in, one SVG drawing out, which stands in the HTML page as it is and beside the Markdown
report as a file. It is drawn by hand, not by a plotting library, because the page's policy admits no style but its
own: every line and letter has a class, and the page's style sheet gives it a colour that suits light and dark.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from data.common.language import ENGLISH, Language
from eval.measures.costs import BreakEven, SystemCost
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import MOST_QUERIES, dollars, per_thousand, power_of_ten, whole_queries
from eval.report.templates import template

WIDTH, LEFT, RIGHT, TOP, PLOT_HEIGHT = 720, 92, 20, 14, 270
LEGEND_TOP, LEGEND_STEP = 58, 22  # below the plot: the axis' numbers and its name
POINTS = 61
COLOURS = 6
TICKS = 7
NAME_LETTERS = 32
UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class Tick(NamedTuple):
    at: float
    label: str


class Line(NamedTuple):
    """One system: its path, and its place in the legend."""

    colour: int
    dashed: bool
    path: str
    legend_y: float
    legend: str


class Dot(NamedTuple):
    """A break-even point; `label` is for a pointer that rests on it."""

    x: float
    y: float
    label: str


class Drawing(NamedTuple):
    """Everything the template draws, in the units of the view box."""

    width: int
    height: float
    plot: tuple[float, float, float, float]  # left, top, right, bottom
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line]
    dots: list[Dot]
    label: str
    axis: str


def curve_file(number: int) -> str:
    """Return the name of the drawing of a run's evaluation, counted from 1."""
    return f"break-even-{number}.svg"


def lay_out(costs: Mapping[str, SystemCost], pairs: Sequence[BreakEven], say: Language = ENGLISH) -> Drawing | None:
    """Compute the drawing of the systems whose break-evens are known; None where there are none.

    Args:
        costs: The costs, by the system's name.
        pairs: Those with an unknown verdict are left out.
        say: The language.
    """
    known = [pair for pair in pairs if pair.verdict != "unknown"]
    names = dict.fromkeys(name for pair in known for name in (pair.trained, pair.prompted))
    totals = {name: _total(costs[name]) for name in names}
    totals = {name: (fixed, each) for name, (fixed, each) in totals.items() if fixed + each > 0}
    if not totals:  # everything is free, which no logarithm can show
        return None
    crossings = [pair for pair in known if pair.queries is not None and 1 <= pair.queries <= MOST_QUERIES]
    last = max([1e4, *(pair.queries * 30 for pair in crossings if pair.queries)])
    decades = math.ceil(math.log10(last))
    ends = [total for fixed, each in totals.values() for total in (fixed + each, fixed + each * 10**decades)]
    low, high = math.floor(math.log10(min(ends))), math.ceil(math.log10(max(ends)))
    bottom = TOP + PLOT_HEIGHT
    x_scale = _Scale(0, decades, LEFT, WIDTH - RIGHT)
    y_scale = _Scale(low, max(high, low + 1), bottom, TOP)
    return Drawing(
        width=WIDTH,
        height=bottom + LEGEND_TOP + LEGEND_STEP * len(totals),
        plot=(LEFT, TOP, WIDTH - RIGHT, bottom),
        x_ticks=[Tick(x_scale.at(10**n), _count(10**n)) for n in x_scale.decades()],
        y_ticks=[Tick(y_scale.at(10**n), power_of_ten(n)) for n in y_scale.decades()],
        lines=_lines(totals, costs, x_scale=x_scale, y_scale=y_scale, legend_top=bottom + LEGEND_TOP, say=say),
        dots=[_dot(pair, totals[pair.trained], x_scale=x_scale, y_scale=y_scale, say=say) for pair in crossings],
        label=say("; ").join([say("Total cost against the number of queries"), *_meeting(crossings, say)]),
        axis=say("queries"),
    )


def _meeting(crossings: Sequence[BreakEven], say: Language) -> list[str]:
    met = "{a} and {b} have cost the same at query {query}"
    said = [say(met, a=one.trained, b=one.prompted, query=f"{whole_queries(one.queries or 1):,}") for one in crossings]
    return said or [say("no break-even is in it")]


def cost_drawing(evaluation: EvaluationFigures, say: Language = ENGLISH) -> Drawing | None:
    """Return the break-even curve of an evaluation; None where no break-even is known."""
    return lay_out({system.name: system.cost for system in evaluation.systems}, evaluation.break_even, say)


def draw_svg(drawing: Drawing) -> str:
    """Draw it as a file of its own, which brings the few styles that it needs."""
    return template("cost_curve.svg.j2").render(drawing=drawing)


class _Scale(NamedTuple):
    """A logarithmic scale from 10**low to 10**high onto two positions."""

    low: int
    high: int
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def decades(self) -> range:
        return range(self.low, self.high + 1, max(1, -(-(self.high - self.low) // TICKS)))


def _total(cost: SystemCost) -> tuple[float, float]:
    return cost.fixed_usd or 0.0, cost.usd_per_query or 0.0


def _lines(
    totals: Mapping[str, tuple[float, float]],
    costs: Mapping[str, SystemCost],
    *,
    x_scale: _Scale,
    y_scale: _Scale,
    legend_top: float,
    say: Language,
) -> list[Line]:
    queries = [10 ** (x_scale.high * step / (POINTS - 1)) for step in range(POINTS)]
    lines = []
    for number, (name, (fixed, each)) in enumerate(totals.items()):
        points = (f"{x_scale.at(n)},{y_scale.at(fixed + each * n)}" for n in queries)
        shown = name if len(name) <= NAME_LETTERS else f"{name[: NAME_LETTERS - 1]}…"
        price = {"system": shown, "each": per_thousand(each, say)}
        lines.append(
            Line(
                colour=number % COLOURS,
                dashed=costs[name].role == "prompted",
                path=f"M{' L'.join(points)}",
                legend_y=legend_top + LEGEND_STEP * number,
                legend=say("{system}: {once} once, {each} for 1,000 queries", **price, once=dollars(fixed, say))
                if costs[name].training is not None
                else say("{system}: {each} for 1,000 queries", **price),
            )
        )
    return lines


def _dot(pair: BreakEven, total: tuple[float, float], *, x_scale: _Scale, y_scale: _Scale, say: Language) -> Dot:
    queries = pair.queries or 1.0
    usd = total[0] + total[1] * queries
    at = {"a": pair.trained, "b": pair.prompted, "usd": dollars(usd, say), "queries": f"{whole_queries(queries):,}"}
    if whole_queries(queries) == 1:
        label = say("{a} and {b}: {usd} after the first query", **at)
    else:
        label = say("{a} and {b}: {usd} after {queries} queries", **at)
    return Dot(x_scale.at(queries), y_scale.at(usd), label)


def _count(number: float) -> str:
    """Write a power of ten in at most four letters."""
    unit, letter = next(((size, letter) for size, letter in UNITS if number >= size), (1, ""))
    return f"{number / unit:g}{letter}"
