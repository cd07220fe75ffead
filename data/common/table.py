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
NARROWEST = 8  # columns of a terminal that words are shrunk to at most
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
        width: Columns of words shrink, the widest first, where the table would be wider than so many columns of a
            terminal; None never shrinks them.
        rule: Draw a line under the head.
    """
    cells = [[plain(cell, one_line=True) for cell in row] for row in rows]
    widths = [max(display_width(row[column]) for row in cells) for column in range(len(rows[0]))]
    while width is not None and sum(widths) + len(GAP) * (len(widths) - 1) > width:
        widest = max(left, key=lambda column: widths[column])
        if widths[widest] <= NARROWEST:
            break  # the figures alone are wider: cutting them would make them wrong
        widths[widest] -= 1
    lines = [
        GAP.join(fit(cell, widths[column], right=column not in left) for column, cell in enumerate(row)).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], *([GAP.join("-" * width for width in widths)] if rule else []), *lines[1:]])


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
