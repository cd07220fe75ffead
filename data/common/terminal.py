"""The standard streams of a command: they show what they can, and whatever becomes of them, the command goes on.

A terminal may lack characters, a pipe's reader may go, the disk that a stream is sent to may be full, and whoever
started the command may have closed the stream. Inside `standard_streams` nothing that is written by anybody raises for
any of these. What the command returns, on standard output, is missed all the same: `Streams.finish` says so.
"""

import codecs
import errno
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any, TextIO, cast

from data.common.secrets import make_redactor
from data.common.text import encodable, plain, plain_json

OUTPUT_LOST = 2  # the exit code
_USUAL_COLUMNS = 80
_GONE = (OSError, ValueError)  # a ValueError where the stream object itself was closed
_CLOSED = OSError(errno.EBADF, "it is closed")


_MUTED = [False]  # whether what is not an error is left unsaid, for the whole process


@contextmanager
def muted(on: bool = True) -> Iterator[None]:
    """Have `say` say nothing inside, where `on` is set, and no line be drawn: errors go through `say_error`."""
    before, _MUTED[0] = _MUTED[0], on or _MUTED[0]
    try:
        yield
    finally:
        _MUTED[0] = before


def say(message: str) -> None:
    """Write for the person at the terminal, as `say_error`; nothing where that person wants only the outcome."""
    if not _MUTED[0]:
        say_error(message)


def say_error(message: str) -> None:
    """Write for the person at the terminal, on standard error, without secrets and what would work on a terminal."""
    with suppress(AttributeError, *_GONE):  # there may be no standard error
        STATUS.erase()
        sys.stderr.write(plain(make_redactor()(message)) + "\n")
        sys.stderr.flush()


def emit(text: str) -> None:
    """Write what a command returns, on standard output, without control characters."""
    sys.stdout.write(plain(text).rstrip("\n") + "\n")


def emit_strong(text: str, colour: str) -> None:
    """Write what a command returns, bold and in a colour where standard output is a terminal that takes them."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        emit(text)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False, emoji=False, soft_wrap=True)
    console.print(Text(plain(text).rstrip("\n"), style=f"bold {colour}"))


def emit_json(content: Any) -> None:
    """Write a value as JSON."""
    emit_json_text(json.dumps(content, ensure_ascii=False, indent=2))


def emit_json_text(text: str) -> None:
    """Write what is JSON already; its readers expect UTF-8, whatever a terminal's encoding is."""
    emit(plain_json(text, only_ascii=codecs.lookup(_encoding(sys.stdout)).name != "utf-8"))


def columns() -> int:
    """Return how wide the terminal behind standard error is."""
    with suppress(AttributeError, *_GONE):
        if found := os.get_terminal_size(sys.stderr.fileno()).columns:
            return found
    return _USUAL_COLUMNS


def output_columns(most: int) -> int:
    """Return how many columns standard output has, at most so many; that many where it is no terminal."""
    with suppress(AttributeError, *_GONE):
        if sys.stdout.isatty() and (found := os.get_terminal_size(sys.stdout.fileno()).columns):
            return min(found, most)
    return most


def is_drawable() -> bool:
    """Say whether standard error is a terminal on which a line can be drawn anew."""
    with suppress(AttributeError, *_GONE):
        return not _MUTED[0] and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return False


class StatusLine:
    """The terminal's last line, which is drawn again and again; whatever else is written stands above it."""

    def __init__(self) -> None:
        self._shown = False
        self._lock = RLock()

    def draw(self, line: str, *, last: bool = False) -> None:
        """Draw the line in the place of what it was; the last time it stays."""
        with self._lock, suppress(AttributeError, *_GONE):
            self._shown = False
            sys.stderr.write(f"\r{plain(line)}\x1b[K" + ("\n" if last else ""))
            sys.stderr.flush()
            self._shown = not last

    def erase(self) -> None:
        """Make room for something else."""
        with self._lock:
            if self._shown:
                self._shown = False
                sys.stderr.write("\r\x1b[K")


STATUS = StatusLine()


class _Stream:
    """A standard stream to which writing never fails.

    Args:
        stream: None where whoever started the command has closed it.
        fd: Its file descriptor, where it is the process's own.

    Attributes:
        fault: Why what was written is lost.
    """

    def __init__(self, stream: TextIO | None, fd: int) -> None:
        self.fault: OSError | None = None
        self._closed, self._fd = stream is None, fd
        self._stream = io.StringIO() if stream is None else stream

    def write(self, text: str) -> int:
        if self._closed:
            self.fault = _CLOSED
        if self.fault is None:
            STATUS.erase()
            self._try(lambda: self._stream.write(encodable(text, _encoding(self._stream))))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self.fault is None:
            self._try(self._stream.flush)

    def _try(self, do: Callable[[], object]) -> None:
        try:
            do()
        except _GONE as error:
            self.fault = error if isinstance(error, OSError) else _CLOSED
            with suppress(*_GONE):
                if self._stream.fileno() == self._fd:  # what it still holds would fail again as the interpreter ends
                    os.dup2(os.open(os.devnull, os.O_WRONLY), self._fd)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def standard_streams() -> Iterator[Callable[[int], int]]:
    """Have nothing fail inside because of where it writes to.

    Yields:
        Gives the exit code of a command that is at its end: its own, or `OUTPUT_LOST` where it was 0 and what the
        command returns could not be written, which is said. A reader that has gone, such as `head`, wants no more.
    """
    _occupy_closed_descriptors()
    before = sys.stdout, sys.stderr
    output, messages = _Stream(sys.stdout, 1), _Stream(sys.stderr, 2)

    def finish(code: int) -> int:
        output.flush()
        if output.fault is None or isinstance(output.fault, BrokenPipeError):
            return code
        say_error(f"error: standard output cannot be written: {output.fault.strerror}")
        return code or OUTPUT_LOST

    sys.stdout, sys.stderr = cast(TextIO, output), cast(TextIO, messages)
    try:
        yield finish
    finally:
        output.flush()
        messages.flush()
        sys.stdout, sys.stderr = before


def write_utf8() -> None:
    """Have standard output take UTF-8 and line breaks as they are: a file's format says how it is encoded."""
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(encoding="utf-8", newline="")


def is_output_lost() -> bool:
    """Say whether what is written to standard output goes nowhere."""
    return getattr(sys.stdout, "fault", None) is not None


def _occupy_closed_descriptors() -> None:
    """Open the null device where a standard stream is closed: else the next file would take its place."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free


def _encoding(stream: TextIO) -> str:
    return getattr(stream, "encoding", None) or "utf-8"
