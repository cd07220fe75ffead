"""What the settings of a matrix are worth: means over the other settings, paired with the best value, in words."""

from types import SimpleNamespace

import numpy as np
import pytest

from data.common.language import language
from data.types import Item
from eval.measures.answers import Answers
from eval.measures.matrix import measure_matrices
from eval.measures.run_answers import answers_of
from eval.measures.stats import paired_difference_interval
from eval.report.sections.matrix import matrix_sentences, matrix_tables
from tests.support.journaled_runs import answer, failure

N = 60
RNG = np.random.default_rng(3)
RIGHT = {
    (model, prompt): RNG.random(N) < share
    for (model, prompt), share in {
        ("a", "x"): 0.9, ("a", "y"): 0.8, ("b", "x"): 0.5, ("b", "y"): 0.45, ("c", "x"): 0.6, ("c", "y"): 0.4,
    }.items()
}  # fmt: skip
CROSSED = {"ask": {f"ask.{m}.{p}": {"model": m, "prompt": p} for m, p in RIGHT}}
ITEMS = [Item(id=f"q{n}", inputs={}, choices=("a", "b"), target=0, group=f"p{n // 2}") for n in range(N)]


def answers(right: np.ndarray, *, failed: tuple[int, ...] = ()) -> Answers:
    return answers_of(
        failure(item, "s") if n in failed else answer(item, "s", 0 if right[n] else 1) for n, item in enumerate(ITEMS)
    )


def given(**failed: tuple[int, ...]) -> dict[str, Answers]:
    return {f"ask.{m}.{p}": answers(right, failed=failed.get(m + p, ())) for (m, p), right in RIGHT.items()}


def test_each_value_s_mean_is_paired_with_the_best_over_the_same_items() -> None:
    (matrix,) = measure_matrices(given(), CROSSED)
    model, prompt = matrix.factors
    means = {m: (RIGHT[m, "x"].astype(float) + RIGHT[m, "y"]) / 2 for m in "abc"}
    assert (matrix.name, matrix.n, model.name, model.best) == ("ask", N, "model", "a")
    for level in model.levels:
        assert level.n_systems == 2 and level.accuracy == pytest.approx(means[level.name].mean(), abs=1e-6)
        gained = means[level.name] - means["a"]
        groups = [item.group for item in ITEMS]
        expected = paired_difference_interval(gained, np.ones(N), groups) if level.name != "a" else None
        assert level.difference == pytest.approx(gained.mean(), abs=1e-6) and level.interval == expected
    assert [level.n_systems for level in prompt.levels] == [3, 3]


def test_an_item_that_one_system_failed_on_counts_for_none() -> None:
    (matrix,) = measure_matrices(given(ax=(0, 1, 2), by=(2, 3)), CROSSED)
    assert matrix.n == N - 4
    kept = np.arange(N) >= 4
    expected = np.mean([RIGHT["a", prompt][kept].mean() for prompt in "xy"])
    assert matrix.factors[0].levels[0].accuracy == pytest.approx(expected, abs=1e-6)


def test_without_common_items_several_values_or_all_systems_there_is_nothing_to_say() -> None:
    nobody = given(ax=tuple(range(N)))
    assert measure_matrices(nobody, CROSSED) == ()
    some = given()
    del some["ask.a.x"]
    assert measure_matrices(some, CROSSED) == ()
    alone = {"one": {"ask.a.x": {"model": "a"}}}
    assert measure_matrices(given(), alone) == ()
    assert measure_matrices(given(), {}) == ()


@pytest.mark.parametrize("code", ["en", "ko"])
def test_the_report_says_it_in_a_table_and_a_sentence_a_setting(code: str) -> None:
    evaluation = SimpleNamespace(matrices=measure_matrices(given(), CROSSED))
    say = language(code)
    (table,) = matrix_tables(evaluation, say)  # type: ignore[arg-type]
    assert [row[:3] for row in table.rows] == [
        ("model", "a", "2"), ("model", "b", "2"), ("model", "c", "2"), ("prompt", "x", "3"), ("prompt", "y", "3")
    ]  # fmt: skip
    assert table.rows[0][4:] == ("–", "–") and table.rows[1][4].startswith("−")
    sentences = matrix_sentences(evaluation, say)  # type: ignore[arg-type]
    assert len(sentences) == 2 and all("ask" in sentence for sentence in sentences)
    if code == "en":
        assert sentences[0].startswith("Over the other settings of ask, model a scores highest (")
