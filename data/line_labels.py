"""Texts a line each, whose labels stand before them or in a file beside: fastText's form, and parallel files.

A text file in; a table of the columns "text" and "label" out.
"""

import re
from itertools import islice, zip_longest
from pathlib import Path

from data.common.errors import ConfigurationError
from data.delimited import bounded_lines, find_encoding
from data.table_types import Table

_COLUMNS = ("text", "label")
_LABEL_SUFFIXES = (".labels", ".label")
_FASTTEXT = re.compile(r"__label__(\S+)\s+")
_LOOKED_AT = 20  # lines


def labels_beside(path: Path) -> Path | None:
    """Return the file of the labels of a file of texts: train.labels of train.txt."""
    if path.suffix.lower() != ".txt":
        return None
    return next((file for suffix in _LABEL_SUFFIXES if (file := path.with_suffix(suffix)).is_file()), None)


def parallel_table(texts: Path, labels: Path, encoding: str | None) -> Table:
    """Return a table of a file of texts and one of labels: line by line, they belong together.

    Raises:
        ConfigurationError: They have different numbers of lines.
    """
    sides, notes = [], [f"its labels are in {labels.name}, a line each"]
    for path in (texts, labels):
        found, guessed = find_encoding(path, encoding)
        notes += [note for note in guessed if note not in notes]
        lines = (line.rstrip("\r\n") for _, line in bounded_lines(path, found, newline="\n"))
        sides.append(lines)
    rows = []
    for number, (text, label) in enumerate(zip_longest(*sides), start=1):
        if text is None or label is None:
            lacking = texts if text is None else labels
            raise ConfigurationError(
                f"{lacking} has {number - 1:,} lines and {(labels if text is None else texts).name} has more; each "
                "text needs its label, a line each"
            )
        rows.append((f"line {number}", dict(zip(_COLUMNS, (text, label), strict=True))))
    if not rows:
        raise ConfigurationError(f"{texts} holds no rows")
    return Table("", _COLUMNS, rows, [], notes)


def is_fasttext(path: Path, encoding: str) -> bool:
    """Say whether the first lines of a file each begin with a label in fastText's form."""
    lines = [line for _, line in islice(bounded_lines(path, encoding), _LOOKED_AT) if line.strip()]
    return bool(lines) and all(map(_FASTTEXT.match, lines))


def fasttext_table(path: Path, encoding: str, notes: list[str]) -> Table:
    """Return the table of a file in fastText's form; a line with several labels is a fault."""
    rows, faults = [], []
    for number, line in bounded_lines(path, encoding):
        found = _FASTTEXT.match(line)
        if found is None or _FASTTEXT.match(line, found.end()):
            if line.strip():
                said = "has several labels" if found else "has no label"
                faults.append(ConfigurationError(f"{path}, line {number}: {said} before its text"))
            continue
        rows.append((f"line {number}", {"text": line[found.end() :].strip(), "label": found[1]}))
    return Table("", _COLUMNS, rows, faults, [*notes, "read in fastText's form: __label__LABEL before each text"])
