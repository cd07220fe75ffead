"""Two systems on the items that both answered: what a cascade of them is made of, a row an item.

Their answers in, one `CascadePair` out; all else on cascades is computed of it.
"""

from typing import NamedTuple

import numpy as np

from eval.measures.answers import Answers, common_rows
from eval.measures.resampling import number_clusters
from eval.measures.thresholds import confidence_of, cuts

LEAST_ITEMS = 50  # of fewer, no threshold is chosen


class Member(NamedTuple):
    """A system that may be part of a cascade.

    Attributes:
        given: Its answers that hold a prediction.
        usd: (n,) US dollars of each; None where unknown.
    """

    name: str
    given: Answers
    usd: np.ndarray | None


class CascadePair(NamedTuple):
    """Two systems on the items that both answered.

    Attributes:
        first: Its answers and prices are of these items alone, as are the second's.
        groups: (n,) the cluster of each item.
        confidence: (n,) of the first, as `eval.measures.thresholds.confidence_of` gives it.
        right_first: (n,) bool.
        right_second: (n,) bool.
    """

    first: Member
    second: Member
    groups: np.ndarray
    confidence: np.ndarray
    right_first: np.ndarray
    right_second: np.ndarray

    @property
    def gained(self) -> np.ndarray:
        """(n,) 1 where only the first is right, -1 where only the second is, else 0."""
        gained: np.ndarray = self.right_first.astype(np.int64) - self.right_second
        return gained

    @property
    def is_first_better(self) -> bool:
        return bool(self.gained.sum() > 0)

    @property
    def best_right(self) -> np.ndarray:
        """(n,) whether the better of the two is right."""
        return self.right_first if self.is_first_better else self.right_second

    def right(self, alone: np.ndarray) -> np.ndarray:
        """(…, n) whether the cascade is right where the first answers some items alone."""
        right: np.ndarray = np.where(alone, self.right_first, self.right_second)
        return right

    def usd(self, alone: np.ndarray) -> np.ndarray | None:
        """(…, n) what each item costs; None where unknown."""
        if self.first.usd is None or self.second.usd is None:
            return None
        usd: np.ndarray = self.first.usd + np.where(alone, 0.0, self.second.usd)
        return usd


def pair_of(first: Member, second: Member) -> CascadePair | None:
    """Return two systems on the items that both answered; None where these cannot choose a threshold.

    They cannot where they are fewer than LEAST_ITEMS, or one cluster, or where the first gives no probabilities that
    tell them apart.
    """
    a, b = common_rows((first.given, second.given))
    if len(a) < LEAST_ITEMS:
        return None
    given, others = first.given.take(a), second.given.take(b)
    confidence = confidence_of(given)
    if number_clusters(given.groups)[1] < 2 or len(cuts(confidence).counts) < 3:
        return None
    return CascadePair(
        first=Member(first.name, given, None if first.usd is None else first.usd[a]),
        second=Member(second.name, others, None if second.usd is None else second.usd[b]),
        groups=given.groups,
        confidence=confidence,
        right_first=given.correct,
        right_second=others.correct,
    )
