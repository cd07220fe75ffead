"""Position bias: who prefers a position is found, who does not is left alone, and the report says it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from data.types import Item, Record, Trial
from eval.cli.parser import main
from eval.measures.position_bias import PositionTest, position_test, rotated_alternatives, single_alternatives
from eval.measures.repeats import measure_positions, measure_repeats
from eval.measures.run_answers import answers_of
from eval.report.sections.position_bias import order_tables
from eval.report.summary import summarize
from tests.support.exam_file import exam, write_exam
from tests.support.journaled_runs import answer, exam_item, pair_item, write_run

MODELS = "tests.support.scripted_models"
Systems = dict[str, Callable[[Item], Record | None]]


def asked_once(targets: Any, choices: Any, n: int, *, labelled: bool = False) -> PositionTest:
    possible = [
        single_alternatives(int(t), int(c), n, labelled=labelled) for t, c in zip(targets, choices, strict=True)
    ]
    counts, key = np.bincount(choices, minlength=n), np.bincount(targets, minlength=n)
    return position_test(counts.tolist(), key.tolist(), possible)


def rotated(chosen: list[Any], n: int) -> PositionTest:
    counts = np.bincount(np.concatenate(chosen), minlength=n).tolist()
    return position_test(counts, [len(chosen)] * n, [rotated_alternatives(one, n) for one in chosen])


def test_of_labels_it_is_stuarts_and_maxwells_test() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 300)
    choices = np.where(rng.random(300) < 0.6, targets, rng.integers(0, 3, 300))
    choices[:20] = 1
    found = asked_once(targets, choices, 3, labelled=True)
    table = np.zeros((3, 3))
    np.add.at(table, (choices, targets), 1)
    excess = (table.sum(1) - table.sum(0))[:2]
    covariance = np.diag(table.sum(1) + table.sum(0)) - table - table.T
    statistic = excess @ np.linalg.inv(covariance[:2, :2]) @ excess  # as Stuart 1955 writes it
    assert found.statistic == pytest.approx(statistic, abs=1e-5)
    assert found.df == 2
    assert found.p == pytest.approx(chi2.sf(statistic, 2))
    assert not found.simulated


@pytest.mark.parametrize("n", [5, 10, 45, 1000])
def test_always_the_first_is_found_on_any_exam(n: int) -> None:
    found = asked_once(np.arange(n) % 5, np.zeros(n, dtype=int), 5)
    assert found.p < 0.01
    assert found.preferred == 0
    assert found.counts == (n, 0, 0, 0, 0)
    assert found.key == (n // 5,) * 5


@pytest.mark.parametrize(
    ("n", "accuracy", "key"), [(45, 0.2, (5, 7, 12, 11, 10)), (45, 0.5, (9,) * 5), (300, 0.8, (60,) * 5)]
)
def test_errors_at_random_are_flagged_at_the_level_of_the_test(n: int, accuracy: float, key: tuple[int, ...]) -> None:
    rng = np.random.default_rng(n)
    targets = np.repeat(np.arange(5), key)
    flagged = 0
    for _ in range(300):
        wrong = (targets + rng.integers(1, 5, n)) % 5
        flagged += asked_once(targets, np.where(rng.random(n) < accuracy, targets, wrong), 5).p < 0.05
    assert flagged <= 27  # 15 expected; more than 27 has a chance of one in a thousand


def test_an_uneven_key_is_no_bias_of_who_is_right() -> None:
    targets = np.repeat([0, 1, 2], [2, 3, 40])
    found = asked_once(targets, targets, 3)
    assert (found.p, found.df, found.statistic) == (1.0, 0, 0.0)


def test_what_depends_on_position_without_a_favourite_is_not_flagged_when_rotated() -> None:
    rng = np.random.default_rng(2)
    flagged = sum(rotated([np.full(5, rng.integers(0, 5)) for _ in range(40)], 5).p < 0.05 for _ in range(300))
    assert flagged <= 27  # five answers of an item are one observation, not five


def test_answers_that_keep_to_their_choice_show_no_position() -> None:
    assert rotated([np.arange(4)] * 20, 4).p == 1.0
    assert rotated([np.zeros(4, dtype=int)] * 20, 4).p < 1e-6


def test_items_may_have_different_numbers_of_choices() -> None:
    possible = [single_alternatives(1, 0, 2, labelled=False)] * 10 + [single_alternatives(1, 0, 4, labelled=False)] * 10
    found = position_test([20, 0, 0, 0], [0, 20, 0, 0], possible)
    assert found.expected == pytest.approx((10 + 10 / 3, 0, 10 / 3, 10 / 3))
    assert found.p < 0.001
    with pytest.raises(ValueError, match="no answers"):
        position_test([0, 0], [0, 0], [])


def test_the_same_records_give_the_same_p() -> None:
    tests = [asked_once(np.arange(15) % 5, np.arange(15) % 2, 5) for _ in range(2)]
    assert tests[0] == tests[1]
    assert tests[0].simulated


def repeated_answer(item: Item, chosen: list[int | None], *, choice: int | None, rule: str = "majority") -> Record:
    n = len(item.choices)
    orders = [tuple((start + place) % n for place in range(n)) for start in range(len(chosen))]
    asks = [
        Trial(order=order, choice=one, status="none" if one is None else "ok").model_dump()
        for order, one in zip(orders, chosen, strict=True)
    ]
    return answer(item, "s", choice, rule=rule, asks=asks)


def test_what_several_trials_show() -> None:
    items = [exam_item(number) for number in (5, 10, 15)]  # the first choice is right
    records = [
        repeated_answer(items[0], [0] * 5, choice=0),
        repeated_answer(items[1], [0, 0, 0, 1, None], choice=0),
        repeated_answer(items[2], [0, 1, 2, 3, 4], choice=3, rule="tie-drawn"),
    ]
    found = measure_repeats(answers_of(records))
    assert found is not None
    assert (found.n, found.times, found.rotated, found.consistent, found.drawn) == (3, 5, True, 1, 1)
    assert (found.first_accuracy, found.lowest_accuracy, found.highest_accuracy) == (1.0, 1 / 3, 1.0)
    assert found.majority_accuracy == pytest.approx(2 / 3)
    positions = measure_positions(answers_of(records))
    assert positions is not None
    # the first item's answers move with the choice, the third's stay in the first position
    assert positions.counts == (7, 1, 1, 3, 2)
    assert measure_repeats(answers_of([answer(items[0], "s", 0)])) is None
    assert measure_positions(answers_of([answer(items[0], "s", None)])) is None


def run(folder: Path, *more: str, model: str = "first") -> tuple[Any, str]:
    """Run over an exam of 45 items; return the summary and the Markdown report."""
    folder.mkdir(exist_ok=True)
    data = write_exam(folder, exam(9))
    asked = ["run", "kice", "--data", str(data), "--chain", "kice-prompt", "--model", f"{MODELS}:{model}"]
    assert main([*asked, "--out", str(folder / "run"), *more]) == 0
    summary = json.loads((folder / "run" / "summary.json").read_text(encoding="utf-8"))
    return summary, (folder / "run" / "report.md").read_text(encoding="utf-8")


def test_a_model_that_says_the_first_choice_is_flagged_and_falls_to_chance(tmp_path: Path) -> None:
    plain, _ = run(tmp_path / "plain")
    said = " ".join(plain["conclusion"])
    assert "has a position bias: it chose position 1 of the choices shown all 45 times" in said
    permuted, report = run(tmp_path / "permuted", "--permute", "cyclic")
    said = " ".join(permuted["conclusion"])
    assert "has a position bias: it chose position 1 of the choices shown all 225 times, where 45.0 were" in said
    assert "the same answer in every rotation of the choices on 0.0% of 45 items" in said
    assert "is not distinguishable from guessing (20.0%)" in said
    (system,) = permuted["evaluations"][0]["systems"]
    assert system["repeats"]["consistent"] == 0
    assert system["repeats"]["drawn"] == 45
    assert system["repeats"]["first_accuracy"] == plain["evaluations"][0]["systems"][0]["scores"]["accuracy"]
    assert "Positions chosen" in report
    assert "Asked several times" in report


def test_a_model_that_knows_is_not_flagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KNOWN", "선택지 2")  # a wrong answer to four of five, which it keeps to
    permuted, _ = run(tmp_path / "permuted", "--permute", "cyclic", model="knowing")
    said = " ".join(permuted["conclusion"])
    assert "position bias" not in said
    assert "the same answer in every rotation of the choices on 100.0% of 45 items" in said


def test_votes_are_reported_as_samples(tmp_path: Path) -> None:
    voted, report = run(tmp_path / "voted", "--votes", "3", "--temperature", "1", model="sampled")
    assert "gives the same answer in all 3 samples on" in " ".join(voted["conclusion"])
    assert "samples" in report


def test_labels_are_called_labels_and_classifiers_are_not_accused(tmp_path: Path) -> None:
    items = [pair_item(number) for number in range(90)]
    systems: Systems = dict.fromkeys(("prompted", "encoder"), lambda item: answer(item, "s", 0))
    descriptions: dict[str, dict[str, object]] = {
        "prompted": {"kind": "chain", "chain": "mnli-zero-shot"},
        "encoder": {"kind": "checkpoint", "checkpoint": "c"},
    }
    summary = summarize(write_run(tmp_path / "run", [("mnli", items, systems)], descriptions=descriptions))
    said = [sentence for sentence in summary.conclusion if "position bias" in sentence]
    assert len(said) == 1
    assert said[0].startswith("prompted prefers the label entailment, or its position among the labels (position bias)")
    assert "it chose it 90 times of 90, and it is right 30 times" in said[0]
    positions = order_tables(summary.evaluations[0])[0]
    assert positions.rows[0][-1] == "label or position"  # asked once, the two cannot be told apart


def test_many_systems_are_tested_together(tmp_path: Path) -> None:
    items = [exam_item(number) for number in range(1, 21)]
    prompted: dict[str, object] = {"kind": "chain", "chain": "kice-prompt"}
    # the first position on most of its early errors: alone below 0.05, among ten systems not
    wrong = {
        item.id: (0 if place < 8 and item.target else (item.target + 1 + place % 4) % 5)
        for place, item in enumerate(items)
    }
    names = [f"s{number}" for number in range(10)]
    systems: Systems = {name: (lambda item: answer(item, "s", item.target)) for name in names[1:]}
    systems[names[0]] = lambda item: answer(item, "s", wrong[item.id])
    run_dir = write_run(tmp_path / "run", [("kice", items, systems)], descriptions=dict.fromkeys(names, prompted))
    summary = summarize(run_dir)
    first = next(system for system in summary.evaluations[0].systems if system.name == "s0").positions
    assert first is not None
    assert 0.005 < first.p < 0.05
    assert not any("position bias" in sentence for sentence in summary.conclusion)
