"""The runner where the command line does not show it: batches, interruptions and what is kept of them."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.types import Prediction
from eval.execution.batches import BATCH_CHARACTERS, by_group, cut_batches
from eval.execution.runner import run
from eval.execution.system_journal import TooManyErrorsError
from eval.plan.settings.call_policy import CallPolicy
from eval.rundir.description import Machine
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest
from eval.rundir.run_check import read_run
from tests.support.runs_by_hand import item, planned

ONCE = CallPolicy(retries=0)


def right(entry: dict[str, Any]) -> Prediction:
    return Prediction(choice=0, status="ok")


@pytest.mark.parametrize("batch_size", [None, 2])
def test_an_interruption_ends_the_run_and_keeps_what_was_answered(tmp_path: Path, batch_size: int | None) -> None:
    def answer(entry: dict[str, Any]) -> Prediction:
        if entry["id"] == "i5":
            raise KeyboardInterrupt
        return right(entry)

    items = [item(number) for number in range(8)]
    with pytest.raises(KeyboardInterrupt):
        run(planned(items, answer, batch_size), tmp_path / "run", max_concurrency=1)
    kept = {record.item.id for record in read_records(records_path(tmp_path / "run", "s"))}
    assert {"i0", "i1", "i2", "i3"} <= kept
    assert "i5" not in kept
    outcome = run(planned(items, right, batch_size), tmp_path / "run", resume=True)
    assert outcome.asked == len(items) - len(kept)
    records = list(read_records(records_path(tmp_path / "run", "s")))
    assert [record.item.id for record in records] == [entry.id for entry in items]


def test_a_run_that_stops_with_its_last_answers_can_be_read(tmp_path: Path) -> None:
    """Its journal is complete, and in the items' order: else it could not be told from one of other items."""
    items = [item(number) for number in range(6)]
    answered = [threading.Event() for _ in items]

    def answer(entry: dict[str, Any]) -> Prediction:
        number = int(entry["id"][1:])
        if number + 1 < len(items):
            assert answered[number + 1].wait(10)
        answered[number].set()
        raise ValueError("no answer")

    with pytest.raises(TooManyErrorsError):
        run(planned(items, answer, None), tmp_path / "run", max_concurrency=6, max_errors=1, policy=ONCE)
    read_run(tmp_path / "run")


def test_a_run_that_was_killed_with_its_last_answer_goes_on(tmp_path: Path) -> None:
    """Its journal holds all items, in another order than theirs: each is compared with the items that are asked."""
    items, out = [item(number) for number in range(6)], tmp_path / "run"
    run(planned(items, right, None), out)
    path = records_path(out, "s")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(reversed(lines)), encoding="utf-8")
    assert run(planned(items, right, None), out, resume=True).asked == 0
    assert path.read_text(encoding="utf-8") == "".join(lines)
    records = read_records(records_path(tmp_path / "run", "s"))
    assert [record.item.id for record in records] == [entry.id for entry in items]


def test_going_on_on_another_machine_makes_it_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(entry: dict[str, Any]) -> Prediction:
        if entry["id"] == "i2":
            raise KeyboardInterrupt
        return right(entry)

    def on(machine: str, answer: Callable[[dict[str, Any]], Prediction], **options: Any) -> Machine | None:
        plan = planned([item(number) for number in range(4)], answer, None)
        plan = plan._replace(manifest=plan.manifest.model_copy(update={"hardware": Machine(cpu=machine, cpus=2)}))
        run(plan, tmp_path / "run", max_concurrency=1, **options)
        return read_manifest(tmp_path / "run").hardware

    with pytest.raises(KeyboardInterrupt):
        on("one", answer)
    with pytest.raises(KeyboardInterrupt):
        on("one", answer, resume=True)
    assert read_manifest(tmp_path / "run").hardware == Machine(cpu="one", cpus=2)
    assert "another machine" not in capsys.readouterr().err
    assert on("two", right, resume=True) is None
    assert "was begun on another machine" in capsys.readouterr().err


