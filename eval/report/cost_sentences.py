"""What the cost figures mean, a sentence for each trained system against each prompted one."""

from collections.abc import Mapping, Sequence

from eval.breakeven import BreakEven, SystemCost
from eval.compare import Comparison
from eval.report.money import LEFT_OUT, dollars, from_queries, per_thousand

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
    a, b = pair.trained, pair.prompted
    if pair.verdict == "unknown":
        return f"Whether {a} or {b} is cheaper cannot be said: {pair.reason}"
    training, each_a, each_b = costs[a].training, *(per_thousand(costs[name].usd_per_query) for name in (a, b))
    if pair.verdict == "same":
        return f"{a} and {b} cost the same: {each_a} for 1,000 queries"
    once = "to train and label" if training is not None and training.labels_usd is not None else "to train"
    fixed = f"{a} costs {dollars(costs[a].fixed_usd)} {once}"
    if pair.verdict == "from":
        return f"{fixed}; {from_queries(pair.queries or 0)} it is cheaper than {b}"
    if pair.verdict == "always":
        return f"{fixed} and is cheaper than {b} from the first query on"
    return f"{fixed} and is never cheaper than {b}: 1,000 queries cost {each_a} against {each_b}"


def _rightness(
    pair: BreakEven,
    costs: Mapping[str, SystemCost],
    accuracies: Mapping[str, float | None],
    comparison: Comparison | None,
) -> str:
    """Set the price of a right answer, and how often there is one, beside the verdict."""
    a, b, each = pair.trained, pair.prompted, _each_right(pair, costs)
    if comparison is None:
        right_a, right_b = accuracies[a], accuracies[b]
        if right_a is None or right_b is None:
            return f"{each}."
        return f"{each}; {_shares((a, right_a), (b, right_b))}, which was not tested item by item."
    right = {comparison.a: comparison.accuracy_a, comparison.b: comparison.accuracy_b}
    items = f"{comparison.n:,} items" if comparison.n > 1 else "one item"
    both = f" of the {items} both answered" if comparison.n_left_out else ""
    beyond = "beyond chance" if comparison.distinguishable else "that is not distinguishable from chance"
    return f"{each}; {_shares((a, right[a]), (b, right[b]), of=both)}, a difference {beyond}."


def _shares(a: tuple[str, float], b: tuple[str, float], *, of: str = "") -> str:
    return f"{a[0]} is right on {100 * a[1]:.1f}%{of}, {b[0]} on {100 * b[1]:.1f}%"


def _each_right(pair: BreakEven, costs: Mapping[str, SystemCost]) -> str:
    a, b = costs[pair.trained], costs[pair.prompted]
    if a.usd_per_query is None or b.usd_per_query is None:
        return ""
    none = [name for name in (pair.trained, pair.prompted) if costs[name].usd_per_correct is None]
    if none:
        return f" (no right answer of {' or '.join(none)} has a price: there is none)"
    return f" (1,000 right answers: {per_thousand(a.usd_per_correct)} against {per_thousand(b.usd_per_correct)})"
