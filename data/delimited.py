"""Delimited text: how a file is encoded, what separates its cells, and whether its first row names the columns.

In comes a file; out come the cells of its records, and a note on each thing about it that had to be guessed.
"""

import codecs
import csv
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data.common.errors import ConfigurationError
from data.common.files import open_bytes
from data.common.text import normalised
from data.formats import described

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}
LONGEST_CELL = 10_000_000  # characters: a missing quotation mark would make one cell of a whole file
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
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", ["read as UTF-16, as its first bytes say"]
    if _decodes(path, "utf-8-sig"):
        return "utf-8-sig", []
    if _decodes(path, "cp949"):
        return "cp949", ["read as cp949 (Korean Windows), since it is not UTF-8; --encoding names another"]
    raise ConfigurationError(f"{path} is neither UTF-8 nor cp949 text ({described(path)}); name its --encoding")


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


def find_separator(path: Path, encoding: str) -> tuple[str, list[str]]:
    """Return what separates the cells, with a note where that was guessed.

    It is what gives most of the first records the same number of cells, above one.

    Raises:
        ConfigurationError: The rows have one cell each, whatever separates them.
    """
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t", []
    fits = {separator: _fit(read_records(path, encoding, separator)) for separator in SEPARATORS}
    best = max(fits, key=lambda separator: fits[separator])
    if fits[best][0] == 0:
        raise ConfigurationError(f"{path}: its rows have one cell each, whatever separates them; a label is needed too")
    usual = path.suffix.lower() == ".csv" and best == ","
    return best, [] if usual else [f"its cells are separated by {SEPARATORS[best]}"]


def read_records(path: Path, encoding: str, separator: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the cells of each record that is not blank, with the line that it begins on."""
    quoting = csv.QUOTE_MINIMAL
    if separator == "\t":  # where quotation marks may be nothing but text
        quoted, bare = (_fit(_read(path, encoding, separator, way)) for way in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE))
        quoting = csv.QUOTE_NONE if bare > quoted or (bare == quoted and not _encloses(path, encoding)) else quoting
    return _read(path, encoding, separator, quoting)


def _read(path: Path, encoding: str, separator: str, quoting: Any) -> Iterator[tuple[str, list[str]]]:
    csv.field_size_limit(LONGEST_CELL)
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=separator, quoting=quoting)
        line = 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield f"line {line}", cells
            line = reader.line_num + 1


def _fit(records: Iterator[tuple[str, list[str]]]) -> tuple[float, int]:
    """Return how well records make a table: the share that has the most usual width, and that width; 0 for one cell."""
    try:
        widths = Counter(len(cells) for _, cells in itertools.islice(records, SAMPLE))
    except csv.Error:
        return 0.0, 0
    width, count = max(widths.items(), key=lambda it: (it[1], it[0]), default=(0, 0))
    return (count / widths.total() if width > 1 else 0.0), width


def _encloses(path: Path, encoding: str) -> bool:
    """Say whether every cell that begins with a quotation mark ends with one, and some do."""
    cells = [cell for _, row in itertools.islice(_read(path, encoding, "\t", csv.QUOTE_NONE), SAMPLE) for cell in row]
    opened = [cell for cell in cells if cell.startswith('"')]
    return bool(opened) and all(len(cell) > 1 and cell.endswith('"') for cell in opened)


def is_header(sample: Sequence[Sequence[str]]) -> bool:
    """Say whether the first of some records names the columns.

    It does not where one of its cells is empty or a number, nor where a column with the fewest values has its first
    value again further down: labels come again, and names do not.
    """
    first = [normalised(cell).strip() for cell in sample[0]]
    if not all(first) or any(_is_number(cell) for cell in first):
        return False
    rest = [record for record in sample[1:] if len(record) == len(first)]
    if not rest:
        return True
    values = [{normalised(record[column]).strip() for record in rest} for column in range(len(first))]
    fewest = min(map(len, values))
    return not any(name in seen for name, seen in zip(first, values, strict=True) if len(seen) == fewest)


def _is_number(cell: str) -> bool:
    return cell.lstrip("+-").replace(".", "", 1).isdigit()
