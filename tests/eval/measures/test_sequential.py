"""Decisions on pairs: never more false ones than promised, whenever one looks, and never undone by what comes later."""

import math

import numpy as np

from eval.measures.sequential import Drawn, PairGains, PairTest, pair_gains, pair_interval, pair_tests

SINGLE = Drawn(seed=1, largest=1, margin=0.02)


def right(rng: np.random.Generator, n_systems: int, n_items: int, *, alike: float = 0.7) -> np.ndarray:
    """(n_systems, n_items) of systems that are equally good, and answer an item as all others do with some chance."""
    shared, own = rng.random(n_items) < 0.6, rng.random((n_systems, n_items)) < 0.6
    return np.where(rng.random((n_systems, n_items)) < alike, shared, own).astype(np.float64)


def all_pairs(answers: np.ndarray, drawn: Drawn = SINGLE, ranks: np.ndarray | None = None) -> list[PairTest]:
    n_systems, n_items = answers.shape
    ranks = np.arange(n_items) if ranks is None else ranks
    pairs = [(a, b) for a in range(n_systems) for b in range(a)]
    more = {"n_groups": int(ranks.max()) + 1}
    return pair_tests([pair_gains(answers[a], answers[b], ranks, **more) for a, b in pairs], drawn)


def test_systems_that_differ_by_the_margin_are_seldom_told_equal() -> None:
    rng, false, runs = np.random.default_rng(4), 0, 60
    for _ in range(runs):
        gains = rng.choice([-1.0, 0.0, 1.0], p=[0.005, 0.97, 0.025], size=1500)
        (found,) = pair_tests([PairGains(gains, np.ones(1500, dtype=np.int64))], SINGLE)
        false += found.decided in ("equal", "b")
    assert false <= 0.05 * runs + 2 * math.sqrt(0.05 * 0.95 * runs)


def test_what_comes_after_a_decision_does_not_undo_it() -> None:
    rng = np.random.default_rng(6)
    answers = right(rng, 4, 400, alike=0.5)
    answers[0, :250] = rng.random(250) < 0.9  # by then it is the best, and then it fails
    answers[0, 250:] = 0
    known: list[PairTest] = []
    for n in range(50, 401, 50):
        found = all_pairs(answers[:, :n])
        for before, now in zip(known, found, strict=False):
            assert before.decided is None or (before.decided, before.n_decided) == (now.decided, now.n_decided)
            assert now.p <= before.p and now.p_adjusted <= before.p_adjusted
        known = found
    assert {one.decided for one in known} >= {"b"}  # b is the system of the smaller number


def test_a_pair_that_is_decided_has_an_interval_without_zero_and_one_that_is_equal_within_the_margin() -> None:
    rng = np.random.default_rng(7)
    better = rng.choice([-1.0, 0.0, 1.0], p=[0.05, 0.75, 0.2], size=600)
    same = rng.choice([-1.0, 0.0, 1.0], p=[0.005, 0.99, 0.005], size=1500)
    sizes = np.ones(1500, dtype=np.int64)
    pair = PairGains(better, sizes[:600])
    (found,) = pair_tests([pair], SINGLE)
    assert found.decided == "a" and found.p <= found.p_adjusted < 0.05
    assert pair_interval(pair, found, SINGLE).low > 0
    pair = PairGains(same, sizes)
    (found,) = pair_tests([pair], SINGLE)
    low, high = pair_interval(pair, found, SINGLE)
    assert found.decided == "equal" and -0.02 < low < 0 < high < 0.02


def test_items_that_one_of_two_did_not_answer_bet_nothing() -> None:
    a, b = np.array([1, np.nan, 0, 1.0]), np.array([0, 1, np.nan, 0.0])
    found = pair_gains(a, b, np.array([1, 0, 0, 1]), n_groups=3)
    assert found.gains.tolist() == [0, 2, 0] and found.sizes.tolist() == [0, 2, 0]


def test_the_order_is_drawn_by_the_seed_and_is_that_of_any_part() -> None:
    names = [f"g{number}" for number in range(50)]
    order = SINGLE.order(names)
    assert sorted(order) == sorted(names) and order != names
    assert order != SINGLE._replace(seed=2).order(names)
    assert SINGLE.order(names[:20]) == [name for name in order if name in names[:20]]
    assert SINGLE.ranks(["x", "y", "x"]).tolist() in ([0, 1, 0], [1, 0, 1])


def test_no_pairs_are_nothing_to_test() -> None:
    assert pair_tests([], SINGLE) == []
