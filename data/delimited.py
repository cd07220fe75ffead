"""Delimited text: how a file is encoded, and what separates its cells.

In comes a file; out come the cells of its records, and a note on each thing about it that had to be guessed.
"""

import codecs
import csv
import itertools
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from data.common.errors import ConfigurationError
from data.common.files import open_bytes
from data.formats import described

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}
LONGEST_CELL = 10_000_000  # characters: a missing quotation mark would make one cell of a whole file
UNCLOSED = "a quotation mark that is not closed may be why"
_FOREIGN = 0.2  # of the letters beyond ASCII: of Chinese or Japanese bytes, read as Korean, far more are no Hangul
_RUN_ON = 5  # lines within one cell that would each be a row by themselves
SAMPLE = 200  # records that a guess looks at
_CHUNK = 1 << 20  # bytes


def find_encoding(path: Path, encoding: str | None) -> tuple[str, list[str]]:
    """Return how a text file is encoded, with a note where that was guessed.

    Raises:
        ConfigurationError: It is in none of the encodings that are tried, or not in the one that was named.
    """
    if encoding is not None:
        try:
            "".encode(encoding)  # no codec of bytes, such as base64
        except (LookupError, TypeError, ValueError):
            raise ConfigurationError(f"--encoding {encoding} is unknown; usual ones are utf-8, utf-16, cp949") from None
        if not _decodes(path, encoding):
            raise ConfigurationError(f"{path} is not {encoding} text; it is {described(path)}")
        return encoding, []
    with open_bytes(path) as file:
        start = file.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and _decodes(path, "utf-16"):
        return "utf-16", ["read as UTF-16, as its first bytes say"]
    if _decodes(path, "utf-8-sig"):
        return "utf-8-sig", []
    if _decodes(path, "cp949") and _is_korean(path):
        return "cp949", ["read as cp949 (Korean Windows), since it is not UTF-8; --encoding names another"]
    raise ConfigurationError(
        f"{path} is neither UTF-8 nor cp949 text ({described(path)}); name its --encoding, or save it as UTF-8"
    )


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with open_bytes(path) as file:
            while chunk := file.read(_CHUNK):
                if "\0" in decoder.decode(chunk):
                    return False
            decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def _is_korean(path: Path) -> bool:
    """Say whether a text that cp949 decodes begins with Korean letters; Chinese and Japanese bytes decode as well."""
    with open_bytes(path) as file:
        start = file.read(_CHUNK).decode("cp949", "ignore")
    letters = [letter for letter in start if not letter.isascii() and letter.isalpha()]
    return sum(not ("가" <= letter <= "힣" or "ㄱ" <= letter <= "ㆎ") for letter in letters) <= _FOREIGN * len(letters)


def bounded_lines(path: Path, encoding: str, *, newline: str = "") -> Iterator[tuple[int, str]]:
    """Yield each line with its number, reading no more than one at a time.

    Args:
        path: A text file.
        encoding: How it is encoded.
        newline: What ends a line, as for `open`; "" is any line break.

    Raises:
        ConfigurationError: A line is longer than any cell may be.
    """
    with path.open(encoding=encoding, newline=newline) as file:
        number = 0
        while line := file.readline(LONGEST_CELL + 1):
            number += 1
            if len(line) > LONGEST_CELL:
                raise ConfigurationError(f"{path}: line {number} is longer than {LONGEST_CELL:,} characters")
            yield number, line


def find_separator(path: Path, encoding: str) -> tuple[str, list[str]]:
    """Return what separates the cells, with a note where that was guessed.

    It is what gives most of the first records the same number of cells, above one.

    Raises:
        ConfigurationError: The file holds no rows, they have one cell each, whatever separates them, or one is longer
            than any may be.
    """
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t", []
    if not any(line.strip() for _, line in bounded_lines(path, encoding)):
        raise ConfigurationError(f"{path} holds no rows")
    fits = {separator: _fit(read_records(path, encoding, separator)) for separator in SEPARATORS}
    best = max(fits, key=lambda separator: fits[separator][:2])
    if fault := fits[best].fault:
        raise fault
    if fits[best].share == 0:
        raise ConfigurationError(f"{path}: its rows have one cell each, whatever separates them; a label is needed too")
    usual = path.suffix.lower() == ".csv" and best == ","
    return best, [] if usual else [f"its cells are separated by {SEPARATORS[best]}"]


