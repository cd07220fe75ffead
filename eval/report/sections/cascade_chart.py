"""The drawing of a cascade: accuracy by what is passed on, beside what chance and somebody who knows all would reach.

An `EvaluationFigures` in, one `Drawing` out, in the form and the classes of `cost_curve`, whose template draws it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from data.common.language import ENGLISH, Language
from eval.measures.cascade_figures import Cascade, CascadePoint
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import per_thousand, percent, share_with_interval
from eval.report.sections.cost_curve import (
    LEGEND_STEP,
    LEGEND_TOP,
    NAME_LETTERS,
    PLOT_HEIGHT,
    TOP,
    WIDTH,
    Dot,
    Drawing,
    Line,
    Tick,
)

LEFT, RIGHT = 64, 56  # room for half a price beyond the last tick
TICKS = 5
STEPS = 40  # of the line that nobody can be above


def frontier_file(number: int) -> str:
    """Return the name of the drawing of a run's evaluation, counted from 1."""
    return f"cascade-{number}.svg"


def frontier_drawing(evaluation: EvaluationFigures, say: Language = ENGLISH) -> Drawing | None:
    """Lay out the frontier of the first cascade of an evaluation; None where there is none."""
    if not evaluation.cascades or not evaluation.cascades[0].points:
        return None
    one = evaluation.cascades[0]
    shares = [step / STEPS for step in range(STEPS + 1)]
    ends = [end for point in one.points for end in (point.interval or (point.accuracy, point.accuracy))]
    low, high = min([*ends, one.accuracy_first]), max([*ends, one.either_right])
    scale = _Scale(low, max(high, low + 0.01))
    curves = [
        (_shorter(one, say), 0, False, [(point.passed_on, point.accuracy) for point in one.points]),
        (say("95% interval"), 0, True, _band(one.points)),
        (say("passed on at random"), 1, True, [(share, one.at_random(share)) for share in (0.0, 1.0)]),
        (say("at best: who knows all answers"), 2, True, [(share, one.at_best(share)) for share in shares]),
    ]
    bottom = TOP + PLOT_HEIGHT
    lines = [
        Line(colour, dashed, scale.path(points), bottom + LEGEND_TOP + LEGEND_STEP * number, legend)
        for number, (legend, colour, dashed, points) in enumerate(curves)
    ]
    return Drawing(
        width=WIDTH,
        height=bottom + LEGEND_TOP + LEGEND_STEP * len(lines),
        plot=(LEFT, TOP, WIDTH - RIGHT, bottom),
        x_ticks=[Tick(scale.x(step / TICKS), _share_label(one, step / TICKS, say)) for step in range(TICKS + 1)],
        y_ticks=[Tick(scale.y(level), percent(level)) for level in scale.levels()],
        lines=lines,
        dots=[Dot(scale.x(point.passed_on), scale.y(point.accuracy), _dot_label(point, say)) for point in one.points],
        label=say("Accuracy of a cascade by the share of the items that are passed on"),
        axis=say("passed on to {second}", second=one.second),
    )


class _Scale(NamedTuple):
    """Shares across, accuracies up from `low` to `high`."""

    low: float
    high: float

    def x(self, share: float) -> float:
        return round(LEFT + share * (WIDTH - RIGHT - LEFT), 1)

    def y(self, accuracy: float) -> float:
        return round(TOP + (self.high - accuracy) / (self.high - self.low) * PLOT_HEIGHT, 1)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        return f"M{' L'.join(f'{self.x(share)},{self.y(accuracy)}' for share, accuracy in points)}"

    def levels(self) -> list[float]:
        return [self.low + (self.high - self.low) * step / TICKS for step in range(TICKS + 1)]


def _band(points: Sequence[CascadePoint]) -> list[tuple[float, float]]:
    """Return the outline of the intervals, there along the lower ends and back along the upper ones."""
    known = [(point.passed_on, point.interval) for point in points if point.interval is not None]
    return [(share, end.low) for share, end in known] + [(share, end.high) for share, end in reversed(known)]


def _shorter(one: Cascade, say: Language) -> str:
    names = [name if len(name) <= NAME_LETTERS else f"{name[: NAME_LETTERS - 1]}…" for name in (one.first, one.second)]
    return say("{first}, then {second} where it is unsure", first=names[0], second=names[1])


def _share_label(one: Cascade, share: float, say: Language) -> str:
    if one.first_usd is None or one.second_usd is None:
        return f"{100 * share:.0f}%"
    return f"{100 * share:.0f}% · {per_thousand(one.first_usd + share * one.second_usd, say)}"


def _dot_label(point: CascadePoint, say: Language) -> str:
    return say(
        "{passed} passed on: {accuracy} right",
        passed=percent(point.passed_on),
        accuracy=share_with_interval(point.accuracy, point.interval, say),
    )
