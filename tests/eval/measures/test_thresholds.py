"""Thresholds of confidence: every rule against a brute force, and promises that are kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from eval.measures.thresholds import (
    ALL_ALONE,
    NONE_ALONE,
    WITHOUT,
    binomial_tail,
    by_cost,
    by_share,
    cross_fitted,
    cuts,
    folds,
    most_right,
    promised,
    without_loss,
)

LEVELS = [WITHOUT, 0.0, 0.25, 0.5, 0.5000000000000001, 0.75, 1.0]  # ties, none at all, and two that hardly differ
ITEMS = st.lists(
    st.tuples(st.sampled_from(LEVELS), st.booleans(), st.booleans(), st.floats(0, 3), st.floats(0, 9)), min_size=1
)


def columns(items: list[tuple[float, bool, bool, float, float]]) -> list[np.ndarray]:
    return [np.array(column) for column in zip(*items, strict=True)]


def every_cut(confidence: np.ndarray) -> list[np.ndarray]:
    """Return which items are answered alone, for every threshold that there is, the highest first."""
    levels = sorted({one for one in confidence.tolist() if one >= 0}, reverse=True)
    return [confidence > 1, *(confidence >= level for level in levels)]


@given(ITEMS)
def test_cuts_are_all_there_are_and_ties_stay_together(items) -> None:
    confidence, *_ = columns(items)
    found = cuts(confidence)
    expected = every_cut(confidence)
    assert found.counts.tolist() == [int(alone.sum()) for alone in expected]
    for threshold, alone in zip(found.thresholds, expected, strict=True):
        assert ((confidence >= threshold) == alone).all()


@given(ITEMS, st.floats(0, 1), st.floats(0, 12))
def test_rules_are_those_of_a_brute_force(items, share, usd) -> None:
    confidence, right, other, first_usd, second_usd = columns(items)
    ways, n = every_cut(confidence), len(confidence)
    gained = right.astype(int) - other

    def alone_at(threshold: float) -> list[bool]:
        return (confidence >= threshold).tolist()

    passed = next((way for way in ways if (~way).sum() / n <= share + 1e-12), ways[-1])
    assert alone_at(by_share(confidence, share)) == passed.tolist()
    costs = [(first_usd.sum() + second_usd[~way].sum()) / n for way in ways]
    cheap = next((way for way, cost in zip(ways, costs, strict=True) if cost <= usd * (1 + 1e-9)), ways[-1])
    if not any(abs(cost - usd) <= 1e-6 * max(usd, 1) for cost in costs):
        assert alone_at(by_cost(confidence, first_usd, second_usd, usd)) == cheap.tolist()
    totals = [gained[way].sum() for way in ways]
    assert gained[confidence >= without_loss(confidence, gained)].sum() >= 0
    assert (
        alone_at(without_loss(confidence, gained))
        == [way for way, t in zip(ways, totals, strict=True) if t >= 0][-1].tolist()
    )
    assert gained[confidence >= most_right(confidence, gained)].sum() == max(totals)


@settings(max_examples=50)
@given(st.integers(0, 400), st.integers(0, 400), st.floats(0.001, 0.999))
def test_the_binomial_tail_is_that_of_scipy(errors, n, share) -> None:
    assert binomial_tail(errors, n, share) == pytest.approx(binom.cdf(errors, n, share), rel=1e-7, abs=1e-12)


def surest_first(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-confidence)
    return -confidence[order], np.cumsum(right[order]) / np.arange(1, len(order) + 1)


def kept_and_answered(draw, n: int, accuracy: float, splits: int) -> tuple[float, float]:
    """Choose on samples, and say how often the promise holds in the population, and how much is answered alone."""
    falling, truth = surest_first(*draw(200_000))
    kept, answered = 0, 0.0
    for _ in range(splits):
        confidence, right = draw(n)
        threshold = promised(confidence, right, np.arange(n), accuracy)
        alone = np.searchsorted(falling, -threshold, side="right")
        kept += bool(alone == 0 or truth[alone - 1] >= accuracy)
        answered += alone / len(falling)
    return kept / splits, answered / splits


@pytest.mark.parametrize(("n", "accuracy"), [(300, 0.9), (1000, 0.95)])
def test_a_promise_is_kept_in_95_of_100_of_1000_random_splits(n, accuracy) -> None:
    rng = np.random.default_rng(5)

    def draw(size: int) -> tuple[np.ndarray, np.ndarray]:
        confidence = rng.beta(4, 1, size)
        return confidence, rng.random(size) < confidence**1.2  # it claims somewhat too much

    kept, answered = kept_and_answered(draw, n, accuracy, 1000)
    assert kept >= 0.95
    assert answered > 0.04  # a promise of nothing would be kept always


def test_a_promise_is_kept_where_items_share_context() -> None:
    """Items of ten are right together, more often than not; taken as independent, they would promise too much."""
    rng = np.random.default_rng(6)

    def draw(n_groups: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        sure, luck = rng.beta(6, 1, 10 * n_groups), rng.random(n_groups).repeat(10)
        right = np.where(rng.random(10 * n_groups) < 0.95, luck, rng.random(10 * n_groups)) < sure
        return sure, right, np.arange(n_groups).repeat(10)

    falling, truth = surest_first(*draw(40_000)[:2])
    kept = {"groups": 0, "ignored": 0}
    for _ in range(120):
        confidence, right, groups = draw(60)
        for name, clusters in (("groups", groups), ("ignored", np.arange(len(groups)))):
            alone = np.searchsorted(falling, -promised(confidence, right, clusters, 0.9), side="right")
            kept[name] += bool(alone == 0 or truth[alone - 1] >= 0.9)
    assert kept["groups"] >= 114 > kept["ignored"]


def test_what_cannot_be_promised_is_not() -> None:
    rng = np.random.default_rng(7)
    confidence, right = rng.random(500), rng.random(500) < 0.5
    assert promised(confidence, right, np.arange(500), 0.9) == NONE_ALONE
    assert promised(confidence[:10], np.ones(10, dtype=bool), np.arange(10), 0.9) == NONE_ALONE  # too few
    assert promised(confidence, np.ones(500, dtype=bool), np.zeros(500), 0.9) == NONE_ALONE  # one cluster
    assert promised(confidence, np.ones(500, dtype=bool), np.arange(500), 0.9) == ALL_ALONE


def test_a_threshold_is_never_chosen_on_the_cluster_that_it_is_used_on() -> None:
    groups = np.array([f"g{number // 3}" for number in range(60)])
    seen: list[set[str]] = []

    def rule(places: np.ndarray) -> float:
        seen.append(set(groups[places]))
        return float(len(seen)) / 100

    alone = cross_fitted(rule, np.linspace(0, 1, 60), groups)
    part = folds(groups)
    assert len(seen) == 5 and alone.any()
    for number, looked_at in enumerate(seen):
        assert not looked_at & set(groups[part == number])
        assert looked_at | set(groups[part == number]) == set(groups)
    shuffled = np.random.default_rng(1).permutation(60)
    assert (folds(groups[shuffled]) == part[shuffled]).all()  # the order of the items decides nothing
    with pytest.raises(ValueError, match="one cluster"):
        cross_fitted(rule, np.ones(3), np.zeros(3))
