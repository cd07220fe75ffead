"""How far a score can be trusted: intervals and paired tests.

Arrays in, numbers out; nothing here knows of runs or systems. Items that share a passage are not independent,
so every interval is over whole clusters. All draws are seeded: the same records give the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from eval.measures.resampling import Groups, drawn_chunks, number_clusters, ratio_replicates, resampled_sums

RESAMPLES = 2000
SEED = 20240101
LEVEL = 0.05  # of every test and interval
CONFIDENCE = 1 - LEVEL
FEW_CLUSTERS = 10
KEPT_BITS = 256  # far more than a float holds; a count of ways has as many bits as there are items


class Interval(NamedTuple):
    """A confidence interval, ends included."""

    low: float
    high: float


def is_outside(figure: float, interval: Interval | None) -> bool:
    """Say whether a figure is outside of an interval; every figure is, where none is known."""
    return interval is None or not interval.low <= figure <= interval.high


ANYWHERE = Interval(-math.inf, math.inf)


def wilson(successes: float, n: float, *, confidence: float = CONFIDENCE) -> Interval:
    """Return the score interval of a proportion of independent trials; sound at 0 and at n, where others collapse.

    Source:
        Wilson 1927, JASA 22:209-212.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials are no proportion")
    return _score_interval(successes / n, n, NormalDist().inv_cdf((1 + confidence) / 2))


def share_interval(earned: np.ndarray, possible: np.ndarray, groups: Groups) -> Interval | None:
    """Return the interval of sum(earned) / sum(possible): accuracy where `possible` is 1, the share of points else.

    Wilson's interval with the number of independent items that would vary as much as these clusters do, and Student's
    quantile for their number: it keeps its level at eleven passages, where the bootstrap's percentiles do not. Clusters
    that all earned the same share show no spread: each then counts as a single trial, which is wide on purpose.

    Args:
        earned: (n,) points earned by each item, between 0 and `possible`.
        possible: (n,) points it was worth.
        groups: (n,) the cluster of each item.

    Returns:
        The interval; None where all items are one cluster.

    Source:
        Franco, Little, Louis and Slud 2019, Journal of Survey Statistics and Methodology 7:334-364 (Wilson's interval
        with an effective sample size); Cameron and Miller 2015, Journal of Human Resources 50:317-372 (cluster-robust
        variance, Student's t with one degree of freedom less than clusters).
    """
    clusters, n_clusters = number_clusters(groups)
    if n_clusters == 1:
        return None
    share, variance = _ratio_and_variance(earned, possible, clusters, n_clusters=n_clusters)
    if variance < 1e-12:
        return _wilson_of_clusters(earned, possible, n_clusters)
    low, high = _score_interval(share, share * (1 - share) / variance, student_quantile(n_clusters - 1))
    return Interval(round(low, 6), round(high, 6))  # later digits depend on the order of additions


