import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from eval.measures.calibration import (
    brier_scores,
    calibrate,
    calibration_error,
    calibration_error_by_chance,
    calibration_intervals,
    kept_accuracy,
    log_losses,
    reliability_bins,
)
from eval.measures.metrics import Scores, score
from eval.measures.probabilities import Probabilities, probabilities_of
from eval.measures.run_answers import answers_of
from tests.support.journaled_runs import answer, exam_item, failure, pair_item, right_where

SEEDS = st.integers(0, 10_000)


def random_probs(rng, n, n_classes):
    probs = rng.dirichlet(np.full(n_classes, 0.5), n)
    targets = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])
    return targets, probs


def made(targets, probs, choices=None, groups=None):
    groups = groups or tuple(str(place) for place in range(len(targets)))
    choices = probs.argmax(axis=1) if choices is None else choices
    return Probabilities(groups, targets, choices, probs, np.full(len(targets), probs.shape[1]), {})


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(2, 5), st.integers(5, 80))
def test_brier_and_log_loss_agree_with_scikit_learn(seed, n_classes, n):
    targets, probs = random_probs(np.random.default_rng(seed), n, n_classes)
    labels = list(range(n_classes))
    oracle = brier_score_loss(targets, probs if n_classes > 2 else probs[:, 1], labels=labels, scale_by_half=False)
    assert brier_scores(targets, probs).mean() == pytest.approx(oracle)
    assert log_losses(targets, probs).mean() == pytest.approx(log_loss(targets, probs, labels=labels))


def test_a_target_that_was_ruled_out_costs_what_it_costs_in_scikit_learn():
    targets, probs = np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]])
    assert log_losses(targets, probs).mean() == pytest.approx(log_loss(targets, probs))
    assert brier_scores(targets, probs).tolist() == [2.0, 0.0]


def test_figures_worked_out_by_hand():
    probs = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
    found = calibrate(made(np.array([0, 1, 1, 0]), probs))  # right, wrong, right, wrong
    assert found.brier == pytest.approx((0.02 + 0.72 + 0.18 + 1.28) / 4)
    assert found.log_loss == pytest.approx(-math.log(0.9 * 0.4 * 0.7 * 0.2) / 4)
    assert (found.n, found.accuracy, found.confidence) == (4, 0.5, pytest.approx(0.75))
    assert found.overconfidence == pytest.approx(0.25)
    assert found.ece == pytest.approx(0.25)  # four items make a single bin
    # in order of confidence: right, wrong, right, wrong
    assert found.aurc == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)
    assert [(one.n, one.accuracy) for one in found.selective] == [
        (1, 1.0),
        (2, 0.5),
        (3, pytest.approx(2 / 3)),
        (4, 0.5),
    ]


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(20, 400))
def test_ece_is_that_of_equal_parts_of_the_sorted_items(seed, n):
    rng = np.random.default_rng(seed)
    confidence = rng.permutation(np.linspace(0.2, 0.99, n))  # no ties
    correct = rng.random(n) < confidence
    bins = reliability_bins(confidence, correct)
    assert max(one.n for one in bins) - min(one.n for one in bins) <= 1
    order, start, oracle = np.argsort(confidence), 0, 0.0
    for one in bins:
        part = order[start : start + one.n]
        assert one.accuracy == pytest.approx(correct[part].mean())
        assert one.confidence == pytest.approx(confidence[part].mean())
        oracle += len(part) / n * abs(correct[part].mean() - confidence[part].mean())
        start += one.n
    assert start == n
    assert calibration_error(bins) == pytest.approx(oracle)


@pytest.mark.parametrize(("n", "bins"), [(3, 1), (45, 4), (150, 15), (9815, 15)])
def test_a_bin_holds_ten_items_where_there_are_so_many(n, bins):
    confidence = np.linspace(0.2, 0.99, n)
    assert len(reliability_bins(confidence, confidence > 0.5)) == bins


