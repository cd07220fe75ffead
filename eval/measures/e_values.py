"""How much speaks against a difference of two systems, told after any number of items: e-values and their intervals.

What two systems gained on groups of items in; e-values, intervals and e-values adjusted for several pairs out. They
hold however often one looks, and whenever one stops because of what one sees.

Somebody bets that a is right more often than b by more than `d`, one stake on each group of items, and whoever is wrong
loses money: if the true difference is at most d, the capital is expected never to grow.

    capital(u) = product over groups of 1 + u (gain - d size) / (largest (1 + d)),    0 <= u < 1

Half of the money is spread over stakes u for "more than d", half over the same stakes for "less than d". Where every
group is one item and d = 0, the two halves together are a mixture of beta distributions over the chance p = (1 + u) / 2
that a, and not b, is right on an item that one of them alone is right on: with W and L such items,
2**(W + L) B(A + W, A + L) / B(A, A). The e-value is the capital of the better half; by Ville's inequality it is ever 20
or more with a chance of at most 1 in 20.

Source:
    Ramdas, Grünwald, Vovk and Shafer 2023, Statistical Science 38:576-601 (arXiv:2210.01948), e-processes;
    Waudby-Smith and Ramdas 2024, JRSS B 86:1-27 (arXiv:2010.09686), betting on bounded means, capital in two halves;
    Howard, Ramdas, McAuliffe and Sekhon 2021, Annals of Statistics 49:1055-1080 (arXiv:1810.08240), beta-binomial
    mixtures; Vovk and Wang 2021, Annals of Statistics 49:1736-1754 (arXiv:1912.06116), several e-values.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from eval.measures.stats import LEVEL, Interval

NODES = 128  # stakes that the money is spread over
# Most of the money is bet on the differences that are met: with Beta(10, 10) a wins 50 ± 11 % of the items that one of
# the two alone is right on. The rest goes to all stakes alike, so that hardly ever differing systems are told equal.
NARROW, NARROW_SHARE = 10.0, 0.8
STEPS = 50  # of the bisection of an interval's end: far more than its six digits need
CHUNK = 256  # groups at once
MOST = 1e200  # capital of one stake, so that no product of a chunk is infinite


class Evidence(NamedTuple):
    """The capital of each bet after each group.

    Attributes:
        more: (n_groups,) of the bet that a is right more often than b.
        less: (n_groups,) of the bet that it is right less often.
        within: (n_groups,) the smaller capital of the two bets that the difference is less than the margin, and more
            than minus the margin: large where both must be so.
    """

    more: np.ndarray
    less: np.ndarray
    within: np.ndarray


@lru_cache(maxsize=16)
def stakes(largest: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the stakes u and how much money is bet with each; both (NODES,), the money sums to one half.

    The stakes are the nodes of a Gauss-Legendre rule. Any spread of the money is a fair one, so the rule's error makes
    no e-value wrong; it only tells how close they are to the integral.

    Args:
        largest: Items of the largest group. A stake is relative to it, so that the narrow part is the wider the larger
            it is, up to all stakes alike.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    u, weights = (nodes + 1) / 2, weights / weights.sum()
    exponent = max(((2 * NARROW + 1) / largest**2 - 1) / 2, 1.0) - 1
    narrow = weights * (1 - u**2) ** exponent
    money = NARROW_SHARE * narrow / narrow.sum() + (1 - NARROW_SHARE) * weights
    return u, money / 2


def evidence(gains: np.ndarray, sizes: np.ndarray, *, largest: int, margin: float) -> Evidence:
    """Return the capital of every bet on two systems, group after group.

    Args:
        gains: (n_groups,) right answers of a minus those of b, in the order in which the groups were drawn.
        sizes: (n_groups,) items of each group that both answered; 0 where there is none.
        largest: Items of the largest group that could be drawn, known before the first.
        margin: Below which a difference does not matter, as a share.

    Raises:
        ValueError: A gain is larger than its group, a group larger than the largest, or the margin no share.
    """
    if (np.abs(gains) > sizes).any() or sizes.max(initial=0) > largest or not 0 <= margin < 1:
        raise ValueError(f"gains beyond their sizes, sizes beyond {largest}, or a margin of {margin} are no bets")
    beyond, short = gains - margin * sizes, gains + margin * sizes
    returns = np.stack([gains, -gains, -beyond / (1 - margin), short / (1 - margin)]) / largest  # (4, n_groups)
    u, money = stakes(largest)
    capital, parts = np.ones((4, 1, NODES)), [np.empty((4, 0))]
    with np.errstate(under="ignore"):
        for start in range(0, returns.shape[1], CHUNK):
            factors = 1 + returns[:, start : start + CHUNK, None] * u  # (4, groups, NODES)
            grown = capital * np.cumprod(factors, axis=1)
            parts.append((grown * money).sum(axis=-1))  # unlike @, in the same order for any number of groups
            capital = np.minimum(grown[:, -1:], MOST)  # what is given up here is no unfair gain
    more, less, below, above = np.concatenate(parts, axis=1)
    return Evidence(more, less, np.minimum(below, above))


def difference_interval(gains: np.ndarray, sizes: np.ndarray, *, largest: int, level: float = LEVEL) -> Interval:
    """Return the differences that no bet has refuted by now: a confidence sequence's interval of the difference.

    All such intervals of a run hold at once, after whatever number of groups, with a chance of 1 - level.

    Args:
        gains: (n_groups,) as for `evidence`, in any order.
        sizes: (n_groups,) likewise.
        largest: Likewise.
        level: The chance that any of them fails.
    """
    pairs, counts = np.unique(np.stack([gains, sizes]), axis=1, return_counts=True)
    low, high = (_lowest(sign * pairs[0], pairs[1], counts, largest=largest, level=level) for sign in (1, -1))
    return Interval(round(low, 6), round(0.0 - high, 6))


def share_interval_at_any_time(right: np.ndarray, sizes: np.ndarray, *, largest: int) -> Interval:
    """Return the interval of a share of right answers, as `difference_interval`: right and wrong are the two sides.

    Args:
        right: (n_groups,) right answers.
        sizes: (n_groups,) answers.
        largest: Items of the largest group.
    """
    low, high = difference_interval(2 * right - sizes, sizes, largest=largest)
    return Interval(round((1 + low) / 2, 6), round((1 + high) / 2, 6))


def _lowest(gains: np.ndarray, sizes: np.ndarray, counts: np.ndarray, *, largest: int, level: float) -> float:
    """Return the least difference that the bets on more have not refuted: their capital falls as it rises."""
    u, money = stakes(largest)

    def is_refuted(difference: float) -> bool:
        returns = (gains - difference * sizes) / (largest * (1 + difference))
        logs = np.log(money) + counts @ np.log1p(returns[:, None] * u)  # (NODES,)
        highest = logs.max()
        return bool(highest + np.log(np.exp(logs - highest).sum()) >= -np.log(level))

    refuted, kept = -1.0, 1.0
    for _ in range(STEPS):
        middle = (refuted + kept) / 2
        refuted, kept = (middle, kept) if is_refuted(middle) else (refuted, middle)
    return refuted


def adjusted(e_values: np.ndarray) -> np.ndarray:
    """Adjust e-values for being several, so that the chance of any false claim stays below the level.

    A claim holds where the mean of every set of e-values that its own is in is large enough. The mean of e-values is
    one, so this is a closed test; it never adjusts more than multiplying by their number would.

    Args:
        e_values: (…, n_pairs) at one time.

    Returns:
        (…, n_pairs)

    Source:
        Vovk and Wang 2021, Annals of Statistics 49:1736-1754, section 3 (the arithmetic mean in a closed test).
    """
    n_pairs = e_values.shape[-1]
    found = np.empty_like(e_values)
    for place in range(n_pairs):
        own = e_values[..., place : place + 1]
        others = np.sort(np.delete(e_values, place, axis=-1), axis=-1).cumsum(axis=-1)
        sums = np.concatenate([own, own + others], axis=-1)  # of it and the so many smallest others
        found[..., place] = (sums / np.arange(1, n_pairs + 1)).min(axis=-1)
    return found
