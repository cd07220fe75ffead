"""The report's section on costs, of one run and of a comparison alike: which system is cheaper, and from when on.

`SystemCost`s and `BreakEven`s in, tables and sentences out. What is not known is said to be unknown, with the reason.
"""

from collections.abc import Mapping, Sequence

from data.common.language import ENGLISH, Language
from eval.measures.costs import BreakEven, SystemCost, Training, unknown_parts
from eval.measures.differences import Comparison
from eval.measures.token_estimates import Estimated
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import (
    dollars,
    duration,
    from_queries,
    items_counted,
    left_out,
    per_thousand,
    percent,
    queries_counted,
)
from eval.report.section import Table

NAMED_PAIRS = 5


def cost_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Return what each system costs, from when on the trained ones are cheaper, and how far an estimate was right."""
    return [
        cost_table({system.name: system.cost for system in evaluation.systems}, say),
        break_even_table(evaluation.break_even, say),
        estimate_table({s.name: s.estimated for s in evaluation.systems if s.estimated is not None}, say),
    ]


def cost_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say of each trained and prompted system which is cheaper, and whether it is also as good."""
    return pair_sentences(
        evaluation.break_even,
        {system.name: system.cost for system in evaluation.systems},
        accuracies={s.name: None if s.scores is None else s.scores.accuracy for s in evaluation.systems},
        comparisons=evaluation.comparisons,
        say=say,
    )


def cost_table(costs: Mapping[str, SystemCost], say: Language = ENGLISH) -> Table:
    """One row a system: what it costs once, and what its queries and its right answers cost.

    Args:
        costs: The costs, by the system's name.
        say: The language.
    """
    unknown = say("unknown")
    rows = tuple(
        (
            name,
            cost.runs_on or unknown,
            "–" if cost.training is None else cost.training.machine or unknown,
            _training_text(cost.training, say),
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
        estimates: The estimates, by system name.
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


def pair_sentences(
    pairs: Sequence[BreakEven],
    costs: Mapping[str, SystemCost],
    *,
    accuracies: Mapping[str, float | None],
    comparisons: Sequence[Comparison],
    say: Language = ENGLISH,
) -> list[str]:
    """Say which of two systems is cheaper, and whether it is also as good.

    Args:
        pairs: What was set against what.
        costs: The costs, by the system's name.
        accuracies: The accuracies, by system name; None where nothing was answered.
        comparisons: The comparisons of the same systems, in either order.
        say: The language.
    """
    if not pairs:
        return []
    found = {frozenset((one.a, one.b)): one for one in comparisons}
    sentences = []
    for pair in pairs[:NAMED_PAIRS]:
        verdict = _verdict(pair, costs, say) + _each_right(pair, costs, say)
        right = _rightness(pair, accuracies, found.get(frozenset((pair.trained, pair.prompted))), say)
        sentences.append(say("{verdict}; {right}.", verdict=verdict, right=right) if right else f"{verdict}.")
    if len(pairs) > NAMED_PAIRS:
        every = "The table of break-evens shows all {pairs} pairs of a trained and a prompted system."
        sentences.append(say(every, pairs=len(pairs)))
    if all(pair.verdict == "unknown" for pair in pairs):
        return sentences
    counted = all(costs[pair.trained].training.labels_usd is not None for pair in pairs)  # type: ignore[union-attr]
    return [*sentences, say("These costs leave out {what}.", what=left_out(not counted, say))]


def _verdict(pair: BreakEven, costs: Mapping[str, SystemCost], say: Language) -> str:
    a, b = pair.trained, pair.prompted
    if pair.verdict == "unknown":
        reasons = [f"{name}: {say.again(why)}" for name in (a, b) for why in unknown_parts(costs[name])]
        unsaid = "Whether {a} or {b} is cheaper cannot be said: {reason}"
        return say(unsaid, a=a, b=b, reason=say("; ").join(reasons))
    training, each_a, each_b = costs[a].training, *(per_thousand(costs[name].usd_per_query, say) for name in (a, b))
    if pair.verdict == "same":
        return say("{a} and {b} cost the same: {each} for 1,000 queries", a=a, b=b, each=each_a)
    once = dollars(costs[a].fixed_usd, say)
    if training is not None and training.labels_usd is not None:
        fixed = say("{system} costs {once} to train and label", system=a, once=once)
    else:
        fixed = say("{system} costs {once} to train", system=a, once=once)
    if pair.verdict == "from":
        later = "{fixed}; {from_queries} it is cheaper than {b}"
        return say(later, fixed=fixed, from_queries=from_queries(pair.queries or 0, say), b=b)
    if pair.verdict == "always":
        return say("{fixed} and is cheaper than {b} from the first query on", fixed=fixed, b=b)
    never = "{fixed} and is never cheaper than {b}: 1,000 queries cost {each_a} against {each_b}"
    return say(never, fixed=fixed, b=b, each_a=each_a, each_b=each_b)


def _rightness(
    pair: BreakEven, accuracies: Mapping[str, float | None], comparison: Comparison | None, say: Language
) -> str:
    """Say how often each of the two is right, and whether that differs; "" where it is not known."""
    a, b = pair.trained, pair.prompted
    if comparison is None:
        right_a, right_b = accuracies[a], accuracies[b]
        if right_a is None or right_b is None:
            return ""
        untested = "{a} is right on {right_a}, {b} on {right_b}, which was not tested item by item"
        return say(untested, a=a, b=b, right_a=percent(right_a), right_b=percent(right_b))
    right = {comparison.a: comparison.accuracy_a, comparison.b: comparison.accuracy_b}
    shares = {"a": a, "b": b, "right_a": percent(right[a]), "right_b": percent(right[b])}
    if comparison.unsettled:
        beyond = say("a difference that hangs on replies without text")
    elif comparison.distinguishable:
        beyond = say("a difference beyond chance")
    else:
        beyond = say("a difference that is not distinguishable from chance")
    if not comparison.n_left_out:
        return say("{a} is right on {right_a}, {b} on {right_b}, {beyond}", **shares, beyond=beyond)
    both = "{a} is right on {right_a} of the {items} both answered, {b} on {right_b}, {beyond}"
    return say(both, **shares, items=items_counted(comparison.n, say), beyond=beyond)


def _each_right(pair: BreakEven, costs: Mapping[str, SystemCost], say: Language) -> str:
    """Set the price of a right answer beside the verdict."""
    a, b = costs[pair.trained], costs[pair.prompted]
    if a.usd_per_query is None or b.usd_per_query is None:
        return ""
    none = [name for name in (pair.trained, pair.prompted) if costs[name].usd_per_correct is None]
    if len(none) == 2:
        neither = " (no right answer of {a} or {b} has a price: there is none)"
        return say(neither, a=pair.trained, b=pair.prompted)
    if none:
        return say(" (no right answer of {system} has a price: there is none)", system=none[0])
    each_a, each_b = (per_thousand(cost.usd_per_correct, say) for cost in (a, b))
    return say(" (1,000 right answers: {each_a} against {each_b})", each_a=each_a, each_b=each_b)


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


def _training_text(training: Training | None, say: Language = ENGLISH) -> str:
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