def test_a_finished_run_keeps_its_machine(tmp_path: Path) -> None:
    for machine in ("one", "two"):
        plan = planned([item(0)], right, None)
        plan = plan._replace(manifest=plan.manifest.model_copy(update={"hardware": Machine(cpu=machine)}))
        run(plan, tmp_path / "run", resume=machine == "two")
    assert read_manifest(tmp_path / "run").hardware == Machine(cpu="one")  # nothing was asked on the other


@pytest.mark.parametrize("batch_size", [None, 3])
def test_an_item_s_error_is_its_own(tmp_path: Path, batch_size: int | None) -> None:
    def answer(entry: dict[str, Any]) -> Prediction:
        if entry["id"] == "i1":
            raise TimeoutError("too slow")
        return right(entry)

    outcome = run(planned([item(number) for number in range(4)], answer, batch_size), tmp_path / "run", policy=ONCE)
    assert outcome.errors == 1
    records = {record.item.id: record for record in read_records(records_path(tmp_path / "run", "s"))}
    assert records["i1"].error == "TimeoutError: too slow"
    assert sum(record.prediction is not None for record in records.values()) == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("3", "returned a str"),
        (Prediction(choice=2, status="ok"), "choice 2 is none of the item's 2"),
        (Prediction(choice=0, status="ok", probs=(1.0,)), "1 probabilities for 2 choices"),
        (Prediction(choice=0, status="ok", probs=(3.0, 4.0)), "its probabilities sum to 7; give numbers that sum to 1"),
        (Prediction(choice=0, status="ok", usage={"input_tokens": -1}), "-1 input_tokens is no count of tokens"),
    ],
)
def test_an_unusable_answer_is_the_item_s_error(tmp_path: Path, answer: Any, said: str) -> None:
    outcome = run(planned([item(0)], lambda entry: answer, None), tmp_path / "run")
    assert outcome.errors == 1
    (record,) = read_records(records_path(tmp_path / "run", "s"))
    assert said in (record.error or "")


def test_what_is_in_flight_when_a_run_is_stopped_is_kept(tmp_path: Path) -> None:
    calls: list[str] = []

    def answer(entry: dict[str, Any]) -> Prediction:
        calls.append(entry["id"])
        raise ConnectionError("down")

    plan = planned([item(i) for i in range(50)], answer, None)
    with pytest.raises(TooManyErrorsError):
        run(plan, tmp_path / "run", max_concurrency=4, max_errors=0, policy=ONCE)
    kept = [record.item.id for record in read_records(records_path(tmp_path / "run", "s"))]
    assert sorted(kept) == sorted(calls)
    assert len(calls) <= 12


def test_batches_keep_a_group_together_where_items_are_long() -> None:
    long = BATCH_CHARACTERS // 2
    items = [item(number, group=f"g{number // 4}", length=long) for number in range(12)]
    assert [[entry.group for entry in batch] for batch in cut_batches(items, 64)] == [[f"g{i}"] * 4 for i in range(3)]


def test_items_of_one_group_are_asked_together_and_filed_in_their_order(tmp_path: Path) -> None:
    """What they share is computed once in a batch, wherever the data has them."""
    items = [item(number, group=f"g{number % 3}") for number in range(9)]
    assert [entry.id for entry in by_group(items)] == [f"i{n}" for n in (0, 3, 6, 1, 4, 7, 2, 5, 8)]
    asked: list[str] = []

    def answer(entry: dict[str, Any]) -> Prediction:
        asked.append(entry["id"])
        return Prediction(choice=0, status="ok")

    run(planned(items, answer, 3), tmp_path / "run")
    together = [set(asked[first : first + 3]) for first in range(0, 9, 3)]  # the threads of a batch have no order
    assert together == [{"i0", "i3", "i6"}, {"i1", "i4", "i7"}, {"i2", "i5", "i8"}]
    kept = [record.item.id for record in read_records(records_path(tmp_path / "run", "s"))]
    assert kept == [entry.id for entry in items]


def test_batches_of_short_items_are_full() -> None:
    items = [item(number, group=f"g{number}") for number in range(130)]
    assert [len(batch) for batch in cut_batches(items, 64)] == [64, 64, 2]
