"""The report's section on scores: what each system scored, on what, and how often it chose which answer."""

from collections.abc import Callable

from data.common.language import ENGLISH, Language
from eval.measures.metrics import Scores
from eval.measures.stats import FEW_CLUSTERS, Interval
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import (
    NOTHING,
    decimal_with_interval,
    items_counted,
    listed,
    percent,
    share_with_interval,
    with_interval,
)
from eval.report.links import Link, chosen, items_query
from eval.report.section import Table
from eval.report.system_figures import SystemSummary
from eval.rundir.description import SystemDescription, model_spec

WIDEST_NAMES = 60  # letters of all labels, beyond which their names would not fit above the columns of a table


def score_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """One row a system: what it is and what it scored."""
    fixed, any_time = say("Accuracy, 95% interval"), say("Accuracy, 95% interval at any time")
    columns: list[tuple[str, Callable[[SystemSummary], str]]] = [
        (say("System"), lambda s: s.name),
        (say("What it is"), lambda s: what_it_is(s.description, say)),
        (fixed if evaluation.early_end is None else any_time, lambda s: accuracy_text(s, say)),
    ]
    if evaluation.weighted:
        columns.append((say("Points, 95% interval"), lambda s: points_text(s, say)))
    columns += [
        (say("Macro-F1, 95% interval"), lambda s: macro_f1_text(s, say)),
        (say("ROC AUC, 95% interval"), lambda s: roc_auc_text(s, say)),
        (say("Answered / unparsed / errors"), lambda s: answered_text(s, say)),
        (say("Seconds an item (p95)"), _of_scores(seconds_text)),
        (say("Tokens in / out"), _of_scores(tokens_text)),
    ]
    rows = tuple(tuple(cell(system) for _, cell in columns) for system in evaluation.systems)
    note = _score_note(evaluation, say)
    if evaluation.chance is not None:
        note += say(" Guessing scores {chance}.", chance=percent(evaluation.chance))
    answered, titles = say("Answered / unparsed / errors"), tuple(title for title, _ in columns)
    links = {(row, titles.index(answered)): _answered_links(one) for row, one in enumerate(evaluation.systems)}
    return [Table("scores", say("Scores"), titles, rows, text_columns=2, note=note, links=links)]


def _answered_links(system: SystemSummary) -> tuple[Link, ...]:
    if system.scores is None:
        return ()
    counts = {"answered": system.scores.answered, "unparsed": system.scores.unparsed, "error": system.scores.errors}
    return tuple(Link(f"{n:,}", items_query(states={system.name: state})) for state, n in counts.items())


def _score_note(evaluation: EvaluationFigures, say: Language) -> str:
    groups = f"{evaluation.n_clusters:,}"
    if evaluation.early_end is not None:
        return say(
            "Intervals are over {groups} groups of items that share context, and hold at any time: the run may end "
            "because of what it shows. Scores that have none of this kind are given without. An unparsed answer counts "
            "as wrong; an error is no answer and leaves the score incomplete.",
            groups=groups,
        )
    return say(
        "Intervals are over {groups} groups of items that share context: Wilson's with cluster-robust variance, for "
        "ROC AUC DeLong's variance over the groups, for macro-F1 a cluster bootstrap. An unparsed answer counts as "
        "wrong; an error is no answer and leaves the score incomplete.",
        groups=groups,
    )


def distribution_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """How often each class was chosen, beside how often it is right."""
    scored = _scored(evaluation)
    title = say("Predictions beside the key")
    if not scored:
        return [Table("distribution", title, (), ())]
    fullest = max((scores for _, scores in scored), key=lambda scores: sum(scores.target_counts))
    key = (say("the key"), *(f"{count:,}" for count in fullest.target_counts), NOTHING)
    rows = tuple((name, *(f"{count:,}" for count in scores.prediction_counts)) for name, scores in scored)
    label, position = (
        say("A system that favours a label shows here."),
        say("A system that favours a position shows here."),
    )
    columns = (say("System"), *fullest.class_names, say("no answer"))
    return [Table("distribution", title, columns, (key, *rows), note=label if evaluation.labelled else position)]


