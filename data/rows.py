"""Rows of a local file: JSON Lines, a JSON list, or tab-separated values with a header.

In comes a path; out come (place, row) pairs, where the place ("line 7") is what an error about the row names.
"""

import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.errors import ConfigurationError, MissingResourceError
from data.json_text import character_fault, parse_json
from data.plain_text import normalised

SUFFIXES = (".jsonl", ".json", ".tsv")

Row = dict[str, Any]


def read_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield each row of a file with its place, reading as it goes; blank lines are passed over.

    Args:
        path: A `.jsonl`, `.json` (a list, or JSON Lines) or `.tsv` (GLUE's layout: a header, no quoting) file.

    Raises:
        ConfigurationError: The file is of another kind, not UTF-8, or a row is malformed; names the line.
        MissingResourceError: There is no such file.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigurationError(f"{path}: cannot read '{path.suffix}' files; allowed: {', '.join(SUFFIXES)}")
    try:
        # Only "\n" ends a line: text may hold a lone "\r" or a Unicode line separator.
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            lines = ((number, line.rstrip("\r\n")) for number, line in enumerate(file, start=1))
            if path.suffix == ".tsv":
                yield from _tsv_rows(path, lines)
            elif path.suffix == ".json" and _starts_a_list(path):
                yield from _list_rows(path, file.read())
            else:
                yield from _json_lines(path, lines)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except FileNotFoundError:
        raise MissingResourceError(f"there is no file {path}") from None
    except OSError as error:
        raise MissingResourceError(f"cannot read {path}: {error.strerror}") from error


def required_text(path: Path, place: str, row: Row, *names: str) -> str:
    """Return the first of the named fields that the row has, which must be text, in the form in which text is read.

    Raises:
        ConfigurationError: The row has none of them, it is not text, or it holds half a character.
    """
    for name in names:
        if name in row:
            text = row[name]
            if not isinstance(text, str):
                raise ConfigurationError(f"{path}, {place}: {name} is {reprlib.repr(text)}, expected text")
            if fault := character_fault(text):
                raise ConfigurationError(f"{path}, {place}: {name} {fault}")
            return normalised(text)
    raise ConfigurationError(f"{path}, {place}: lacks {' or '.join(names)}; it has {', '.join(row) or 'nothing'}")


def _json_lines(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[str, Row]]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            row = parse_json(line, line=number)
        except ValueError as error:
            raise ConfigurationError(f"{path}, line {number}: {error}") from error
        yield _object(path, f"line {number}", row)


def _list_rows(path: Path, text: str) -> Iterator[tuple[str, Row]]:
    try:
        rows = parse_json(text)
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    for number, row in enumerate(rows, start=1):
        yield _object(path, f"row {number}", row)


def _tsv_rows(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[str, Row]]:
    written = ((number, line) for number, line in lines if line.strip())
    _, header = next(written, (1, ""))
    names = header.split("\t")
    for number, line in written:
        cells = line.split("\t")
        if len(cells) != len(names):
            raise ConfigurationError(
                f"{path}, line {number}: has {len(cells)} tab-separated cells, its header has {len(names)}"
            )
        yield f"line {number}", dict(zip(names, cells, strict=True))


def _object(path: Path, place: str, row: object) -> tuple[str, Row]:
    if not isinstance(row, dict):
        raise ConfigurationError(f"{path}, {place}: expected an object with named fields, found {reprlib.repr(row)}")
    return place, row


def _starts_a_list(path: Path) -> bool:
    """Some tools write JSON Lines under the name `.json`; the first character tells."""
    with path.open(encoding="utf-8-sig") as file:
        return file.read(64).lstrip().startswith("[")
