"""Files and folders: opened, hashed, written whole and locked, whatever people name and whatever the disk does.

What cannot be opened is an `OSError` with a reason that fits into a sentence. A full disk, a quota or a read-only
folder is said in one line, and leaves no half file behind. (`data.common.line_file` appends lines.)
"""

import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any, TextIO

from data.common.errors import ConfigurationError, folder_fault
from data.common.secrets import make_redactor

LOCK_FILE = ".lock"  # in a folder that one process at a time writes


def open_text(path: Path, *, newline: str | None = None) -> TextIO:
    """Open a file or a pipe of UTF-8 text, with or without a byte order mark; `newline` is as for `open`.

    Raises:
        OSError: It cannot be opened, or is a device, which would give bytes without end.
    """
    _refuse_device(path)
    return path.open(encoding="utf-8-sig", newline=newline)


def open_bytes(path: Path) -> BufferedReader:
    """Open a file or a pipe for its bytes, as `open_text` does."""
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


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def faults_of_writing(path: Path, remedy: str) -> Iterator[None]:
    """Turn a fault of the file system into one that names the file and what to do.

    Args:
        path: What is written.
        remedy: What the user can do, without a full stop.

    Raises:
        ConfigurationError: See above.
    """
    with _named_faults(path, "written", remedy):
        yield


@contextmanager
def faults_of_reading(path: Path) -> Iterator[None]:
    """Turn a fault of the file system into one that names the file.

    Raises:
        ConfigurationError: See above.
    """
    with _named_faults(path, "read", "make it readable, or restore it"):
        yield


@contextmanager
def _named_faults(path: Path, done: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if not path.is_absolute() and (gone := folder_fault()):
            raise ConfigurationError(gone) from error
        raise ConfigurationError(f"{path} cannot be {done}: {reason}; {remedy}") from error


def replace_file(path: Path, text: str) -> None:
    """Write a file so that it is either the old one or the whole new one, never a part.

    Raises:
        ConfigurationError: It cannot be written, and is the old one.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with faults_of_writing(path, "free space there, or make it writable"):
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a file as `replace_file` does, with every secret in its text struck out."""
    replace_file(path, make_redactor()(text))


def write_json(path: Path, content: Any) -> None:
    """Write a value as JSON that people can read, as `replace_file` writes a text."""
    replace_file(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def whole_folder(path: Path, *, alone: bool = False) -> Iterator[Path]:
    """Yield a new folder to write into, which is moved to `path` at the end: it is there whole or not at all.

    Args:
        path: What is there stays where the body raises; it may only be an empty folder.
        alone: The caller holds a lock. Then a folder there is replaced, and what a killed process left is removed.

    Raises:
        OSError: See `faults_of_writing`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.name}.*.part") if alone else ():
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(".part", f".{path.name}.", path.parent, ignore_cleanup_errors=True) as beside:
        folder = Path(beside) / "whole"  # made by mkdir, so that it has the usual permissions
        folder.mkdir()
        yield folder
        if path.exists():
            shutil.rmtree(path) if alone else path.rmdir()
        folder.rename(path)


@contextmanager
def locked(path: Path, remedy: str, *, busy: str | None = None) -> Iterator[None]:
    """Hold a lock file, whose folder is made where it is not there.

    The operating system holds the lock, so that it ends with its process, however that ends.

    Args:
        path: The lock file. It stays, empty.
        remedy: As for `faults_of_writing`.
        busy: What is said where another process holds the lock; None: wait until it does not.

    Raises:
        ConfigurationError: Another process holds the lock, or the file cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    with faults_of_writing(path.parent, remedy):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=-1 if busy is None else 0)
        except Timeout:
            raise ConfigurationError(str(busy)) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Be the one process that writes a folder, which is made where it is not there; reading it is always allowed.

    Raises:
        ConfigurationError: Another process writes it, or it cannot be written.
    """
    busy = f"{folder} is in use: another process writes it; wait until that has ended, or use another --out"
    with locked(folder / LOCK_FILE, "make it writable, or use another --out", busy=busy):
        try:
            yield
        finally:
            with suppress(OSError):
                (folder / LOCK_FILE).unlink()  # still held: whoever waits for this file sees that it is gone
