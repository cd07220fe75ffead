"""Which row names the columns of a table: exports of spreadsheets, data frames and databases as they are."""

from pathlib import Path

import pytest

from data.common.errors import ConfigurationError
from data.table import read_tables

ROWS = [[f"a text of number {n}", ("card", "refund", "other")[n % 3]] for n in range(30)]
TOP = ["text", "label"]
FORMS = {
    "a data frame with its index": [["", *TOP], *([str(n), *row] for n, row in enumerate(ROWS))],
    "separators at each row's end": [[*TOP, "", ""], *([*row, "", ""] for row in ROWS)],
    "separators at the end of all rows but the header": [TOP, *([*row, ""] for row in ROWS)],
    "a title and a blank line above": [["Export of 1 May", ""], ["", ""], TOP, *ROWS],
    "a hint for Excel": [["sep=,"], TOP, *ROWS],
    "numbers as names": [[*TOP, *map(str, range(3))], *([*row, "0.1", "7", "-2e3"] for row in ROWS)],
    "an unnamed column of notes": [[*TOP, ""], *([*row, "a note"] for row in ROWS)],
}


@pytest.mark.parametrize("form", FORMS)
def test_the_header_is_found_whatever_stands_around_it(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(",".join(row) for row in FORMS[form]))
    (table,) = read_tables(path)
    assert [[row["text"], row["label"]] for _, row in table.rows] == ROWS and not table.faults
    assert set(table.columns) - {"0", "1", "2"} <= {"text", "label", "column1", "column3"}
    assert any("above the table" in note for note in table.notes) == (FORMS[form][0][0] in ("sep=,", "Export of 1 May"))


def test_columns_of_one_name_are_numbered_unless_they_may_be_meant(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["text,label,f,f,f", *(f"a {n},xy,1,2,3" for n in range(9))]))
    assert read_tables(path)[0].columns == ("text", "label", "f", "f.2", "f.3")
    path.write_text("\n".join(["text,label,label", *(f"a {n},x,y" for n in range(9))]))
    with pytest.raises(ConfigurationError, match="two columns are named 'label'; rename one"):
        read_tables(path)


def test_choices_may_be_called_by_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["문제,1,2,3,정답", *(f"무엇 {n}?,가,나,다,{n % 3 + 1}" for n in range(9))]))
    assert read_tables(path)[0].columns == ("문제", "1", "2", "3", "정답")


def test_a_label_of_many_comes_again_late(tmp_path: Path) -> None:
    """In 400 rows of 390 labels nothing comes again, so that the first row looks like names."""
    rows = [f"a text of number {n},intent {n % 390}" for n in range(2000)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(rows))
    assert len(read_tables(path)[0].rows) == 2000


def test_names_that_stand_in_the_file_too_are_no_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Text,Label\na,x\nb,y\n")
    (table,) = read_tables(path, columns=("text", "label"))
    assert [row for _, row in table.rows] == [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]


def test_of_thousands_of_columns_those_of_numbers_are_left_out_unless_they_are_named(tmp_path: Path) -> None:
    features = [f"f{n}" for n in range(3000)]
    path = tmp_path / "a.csv"
    cells = ",".join("0.5" for _ in features)
    path.write_text("\n".join([",".join([*TOP, *features]), *(f"{','.join(row)},{cells}" for row in ROWS)]))
    (table,) = read_tables(path, named={"f7"})
    assert table.columns == ("text", "label", "f7") and len(table.rows[0][1]) == 3
    assert "left out 2,999 columns of numbers" in " ".join(table.notes)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('"never closed,card', r"line 4: a cell starts with a quotation mark that nothing closes"),
        ('"closed far below,card\n' + "a row,card\n" * 9 + 'here",card', r"that is closed in line 14 only"),
    ],
)
def test_a_quotation_mark_that_takes_in_other_rows_is_refused(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["text,label", "one,card", "two,refund", line, *(f"x {n},card" for n in range(20))]))
    with pytest.raises(ConfigurationError, match=words):
        read_tables(path)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.jsonl"])
def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("data.delimited.LONGEST_CELL", 1000)
    separator = {"a.csv": ",", "a.tsv": "\t"}.get(name, "|")
    path = tmp_path / name
    path.write_text(f"text{separator}label\n" + f"a{separator}x\n" * 3 + "y" * 5000)
    with pytest.raises(ConfigurationError, match=r"line 5 is longer than 1,000 characters"):
        read_tables(path)


@pytest.mark.parametrize("encoding", ["gbk", "shift_jis", "latin-1", "utf-16-le"])
def test_an_encoding_that_is_not_known_is_asked_for(tmp_path: Path, encoding: str) -> None:
    text = {"gbk": "我的卡还没有到请帮我查一下", "shift_jis": "カードがまだ届きません"}.get(encoding, "déjà vu au café")
    path = tmp_path / "a.csv"
    path.write_bytes("\n".join(["text,label", *(f"{text} {n},x" for n in range(20))]).encode(encoding))
    with pytest.raises(ConfigurationError, match=r"neither UTF-8 nor cp949.* name its --encoding"):
        read_tables(path)
    if encoding != "utf-16-le":
        assert read_tables(path, encoding=encoding)[0].rows[0][1]["text"].startswith(text)
