"""Texts a line each, with their labels in a file beside or before each text."""

from pathlib import Path

import pytest

from data.common.errors import ConfigurationError
from data.task import open_task


def lines(path: Path, content: list[str], encoding: str = "utf-8", end: str = "\n") -> Path:
    path.write_bytes((end.join(content) + end).encode(encoding))
    return path


@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("cp949", "\n")])
def test_files_side_by_side_belong_together_line_by_line(tmp_path: Path, encoding: str, end: str) -> None:
    for side, count in (("train", 30), ("test", 6)):
        lines(tmp_path / f"{side}.txt", [f"환불, 부탁해요 \t{side} {n}" for n in range(count)], encoding, end)
        lines(tmp_path / f"{side}.labels", [("환불", "배송")[n % 2] for n in range(count)], encoding, end)
    task = open_task(tmp_path)
    assert task.labels == ("배송", "환불") and len(task.load("train", None)) == 30
    assert {item.inputs["text"] for item in task.load("test", None)} == {f"환불, 부탁해요 \ttest {n}" for n in range(6)}


def test_files_of_different_lengths_are_one_line(tmp_path: Path) -> None:
    path = lines(tmp_path / "train.txt", ["a", "b", "c"])
    lines(tmp_path / "train.label", ["x", "y"])
    with pytest.raises(ConfigurationError, match=r"train.label has 2 lines and train.txt has more"):
        open_task(path)


def test_the_form_of_fasttext(tmp_path: Path) -> None:
    content = [f"__label__{('card', 'refund')[n % 2]} a text, of {n}" for n in range(200)]
    task = open_task(lines(tmp_path / "a.txt", [*content, "__label__card __label__refund both", ""]))
    assert task.labels == ("card", "refund") and any("fastText" in note for note in task.notes)
    assert {item.inputs["text"] for side in ("train", "test") for item in task.load(side, None)} == {
        f"a text, of {n}" for n in range(200)
    }
    assert any("line 201: has several labels before its text" in note for note in task.notes)
