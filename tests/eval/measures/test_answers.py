"""A journal becomes columns: parsed once, without its texts, and as right as the records themselves."""

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.common.line_file import whole_lines
from data.types import Item, Message, Passage, Record, Trial
from eval.cli.parser import main
from eval.measures.answers import Answers, common_rows
from eval.measures.metrics import NO_ANSWER, score
from eval.measures.run_answers import answers_of, read_answers, records_of_items
from eval.rundir.journal import Journal, latest_records, read_records, records_at, records_path
from tests.support.journaled_runs import (
    answer,
    exam_item,
    failure,
    pair_item,
    right_where,
    write_demo,
    write_run,
)
from tests.support.ladder_exam import ladder_suite

LONG = "x" * 3000


def respond(item: Item) -> Record:
    """Fails on some items, gives probabilities for others, and has long texts throughout."""
    number = int(item.id.rsplit("/", 1)[1])
    if number % 10 == 9:
        return failure(item, "s")
    choice = None if number % 7 == 0 else right_where(item, number % 3 > 0)
    usage = {"input_tokens": number, **({"cached_tokens": 1} if number % 2 else {})}
    probs = (0.2, 0.3, 0.5) if number % 4 == 0 else None
    record = answer(item, "s", choice, rule=f"r{number % 3}", raw=LONG, usage=usage, probs=probs)
    more = {"messages": (Message(role="user", content=LONG),), "passages": (Passage(id="p", text=LONG),)}
    return record.model_copy(update=more)


def same(one: Answers, other: Answers) -> bool:
    without_offset = [name for name in one.rows.dtype.names or () if name != "offset"]
    return (
        all(np.array_equal(one.rows[name], other.rows[name], equal_nan=one.rows[name].dtype.kind == "f")
            for name in without_offset)
        and np.array_equal(one.probs, other.probs)
        and one.usage.keys() == other.usage.keys()
        and all(np.array_equal(one.usage[name], other.usage[name]) for name in one.usage)
        and (one.rules, one.ids) == (other.rules, other.ids)
    )  # fmt: skip


def test_a_journal_says_what_its_records_say(tmp_path: Path) -> None:
    items = [pair_item(number) for number in range(60)]
    run = write_run(tmp_path / "run", [("mnli", items, {"s": respond})])
    answers = read_answers(run).evaluations[0]["s"]
    records = list(latest_records(records_path(run, "s")).values())
    assert same(answers, answers_of(records))
    given = [(one.item, one.prediction) for one in records if one.prediction is not None]
    predictions = answers.predictions
    assert predictions.ids == [item.id for item, _ in given]
    assert predictions.choices.tolist() == [NO_ANSWER if p.choice is None else p.choice for _, p in given]
    assert predictions.targets.tolist() == [item.target for item, _ in given]
    assert predictions.counted("cached_tokens").tolist() == [p.usage.get("cached_tokens", 0) for _, p in given]
    assert [predictions.rules[rule] for rule in predictions.rows["rule"].tolist()] == [p.rule for _, p in given]
    groups = [answers.items.group_names[group] for group in answers.groups.tolist()]
    assert groups == [one.item.group for one in records]
    assert (len(answers) - len(predictions), score(answers).errors) == (6, 6)


def test_of_an_item_that_was_asked_again_the_later_record_counts_in_the_place_of_the_first(tmp_path: Path) -> None:
    items = [pair_item(number) for number in range(5)]
    run = write_run(tmp_path / "run", [("mnli", items, {"s": lambda item: failure(item, "s")})])
    with Journal(records_path(run, "s")) as journal:
        for number in (3, 1, 3):
            journal.append(answer(items[number], "s", items[number].target, probs=(1, 0, 0), usage={"input_tokens": 7}))
    answers = read_answers(run).evaluations[0]["s"]
    assert answers.ids == [item.id for item in items]
    assert answers.correct.tolist() == [False, True, False, True, False]
    assert answers.probs[:, 0].tolist() == [0, 1, 0, 1, 0]
    assert answers.counted("input_tokens").tolist() == [0, 7, 0, 7, 0]
    path = records_path(run, "s")
    kept = [record for _, record in records_of_items(path, answers, range(5))]
    assert kept == list(latest_records(path).values())
    assert list(records_at(path, [0])) == [next(read_records(path))]


def test_rows_of_different_lengths_are_padded() -> None:
    pair, exam = pair_item(0), exam_item(2)
    asks = (Trial(order=(0, 1, 2), choice=1, status="ok"), Trial(order=(2, 0, 1), choice=None, status="none"))
    answers = answers_of(
        [answer(pair, "s", 1, asks=asks, probs=(0.5, 0.3, 0.2)), answer(exam, "s", 2, probs=(0.2,) * 5)]
    )
    assert answers.probs.tolist() == [[0.5, 0.3, 0.2, 0, 0], [0.2] * 5]
    assert answers.trial_choices.tolist() == [[1, -1], [-2, -2]]
    assert answers.orders == ((0, 1, 2), (2, 0, 1))
    assert len(answers_of([]).predictions) == 0


def test_the_items_that_systems_have_in_common_are_in_the_order_of_the_first(tmp_path: Path) -> None:
    items = [pair_item(number) for number in range(6)]
    orders = {"a": [5, 3, 1, 0], "b": [0, 1, 2, 3]}
    runs = [
        write_run(tmp_path / name, [("mnli", [items[n] for n in order], {name: lambda item: answer(item, "s", 0)})])
        for name, order in orders.items()
    ]
    a, b = (read_answers(run).evaluations[0][name] for run, name in zip(runs, orders, strict=True))
    in_a, in_b = common_rows([a, b])
    assert a.take(in_a).ids == b.take(in_b).ids == [items[n].id for n in (3, 1, 0)]


def test_what_is_kept_of_a_record_is_small_however_long_its_texts_are(tmp_path: Path) -> None:
    n = 2_000
    run = write_run(tmp_path / "run", [("mnli", [pair_item(number) for number in range(n)], {"s": respond})])
    tracemalloc.start()
    kept = read_answers(run)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept.evaluations[0]["s"]) == n
    assert peak / n < 1_200  # a record has 9 KB


@pytest.mark.parametrize("form", ["html", "csv", "text", "json"])
def test_a_report_parses_each_journal_once(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    suite = ladder_suite(tmp_path, model="tests.support.scripted_models:reader")
    assert main(["run", str(suite), "--out", str(run)]) == 0
    parsed: Counter[Path] = Counter()

    def counting(path: Path) -> Iterator[tuple[int, bytes]]:
        parsed[path] += 1
        return whole_lines(path)

    for module in ("eval.rundir.run_check", "eval.rundir.journal"):
        monkeypatch.setattr(f"{module}.whole_lines", counting)
    opened: Counter[Path] = Counter()
    path_open = Path.open

    def noting(path: Path, *how: Any, **more: Any) -> Any:
        opened[path] += path.name == "records.jsonl"
        return path_open(path, *how, **more)

    monkeypatch.setattr(Path, "open", noting)
    assert main(["report", str(run), "--format", form]) == 0
    journals = set(run.glob("*/records.jsonl"))
    assert parsed == dict.fromkeys(journals, 1)
    assert max(opened.values()) == 2  # once more to read back, by their places, the items that are shown


def test_a_damaged_line_among_known_items_is_named(tmp_path: Path) -> None:
    run = write_demo(tmp_path / "run")
    path = records_path(run, "tuned")
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[4] = lines[4].replace('"status":"ok"', '"status":"none"')
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["report", str(run)]) == 2
