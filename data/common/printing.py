"""Rows for a spreadsheet, on standard output: much of them is somebody else's text, and none of it may work there."""

import csv
import re
import sys
from collections.abc import Iterable, Sequence
from itertools import takewhile

from data.common.terminal import is_output_lost, write_utf8
from data.common.text import plain

# What a spreadsheet may take for a formula, however wide its first character is and whatever white space or apostrophes
# stand before it. A number is none.
_FORMULA = re.compile(r"[\t\r\n]|'*[\s\u200b\ufeff]*[=+\-@＝＋－＠﹦﹢﹣﹫−]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def emit_csv(rows: Iterable[Sequence[str | float | None]]) -> None:
    """Print rows as CSV in UTF-8, one at a time; nothing that a text says is a formula.

    Texts lose their control characters, and one that could be a formula begins with an apostrophe. None is empty.

    Source: OWASP, CSV Injection; RFC 4180, with bare line feeds between rows.
    """
    write_utf8()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for row in takewhile(lambda _: not is_output_lost(), rows):
        writer.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in row])


def guarded(text: str) -> str:
    """Return a text that no spreadsheet calculates; without the apostrophe before it, it is what it was."""
    shown = plain(text)
    return f"'{shown}" if _FORMULA.match(shown) and not _NUMBER.fullmatch(shown) else shown
