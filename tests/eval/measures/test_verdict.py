"""The rule of docs/verdict.md, on figures made for each of its cases."""

import numpy as np
import pytest

from eval.measures.differences import Comparison
from eval.measures.paired_tests import mcnemar_midp
from eval.measures.stats import Interval
from eval.measures.verdict import Candidate, Verdict, decide, leader_and_cheapest


def candidate(
    name: str, accuracy: float, *, fixed: float | None = 0.0, query: float | None = 0.0, n: int = 1000
) -> Candidate:
    return Candidate(name, n, accuracy, Interval(accuracy - 0.02, accuracy + 0.02), fixed, query)


def pair(a: str, b: str, won: int, lost: int, n: int = 1000) -> Comparison:
    """Make the comparison of two systems of which a alone is right on `won` items and b alone on `lost`."""
    difference = (won - lost) / n
    half = 1.96 * np.sqrt((won + lost) / n - difference**2) / np.sqrt(n)
    p = mcnemar_midp(won, lost)
    both = int(0.7 * n)
    return Comparison(
        benchmark="b", a=a, b=b, n=n, n_left_out=0, n_clusters=n, accuracy_a=0.8, accuracy_b=0.8, difference=difference,
        interval=Interval(difference - half, difference + half), points_difference=0, points_possible=n, p=p, p_holm=p,
        won=tuple(f"w{i}" for i in range(won)), lost=tuple(f"l{i}" for i in range(lost)), both_right=both,
        both_wrong=n - both - won - lost,
    )  # fmt: skip


def verdict(candidates: list[Candidate], *pairs: Comparison, constant: float = 0.3, margin: float = 0.02) -> Verdict:
    found = decide(candidates, pairs, constant=constant, margin=margin, queries=1000)
    assert found is not None
    return found


def test_the_most_accurate_is_taken_where_the_cheaper_is_shown_to_be_worse() -> None:
    found = verdict([candidate("gpt", 0.9, query=0.01), candidate("words", 0.8)], pair("words", "gpt", 20, 120))
    assert (found.kind, found.choice, found.other, found.is_real) == ("leader", "gpt", "words", True)
    assert found.difference == pytest.approx(0.1) and found.interval is not None and found.interval.low > 0
    assert found.usd == {"gpt": 10.0, "words": 0.0}


def test_a_cheaper_one_is_taken_where_it_is_shown_to_be_hardly_worse() -> None:
    candidates = [candidate("gpt", 0.9, query=0.01), candidate("tuned", 0.895, fixed=1.0)]
    found = verdict(candidates, pair("gpt", "tuned", 15, 10))
    assert (found.kind, found.choice, found.leader, found.other) == ("cheaper", "tuned", "gpt", "gpt")
    assert found.difference == pytest.approx(-0.005)
    assert found.same_at == pytest.approx(100)
    of_few = verdict(candidates, pair("gpt", "tuned", 15, 10), margin=0.004)
    assert of_few.kind == "open" and of_few.choice is None


def test_of_several_that_are_hardly_worse_the_cheapest_is_taken() -> None:
    found = verdict(
        [candidate("gpt", 0.9, query=0.01), candidate("tuned", 0.899, fixed=1.0), candidate("words", 0.898)],
        pair("tuned", "gpt", 5, 6),
        pair("words", "gpt", 5, 7),
    )
    assert found.choice == "words"


def test_what_is_neither_worse_nor_hardly_worse_cannot_be_told_and_more_items_would_tell() -> None:
    candidates = [candidate("gpt", 0.9, query=0.01), candidate("tuned", 0.88, fixed=1.0)]
    found = verdict(candidates, pair("gpt", "tuned", 40, 30, n=200))
    assert (found.kind, found.choice, found.leader, found.other) == ("open", None, "gpt", "tuned")
    assert found.more_items is not None and found.more_items > 200
    # With as many items more, and the same shares, it can be told.
    times = (200 + found.more_items) / 200
    again = verdict(candidates, pair("gpt", "tuned", round(40 * times), round(30 * times), n=round(200 * times)))
    assert again.kind == "leader"


