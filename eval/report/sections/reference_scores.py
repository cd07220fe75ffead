"""The report's section that holds its scores against reference scores that were not run.

Constant answers are computed from the key. Published figures come from elsewhere, and their table says so.
"""

import math

from data.common.language import ENGLISH, Language
from eval.measures.reference_scores import ConstantScore, PublishedPoint
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import listed, percent
from eval.report.section import Table
from eval.report.system_figures import SystemSummary

WHOLE_EXAM = 100  # points, which the published ones are of


def reference_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Return what constant answers score, and what others published."""
    return [_constants_table(evaluation, say), published_table(evaluation, say)]


def _constants_table(evaluation: EvaluationFigures, say: Language = ENGLISH) -> Table:
    """One row a constant answer: what it scores on these items by their key."""
    names = next((s.scores.class_names for s in evaluation.systems if s.scores is not None), ())
    rows = tuple(
        (
            say("always {choice}", choice=names[one.choice] if one.choice < len(names) else one.choice + 1),
            f"{one.correct:,}",
            percent(one.accuracy),
            *((_points(one, say),) if evaluation.weighted else ()),
        )
        for one in evaluation.reference_scores.constants
    )
    columns = (say("Answer"), say("Right"), say("Accuracy"), *((say("Points"),) if evaluation.weighted else ()))
    return Table(
        "constants", say("Constant answers"), columns, rows, note=say("Computed from the key; nothing was run.")
    )


def published_table(evaluation: EvaluationFigures, say: Language = ENGLISH) -> Table:
    """One row a published figure, and among them what was measured here, so that they are read side by side."""
    published = [point for point in evaluation.reference_scores.published if _comparable(point, evaluation)]
    measured = [(system.name, _measured(system, evaluation)) for system in evaluation.systems] if published else []
    rows = [
        (point.score, (_what(point, say), _score(point.score, point.unit, say), say("published"), point.source))
        for point in published
    ]
    rows += [
        (score, (name, _score(score, "points" if evaluation.weighted else "percent", say), say("measured here"), "–"))
        for name, score in measured
        if score is not None
    ]
    ordered = tuple(
        (what, where, source, score) for _, (what, score, where, source) in sorted(rows, key=_highest_first)
    )
    note = say(
        "Published figures were not measured here: other prompts, settings and versions of the models. Read at: "
        "{urls}.",
        urls=", ".join(dict.fromkeys(f"{point.url} ({point.date})" for point in published)),
    )
    columns = (say("What"), say("Origin"), say("Source"), say("Score"))
    return Table("published", say("Beside published scores"), columns, ordered, text_columns=3, note=note)


def constant_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say for an exam what its best constant answer earns, and which systems earn no more."""
    if not evaluation.weighted or not evaluation.reference_scores.constants:
        return []
    best = max(evaluation.reference_scores.constants, key=lambda one: one.points)
    said = say(
        "The best constant answer, always {choice}, earns {points} points.",
        choice=best.choice + 1,
        points=_points(best, say),
    )
    no_better = [s.name for s in evaluation.systems if s.complete and _most_points(s) <= best.points]
    return (
        [said, say("Not better than that constant answer: {systems}.", systems=listed(no_better, say))]
        if no_better
        else [said]
    )


def _most_points(system: SystemSummary) -> float:
    """Return a system's points; what it said nothing to tells nothing, and counts as right here."""
    if system.scores is None:
        return math.inf
    return system.scores.points if system.blank is None else system.blank.points_at_best


def _highest_first(row: tuple[float, tuple[str, ...]]) -> tuple[float, str]:
    return -row[0], row[1][0]


def _comparable(point: PublishedPoint, evaluation: EvaluationFigures) -> bool:
    """Tell whether the run's score is in the same unit and of the whole set, not of a part of it."""
    if point.unit == "percent":
        return not evaluation.weighted and point.n_items == evaluation.n_items
    return any(one.points_possible == WHOLE_EXAM for one in evaluation.reference_scores.constants)


def _measured(system: SystemSummary, evaluation: EvaluationFigures) -> float | None:
    if system.scores is None or system.scores.accuracy is None or not system.complete:
        return None
    return system.scores.points if evaluation.weighted else 100 * system.scores.accuracy


def _what(point: PublishedPoint, say: Language) -> str:
    if point.kind == "grade_cut":
        return say("cut-off of {grade}", grade=say(point.system))
    return point.system


def _score(score: float, unit: str, say: Language) -> str:
    return (
        f"{score:.1f}%"
        if unit == "percent"
        else say("{points} of {possible}", points=f"{score:g}", possible=WHOLE_EXAM)
    )


def _points(one: ConstantScore, say: Language) -> str:
    return say("{points} of {possible}", points=f"{one.points:g}", possible=f"{one.points_possible:g}")
