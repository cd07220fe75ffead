"""Cascades of two systems: the frontier against a brute force, held-out choices, prices, and what is left out."""

import numpy as np
import pytest

from data.types import Item, Prediction, Record
from eval.measures.cascade import measure_cascade, measure_cascades
from eval.measures.cascade_offer import best_offer
from eval.measures.cascade_pair import Member
from eval.measures.run_answers import answers_of


def item(number: int, per_group: int = 1) -> Item:
    return Item(
        id=f"i{number:05}",
        inputs={"text": str(number)},
        choices=("a", "b"),
        target=number % 2,
        group=f"g{number // per_group}",
    )


def member(
    name: str, right: np.ndarray, confidence: np.ndarray | None = None, *, usd: float | None = None, per_group: int = 1
) -> Member:
    """A system that is right where it is said to be, with a probability of its answer."""
    records = []
    for number, is_right in enumerate(right.tolist()):
        asked = item(number, per_group)
        choice = asked.target if is_right else 1 - asked.target
        sure = None if confidence is None else float(confidence[number])
        probs = None if sure is None else tuple(sure if place == choice else 1 - sure for place in range(2))
        prediction = Prediction(choice=choice, status="ok", probs=probs, probs_source=probs and "softmax")
        records.append(Record(item=asked, system=name, prediction=prediction, latency_s=0.1))
    given = answers_of(records)
    return Member(name, given, None if usd is None else np.full(len(given), usd))


def two(n: int = 600, seed: int = 0, **more: float | None) -> tuple[Member, Member]:
    """A cheap system that is right as often as it says, and a dear one that is right 95 times in a hundred."""
    rng = np.random.default_rng(seed)
    sure = 0.5 + 0.5 * rng.beta(3, 1, n)
    usd = {"cheap": 0.0001, "dear": 0.01, **more}
    return (
        member("cheap", rng.random(n) < sure, sure, usd=usd["cheap"]),
        member("dear", rng.random(n) < 0.95, usd=usd["dear"]),
    )


def test_the_frontier_is_that_of_a_brute_force() -> None:
    cheap, dear = two()
    found = measure_cascade(cheap, dear)
    assert found is not None and len(found.points) == 21
    sure = cheap.given.probs.max(axis=1)
    for point in found.points:
        alone = sure >= point.threshold
        right = np.where(alone, cheap.given.correct, dear.given.correct)
        assert point.accuracy == pytest.approx(right.mean()) and point.passed_on == pytest.approx(1 - alone.mean())
        assert point.usd == pytest.approx(0.0001 + 0.01 * (1 - alone.mean()))
        assert point.interval is not None and point.interval.low < point.accuracy < point.interval.high
        assert point.accuracy <= found.at_best(point.passed_on) + 1e-12
    first, last = found.points[0], found.points[-1]
    assert (first.passed_on, first.accuracy) == (0, pytest.approx(found.accuracy_first))
    assert (last.passed_on, last.accuracy, last.difference) == (1, pytest.approx(found.accuracy_second), 0)
    assert found.at_random(0.5) == pytest.approx((found.accuracy_first + found.accuracy_second) / 2)
    assert found.at_best(0.3) <= found.either_right


def test_what_is_claimed_of_a_chosen_threshold_is_true_of_other_items_and_its_price_is_what_it_passes_on() -> None:
    """The lower end of the difference, by which a verdict judges, is seldom above the population's difference."""
    cheap, dear = two(20_000, 1000)
    sure, gained = cheap.given.probs.max(axis=1), cheap.given.correct.astype(int) - dear.given.correct
    kept = 0
    for seed in range(40):
        found = measure_cascades({one.name: one for one in two(300, seed)}, "dear")[0]
        assert found.better == "dear" and found.as_right is not None
        chosen, interval = found.as_right, found.as_right.difference_interval
        assert chosen.usd == pytest.approx(0.0001 + 0.01 * chosen.passed_on)
        assert chosen.price_share == pytest.approx(chosen.usd / 0.01)
        assert interval is not None
        kept += interval.low <= gained[sure >= chosen.threshold].sum() / len(gained)
    assert kept >= 38


