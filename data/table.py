"""Tables as people have them: CSV, TSV, JSON Lines, JSON, Parquet, Excel, and parallel files of texts and labels.

In comes a file; out come its tables, one for each split that it holds, with what had to be guessed about it: how it is
encoded, what separates its cells, and whether its first row names the columns. Nothing is guessed in silence.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from data.binary_tables import read_excel, read_parquet
from data.common.errors import ConfigurationError, MissingResourceError
from data.delimited import SAMPLE, find_encoding, find_separator, read_records
from data.json_tables import read_json
from data.line_labels import fasttext_table, is_fasttext, labels_beside, parallel_table
from data.table_head import table_head
from data.table_types import Table
from data.wide_tables import columns_to_keep, kept_cells

DELIMITED = (".csv", ".tsv", ".txt", ".tab")
SUFFIXES = (*DELIMITED, ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx")
_HEAD_CELLS, _HEAD_ROWS = 400_000, 5000  # that are looked at for a header: a label of many comes again late


def read_tables(
    path: Path,
    *,
    columns: Sequence[str] = (),
    encoding: str | None = None,
    separator: str | None = None,
    named: Collection[str] = (),
) -> list[Table]:
    """Return the tables of a file: one, or one for each split that it holds.

    Args:
        path: A file whose suffix is one of `SUFFIXES`.
        columns: The names of the columns of a file whose first row is data already; empty: a header is looked for.
        encoding: How a text file is encoded; None: UTF-8 or UTF-16, and else Korean Windows' cp949.
        separator: What separates the cells of a delimited file; None: what fits its first rows best.
        named: The columns that the user named: they are read from a table of very many columns too.

    Raises:
        ConfigurationError: The file is of another kind, or cannot be read as what its name says.
        MissingResourceError: There is no such file, or it cannot be opened.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigurationError(f"{path}: cannot read '{path.suffix}' files; allowed: {', '.join(SUFFIXES)}")
    try:
        if suffix == ".parquet":
            return [read_parquet(path, named)]
        if suffix == ".xlsx":
            return [
                _table(path, columns, sheet.records, [f"read its sheet '{sheet.name}'"], named, split=sheet.split)
                for sheet in read_excel(path)
            ]
        labels = labels_beside(path)
        if labels is not None:
            return [parallel_table(path, labels, encoding)]
        encoding, notes = find_encoding(path, encoding)
        if suffix in DELIMITED:
            return [_delimited(path, columns, encoding, separator, notes, named)]
        return read_json(path, columns, encoding, notes)
    except FileNotFoundError:
        raise MissingResourceError(f"there is no file {path}") from None
    except OSError as error:
        raise MissingResourceError(f"cannot read {path}: {error.strerror or error}") from error


def _delimited(
    path: Path,
    columns: Sequence[str],
    encoding: str,
    separator: str | None,
    notes: list[str],
    named: Collection[str],
) -> Table:
    if separator is None and is_fasttext(path, encoding):
        return fasttext_table(path, encoding, notes)
    if separator is None:
        separator, guessed = find_separator(path, encoding)
        notes = [*notes, *guessed]
    return _table(path, columns, read_records(path, encoding, separator), notes, named)


def _table(
    path: Path,
    columns: Sequence[str],
    records: Iterable[tuple[str, list[str]]],
    notes: list[str],
    named: Collection[str],
    *,
    split: str = "",
) -> Table:
    """Return records as a table whose columns are named by `columns`, by a header, or by their number."""
    records = iter(records)
    first = _sample(records)
    head = table_head([cells for _, cells in first], columns, where=path)
    found = itertools.islice(itertools.chain(first, records), head.above, None)
    names = head.names
    kept, left_out = columns_to_keep(names, [cells for _, cells in first[head.above : head.above + SAMPLE]], named)
    rows, faults = [], []
    for place, cells in found:
        if len(cells) > len(names) and not any(cell.strip() for cell in cells[len(names) :]):
            cells = cells[: len(names)]  # separators at the end of a row, as spreadsheets leave them
        if len(cells) == len(names):
            rows.append((place, kept_cells(names, cells, kept)))
        else:
            said = f"has {len(cells)} cells, and there are {len(names)} columns"
            faults.append(ConfigurationError(f"{path}, {place}: {said}"))
    return Table(split, tuple(names[column] for column in kept), rows, faults, [*notes, *head.notes, *left_out])


def _sample(records: Iterator[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    """Take the first records: as many as tell a header from data, and fewer of very wide ones."""
    first = list(itertools.islice(records, SAMPLE))
    width = max((len(cells) for _, cells in first), default=1)
    more = min(_HEAD_ROWS, _HEAD_CELLS // max(width, 1)) - len(first)
    return [*first, *itertools.islice(records, max(more, 0))]
