"""What the cost figures mean, a sentence for each trained system against each prompted one."""

from collections.abc import Mapping, Sequence

from eval.breakeven import BreakEven, SystemCost
from eval.compare import Comparison
from eval.report.money import LEFT_OUT, dollars, per_thousand, queries_counted

NAMED_PAIRS = 5


def cost_sentences(
    pairs: Sequence[BreakEven],
    costs: Mapping[str, SystemCost],
    *,
    accuracies: Mapping[str, float | None],
    comparisons: Sequence[Comparison],
) -> list[str]:
    """Say which of two systems is cheaper, and whether it is also as good.

    Args:
        pairs: What was set against what.
        costs: By system name.
        accuracies: By system name; None where nothing was answered.
        comparisons: Of the same systems, in either order.
    """
    if not pairs:
        return []
    found = {frozenset((one.a, one.b)): one for one in comparisons}
    sentences = [
        _verdict(pair, costs) + _rightness(pair, costs, accuracies, found.get(frozenset((pair.trained, pair.prompted))))
        for pair in pairs[:NAMED_PAIRS]
    ]
    if len(pairs) > NAMED_PAIRS:
        sentences.append(f"The table of break-evens shows all {len(pairs)} pairs of a trained and a prompted system.")
    if all(pair.verdict == "unknown" for pair in pairs):
        return sentences
    counted = all(costs[pair.trained].training.labels_usd is not None for pair in pairs)  # type: ignore[union-attr]
    return [*sentences, f"These costs leave out {'' if counted else 'labelling, '}{LEFT_OUT}."]


def _verdict(pair: BreakEven, costs: Mapping[str, SystemCost]) -> str:
    a, b, fixed = pair.trained, pair.prompted, dollars(costs[pair.trained].fixed_usd)
    if pair.verdict == "unknown":
        return f"Whether {a} or {b} is cheaper cannot be said: {pair.reason}"
    if pair.verdict == "from":
        return (
            f"{a} costs {fixed} to train; from {queries_counted(pair.queries or 0)} queries on it is cheaper than {b}"
        )
    if pair.verdict == "always":
        return f"{a} costs {fixed} to train and is cheaper than {b} from the first query on"
    return f"{a} costs {fixed} to train and is never cheaper than {b}: a query costs no less"


def _rightness(
    pair: BreakEven,
    costs: Mapping[str, SystemCost],
    accuracies: Mapping[str, float | None],
    comparison: Comparison | None,
) -> str:
    """Set the price of a right answer, and how often there is one, beside the verdict."""
    a, b = pair.trained, pair.prompted
    each_a, each_b = costs[a].usd_per_correct, costs[b].usd_per_correct
    each = (
        ""
        if each_a is None or each_b is None
        else f" (1,000 right answers: {per_thousand(each_a)} against {per_thousand(each_b)})"
    )
    right_a, right_b = accuracies[a], accuracies[b]
    if right_a is None or right_b is None:
        return f"{each}."
    shares = f"{a} is right on {100 * right_a:.1f}%, {b} on {100 * right_b:.1f}%"
    if comparison is None:
        return f"{each}; {shares}, which was not tested item by item."
    if comparison.distinguishable:
        return f"{each}; {shares}, a difference beyond chance."
    return f"{each}; {shares}, a difference that is not distinguishable from chance."
