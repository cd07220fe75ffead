"""Tables as people have them: CSV, TSV, JSON Lines, JSON, Parquet and Excel files.

In comes a file; out come its tables, one for each split that it holds, with what had to be guessed about it: how it is
encoded, what separates its cells, and whether its first row names the columns. Nothing is guessed in silence.
"""

import csv
import itertools
import json
import reprlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data import delimited
from data.common.errors import ConfigurationError, MissingResourceError
from data.common.files import open_bytes
from data.common.parsing import parse_json
from data.common.text import normalised
from data.delimited import SAMPLE, find_encoding, find_separator, is_header, read_records

Row = dict[str, Any]  # a cell is a text, or what JSON and Parquet hold besides: a list, an object, a number

DELIMITED = (".csv", ".tsv", ".txt", ".tab")
SUFFIXES = (*DELIMITED, ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx")


class Table(NamedTuple):
    """Rows with named columns.

    Attributes:
        split: Its name in a file that holds several; "" for the only one.
        columns: The names of the columns, in the file's order.
        rows: Each row with its place in the file, such as "line 7", for messages about it.
        faults: What is wrong with each row that could not be read.
        notes: What was guessed, a sentence each.
    """

    split: str
    columns: tuple[str, ...]
    rows: list[tuple[str, Row]]
    faults: list[ConfigurationError]
    notes: list[str]


def read_tables(
    path: Path, *, columns: Sequence[str] = (), encoding: str | None = None, separator: str | None = None
) -> list[Table]:
    """Return the tables of a file: one, or one for each split that it holds.

    Args:
        path: A file whose suffix is one of `SUFFIXES`.
        columns: The names of the columns of a file whose first row is data already; empty: a header is looked for.
        encoding: How a text file is encoded; None: UTF-8 or UTF-16, and else Korean Windows' cp949.
        separator: What separates the cells of a delimited file; None: what fits its first rows best.

    Raises:
        ConfigurationError: The file is of another kind, or cannot be read as what its name says.
        MissingResourceError: There is no such file, or it cannot be opened.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigurationError(f"{path}: cannot read '{path.suffix}' files; allowed: {', '.join(SUFFIXES)}")
    try:
        if suffix == ".parquet":
            return [_parquet(path)]
        if suffix == ".xlsx":
            return [_excel(path, columns)]
        encoding, notes = find_encoding(path, encoding)
        if suffix in DELIMITED:
            return [_delimited(path, columns, encoding, separator, notes)]
        return _json(path, columns, encoding, notes)
    except FileNotFoundError:
        raise MissingResourceError(f"there is no file {path}") from None
    except OSError as error:
        raise MissingResourceError(f"cannot read {path}: {error.strerror}") from error


def _text_of(path: Path, encoding: str) -> str:
    with open_bytes(path) as file:
        return file.read().decode(encoding)


def _delimited(path: Path, columns: Sequence[str], encoding: str, separator: str | None, notes: list[str]) -> Table:
    if separator is None:
        separator, guessed = find_separator(path, encoding)
        notes = [*notes, *guessed]
    records = read_records(path, encoding, separator)
    try:
        first = list(itertools.islice(records, SAMPLE))
        return _table(path, columns, itertools.chain(first, records), [cells for _, cells in first], notes)
    except csv.Error as error:
        reason = (
            f"a cell is longer than {delimited.LONGEST_CELL:,} characters"
            if "field larger" in str(error)
            else str(error)
        )
        raise ConfigurationError(f"{path}: {reason}; a quotation mark that is not closed may be why") from None


def _table(
    path: Path,
    columns: Sequence[str],
    records: Iterable[tuple[str, list[str]]],
    sample: list[list[str]],
    notes: list[str],
) -> Table:
    """Return records as a table whose columns are named by `columns`, by a header, or by their number."""
    records = iter(records)
    if not sample:
        raise ConfigurationError(f"{path} holds no rows")
    if columns:
        names = tuple(columns)
    elif is_header(sample):
        names = tuple(normalised(name).strip() for name in next(records)[1])
    else:
        names = tuple(f"column{number}" for number in range(1, len(sample[0]) + 1))
        notes = [*notes, f"its first row seems to be data, so its columns are {', '.join(names)}; --columns names them"]
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ConfigurationError(f"{path}: two columns are named {reprlib.repr(repeated[0])}; rename one")
    rows, faults = [], []
    for place, cells in records:
        if len(cells) == len(names):
            rows.append((place, dict(zip(names, cells, strict=True))))
        else:
            said = f"has {len(cells)} cells, and there are {len(names)} columns"
            faults.append(ConfigurationError(f"{path}, {place}: {said}"))
    return Table("", names, rows, faults, notes)


def _json(path: Path, columns: Sequence[str], encoding: str, notes: list[str]) -> list[Table]:
    text = _text_of(path, encoding)
    if path.suffix.lower() in (".jsonl", ".ndjson") or not text.lstrip().startswith(("[", "{")):
        return [_json_lines(path, columns, text, notes)]
    try:
        content = parse_json(text)
    except ValueError as error:
        if text.lstrip().startswith("{") and "\n{" in text:
            return [_json_lines(path, columns, text, [*notes, "read as JSON Lines"])]
        raise ConfigurationError(f"{path}: {error}") from error
    if isinstance(content, list):
        return [_json_rows(path, columns, "", [(f"row {n}", row) for n, row in enumerate(content, 1)], notes)]
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} holds neither a list of rows nor an object of splits")
    lists = {name: value for name, value in content.items() if isinstance(value, list)}
    if lists and all(rows and isinstance(rows[0], list | dict) for rows in lists.values() if rows):
        return _splits(path, columns, lists, notes)
    if lists and len({len(value) for value in lists.values()}) == 1:
        rows = [dict(zip(lists, cells, strict=True)) for cells in zip(*lists.values(), strict=True)]
        return [_json_rows(path, columns, "", [(f"row {n}", row) for n, row in enumerate(rows, 1)], notes)]
    raise ConfigurationError(f"{path} holds neither rows nor splits; it has: {', '.join(map(str, content))[:200]}")


def _splits(path: Path, columns: Sequence[str], lists: dict[str, list[Any]], notes: list[str]) -> list[Table]:
    """Return the splits of a file; rows of "oos_train" belong to "train", if there is one."""
    merged: dict[str, list[tuple[str, Any]]] = {}
    for name in sorted(lists, key=lambda it: it.count("_")):
        last = name.rpartition("_")[2]
        split = last if last != name and last in lists else name
        merged.setdefault(split, []).extend((f"{name}, row {n}", row) for n, row in enumerate(lists[name], 1))
    return [_json_rows(path, columns, split, rows, notes) for split, rows in merged.items()]


def _json_lines(path: Path, columns: Sequence[str], text: str, notes: list[str]) -> Table:
    rows, faults = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                rows.append((f"line {number}", parse_json(line.rstrip("\r"), line=number)))
            except ValueError as error:
                faults.append(ConfigurationError(f"{path}, line {number}: {error}"))
    table = _json_rows(path, columns, "", rows, notes)
    return table._replace(faults=[*faults, *table.faults])


def _json_rows(
    path: Path, columns: Sequence[str], split: str, found: Sequence[tuple[str, Any]], notes: list[str]
) -> Table:
    """Return rows that are objects, or lists of cells in one order, as a table."""
    rows: list[tuple[str, Row]] = []
    faults = []
    names: dict[str, None] = {}
    listed = [row for _, row in found if isinstance(row, list)]
    width = Counter(map(len, listed)).most_common(1)[0][0] if listed else 0
    of_lists = tuple(columns) or tuple(f"column{number}" for number in range(1, width + 1))
    for place, row in found:
        if isinstance(row, list) and len(row) == len(of_lists):
            row = dict(zip(of_lists, row, strict=True))
        if not isinstance(row, dict):
            faults.append(ConfigurationError(f"{path}, {place}: expected an object, found {reprlib.repr(row)}"))
            continue
        row = _flat(row)
        names |= dict.fromkeys(row)
        rows.append((place, row))
    if not rows and not faults:
        raise ConfigurationError(f"{path} holds no rows")
    return Table(split, tuple(names), rows, faults, notes)


def _flat(row: Row) -> Row:
    """Return a row whose question is a text: ARC is published with its stem and its choices in an object."""
    question = row.get("question")
    if not isinstance(question, dict) or "stem" not in question:
        return row
    return {**row, **question, "question": question["stem"]}


def _parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise ConfigurationError(f"{path} is no Parquet file: {str(error).splitlines()[0]}") from None
    rows = [(f"row {number}", row) for number, row in enumerate(table.to_pylist(), start=1)]
    return Table("", tuple(table.column_names), rows, [], [])


def _excel(path: Path, columns: Sequence[str]) -> Table:
    """Return the first sheet of a workbook."""
    from zipfile import BadZipFile

    from openpyxl import load_workbook

    try:
        sheet = load_workbook(path, read_only=True, data_only=True).worksheets[0]
    except (BadZipFile, KeyError, ValueError) as error:
        raise ConfigurationError(f"{path} is no Excel workbook: {error}") from None
    records = [
        (f"row {number}", ["" if cell is None else _cell(cell) for cell in cells])
        for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1)
        if any(cell is not None for cell in cells)
    ]
    return _table(path, columns, records, [cells for _, cells in records[:SAMPLE]], [f"read its sheet '{sheet.title}'"])


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False).strip('"')