def read_records(path: Path, encoding: str, separator: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the cells of each record that is not blank, with the line that it begins on.

    Raises:
        ConfigurationError: A cell is longer than any may be, or a quotation mark is not closed.
    """
    quoting = csv.QUOTE_MINIMAL
    if separator == "\t":  # where quotation marks may be nothing but text
        quoted, bare = (_fit(_read(path, encoding, separator, way)) for way in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE))
        keep = bare[:2] > quoted[:2] or (bare[:2] == quoted[:2] and not _encloses(path, encoding))
        quoting = csv.QUOTE_NONE if keep else quoting
    return _read(path, encoding, separator, quoting)


def _read(path: Path, encoding: str, separator: str, quoting: Any) -> Iterator[tuple[str, list[str]]]:
    csv.field_size_limit(LONGEST_CELL)
    lines: list[str] = []  # of the record that is being read

    def kept() -> Iterator[str]:
        for _, line in bounded_lines(path, encoding):
            lines.append(line)
            yield line

    reader = csv.reader(kept(), delimiter=separator, quoting=quoting)
    line = 1
    try:
        for cells in reader:
            if quoting != csv.QUOTE_NONE and (len(lines) > 1 or lines[0].count('"') % 2):
                _check_quotes(path, lines, line, cells, separator)
            if any(cell.strip() for cell in cells):
                yield f"line {line}", cells
            line = reader.line_num + 1
            lines.clear()
    except csv.Error as error:
        reason = f"a cell is longer than {LONGEST_CELL:,} characters" if "field larger" in str(error) else str(error)
        raise ConfigurationError(f"{path}, line {line}: {reason}; {UNCLOSED}") from None


def _check_quotes(path: Path, lines: list[str], line: int, cells: list[str], separator: str) -> None:
    """Refuse a record of several lines that nothing ends, or that has taken in rows which stand below it."""
    try:
        deque(csv.reader(lines, delimiter=separator, strict=True), maxlen=0)
        is_open = False
    except csv.Error as error:
        is_open = "unexpected end" in str(error)
    alike = sum(within.count(separator) == len(cells) - 1 for within in lines[1:-1])
    if is_open or (len(cells) > 1 and alike >= _RUN_ON and 2 * alike > len(lines) - 2):
        end = "nothing closes" if is_open else f"is closed in line {line + len(lines) - 1} only"
        raise ConfigurationError(
            f"{path}, line {line}: a cell starts with a quotation mark that {end}; close it at the cell's end, and "
            "double those within"
        )


class _Fit(NamedTuple):
    """How well records make a table.

    Attributes:
        share: The share of records that have the most usual number of cells; 0 where that is one.
        width: That number.
        fault: What keeps them from being read.
    """

    share: float
    width: int
    fault: ConfigurationError | None = None


def _fit(records: Iterator[tuple[str, list[str]]]) -> _Fit:
    widths: Counter[int] = Counter()
    fault = None
    try:
        for _, cells in itertools.islice(records, SAMPLE):
            widths[len(cells)] += 1
    except ConfigurationError as error:
        fault = error
    width, count = max(widths.items(), key=lambda it: (it[1], it[0]), default=(0, 0))
    return _Fit(count / widths.total() if width > 1 else 0.0, width, fault)


def _encloses(path: Path, encoding: str) -> bool:
    """Say whether every cell that begins with a quotation mark ends with one, and some do."""
    cells = [cell for _, row in itertools.islice(_read(path, encoding, "\t", csv.QUOTE_NONE), SAMPLE) for cell in row]
    opened = [cell for cell in cells if cell.startswith('"')]
    return bool(opened) and all(len(cell) > 1 and cell.endswith('"') for cell in opened)
