"""Rows as a person or a spreadsheet reads them: aligned columns on a terminal, or CSV.

Texts come in; out come lines. A Korean letter takes two columns of a terminal, and much of what stands in a row is
somebody else's text, which must do nothing in a spreadsheet but be shown.
"""

import csv
import io
import re
import sys
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from itertools import takewhile

from data.common.terminal import is_output_lost, write_utf8
from data.common.text import plain

GAP = "  "
NARROWEST, NARROW = 8, 24  # columns of a terminal that words are wrapped to at most, and before figures are wrapped
# What a spreadsheet may take for a formula, however wide its first character is and whatever white space or apostrophes
# stand before it. A number is none.
_FORMULA = re.compile(r"[\t\r\n]|'*[\s\u200b\ufeff]*[=+\-@＝＋－＠﹦﹢﹣﹫−]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def aligned(
    rows: Sequence[Sequence[str]], *, left: Collection[int] = (0,), width: int | None = None, rule: bool = True
) -> str:
    """Align the cells of a table, of which the first row is the head.

    Args:
        rows: (n_rows, n_columns) texts.
        left: The columns of words, which stand to the left; the others are figures.
        width: Where the table would be wider than so many columns of a terminal, cells go on in further lines, and
            where that is not enough either, each row stands below its first cell. Nothing is cut. None: any width.
        rule: Draw a line under the head.
    """
    cells = [[plain(cell, one_line=True) for cell in row] for row in rows]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(display_width, column)) for column in columns]
    if width is not None and not _narrowed(columns, widths, left=left, width=width):
        return _turned(cells)
    lines = [_row_lines(row, widths, left=left) for row in cells]
    below = [GAP.join("-" * width for width in widths)] if rule else []
    return "\n".join([*lines[0], *below, *(line for row in lines[1:] for line in row)])


def _narrowed(columns: Sequence[Sequence[str]], widths: list[int], *, left: Collection[int], width: int) -> bool:
    """Make columns narrower until they fit the width, first those of words, and say whether they do.

    Figures go on in another line at a space only: a number that is broken would be another one.
    """

    def next_width(column: int, floor: int) -> int:
        cells = columns[column]
        if column not in left:
            floor = max(display_width(word) for cell in cells for word in cell.split(" "))
        wrapped = [display_width(line) for cell in cells for line in _wrapped(cell, max(widths[column] - 1, floor))]
        return max(wrapped, default=0)

    for floor, places in ((NARROW, sorted(left)), (NARROW, range(len(widths))), (NARROWEST, sorted(left))):
        while sum(widths) + len(GAP) * (len(widths) - 1) > width:
            narrower = {place: next_width(place, floor) for place in places}
            shrinking = [place for place in places if narrower[place] < widths[place]]
            if not shrinking:
                break
            widest = max(shrinking, key=lambda place: widths[place])
            widths[widest] = narrower[widest]
    return sum(widths) + len(GAP) * (len(widths) - 1) <= width


def _row_lines(row: Sequence[str], widths: Sequence[int], *, left: Collection[int]) -> list[str]:
    wrapped = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
    return [
        GAP.join(
            fit(cell, widths[column], right=column not in left)
            for column, cell in enumerate(cells[line] if line < len(cells) else "" for cells in wrapped)
        ).rstrip()
        for line in range(max(map(len, wrapped)))
    ]


def _turned(cells: Sequence[Sequence[str]]) -> str:
    """Write each row as its first cell, and below it a line for each further column."""
    head = cells[0][1:]
    width = max(map(display_width, head), default=0)
    return "\n".join(
        "\n".join([row[0], *(f"{GAP}{fit(name, width)}{GAP}{cell}" for name, cell in zip(head, row[1:], strict=True))])
        for row in cells[1:]
    )


def _wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines: at spaces, or after a mark inside a name, or where the line ends."""
    lines = []
    while display_width(text) > width:
        head = (
            start_of(text, width + 1) if text[len(start_of(text, width)) :].startswith(" ") else start_of(text, width)
        )
        place = head.rfind(" ") + 1 or max(head.rfind(mark) for mark in ".-_/+:") + 1 or len(head)
        lines.append(head[:place].rstrip())
        text = text[place:].lstrip()
    return [*lines, text]


def display_width(text: str) -> int:
    """Return how many columns a terminal gives the text."""
    return sum(_columns(letter) for letter in text)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Pad the text to a width, or cut it with an ellipsis."""
    if display_width(text) > width:
        text = start_of(text, width - 1) + "…"
    space = " " * (width - display_width(text))
    return space + text if right else text + space


def start_of(text: str, width: int) -> str:
    """Return as much of the text's start as fits the width."""
    used = 0
    for place, letter in enumerate(text):
        used += _columns(letter)
        if used > width:
            return text[:place]
    return text


def _columns(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1


def emit_csv(rows: Iterable[Sequence[str | float | None]]) -> None:
    """Print rows as CSV in UTF-8, one at a time; nothing that a text says is a formula.

    Texts lose their control characters, and one that could be a formula begins with an apostrophe. None is empty.

    Source: OWASP, CSV Injection; RFC 4180, with bare line feeds between rows.
    """
    write_utf8()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for row in takewhile(lambda _: not is_output_lost(), rows):
        writer.writerow(_guarded_row(row))


def csv_text(rows: Iterable[Sequence[str | float | None]]) -> str:
    """Return rows as `emit_csv` prints them."""
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows(map(_guarded_row, rows))
    return written.getvalue()


def _guarded_row(row: Sequence[str | float | None]) -> list[str | float | None]:
    return [guarded(cell) if isinstance(cell, str) else cell for cell in row]


def guarded(text: str) -> str:
    """Return a text that no spreadsheet calculates; without the apostrophe before it, it is what it was."""
    shown = plain(text)
    return f"'{shown}" if _FORMULA.match(shown) and not _NUMBER.fullmatch(shown) else shown
