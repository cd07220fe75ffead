"""What a table is, whatever kind of file it was read from."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from data.common.errors import ConfigurationError

Row = dict[str, Any]  # a cell is a text, or what JSON and Parquet hold besides: a list, an object, a number


def is_number(cell: str) -> bool:
    """Say whether a cell is written as a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return any(letter.isdigit() for letter in cell)  # float reads "nan" and "infinity", too


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


def class_name(value: Any, names: Sequence[str]) -> Any:
    """Return the name of a class that is a number, of each where there are several; None for a hidden one, such as -1.

    Args:
        value: A cell of a column of classes; what is no number is returned as it is.
        names: The names of the classes, by their numbers.
    """
    if isinstance(value, list):
        return [class_name(one, names) for one in value]
    if not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else None
