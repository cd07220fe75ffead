import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm
from sklearn.metrics import f1_score

from eval.measures.paired_tests import holm, mcnemar_midp
from eval.measures.stats import (
    Interval,
    bootstrap_interval,
    macro_f1_interval,
    mean_interval,
    paired_difference_interval,
    share_interval,
    wilson,
)

SIMULATIONS = 2000
PASSAGES = (3, 6, 4, 4, 4, 5, 4, 4, 3, 5, 3)  # items of each passage of the 2023 exam


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


@pytest.mark.parametrize(("n", "discordance"), [(150, 0.3), (200, 0.3), (500, 0.15), (1000, 0.3), (9815, 0.1)])
def test_midp_keeps_its_level(n, discordance):
    assert 0.04 < false_claims(n, discordance) < 0.055


@pytest.mark.parametrize(("n", "discordance"), [(45, 0.3), (45, 0.55), (45, 0.1), (20, 0.3), (150, 0.03)])
def test_midp_is_timid_rather_than_bold_on_few_discordant_items(n, discordance):
    """An exam has 4 to 25 of them: p takes few values there, and the next one below 5 % may be far below."""
    assert false_claims(n, discordance) < 0.055


def test_midp_hardly_ever_claims_anything_of_two_discordant_items():
    assert false_claims(20, 0.1) < 0.01


def false_claims(n, discordance, simulations=10_000):
    """The share of simulated pairs of equal systems that the paired test calls different at the 5 % level."""
    rng = np.random.default_rng(5)
    discordant = rng.binomial(n, discordance, simulations)
    won = rng.binomial(discordant, 0.5)
    pairs, counts = np.unique(np.stack([won, discordant - won]), axis=1, return_counts=True)
    found = [mcnemar_midp(int(ours), int(theirs)) < 0.05 for ours, theirs in pairs.T]
    return counts[found].sum() / simulations


