"""The area under the ROC curve against scikit-learn, its interval against DeLong's variance and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

from eval.measures.auc import area_interval, roc_auc

SIMULATIONS = 500


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(0, 10_000))
def test_the_area_is_scikit_learns_with_ties(n_classes, seed):
    targets, probs = draw_tied(n_classes, seed)
    binary = n_classes == 2
    oracle = roc_auc_score(targets, probs[:, 1]) if binary else roc_auc_score(targets, probs, multi_class="ovr")
    assert roc_auc(targets, probs) == pytest.approx(oracle)


@pytest.mark.parametrize("seed", range(8))
def test_two_classes_of_independent_items_have_delongs_variance_and_welchs_degrees(seed):
    targets, probs = draw_tied(2, seed)
    positive, negative = probs[targets == 1, 1], probs[targets == 0, 1]
    wins = (positive[:, None] > negative) + (positive[:, None] == negative) / 2  # every pair
    parts = wins.mean(axis=1).var(ddof=1) / len(positive), wins.mean(axis=0).var(ddof=1) / len(negative)
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / (len(positive) - 1) + parts[1] ** 2 / (len(negative) - 1))
    area = wins.mean()
    low, high = (on_logit_scale(end) for end in area_interval(targets, probs, own_clusters(len(targets))))
    assert (low + high) / 2 == pytest.approx(on_logit_scale(area), abs=1e-4)
    reach = student.ppf(0.975, min(degrees, len(targets) - 1)) * math.sqrt(sum(parts)) / (area * (1 - area))
    assert (high - low) / 2 == pytest.approx(reach, abs=1e-4)


def test_a_fold_of_copies_says_no_more_than_one_where_the_copies_are_a_cluster():
    targets, probs = draw_tied(3, 1)
    groups = own_clusters(len(targets))
    copied = area_interval(np.tile(targets, 5), np.tile(probs, (5, 1)), groups * 5)
    assert copied == pytest.approx(area_interval(targets, probs, groups), abs=1e-6)


@pytest.mark.parametrize(("n", "n_clusters"), [(45, 45), (45, 11), (30, 5), (120, 40)])
@pytest.mark.parametrize("signal", [0.55, 1.35, 2.1])
def test_the_interval_covers(n, n_clusters, signal):
    """Areas of 0.68, 0.89 and 0.97; a third of what blurs an item's logits is shared by its cluster."""
    truth = roc_auc(*simulated(np.random.default_rng(0), 100_000, np.arange(100_000), signal))
    rng, clusters = np.random.default_rng(1), np.sort(np.arange(n) % n_clusters)
    groups = [f"g{cluster:03}" for cluster in clusters]
    spans = [area_interval(*simulated(rng, n, clusters, signal), groups) for _ in range(SIMULATIONS)]
    given_spans = [span for span in spans if span is not None]
    assert len(given_spans) > 0.85 * SIMULATIONS  # the others rank all items rightly
    assert 0.925 < np.mean([low <= truth <= high for low, high in given_spans]) < 0.99


def test_there_is_no_interval_without_an_area_or_without_spread():
    targets = np.arange(30) % 3
    groups = own_clusters(30)
    assert area_interval(targets, np.eye(3)[targets], groups) is None  # all ranked rightly: not certain for all that
    assert area_interval(targets, np.full((30, 3), 1 / 3), groups) is None  # all tied
    binary = np.arange(30) % 2
    assert roc_auc(binary, np.eye(2)[1 - binary]) == 0.0
    assert area_interval(binary, np.eye(2)[1 - binary], groups) is None
    _, probs = draw_tied(3, 2)
    assert roc_auc(np.arange(33) % 2, probs) is None
    assert area_interval(np.arange(33) % 2, probs, own_clusters(33)) is None


@pytest.mark.parametrize(("holding", "known"), [(1, False), (2, False), (3, True)])
def test_a_class_that_hardly_any_cluster_holds_has_no_interval(holding, known):
    rng = np.random.default_rng(3)
    clusters = np.arange(60) % 20
    targets = np.where(clusters < holding, 2, rng.integers(0, 2, 60))
    probs = rng.dirichlet(np.ones(3), 60)
    assert (area_interval(targets, probs, [f"g{cluster}" for cluster in clusters]) is not None) == known


def test_an_area_close_to_one_has_an_interval_within_it():
    targets = np.repeat([0, 1], 5000)
    scores = np.concatenate([np.linspace(0, 0.51, 5000), np.linspace(0.5, 1, 5000)])
    low, high = area_interval(targets, np.stack([1 - scores, scores], axis=1), own_clusters(10_000))
    assert 0.99 < low < roc_auc(targets, np.stack([1 - scores, scores], axis=1)) < high < 1


def draw_tied(n_classes, seed):
    """Return targets with every class and probabilities of few values."""
    rng = np.random.default_rng(seed)
    targets = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, 30)])
    probs = rng.integers(1, 5, (len(targets), n_classes)).astype(float)
    return targets, probs / probs.sum(axis=1, keepdims=True)


def simulated(rng, n, clusters, signal):
    """Return targets and probabilities; the logit of an item's target is blurred by its cluster too."""
    targets = rng.integers(0, 3, n)
    logits = rng.standard_normal((n, 3))
    shared = rng.standard_normal(clusters.max() + 1)[clusters]
    of_target = logits[np.arange(n), targets]
    logits[np.arange(n), targets] = signal + math.sqrt(1 / 3) * shared + math.sqrt(2 / 3) * of_target
    exponentials = np.exp(logits)
    return targets, exponentials / exponentials.sum(axis=1, keepdims=True)


def own_clusters(n):
    return [f"item {place:05}" for place in range(n)]


def on_logit_scale(share):
    return math.log(share / (1 - share))


def test_probabilities_that_are_no_numbers_have_no_area() -> None:
    targets, probs = np.array([0, 1, 0, 1]), np.array([[0.9, 0.1], [np.nan, 0.5], [0.6, 0.4], [0.2, 0.8]])
    assert roc_auc(targets, probs) is None and area_interval(targets, probs, list("abcd")) is None
