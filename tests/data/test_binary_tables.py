"""Parquet files and workbooks: as they are written by others, damaged, or far larger than they seem."""

import json
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from data.common.errors import ConfigurationError
from data.table import read_tables
from data.task import open_task

TEXTS = [f"text {n} of many" for n in range(30)]


def workbook(path: Path, **sheets: list[list[object]]) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def parquet(path: Path, names: list[str] | None = None, **columns: list[object]) -> Path:
    import pyarrow
    import pyarrow.parquet

    features = {"label": {"names": names, "_type": "ClassLabel"}} if names else {}
    about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    pyarrow.parquet.write_table(pyarrow.table(columns).replace_schema_metadata(about), path)
    return path


def test_sheets_are_splits_or_the_first_one_with_rows_is_read(tmp_path: Path) -> None:
    rows = [["text", "label"], *([text, n % 2] for n, text in enumerate(TEXTS))]
    task = open_task(workbook(tmp_path / "a.xlsx", notes=[["read me"]], Train=rows, Test=[*rows[:1], ["new", 1]]))
    assert (len(task.load("train", None)), len(task.load("test", None)), task.labels) == (30, 1, ("0", "1"))
    (table,) = read_tables(workbook(tmp_path / "b.xlsx", empty=[], rows=[["A list of tickets"], [], *rows]))
    assert len(table.rows) == 30 and "read its sheet 'rows'" in table.notes


def test_classes_of_a_parquet_file_have_the_names_that_it_gives_them(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", ["bad", "good"], text=TEXTS, label=[n % 2 for n in range(30)])
    assert open_task(path).labels == ("bad", "good")
    hidden = parquet(
        tmp_path / "b.parquet", ["bad", "good"], text=TEXTS, label=[n % 2 - (n > 28) * 2 for n in range(30)]
    )
    with pytest.raises(ConfigurationError, match="row 30: the label in column 'label' is empty"):
        open_task(hidden)


def test_features_beside_the_texts_of_a_parquet_file_are_not_read(tmp_path: Path) -> None:
    features = {f"f{n}": [0.5] * 30 for n in range(200)}
    path = parquet(tmp_path / "a.parquet", text=TEXTS, label=[n % 2 for n in range(30)], **features)
    (table,) = read_tables(path, named=["f3"])
    assert table.columns == ("text", "label", "f3") and "left out 199 columns of numbers" in table.notes[0]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", ["a.xlsx", "a.parquet"])
def test_a_damaged_file_is_one_line(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    if name == "a.xlsx":
        workbook(path, rows=[["text", "label"], *([text, "x"] for text in TEXTS)])
    else:
        parquet(path, text=TEXTS, label=["x"] * 30)
    content = path.read_bytes()
    cut, torn = content[: int(len(content) * share)], bytearray(content)
    torn[int(len(content) * share) :: 7] = b"\0" * len(torn[int(len(content) * share) :: 7])
    for damaged in (cut, bytes(torn)):
        path.write_bytes(damaged)
        with pytest.raises(ConfigurationError, match=f"{name} is no|{name} holds no|cannot be") as error:
            read_tables(path)
        assert "\n" not in str(error.value)


def test_a_workbook_that_would_unpack_to_gigabytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.xlsx"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 50_000_000)
    monkeypatch.setattr("data.binary_tables.MOST_BYTES", 10_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(ConfigurationError, match=r"would unpack to 0.1 GB"):
        read_tables(path)
    rows = parquet(tmp_path / "a.parquet", text=["x" * 20_000_000], label=["x"])
    with pytest.raises(ConfigurationError, match=r"would unpack to 0.0 GB"):
        read_tables(rows)
