"""Confident learning against its authors' library, on an example worked by hand, and on noise that is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.measures.confident_learning import (
    NO_CLASS,
    calibrated_joint,
    class_thresholds,
    confident_classes,
    confident_joint,
    doubtful_labels,
    most_doubtful_first,
    wrong_share,
)


def drawn(seed: int, *, n: int = 300, n_classes: int = 4, sharp: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels, of which some are wrong, and the probabilities of a learner that mostly knows better."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n)
    logits = rng.normal(size=(n, n_classes)) + sharp * np.eye(n_classes)[truth] * rng.uniform(0, 1, (n, 1))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.where(rng.uniform(size=n) < 0.1, rng.integers(0, n_classes, n), truth)
    labels[:n_classes] = np.arange(n_classes)  # every class has an item, as cleanlab wants
    return labels, probs


@given(seed=st.integers(0, 10**6), n=st.integers(8, 200), n_classes=st.integers(2, 8), sharp=st.floats(0.1, 8))
def test_the_joint_the_doubtful_labels_and_their_order_are_those_of_cleanlab(
    seed: int, n: int, n_classes: int, sharp: float
) -> None:
    count, filtering = pytest.importorskip("cleanlab.count"), pytest.importorskip("cleanlab.filter")
    labels, probs = drawn(seed, n=n, n_classes=n_classes, sharp=sharp)
    confident = confident_classes(probs, class_thresholds(labels, probs))
    joint = confident_joint(labels, confident, n_classes)
    assert (joint == count.compute_confident_joint(labels, probs, calibrate=False)).all()
    calibrated = calibrated_joint(joint, np.bincount(labels, minlength=n_classes))
    theirs = count.compute_confident_joint(labels, probs)  # rounded to whole items
    assert (np.abs(calibrated - theirs) <= 1).all()
    found = doubtful_labels(labels, probs, confident)
    assert (found == filtering.find_label_issues(labels, probs, filter_by="confident_learning")).all()
    order = most_doubtful_first(labels, probs, found)
    ranked = filtering.find_label_issues(
        labels, probs, filter_by="confident_learning", return_indices_ranked_by="self_confidence"
    )
    assert order[: found.sum()].tolist() == ranked.tolist() and sorted(order) == list(range(n))


def test_an_example_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.4, 0.6], [0.45, 0.55]])
    thresholds = class_thresholds(labels, probs)
    assert thresholds == pytest.approx([0.6, 1.85 / 3])  # means of .9 .8 .1, and of .7 .6 .55
    confident = confident_classes(probs, thresholds)
    assert confident.tolist() == [0, 0, 1, 1, NO_CLASS, NO_CLASS]
    joint = confident_joint(labels, confident, 2)
    assert joint.tolist() == [[2, 1], [0, 1]]
    assert calibrated_joint(joint, np.array([3, 3])).tolist() == [[2, 1], [0, 3]]
    assert doubtful_labels(labels, probs, confident).tolist() == [False, False, True, False, False, False]
    share, interval = wrong_share(labels, confident, np.arange(6))
    assert share == pytest.approx(1 / 6) and interval is not None and interval.low < 1 / 6 < interval.high


@given(seed=st.integers(0, 10**6), n_classes=st.integers(2, 6))
def test_the_share_of_wrong_labels_is_the_joint_s_part_beside_its_diagonal(seed: int, n_classes: int) -> None:
    labels, probs = drawn(seed, n=60, n_classes=n_classes, sharp=0.5)
    confident = confident_classes(probs, class_thresholds(labels, probs))
    estimated = calibrated_joint(
        confident_joint(labels, confident, n_classes), np.bincount(labels, minlength=n_classes)
    )
    share, interval = wrong_share(labels, confident, np.arange(60))
    assert share == pytest.approx(1 - np.trace(estimated) / 60)
    assert interval is not None and interval.low <= share <= interval.high


def test_a_class_without_items_or_without_confidence_is_not_called_wrong() -> None:
    labels = np.array([0, 0, 1, 1])
    probs = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.9, 0.1, 0.0]])
    thresholds = class_thresholds(labels, probs)
    assert thresholds.tolist() == [0.9, 0.1, np.inf]
    share, _ = wrong_share(labels, confident_classes(probs, thresholds), np.arange(4))
    assert share == pytest.approx(2 / 3 * 2 / 4)  # of label 1 two are confident to be 0, and one is added as right
    nobody = np.full(4, NO_CLASS)
    assert wrong_share(labels, nobody, np.arange(4))[0] == 0


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.1])
def test_known_noise_is_estimated_and_its_interval_covers_it(noise: float) -> None:
    covered, estimates = 0, []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 5, 1000)
        wrong = rng.uniform(size=1000) < noise
        labels = np.where(wrong, (truth + rng.integers(1, 5, 1000)) % 5, truth)
        probs = np.full((1000, 5), 0.02) + 0.9 * np.eye(5)[truth]  # a learner that is always right
        confident = confident_classes(probs, class_thresholds(labels, probs))
        share, interval = wrong_share(labels, confident, np.arange(1000))
        estimates.append(share)
        assert interval is not None
        covered += interval.low <= noise <= interval.high
    assert np.mean(estimates) == pytest.approx(noise, abs=0.003)
    assert covered >= 90


def test_items_of_one_group_count_together() -> None:
    labels, probs = drawn(3, n=200)
    confident = confident_classes(probs, class_thresholds(labels, probs))
    _, alone = wrong_share(labels, confident, np.arange(200))
    _, grouped = wrong_share(np.repeat(labels, 4), np.repeat(confident, 4), np.repeat(np.arange(200), 4))
    assert alone is not None and grouped is not None
    assert grouped == pytest.approx(alone, abs=0.01)
