"""The labels of a task, however their files and cards write them."""

import json
from pathlib import Path
from typing import Any

import pytest

from data.card import card_yaml, read_card
from data.common.errors import ConfigurationError
from data.task import open_task


def rows(path: Path, labels: list[Any], n: int = 40) -> Path:
    """Write a file in which row n has the label n % len(labels)."""
    content = [{"text": f"message number {i} of many", "label": labels[i % len(labels)]} for i in range(n)]
    if path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, content)))
    else:
        path.write_text("text,label\n" + "\n".join(f'{row["text"]},"{row["label"]}"' for row in content))
    return path


@pytest.mark.parametrize("words", [["yes", "no"], ["on", "off"], ["True", "False"], ["010", "020"], ["null", "1e3"]])
@pytest.mark.parametrize("form", ["[{0}, {1}]", "{{{0}: the first, {1}: {{also: [other]}}}}"])
def test_words_that_yaml_takes_for_values_are_labels_as_they_are_written(
    tmp_path: Path, words: list[str], form: str
) -> None:
    rows(tmp_path / "a.csv", words)
    card = tmp_path / "a.yaml"
    card.write_text(f"train: a.csv\nlabels: {form.format(*words)}\ntest: {{share: 0.5, stratify: yes, seed: 7}}\n")
    task = open_task(card)
    assert task.labels == tuple(words) and len(task.load("test", None)) == 20
    (tmp_path / "again.yaml").write_text(card_yaml(task.full_card))
    assert open_task(tmp_path / "again.yaml").labels == tuple(words)


def test_columns_may_be_called_by_such_words_and_a_suite_s_are_asked_to_be_quoted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n".join(f"{n},a text {n},{'xy'[n % 2]}" for n in range(20)))
    card = tmp_path / "a.yaml"
    card.write_text("train: a.csv\ncolumns: [no, text, on]\nlabel: on\nlanguage: no\ntest: 0.5\n")
    assert open_task(card).labels == ("x", "y") and read_card(card).language == "no"
    with pytest.raises(ConfigurationError, match="put a label of that name in quotes"):
        open_task(tmp_path / "a.csv", labels=[True, False])


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        ([0, 1, 2], ["bad", "fair", "good"], ["bad", "fair", "good"]),
        ([1, 2, 3], ["bad", "fair", "good"], ["bad", "fair", "good"]),
        ([0, 2], ["bad", "fair", "good"], ["bad", "good"]),
        ([0.0, 1.0], ["no", "yes"], ["no", "yes"]),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_numbers_are_named_in_order(tmp_path: Path, name: str, labels: list, names: list, expected: list) -> None:
    task = open_task(rows(tmp_path / name, labels), labels=names)
    assert task.labels == tuple(names)
    by_text = {
        item.inputs["text"]: item.choices[item.target] for side in ("train", "test") for item in task.load(side, None)
    }
    assert [by_text[f"message number {n} of many"] for n in range(len(labels))] == expected
    assert any(note.startswith("labels that are numbers have names: ") for note in task.notes)


@pytest.mark.parametrize(
    ("labels", "fields", "words"),
    [
        ([1, 2], {"labels": ["a", "b", "c"]}, "which may count from 0 or from 1; say in a card which is which"),
        ([0, 1, 7], {"labels": ["a", "b"]}, "numbers from 0 to 7, which are more than the 2 names"),
        (["x", "y", "z"], {"labels": ["x", "y"]}, "a.csv: label 'z' of 13 items is not among the card's labels: x, y"),
        (["x", "y"], {"labels": {"x": {"also": ["y"]}, "y": {}}}, "labels 'x' and 'y' are both written 'y'"),
        (["a;b", "b;c", "a;c"], {}, "label 'a;b' seems to be several labels in one cell"),
        (["['a']", "['a', 'b']"], {}, "a.csv, line 3: label holds several labels"),
    ],
)
def test_what_cannot_be_labels_is_one_line(tmp_path: Path, labels: list[Any], fields: Any, words: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        open_task(rows(tmp_path / "a.csv", labels), **fields)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["food/drink", "food/snack", "toy/soft"], ("food/drink", "food/snack", "toy/soft")),
        (["['a']", "['b']"], ("a", "b")),
        (["[urgent] refund", "[urgent] card"], ("[urgent] card", "[urgent] refund")),
        (["1.0", "2.0", "10.0"], ("1", "2", "10")),
        (["v1.0a", "v2"], ("v1.0a", "v2")),
    ],
)
def test_what_only_looks_like_several_labels_is_one(tmp_path: Path, labels: list[str], expected: tuple) -> None:
    assert open_task(rows(tmp_path / "a.csv", labels)).labels == expected
    several = rows(tmp_path / "b.csv", ["a;b", "b;c", "a;c"])
    assert open_task(several, labels=["a;b", "b;c", "a;c"]).labels == ("a;b", "b;c", "a;c")


def test_lists_of_one_label_and_values_that_are_none(tmp_path: Path) -> None:
    assert open_task(rows(tmp_path / "a.jsonl", [["a"], ["b"]])).labels == ("a", "b")
    for name, labels in {
        "b.jsonl": ["a", "b", float("nan")],
        "c.jsonl": ["a", "b", None],
        "d.jsonl": ["a", "b", []],
    }.items():
        with pytest.raises(ConfigurationError, match=f"{name}, line 3: the label in column 'label' is empty"):
            open_task(rows(tmp_path / name, labels))
    task = open_task(rows(tmp_path / "e.csv", ["a", "b", "NaN"]))
    assert any(note.startswith("label 'NaN' may stand for none") for note in task.notes)


def test_labels_that_nothing_is_learnt_of_are_named_with_their_file(tmp_path: Path) -> None:
    rows(tmp_path / "train.csv", ["a", "b"])
    rows(tmp_path / "test.csv", ["a", "new", "other"], n=9)
    with pytest.raises(ConfigurationError) as error:
        open_task(tmp_path)
    assert "test.csv: 2 labels, 'new' (3), 'other' (3), to measure are none of the 2 labels" in str(error.value)
