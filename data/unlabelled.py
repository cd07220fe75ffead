"""Texts that nobody has labelled: a file of a user's own in, items out whose target means nothing.

They are asked like any other item, and learnt from by what is answered; nothing scores them.
"""

from collections.abc import Mapping
from pathlib import Path

from data.common.errors import ConfigurationError
from data.delimited import LONGEST_CELL
from data.question_rows import cell_text
from data.splits import cluster_of, fold
from data.table import DELIMITED, read_tables
from data.types import Item

UNIT_SEPARATOR = "\x1f"


def unlabelled_items(path: Path, *, columns: Mapping[str, str], choices: tuple[str, ...], name: str) -> list[Item]:
    """Return the rows of a file as items, each text once; other columns, a label's too, are not read.

    Args:
        path: A file of any kind that `data.table.read_tables` reads.
        columns: For each input that an item has, the column that holds it.
        choices: The labels that the items may be given.
        name: What their ids begin with.

    Raises:
        ConfigurationError: The file lacks a column, has no rows, or a row has no text.
        MissingResourceError: There is no such file.
    """
    found: dict[tuple[str, ...], Item] = {}
    for table in read_tables(path, named=set(columns.values()), separator=_separator(path, columns)):
        if lacking := [column for column in columns.values() if column not in table.columns]:
            has = ", ".join(table.columns[:12])
            raise ConfigurationError(f"{path} has no column '{lacking[0]}', which holds the texts; it has: {has}")
        if table.faults:
            raise table.faults[0]
        for place, row in table.rows:
            where = f"{path}, {place}"
            inputs = {
                field: cell_text(row.get(column), where=where, column=column) for field, column in columns.items()
            }
            key = tuple(map(fold, inputs.values()))
            own = cluster_of("\n".join(key))
            item_id = f"{name}/unlabelled/{own}"  # the same for a text in any file
            found.setdefault(key, Item(id=item_id, inputs=inputs, choices=choices, target=0, group=f"{name}/{own}"))
    if not found:
        raise ConfigurationError(f"{path} has no rows: it must hold texts to be labelled")
    return list(found.values())


def _separator(path: Path, columns: Mapping[str, str]) -> str | None:
    """Return what no text holds where a delimited file has the texts' column alone; None: it is to be found."""
    if path.suffix.lower() not in DELIMITED or len(columns) != 1 or not path.is_file():
        return None
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        head = file.readline(LONGEST_CELL).strip().strip('"')
    return UNIT_SEPARATOR if head in columns.values() else None
