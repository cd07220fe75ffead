"""Which pairs of systems are decided so far, in a run that may end as soon as all of them are.

What each system was right on in, a `PairTest` a pair out. A run and its report ask the same function, and it looks at
answers in the order in which their items were drawn, never back: what it has once decided, later answers do not undo.

Source:
    See `eval.measures.e_values`.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, Literal, NamedTuple

import numpy as np

from eval.measures.e_values import adjusted, difference_interval, evidence
from eval.measures.stats import LEVEL, Interval
from eval.rundir.manifest import Evaluation, Manifest

MARGIN = 2.0  # points of accuracy in percent, below which a difference does not matter
WIDEST = 0.99  # beyond it any two systems are equal
# Of the chance of a false claim, where there are several pairs: so much of it may call systems different that are
# equal, and the rest equal that are different. Of a single pair only one of the two can be false.
DIFFERENT_SHARE = 0.8
Decided = Literal["a", "b", "equal"]


class Drawn(NamedTuple):
    """How the items of a run that may end early are drawn, and when a pair of its systems is decided.

    Attributes:
        seed: Decides the order.
        largest: Items of the largest group that can be drawn.
        margin: Below which a difference does not matter, as a share.
    """

    seed: int
    largest: int
    margin: float

    def order(self, groups: Iterable[str]) -> list[str]:
        """Return the different groups in the order in which they are drawn, which is that of any of them alone too."""
        return sorted(set(groups), key=lambda name: hashlib.sha256(f"{self.seed}\n{name}".encode()).digest())

    def ranks(self, groups: Sequence[str]) -> np.ndarray:
        """Return (n,) int, the place of each item's group in the order."""
        places = {name: place for place, name in enumerate(self.order(groups))}
        return np.array([places[name] for name in groups], dtype=np.int64)


def drawn_of(manifest: Manifest, evaluation: Evaluation) -> Drawn | None:
    """Return how the items of a run's evaluation are drawn; None for a run that asks all of them."""
    if evaluation.largest_group is None:
        return None
    return Drawn(manifest.seed, evaluation.largest_group, min(margin_of(manifest.suite), WIDEST))


def margin_of(suite: Mapping[str, Any]) -> float:
    """Return below which share of accuracy a difference does not matter, as a suite says it."""
    return float(suite.get("margin", MARGIN)) / 100


class PairGains(NamedTuple):
    """What one system gained on another.

    Attributes:
        gains: (n_groups,) right answers of a minus those of b on the items of each group that both answered.
        sizes: (n_groups,) how many these are.
    """

    gains: np.ndarray
    sizes: np.ndarray

    def up_to(self, n_groups: int) -> "PairGains":
        """Return the first so many groups."""
        return PairGains(self.gains[:n_groups], self.sizes[:n_groups])


class PairTest(NamedTuple):
    """What is known of a pair of systems, a and b, at any time.

    Attributes:
        decided: "a" or "b": it is the better one; "equal": they differ by less than the margin; None: not decided.
        n_decided: Items of both that decided it; None where it is not decided.
        p: The p-value of no difference at all: 1 / the largest e-value that was reached.
        p_adjusted: The same, adjusted for all pairs.
        n_groups: Groups that decided it; None where it is not decided.
    """

    decided: Decided | None
    n_decided: int | None
    p: float
    p_adjusted: float
    n_groups: int | None


def pair_gains(right_a: np.ndarray, right_b: np.ndarray, ranks: np.ndarray, *, n_groups: int) -> PairGains:
    """Sum what a pair gained over the items of each group.

    Args:
        right_a: (n_items,) 1 where a is right, 0 where it is not, nan where it has no prediction.
        right_b: (n_items,) likewise.
        ranks: (n_items,) the place of each item's group in the order in which groups are drawn.
        n_groups: How many groups there are.
    """
    gained = right_a - right_b
    both = ~np.isnan(gained)
    return gains_by_group(gained[both], ranks[both], n_groups=n_groups)


def gains_by_group(gained: np.ndarray, ranks: np.ndarray, *, n_groups: int) -> PairGains:
    """Sum what a pair gained on items that both answered.

    Args:
        gained: (n_items,) 1 where only a is right, -1 where only b is, else 0.
        ranks: (n_items,) as for `pair_gains`.
        n_groups: Likewise.
    """
    gains = np.bincount(ranks, weights=gained, minlength=n_groups)
    return PairGains(gains, np.bincount(ranks, minlength=n_groups))


class TestedPair(NamedTuple):
    """A pair of systems with what one gained on the other, and what that shows."""

    gains: PairGains
    test: PairTest


