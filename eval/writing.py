"""Writes that can fail: a full disk, a quota, a read-only folder is said in one line and leaves no half line behind."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from data.errors import ConfigurationError

_BLOCK = 1 << 16  # bytes that are read at once from a file's end


@contextmanager
def faults_of_writing(path: Path, remedy: str) -> Iterator[None]:
    """Turn a fault of the file system into one that names the file and what to do.

    Args:
        path: What is written.
        remedy: What the user can do, without a full stop.

    Raises:
        ConfigurationError: See above.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(f"{path} cannot be written: {reason}; {remedy}") from error


def append_whole(file: FileIO, line: bytes) -> None:
    """Write a line, or nothing: a disk may become full in its midst."""
    end, left = os.fstat(file.fileno()).st_size, memoryview(line)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError:
        os.ftruncate(file.fileno(), end)
        raise


def cut_torn_line(path: Path) -> None:
    """Cut off what follows a file's last line break, which a crash or a power cut left there."""
    with path.open("rb+") as file:
        size = end = file.seek(0, os.SEEK_END)
        whole = 0
        while end and not whole:
            start = max(0, end - _BLOCK)
            file.seek(start)
            place = file.read(end - start).rfind(b"\n")
            whole = start + place + 1 if place >= 0 else 0
            end = start
        if whole < size:
            file.truncate(whole)
