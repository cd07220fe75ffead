"""Do two scorings of the same labels say the same? Pure functions over log-probabilities, one row an item."""

import math
from collections.abc import Sequence
from typing import NamedTuple

Row = Sequence[float]


class Disagreement(NamedTuple):
    """An item for which two sides have different best labels.

    Attributes:
        item: Its index.
        best: The best label's index, of the one side and of the other.
        gaps: What the best label is ahead of the second in log-probability, on each side; 0 is a tie.
    """

    item: int
    best: tuple[int, int]
    gaps: tuple[float, float]


class Agreement(NamedTuple):
    """How far two scorings agree.

    Attributes:
        n_items: Compared.
        n_same: How many have the same best label on both sides.
        largest_difference: Between the two sides' log-probabilities of a label among its item's labels.
        ties: Items whose two best labels are exactly equal, of the one side and of the other.
        disagreements: The items with different best labels.
    """

    n_items: int
    n_same: int
    largest_difference: float
    ties: tuple[int, int]
    disagreements: tuple[Disagreement, ...]


def compare_scores(one: Sequence[Row], other: Sequence[Row]) -> Agreement:
    """Compare two scorings of the same items and labels.

    Log-probabilities are compared as those among the item's labels (they sum to 1), so that a constant one side adds
    to all labels of an item, such as the likelihood of a space in front of them, is no difference.

    Args:
        one: (n_items, n_labels of the item), natural log-likelihoods.
        other: The same shape.

    Raises:
        ValueError: There are no items, or the shapes differ.
    """
    if not one or [len(row) for row in one] != [len(row) for row in other]:
        raise ValueError(f"{len(one)} and {len(other)} rows of scores are not the labels of the same items")
    pairs = list(zip(one, other, strict=True))
    disagreements = [
        Disagreement(item, (best_label(a), best_label(b)), (lead(a), lead(b)))
        for item, (a, b) in enumerate(pairs)
        if best_label(a) != best_label(b)
    ]
    difference = max(abs(x - y) for a, b in pairs for x, y in zip(among_labels(a), among_labels(b), strict=True))
    ties = (sum(lead(a) == 0 for a, _ in pairs), sum(lead(b) == 0 for _, b in pairs))
    return Agreement(len(pairs), len(pairs) - len(disagreements), difference, ties, tuple(disagreements))


def best_label(scores: Row) -> int:
    """Return the index of the highest score, the first of equal ones."""
    return max(range(len(scores)), key=scores.__getitem__)


def lead(scores: Row) -> float:
    """Return how far the best label is ahead of the second; infinite where there is only one."""
    best, *others = sorted(scores, reverse=True)
    return best - others[0] if others else math.inf


def among_labels(scores: Row) -> list[float]:
    """Return log-probabilities that sum to 1 over the labels."""
    top = max(scores)
    total = top + math.log(sum(math.exp(score - top) for score in scores))
    return [score - total for score in scores]