def test_a_dearer_one_that_is_not_told_apart_is_no_reason_against_the_leader() -> None:
    found = verdict([candidate("words", 0.9), candidate("gpt", 0.89, query=0.01)], pair("words", "gpt", 60, 50))
    assert (found.kind, found.choice, found.is_real) == ("leader", "words", False)


def test_what_is_not_better_than_a_constant_is_out() -> None:
    found = verdict([candidate("gpt", 0.9), candidate("majority", 0.3)], pair("gpt", "majority", 600, 0))
    assert (found.kind, found.choice, found.out) == ("only", "gpt", ("majority",))
    none = verdict([candidate("a", 0.31), candidate("majority", 0.3)], pair("a", "majority", 20, 10))
    assert none.kind == "none" and none.out == ("a", "majority")


@pytest.mark.parametrize(("leader", "other"), [(0.01, None), (None, 0.01), (None, None)])
def test_an_unknown_price_is_neither_a_low_nor_a_high_one(leader: float | None, other: float | None) -> None:
    candidates = [candidate("gpt", 0.9, query=leader), candidate("mine", 0.899, query=other)]
    found = verdict(candidates, pair("gpt", "mine", 11, 10))
    assert (found.kind, found.choice, found.is_priced) == ("open", None, False)
    told = verdict([candidates[0], candidate("mine", 0.8, query=other)], pair("gpt", "mine", 120, 20))
    assert (told.kind, told.choice, told.is_cheapest) == ("leader", "gpt", False)


def test_the_cheapest_is_called_so_only_where_it_is() -> None:
    candidates = [candidate("a", 0.9, query=0.01), candidate("b", 0.895, query=0.02), candidate("c", 0.6)]
    pairs = pair("a", "b", 15, 10), pair("a", "c", 320, 20), pair("b", "c", 315, 20)
    assert verdict(candidates, *pairs).is_cheapest is False
    assert verdict(candidates[:2], pairs[0]).is_cheapest is True


def test_one_that_answered_fewer_items_leads_only_where_it_is_better_on_what_both_answered() -> None:
    slow, words = candidate("slow", 0.94, n=100, query=0.01), candidate("words", 0.9)
    worse = verdict([slow, words], pair("slow", "words", 3, 12, n=100))
    assert worse.leader == "words" and (worse.difference or 0) > 0
    better = verdict([slow, words], pair("slow", "words", 30, 2, n=100))
    assert (better.kind, better.choice) == ("leader", "slow") and (better.difference or 0) > 0


def test_no_price_brings_in_what_is_shown_to_be_more_than_the_margin_worse() -> None:
    candidates = [candidate("gpt", 0.9, query=0.01), candidate("tuned", 0.8, fixed=100.0, query=0.001)]
    assert verdict(candidates, pair("gpt", "tuned", 120, 20)).same_at is None


def test_a_difference_is_real_as_the_comparison_s_own_adjusted_p_says() -> None:
    candidates = [candidate("gpt", 0.9), candidate("words", 0.87, query=-0.001)]
    told = pair("gpt", "words", 45, 26)  # p about 0.02
    assert verdict(candidates, told).kind == "leader"
    assert verdict(candidates, told.model_copy(update={"p_holm": 0.06})).kind == "open"


def test_the_cheapest_that_is_not_out_is_held_against_the_leader() -> None:
    candidates = [candidate("gpt", 0.9, query=0.01), candidate("tuned", 0.8, fixed=1), candidate("majority", 0.3)]
    pairs = [pair("gpt", "tuned", 150, 50), pair("gpt", "majority", 600, 0), pair("tuned", "majority", 500, 0)]
    found = leader_and_cheapest(candidates, pairs, constant=0.3, queries=1000)
    assert found == ("gpt", "tuned")
    assert leader_and_cheapest(candidates[1:], pairs, constant=0.3, queries=1000) == ()
    unpriced = [candidates[0], candidate("tuned", 0.8, fixed=None)]
    assert leader_and_cheapest(unpriced, pairs, constant=0.3, queries=1000) == ()


def test_one_system_is_no_choice() -> None:
    assert decide([candidate("gpt", 0.9)], [], constant=0.3, margin=0.02, queries=1) is None
