"""A table of a report as plain cells, for every form of the report to draw in its own way."""

from typing import NamedTuple


class Table(NamedTuple):
    """A table as text.

    Attributes:
        kind: Which table it is, for a form that draws one in its own way.
        rows: Each as long as `columns`.
        text_columns: How many columns from the left are words; the others are figures and aligned right.
        counts: (n_rows, m) the counts behind the first m figures, where their size is worth a shade.
        note: What a reader must know to read it right.
    """

    kind: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: int = 1
    note: str = ""
    counts: tuple[tuple[int, ...], ...] = ()
