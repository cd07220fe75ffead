"""How sure a system must be to answer alone: thresholds of its confidence, each chosen by a rule.

The confidences of one system, and whether it was right, in; a threshold out. An item is answered alone where the
confidence is at or above the threshold, and else passed on. Items that are equally sure are never parted.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from eval.measures.answers import Answers
from eval.measures.distributions import student_quantile
from eval.measures.metrics import NO_ANSWER
from eval.measures.resampling import Groups, number_clusters
from eval.measures.stats import FEW_CLUSTERS, LEVEL, SEED

NONE_ALONE = 2.0  # a threshold that no probability reaches: everything is passed on
ALL_ALONE = 0.0  # one that every probability reaches
WITHOUT = -1.0  # the confidence of an answer without a probability, or of none: it is passed on at every threshold
FOLDS = 5
STEPS = 20  # shares of the items at which a promise is tested

Rule = Callable[[np.ndarray], float]  # from the places of the items that may be looked at to a threshold


def confidence_of(answers: Answers) -> np.ndarray:
    """Return (n,) the probability of each answer; WITHOUT where it has none, or where nothing usable was said."""
    has = (answers.rows["source"] >= 0) & (answers.choices != NO_ANSWER)
    chosen = answers.probs[np.arange(len(answers)), np.where(has, answers.choices, 0)] if answers.probs.size else 0.0
    confidence: np.ndarray = np.where(has, chosen, WITHOUT)
    return confidence


class Cuts(NamedTuple):
    """Every way to part items by their confidence, from nothing answered alone to all that has a probability.

    Attributes:
        order: (n,) places of the items, the surest first.
        counts: (m,) how many of these are answered alone, ascending from 0.
        thresholds: (m,) the threshold that does it, halfway to the next lower confidence, so that rounding moves
            nothing across.
    """

    order: np.ndarray
    counts: np.ndarray
    thresholds: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return (m,) the sum of (n,) values over the items that are answered alone."""
        sums: np.ndarray = np.concatenate([[0.0], np.cumsum(values[self.order], dtype=np.float64)])[self.counts]
        return sums


def cuts(confidence: np.ndarray) -> Cuts:
    """Return every cut of (n,) confidences; one value has one cut, however many items share it."""
    order = np.argsort(-confidence, kind="stable")
    usable = confidence[order][confidence[order] > WITHOUT]
    if not len(usable):
        return Cuts(order, np.array([0]), np.array([NONE_ALONE]))
    ends = np.flatnonzero(np.append(usable[1:] < usable[:-1], True))
    lower = np.append(usable[ends[:-1] + 1], ALL_ALONE)
    halfway = (usable[ends] + lower) / 2
    thresholds = np.where(halfway > lower, halfway, usable[ends])
    thresholds[-1] = ALL_ALONE
    return Cuts(order, np.append(0, ends + 1), np.append(NONE_ALONE, thresholds))


def by_share(confidence: np.ndarray, share: float) -> float:
    """Return the highest threshold that passes on at most a share of the items; ALL_ALONE where none does."""
    found = cuts(confidence)
    return _first(found, 1 - found.counts / len(confidence) <= share + 1e-12)


def by_cost(confidence: np.ndarray, first_usd: np.ndarray, second_usd: np.ndarray, usd: float) -> float:
    """Return the highest threshold at which a query costs at most so much; ALL_ALONE where none does.

    Args:
        confidence: (n,).
        first_usd: (n,) US dollars that the first system's answer to each item cost.
        second_usd: (n,) the same of the next.
        usd: What a query may cost in the mean.
    """
    found, n = cuts(confidence), len(confidence)
    costs = (first_usd.sum() + second_usd.sum() - found.sums(second_usd)) / n
    return _first(found, costs <= usd * (1 + 1e-12))


def _first(found: Cuts, allowed: np.ndarray) -> float:
    places = np.flatnonzero(allowed)
    return float(found.thresholds[places[0]]) if len(places) else ALL_ALONE


def without_loss(confidence: np.ndarray, gained: np.ndarray) -> float:
    """Return the lowest threshold at which the first and the next together are right at least as often as the next.

    Args:
        confidence: (n,).
        gained: (n,) 1 where only the first is right, -1 where only the next is, else 0.
    """
    found = cuts(confidence)
    return float(found.thresholds[np.flatnonzero(found.sums(gained) >= 0)[-1]])


def most_right(confidence: np.ndarray, gained: np.ndarray) -> float:
    """Return the threshold at which the two together are right most often; of several the lowest."""
    found = cuts(confidence)
    sums = found.sums(gained)
    return float(found.thresholds[np.flatnonzero(sums == sums.max())[-1]])