def test_a_first_system_that_is_as_good_needs_no_cascade_and_two_that_err_apart_are_better_together() -> None:
    rng = np.random.default_rng(3)
    sure = np.where(rng.random(800) < 0.7, 0.99, 0.6)
    cheap = member("cheap", rng.random(800) < sure, sure + rng.random(800) / 1000, usd=0.001)
    dear = member("dear", rng.random(800) < 0.8, usd=0.01)
    found = measure_cascade(cheap, dear)
    assert found is not None and found.better == "cheap" and found.as_right is None
    assert found.best.difference_interval is not None and found.best.difference_interval.low > 0
    assert 0.2 < found.best.passed_on < 0.4
    offer = best_offer(
        [found], leader="cheap", limit_usd=100.0, margin=0.02, queries=100_000, fixed_usd={"cheap": 0.0, "dear": 0.0}
    )
    assert offer is not None and offer.kind == "better"


def test_a_cheaper_cascade_is_offered_with_its_price_and_one_of_unknown_price_is_not() -> None:
    found = measure_cascade(*two(2000))
    assert found is not None and found.as_right is not None
    facts = {"leader": "dear", "margin": 0.02, "queries": 1000.0}
    offer = best_offer([found], limit_usd=10.0, fixed_usd={"cheap": 1.0, "dear": 0.0}, **facts)
    assert offer is not None and (offer.kind, offer.first, offer.second) == ("cheaper", "cheap", "dear")
    assert offer.usd == pytest.approx(1 + 1000 * found.as_right.usd) and offer.interval.low > -0.02
    dear_training = best_offer([found], limit_usd=10.0, fixed_usd={"cheap": 100.0, "dear": 0.0}, **facts)
    unknown = best_offer([found], limit_usd=None, fixed_usd={"cheap": None, "dear": 0.0}, **facts)
    for one in (dear_training, unknown):
        assert one is None or one.kind == "better"
    assert best_offer([found], limit_usd=10.0, fixed_usd={}, **{**facts, "leader": "another"}) is None


def test_only_a_cheaper_system_with_probabilities_that_tell_items_apart_is_first() -> None:
    cheap, dear = two()
    constant = member("constant", cheap.given.correct, np.full(600, 0.7), usd=0.0)
    silent = member("silent", cheap.given.correct, usd=0.0)
    costly = member("costly", cheap.given.correct, cheap.given.probs.max(axis=1), usd=1.0)
    members = {one.name: one for one in (cheap, dear, constant, silent, costly)}
    assert [(one.first, one.second) for one in measure_cascades(members, "dear")] == [("cheap", "dear")]
    unpriced = {one.name: Member(one.name, one.given, None) for one in (cheap, dear)}
    (found,) = measure_cascades(unpriced, "dear")
    assert found.first == "cheap" and found.as_right is not None and found.as_right.price_share is None


def test_failed_items_are_left_out_and_answers_without_a_probability_are_passed_on() -> None:
    cheap, dear = two()
    answers = cheap.given.take(np.arange(50, 600))
    answers.rows["source"][:30] = -1
    found = measure_cascade(Member("cheap", answers, None), dear)
    assert found is not None and (found.n, found.n_without) == (550, 30)
    assert found.points[0].passed_on == pytest.approx(30 / 550)
    few = measure_cascade(Member("cheap", cheap.given.take(np.arange(40)), None), dear)
    assert few is None


def test_the_order_of_the_items_changes_nothing() -> None:
    cheap, dear = two(300)
    shuffled = np.random.default_rng(4).permutation(300)
    again = measure_cascade(Member("cheap", cheap.given.take(shuffled), cheap.usd), dear)
    first = measure_cascade(cheap, dear)
    assert first is not None and again is not None
    assert again.as_right == first.as_right and again.promises == first.promises
