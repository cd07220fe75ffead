"""Texts in a folder for each label, a file each, as IMDb's reviews are published: train/pos/0_9.txt.

A folder in; a table of the columns "text" and "label" out.
"""

from pathlib import Path

from data.common.errors import ConfigurationError
from data.delimited import LONGEST_CELL, find_encoding
from data.table_types import Table

_COLUMNS = ("text", "label")


def has_class_folders(folder: Path) -> bool:
    """Say whether a folder holds two or more folders of texts."""
    return len(_class_folders(folder)) > 1


def class_table(folder: Path, encoding: str | None) -> Table:
    """Return the texts of a folder for each label.

    Raises:
        ConfigurationError: A file is no text, or far too long.
    """
    rows = []
    notes = [f"each folder of {folder.name} is a label, and each file in it a text"]
    for label in _class_folders(folder):
        for path in sorted(label.glob("*.txt")):
            if path.stat().st_size > 4 * LONGEST_CELL:  # bytes of the longest characters
                raise ConfigurationError(f"{path} is longer than {LONGEST_CELL:,} characters")
            found, guessed = find_encoding(path, encoding)
            notes += [note for note in guessed if note not in notes]
            place = str(path.relative_to(folder))
            rows.append((place, {"text": path.read_text(encoding=found), "label": label.name}))
    return Table("", _COLUMNS, rows, [], notes)


def _class_folders(folder: Path) -> list[Path]:
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [path for path in folders if any(path.glob("*.txt"))]
