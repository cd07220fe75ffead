"""Tables of very many columns, such as features beside a text: which are read at all.

The names of the columns and the first rows in, the places of those to keep out: the others would fill the memory.
"""

from collections.abc import Collection, Sequence
from typing import Any

from data.column_names import ONE_CHOICE, is_known, plain_name
from data.table_types import Row, is_number

MANY = 100  # columns: in a table of fewer, all are read


def columns_to_keep(
    names: Sequence[str], sample: Sequence[Sequence[str]], named: Collection[str]
) -> tuple[list[int], list[str]]:
    """Return the places of the columns to read, and a note on those that are left out.

    Args:
        names: The names of all columns.
        sample: The first rows.
        named: The columns that the user named.
    """
    if len(names) <= MANY:
        return list(range(len(names))), []
    rows = [cells for cells in sample if len(cells) >= len(names)]
    kept = [
        place
        for place, name in enumerate(names)
        if may_have_a_role(name, named) or not _are_numbers([cells[place] for cells in rows])
    ]
    return kept, notes_on(len(names) - len(kept))


def may_have_a_role(name: str, named: Collection[str]) -> bool:
    """Say whether a column's name alone is a reason to read it."""
    plain = plain_name(name)
    return name in named or is_known(name) or (bool(ONE_CHOICE.fullmatch(plain)) and not plain.isdecimal())


def notes_on(n_left_out: int) -> list[str]:
    """Return the note on columns that are not read."""
    said = f"left out {n_left_out:,} columns of numbers; --text and --label name any of them that matters"
    return [said] if n_left_out else []


def kept_cells(names: Sequence[str], cells: Sequence[Any], kept: Sequence[int]) -> Row:
    """Return the cells of a row by the names of the columns that are read."""
    if len(kept) == len(names):
        return dict(zip(names, cells, strict=True))
    return {names[place]: cells[place] for place in kept}


def _are_numbers(cells: Sequence[str]) -> bool:
    """Say whether cells are numbers, or empty."""
    return all(is_number(cell) for cell in cells if cell.strip())
