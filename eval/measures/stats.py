"""How far a score can be trusted: intervals and paired tests.

Arrays in, numbers out; nothing here knows of runs or systems. Items that share a passage are not independent,
so every interval is over whole clusters. All draws are seeded: the same records give the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from eval.measures.distributions import student_quantile
from eval.measures.resampling import Groups, drawn_chunks, number_clusters, ratio_replicates, resampled_sums

RESAMPLES = 2000
SEED = 20240101
LEVEL = 0.05  # of every test and interval
CONFIDENCE = 1 - LEVEL
FEW_CLUSTERS = 10


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
    share, variance = ratio_and_variance(earned, possible, clusters, n_clusters=n_clusters)
    if variance < 1e-12:
        return _wilson_of_clusters(earned, possible, n_clusters)
    low, high = _score_interval(share, share * (1 - share) / variance, student_quantile(n_clusters - 1, CONFIDENCE))
    return Interval(round(low, 6), round(high, 6))  # later digits depend on the order of additions


def macro_f1_interval(
    targets: np.ndarray,
    choices: np.ndarray,
    groups: Groups,
    *,
    n_classes: int,
) -> Interval | None:
    """Return the cluster bootstrap interval of macro-F1 over all classes.

    Args:
        targets: (n,) int.
        choices: (n,) int, -1 for no answer.
        groups: (n,) the cluster of each item.
        n_classes: Classes that the mean is over, whether they occur or not.

    Returns:
        The interval; None where all items are one cluster, or every set of clusters gives the same figure.
    """
    (interval,) = macro_f1_intervals(targets, choices[None], groups, n_classes=n_classes)
    return interval


def macro_f1_intervals(
    targets: np.ndarray,
    choices: np.ndarray,
    groups: Groups,
    *,
    n_classes: int,
) -> list[Interval | None]:
    """Return `macro_f1_interval` of several systems that answered the same items; the clusters are drawn once for all.

    Args:
        targets: (n,) int.
        choices: (n_systems, n) int, -1 for no answer.
        groups: (n,) the cluster of each item.
        n_classes: As there.
    """
    labels = np.arange(n_classes)
    is_target = targets[:, None] == labels  # (n, n_classes)
    is_choice = choices[:, :, None] == labels  # (n_systems, n, n_classes)
    counts = np.concatenate([is_target, *is_choice, *(is_choice & is_target)], axis=1)
    clusters, n_clusters = number_clusters(groups)
    drawn = resampled_sums(counts, clusters, resamples=RESAMPLES, seed=SEED)
    support, *sums = np.split(drawn, 1 + 2 * len(choices), axis=1)  # each (resamples, n_classes)
    intervals: list[Interval | None] = []
    for predicted, hits in zip(sums[: len(choices)], sums[len(choices) :], strict=True):
        f1 = (2 * hits / np.maximum(support + predicted, 1)).mean(axis=1)
        # Without spread there is nothing to expand: an interval of no width would claim certainty.
        intervals.append(None if np.ptp(f1) < 1e-9 else _expanded_percentile(f1, n_clusters))
    return intervals


def paired_difference_interval(
    gained: np.ndarray,
    possible: np.ndarray,
    groups: Groups,
    *,
    resamples: int = RESAMPLES,
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

    Returns:
        The interval; None where all items are one cluster.

    Source:
        Cameron and Miller 2015, Journal of Human Resources 50:317-372, section VI (few clusters).
    """
    (interval,) = paired_difference_intervals(gained[None], possible, groups, resamples=resamples)
    return interval


def paired_difference_intervals(
    gained: np.ndarray,
    possible: np.ndarray,
    groups: Groups,
    *,
    resamples: int = RESAMPLES,
) -> list[Interval | None]:
    """Return `paired_difference_interval` of several pairs on the same items; the clusters are drawn once for all.

    Args:
        gained: (n_pairs, n) what the first system of each pair earned more than its second.
        possible: (n,) what each item was worth.
        groups: (n,) the cluster of each item.
        resamples: As there.
    """
    clusters, n_clusters = number_clusters(groups)
    if n_clusters == 1:
        return [None] * len(gained)
    found = [ratio_and_variance(one, possible, clusters, n_clusters=n_clusters) for one in gained]
    drawn = [place for place, (_, variance) in enumerate(found) if variance >= 1e-12 and n_clusters >= FEW_CLUSTERS]
    replicates: dict[int, np.ndarray] = {}
    if drawn:
        columns = np.stack([possible, *gained[drawn]], axis=1)
        whole, *earned = resampled_sums(columns, clusters, resamples=resamples, seed=SEED).T
        replicates = {place: one / whole for place, one in zip(drawn, earned, strict=True)}
    intervals: list[Interval | None] = []
    for place, (difference, variance) in enumerate(found):
        if variance < 1e-12:
            intervals.append(_interval_without_spread(gained[place], possible, n_clusters))
        elif n_clusters < FEW_CLUSTERS:
            within = Interval(-1.0, 1.0)
            intervals.append(_student_interval(difference, variance, n_clusters, within=within))
        else:
            intervals.append(_expanded_percentile(replicates[place], n_clusters))
    return intervals


def mean_interval(
    values: np.ndarray, groups: Groups, *, within: Interval = ANYWHERE, drawn: bool = True
) -> Interval | None:
    """Return the interval of the mean of (n,) values: a bootstrap of whole clusters, below FEW_CLUSTERS Student's t.

    Args:
        values: (n,).
        groups: (n,) the cluster of each item.
        within: Least and greatest that a value can be.
        drawn: Whether to draw resamples; without them it is Student's t however many clusters there are.

    Returns:
        The interval; None for one cluster, or where all clusters have the same mean.
    """
    clusters, n_clusters = number_clusters(groups)
    if n_clusters == 1:
        return None
    mean, variance = ratio_and_variance(values, np.ones(len(values)), clusters, n_clusters=n_clusters)
    if variance < 1e-18:
        return None
    if n_clusters < FEW_CLUSTERS or not drawn:
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


def ratio_and_variance(
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
    half = student_quantile(n_clusters - 1, CONFIDENCE) * math.sqrt(variance)
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
    if n_clusters < 2:
        return None
    quantile = student_quantile(n_clusters - 1, CONFIDENCE)
    expanded = NormalDist().cdf(-quantile * math.sqrt(n_clusters / (n_clusters - 1)))
    low, high = np.quantile(replicates, [expanded, 1 - expanded])
    return Interval(round(float(low), 6), round(float(high), 6))  # later digits depend on the order of additions