def confusion_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """One table a system, target by prediction, where the classes have names."""
    if not evaluation.labelled:
        return []
    return [_confusion_table(name, scores, say) for name, scores in _scored(evaluation)]


def _confusion_table(name: str, scores: Scores, say: Language) -> Table:
    numbered = sum(map(len, scores.class_names)) > WIDEST_NAMES
    heads = [f"{number}" for number in range(1, len(scores.class_names) + 1)] if numbered else scores.class_names
    columns = (say("Target"), *heads, say("no answer"), say("precision"), say("recall"), "F1")
    rows = tuple(
        (
            f"{number}. {one.name}" if numbered else one.name,
            *(f"{count:,}" for count in row),
            *map(decimal, (one.precision, one.recall, one.f1)),
        )
        for number, (one, row) in enumerate(zip(scores.classes, scores.confusion, strict=True), start=1)
    )
    states = [*map(chosen, range(len(scores.class_names))), "unparsed"]
    links = {
        (key, column): (Link(rows[key][column], items_query(states={name: state}, key=key)),)
        for key in range(len(rows))
        for column, state in enumerate(states, start=1)
        if scores.confusion[key][column - 1]
    }
    title = say("Confusion matrix of {system}", system=name)
    note = say("A column stands for the answer of its number.") if numbered else ""
    return Table("confusion", title, columns, rows, counts=scores.confusion, links=links, note=note)


# --- what is said of them


def incomplete_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    sentences = []
    for system in evaluation.systems:
        if system.complete:
            continue
        scored = system.scores is not None and system.scores.accuracy is not None
        rest = say("its scores are over the items it has a prediction for") if scored else say("it has no scores")
        sentences.append(
            say(
                "{benchmark} is incomplete: {missing} of {items}; {rest}.",
                benchmark=evaluation.benchmark,
                missing=_what_is_missing(system, say),
                items=items_counted(evaluation.n_items, say),
                rest=rest,
            )
        )
    return sentences


def _what_is_missing(system: SystemSummary, say: Language) -> str:
    failed = system.scores.errors if system.scores else 0
    if system.scores is None:
        return say("{system} has no record for any", system=system.name)
    if failed and system.missing:
        both = "{system} failed on {failed} and has no record for {missing}"
        return say(both, system=system.name, failed=failed, missing=system.missing)
    if failed:
        return say("{system} failed on {failed}", system=system.name, failed=failed)
    return say("{system} has no record for {missing}", system=system.name, missing=system.missing)


def guessing_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    if evaluation.chance is None:
        return []
    guessing = [
        system.name
        for system in evaluation.systems
        if system.accuracy_interval is not None
        and system.accuracy_interval.low <= evaluation.chance <= system.accuracy_interval.high
        and not system.unsettled
    ]
    if not guessing:
        return []
    return [
        say.count(
            len(guessing),
            "{systems} is not distinguishable from guessing ({chance}).",
            "{systems} are not distinguishable from guessing ({chance}).",
            systems=listed(guessing, say),
            chance=percent(evaluation.chance),
        )
    ]


def cluster_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    n = evaluation.n_clusters
    if not 0 < n < FEW_CLUSTERS or evaluation.early_end is not None:
        return []
    if n == 1:
        return [say("All items share one context, so no interval can be given.")]
    few = (
        "The items share only {n} groups of context: the intervals of accuracy, points, ROC AUC, differences and "
        "probabilities allow for so few and are wide; that of macro-F1 is rough."
    )
    return [say(few, n=n)]


# --- one figure with what belongs to it


