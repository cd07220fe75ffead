"""Which files a task is made of: parts of one, folders of texts, and rows that cannot be measured."""

import json
from pathlib import Path

import pytest

from data.__main__ import main
from data.common.errors import ConfigurationError, MissingResourceError
from data.task import open_task


def rows(path: Path, first: int, last: int, header: str = "text,label") -> Path:
    path.write_text("\n".join([header, *(f"text {n},{'xy'[n % 2]}" for n in range(first, last))]))
    return path


def test_the_parts_of_a_file_are_one(tmp_path: Path) -> None:
    for part in range(3):
        rows(tmp_path / f"train-0000{part}-of-00003.csv", 10 * part, 10 * part + 10)
    rows(tmp_path / "test-00000-of-00001.csv", 50, 54)
    for target in (tmp_path, tmp_path / "train-00000-of-00003.csv"):
        task = open_task(target)
        n = sum(len(task.load(side, None)) for side in ("train", "test"))
        assert n == (34 if target == tmp_path else 30)
    rows(tmp_path / "train-00001-of-00003.csv", 0, 9, header="text,kind")
    with pytest.raises(ConfigurationError, match="the other parts of it have different columns"):
        open_task(tmp_path)
    (tmp_path / "train-00001-of-00003.csv").unlink()
    with pytest.raises(ConfigurationError, match="is one of 3 parts, of which 2 are there"):
        open_task(tmp_path)


@pytest.mark.parametrize("has_sides", [True, False])
def test_a_folder_of_texts_for_each_label(tmp_path: Path, has_sides: bool, capsys: pytest.CaptureFixture[str]) -> None:
    for side, count in (("train", 30), ("test", 6)) if has_sides else (("", 36),):
        for n in range(count):
            folder = tmp_path / "own" / side / ("neg", "pos")[n % 2]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{n}.txt").write_text(f"text {n}\nof {side}", encoding="utf-8")
    task = open_task(tmp_path / "own")
    learnt, measured = task.load("train", None), task.load("test", None)
    assert task.labels == ("neg", "pos") and len(learnt) + len(measured) == 36
    assert len(measured) == 6 if has_sides else 7
    assert all(item.target == int(item.inputs["text"].split()[1]) % 2 for item in (*learnt, *measured))
    assert main(["check", str(tmp_path / "own"), "--card", str(tmp_path / "card.yaml")]) == 0
    assert open_task(tmp_path / "card.yaml").labels == ("neg", "pos")


def test_rows_without_labels_cannot_be_measured(tmp_path: Path) -> None:
    rows(tmp_path / "train.csv", 0, 30)
    (tmp_path / "test.csv").write_text("id,text\n1,what\n2,why\n")
    with pytest.raises(ConfigurationError) as error:
        open_task(tmp_path)
    assert "test.csv has no column 'label', which" in str(error.value) and "--test 0.2 measures" in str(error.value)
    assert len(open_task(tmp_path / "train.csv", test={"share": 0.2}).load("test", None)) == 6


def test_a_file_of_splits_may_be_either_side(tmp_path: Path) -> None:
    splits = {name: [[f"{name} {n}", "xy"[n % 2]] for n in range(8)] for name in ("train", "test", "extra")}
    (tmp_path / "all.json").write_text(json.dumps(splits))
    header = "column1,column2"
    task = open_task(tmp_path / "all.json", test=str(rows(tmp_path / "mine.csv", 0, 4, header=header)))
    assert [len(task.load(side, None)) for side in ("train", "test")] == [8, 4]
    task = open_task(rows(tmp_path / "learn.csv", 0, 20, header=header), test=str(tmp_path / "all.json"))
    assert [len(task.load(side, None)) for side in ("train", "test")] == [20, 8]
    (tmp_path / "none.json").write_text(json.dumps({"one": splits["train"], "two": splits["test"]}))
    with pytest.raises(ConfigurationError, match="has no split for train, such as 'train'; it has: one, two"):
        open_task(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "text\tlabel\na\tx\nb\ty\n".encode("utf-16")[:-1]),
        ("a.jsonl", b'{"text": "\\ud800 a", "label": "x"}\n{"text": "b", "label": "y"}'),
        ("a.jsonl", b'{"text": "a", "label": "\\ud800"}\n{"text": "b", "label": "y"}'),
        ("a.jsonl", b'{"question": "a", "choices": ["\\ud800", "b"], "answer": "b"}'),
    ],
)
def test_half_a_character_is_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"half of a surrogate pair|neither UTF-8 nor cp949"):
        open_task(tmp_path / name)


def test_a_folder_with_nothing_to_learn_from_says_what_it_holds(tmp_path: Path) -> None:
    rows(tmp_path / "notes.csv", 0, 3)
    with pytest.raises(MissingResourceError, match=r"has no file to learn from .* it holds: notes.csv"):
        open_task(tmp_path)
