"""Tab-separated values as tools write them: GLUE's without quoting; those of spreadsheets, pandas and R with it.

In comes a file, out come its rows as cells. Nothing in a file says which of the two it is, and a quotation mark is part
of the text in the one and encloses it in the other. So a whole file is looked at first: it is quoted where every
quotation mark in it belongs to a pair that encloses a cell, and something shows that this is no chance.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from data.regular_file import open_text

_CELL = re.compile(r'("[^"]*(?:""[^"]*)*"|[^"\t]*)(\t|\Z)')


class Quoting(NamedTuple):
    """Whether a file's cells are quoted.

    Attributes:
        used: Cells may be quoted, and hold tabs and line breaks.
        broken_at: The line of the first quotation mark that encloses no cell, so that none is taken to; None: all do.
    """

    used: bool
    broken_at: int | None = None


def read_cells(path: Path, quoting: Quoting) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row with the line that it starts on, reading as it goes; blank rows are passed over."""
    with _opened(path) as file:
        if not quoting.used:
            lines = ((number, line.rstrip("\r\n")) for number, line in enumerate(file, start=1))
            yield from ((number, line.split("\t")) for number, line in lines if line.strip())
            return
        for number, row in _rows(file):
            if row.strip():
                yield number, [_unquoted(cell) for cell in _cells(row) or ()]


def find_quoting(path: Path) -> Quoting:
    """Look through a file for whether its cells are quoted."""
    seen = _Seen()
    with _opened(path) as file:
        for number, row in _rows(file):
            if '"' not in row:
                seen.add_bare(row)
                continue
            cells = _cells(row)
            width = seen.width or len(cells or ())
            fits_without = all(line.count("\t") + 1 == width for line in row.split("\n"))
            if cells is None or (len(cells) != width and fits_without):
                return Quoting(used=False, broken_at=number)
            seen.proven |= len(cells) == width and not fits_without  # by a tab or a line break in a cell
            seen.add(cells)
    return Quoting(used=seen.are_quoted())


class _Seen:
    """What the rows of a file show, in which every quotation mark encloses a cell."""

    def __init__(self) -> None:
        self.n_rows = 0
        self.width = 0  # the cells of the header
        self.proven = False  # by a cell that needs its quotes or holds doubled ones, or by a header in quotes
        self.columns: set[int] = set()  # those whose every cell is quoted, the header aside
        self.comma_quoted = self.comma_bare = self.quoted_for_nothing = False

    def add(self, cells: list[str]) -> None:
        quoted = {column for column, cell in enumerate(cells) if cell.startswith('"')}
        for column, cell in enumerate(cells):
            within = cell[1:-1] if column in quoted else ""
            self.proven |= '"' in within or "\r" in within
            self.comma_quoted |= "," in within
            self.comma_bare |= "," in cell and column not in quoted
            self.quoted_for_nothing |= bool(within) and "," not in within
        self.width = self.width or len(cells)
        self.proven |= self.n_rows == 0 and bool(quoted)
        self.columns = quoted if self.n_rows == 1 else self.columns & quoted
        self.n_rows += 1

    def add_bare(self, row: str) -> None:
        """Note a row without any quotation mark."""
        if row.strip():
            self.width = self.width or row.count("\t") + 1
            self.comma_bare |= "," in row
            self.columns = set()
            self.n_rows += 1

    def are_quoted(self) -> bool:
        """Say whether the marks enclose cells: proven, in a whole column, or, as Excel does, just where a comma is."""
        as_excel = self.comma_quoted and not self.comma_bare and not self.quoted_for_nothing
        return self.proven or as_excel or (self.n_rows > 2 and bool(self.columns))


def _opened(path: Path) -> TextIO:
    # Only "\n" ends a line: text may hold a lone "\r" or a Unicode line separator.
    return open_text(path, newline="\n")


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Put lines together until the quotation marks pair up, and yield each row with its first line's number."""
    parts: list[str] = []
    is_open = False
    for number, line in enumerate(lines, start=1):
        parts.append(line)
        is_open ^= bool(line.count('"') % 2)
        if not is_open:
            yield number - len(parts) + 1, "".join(parts).rstrip("\r\n")
            parts.clear()
    if parts:
        yield number - len(parts) + 1, "".join(parts).rstrip("\r\n")


def _cells(row: str) -> list[str] | None:
    """Return a row's cells as they are written; None where a quotation mark encloses none."""
    cells: list[str] = []
    place = 0
    while found := _CELL.match(row, place):
        cells.append(found[1])
        if not found[2]:
            return cells
        place = found.end()
    return None


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell
