"""Tab-separated values as tools write them: GLUE's without quoting; those of spreadsheets, pandas and R with it.

In comes a file, out come its rows as cells. Nothing in a file says which of the two it is, and a quotation mark is part
of the text in the one and encloses it in the other. So a whole file is looked at first: it is quoted where every
quotation mark in it belongs to a pair that encloses a cell, and something shows that this is no chance. A few marks
that belong to none do not change that: their rows are read or refused one by one. Such a mark within a cell is text, as
a spreadsheet takes it. Where lines can be one row or several, all are refused: half a row is never taken for a whole
one.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from data.common.files import open_text

SEVERAL = 4  # times as many rows with quoted cells as with stray marks show that the file is quoted
_CELL = re.compile(r'("[^"]*(?:""[^"]*)*"|[^"\t]*)(\t|\Z)')
_STRAY_CELL = re.compile(r'("[^"]*(?:""[^"]*)*"|(?!")[^\t]*)(\t|\Z)')
_OPEN = re.compile(r'"[^"]*(?:""[^"]*)*\Z')  # a quoted cell that goes on in the next line
_UNCLOSED = (
    "a cell starts with a quotation mark that nothing closes; close it at the cell's end, and double those within"
)


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


def quoted_rows(lines: Sequence[str]) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the cells of each row, as they are written, of a file in which a few quotation marks enclose none.

    Each row is read for itself, so that a stray mark costs no other row; blank rows are passed over.

    Args:
        lines: All of the file's, each with its line break.

    Yields:
        The 1-based number of a line, and either the cells that start there or what is wrong with it.
    """
    reader = _Reader(lines)
    start = 0
    while start < len(lines):
        if not lines[start].strip():
            start += 1
            continue
        end, said = reader.read(start)
        if isinstance(said, str):
            yield from ((at + 1, said) for at in range(start, end) if lines[at].strip())
        else:
            yield start + 1, said
        start = end


class _Reader:
    """Reads row by row, and remembers whether a cell was left open above."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._marked = [at for at, line in enumerate(lines) if '"' in line]
        self._width = 0  # the cells of the header
        self._torn_at: int | None = None  # the line of a refused row that may go on in the lines below

    def read(self, start: int) -> tuple[int, list[str] | str]:
        """Return the line after the row that starts in a line, and its cells or what is wrong with its lines."""
        found = self._cells(start)
        if found is None:
            self._torn_at = start
            return start + 1, _UNCLOSED
        cells, end = found
        self._width = self._width or len(cells)
        if end > start + 1 and self._may_be_several(start, end, len(cells)):
            return end, f"its quotation marks can make lines {start + 1} to {end} one row, or each a row of its own"
        torn_at = self._torn_at
        if torn_at is not None and self._may_be_rest(cells, torn_at):
            return end, f"may be the rest of the row in line {torn_at + 1}, whose quotation marks do not pair up"
        return end, cells

    def _may_be_rest(self, cells: list[str], torn_at: int) -> bool:
        """Say whether a row may be the rest of the one that was refused in a line above."""
        has_stray = any('"' in cell and not cell.startswith('"') for cell in cells)
        if len(cells) != self._width:
            return has_stray  # else it is refused for its number of cells
        self._torn_at = None
        return has_stray or not (self._fits(torn_at) or cells[0].startswith('"'))

    def _cells(self, start: int) -> tuple[list[str], int] | None:
        """Return the cells of the row that starts in a line, and the line after it; None where one stays open."""
        cells: list[str] = []
        text, end, place = self._lines[start].rstrip("\r\n"), start + 1, 0
        while True:
            while found := _STRAY_CELL.match(text, place):
                cells.append(found[1])
                if not found[2]:
                    return cells, end
                place = found.end()
            closing = bisect_left(self._marked, end)
            if closing == len(self._marked) or not _OPEN.match(text, place):
                return None
            below = self._lines[end - 1 : self._marked[closing] + 1]
            text += below[0][len(below[0].rstrip("\r\n")) :] + "".join(below[1:]).rstrip("\r\n")
            end = self._marked[closing] + 1

    def _may_be_several(self, start: int, end: int, n_cells: int) -> bool:
        """Say whether the lines of a row could as well be rows."""
        first, *inner, last = (self._fits(at) for at in range(start, end))
        return any(inner) or (first and last) or (n_cells != self._width and (first or last))

    def _fits(self, at: int) -> bool:
        return self._lines[at].count("\t") + 1 == self._width
