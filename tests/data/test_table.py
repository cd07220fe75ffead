"""Tables as people have them: whatever separates, encodes and names their cells."""

import json
from pathlib import Path

import pytest

from data.common.errors import ConfigurationError, MissingResourceError
from data.table import read_tables
from data.table_head import is_header

ROWS = [("I lost my card, please help", "lost_card"), ('She said "no"\nand left', "other"), ("환불해 주세요", "refund")]


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def quoted(separator: str, end: str = "\n", header: bool = True) -> str:
    lines = ["text" + separator + "label"] if header else []
    for text, label in ROWS:
        cell = '"' + text.replace('"', '""') + '"'
        lines.append(f"{cell}{separator}{label}")
    return end.join(lines) + end


def cells(path: Path, **options) -> list[tuple]:
    (table,) = read_tables(path, **options)
    assert not table.faults
    return [tuple(row.values()) for _, row in table.rows]


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_a_table_is_read_whatever_separates_and_encodes_it(tmp_path, separator, end, encoding) -> None:
    path = written(tmp_path, "a.csv", quoted(separator, end), encoding)
    assert cells(path) == ROWS
    (table,) = read_tables(path)
    assert table.columns == ("text", "label")
    assert any("cp949" in note for note in table.notes) == (encoding == "cp949")
    assert any("separated by" in note for note in table.notes) == (separator != ",")


def test_places_are_lines_of_the_file(tmp_path: Path) -> None:
    (table,) = read_tables(written(tmp_path, "a.csv", quoted(",")))
    assert [place for place, _ in table.rows] == ["line 2", "line 3", "line 5"]


def test_a_row_of_another_width_is_a_fault_of_its_own(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "text,label\na,x\nb,c,y\nd,y\n")
    (table,) = read_tables(path)
    assert [row["text"] for _, row in table.rows] == ["a", "d"]
    assert [str(fault) for fault in table.faults] == [f"{path}, line 3: has 3 cells, and there are 2 columns"]


def test_a_file_without_a_header_is_noticed_and_its_columns_can_be_named(tmp_path: Path) -> None:
    text = "0\t안녕\n1\t잘 가\n0\t반가워\n"
    path = written(tmp_path, "a.txt", text)
    (table,) = read_tables(path)
    assert table.columns == ("column1", "column2") and len(table.rows) == 3
    assert any("--columns names them" in note for note in table.notes)
    (table,) = read_tables(path, columns=("label", "text"))
    assert table.rows[0] == ("line 1", {"label": "0", "text": "안녕"})


@pytest.mark.parametrize(
    ("sample", "header"),
    [
        ([["text", "label"], ["a", "x"], ["b", "y"]], True),
        ([["a", "x"], ["b", "y"], ["c", "x"]], False),
        ([["문의", "분류"], ["환불요", "환불"], ["배송요", "배송"], ["또 환불", "환불"]], True),
        ([["1", "x"], ["2", "y"]], False),
        ([["text", ""], ["a", "x"]], False),
    ],
)
def test_a_header_is_told_from_data(sample: list[list[str]], header: bool) -> None:
    assert is_header(sample) is header


def test_quotation_marks_that_are_text_stay_in_files_with_tabs(tmp_path: Path) -> None:
    path = written(tmp_path, "a.tsv", 'text\tlabel\n"Yes, he said\tx\nno\ty\n')
    assert cells(path) == [('"Yes, he said', "x"), ("no", "y")]


JSON_FORMS = {
    "lines": "\n".join(json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in ROWS),
    "list": json.dumps([{"text": text, "label": label} for text, label in ROWS]),
    "pairs": json.dumps([list(row) for row in ROWS]),
    "columns": json.dumps({"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}),
}


@pytest.mark.parametrize("form", JSON_FORMS)
def test_json_of_any_usual_form(tmp_path: Path, form: str) -> None:
    assert cells(written(tmp_path, "a.json", JSON_FORMS[form])) == ROWS


def test_json_of_splits_and_a_split_s_own_class(tmp_path: Path) -> None:
    content = {"oos_train": [["what", "oos"]], "train": [["hi", "a"], ["ho", "b"]], "test": [["he", "a"]]}
    tables = {table.split: table for table in read_tables(written(tmp_path, "a.json", json.dumps(content)))}
    assert {split: len(table.rows) for split, table in tables.items()} == {"train": 3, "test": 1}
    assert tables["train"].rows[-1] == ("oos_train, row 1", {"column1": "what", "column2": "oos"})


def test_parquet_and_excel(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet
    from openpyxl import Workbook

    pyarrow.parquet.write_table(
        pyarrow.table({"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}),
        tmp_path / "a.parquet",
    )
    assert cells(tmp_path / "a.parquet") == ROWS
    book = Workbook()
    for row in [("text", "label"), *ROWS, ("number", 3)]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert cells(tmp_path / "a.xlsx") == [*ROWS, ("number", "3")]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.docx", "x", "cannot read '.docx' files"),
        ("a.csv", "only one column\nhere\n", "have one cell each"),
        ("a.csv", "", "holds no rows"),
        ("a.csv", "text,text\na,b\nc,d\n", "two columns are named 'text'"),
        ("a.json", '{"a": 1}', "neither rows nor splits"),
        ("a.json", "[1, 2]", ""),
        ("a.json", '[{"a": 1}', "not JSON"),
        ("a.parquet", "PAR1 no", "no Parquet file"),
        ("a.xlsx", "no", "no Excel workbook"),
        ("a.csv", "a,b\n\0\0,c\n", "neither UTF-8 nor cp949"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    path = written(tmp_path, name, text)
    if not words:
        (table,) = read_tables(path)
        assert not table.rows and "expected an object, found 1" in str(table.faults[0])
        return
    with pytest.raises(ConfigurationError, match=words) as error:
        read_tables(path)
    assert "\n" not in str(error.value)


def test_a_cell_without_end_and_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.delimited.LONGEST_CELL", 1000)
    path = written(tmp_path, "a.csv", 'text,label\n"never closed,x\n' + "more,y\n" * 1000)
    with pytest.raises(ConfigurationError, match="longer than 1,000 characters; a quotation mark"):
        read_tables(path, separator=",")
    with pytest.raises(MissingResourceError, match="there is no file"):
        read_tables(tmp_path / "none.csv")
    with pytest.raises(ConfigurationError, match="--encoding klingon is unknown"):
        read_tables(path, encoding="klingon")
