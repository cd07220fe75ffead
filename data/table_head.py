"""Which row of a table names its columns, and what stands above it.

In come the first records; out come the names of the columns, how many records come before the data, and a note on all
that was guessed.
"""

import reprlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from data.column_names import is_known, plain_name
from data.common.errors import ConfigurationError
from data.common.text import mentioned, normalised
from data.table_types import is_number

_LONGEST_NAME = 80  # characters: what is longer is a text and names no column
Record = Sequence[str]


class Head(NamedTuple):
    """The columns of a table.

    Attributes:
        names: One a column; columns at the end without a name and without a cell are none.
        above: How many records come before the first one of data.
        notes: What was guessed, a sentence each.
    """

    names: tuple[str, ...]
    above: int
    notes: list[str]


def table_head(sample: Sequence[Record], columns: Sequence[str], *, where: str | Path) -> Head:
    """Find out what the columns of a table are called.

    Args:
        sample: The first records of the table, blank ones left out.
        columns: The names that the user gave; empty: a header is looked for.
        where: What a message begins with.

    Raises:
        ConfigurationError: There are no records, or two columns have one name.
    """
    if not sample:
        raise ConfigurationError(f"{where} holds no rows")
    titles = _titles(sample)
    notes = [f"left out what stands above the table: {_shown(record)}" for record in sample[:titles]]
    records = [_plain(record) for record in sample[titles:]]
    width = _width(records)
    first = records[0]
    if columns:
        repeats_them = list(map(plain_name, first[: len(columns)])) == list(map(plain_name, columns))
        return Head(tuple(columns), titles + repeats_them, notes)
    if not is_header(records):
        names = tuple(f"column{number}" for number in range(1, width + 1))
        said = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
        return Head(names, titles, [*notes, f"its first row seems to be data, so its columns are {said}; "
                                            "--columns names them"])  # fmt: skip
    names = tuple(name or f"column{number}" for number, name in enumerate(first[:width], start=1))
    names, renamed = _told_apart(names, where=where)
    return Head(names, titles + 1, [*notes, *renamed])


def _told_apart(names: tuple[str, ...], *, where: str | Path) -> tuple[tuple[str, ...], list[str]]:
    """Number the columns of one name, with a note, unless it is one that may be meant: which is then for the user."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if meant := [name for name in repeated if is_known(name)]:
        raise ConfigurationError(f"{where}: two columns are named {reprlib.repr(meant[0])}; rename one")
    seen: Counter[str] = Counter()
    apart = []
    for name in names:
        seen[name] += 1
        apart.append(f"{name}.{seen[name]}" if seen[name] > 1 else name)
    if len(set(apart)) < len(apart):
        raise ConfigurationError(f"{where}: two columns are named {reprlib.repr(repeated[0])}; rename one")
    said = f"columns of one name are numbered: {reprlib.repr(repeated[0])} and so on" if repeated else ""
    return tuple(apart), [said] if said else []


def is_header(sample: Sequence[Record]) -> bool:
    """Say whether the first of some records names the columns.

    It does where two of its cells are names that tables usually have. Else it does not where a cell is empty or long,
    but for the first one above row numbers, where one is a number above numbers, nor where a column with the fewest
    values has its first value again further down: labels come again, and names do not.
    """
    first = _plain(sample[0])
    if sum(map(is_known, first)) >= 2:
        return True
    rest = [_plain(record) for record in sample[1:] if len(record) == len(sample[0])]
    columns = [[record[column] for record in rest] for column in range(len(first))]
    filled = [column for column in range(len(first)) if first[column] or any(columns[column])]
    numbered = [2 * sum(map(is_number, cells)) > len(cells) for cells in columns]
    if any(not first[column] and not (column == 0 and numbered[0]) for column in filled):
        return False
    if any(len(cell) > _LONGEST_NAME for cell in first):
        return False
    if any(is_number(first[column]) and (numbered[column] or not rest) for column in filled):
        return False
    values = {column: set(columns[column]) for column in filled}
    fewest = min(map(len, values.values()), default=0)
    return not rest or not any(first[column] in seen for column, seen in values.items() if len(seen) == fewest)


def _titles(sample: Sequence[Record]) -> int:
    """Return how many records above the table fill one cell at most, where most of the others fill several."""
    filled = [sum(bool(cell.strip()) for cell in record) for record in sample]
    if sum(count > 1 for count in filled) * 2 <= len(filled):
        return 0
    return next(place for place, count in enumerate(filled) if count > 1)


def _width(records: Sequence[Record]) -> int:
    """Return how many columns there are: at the end, those without any cell are none."""
    usual = Counter(map(len, records)).most_common(1)[0][0]
    width = max(usual, len(records[0]))
    while width > 1 and not any(record[width - 1 : width] and record[width - 1] for record in records):
        width -= 1
    return width


def _plain(record: Record) -> list[str]:
    return [normalised(cell).strip() for cell in record]


def _shown(record: Record) -> str:
    return mentioned(reprlib.repr(next((cell for cell in record if cell.strip()), "")))
