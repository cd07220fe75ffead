"""The area under the ROC curve of a classifier's probabilities, and how far it can be trusted.

Targets, probabilities and groups in; the macro one-vs-rest area and its interval out, both from one count: of how many
items on the other side of a class each item ranks on the right side. Sorting is all it takes, at any number of items.
"""

from __future__ import annotations

import numpy as np

from eval.measures.distributions import student_quantile
from eval.measures.resampling import Groups, number_clusters
from eval.measures.stats import CONFIDENCE, Interval

FEWEST_CLUSTERS = 3  # that must hold a class: two say too little of how much it varies


def roc_auc(targets: np.ndarray, probs: np.ndarray) -> float | None:
    """Return the macro one-vs-rest area under the ROC curve, ties counted half; None where a class has no item.

    Args:
        targets: (n,) int.
        probs: (n, n_classes); with one that is not a number there is no area.

    Source:
        Mann and Whitney 1947 for the area as a count of pairs; Provost and Domingos 2000 for one-vs-rest.
    """
    ranked = _ranked_rightly(targets, probs)
    return None if ranked is None else float(_areas(targets, ranked).mean())


def area_interval(targets: np.ndarray, probs: np.ndarray, groups: Groups) -> Interval | None:
    """Return the 95 % interval of `roc_auc`, by DeLong's variance over whole clusters, on the logit scale.

    What an item contributes to the area is its placement among the items of the other side. The contributions are
    summed over each cluster, so that items which share a passage count together; a class that few clusters hold is
    allowed for in the variance and in the degrees of freedom. For two classes and a cluster for each item it is
    DeLong's variance with Welch's degrees of freedom.

    Args:
        targets: (n,) int.
        probs: (n, n_classes).
        groups: (n,) the cluster of each item.

    Returns:
        The interval; None without an area, where fewer than FEWEST_CLUSTERS clusters hold a class, or without spread,
        as where all items are ranked rightly: an interval of no width would claim certainty.

    Source:
        DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837-845; Obuchowski 1997, Biometrics 53:567-578 (sums
        over clusters); Brunner and Munzel 2000, Biometrical Journal 42:17-25 (degrees of freedom); Pepe 2003, The
        Statistical Evaluation of Medical Tests for Classification and Prediction, section 5.2 (logit scale).
    """
    ranked = _ranked_rightly(targets, probs)
    if ranked is None:
        return None
    sums, n_holding = _class_sums(targets, _contributions(targets, ranked), groups)
    if n_holding.min() < FEWEST_CLUSTERS:
        return None
    sums *= np.sqrt(n_holding / (n_holding - 1))[:, None]  # as in a sample variance, class by class
    variance = float((sums.sum(axis=0) ** 2).sum())
    if variance < 1e-18:
        return None
    own = (sums**2).sum(axis=1)  # each class's part of the variance
    welch = float(own.sum() ** 2 / (own**2 / (n_holding - 1)).sum())
    area = float(_areas(targets, ranked).mean())
    return _logit_interval(area, variance, degrees=min(welch, sums.shape[1] - 1))


def _class_sums(targets: np.ndarray, contributions: np.ndarray, groups: Groups) -> tuple[np.ndarray, np.ndarray]:
    """Sum contributions over the items of each class in each cluster, and count the clusters that hold each class.

    Returns:
        (n_classes, n_clusters) and (n_classes,).
    """
    clusters, n_clusters = number_clusters(groups)
    n_classes = int(targets.max()) + 1  # no class is without items here
    places = targets * n_clusters + clusters
    shape, n_places = (n_classes, n_clusters), n_classes * n_clusters
    sums = np.bincount(places, weights=contributions, minlength=n_places).reshape(shape)
    n_items = np.bincount(places, minlength=n_places).reshape(shape)
    return sums, np.count_nonzero(n_items, axis=1)


def _ranked_rightly(targets: np.ndarray, probs: np.ndarray) -> np.ndarray | None:
    """Count, for each item and class, the items of the other side that it is ranked rightly against, ties half.

    Returns:
        (n, n_classes); None where a class has no item, or every item, or a probability is not a number.
    """
    if not np.isfinite(probs).all():
        return None
    ranked = np.empty(probs.shape)
    for label in range(probs.shape[1]):
        members = targets == label
        inside, outside = probs[members, label], probs[~members, label]
        if not len(inside) or not len(outside):
            return None
        ranked[members, label] = _below(inside, outside)
        ranked[~members, label] = len(inside) - _below(outside, inside)
    return ranked


def _below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    ordered = np.sort(others)
    counts: np.ndarray = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return counts / 2


def _areas(targets: np.ndarray, ranked: np.ndarray) -> np.ndarray:
    members = targets[:, None] == np.arange(ranked.shape[1])  # (n, n_classes)
    inside = members.sum(axis=0)
    areas: np.ndarray = (ranked * members).sum(axis=0) / (inside * (len(targets) - inside))
    return areas  # (n_classes,)


def _contributions(targets: np.ndarray, ranked: np.ndarray) -> np.ndarray:
    """Return by how much each item moves the macro area, to first order; (n,), sums to 0."""
    n, n_classes = ranked.shape
    members = targets[:, None] == np.arange(n_classes)
    inside = members.sum(axis=0)
    same_side = np.where(members, inside, n - inside)  # (n, n_classes), with the item itself
    moved: np.ndarray = (ranked / (n - same_side) - _areas(targets, ranked)) / same_side
    macro: np.ndarray = moved.sum(axis=1) / n_classes
    return macro


def _logit_interval(share: float, variance: float, *, degrees: float) -> Interval:
    from scipy.special import expit, logit

    centre, half = logit(share), student_quantile(degrees, CONFIDENCE) * np.sqrt(variance) / (share * (1 - share))
    return Interval(round(float(expit(centre - half)), 6), round(float(expit(centre + half)), 6))
