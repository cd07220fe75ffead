"""`data check` on labelled files: what is in them, and what of it is odd."""

import json
from pathlib import Path

import pytest

from data.__main__ import main
from data.card import read_card
from data.task import open_task
from data.task_check import check_task

ROWS = [f"message {n} about money,{'refund' if n % 2 else 'card'}" for n in range(60)]
ODD = ["the very same,refund", "The very  SAME,card", "twice,card", "twice,card", *(f"rare {n},rare" for n in range(3))]


def table(path: Path, rows: list[str]) -> Path:
    path.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_what_is_odd_is_named(tmp_path: Path) -> None:
    found = check_task(table(tmp_path / "a.csv", [*ROWS, *ODD]))
    said = " | ".join(found.findings)
    assert "1 texts have several labels: 'the very same' is refund and card" in said.lower()
    assert "repeat the text of another" in said and "1 labels have fewer than 5 items to learn from: rare" in said
    assert found.train + found.test == 67 and sum(count.train + count.test for count in found.labels) == 67
    assert found.lengths == sorted(found.lengths)


def test_a_file_is_checked_and_its_card_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "tickets.csv", ROWS)
    assert main(["check", str(path)]) == 0
    printed = capsys.readouterr()
    assert "48 items to learn from, 12 to measure" in printed.out and "nothing odd was found" in printed.out
    assert "text: text (--text names others)" in printed.err
    card = tmp_path / "tickets.card.yaml"
    known = read_card(card)
    assert (known.train, known.text, known.label, known.language) == ("tickets.csv", ("text",), "label", "en")
    assert [item.inputs for item in open_task(card).load("test", None)] == [
        item.inputs for item in open_task(path).load("test", None)
    ]
    card.write_text("train: tickets.csv\nlabel: label\n")
    assert main(["check", str(path), "--json"]) == 0 and main(["check", str(path)]) == 0
    assert "stays as it is" in capsys.readouterr().err and card.read_text().startswith("train")


def test_the_folder_where_one_is_can_be_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(tmp_path / "train.csv", ROWS)
    monkeypatch.chdir(tmp_path)
    assert main(["check", "."]) == 0 and (tmp_path.parent / f"{tmp_path.name}.card.yaml").is_file()


def test_a_folder_and_splits_of_json_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own").mkdir()
    table(tmp_path / "own" / "train.csv", ROWS)
    table(tmp_path / "own" / "test.csv", ["one,card", "two,refund"])
    assert main(["check", str(tmp_path / "own")]) == 0
    assert "60 items to learn from, 2 to measure" in capsys.readouterr().out
    splits = {"train": [[f"text {n}", "ab"[n % 2]] for n in range(30)], "test": [["new", "a"], ["other", "b"]]}
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    assert main(["check", str(tmp_path / "splits.json")]) == 0
    assert "30 items to learn from, 2 to measure" in capsys.readouterr().out
