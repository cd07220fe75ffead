"""The tables of a task's sides: read from its files, from the splits of one file, or from the parts of one.

A card and its folder in; out come a table to learn from, one to measure where there is one, and what was left out.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from data.card import TEST_STEMS, TRAIN_STEMS, TaskCard
from data.class_folders import class_table
from data.common.errors import ConfigurationError
from data.hub_name import HubName
from data.hub_tables import read_hub_tables
from data.table import read_tables
from data.table_types import Table
from data.task_files import Files, Source

_STEMS = {"train": TRAIN_STEMS, "test": TEST_STEMS}


class SideTables(NamedTuple):
    """The tables of a task.

    Attributes:
        tables: The table of "train", and of "test" where it has one of its own, in this order.
        sources: The file of each, for messages.
        notes: What was left out, a sentence each.
    """

    tables: dict[str, Table]
    sources: dict[str, str]
    notes: list[str]


def side_tables(files: Files, card: TaskCard, named: Collection[str]) -> SideTables:
    """Read the tables of a task's sides.

    Args:
        files: The files of each side.
        card: Which says how they are written.
        named: The columns that the card names.

    Raises:
        ConfigurationError: A file cannot be read, holds nothing of its side, or has parts with different columns.
        MissingResourceError: A file is not there.
    """
    found: dict[str, Table] = {}
    sources: dict[str, str] = {}
    notes: list[str] = []
    for side, paths in files.items():
        tables = _tables(paths, card, named)
        of_file = {side: tables[0]} if len(tables) == 1 else _by_side(tables)
        if side not in of_file:
            splits = ", ".join(table.split for table in tables)
            raise ConfigurationError(f"{paths[0]} has no split for {side}, such as '{side}'; it has: {splits}")
        taken = of_file if side == "train" and "test" not in files else {side: of_file[side]}
        found |= taken
        sources |= dict.fromkeys(taken, str(paths[0]))
        if isinstance(paths[0], HubName) and "test" in taken and side == "train":
            notes.append(_choice(paths[0], taken))
        if unused := [table.split for table in tables if all(table is not used for used in taken.values())]:
            notes.append(f"of its splits, these are not read: {', '.join(unused)}")
    return SideTables(found, sources, notes)


def _by_side(tables: Sequence[Table]) -> dict[str, Table]:
    """Return the first split that each side may be, by their names."""
    by_split = {table.split.casefold(): table for table in tables}
    splits = {side: _first(by_split, stems) for side, stems in _STEMS.items()}
    return {side: table for side, table in splits.items() if table is not None}


def _first(by_split: Mapping[str, Table], stems: Sequence[str]) -> Table | None:
    """Return the split that has one of some names, or begins with one, as "validation_matched" does."""
    exact = next((by_split[stem] for stem in stems if stem in by_split), None)
    parts = (table for stem in stems for split, table in by_split.items() if split.startswith(f"{stem}_"))
    return exact or next(parts, None)


def _choice(name: HubName, taken: Mapping[str, Table]) -> str:
    """Say which splits of a data set are used."""
    other = name._replace(revision=None, split="SPLIT")
    return (
        f"learnt from is the split '{taken['train'].split}', measured is '{taken['test'].split}' "
        f"(--test {other} names another)"
    )


def _tables(paths: Sequence[Source], card: TaskCard, named: Collection[str]) -> list[Table]:
    """Return the tables of one file, whose parts become one table."""
    first, *others = (_read(path, card, named) for path in paths)
    if not others:
        return first
    parts = [table for tables in (first, *others) for table in tables]
    if len(parts) != len(paths) or any(part.columns != parts[0].columns for part in parts):
        raise ConfigurationError(f"{paths[0]} and the other parts of it have different columns")
    names = [path.name for path in paths if isinstance(path, Path)]
    rows = [(f"{name}, {place}", row) for name, part in zip(names, parts, strict=True) for place, row in part.rows]
    return [parts[0]._replace(rows=rows, faults=[fault for part in parts for fault in part.faults])]


def _read(source: Source, card: TaskCard, named: Collection[str]) -> list[Table]:
    """Return the tables of one file, folder or data set."""
    if isinstance(source, HubName):
        return read_hub_tables(source)
    if source.is_dir():
        return [class_table(source, card.encoding)]
    return read_tables(source, columns=card.columns, encoding=card.encoding, separator=card.separator, named=named)
