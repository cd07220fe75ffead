"""How far a score can be trusted: intervals and paired tests.

Arrays in, numbers out; nothing here knows of runs or systems. Items that share a passage are not independent,
so every interval is over whole clusters. All draws are seeded: the same records give the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

RESAMPLES = 2000
SEED = 20240101
CONFIDENCE = 0.95
FEW_CLUSTERS = 10
CHUNK = 64  # resamples at once, so that memory does not grow with their number
KEPT_BITS = 256  # far more than a float holds; a count of ways has as many bits as there are items


class Interval(NamedTuple):
    """A confidence interval, ends included."""

    low: float
    high: float


def wilson(successes: float, n: float, *, confidence: float = CONFIDENCE) -> Interval:
    """Return the score interval of a proportion of independent trials; sound at 0 and at n, where others collapse.

    Source:
        Wilson 1927, JASA 22:209-212.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials are no proportion")
    return _score_interval(successes / n, n, NormalDist().inv_cdf((1 + confidence) / 2))


def share_interval(earned: np.ndarray, possible: np.ndarray, groups: Sequence[str]) -> Interval | None:
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
    clusters, n_clusters = _clusters(groups)
    if n_clusters == 1:
        return None
    share, variance = _ratio_and_variance(earned, possible, clusters, n_clusters=n_clusters)
    if variance < 1e-12:
        return _wilson_of_clusters(earned, possible, n_clusters)
    low, high = _score_interval(share, share * (1 - share) / variance, _student_quantile(n_clusters))
    return Interval(round(low, 6), round(high, 6))  # later digits depend on the order of additions


def macro_f1_interval(
    targets: np.ndarray,
    choices: np.ndarray,
    groups: Sequence[str],
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
    clusters, n_clusters = _clusters(groups)
    drawn = _resampled_sums(counts, clusters, resamples=resamples, seed=seed)
    hits, support, predicted = np.split(drawn, 3, axis=1)  # each (resamples, n_classes)
    f1 = 2 * hits / np.maximum(support + predicted, 1)
    if np.ptp(f1.mean(axis=1)) < 1e-9:
        return None  # no spread to expand: an interval of no width would claim certainty
    return _expanded_percentile(f1.mean(axis=1), n_clusters)


def paired_difference_interval(
    gained: np.ndarray,
    possible: np.ndarray,
    groups: Sequence[str],
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
    clusters, n_clusters = _clusters(groups)
    if n_clusters == 1:
        return None
    difference, variance = _ratio_and_variance(gained, possible, clusters, n_clusters=n_clusters)
    if variance > 1e-12 and n_clusters < FEW_CLUSTERS:
        half = _student_quantile(n_clusters) * math.sqrt(variance)
        return Interval(round(max(-1.0, difference - half), 6), round(min(1.0, difference + half), 6))
    if variance > 1e-12:
        replicates = _ratio_replicates(gained, possible, clusters, resamples=resamples, seed=seed)
        return _expanded_percentile(replicates, n_clusters)
    won = _wilson_of_clusters(np.maximum(gained, 0), possible, n_clusters)
    lost = _wilson_of_clusters(np.maximum(-gained, 0), possible, n_clusters)
    return Interval(round(won.low - lost.high, 6), round(won.high - lost.low, 6))


def mean_interval(values: np.ndarray, groups: Sequence[str]) -> Interval | None:
    """Return the cluster bootstrap interval of the mean of (n,) values; None for one cluster, or without spread."""
    clusters, n_clusters = _clusters(groups)
    replicates = _ratio_replicates(values, np.ones(len(values)), clusters, resamples=RESAMPLES, seed=SEED)
    return _expanded_percentile(replicates, n_clusters) if np.ptp(replicates) > 1e-9 else None


def bootstrap_interval(statistic: Callable[[np.ndarray], np.ndarray], groups: Sequence[str]) -> Interval | None:
    """Return the cluster bootstrap interval of any statistic of items that can be weighted.

    Args:
        statistic: Takes (rows, n), how often each resample holds each item; returns (rows,), nan where undefined.
        groups: (n,) the cluster of each item.

    Returns:
        The interval; None for one cluster, without spread, or where over 5 % of the resamples leave it undefined.
    """
    clusters, n_clusters = _clusters(groups)
    drawn = _drawn_chunks(n_clusters, RESAMPLES, SEED)
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


def _clusters(groups: Sequence[str]) -> tuple[np.ndarray, int]:
    """Number the groups from 0 in sorted order, so that the order of the items does not change the draws."""
    if not groups:
        raise ValueError("no items: there is no interval")
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    return index, len(names)  # (n,)


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


def _student_quantile(n_clusters: int) -> float:
    from scipy.special import stdtrit

    return float(-stdtrit(n_clusters - 1, (1 - CONFIDENCE) / 2))


def _wilson_of_clusters(earned: np.ndarray, possible: np.ndarray, n_clusters: int) -> Interval:
    share = float(earned.sum() / possible.sum())
    low, high = wilson(min(share, 1.0) * n_clusters, n_clusters)
    return Interval(round(low, 6), round(high, 6))


def _ratio_replicates(
    numerator: np.ndarray, denominator: np.ndarray, clusters: np.ndarray, *, resamples: int, seed: int
) -> np.ndarray:
    columns = np.stack([numerator, denominator], axis=1)  # (n, 2)
    drawn = _resampled_sums(columns, clusters, resamples=resamples, seed=seed)
    ratios: np.ndarray = drawn[:, 0] / drawn[:, 1]
    return ratios  # (resamples,)


def _resampled_sums(columns: np.ndarray, clusters: np.ndarray, *, resamples: int, seed: int) -> np.ndarray:
    """Sum each column over the items of every resample of clusters; (resamples, n_columns).

    Source:
        Davison and Hinkley 1997, Bootstrap Methods and their Application, section 3.8 (clusters drawn whole).
    """
    n_clusters = int(clusters.max()) + 1
    sums = np.stack([np.bincount(clusters, weights=row) for row in columns.astype(np.float64).T], axis=1)
    single = sums.astype(np.float32)  # counts exactly up to 2**24
    drawn = [counts @ single for counts in _drawn_chunks(n_clusters, resamples, seed)]
    return np.concatenate(drawn).astype(np.float64)


def _drawn_chunks(n_clusters: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Return how often each resample draws each cluster, (CHUNK, n_clusters) at a time, as float32 to multiply by."""
    draws = _draws(n_clusters, resamples, seed)
    return (draws[start : start + CHUNK].astype(np.float32) for start in range(0, resamples, CHUNK))


@lru_cache(maxsize=2)
def _draws(n_clusters: int, resamples: int, seed: int) -> np.ndarray:
    """How often each resample draws each cluster; (resamples, n_clusters), kept for every score of a run."""
    rng = np.random.default_rng(seed)
    counts = np.empty((resamples, n_clusters), dtype=np.uint8)  # no cluster is ever drawn 256 times; 20 MB for 10,000
    for row in counts:
        row[:] = np.bincount(rng.integers(0, n_clusters, n_clusters), minlength=n_clusters)
    return counts


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
    expanded = float(ndtr(-_student_quantile(n_clusters) * math.sqrt(n_clusters / (n_clusters - 1))))
    low, high = np.quantile(replicates, [expanded, 1 - expanded])
    return Interval(round(float(low), 6), round(float(high), 6))  # later digits depend on the order of additions