def system_pairs(right: Mapping[str, np.ndarray], ranks: np.ndarray, drawn: Drawn) -> dict[tuple[str, str], TestedPair]:
    """Test every pair of systems, the later against the earlier.

    Args:
        right: What is right, by system name (n_items,), as for `pair_gains`.
        ranks: (n_items,) likewise.
        drawn: How the items were drawn.
    """
    names, n_groups = [(later, name) for name, later in combinations(right, 2)], int(ranks.max(initial=-1)) + 1
    gains = [pair_gains(right[a], right[b], ranks, n_groups=n_groups) for a, b in names]
    tests = pair_tests(gains, drawn)
    return {pair: TestedPair(*one) for pair, one in zip(names, zip(gains, tests, strict=True), strict=True)}


def pair_tests(pairs: Sequence[PairGains], drawn: Drawn) -> list[PairTest]:
    """Test every pair of an evaluation, as if one looked after each group and stopped a pair as soon as it is decided.

    Args:
        pairs: All over the same groups, in the order in which they were drawn.
        drawn: How.
    """
    if not pairs:
        return []
    found = [evidence(*pair, largest=drawn.largest, margin=drawn.margin) for pair in pairs]
    different = np.stack([np.maximum(one.more, one.less) for one in found], axis=1)  # (n_groups, n_pairs)
    equal = np.stack([one.within for one in found], axis=1)
    stopped, p_adjusted = _stop(different, equal, may_be_equal=drawn.margin > 0)
    tests = []
    for place, (pair, one) in enumerate(zip(pairs, found, strict=True)):
        at = stopped[place]
        decided: Decided | None = None
        if at is not None:
            decided = "equal" if at.is_equal else "a" if one.more[at.place] > one.less[at.place] else "b"
        tests.append(
            PairTest(
                decided=decided,
                n_decided=None if at is None else int(pair.sizes[: at.place + 1].sum()),
                p=1 / float(different[:, place].max(initial=1.0)),
                p_adjusted=float(p_adjusted[place]),
                n_groups=None if at is None else at.place + 1,
            )
        )
    return tests


class _Stop(NamedTuple):
    """Where a pair was decided: the place of the group."""

    place: int
    is_equal: bool


def _stop(different: np.ndarray, equal: np.ndarray, *, may_be_equal: bool) -> tuple[list[_Stop | None], np.ndarray]:
    """Walk through the groups, and stop the bets on each pair where it is decided.

    A bet that is stopped keeps its capital, which speaks for the pairs that go on; so what comes after the end of a
    pair changes nothing for the others.

    Args:
        different: (n_groups, n_pairs) the e-values of "they differ", after each group.
        equal: (n_groups, n_pairs) those of "they differ by less than the margin".
        may_be_equal: Whether any margin is to be kept.

    Returns:
        For each pair where it stopped, and (n_pairs,) the p-values that are adjusted for all.
    """
    n_groups, n_pairs = different.shape
    share = DIFFERENT_SHARE if n_pairs > 1 and may_be_equal else 1.0
    shares = (share, 1 - share if share < 1 else 1.0)
    kinds = [different.copy(), equal.copy()]
    stopped: list[_Stop | None] = [None] * n_pairs
    best, start = np.ones(n_pairs), 0
    while start < n_groups:
        scaled = np.stack([part * adjusted(one[start:]) for part, one in zip(shares, kinds, strict=True)])
        scaled[:, :, [one is not None for one in stopped]] = 0.0
        crossed: np.ndarray = np.any(scaled >= 1 / LEVEL, axis=0)  # (groups, n_pairs)
        first = int(crossed.any(axis=1).argmax()) if crossed.any() else len(crossed) - 1
        best = np.maximum(best, scaled[0, : first + 1].max(axis=0))
        for pair in np.flatnonzero(crossed[first]):
            stopped[pair] = _Stop(start + first, bool(scaled[1, first, pair] > scaled[0, first, pair]))
            for one in kinds:
                one[start + first :, pair] = one[start + first, pair]
        start += first + 1
    return stopped, 1 / best


def pair_interval(pair: PairGains, tested: PairTest, drawn: Drawn) -> Interval:
    """Return the differences that are refuted neither by all groups nor by those that decided the pair: 95 %, alone."""
    low, high = difference_interval(*pair, largest=drawn.largest)
    if tested.n_groups is not None:
        then = difference_interval(*pair.up_to(tested.n_groups), largest=drawn.largest)
        if max(low, then.low) <= min(high, then.high):
            return Interval(max(low, then.low), min(high, then.high))
    return Interval(low, high)


def smallest_margin(sizes: Sequence[int], *, n_systems: int) -> float:
    """Return about the smallest margin, as a share, that systems which always answer alike are shown to keep.

    Args:
        sizes: Items of each group.
        n_systems: How many are compared.
    """
    pair = PairGains(np.zeros(len(sizes)), np.array(sizes))
    share = 1.0 if n_systems == 2 else 1 - DIFFERENT_SHARE
    refused, met = 0.0, 1.0
    while met - refused > 1e-4:
        margin = (refused + met) / 2
        is_met = evidence(*pair, largest=max(sizes), margin=margin).within[-1] * share >= 1 / LEVEL
        refused, met = (refused, margin) if is_met else (margin, met)
    return met
