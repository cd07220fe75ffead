"""Rows of files that are too large to hold: one at a time in, one at a time out, in the format that is wanted.

CSV, TSV, JSON Lines and Parquet are read as they stand, a row after another; JSON and Excel, which cannot be, are read
whole, up to the size that `data.table` allows.
"""

import csv
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.parsing import parse_json
from data.common.text import one_line
from data.delimited import bounded_lines, find_encoding, find_separator, read_records
from data.table import DELIMITED, SUFFIXES, read_tables
from data.table_head import table_head
from data.table_types import Row

UNIT_SEPARATOR = "\x1f"  # which no text holds
WRITABLE = (".csv", ".tsv", ".jsonl", ".parquet")
_SAMPLE = 200  # records in which a header is looked for
_PARQUET_ROWS = 4096  # read and written at once


class Source(NamedTuple):
    """A file whose rows can be read as often as is wanted.

    Attributes:
        path: The file.
        columns: The names of its columns; of JSON Lines, those of its first row.
        rows: Begins a reading: each row with its place in the file, such as "line 7".
        notes: What was guessed about it, a sentence each.
        types: The Arrow types of the columns of a Parquet file, by name; empty of any other.
    """

    path: Path
    columns: tuple[str, ...]
    rows: Callable[[], Iterator[tuple[str, Row]]]
    notes: list[str]
    types: Mapping[str, Any] = MappingProxyType({})


def open_rows(path: Path, *, columns: Sequence[str] = (), encoding: str | None = None, only: str = "") -> Source:
    """Open a file of rows.

    Args:
        path: A file of a kind that `data.table.read_tables` reads.
        columns: The names of the columns where the first row is data already; empty: a header is looked for.
        encoding: How a text file is encoded; None: see `data.delimited.find_encoding`.
        only: The column that a file may have alone; no separator is looked for in such a one.

    Raises:
        ConfigurationError: The file is of another kind, or cannot be read as what its name says.
        MissingResourceError: There is no such file, or it cannot be opened.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigurationError(f"{path}: cannot read '{path.suffix}' files; allowed: {', '.join(SUFFIXES)}")
    try:
        if suffix == ".parquet":
            return _parquet(path)
        if suffix in (".json", ".xlsx"):
            return _whole(path, columns, encoding)
        encoding, notes = find_encoding(path, encoding)
        if suffix in DELIMITED:
            return _delimited(path, columns, encoding, notes, only)
        return _json_lines(path, encoding, notes)
    except FileNotFoundError:
        raise MissingResourceError(f"there is no file {path}") from None
    except OSError as error:
        raise MissingResourceError(f"cannot read {path}: {error.strerror or error}") from error


def _whole(path: Path, columns: Sequence[str], encoding: str | None) -> Source:
    tables = read_tables(path, columns=columns, encoding=encoding)
    faults = [fault for table in tables for fault in table.faults]
    if faults:
        raise faults[0]
    names = tuple(dict.fromkeys(name for table in tables for name in table.columns))
    notes = [note for table in tables for note in table.notes]
    return Source(path, names, lambda: itertools.chain.from_iterable(table.rows for table in tables), notes)


def _delimited(path: Path, columns: Sequence[str], encoding: str, notes: list[str], only: str) -> Source:
    first = next((line for _, line in bounded_lines(path, encoding) if line.strip()), "")
    if only and (first.strip().strip('"') == only or tuple(columns) == (only,)):
        separator, guessed = UNIT_SEPARATOR, list[str]()
    else:
        separator, guessed = find_separator(path, encoding)
    sample = list(itertools.islice(read_records(path, encoding, separator), _SAMPLE))
    head = table_head([cells for _, cells in sample], columns, where=path)
    n_columns = len(head.names)

    def rows() -> Iterator[tuple[str, Row]]:
        for place, cells in itertools.islice(read_records(path, encoding, separator), head.above, None):
            own = cells[:n_columns] if not any(cell.strip() for cell in cells[n_columns:]) else cells
            if len(own) != n_columns:
                raise ConfigurationError(
                    f"{path}, {place}: has {len(cells)} cells, and there are {n_columns} columns; mend the row or take "
                    "it out"
                )
            yield place, dict(zip(head.names, own, strict=True))

    return Source(path, head.names, rows, [*notes, *guessed, *head.notes])


def _json_lines(path: Path, encoding: str, notes: list[str]) -> Source:
    def rows() -> Iterator[tuple[str, Row]]:
        for number, line in bounded_lines(path, encoding, newline="\n"):
            if line.strip():
                try:
                    row = parse_json(line.rstrip("\r\n"), line=number)
                except ValueError as error:
                    raise ConfigurationError(f"{path}, line {number}: {error}") from None
                if not isinstance(row, dict):
                    raise ConfigurationError(f"{path}, line {number}: expected an object, one to a line")
                yield f"line {number}", row

    first = next(rows(), None)
    if first is None:
        raise ConfigurationError(f"{path} holds no rows")
    return Source(path, tuple(first[1]), rows, notes)


def _parquet(path: Path) -> Source:
    import pyarrow
    import pyarrow.parquet

    def rows() -> Iterator[tuple[str, Row]]:
        number = itertools.count(1)
        with _faults_of_parquet(path), pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_PARQUET_ROWS):
                for row in batch.to_pylist():
                    yield f"row {next(number)}", row

    with _faults_of_parquet(path), pyarrow.parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        return Source(path, tuple(schema.names), rows, [], dict(zip(schema.names, schema.types, strict=True)))


@contextmanager
def _faults_of_parquet(path: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system's, and not that of the format
            raise
        raise ConfigurationError(f"{path} is no Parquet file: {one_line(error)}") from None


@contextmanager
def written_rows(
    path: Path, columns: Sequence[str], types: Mapping[str, Any] | None = None
) -> Iterator[Callable[[Row], None]]:
    """Write rows into a new file, as a context that gives what writes one.

    Args:
        path: The file; its suffix, one of `WRITABLE`, says in which format.
        columns: Of every row.
        types: The Arrow types of columns of a Parquet file; any other cell that is no text is written as JSON.
    """
    if path.suffix.lower() == ".parquet":
        with _parquet_writer(path, columns, types or {}) as write:
            yield write
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix.lower() == ".jsonl":
            yield lambda row: print(json.dumps(row, ensure_ascii=False, default=str), file=file)
            return
        writer = csv.writer(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", lineterminator="\n")
        writer.writerow(columns)
        yield lambda row: writer.writerow([_text(row.get(column)) or "" for column in columns])


def _text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    return json.dumps(cell, ensure_ascii=False, default=str)


@contextmanager
def _parquet_writer(path: Path, columns: Sequence[str], types: Mapping[str, Any]) -> Iterator[Callable[[Row], None]]:
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in columns])
    held: list[Row] = []

    def flush() -> None:
        cells = {name: [row.get(name) if name in types else _text(row.get(name)) for row in held] for name in columns}
        writer.write_table(pyarrow.table(cells, schema=schema))
        held.clear()

    def write(row: Row) -> None:
        held.append(row)
        if len(held) == _PARQUET_ROWS:
            flush()

    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        yield write
        flush()
