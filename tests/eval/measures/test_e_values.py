"""E-values against closed forms and other integrals; and intervals that are kept however often one looks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betaln

from eval.measures.e_values import adjusted, difference_interval, evidence, share_interval_at_any_time, stakes

ONES = np.ones(2000, dtype=np.int64)


def steps(rng: np.random.Generator, n: int, *, discordant: float, difference: float = 0.0) -> np.ndarray:
    shares = [(discordant - difference) / 2, 1 - discordant, (discordant + difference) / 2]
    return rng.choice([-1.0, 0.0, 1.0], p=shares, size=n)


def test_single_items_are_a_mixture_of_beta_binomials() -> None:
    gains = steps(np.random.default_rng(1), 2000, discordant=0.5, difference=0.05)
    won, lost = (gains > 0).cumsum(), (gains < 0).cumsum()

    def mixture(a: float) -> np.ndarray:
        return np.exp((won + lost) * math.log(2) + betaln(a + won, a + lost) - betaln(a, a))

    found = evidence(gains, ONES, largest=1, margin=0.02)
    assert found.more + found.less == pytest.approx(0.8 * mixture(10) + 0.2 * mixture(1), rel=1e-9)


def test_groups_and_margins_agree_with_another_integration() -> None:
    rng = np.random.default_rng(2)
    sizes = rng.integers(1, 4, 60)
    gains = np.array([rng.integers(-size, size + 1) for size in sizes], dtype=np.float64)
    returns = -(gains - 0.03 * sizes) / (3 * 0.97)
    capital, _ = quad(lambda u: float(np.prod(1 + u * returns)), 0, 1)  # at three items a group all stakes are alike
    others, _ = quad(lambda u: float(np.prod(1 + u * (gains + 0.03 * sizes) / (3 * 0.97))), 0, 1)
    found = evidence(gains, sizes, largest=3, margin=0.03)
    assert found.within[-1] == pytest.approx(min(capital, others) / 2, rel=1e-9)


@pytest.mark.parametrize("largest", [1, 2, 3, 50])
def test_half_of_the_money_is_bet_on_each_side(largest: int) -> None:
    u, money = stakes(largest)
    assert money.sum() == pytest.approx(0.5)
    assert (money > 0).all() and (u > 0).all() and (u < 1).all()


def test_an_interval_ends_where_the_bets_are_worth_twenty() -> None:
    gains = steps(np.random.default_rng(3), 700, discordant=0.2, difference=0.08)
    interval = difference_interval(gains, ONES[:700], largest=1)
    assert interval.low < gains.mean() < interval.high
    u, money = stakes(1)
    for sign, end in ((1, interval.low), (-1, interval.high)):
        returns = sign * (gains - end) / (1 + sign * end)
        assert float(money @ np.prod(1 + np.outer(u, returns), axis=1)) == pytest.approx(20, rel=1e-2)
    assert difference_interval(-gains, ONES[:700], largest=1) == pytest.approx((-interval.high, -interval.low))
    assert evidence(gains, ONES[:700], largest=1, margin=0.0).more[-1] >= 20 and interval.low > 0


def test_few_items_leave_everything_open() -> None:
    nothing = np.zeros(0)
    assert difference_interval(nothing, nothing, largest=5) == (-1, 1)
    low, high = share_interval_at_any_time(np.array([1.0]), np.array([1]), largest=1)
    assert 0 < low < 0.2 and high == 1


def test_two_systems_that_never_differ_are_soon_within_a_margin() -> None:
    found = evidence(np.zeros(500), ONES[:500], largest=1, margin=0.02)
    assert 150 < int((found.within >= 20).argmax()) < 450
    assert found.more == pytest.approx(0.5)


def test_bets_that_could_lose_more_than_there_is_are_refused() -> None:
    with pytest.raises(ValueError, match="no bets"):
        evidence(np.array([2.0]), np.array([1]), largest=1, margin=0.0)
    with pytest.raises(ValueError, match="no bets"):
        evidence(np.array([1.0]), np.array([2]), largest=1, margin=0.0)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=6))
def test_an_adjusted_e_value_is_the_smallest_mean_of_the_sets_that_it_is_in(values: list[float]) -> None:
    found, n = adjusted(np.array(values)), len(values)
    for place, one in enumerate(found):
        means = [
            np.mean([values[other] for other in range(n) if chosen >> other & 1])
            for chosen in range(2**n)
            if chosen >> place & 1
        ]
        assert one == pytest.approx(min(means))
        assert one >= values[place] / n - 1e-9


def test_intervals_hold_at_all_times_at_once() -> None:
    rng, missed, looks = np.random.default_rng(4), 0, (20, 50, 120, 300)
    for _ in range(100):
        gains = steps(rng, 300, discordant=0.3, difference=0.1)
        found = [difference_interval(gains[:n], ONES[:n], largest=1) for n in looks]
        missed += any(not low <= 0.1 <= high for low, high in found)
    assert missed <= 0.05 * 100 + 2 * math.sqrt(0.05 * 0.95 * 100)


def test_capital_beyond_all_measure_can_still_be_lost() -> None:
    gains = np.concatenate([np.ones(3000), -np.ones(3000)])
    found = evidence(gains, np.ones(6000, dtype=np.int64), largest=1, margin=0.02)
    for values in found:
        assert np.isfinite(values).all()
    assert found.more.max() > 1e100 and found.more[-1] < 20
