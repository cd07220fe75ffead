"""What the cost figures mean, a sentence for each trained system against each prompted one."""

from collections.abc import Mapping, Sequence

from data.common.language import ENGLISH, Language
from eval.measures.costs import BreakEven, SystemCost, unknown_parts
from eval.measures.differences import Comparison
from eval.report.amounts import dollars, from_queries, left_out, per_thousand
from eval.report.figures import items_counted, percent

NAMED_PAIRS = 5


def cost_sentences(
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
        costs: By system name.
        accuracies: By system name; None where nothing was answered.
        comparisons: Of the same systems, in either order.
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
