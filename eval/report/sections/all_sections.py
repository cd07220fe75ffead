"""The tables of a report as plain cells: each form of the report draws these, so all of them show the same.

An `EvaluationSummary` in, `Table`s out. Cells are text as a person reads it; escaping is the business of the form.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from data.common.language import ENGLISH, Language
from eval.measures.differences import Comparison
from eval.measures.metrics import Scores
from eval.report.figures import items_counted, p_value, percent, signed, span
from eval.report.sections.calibration import calibration_table
from eval.report.sections.cells import (
    NOTHING,
    accuracy_cell,
    answered_cell,
    decimal,
    macro_f1_cell,
    points_cell,
    roc_auc_cell,
    seconds_cell,
    tag_cell,
    tokens_cell,
    what_it_is,
)
from eval.report.sections.cost_tables import break_even_table, cost_table, estimate_table
from eval.report.sections.ladder_tables import ladder_tables
from eval.report.sections.position_bias import order_tables
from eval.report.sections.readings import answers_table, rules_table
from eval.report.sections.reference_scores import constants_table, published_table
from eval.report.summary import EvaluationSummary, Summary
from eval.report.system_summary import SystemSummary
from eval.report.table import Table
from eval.rundir.description import machine_name


def pairs_note(pairs: Iterable[Comparison], say: Language = ENGLISH) -> str:
    """Say how to read a table of paired differences."""
    note = say(
        "Accuracy in percentage points, on the same items. p is McNemar's mid-p; Holm's adjustment is over all pairs "
        "of this table. Beyond chance: adjusted p below 0.05 and an interval without zero."
    )
    if any(one.unsettled for one in pairs):
        note += say(" Open: replies without any text, which count as wrong, decide the difference.")
    return note


def beyond_chance(one: Comparison, say: Language = ENGLISH) -> str:
    """Say whether a difference is beyond chance, or whether nothing can be said of it."""
    if one.unsettled:
        return say("open")
    return say("yes") if one.distinguishable else say("no")


def evaluation_tables(evaluation: EvaluationSummary, say: Language = ENGLISH) -> list[Table]:
    """Return every table of one benchmark that has something to show, the most important first."""
    tables = [
        systems_table(evaluation, say),
        differences_table(evaluation, say),
        *ladder_tables(evaluation, say),
        cost_table({system.name: system.cost for system in evaluation.systems}, say),
        break_even_table(evaluation.break_even, say),
        estimate_table({s.name: s.estimated for s in evaluation.systems if s.estimated is not None}, say),
        distribution_table(evaluation, say),
        *order_tables(evaluation, say),
        *confusion_tables(evaluation, say),
        calibration_table(evaluation, say),
        tags_table(evaluation, say),
        answers_table(evaluation, say),
        rules_table(evaluation, say),
        constants_table(evaluation, say),
        published_table(evaluation, say),
        settings_table(evaluation, say),
    ]
    return [table for table in tables if table.rows]


def systems_table(evaluation: EvaluationSummary, say: Language = ENGLISH) -> Table:
    """One row a system: what it is and what it scored."""
    columns: list[tuple[str, Callable[[SystemSummary], str]]] = [
        (say("System"), lambda s: s.name),
        (say("What it is"), lambda s: what_it_is(s.description, say)),
        (say("Accuracy, 95% interval"), lambda s: accuracy_cell(s, say)),
    ]
    if evaluation.weighted:
        columns.append((say("Points, 95% interval"), lambda s: points_cell(s, say)))
    columns += [
        (say("Macro-F1, 95% interval"), lambda s: macro_f1_cell(s, say)),
        (say("ROC AUC, 95% interval"), lambda s: roc_auc_cell(s, say)),
        (say("Answered / unparsed / errors"), lambda s: answered_cell(s, say)),
        (say("Seconds an item (p95)"), _of_scores(seconds_cell)),
        (say("Tokens in / out"), _of_scores(tokens_cell)),
    ]
    rows = tuple(tuple(cell(system) for _, cell in columns) for system in evaluation.systems)
    note = say(
        "Intervals are over {groups} groups of items that share context: Wilson's with cluster-robust variance, for "
        "ROC AUC DeLong's variance over the groups, for macro-F1 a cluster bootstrap. An unparsed answer counts as "
        "wrong; an error is no answer and leaves the score incomplete.",
        groups=f"{evaluation.n_clusters:,}",
    )
    if evaluation.chance is not None:
        note += say(" Guessing scores {chance}.", chance=percent(evaluation.chance))
    return Table("scores", say("Scores"), tuple(title for title, _ in columns), rows, text_columns=2, note=note)


def differences_table(evaluation: EvaluationSummary, say: Language = ENGLISH) -> Table:
    """One row a pair of systems, with the points where items are worth different ones."""
    rows = []
    for one in evaluation.comparisons:
        points = (f"{one.points_difference:+g}".replace("-", "−"),) if evaluation.weighted else ()
        rows.append(
            (
                f"{one.a} − {one.b}",
                beyond_chance(one, say),
                signed(one.difference),
                span(one.interval, say),
                *points,
                p_value(one.p),
                p_value(one.p_holm),
                f"{len(one.won)} / {len(one.lost)} / {one.both_right + one.both_wrong}",
                f"{one.n:,}",
            )
        )
    points_column = (say("Points"),) if evaluation.weighted else ()
    tests = ("p", say("p, Holm"), say("Won / lost / tied"), say("Items"))
    columns = (say("Pair"), say("Beyond chance"), say("Difference"), say("95% interval"), *points_column, *tests)
    title = say("Paired differences")
    note = pairs_note(evaluation.comparisons, say)
    return Table("differences", title, columns, tuple(rows), text_columns=2, note=note)


def distribution_table(evaluation: EvaluationSummary, say: Language = ENGLISH) -> Table:
    """How often each class was chosen, beside how often it is right."""
    scored = _scored(evaluation)
    title = say("Predictions beside the key")
    if not scored:
        return Table("distribution", title, (), ())
    fullest = max((scores for _, scores in scored), key=lambda scores: sum(scores.target_counts))
    key = (say("the key"), *(f"{count:,}" for count in fullest.target_counts), NOTHING)
    rows = tuple((name, *(f"{count:,}" for count in scores.prediction_counts)) for name, scores in scored)
    label, position = (
        say("A system that favours a label shows here."),
        say("A system that favours a position shows here."),
    )
    columns = (say("System"), *fullest.class_names, say("no answer"))
    return Table("distribution", title, columns, (key, *rows), note=label if evaluation.labelled else position)


def confusion_tables(evaluation: EvaluationSummary, say: Language = ENGLISH) -> list[Table]:
    """One table a system, target by prediction, where the classes have names."""
    if not evaluation.labelled:
        return []
    return [
        Table(
            "confusion",
            say("Confusion matrix of {system}", system=name),
            (say("Target"), *scores.class_names, say("no answer"), say("precision"), say("recall"), "F1"),
            tuple(
                (one.name, *(f"{count:,}" for count in row), *map(decimal, (one.precision, one.recall, one.f1)))
                for one, row in zip(scores.classes, scores.confusion, strict=True)
            ),
            counts=scores.confusion,
        )
        for name, scores in _scored(evaluation)
    ]


def tags_table(evaluation: EvaluationSummary, say: Language = ENGLISH) -> Table:
    """Right answers by section, question type or genre, in an exam with their points, one column a system."""
    scored = [system for system in evaluation.systems if system.scores is not None]
    found_tags = dict.fromkeys(tag for _, scores in _scored(evaluation) for tag in scores.by_tag)
    tags = sorted(found_tags, key=lambda tag: ":" not in tag)  # sections and genres, then the loose ones
    rows = [(tag, *(tag_cell(one, tag, say, weighted=evaluation.weighted) for one in scored)) for tag in tags]
    by_genre, by_section = say("Right answers by genre"), say("Right answers by section and kind of question")
    title = by_genre if evaluation.labelled else by_section
    kinds = say("negative: questions that ask which choice does not hold; 보기: that show a text of their own.")
    note = kinds if "negative" in tags else ""
    in_points, in_shares = say("Right of all; points, 95% interval."), say("Right of all; accuracy, 95% interval.")
    read = in_points if evaluation.weighted else in_shares
    columns = (say("Items"), *(system.name for system in scored))
    return Table("tags", title, columns, tuple(rows), note=" ".join([read, note]).strip())


def settings_table(evaluation: EvaluationSummary, say: Language = ENGLISH) -> Table:
    """Everything the manifest says of each system, flat."""
    rows = tuple(
        (system.name, key, value) for system in evaluation.systems for key, value in _flat(system.description.as_json())
    )
    return Table("settings", say("Settings"), (say("System"), say("Setting"), say("Value")), rows, text_columns=3)


def provenance_table(summary: Summary, say: Language = ENGLISH) -> Table:
    """What the run was made from and with."""
    commit = summary.git_commit or say("unknown")
    rows = [
        (say("started"), summary.started_utc),
        (say("seed"), str(summary.seed)),
        (say("commit"), say("{commit} (with uncommitted changes)", commit=commit) if summary.git_dirty else commit),
    ]
    if summary.hardware:
        rows.append((say("machine"), machine_name(summary.hardware)))
    for evaluation in summary.evaluations:
        source = evaluation.data or say("the benchmark's own source")
        items = items_counted(evaluation.n_items, say)
        rows.append(
            (f"{evaluation.benchmark}, {evaluation.split}", say("{items} from {source}", items=items, source=source))
        )
        rows.append((say("{benchmark}, fingerprint", benchmark=evaluation.benchmark), evaluation.fingerprint))
    rows += [
        (say("version of {package}", package=package), version) for package, version in sorted(summary.versions.items())
    ]
    return Table("provenance", say("Provenance"), (say("What"), say("Value")), tuple(rows), text_columns=2)


def _of_scores(cell: Callable[[Scores], str]) -> Callable[[SystemSummary], str]:
    return lambda system: NOTHING if system.scores is None else cell(system.scores)


def _scored(evaluation: EvaluationSummary) -> list[tuple[str, Scores]]:
    return [(system.name, system.scores) for system in evaluation.systems if system.scores is not None]


def _flat(description: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for key, value in description.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        elif value is not None:
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            rows.append((f"{prefix}{key}", shown))
    return rows
