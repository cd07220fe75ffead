"""Files that lines are appended to: none is lost, and neither a full disk nor a power cut leaves half a line behind."""

import errno
import os
from collections.abc import Iterator
from functools import cache
from io import FileIO
from pathlib import Path
from threading import Event, Thread

from data.common.errors import NO_THREAD
from data.common.files import faults_of_reading
from data.common.terminal import say

_BLOCK = 1 << 16  # bytes that are read at once from a file's end
# A power cut costs the lines of so long, at most, and of one sync: to sync each would be slower than a fast server.
_SYNC_S = 0.5


def append_whole(file: FileIO, line: bytes) -> None:
    """Write a line, or nothing: a disk may become full in its midst."""
    left = memoryview(line)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError:
        written = len(line) - len(left)
        os.ftruncate(file.fileno(), os.fstat(file.fileno()).st_size - written)
        raise


class SyncedFile:
    """A file that lines are appended to; each is brought to the disk within a second, whether or not more follow.

    Every method may raise an OSError, also one of the thread that syncs.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._fault: OSError | None = None
        self._appended, self._closing = Event(), Event()
        self._syncing = Thread(target=self._sync, daemon=True)
        try:
            self._syncing.start()
        except RuntimeError:
            self._file.close()
            raise OSError(errno.EAGAIN, NO_THREAD, str(path)) from None

    def append(self, line: bytes) -> None:
        if self._fault is not None:
            raise self._fault
        append_whole(self._file, line)
        self._appended.set()

    def close(self) -> None:
        """Bring all to the disk and close the file."""
        self._closing.set()
        self._appended.set()
        self._syncing.join()
        with self._file:
            if self._fault is not None:
                raise self._fault
            os.fsync(self._file.fileno())

    def _sync(self) -> None:
        while not self._closing.is_set() and self._fault is None:
            self._appended.wait()
            self._closing.wait(_SYNC_S)
            self._appended.clear()
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                self._fault = error


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


def open_lines(path: Path) -> SyncedFile:
    """Open a file that lines are appended to, in a folder that is made; a torn last line is cut off first.

    Raises:
        OSError: See `faults_of_writing`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        cut_torn_line(path)
    return SyncedFile(path)


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (byte offset, line) for each whole line of such a file; nothing where there is none."""
    if not path.exists():
        return
    offset = 0
    with faults_of_reading(path), path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                _note_torn_line(path, offset)
                return
            yield offset, line
            offset += len(line)


@cache
def _note_torn_line(path: Path, offset: int) -> None:
    """Say it of each line once, wherever it begins: a report reads a journal several times."""
    say(f"{path}: the last line was cut short and is dropped")
