"""Labelled examples of a user's own file: rows become items of the task, in the file's order, or are refused."""

from pathlib import Path

import pytest

from data.common.errors import ConfigurationError, MissingResourceError
from data.example_rows import read_example_rows

LABELS = ("refund", "카드 분실")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_become_items_of_the_task(tmp_path: Path) -> None:
    path = write(tmp_path / "shots.csv", "문의,분류\n돈 돌려줘,Refund\n카드를 잃었어요,카드  분실\n")
    items = read_example_rows(path, texts=["message"], labels=LABELS)
    assert [(item.inputs, item.target, item.choices) for item in items] == [
        ({"message": "돈 돌려줘"}, 0, LABELS),
        ({"message": "카드를 잃었어요"}, 1, LABELS),
    ]


def test_several_texts_are_found_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "shots.tsv", "label\tBody\tsubject\nrefund\tb1\ts1\n카드 분실\tb2\ts2\n")
    items = read_example_rows(path, texts=["subject", "body"], labels=LABELS)
    assert [item.inputs for item in items] == [{"subject": "s1", "body": "b1"}, {"subject": "s2", "body": "b2"}]


@pytest.mark.parametrize(
    ("text", "texts", "said"),
    [
        ("text,label\nhello,greeting\nx,refund\n", ["text"], "line 2: label 'greeting' is none of: refund"),
        ("text,label\n,refund\nx,refund\n", ["text"], "text is ''"),
        ("text,label\na,refund\nb,refund\n", ["subject", "body"], "needs a column for each text of the task"),
    ],
)
def test_what_is_no_example_is_refused_in_one_line(tmp_path: Path, text: str, texts: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        read_example_rows(write(tmp_path / "shots.csv", text), texts=texts, labels=LABELS)
    assert "\n" not in str(refused.value) and "shots.csv" in str(refused.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingResourceError, match="nowhere"):
        read_example_rows(tmp_path / "nowhere.csv", texts=["text"], labels=LABELS)
