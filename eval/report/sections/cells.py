"""The cells of a report's tables: one figure with what belongs to it, as a person reads it."""

from data.common.language import ENGLISH, Language
from eval.measures.metrics import Scores
from eval.measures.stats import Interval
from eval.report.figures import decimal_with_interval, share_with_interval, with_interval
from eval.report.system_summary import SystemSummary
from eval.rundir.description import SystemDescription, model_spec

NOTHING = "–"


def what_it_is(description: SystemDescription, say: Language = ENGLISH) -> str:
    """Put a system's description into a few words."""
    kind = description.kind
    first = description.chain or description.baseline or description.checkpoint or description.runnable
    parts = [kind if not first or kind == "finetune" else f"{kind} {first}"]
    if description.finetune and description.finetune.get("model"):
        parts.append(str(description.finetune["model"]))
    parts += [spec] if (spec := model_spec(description)) else []
    if description.prompt:
        parts.append(say("prompt {prompt}", prompt=description.prompt))
    if description.retriever is not None:
        parts.append(f"{description.retriever.name}, k = {description.retriever.k}")
    if description.note:
        parts.append(description.note)
    return " · ".join(part for part in parts if part) or NOTHING


def accuracy_cell(system: SystemSummary, say: Language = ENGLISH) -> str:
    """Accuracy with its interval; a score over fewer items than were asked is marked."""
    if system.scores is None:
        return NOTHING
    accuracy, mark = system.scores.accuracy, "" if system.complete else say(", incomplete")
    shown = NOTHING if accuracy is None else share_with_interval(accuracy, system.accuracy_interval, say)
    return shown + mark


def points_cell(system: SystemSummary, say: Language = ENGLISH) -> str:
    """Points of those possible, with the interval in points."""
    if system.scores is None or system.scores.accuracy is None:
        return NOTHING
    return earned(system.scores.points, system.scores.points_possible, system.points_interval, say)


def earned(points: float, possible: float, interval: Interval | None, say: Language = ENGLISH) -> str:
    """Write points of those possible, with the interval in points."""
    shown = say("{points} of {possible}", points=f"{points:g}", possible=f"{possible:g}")
    return with_interval(shown, interval, say, scale=possible)


def macro_f1_cell(system: SystemSummary, say: Language = ENGLISH) -> str:
    """Macro-F1 with its interval."""
    if system.scores is None or system.scores.macro_f1 is None:
        return NOTHING
    return decimal_with_interval(system.scores.macro_f1, system.macro_f1_interval, say)


def roc_auc_cell(system: SystemSummary, say: Language = ENGLISH) -> str:
    """ROC AUC with its interval."""
    if system.scores is None or system.scores.roc_auc is None:
        return NOTHING
    return decimal_with_interval(system.scores.roc_auc, system.roc_auc_interval, say)


def tag_cell(system: SystemSummary, tag: str, say: Language = ENGLISH, *, weighted: bool) -> str:
    """Right answers on the items of a tag, then their accuracy, or their points, with its interval."""
    one = system.scores.by_tag.get(tag) if system.scores else None
    if one is None:
        return NOTHING
    interval = system.tag_intervals.get(tag)
    if weighted:
        scored = earned(one.points, one.points_possible, interval, say)
    else:
        scored = share_with_interval(one.accuracy, interval, say)
    return f"{one.correct:,}/{one.n:,} · {scored}"


def answered_cell(system: SystemSummary, say: Language = ENGLISH) -> str:
    """Answered / unparsed / errors, and how many items have no record."""
    if system.scores is None:
        return say("no record for {n}", n=f"{system.missing:,}")
    missing = say(", {n} missing", n=f"{system.missing:,}") if system.missing else ""
    return f"{system.scores.answered:,} / {system.scores.unparsed:,} / {system.scores.errors:,}{missing}"


def seconds_cell(scores: Scores) -> str:
    """Mean seconds of an item and their 95th percentile."""
    predictions = scores.answered + scores.unparsed
    if scores.latency_p95_s is None:
        return NOTHING
    return f"{_seconds(scores.latency_total_s / predictions)} ({_seconds(scores.latency_p95_s)})"


def _seconds(seconds: float) -> str:
    if seconds < 0.001:
        return "<0.001"
    return f"{seconds:.2f}" if seconds >= 0.1 else f"{seconds:.2g}"


def tokens_cell(scores: Scores) -> str:
    """Tokens that went in and came out."""
    if not scores.usage:
        return NOTHING
    return f"{scores.usage.get('input_tokens', 0):,} / {scores.usage.get('output_tokens', 0):,}"


def decimal(value: float | None) -> str:
    """Write a score between 0 and 1."""
    return NOTHING if value is None else f"{value:.3f}"
