"""What a run tells a person while it goes on: a bar on a terminal, plain lines anywhere else; always on stderr."""

import sys
import time
import traceback
from types import TracebackType
from typing import Self

from data.plain_text import plain
from eval.secrets import make_redactor

_BAR_WIDTH = 24
_SECONDS_BETWEEN_LINES = 10.0  # without a terminal


def log(message: str) -> None:
    """Write for the person who waits, without secrets and without what would work on a terminal."""
    print(plain(make_redactor()(message)), file=sys.stderr, flush=True)  # noqa: T201


def log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write a traceback: Python's own hook would show the keys and the control characters that a message repeats."""
    log("".join(traceback.format_exception(kind, error, trace)).rstrip())


class Progress:
    """Counts a system's items as they finish."""

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total = label, total
        self.done = self.errors = 0
        self._terminal = sys.stderr.isatty()
        self._started = self._shown = time.monotonic()

    def __enter__(self) -> Self:
        if self._terminal:
            self._draw()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._terminal:
            self._draw(end="\n")
        else:
            log(self._line())

    def advance(self, *, failed: bool) -> None:
        self.done += 1
        self.errors += failed
        if self._terminal:
            self._draw()
        elif self.done < self.total and time.monotonic() - self._shown >= _SECONDS_BETWEEN_LINES:
            self._shown = time.monotonic()
            log(self._line())

    def _draw(self, *, end: str = "") -> None:
        filled = _BAR_WIDTH * self.done // max(self.total, 1)
        bar = "█" * filled + "·" * (_BAR_WIDTH - filled)
        sys.stderr.write(f"\r{self._line(bar + ' ')}\x1b[K{end}")
        sys.stderr.flush()

    def _line(self, bar: str = "") -> str:
        errors = f", {self.errors} errors" if self.errors else ""
        elapsed = time.monotonic() - self._started
        return f"{self.label:<20} {bar}{self.done}/{self.total} items{errors}, {elapsed:.0f} s"
