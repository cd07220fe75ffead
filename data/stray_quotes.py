"""Rows of a tab-separated file whose cells are quoted, but for a few quotation marks that enclose none.

In come the file's lines, out come its rows. Each row is read for itself, so that a stray mark costs no other row. A
mark within a cell is text, as a spreadsheet takes it. Where lines can be one row or several, all are refused: half a
row is never taken for a whole one.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

SEVERAL = 4  # times as many rows with quoted cells as with stray marks show that the file is quoted
_CELL = re.compile(r'("[^"]*(?:""[^"]*)*"|(?!")[^\t]*)(\t|\Z)')
_OPEN = re.compile(r'"[^"]*(?:""[^"]*)*\Z')  # a quoted cell that goes on in the next line
_UNCLOSED = (
    "a cell starts with a quotation mark that nothing closes; close it at the cell's end, and double those within"
)


def quoted_rows(lines: Sequence[str]) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the cells of each row, as they are written, with the line that it starts on; blank rows are passed over.

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
            while found := _CELL.match(text, place):
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