def test_holm_of_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("truth", [0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("alike", [0.0, 0.1, 0.3])
def test_the_cluster_interval_covers_at_eleven_passages(truth, alike):
    """`alike` is the correlation of the answers to one passage's items, whose numbers are those of a real exam."""
    assert 0.93 < coverage(truth, alike, PASSAGES) < 0.97


@pytest.mark.parametrize("truth", [0.9, 0.95])
def test_the_cluster_interval_errs_on_the_wide_side_near_all_right(truth):
    assert all(0.93 < coverage(truth, alike, PASSAGES) < 0.985 for alike in (0.0, 0.1, 0.3))


def test_plain_wilson_would_be_too_narrow_where_passages_matter():
    rng = np.random.default_rng(12)
    correct = answers_by_passage(rng, 0.6, 0.3, PASSAGES)
    spans = [wilson(row.sum(), row.size) for row in correct]
    assert np.mean([low <= 0.6 <= high for low, high in spans]) < 0.87


def test_the_cluster_interval_covers_points_of_two_sizes():
    rng = np.random.default_rng(13)
    groups, points = passage_names(PASSAGES), np.where(np.arange(sum(PASSAGES)) % 4 == 0, 3.0, 2.0)
    correct = answers_by_passage(rng, 0.6, 0.15, PASSAGES)
    spans = [share_interval(row * points, points, groups) for row in correct]
    assert 0.93 < np.mean([low <= 0.6 <= high for low, high in spans]) < 0.97


@pytest.mark.parametrize("passages", [(9,) * 5, (10,) * 3, (1,) * 45])
def test_the_cluster_interval_covers_with_fewer_and_with_more_clusters(passages):
    assert all(coverage(0.6, alike, passages) > 0.93 for alike in (0.0, 0.3))


def coverage(truth, alike, passages):
    """How often the interval holds the accuracy that the simulated answers come from."""
    rng, groups, ones = np.random.default_rng(11), passage_names(passages), np.ones(sum(passages))
    spans = [share_interval(row, ones, groups) for row in answers_by_passage(rng, truth, alike, passages)]
    return np.mean([low <= truth <= high for low, high in spans])


def answers_by_passage(rng, truth, alike, passages):
    """(SIMULATIONS, n) right or wrong: each passage has a chance of its own, from a beta distribution around truth."""
    chances = np.full((SIMULATIONS, len(passages)), truth)
    if alike:
        chances = rng.beta(truth * (1 / alike - 1), (1 - truth) * (1 / alike - 1), chances.shape)
    return rng.random((SIMULATIONS, sum(passages))) < np.repeat(chances, passages, axis=1)


def passage_names(passages):
    return [f"passage {number:02}" for number in np.repeat(np.arange(len(passages)), passages)]


def test_the_interval_of_a_mean_is_the_general_bootstraps():
    rng = np.random.default_rng(14)
    values, groups = rng.exponential(2, 200), [f"g{place // 4}" for place in range(200)]
    general = bootstrap_interval(lambda weights: weights @ values / weights.sum(axis=1), groups)
    assert mean_interval(values, groups) == pytest.approx(general, abs=1e-5)
    assert mean_interval(np.ones(200), groups) is None
    assert mean_interval(values, ["only"] * 200) is None


@pytest.mark.parametrize("n_clusters", [2, 3, 5, 8])
def test_the_interval_of_a_mean_covers_with_few_clusters(n_clusters):
    rng, groups = np.random.default_rng(15), [f"g{place // 6}" for place in range(6 * n_clusters)]
    covered = 0
    for _ in range(SIMULATIONS):
        values = np.repeat(rng.normal(0.5, 0.1, n_clusters), 6) + rng.normal(0, 0.2, 6 * n_clusters)
        low, high = mean_interval(values, groups)
        covered += low <= 0.5 <= high
    assert 0.93 < covered / SIMULATIONS < 0.97


def test_the_interval_of_a_mean_stays_within_what_a_value_can_be():
    values, groups = np.array([0.0, 0.1, 1.9]), ["a", "b", "c"]
    assert mean_interval(values, groups).low < 0
    assert mean_interval(values, groups, within=Interval(0.0, 2.0)) == Interval(0.0, 2.0)


def test_a_cluster_for_each_item_gives_wilsons_interval():
    correct = np.arange(2000) < 1400
    ours = share_interval(correct, np.ones(2000), [str(place) for place in range(2000)])
    assert ours == pytest.approx(wilson(1400, 2000), abs=1e-4)


def test_copies_of_an_item_in_its_cluster_say_nothing_new():
    outcomes, names = np.random.default_rng(0).random(200) < 0.6, [str(place) for place in range(200)]
    alone = share_interval(outcomes, np.ones(200), names)
    tripled = share_interval(np.repeat(outcomes, 3), np.ones(600), np.repeat(names, 3).tolist())
    assert tripled == pytest.approx(alone, abs=1e-3)


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


@pytest.mark.parametrize(("won", "lost"), [(0.15, 0.15), (0.3, 0.15), (0.5, 0.02)])
@pytest.mark.parametrize("alike", [0.0, 0.3])
def test_paired_difference_covers_at_eleven_passages(won, lost, alike):
    assert 0.93 < paired_coverage(won, lost, alike, PASSAGES) < 0.97


@pytest.mark.parametrize("passages", [(20,) * 2, (10,) * 3, (9,) * 5, (5,) * 8])
def test_paired_difference_covers_with_too_few_clusters(passages):
    assert all(paired_coverage(0.3, 0.15, alike, passages) > 0.93 for alike in (0.0, 0.3))


def paired_coverage(won, lost, alike, passages):
    """What is won and lost on a passage's items goes together, through a normal variable that they share."""
    rng, groups, ones = np.random.default_rng(9), passage_names(passages), np.ones(sum(passages))
    shared = np.repeat(rng.standard_normal((1000, len(passages))), passages, axis=1)
    level = alike**0.5 * shared + (1 - alike) ** 0.5 * rng.standard_normal(shared.shape)
    gained = (level > norm.ppf(1 - won)) * 1.0 - (level < norm.ppf(lost))
    spans = [paired_difference_interval(row, ones, groups, resamples=500) for row in gained]
    return np.mean([low <= won - lost <= high for low, high in spans])


def test_systems_that_never_differed_may_still_differ_a_little():
    groups = [str(place) for place in range(100)]
    interval = paired_difference_interval(np.zeros(100), np.ones(100), groups)
    assert interval == Interval(pytest.approx(-0.037, abs=1e-3), pytest.approx(0.037, abs=1e-3))
    won_all = paired_difference_interval(np.ones(100), np.ones(100), groups)
    assert 0.9 < won_all.low < won_all.high == 1.0


def test_no_items_have_no_interval():
    with pytest.raises(ValueError, match="no items"):
        share_interval(np.array([]), np.array([]), [])
