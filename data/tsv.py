"""Tab-separated values as tools write them: GLUE's without quoting; those of spreadsheets, pandas and R with it.

In comes a file, out come its rows as cells. Nothing in a file says which of the two it is, and a quotation mark is part
of the text in the one and encloses it in the other. So a whole file is looked at first: it is quoted where every
quotation mark in it belongs to a pair that encloses a cell, and something shows that this is no chance. A few marks
that belong to none do not change that: their rows are read or refused one by one (`data.stray_quotes`).
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from data.common.files import open_text
from data.stray_quotes import SEVERAL, quoted_rows

_CELL = re.compile(r'("[^"]*(?:""[^"]*)*"|[^"\t]*)(\t|\Z)')


class Quoting(NamedTuple):
    """Whether a file's cells are quoted.

    Attributes:
        used: Cells may be quoted, and hold tabs and line breaks.
        broken_at: The line of the first quotation mark that encloses no cell; None: all do.
    """

    used: bool
    broken_at: int | None = None


def read_cells(path: Path, quoting: Quoting) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the cells of each row with the line that it starts on; blank rows are passed over.

    A row whose quotation marks can be read in several ways is a text that says so.
    """
    with _opened(path) as file:
        if quoting.used and quoting.broken_at is not None:
            for number, row in quoted_rows(list(file)):
                yield number, row if isinstance(row, str) else [_unquoted(cell) for cell in row]
            return
        if not quoting.used:
            lines = ((number, line.rstrip("\r\n")) for number, line in enumerate(file, start=1))
            yield from ((number, line.split("\t")) for number, line in lines if line.strip())
            return
        for number, text in _rows(file):
            if text.strip():
                yield number, [_unquoted(cell) for cell in _cells(text) or ()]


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
                return Quoting(used=_is_quoted_but_for_a_few(path), broken_at=number)
            seen.proven |= len(cells) == width and not fits_without  # by a tab or a line break in a cell
            seen.add(cells)
    return Quoting(used=seen.are_quoted())


def _is_quoted_but_for_a_few(path: Path) -> bool:
    """Say whether a file's cells are quoted, although some of its quotation marks enclose none.

    A cell that needs its quotes shows it, as in no other way its row has the header's cells. Else the rows must show it
    whose marks all enclose cells, and be many times the others.
    """
    with _opened(path) as file:
        lines = list(file)
    seen = _Seen()
    n_enclosing = n_stray = 0
    for number, row in quoted_rows(lines):
        if isinstance(row, str) or any('"' in cell and not cell.startswith('"') for cell in row):
            n_stray += 1
        elif not any(cell.startswith('"') for cell in row):
            seen.add_bare("\t".join(row))
        else:
            n_enclosing += 1
            seen.add(row)
            if len(row) == seen.width > 1 and lines[number - 1].count("\t") + 1 != seen.width:
                return True
    return n_enclosing >= SEVERAL * n_stray and seen.are_quoted()


class _Seen:
    """What rows show in which every quotation mark encloses a cell."""

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