def promised(confidence: np.ndarray, right: np.ndarray, groups: Groups, accuracy: float) -> float:
    """Return the lowest threshold above which answers are right so often with 95 % confidence; NONE_ALONE for none.

    The surest STEPS-th of the items is tested, then the surest two, and so on, until a test fails: so the chance of any
    false promise stays below the level of a single test. The first test is of as few items as could bear one error. Of
    independent items each test is exact: among those that are surer than the one of a given rank, errors are binomial.

    Args:
        confidence: (n,).
        right: (n,) bool.
        groups: (n,) the cluster of each item.
        accuracy: What is promised, between 0 and 1: the share of right answers among those that are given alone.

    Source:
        Angelopoulos, Bates, Candès, Jordan and Lei 2021, "Learn then Test", arXiv:2110.01052 (fixed-sequence testing);
        Geifman and El-Yaniv 2017, NeurIPS, arXiv:1705.08500 (the errors of a classifier that abstains are binomial).
    """
    n, kept = len(confidence), NONE_ALONE
    ranked, (clusters, _) = np.sort(confidence)[::-1], number_clusters(groups)
    likeness = _likeness(~right, clusters)
    for rank in sorted({step * n // STEPS for step in range(1, STEPS + 1)}):
        limit = float(ranked[rank]) if rank < n else WITHOUT
        alone = confidence > limit
        wrong, own = ~right[alone], clusters[alone]
        if _chance_of_errors(np.arange(len(own)) < 1, own, accuracy, likeness) > LEVEL:
            continue  # so few items could not bear one error
        if _chance_of_errors(wrong, own, accuracy, likeness) > LEVEL:
            break
        kept = _above(limit, confidence)
    return kept


def _above(limit: float, confidence: np.ndarray) -> float:
    """Return the threshold that holds exactly for what is above a limit."""
    if limit <= WITHOUT:
        return ALL_ALONE
    higher = float(confidence[confidence > limit].min())
    halfway = (limit + higher) / 2
    return halfway if halfway > limit else higher


def _chance_of_errors(wrong: np.ndarray, clusters: np.ndarray, accuracy: float, likeness: float) -> float:
    """Return how likely so few errors are where the accuracy is only what is promised.

    Items that share context count for fewer: for as many independent ones as vary as much.

    Args:
        wrong: (n,) bool.
        clusters: (n,) int.
        accuracy: What is promised.
        likeness: See `_likeness`; of the items at hand it may be seen to be higher, and then that counts.

    Source:
        Korn and Graubard 1998, Survey Methodology 24:193-201 (the exact binomial with an effective sample size).
    """
    n, errors, n_clusters = len(wrong), int(wrong.sum()), len(np.unique(clusters))
    if n_clusters < 2:
        return 1.0
    if n_clusters < n:
        confidence = 1 - 2 * LEVEL
        few = student_quantile(n_clusters - 1, confidence) / student_quantile(n - 1, confidence)
        own = _likeness(wrong, clusters)
        likeness = likeness if own == 1 else max(likeness, own)
        effect = (1 + (_mean_size(clusters) - 1) * likeness) * few**2
        n, errors = int(n / effect), math.ceil(errors / effect)
    return binomial_tail(errors, n, 1 - accuracy)


def _likeness(wrong: np.ndarray, clusters: np.ndarray) -> float:
    """Return how alike the items of a cluster are in being wrong: 0 for independent, 1 where one tells of all.

    It is 1 as well where fewer than FEW_CLUSTERS clusters hold an error, and it cannot be seen.
    """
    n, sizes, with_error = len(wrong), np.bincount(clusters), np.bincount(clusters, weights=wrong)
    mean_size, share, n_clusters = _mean_size(clusters), wrong.mean(), (sizes > 0).sum()
    if (with_error > 0).sum() < FEW_CLUSTERS or share == 1 or mean_size == 1:
        return 1.0
    beyond = with_error - share * sizes
    variance = n_clusters / (n_clusters - 1) * float(beyond @ beyond) / n**2
    return float(np.clip((variance * n / (share * (1 - share)) - 1) / (mean_size - 1), 0, 1))


def _mean_size(clusters: np.ndarray) -> float:
    """Return the size of the cluster that an item is in, in the mean over the items."""
    sizes = np.bincount(clusters).astype(float)
    return float((sizes**2).sum()) / len(clusters)


def binomial_tail(errors: int, n: int, share: float) -> float:
    """Return the probability of at most so many errors in n independent trials, each of them one with a chance."""
    if errors >= n or share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    i = np.arange(1, errors + 1)
    ways = np.concatenate([[0.0], np.cumsum(np.log((n - i + 1) / i))])
    terms = ways + np.arange(errors + 1) * math.log(share) + (n - np.arange(errors + 1)) * math.log1p(-share)
    return min(float(np.exp(terms).sum()), 1.0)


def folds(groups: Groups) -> np.ndarray:
    """Deal whole clusters into FOLDS parts, or as many as there are clusters: (n,) the part of each item."""
    clusters, n_clusters = number_clusters(groups)
    of_clusters = np.empty(n_clusters, dtype=np.int64)
    of_clusters[np.random.default_rng(SEED).permutation(n_clusters)] = np.arange(n_clusters) % min(FOLDS, n_clusters)
    part: np.ndarray = of_clusters[clusters]
    return part


def cross_fitted(rule: Rule, confidence: np.ndarray, groups: Groups) -> np.ndarray:
    """Say which items are answered alone where the threshold of each was chosen on other clusters than its own.

    Args:
        rule: It gets the places of the items that it may look at.
        confidence: (n,).
        groups: (n,) the cluster of each item, of which there are two or more.

    Returns:
        (n,) bool.

    Raises:
        ValueError: All items are one cluster.
    """
    alone: np.ndarray = confidence >= cross_fitted_thresholds(rule, groups)
    return alone


def cross_fitted_thresholds(rule: Rule, groups: Groups) -> np.ndarray:
    """Return (n,) the threshold that each item meets, chosen on other clusters than its own.

    Raises:
        ValueError: All items are one cluster.
    """
    part = folds(groups)
    if part.max(initial=0) == 0:
        raise ValueError("all items are one cluster: there are no others to choose a threshold on")
    thresholds = np.empty(len(part))
    for number in range(part.max() + 1):
        thresholds[part == number] = rule(np.flatnonzero(part != number))
    return thresholds
