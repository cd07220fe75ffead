"""The tables that say which system is cheaper, of one run's report and of a comparison alike.

`SystemCost`s and `BreakEven`s in, `Table`s out. What is not known is said to be unknown, with the reason in the note.
"""

from collections.abc import Mapping, Sequence

from data.common.language import ENGLISH, Language
from eval.measures.costs import BreakEven, SystemCost, Training, unknown_parts
from eval.measures.token_estimates import Estimated
from eval.report.amounts import dollars, duration, left_out, per_thousand, queries_counted
from eval.report.table import Table


def cost_table(costs: Mapping[str, SystemCost], say: Language = ENGLISH) -> Table:
    """One row a system: what it costs once, and what its queries and its right answers cost.

    Args:
        costs: By system name.
        say: The language.
    """
    unknown = say("unknown")
    rows = tuple(
        (
            name,
            cost.runs_on or unknown,
            "–" if cost.training is None else cost.training.machine or unknown,
            training_cell(cost.training, say),
            per_thousand(cost.usd_per_query, say),
            _per_correct(cost, say),
        )
        for name, cost in costs.items()
    )
    columns = (
        say("System"),
        say("Runs on"),
        say("Trained on"),
        say("Training"),
        say("1,000 queries"),
        say("1,000 right answers"),
    )
    return Table("costs", say("Cost"), columns, rows, text_columns=3, note=_note(costs, say))


def break_even_table(pairs: Sequence[BreakEven], say: Language = ENGLISH) -> Table:
    """One row a pair: from how many queries on the trained system is the cheaper one."""
    rows = tuple(
        (
            one.trained,
            one.prompted,
            _usd(one.fixed_usd, say),
            say("unknown") if one.saved_usd is None else per_thousand(one.saved_usd, say),
            _from(one, say),
        )
        for one in pairs
    )
    columns = (
        say("Trained"),
        say("Prompted"),
        say("Costs more once"),
        say("Saves in 1,000 queries"),
        say("Cheaper from query"),
    )
    never = any(one.verdict == "never" for one in pairs)
    note = say("Never: it costs no less once, and no less a query.") if never else ""
    return Table("break-even", say("Break-even"), columns, rows, text_columns=2, note=note)


def estimate_table(estimates: Mapping[str, Estimated], say: Language = ENGLISH) -> Table:
    """One row a system whose tokens a server counted: what a dry run says of its prompts, and what they came to.

    Args:
        estimates: By system name.
        say: The language.
    """
    unknown = say("unknown")
    rows = tuple(
        (
            name,
            f"{one.items:,}",
            f"{one.estimated_input_tokens:,} / {one.input_tokens:,}",
            f"{unknown if one.most_output_tokens is None else f'{one.most_output_tokens:,}'} / {one.output_tokens:,}",
            f"{_usd(one.most_usd, say)} / {_usd(one.usd, say)}",
        )
        for name, one in estimates.items()
    )
    columns = (
        say("System"),
        say("Items"),
        say("Input tokens, estimated / used"),
        say("Output tokens, at most / used"),
        say("Cost, at most / actual"),
    )
    note = say(
        "What --dry-run says before a run without the model's tokenizer, beside what the server counted: items that "
        "took a single call. Used is what the answers took in the end; attempts that failed are not in it."
    )
    return Table("estimates", say("Estimate and actual"), columns, rows, note=note)


def _usd(usd: float | None, say: Language) -> str:
    return say("unknown") if usd is None else dollars(usd, say)


def _from(one: BreakEven, say: Language) -> str:
    verdicts = {
        "always": say("the first"),
        "never": say("never"),
        "same": say("same cost"),
        "unknown": say("unknown"),
    }
    return verdicts.get(one.verdict) or queries_counted(one.queries or 0, say)


def training_cell(training: Training | None, say: Language = ENGLISH) -> str:
    """What a training cost, and how long it took."""
    if training is None:
        return say("none")
    labels = say(" + {usd} labels", usd=dollars(training.labels_usd, say)) if training.labels_usd is not None else ""
    took = "" if training.wall_s is None else f" ({duration(training.wall_s, say)})"
    return f"{dollars(training.usd, say)}{labels}{took}"


def _per_correct(cost: SystemCost, say: Language) -> str:
    if cost.usd_per_query is not None and cost.usd_per_correct is None:
        return say("none right")
    return per_thousand(cost.usd_per_correct, say)


def _note(costs: Mapping[str, SystemCost], say: Language) -> str:
    """Say what is in the figures and what is not, why some are unknown, and where the prices are from."""
    trained = [cost.training for cost in costs.values() if cost.training is not None]
    labelled = bool(trained) and all(one.labels_usd is not None for one in trained)
    parts = [say("A machine is paid for the seconds that it works, not for waiting; an API for tokens.")]
    if trained:
        parts.append(say("Training is counted with its evaluations."))
    parts.append(say("Not counted: {what}.", what=left_out(bool(trained) and not labelled, say)))
    unknown = [f"{name}: {say.again(why)}" for name, cost in costs.items() for why in unknown_parts(cost)]
    if unknown:
        parts.append(say("Unknown, and never taken for 0: {reasons}.", reasons=say("; ").join(unknown)))
    sources = dict.fromkeys(source for cost in costs.values() for source in cost.sources)
    if sources:
        parts.append(say("Prices: {sources}.", sources="; ".join(sources)))
    return " ".join(parts)
