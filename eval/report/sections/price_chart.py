"""The drawing of a verdict: accuracy with its interval against what 1,000 queries cost, the chosen system marked.

An `EvaluationFigures` in, one `PriceChart` out, in the units of its view box; the line joins the systems that no
cheaper one equals.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from data.common.language import ENGLISH, Language
from eval.measures.stats import Interval
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import per_thousand, percent, power_of_ten, share_with_interval
from eval.report.sections.cost_curve import NAME_LETTERS, Tick

# The frame of the view box, 720 by 300, which the template knows too.
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 720, 56, 24, 16, 246
LABEL_STEP = 16
NAME_GAP, LETTER_WIDTH = 16, 8  # of a name from its dot, and of a letter, a wide one
LEAST_PRICED = 2
TICKS = 5


class Mark(NamedTuple):
    """A system: its dot, the ends of its interval, its name beside it, and what a pointer that rests on it is told.

    Attributes:
        in_part: Whether it answered only a part of the items: its dot is hollow, and the line does not reach it.
    """

    x: float
    y: float
    low: float
    high: float
    name: str
    name_y: float
    left_of: bool
    chosen: bool
    in_part: bool
    label: str


class PriceChart(NamedTuple):
    """Everything the template draws."""

    marks: list[Mark]
    best: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    label: str


class _Point(NamedTuple):
    name: str
    usd: float
    accuracy: float
    interval: Interval | None
    in_part: bool


def price_chart(evaluation: EvaluationFigures, say: Language = ENGLISH) -> PriceChart | None:
    """Lay out the systems whose price is known and above zero; None where these are fewer than two."""
    part = evaluation.answered_in_part
    points = [
        _Point(one.name, 1000 * one.cost.usd_per_query, one.scores.accuracy, one.accuracy_interval, one.name in part)
        for one in evaluation.systems
        if one.scores is not None and one.scores.accuracy is not None and one.cost.usd_per_query
    ]
    if len(points) < LEAST_PRICED:
        return None
    logs = [math.log10(one.usd) for one in points]
    first = math.floor(min(logs))
    scale = _Scale(first, max(math.ceil(max(logs)), first + 1), math.floor(10 * min(map(_low, points))) / 10)
    choice = None if evaluation.verdict is None else evaluation.verdict.choice
    return PriceChart(
        marks=names_apart([_mark(one, scale, chosen=one.name == choice, say=say) for one in points]),
        best="".join(
            f"{'L' if place else 'M'}{scale.x(one.usd)},{scale.y(one.accuracy)}"
            for place, one in enumerate(_best(points))
        ),
        x_ticks=[Tick(scale.x(10.0**power), power_of_ten(power)) for power in scale.powers()],
        y_ticks=[Tick(scale.y(share), percent(share)) for share in scale.shares()],
        label=say("Accuracy against the price of 1,000 queries."),
    )


class _Scale(NamedTuple):
    """A logarithmic scale of dollars from 10**first to 10**last, and a scale of shares from `bottom` to 1."""

    first: int
    last: int
    bottom: float

    def x(self, usd: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(usd) - self.first) / (self.last - self.first), 1)

    def y(self, share: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (share - self.bottom) / ((1 - self.bottom) or 1), 1)

    def powers(self) -> range:
        return range(self.first, self.last + 1, max(1, math.ceil((self.last - self.first) / 8)))

    def shares(self) -> list[float]:
        return [self.bottom + (1 - self.bottom) * tick / TICKS for tick in range(TICKS + 1)]


def _mark(one: _Point, scale: _Scale, *, chosen: bool, say: Language) -> Mark:
    accuracy, price = share_with_interval(one.accuracy, one.interval, say), per_thousand(one.usd / 1000, say)
    return Mark(
        x=scale.x(one.usd),
        y=scale.y(one.accuracy),
        low=scale.y(_low(one)),
        high=scale.y(one.interval.high if one.interval else one.accuracy),
        name=one.name if len(one.name) <= NAME_LETTERS else f"{one.name[: NAME_LETTERS - 1]}…",
        name_y=0,
        left_of=scale.x(one.usd) > (LEFT + WIDTH) / 2,
        chosen=chosen,
        in_part=one.in_part,
        label=f"{one.name}: {accuracy}, {price}",
    )


def _low(point: _Point) -> float:
    return point.interval.low if point.interval else point.accuracy


def _best(points: Sequence[_Point]) -> list[_Point]:
    """Return the points that are more accurate than every cheaper one, the cheapest first, of those of all items."""
    found: list[_Point] = []
    for one in sorted(points, key=lambda point: (point.usd, -point.accuracy)):
        if one.in_part:
            continue
        if not found or one.accuracy > found[-1].accuracy:
            found.append(one)
    return found


def names_apart(marks: Sequence[Mark]) -> list[Mark]:
    """Put each name beside its dot, moved down where another name stands there."""
    placed: list[Mark] = []
    for mark in sorted(marks, key=lambda one: one.y):
        name_y = mark.y + 4
        for one in placed:  # the highest name first
            if _overlap(one, mark) and abs(one.name_y - name_y) < LABEL_STEP:
                name_y = one.name_y + LABEL_STEP
        placed.append(mark._replace(name_y=name_y))
        placed.sort(key=lambda one: one.name_y)
    return placed


def _overlap(one: Mark, other: Mark) -> bool:
    """Say whether two names would stand in each other's way if they stood at one height; a name begins at its dot."""
    (left, right), (other_left, other_right) = _extent(one), _extent(other)
    return left < other_right and other_left < right


def _extent(mark: Mark) -> tuple[float, float]:
    width = NAME_GAP + LETTER_WIDTH * len(mark.name)
    return (mark.x - width, mark.x) if mark.left_of else (mark.x, mark.x + width)