def test_items_of_one_confidence_are_one_bin():
    correct = np.arange(1000) % 5 == 0
    (alone,) = reliability_bins(np.full(1000, 0.2), correct)  # a guesser's
    assert (alone.n, alone.accuracy, alone.confidence) == (1000, 0.2, pytest.approx(0.2))


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_aurc_is_the_mean_over_every_order_of_ties(seed):
    rng = np.random.default_rng(seed)
    confidence, correct = rng.integers(1, 4, 6) / 4, rng.random(6) < 0.5
    orders = [
        order
        for order in itertools.permutations(range(6))
        if all(confidence[a] >= confidence[b] for a, b in itertools.pairwise(order))
    ]
    curves = [np.cumsum(correct[list(order)]) / np.arange(1, 7) for order in orders]
    assert kept_accuracy(confidence, correct) == pytest.approx(np.mean(curves, axis=0))


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_the_order_of_items_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    targets, probs = random_probs(rng, 60, 3)
    probs = np.round(probs, 1) + 0.1  # ties
    probs /= probs.sum(axis=1, keepdims=True)
    order = rng.permutation(60)
    one, other = calibrate(made(targets, probs)), calibrate(made(targets[order], probs[order]))
    assert (one.ece, one.aurc, one.ece_if_calibrated) == pytest.approx((other.ece, other.aurc, other.ece_if_calibrated))
    assert [part.accuracy for part in one.selective] == pytest.approx([part.accuracy for part in other.selective])
    assert [part.n for part in one.bins] == [part.n for part in other.bins]


@pytest.mark.parametrize("n", [45, 500, 5000])
def test_a_calibrated_system_has_the_error_that_is_said_to_be_chance(n):
    rng = np.random.default_rng(6)
    confidence = rng.beta(4, 2, n)
    found = [calibration_error(reliability_bins(confidence, rng.random(n) < confidence)) for _ in range(300)]
    assert calibration_error_by_chance(confidence) == pytest.approx(np.mean(found), rel=0.06)


def test_too_sure_and_too_timid_show_in_sign_and_interval():
    rng = np.random.default_rng(8)
    targets = rng.integers(0, 3, 600)
    right = rng.random(600) < 0.6
    choices = np.where(right, targets, (targets + 1) % 3)
    for claimed, sign in ((0.9, 1), (0.45, -1)):
        probs = np.full((600, 3), (1 - claimed) / 2)
        probs[np.arange(600), choices] = claimed + rng.uniform(-0.02, 0.02, 600)
        probs /= probs.sum(axis=1, keepdims=True)
        system = made(targets, probs, groups=tuple(str(place // 3) for place in range(600)))
        low, high = calibration_intervals(system)["overconfidence"]
        found = calibrate(system)
        assert low < found.overconfidence < high
        assert sign * low > 0 and sign * high > 0
        assert found.ece > 2 * found.ece_if_calibrated


def test_only_records_with_probabilities_count_and_their_number_is_said():
    items = [pair_item(number) for number in range(6)]
    with_probs = [
        answer(item, "s", 0, probs=(0.5, 0.3, 0.2), probs_source="softmax" if item.id.endswith("1") else None)
        for item in items[:3]
    ]
    scores = score(
        answers_of([*with_probs, answer(items[3], "s", 0), answer(items[4], "s", None), failure(items[5], "s")])
    )
    assert scores.n == 6
    assert scores.calibration.n == 3
    assert scores.calibration.sources == {"softmax": 1, "unknown": 2}
    assert score(answers_of([answer(items[3], "s", 0)])).calibration is None


def test_an_unread_answer_is_wrong_at_its_highest_probability():
    item = pair_item(0)
    found = score(answers_of([answer(item, "s", None, probs=(0.7, 0.2, 0.1))])).calibration
    assert (found.accuracy, found.confidence) == (0.0, 0.7)


def test_the_confidence_is_that_of_the_choice_not_of_the_likeliest():
    item = pair_item(0)
    found = score(answers_of([answer(item, "s", 1, probs=(0.7, 0.2, 0.1))])).calibration
    assert found.confidence == 0.2


def test_items_may_have_different_numbers_of_choices():
    pair, exam = pair_item(0), exam_item(5)
    records = [
        answer(pair, "s", 0, probs=(0.5, 0.3, 0.2)),
        answer(exam, "s", right_where(exam, True), probs=(0.6, 0.1, 0.1, 0.1, 0.1)),
    ]
    given_probs = probabilities_of(answers_of(records))
    assert given_probs.probs.shape == (2, 5)
    assert brier_scores(given_probs.targets, given_probs.probs) == pytest.approx([0.38, 0.2])


def test_a_summary_of_an_older_version_is_still_read():
    scores = score(answers_of([answer(pair_item(0), "s", 0, probs=(0.5, 0.3, 0.2))]))
    older = scores.model_dump(mode="json", exclude={"calibration"})
    assert Scores.model_validate(older).calibration is None
    assert Scores.model_validate_json(scores.model_dump_json()) == scores


def test_ten_thousand_items_take_no_time():
    rng = np.random.default_rng(1)
    system = made(*random_probs(rng, 10_000, 3))
    start = time.process_time()
    calibrate(system)
    assert time.process_time() - start < 1
