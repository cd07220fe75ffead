"""Opens what people name as a file: a device gives bytes without end, and a reading of one would take all memory.

A path in, an open file or its text out; what cannot be opened is an `OSError`, with a reason that fits into a sentence.
"""

import errno
import stat
from io import BufferedReader
from pathlib import Path
from typing import TextIO


def open_text(path: Path, *, newline: str | None = None) -> TextIO:
    """Open a file of UTF-8 text, with or without a byte order mark.

    Args:
        path: A file, or a pipe.
        newline: As for `open`.

    Raises:
        OSError: It cannot be opened, or is a device.
    """
    _refuse_device(path)
    return path.open(encoding="utf-8-sig", newline=newline)


def open_bytes(path: Path) -> BufferedReader:
    """Open a file, or a pipe, for its bytes.

    Raises:
        OSError: It cannot be opened, or is a device.
    """
    _refuse_device(path)
    return path.open("rb")


def read_text(path: Path) -> str:
    """Return all of a file of UTF-8 text, without a byte order mark.

    Raises:
        OSError: It cannot be read, or is a device.
        UnicodeDecodeError: It is not UTF-8.
    """
    with open_text(path) as file:
        return file.read()


def _refuse_device(path: Path) -> None:
    mode = path.stat().st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise OSError(errno.ENOTSUP, "it is a device, not a file", str(path))