def macro_f1_interval(
    targets: np.ndarray,
    choices: np.ndarray,
    groups: Groups,
    *,
    n_classes: int,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval | None:
    """Return the cluster bootstrap interval of macro-F1 over all classes.

    Args:
        targets: (n,) int.
        choices: (n,) int, -1 for no answer.
        groups: (n,) the cluster of each item.
        n_classes: Classes that the mean is over, whether they occur or not.
        resamples: How many sets of clusters are drawn.
        seed: Decides the draws.

    Returns:
        The interval; None where all items are one cluster, or every set of clusters gives the same figure.
    """
    labels = np.arange(n_classes)
    is_target = targets[:, None] == labels  # (n, n_classes)
    is_choice = choices[:, None] == labels
    counts = np.concatenate([is_target & is_choice, is_target, is_choice], axis=1)  # (n, 3 * n_classes)
    clusters, n_clusters = number_clusters(groups)
    drawn = resampled_sums(counts, clusters, resamples=resamples, seed=seed)
    hits, support, predicted = np.split(drawn, 3, axis=1)  # each (resamples, n_classes)
    f1 = 2 * hits / np.maximum(support + predicted, 1)
    if np.ptp(f1.mean(axis=1)) < 1e-9:
        return None  # no spread to expand: an interval of no width would claim certainty
    return _expanded_percentile(f1.mean(axis=1), n_clusters)


def paired_difference_interval(
    gained: np.ndarray,
    possible: np.ndarray,
    groups: Groups,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval | None:
    """Return the interval of a difference between two systems on the same items: a bootstrap of whole clusters.

    Below FEW_CLUSTERS so few different resamples exist that their percentiles miss the truth far too often (one time
    in ten at five clusters, one in three at two); there Student's t of the cluster-robust variance keeps the level.
    Where all clusters show the same difference, the outer ends of Wilson's intervals of what was won and what was
    lost stand in, each cluster a single trial: two systems that never differed here may still differ elsewhere.

    Args:
        gained: (n,) what the first system earned more than the second on each item.
        possible: (n,) what the item was worth.
        groups: (n,) the cluster of each item.
        resamples: How many sets of clusters are drawn.
        seed: Decides the draws.

    Returns:
        The interval; None where all items are one cluster.

    Source:
        Cameron and Miller 2015, Journal of Human Resources 50:317-372, section VI (few clusters).
    """
    clusters, n_clusters = number_clusters(groups)
    if n_clusters == 1:
        return None
    difference, variance = _ratio_and_variance(gained, possible, clusters, n_clusters=n_clusters)
    if variance < 1e-12:
        return _interval_without_spread(gained, possible, n_clusters)
    if n_clusters < FEW_CLUSTERS:
        return _student_interval(difference, variance, n_clusters, within=Interval(-1.0, 1.0))
    replicates = ratio_replicates(gained, possible, clusters, resamples=resamples, seed=seed)
    return _expanded_percentile(replicates, n_clusters)


def mean_interval(values: np.ndarray, groups: Groups, *, within: Interval = ANYWHERE) -> Interval | None:
    """Return the interval of the mean of (n,) values: a bootstrap of whole clusters, below FEW_CLUSTERS Student's t.

    Args:
        values: (n,).
        groups: (n,) the cluster of each item.
        within: Least and greatest that a value can be.

    Returns:
        The interval; None for one cluster, or where all clusters have the same mean.
    """
    clusters, n_clusters = number_clusters(groups)
    if n_clusters == 1:
        return None
    mean, variance = _ratio_and_variance(values, np.ones(len(values)), clusters, n_clusters=n_clusters)
    if variance < 1e-18:
        return None
    if n_clusters < FEW_CLUSTERS:
        return _student_interval(mean, variance, n_clusters, within=within)
    replicates = ratio_replicates(values, np.ones(len(values)), clusters, resamples=RESAMPLES, seed=SEED)
    return _expanded_percentile(replicates, n_clusters)


def bootstrap_interval(statistic: Callable[[np.ndarray], np.ndarray], groups: Groups) -> Interval | None:
    """Return the cluster bootstrap interval of any statistic of items that can be weighted.

    Args:
        statistic: Takes (rows, n), how often each resample holds each item; returns (rows,), nan where undefined.
        groups: (n,) the cluster of each item.

    Returns:
        The interval; None for one cluster, without spread, or where over 5 % of the resamples leave it undefined.
    """
    clusters, n_clusters = number_clusters(groups)
    drawn = drawn_chunks(n_clusters, RESAMPLES, SEED)
    replicates = np.concatenate([statistic(counts[:, clusters]) for counts in drawn])
    defined = replicates[~np.isnan(replicates)]
    if len(defined) < CONFIDENCE * RESAMPLES or np.ptp(defined) < 1e-9:
        return None
    return _expanded_percentile(defined, n_clusters)


def mcnemar_midp(only_a: int, only_b: int) -> float:
    """Return the two-sided mid-p value of McNemar's test on the items that exactly one of two systems got right.

    The exact test is too timid at such counts and the asymptotic one too bold; mid-p lies between them.

    Source:
        Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology 13:91.
    """
    if only_a < 0 or only_b < 0:
        raise ValueError(f"counts of items cannot be negative: {only_a}, {only_b}")
    n, smaller = only_a + only_b, min(only_a, only_b)
    ways, twice_below, dropped = 1, 0, 0  # whole numbers, of which the last `dropped` bits are left out
    for k in range(smaller):
        twice_below += 2 * ways
        ways = ways * (n - k) // (k + 1)
        surplus = max(0, ways.bit_length() - KEPT_BITS)
        ways, twice_below, dropped = ways >> surplus, twice_below >> surplus, dropped + surplus
    return min(1.0, math.ldexp(float(twice_below + ways), dropped - n))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of any false claim among them stays below the level.

    Source:
        Holm 1979, Scandinavian Journal of Statistics 6:65-70.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for step, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - step) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def student_quantile(degrees: float) -> float:
    """Return how many standard errors an interval reaches to either side, by Student's t."""
    from scipy.special import stdtrit

    return float(-stdtrit(degrees, (1 - CONFIDENCE) / 2))


def _ratio_and_variance(
    earned: np.ndarray, possible: np.ndarray, clusters: np.ndarray, *, n_clusters: int
) -> tuple[float, float]:
    """Return sum(earned) / sum(possible) and its variance over clusters, linearised."""
    total = float(possible.sum())
    ratio = float(earned.sum()) / total
    beyond = np.bincount(clusters, weights=earned - ratio * possible)  # (n_clusters,), sums to 0
    return ratio, n_clusters / (n_clusters - 1) * float(beyond @ beyond) / total**2


def _score_interval(share: float, n: float, quantile: float) -> Interval:
    centre = (share + quantile**2 / (2 * n)) / (1 + quantile**2 / n)
    half = quantile * math.sqrt(share * (1 - share) / n + quantile**2 / (4 * n * n)) / (1 + quantile**2 / n)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def _student_interval(centre: float, variance: float, n_clusters: int, *, within: Interval) -> Interval:
    half = student_quantile(n_clusters - 1) * math.sqrt(variance)
    return Interval(round(max(within.low, centre - half), 6), round(min(within.high, centre + half), 6))


def _interval_without_spread(gained: np.ndarray, possible: np.ndarray, n_clusters: int) -> Interval:
    won = _wilson_of_clusters(np.maximum(gained, 0), possible, n_clusters)
    lost = _wilson_of_clusters(np.maximum(-gained, 0), possible, n_clusters)
    return Interval(round(won.low - lost.high, 6), round(won.high - lost.low, 6))


def _wilson_of_clusters(earned: np.ndarray, possible: np.ndarray, n_clusters: int) -> Interval:
    share = float(earned.sum() / possible.sum())
    low, high = wilson(min(share, 1.0) * n_clusters, n_clusters)
    return Interval(round(low, 6), round(high, 6))


def _expanded_percentile(replicates: np.ndarray, n_clusters: int) -> Interval | None:
    """Take the percentiles that make up for the bootstrap's too small spread when there are few clusters.

    Returns:
        None for a single cluster, which tells nothing about the spread between clusters.

    Source:
        Hesterberg 2015, The American Statistician 69:371-386 (expanded percentile interval).
    """
    from scipy.special import ndtr

    if n_clusters < 2:
        return None
    expanded = float(ndtr(-student_quantile(n_clusters - 1) * math.sqrt(n_clusters / (n_clusters - 1))))
    low, high = np.quantile(replicates, [expanded, 1 - expanded])
    return Interval(round(float(low), 6), round(float(high), 6))  # later digits depend on the order of additions
