"""The tables that say which system is cheaper, of one run's report and of a comparison alike.

`SystemCost`s and `BreakEven`s in, `Table`s out. What is not known is said to be unknown, with the reason in the note.
"""

from collections.abc import Mapping, Sequence

from eval.breakeven import BreakEven, SystemCost, Training, unknown_parts
from eval.report.money import LEFT_OUT, dollars, duration, per_thousand, queries_counted
from eval.report.table import Table

VERDICTS = {"always": "the first", "never": "never", "same": "same cost", "unknown": "unknown"}


def cost_table(costs: Mapping[str, SystemCost]) -> Table:
    """One row a system: what it costs once, and what its queries and its right answers cost.

    Args:
        costs: By system name.
    """
    rows = tuple(
        (
            name,
            cost.runs_on or "unknown",
            "–" if cost.training is None else cost.training.machine or "unknown",
            training_cell(cost.training),
            per_thousand(cost.usd_per_query),
            _per_correct(cost),
        )
        for name, cost in costs.items()
    )
    columns = ("System", "Runs on", "Trained on", "Training", "1,000 queries", "1,000 right answers")
    return Table("costs", "Cost", columns, rows, text_columns=3, note=_note(costs))


def break_even_table(pairs: Sequence[BreakEven]) -> Table:
    """One row a pair: from how many queries on the trained system is the cheaper one."""
    rows = tuple(
        (
            one.trained,
            one.prompted,
            "unknown" if one.fixed_usd is None else dollars(one.fixed_usd),
            "unknown" if one.saved_usd is None else per_thousand(one.saved_usd),
            VERDICTS.get(one.verdict) or queries_counted(one.queries or 0),
        )
        for one in pairs
    )
    columns = ("Trained", "Prompted", "Costs more once", "Saves in 1,000 queries", "Cheaper from query")
    note = "Never: it costs no less once, and no less a query." if any(one.verdict == "never" for one in pairs) else ""
    return Table("break-even", "Break-even", columns, rows, text_columns=2, note=note)


def training_cell(training: Training | None) -> str:
    """What a training cost, and how long it took."""
    if training is None:
        return "none"
    labels = "" if training.labels_usd is None else f" + {dollars(training.labels_usd)} labels"
    took = "" if training.wall_s is None else f" ({duration(training.wall_s)})"
    return f"{dollars(training.usd)}{labels}{took}"


def _per_correct(cost: SystemCost) -> str:
    if cost.usd_per_query is not None and cost.usd_per_correct is None:
        return "none right"
    return per_thousand(cost.usd_per_correct)


def _note(costs: Mapping[str, SystemCost]) -> str:
    """Say what is in the figures and what is not, why some are unknown, and where the prices are from."""
    trained = [cost.training for cost in costs.values() if cost.training is not None]
    labelled = bool(trained) and all(one.labels_usd is not None for one in trained)
    parts = ["A machine is paid for the seconds that it works, not for waiting; an API for tokens."]
    if trained:
        parts.append("Training is counted with its evaluations.")
    parts.append(f"Not counted: {'' if labelled or not trained else 'labelling, '}{LEFT_OUT}.")
    unknown = [f"{name}: {why}" for name, cost in costs.items() for why in unknown_parts(cost)]
    if unknown:
        parts.append(f"Unknown, and never taken for 0: {'; '.join(unknown)}.")
    sources = dict.fromkeys(source for cost in costs.values() for source in cost.sources)
    if sources:
        parts.append(f"Prices: {'; '.join(sources)}.")
    return " ".join(parts)
