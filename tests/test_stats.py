import math

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from sklearn.metrics import f1_score

from eval.stats import (
    Interval,
    holm,
    macro_f1_interval,
    mcnemar_midp,
    minimum_detectable_difference,
    paired_difference_interval,
    share_interval,
    wilson,
)

SIMULATIONS = 1000


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (39, 45), (1, 3), (5000, 9815)])
def test_wilson_agrees_with_scipy(successes, n):
    oracle = binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((oracle.low, oracle.high))


def test_wilson_refuses_what_is_no_proportion():
    with pytest.raises(ValueError, match="no proportion"):
        wilson(3, 2)


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (5, 5), (1, 9), (24, 1), (700, 800)])
def test_midp_is_the_exact_binomial_p_without_half_of_the_observed_point(won, lost):
    n = won + lost
    oracle = 1.0 if won == lost else 2 * binom.cdf(min(won, lost), n, 0.5) - binom.pmf(min(won, lost), n, 0.5)
    assert mcnemar_midp(won, lost) == pytest.approx(oracle)
    assert mcnemar_midp(won, lost) == mcnemar_midp(lost, won)


def test_midp_of_a_published_example():
    # Fagerland, Lydersen and Laake 2013, table 1: airway hyper-responsiveness, 1 against 7 discordant pairs
    assert mcnemar_midp(1, 7) == pytest.approx(0.0391, abs=5e-5)


def test_midp_keeps_its_level():
    rng = np.random.default_rng(5)
    discordant = rng.binomial(200, 0.3, 10_000)
    won = rng.binomial(discordant, 0.5)
    false_claims = [mcnemar_midp(int(w), int(d - w)) < 0.05 for w, d in zip(won, discordant, strict=True)]
    assert 0.04 < np.mean(false_claims) < 0.055


def test_holm_of_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("spread", [0.0, 0.15])
def test_the_cluster_interval_covers_at_eleven_passages(spread):
    """Exams have about eleven passages of four items; `spread` is how much alike the items of a passage are."""
    rng = np.random.default_rng(11)
    truth, covered = 0.6, 0
    for _ in range(SIMULATIONS):
        sizes = rng.integers(2, 7, 11)
        chances = rng.beta(truth * (1 / spread - 1), (1 - truth) * (1 / spread - 1), 11) if spread else truth
        correct = rng.random(sizes.sum()) < np.repeat(np.broadcast_to(chances, 11), sizes)
        groups = [f"passage {cluster:02}" for cluster in np.repeat(np.arange(11), sizes)]
        interval = share_interval(correct, np.ones(len(correct)), groups, resamples=1000)
        covered += interval.low <= truth <= interval.high
    assert 0.92 < covered / SIMULATIONS < 0.98


def test_intervals_hold_their_estimate_and_are_the_same_every_time():
    rng = np.random.default_rng(3)
    targets, choices = rng.integers(0, 3, 90), rng.integers(-1, 3, 90)
    groups = [f"g{place // 3}" for place in range(90)]
    f1 = f1_score(targets, choices, average="macro", labels=[0, 1, 2], zero_division=0)
    interval = macro_f1_interval(targets, choices, groups, n_classes=3)
    assert interval.low < f1 < interval.high
    assert interval == macro_f1_interval(targets, choices, groups, n_classes=3)


def test_the_order_of_items_does_not_matter():
    rng = np.random.default_rng(4)
    correct, groups = rng.random(60) < 0.5, [f"g{place // 4}" for place in range(60)]
    order = rng.permutation(60)
    shuffled = share_interval(correct[order], np.ones(60), [groups[place] for place in order])
    assert share_interval(correct, np.ones(60), groups) == shuffled


def test_all_right_is_not_certainty():
    interval = share_interval(np.ones(20), np.ones(20), [str(place) for place in range(20)])
    assert interval == pytest.approx(wilson(20, 20), abs=1e-6)


def test_one_cluster_alone_has_no_interval():
    groups = ["only"] * 5
    earned = np.array([1, 0, 1, 1, 0])
    assert share_interval(earned, np.ones(5), groups) is None
    assert share_interval(np.ones(5), np.ones(5), groups) is None
    assert paired_difference_interval(earned, np.ones(5), groups) is None


def test_paired_difference_keeps_its_coverage():
    rng = np.random.default_rng(9)
    groups = [f"{place:02}" for place in range(60)]
    covered = 0
    for _ in range(SIMULATIONS):
        gained = rng.choice([1, 0, -1], 60, p=[0.3, 0.55, 0.15])
        interval = paired_difference_interval(gained, np.ones(60), groups, resamples=1000)
        covered += interval.low <= 0.15 <= interval.high
    assert 0.93 < covered / SIMULATIONS < 0.98


def test_systems_that_never_differed_may_still_differ_a_little():
    groups = [str(place) for place in range(100)]
    interval = paired_difference_interval(np.zeros(100), np.ones(100), groups)
    assert interval == Interval(pytest.approx(-0.037, abs=1e-3), pytest.approx(0.037, abs=1e-3))
    won_all = paired_difference_interval(np.ones(100), np.ones(100), groups)
    assert 0.9 < won_all.low < won_all.high == 1.0


def test_no_items_have_no_interval():
    with pytest.raises(ValueError, match="no items"):
        share_interval(np.array([]), np.array([]), [])


@pytest.mark.parametrize("n", [45, 150, 1000])
def test_the_detectable_difference_is_found_four_times_in_five(n):
    rng = np.random.default_rng(2)
    difference = minimum_detectable_difference(n)
    won_share = (0.3 + difference) / 2
    counts = rng.multinomial(n, [won_share, 0.3 - won_share, 0.7], 3000)
    found = np.mean([mcnemar_midp(int(won), int(lost)) < 0.05 for won, lost, _ in counts])
    assert 0.75 < found < 0.85


def test_an_exam_cannot_separate_systems_ten_points_apart():
    assert minimum_detectable_difference(45) > 0.2


def test_too_few_items_find_nothing():
    assert minimum_detectable_difference(20) is None
    assert minimum_detectable_difference(1) is None


def test_more_items_find_smaller_differences():
    found = [minimum_detectable_difference(n) for n in (50, 100, 1000, 9815)]
    assert found == sorted(found, reverse=True)
    assert all(0 < one < math.inf for one in found)
