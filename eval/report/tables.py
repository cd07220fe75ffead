"""The tables of a report as plain cells: each form of the report draws these, so all of them show the same.

An `EvaluationSummary` in, `Table`s out. Cells are text as a person reads it; escaping is the business of the form.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from eval.description import machine_name
from eval.metrics import STATUSES, Scores
from eval.report.cells import (
    NOTHING,
    accuracy_cell,
    answered_cell,
    decimal,
    macro_f1_cell,
    percent,
    points_cell,
    seconds_cell,
    tokens_cell,
    what_it_is,
)
from eval.report.conclusion import p_value, signed, span
from eval.report.cost_tables import break_even_table, cost_table
from eval.report.money import per_thousand
from eval.report.summary import EvaluationSummary, Summary, SystemSummary
from eval.report.table import Table

PAIRS_NOTE = (
    "Accuracy in percentage points, on the same items. p is McNemar's mid-p; Holm's adjustment is over all pairs "
    "of the benchmark. Beyond chance: adjusted p below 0.05 and an interval without zero."
)


def evaluation_tables(evaluation: EvaluationSummary) -> list[Table]:
    """Return every table of one benchmark that has something to show, the most important first."""
    tables = [
        systems_table(evaluation),
        differences_table(evaluation),
        cost_table({system.name: system.cost for system in evaluation.systems}),
        break_even_table(evaluation.break_even),
        distribution_table(evaluation),
        *confusion_tables(evaluation),
        tags_table(evaluation),
        answers_table(evaluation),
        settings_table(evaluation),
    ]
    return [table for table in tables if table.rows]


def systems_table(evaluation: EvaluationSummary) -> Table:
    """One row a system: what it is and what it scored."""
    columns: list[tuple[str, Callable[[SystemSummary], str]]] = [
        ("System", lambda s: s.name),
        ("What it is", lambda s: what_it_is(s.description)),
        ("Accuracy, 95% interval", accuracy_cell),
    ]
    if evaluation.weighted:
        columns.append(("Points, 95% interval", points_cell))
    columns += [
        ("Macro-F1, 95% interval", macro_f1_cell),
        ("ROC AUC", _of_scores(lambda s: decimal(s.roc_auc))),
        ("Answered / unparsed / errors", answered_cell),
        ("Seconds an item (p95)", _of_scores(seconds_cell)),
        ("Tokens in / out", _of_scores(tokens_cell)),
        ("Cost of 1,000 queries", lambda s: per_thousand(s.cost.usd_per_query)),
    ]
    rows = tuple(tuple(cell(system) for _, cell in columns) for system in evaluation.systems)
    chance = "" if evaluation.chance is None else f" Guessing scores {percent(evaluation.chance)}."
    note = (
        f"Intervals are cluster bootstraps over {evaluation.n_clusters:,} groups of items that share context. "
        f"An unparsed answer counts as wrong; an error is no answer and leaves the score incomplete.{chance}"
    )
    return Table("scores", "Scores", tuple(title for title, _ in columns), rows, text_columns=2, note=note)


def differences_table(evaluation: EvaluationSummary) -> Table:
    """One row a pair of systems, with the points where items are worth different ones."""
    rows = []
    for one in evaluation.comparisons:
        points = (f"{one.points_difference:+g}".replace("-", "−"),) if evaluation.weighted else ()
        rows.append(
            (
                f"{one.a} − {one.b}",
                "yes" if one.distinguishable else "no",
                signed(one.difference),
                span(one.interval),
                *points,
                p_value(one.p),
                p_value(one.p_holm),
                f"{len(one.won)} / {len(one.lost)} / {one.both_right + one.both_wrong}",
                f"{one.n:,}",
            )
        )
    points_column = ("Points",) if evaluation.weighted else ()
    figures = ("Difference", "95% interval", *points_column, "p", "p, Holm", "Won / lost / tied", "Items")
    columns = ("Pair", "Beyond chance", *figures)
    return Table("differences", "Paired differences", columns, tuple(rows), text_columns=2, note=PAIRS_NOTE)


def distribution_table(evaluation: EvaluationSummary) -> Table:
    """How often each class was chosen, beside how often it is right."""
    scored = _scored(evaluation)
    if not scored:
        return Table("distribution", "Predictions beside the key", (), ())
    fullest = max((scores for _, scores in scored), key=lambda scores: sum(scores.target_counts))
    key = ("the key", *(f"{count:,}" for count in fullest.target_counts), NOTHING)
    rows = tuple((name, *(f"{count:,}" for count in scores.prediction_counts)) for name, scores in scored)
    note = f"A system that favours a {'label' if evaluation.labelled else 'position'} shows here."
    return Table(
        "distribution",
        "Predictions beside the key",
        ("System", *fullest.class_names, "no answer"),
        (key, *rows),
        note=note,
    )


def confusion_tables(evaluation: EvaluationSummary) -> list[Table]:
    """One table a system, target by prediction, where the classes have names."""
    if not evaluation.labelled:
        return []
    return [
        Table(
            "confusion",
            f"Confusion matrix of {name}",
            ("Target", *scores.class_names, "no answer", "precision", "recall", "F1"),
            tuple(
                (one.name, *(f"{count:,}" for count in row), *map(decimal, (one.precision, one.recall, one.f1)))
                for one, row in zip(scores.classes, scores.confusion, strict=True)
            ),
            counts=scores.confusion,
        )
        for name, scores in _scored(evaluation)
    ]


def tags_table(evaluation: EvaluationSummary) -> Table:
    """Right answers by section, question type or genre, one column a system."""
    scored = _scored(evaluation)
    found_tags = dict.fromkeys(tag for _, scores in scored for tag in scores.by_tag)
    tags = sorted(found_tags, key=lambda tag: ":" not in tag)  # sections and genres, then the loose ones
    rows = []
    for tag in tags:
        found = [scores.by_tag.get(tag) for _, scores in scored]
        cells = (NOTHING if one is None else f"{one.correct:,}/{one.n:,} ({100 * one.accuracy:.0f}%)" for one in found)
        rows.append((tag, *cells))
    title = "Right answers by genre" if evaluation.labelled else "Right answers by section and kind of question"
    note = "negative: questions that ask which choice does not hold." if "negative" in tags else ""
    return Table("tags", title, ("Items", *(name for name, _ in scored)), tuple(rows), note=note)


def answers_table(evaluation: EvaluationSummary) -> Table:
    """How the answers were read: statuses and the rules that fired."""
    scored = _scored(evaluation)
    rows = tuple(
        (
            name,
            ", ".join(f"{rule} {count:,}" for rule, count in _by_count(scores.rules)) or NOTHING,
            *(f"{scores.statuses.get(status, 0):,}" for status in STATUSES),
            f"{scores.errors:,}",
        )
        for name, scores in scored
    )
    return Table(
        "answers", "How answers were read", ("System", "Rules that fired", *STATUSES, "errors"), rows, text_columns=2
    )


def settings_table(evaluation: EvaluationSummary) -> Table:
    """Everything the manifest says of each system, flat."""
    rows = tuple((system.name, key, value) for system in evaluation.systems for key, value in _flat(system.description))
    return Table("settings", "Settings", ("System", "Setting", "Value"), rows, text_columns=3)


def provenance_table(summary: Summary) -> Table:
    """What the run was made from and with."""
    commit = summary.git_commit or "unknown"
    rows = [
        ("started", summary.started_utc),
        ("seed", str(summary.seed)),
        ("commit", f"{commit} (with uncommitted changes)" if summary.git_dirty else commit),
    ]
    if summary.hardware:
        rows.append(("machine", machine_name(summary.hardware)))
    for evaluation in summary.evaluations:
        source = evaluation.data or "the benchmark's own source"
        rows.append((f"{evaluation.benchmark}, {evaluation.split}", f"{evaluation.n_items:,} items from {source}"))
        rows.append((f"{evaluation.benchmark}, fingerprint", evaluation.fingerprint))
    rows += [(f"version of {package}", version) for package, version in sorted(summary.versions.items())]
    return Table("provenance", "Provenance", ("What", "Value"), tuple(rows), text_columns=2)


def _of_scores(cell: Callable[[Scores], str]) -> Callable[[SystemSummary], str]:
    return lambda system: NOTHING if system.scores is None else cell(system.scores)


def _scored(evaluation: EvaluationSummary) -> list[tuple[str, Scores]]:
    return [(system.name, system.scores) for system in evaluation.systems if system.scores is not None]


def _by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _flat(description: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for key, value in description.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        elif value is not None:
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            rows.append((f"{prefix}{key}", shown))
    return rows
