"""Tables of JSON: a list of rows, JSON Lines, columns, or an object of splits, as tools write them.

In comes a file; out come its tables. A file that must be read as a whole is only read up to a size.
"""

import reprlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.common.errors import ConfigurationError
from data.common.parsing import JsonObject, parse_json
from data.delimited import bounded_lines
from data.formats import is_squad
from data.table_types import Row, Table

MOST_BYTES = 300_000_000  # of JSON that is no JSON Lines: it takes several times as much memory
_LOOKED_AT = 1_000_000  # characters of a line: a whole file may be one
Place = tuple[str, Any]  # where a row stands, and the row


def read_json(path: Path, columns: Sequence[str], encoding: str, notes: list[str]) -> list[Table]:
    """Return the tables of a file of JSON.

    Raises:
        ConfigurationError: It is no JSON, or holds no rows; one line that says where.
    """
    if path.suffix.lower() in (".jsonl", ".ndjson") or not _is_one_value(path, encoding):
        return [_json_lines(path, columns, encoding, notes)]
    if path.stat().st_size > MOST_BYTES:
        raise ConfigurationError(
            f"{path} has {path.stat().st_size / 1e9:.1f} GB, and JSON must be read as a whole; save it as JSON Lines "
            "(.jsonl) or as Parquet"
        )
    try:
        content = parse_json(path.read_bytes().decode(encoding))
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    if isinstance(content, list):
        return [json_rows(path, columns, "", _numbered(content), notes)]
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} holds neither a list of rows nor an object of splits")
    return _object_tables(path, columns, content, notes)


def _is_one_value(path: Path, encoding: str) -> bool:
    """Say whether a file is one JSON value: its first line that is not blank is not one already."""
    with path.open(encoding=encoding) as file:
        first = next((line for line in iter(lambda: file.readline(_LOOKED_AT), "") if line.strip()), "")
        if not first.lstrip().startswith(("[", "{")):
            return False
        try:
            parse_json(first)
        except ValueError:  # it goes on in the next line, or is longer than what is looked at
            return True
        return not any(line.strip() for line in iter(lambda: file.readline(_LOOKED_AT), ""))


def _object_tables(path: Path, columns: Sequence[str], content: JsonObject, notes: list[str]) -> list[Table]:
    """Return the tables of an object: its splits, or one of its columns or of its rows by their ids."""
    if is_squad(content) and content["data"]:
        raise ConfigurationError(
            f"{path} is in SQuAD's format, whose questions have no choices; make rows of question, choices, answer and "
            "context of it"
        )
    rows = {name: found for name, value in content.items() if (found := _rows(value)) is not None}
    if rows and all(name in rows or not isinstance(value, list) for name, value in content.items()):
        return _splits(path, columns, rows, notes)
    if (table := _rows(content)) is not None:
        return [json_rows(path, columns, "", _numbered(table), notes)]
    if rows:
        left = ", ".join(name for name in content if name not in rows)
        return _splits(path, columns, rows, [*notes, f"these are no rows, and are not read: {left[:200]}"])
    raise ConfigurationError(f"{path} holds neither rows nor splits; it has: {', '.join(map(str, content))[:200]}")


def _rows(value: Any) -> list[Any] | None:
    """Return the rows of a value that is a list of them, an object of them by id, or one of columns."""
    if isinstance(value, list):
        return value if not value or isinstance(value[0], list | dict) else None
    if not isinstance(value, dict) or not value:
        return None
    held = list(value.values())
    if all(isinstance(one, list) for one in held) and len(set(map(len, held))) == 1:
        return [dict(zip(value, cells, strict=True)) for cells in zip(*held, strict=True)]
    if not all(isinstance(one, dict) for one in held):
        return None
    alike = len({tuple(one) for one in held}) == 1
    if alike and all(name.isdecimal() for name in held[0]):  # as pandas writes columns: of cells by their index
        return [{name: cells[key] for name, cells in value.items()} for key in held[0]]
    return held if alike or all(name.isdecimal() for name in value) else None


def _splits(path: Path, columns: Sequence[str], lists: dict[str, list[Any]], notes: list[str]) -> list[Table]:
    """Return the splits of a file; rows of "oos_train" belong to "train", if there is one."""
    merged: dict[str, list[Place]] = {}
    for name in sorted(lists, key=lambda it: it.count("_")):
        last = name.rpartition("_")[2]
        split = last if last != name and last in lists else name
        merged.setdefault(split, []).extend((f"{name}, row {n}", row) for n, row in enumerate(lists[name], 1))
    return [json_rows(path, columns, split, rows, notes) for split, rows in merged.items()]


def _json_lines(path: Path, columns: Sequence[str], encoding: str, notes: list[str]) -> Table:
    rows: list[Place] = []
    faults = []
    for number, line in bounded_lines(path, encoding, newline="\n"):  # a text may hold a lone "\r"
        if line.strip():
            try:
                rows.append((f"line {number}", parse_json(line.rstrip("\r\n"), line=number)))
            except ValueError as error:
                faults.append(ConfigurationError(f"{path}, line {number}: {error}"))
    table = json_rows(path, columns, "", rows, notes)
    return table._replace(faults=[*faults, *table.faults])


def _numbered(rows: Sequence[Any]) -> list[Place]:
    return [(f"row {number}", row) for number, row in enumerate(rows, start=1)]


def json_rows(path: Path, columns: Sequence[str], split: str, found: Sequence[Place], notes: list[str]) -> Table:
    """Return rows that are objects, or lists of cells in one order, as a table.

    Raises:
        ConfigurationError: There are none.
    """
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
