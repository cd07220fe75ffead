"""What a command returns, on standard output: much of it is somebody else's text, and none of it may work there."""

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from data.plain_text import plain, plain_json

# What a spreadsheet may take for a formula, however wide its first character is and whatever white space or apostrophes
# stand before it. A number is none.
_FORMULA = re.compile(r"[\t\r\n]|'*[\s\u200b\ufeff]*[=+\-@＝＋－＠﹦﹢﹣﹫−]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def emit(text: str) -> None:
    """Print text, without control characters."""
    sys.stdout.write(plain(text).rstrip("\n") + "\n")


def emit_json(content: Any) -> None:
    """Print a value as JSON, with control characters escaped."""
    emit_json_text(json.dumps(content, ensure_ascii=False, indent=2))


def emit_json_text(text: str) -> None:
    """Print what is JSON already."""
    emit(plain_json(text))


def emit_csv(rows: Iterable[Sequence[str | float | None]]) -> None:
    """Print rows as CSV in UTF-8, one at a time; nothing that a text says is a formula.

    Texts lose their control characters, and one that could be a formula begins with an apostrophe. None is empty.

    Source: OWASP, CSV Injection; RFC 4180, with bare line feeds between rows.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerows([guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)


def guarded(text: str) -> str:
    """Return a text that no spreadsheet calculates; without the apostrophe before it, it is what it was."""
    shown = plain(text)
    return f"'{shown}" if _FORMULA.match(shown) and not _NUMBER.fullmatch(shown) else shown
