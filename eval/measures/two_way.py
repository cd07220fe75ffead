"""The mean of items that several wordings were asked for, with an interval over other items and other wordings.

    y[j, i] = mean + item i + wording j + their interaction

The variance of the mean over m wordings and n items is estimated as V_items + V_wordings: the cluster-robust variance
over the items of each item's mean over the wordings, and the variance of the wordings' means / m. Their sum counts the
interaction / (m n) once too often, which errs on the wide side. Student's t has Satterthwaite's degrees of freedom: of
few wordings little is known about others.

Arrays in, numbers out.

Source:
    Cornfield and Tukey 1956, Annals of Mathematical Statistics 27:907-949 (mean squares of crossed random effects);
    Owen 2007, Annals of Applied Statistics 1:386-411 (two-way crossed data, and why the sum errs on the wide side);
    Satterthwaite 1946, Biometrics Bulletin 2:110-114 (degrees of freedom of a sum of variances).
"""

import math
from collections.abc import Sequence

import numpy as np

from eval.measures.distributions import student_quantile
from eval.measures.resampling import Groups, number_clusters
from eval.measures.stats import CONFIDENCE, Interval, ratio_and_variance


def two_way_interval(
    means: np.ndarray, wordings: Sequence[np.ndarray], groups: Groups, *, within: Interval
) -> Interval | None:
    """Return the interval of the mean of (n,) means over items and, where they are given, over wordings.

    Args:
        means: (n,) each item's mean over the wordings.
        wordings: Sets of wordings that were drawn apart, each (m, n).
        groups: (n,) the cluster of each item.
        within: Least and greatest that the mean can be.

    Returns:
        None where all items are one cluster, or nothing varies.
    """
    clusters, n_clusters = number_clusters(groups)
    if n_clusters == 1:
        return None
    mean, variance = ratio_and_variance(means, np.ones(len(means)), clusters, n_clusters=n_clusters)
    parts = [(variance, n_clusters - 1)]
    parts += [(float(one.mean(axis=1).var(ddof=1)) / len(one), len(one) - 1) for one in wordings]
    total = sum(part for part, _ in parts)
    if total < 1e-18:
        return None
    degrees = total**2 / sum(part**2 / own for part, own in parts)
    half = student_quantile(degrees, CONFIDENCE) * math.sqrt(total)
    return Interval(round(max(within.low, mean - half), 6), round(min(within.high, mean + half), 6))


def deviation_between(right: np.ndarray, groups: Groups) -> float:
    """Return the standard deviation between wordings, 0 where chance alone puts as much between them.

    From the variance of the wordings' means the part is taken that so few items put there: the mean square of the
    interaction / n of the two-way analysis of variance, summed over clusters.

    Args:
        right: (m, n) 1 where a wording is right, else 0.
        groups: (n,) the cluster of each item.
    """
    clusters, n_clusters = number_clusters(groups)
    if n_clusters == 1:
        return 0.0
    means = right.mean(axis=1)
    rest = right - right.mean(axis=0) - (means - right.mean())[:, None]  # (m, n), the interaction
    ones = np.ones(right.shape[1])
    by_chance = sum(ratio_and_variance(one, ones, clusters, n_clusters=n_clusters)[1] for one in rest)
    return math.sqrt(max(0.0, float(means.var(ddof=1)) - by_chance / (len(right) - 1)))
