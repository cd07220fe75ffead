"""The report's section on probabilities: a table of figures, a sentence for each system, a reliability diagram.

An `EvaluationFigures` in; a `Table` and a `Diagram` out, both over the systems that gave probabilities alone.
"""

from typing import NamedTuple

from data.common.language import ENGLISH, Language
from eval.measures.calibration import Calibration, ReliabilityBin
from eval.measures.stats import wilson
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import decimal_with_interval, percent, signed, span
from eval.report.section import Table
from eval.report.system_figures import SystemSummary
from eval.report.templates import template
from eval.rundir.description import role_of

SIDE, LEFT, RIGHT, TOP, BOTTOM = 180, 44, 24, 34, 46  # of a panel's plot, and the space around it
PANELS_A_ROW = 3
NAME_LETTERS = 24
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


class Tick(NamedTuple):
    """A share on an axis: where it is from the plot's left or bottom end."""

    at: float
    label: str


class Dot(NamedTuple):
    """A bin: confidence across, accuracy up with its 95 % interval; `label` is for a pointer that rests on it."""

    x: float
    y: float
    low: float
    high: float
    label: str


class Panel(NamedTuple):
    """One system; `x` and `y` place its plot's upper left corner."""

    x: float
    y: float
    name: str
    dots: list[Dot]


class Diagram(NamedTuple):
    """Everything the template draws, in the units of the view box; words are in the report's language."""

    columns: int
    width: int
    height: int
    side: int
    ticks: list[Tick]
    panels: list[Panel]
    across: str
    up: str
    title: str


def calibration_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """One row a system with probabilities, and below it in words which of them claim too much or too little."""
    systems = _with_probabilities(evaluation)
    columns = (
        say("System"),
        say("Probabilities from"),
        say("Items"),
        say("Brier"),
        say("Log loss"),
        say("ECE (by chance)"),
        say("Confidence − accuracy, 95% interval"),
        say("AURC"),
        say("Accuracy on its surest 25 / 50 / 75%"),
    )
    note = say(
        "Brier, log loss, ECE and AURC: lower is better. ECE: how far confidence and accuracy are apart in bins of "
        "equally many items, beside what chance alone would make of it in a calibrated system. AURC: mean error rate "
        "over ever more items, the surest first; where confidence says nothing, it is the error rate of all items."
    )
    rows = tuple(_row(system, scored, say) for system, scored in systems)
    note = " ".join([*_verdicts(evaluation, say), note])
    return [Table("calibration", say("Probabilities"), columns, rows, text_columns=2, note=note)]


def reliability_diagram(evaluation: EvaluationFigures, say: Language = ENGLISH) -> Diagram | None:
    """Lay out a panel for each system with probabilities; None where there is none."""
    systems = _with_probabilities(evaluation)
    if not systems:
        return None
    width, height = LEFT + SIDE + RIGHT, TOP + SIDE + BOTTOM
    panels = [
        Panel(
            x=place % PANELS_A_ROW * width + LEFT,
            y=place // PANELS_A_ROW * height + TOP,
            name=system.name if len(system.name) <= NAME_LETTERS else f"{system.name[: NAME_LETTERS - 1]}…",
            dots=[_dot(one, say) for one in scored.bins],
        )
        for place, (system, scored) in enumerate(systems)
    ]
    columns = min(len(panels), PANELS_A_ROW)
    return Diagram(
        columns=columns,
        width=columns * width,
        height=-(-len(panels) // PANELS_A_ROW) * height,
        side=SIDE,
        ticks=[Tick(share * SIDE, f"{100 * share:.0f}%") for share in SHARES],
        panels=panels,
        across=say("confidence"),
        up=say("accuracy"),
        title=" ".join([say("Reliability diagram."), *_verdicts(evaluation, say)]),
    )


def diagram_file(number: int) -> str:
    """Return the name of the drawing of a run's evaluation, counted from 1."""
    return f"reliability-{number}.svg"


def draw_diagram(diagram: Diagram) -> str:
    """Draw it as a file of its own, which brings the few styles that it needs."""
    return template("reliability.svg.j2").render(diagram=diagram)


def _with_probabilities(evaluation: EvaluationFigures) -> list[tuple[SystemSummary, Calibration]]:
    scored = ((system, system.scores.calibration) for system in evaluation.systems if system.scores is not None)
    return [(system, calibration) for system, calibration in scored if calibration is not None]


def _row(system: SystemSummary, scored: Calibration, say: Language) -> tuple[str, ...]:
    intervals = system.calibration_intervals
    return (
        system.name,
        ", ".join(say("unknown") if source == "unknown" else source for source in scored.sources),
        f"{scored.n:,}",
        decimal_with_interval(scored.brier, intervals.get("brier"), say),
        decimal_with_interval(scored.log_loss, intervals.get("log_loss"), say),
        f"{scored.ece:.3f} ({scored.ece_if_calibrated:.3f})",
        f"{signed(scored.overconfidence)} ({span(intervals.get('overconfidence'), say)})",
        f"{scored.aurc:.3f}",
        " / ".join(percent(one.accuracy) for one in scored.selective if one.coverage < 1),
    )


def _verdicts(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say it of each system but the baselines: a rule that is sure of every item, such as always-3, states nothing."""
    return [
        _verdict(system, scored, say)
        for system, scored in _with_probabilities(evaluation)
        if role_of(system.description) != "baseline"
    ]


def _verdict(system: SystemSummary, scored: Calibration, say: Language) -> str:
    """Say whether a system claims more or less than it keeps, neither beyond chance, or that it cannot be told."""
    interval = system.calibration_intervals.get("overconfidence")
    figures = {
        "system": system.name,
        "accuracy": percent(scored.accuracy),
        "confidence": percent(scored.confidence),
        "by": f"{100 * abs(scored.overconfidence):.1f}",
    }
    if interval is None:
        return say(
            "Whether {system} is over- or underconfident cannot be told, as all items share one context: it is right "
            "on {accuracy} of them and claims {confidence}.",
            **figures,
        )
    if interval.low > 0:
        return say(
            "{system} is overconfident: it is right on {accuracy} of these items and claims {confidence}, {by} "
            "percentage points too much (95% interval {low} to {high}).",
            low=f"{100 * interval.low:.1f}",
            high=f"{100 * interval.high:.1f}",
            **figures,
        )
    if interval.high < 0:
        return say(
            "{system} is underconfident: it is right on {accuracy} of these items and claims {confidence}, {by} "
            "percentage points too little (95% interval {low} to {high}).",
            low=f"{-100 * interval.high:.1f}",
            high=f"{-100 * interval.low:.1f}",
            **figures,
        )
    return say(
        "{system} is neither over- nor underconfident beyond chance: it is right on {accuracy} of these items and "
        "claims {confidence} (difference {difference} percentage points, 95% interval {span}).",
        difference=signed(scored.overconfidence),
        span=span(interval, say),
        **figures,
    )


def _dot(one: ReliabilityBin, say: Language) -> Dot:
    low, high = wilson(one.accuracy * one.n, one.n)
    label = say(
        "{n} items: confidence {confidence}, accuracy {accuracy}",
        n=f"{one.n:,}",
        confidence=percent(one.confidence),
        accuracy=percent(one.accuracy),
    )
    x, y, low, high = (round(share * SIDE, 1) for share in (one.confidence, 1 - one.accuracy, 1 - low, 1 - high))
    return Dot(x=x, y=y, low=low, high=high, label=label)
