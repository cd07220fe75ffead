"""JSON as data frames and tools write it: rows by index, columns, splits, and what is no row beside them."""

import json
from pathlib import Path
from typing import Any

import pytest

from data.common.errors import ConfigurationError
from data.table import read_tables

ROWS = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(6)]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}
FORMS: dict[str, Any] = {
    "rows under a name": {"version": 1, "data": ROWS},
    "rows by index": {str(n): row for n, row in enumerate(ROWS)},
    "rows by id": {f"q{n}": row for n, row in enumerate(ROWS)},
    "columns": COLUMNS,
    "columns by index": {name: {str(n): row[name] for n, row in enumerate(ROWS)} for name in ROWS[0]},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("indent", [None, 1])
def test_one_table_of_any_form(tmp_path: Path, form: str, indent: int | None) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(FORMS[form], indent=indent))
    (table,) = read_tables(path)
    assert [row for _, row in table.rows] == ROWS


def test_splits_of_columns_and_lists_that_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"train": COLUMNS, "test": ROWS[:2], "intents": ["a", "b"]}))
    tables = {table.split: table for table in read_tables(path)}
    assert {split: len(table.rows) for split, table in tables.items()} == {"train": 6, "test": 2}
    assert "these are no rows, and are not read: intents" in tables["train"].notes


def test_lines_under_the_name_of_json_and_with_line_separators_in_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    rows = [{"text": f"one\u2028two\r{n}", "label": "a"} for n in range(3)]
    path.write_text("\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8", newline="")
    assert [row for _, row in read_tables(path)[0].rows] == rows


@pytest.mark.parametrize("before", ["", "\n \n"])
def test_a_whole_file_may_be_one_long_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    monkeypatch.setattr("data.json_tables._LOOKED_AT", 40)
    monkeypatch.setattr("data.delimited.LONGEST_CELL", 100)
    path = tmp_path / "a.json"
    path.write_text(before + json.dumps(ROWS))
    assert [row for _, row in read_tables(path)[0].rows] == ROWS


def test_questions_without_choices_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"data": [{"title": "a", "paragraphs": [{"context": "b", "qas": []}]}]}))
    with pytest.raises(ConfigurationError, match="is in SQuAD's format, whose questions have no choices"):
        read_tables(path)


def test_json_that_is_too_large_to_be_read_at_once_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.json_tables.MOST_BYTES", 100)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(ROWS))
    with pytest.raises(ConfigurationError, match=r"must be read as a whole; save it as JSON Lines"):
        read_tables(path)
    lines = tmp_path / "a.jsonl"
    lines.write_text("\n".join(map(json.dumps, ROWS)))
    assert len(read_tables(lines)[0].rows) == 6
