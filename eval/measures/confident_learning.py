"""Confident learning: which labels are doubtful, by probabilities of a learner that has not seen them.

Labels and probabilities in, arrays of one figure an item out. A class is *confident* of an item where it is at least as
probable as it is on average among the items that carry it as their label. So a learner that is timid about a class is
not held to the same figure as about one that it is sure of.

    n       how many items there are
    K       how many classes
    labels  (n,) int, the label that each item carries, right or wrong
    probs   (n, K) the probability of each class; an item's own label must have had no part in them

Source:
    Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70:1373-1411,
    arXiv:1911.00068. Details that the paper leaves open are as in its authors' library, cleanlab.
"""

import numpy as np

from eval.measures.probabilities import at
from eval.measures.resampling import Groups, number_clusters
from eval.measures.stats import Interval, share_interval

NO_CLASS = -1
_ROUNDING = 1e-6  # a probability that is less by no more than this counts as equal


def class_thresholds(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Return how probable each class is on average among the items that carry it, (K,); infinite for no item."""
    n_classes = probs.shape[1]
    counts = np.bincount(labels, minlength=n_classes)
    sums = np.bincount(labels, weights=at(probs, labels), minlength=n_classes)
    thresholds: np.ndarray = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    return thresholds


def confident_classes(probs: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return the class that is confident of each item, (n,) int; NO_CLASS where none is.

    Where several are, it is the most probable class of all, as in cleanlab; the paper takes the most probable among
    the confident ones, which is nearly always the same.

    Args:
        probs: (n, K).
        thresholds: (K,) of `class_thresholds`.
    """
    reached = probs >= thresholds - _ROUNDING
    n_reached = reached.sum(axis=1)
    found = np.where(n_reached > 1, probs.argmax(axis=1), reached.argmax(axis=1))
    confident: np.ndarray = np.where(n_reached > 0, found, NO_CLASS)
    return confident


def confident_joint(labels: np.ndarray, confident: np.ndarray, n_classes: int) -> np.ndarray:
    """Count the items by their label and the class that is confident of them, (K, K) int.

    Every class counts one item at least as rightly labelled, so that a class that nobody is confident of is not taken
    for one that is wrong throughout.

    Args:
        labels: (n,).
        confident: (n,) of `confident_classes`.
        n_classes: K.
    """
    counted = confident != NO_CLASS
    cells = np.bincount(labels[counted] * n_classes + confident[counted], minlength=n_classes**2)
    counts = cells.reshape(n_classes, n_classes)
    np.fill_diagonal(counts, np.maximum(counts.diagonal(), 1))
    return counts


def calibrated_joint(joint: np.ndarray, label_counts: np.ndarray) -> np.ndarray:
    """Estimate how many items of each label are really of each class, (K, K), whose rows sum to the label's items.

    Args:
        joint: (K, K) of `confident_joint`.
        label_counts: (K,) how many items carry each label.
    """
    estimated: np.ndarray = joint / joint.sum(axis=1, keepdims=True) * label_counts[:, None]
    return estimated


def doubtful_labels(labels: np.ndarray, probs: np.ndarray, confident: np.ndarray) -> np.ndarray:
    """Say of each item whether its label is doubtful, (n,) bool.

    It is where another class is confident of the item, and the label is not the most probable class either. This is
    the set that cleanlab's `find_label_issues(filter_by="confident_learning")` returns.

    Args:
        labels: (n,).
        probs: (n, K).
        confident: (n,) of `confident_classes`.
    """
    doubtful: np.ndarray = (confident != NO_CLASS) & (confident != labels) & (probs.argmax(axis=1) != labels)
    return doubtful


def likeliest_others(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Return the most probable class of each item besides its label, (n,) int."""
    others = probs.copy()
    others[np.arange(len(labels)), labels] = -1
    found: np.ndarray = others.argmax(axis=1)
    return found


def most_doubtful_first(labels: np.ndarray, probs: np.ndarray, doubtful: np.ndarray) -> np.ndarray:
    """Return the items in the order in which they are worth a look, (n,) int.

    The doubtful ones come first, and of these, as of the others, the one whose label has the least probability: the
    paper's ranking by self-confidence, and cleanlab's.

    Args:
        labels: (n,).
        probs: (n, K).
        doubtful: (n,) of `doubtful_labels`.
    """
    order: np.ndarray = np.lexsort((at(probs, labels), ~doubtful))
    return order


def wrong_share(labels: np.ndarray, confident: np.ndarray, groups: Groups) -> tuple[float, Interval | None]:
    """Estimate the share of the items whose label is wrong, and its 95 % interval.

    Of each label the share of the confident items whose confident class is another one, weighted by the items of the
    label. The interval is about which items there are: how often the learner is confident and mistaken it cannot know.

    Args:
        labels: (n,), at least one.
        confident: (n,) of `confident_classes`.
        groups: (n,) the cluster of each item.

    Returns:
        The share, which is the part of `calibrated_joint` beside its diagonal; the interval, None for one cluster.
    """
    n_classes = max(int(labels.max()), int(confident.max())) + 1
    joint, counts = confident_joint(labels, confident, n_classes), np.bincount(labels, minlength=n_classes)
    counted = confident != NO_CLASS
    own, off = labels[counted], confident[counted] != labels[counted]
    # The items that `confident_joint` adds stand here too, each in a cluster of its own.
    added = np.flatnonzero((np.bincount(own[~off], minlength=n_classes) == 0) & (counts > 0))
    clusters, n_clusters = number_clusters(groups)
    every = np.append(own, added)
    weights = counts[every] / joint.sum(axis=1)[every]
    wrong = np.append(off, np.zeros(len(added), dtype=bool)) * weights
    interval = share_interval(wrong, weights, np.append(clusters[counted], n_clusters + np.arange(len(added))))
    return float(wrong.sum() / weights.sum()), interval