def what_it_is(description: SystemDescription, say: Language = ENGLISH) -> str:
    """Put a system's description into a few words."""
    kind = description.kind
    first = description.chain or description.baseline or description.checkpoint or description.runnable
    parts = [kind if not first or kind == "finetune" else f"{kind} {first}"]
    if description.cascade is not None:
        parts.append(say("of {systems}", systems=", ".join(description.cascade)))
    if description.finetune and description.finetune.get("model"):
        parts.append(str(description.finetune["model"]))
    parts += [spec] if (spec := model_spec(description)) else []
    if description.prompt:
        parts.append(say("prompt {prompt}", prompt=description.prompt))
    if description.retriever is not None:
        parts.append(f"{description.retriever.name}, k = {description.retriever.k}")
    if description.examples is not None:
        parts.append(say("{n} examples, {select}", n=description.examples.n, select=description.examples.select))
    if description.candidates is not None:
        parts.append(say("{n} candidates", n=description.candidates))
    if description.note:
        parts.append(description.note)
    return " · ".join(part for part in parts if part) or NOTHING


def accuracy_text(system: SystemSummary, say: Language = ENGLISH) -> str:
    """Accuracy with its interval; a score over fewer items than were asked is marked."""
    if system.scores is None:
        return NOTHING
    accuracy, mark = system.scores.accuracy, "" if system.complete else say(", incomplete")
    shown = NOTHING if accuracy is None else share_with_interval(accuracy, system.accuracy_interval, say)
    return shown + mark


def points_text(system: SystemSummary, say: Language = ENGLISH) -> str:
    """Points of those possible, with the interval in points."""
    if system.scores is None or system.scores.accuracy is None:
        return NOTHING
    return earned(system.scores.points, system.scores.points_possible, system.points_interval, say)


def earned(points: float, possible: float, interval: Interval | None, say: Language = ENGLISH) -> str:
    """Write points of those possible, with the interval in points."""
    shown = say("{points} of {possible}", points=f"{points:g}", possible=f"{possible:g}")
    return with_interval(shown, interval, say, scale=possible)


def macro_f1_text(system: SystemSummary, say: Language = ENGLISH) -> str:
    """Macro-F1 with its interval."""
    if system.scores is None or system.scores.macro_f1 is None:
        return NOTHING
    return decimal_with_interval(system.scores.macro_f1, system.macro_f1_interval, say)


def roc_auc_text(system: SystemSummary, say: Language = ENGLISH) -> str:
    """ROC AUC with its interval."""
    if system.scores is None or system.scores.roc_auc is None:
        return NOTHING
    return decimal_with_interval(system.scores.roc_auc, system.roc_auc_interval, say)


def answered_text(system: SystemSummary, say: Language = ENGLISH) -> str:
    """Answered / unparsed / errors, and how many items have no record."""
    if system.scores is None:
        return say("no record for {n}", n=f"{system.missing:,}")
    missing = say(", {n} missing", n=f"{system.missing:,}") if system.missing else ""
    return f"{system.scores.answered:,} / {system.scores.unparsed:,} / {system.scores.errors:,}{missing}"


def seconds_text(scores: Scores) -> str:
    """Mean seconds of an item and their 95th percentile."""
    predictions = scores.answered + scores.unparsed
    if scores.latency_p95_s is None:
        return NOTHING
    return f"{_seconds(scores.latency_total_s / predictions)} ({_seconds(scores.latency_p95_s)})"


def _seconds(seconds: float) -> str:
    if seconds < 0.001:
        return "<0.001"
    return f"{seconds:.2f}" if seconds >= 0.1 else f"{seconds:.2g}"


def tokens_text(scores: Scores) -> str:
    """Tokens that went in and came out."""
    if not scores.usage:
        return NOTHING
    return f"{scores.usage.get('input_tokens', 0):,} / {scores.usage.get('output_tokens', 0):,}"


def decimal(value: float | None) -> str:
    """Write a score between 0 and 1."""
    return NOTHING if value is None else f"{value:.3f}"


def _of_scores(cell: Callable[[Scores], str]) -> Callable[[SystemSummary], str]:
    return lambda system: NOTHING if system.scores is None else cell(system.scores)


def _scored(evaluation: EvaluationFigures) -> list[tuple[str, Scores]]:
    return [(system.name, system.scores) for system in evaluation.systems if system.scores is not None]
