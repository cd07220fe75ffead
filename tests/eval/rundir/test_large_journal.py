"""A journal of any length is read again without being held in memory, and fast enough to go on at once."""

import random
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from data.types import Item, Message, Prediction, Record
from eval.rundir.journal import read_outcomes, read_records, settle

N = 8_000


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of MNLI's size an item, in the order of no list, with 1 % of the items failed before."""
    item = Item(
        id="ID",
        inputs={"premise": "A man is walking down the street. " * 3, "hypothesis": "Nobody is outside."},
        choices=("entailment", "neutral", "contradiction"),
        target=1,
        group="ID",
        tags=("genre:fiction",),
    )
    said = Prediction(choice=1, status="ok", rule="label", raw="neutral", usage={"input_tokens": 90})
    messages = (Message(role="user", content="x" * 900),)
    answered = Record(item=item, system="s", prediction=said, latency_s=0.1, messages=messages).model_dump_json()
    failed = Record(item=item, system="s", error="TimeoutError: slow", latency_s=0.1).model_dump_json()
    path = tmp_path_factory.mktemp("run") / "s" / "records.jsonl"
    path.parent.mkdir()
    numbers = random.Random(0).sample(range(N), N)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(failed.replace("ID", f"i{number}") + "\n" for number in range(0, N, 100))
        file.writelines(answered.replace("ID", f"i{number}") + "\n" for number in numbers)
    return path


def bytes_each(work: Callable[[], object]) -> float:
    """Return the most memory that work needs at once, as bytes a record."""
    tracemalloc.start()
    kept = work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return peak / N


def test_going_on_needs_little_more_than_the_ids(journal: Path) -> None:
    assert read_outcomes(journal) == {f"i{number}": True for number in range(N)}
    assert bytes_each(lambda: read_outcomes(journal)) < 200  # 3.8 KiB as records


def test_going_on_is_fast(journal: Path) -> None:
    """Figures of processor time: seven microseconds a record here, so that 400,000 take three seconds."""
    started = time.process_time()
    read_outcomes(journal)
    assert (time.process_time() - started) / N < 100e-6


def test_records_are_read_one_at_a_time(journal: Path) -> None:
    assert bytes_each(lambda: sum(record.error is None for record in read_records(journal))) < 50


def test_settling_holds_offsets_alone_and_a_settled_journal_is_left_as_it_is(journal: Path, tmp_path: Path) -> None:
    path = tmp_path / "s" / "records.jsonl"
    path.parent.mkdir()
    path.write_bytes(journal.read_bytes())
    order = [f"i{number}" for number in range(N)]
    assert bytes_each(lambda: settle(path, order)) < 300
    assert [record.item.id for record in read_records(path)] == order
    before = path.stat()
    settle(path, order)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    path.write_bytes(path.read_bytes()[:-10])
    settle(path, order)
    assert [record.item.id for record in read_records(path)] == order[:-1]
    assert path.read_bytes().endswith(b"\n")
