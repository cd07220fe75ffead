"""Rows of a local file: JSON Lines, a JSON list, or tab-separated values with a header.

In comes a path; out come (place, row) pairs, where the place ("line 7") is what an error about the row names. A row
that cannot be read is a fault of its own, so that a reader may go on with the next.
"""

import reprlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.files import open_text
from data.common.parsing import JsonObject, parse_json
from data.common.text import character_fault, normalised
from data.formats import undecodable
from data.tsv import find_quoting, read_cells

SUFFIXES = (".jsonl", ".json", ".tsv")

Row = JsonObject
RowOrFault = tuple[str, Row] | tuple[str, ConfigurationError]  # each with its place


def read_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield each row of a file with its place, reading as it goes; blank lines are passed over.

    Args:
        path: A `.jsonl`, `.json` (a list, or JSON Lines) or `.tsv` (a header; with or without quoted cells) file.

    Raises:
        ConfigurationError: The file is of another kind, not UTF-8, or a row is malformed; names the line.
        MissingResourceError: There is no such file.
    """
    for place, row in rows_and_faults(path):
        if isinstance(row, ConfigurationError):
            raise row
        yield place, row


def rows_and_faults(path: Path, *, annotations: Collection[str] = ()) -> Iterator[RowOrFault]:
    """Yield each row as `read_rows` does, and in the place of one that is malformed what is wrong with it.

    Args:
        path: As for `read_rows`.
        annotations: What single annotators may have said, where they are columns of a `.tsv`: see `_judged_by_more`.

    Raises:
        ConfigurationError: The file is of another kind, not UTF-8, or malformed as a whole.
        MissingResourceError: There is no such file.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigurationError(f"{path}: cannot read '{path.suffix}' files; allowed: {', '.join(SUFFIXES)}")
    try:
        if path.suffix == ".tsv":
            yield from _tsv_rows(path, annotations)
            return
        # Only "\n" ends a line: text may hold a lone "\r" or a Unicode line separator.
        with open_text(path, newline="\n") as file:
            if path.suffix == ".json" and _starts_a_list(path):
                yield from _list_rows(path, file.read())
            else:
                yield from _json_lines(path, file)
    except UnicodeDecodeError as error:
        raise ConfigurationError(undecodable(path, error)) from error
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


def _json_lines(path: Path, lines: Iterable[str]) -> Iterator[RowOrFault]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            place = f"line {number}"
            try:
                yield place, _object(path, place, parse_json(line.rstrip("\r\n"), line=number))
            except ConfigurationError as fault:
                yield place, fault
            except ValueError as error:
                yield place, ConfigurationError(f"{path}, {place}: {error}")


def _list_rows(path: Path, text: str) -> Iterator[RowOrFault]:
    try:
        rows = parse_json(text)
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    for number, row in enumerate(rows, start=1):
        try:
            yield f"row {number}", _object(path, f"row {number}", row)
        except ConfigurationError as fault:
            yield f"row {number}", fault


def _tsv_rows(path: Path, annotations: Collection[str]) -> Iterator[RowOrFault]:
    quoting = find_quoting(path)
    rows = read_cells(path, quoting)
    line, names = next(rows, (1, [""]))
    if isinstance(names, str):
        raise ConfigurationError(f"{path}, line {line}: {names}")
    if repeated := next((name for name in names if name and names.count(name) > 1), None):
        raise ConfigurationError(f"{path}, line {line}: two columns are named {reprlib.repr(repeated)}; rename one")
    for number, cells in rows:
        place = f"line {number}"
        if isinstance(cells, str):
            yield place, ConfigurationError(f"{path}, {place}: {cells}")
            continue
        if len(cells) > len(names) and _judged_by_more(names, cells, annotations):
            cells = [*cells[: len(names) - 1], cells[-1]]
        if len(cells) == len(names):
            yield place, dict(zip(names, cells, strict=True))
            continue
        said = f"has {len(cells)} tab-separated cells, its header has {len(names)}"
        if quoting.broken_at is not None and not quoting.used:
            said += f" (quotes are read as text, for those in line {quoting.broken_at} enclose no cell)"
        yield place, ConfigurationError(f"{path}, {place}: {said}")


def _judged_by_more(names: list[str], cells: list[str], annotations: Collection[str]) -> bool:
    """Say whether a row's cells are too many because more annotators judged it than the header names.

    GLUE's SNLI names the columns label1 and gold_label at the end of its training set's header, and has label1 to
    label5 before the gold label in every tenth row.
    """
    judged = cells[len(names) - 2 :]
    return names[-2:] == ["label1", "gold_label"] and all(label in annotations for label in judged)


def _object(path: Path, place: str, row: object) -> Row:
    if not isinstance(row, dict):
        raise ConfigurationError(f"{path}, {place}: expected an object with named fields, found {reprlib.repr(row)}")
    return row


def _starts_a_list(path: Path) -> bool:
    """Some tools write JSON Lines under the name `.json`; the first character tells."""
    with open_text(path) as file:
        return file.read(64).lstrip().startswith("[")
