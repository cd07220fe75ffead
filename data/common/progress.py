"""What a run tells a person while it goes on: a bar on a terminal, plain lines anywhere else; always on stderr."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from data.common.table import display_width, fit
from data.common.terminal import STATUS, columns, is_drawable, say
from data.common.text import plain

_LABEL_COLUMNS = 20
_SHORTEST_BAR = 4
_TICK_S = 0.5
_SECONDS_BETWEEN_DRAWINGS = 0.1
_SECONDS_BETWEEN_LINES = 10.0  # without a terminal
_LEAST_S = 1.0  # before that, no pace is said
_QUIET_S = 5.0  # without a finished item: what is waited for is then worth a word


def log(message: str) -> None:
    """Write for the person who waits."""
    say(message)


class Progress:
    """Counts a system's items as they finish, and says so, also while none does.

    Args:
        label: The system.
        total: Its items.
        waiting: Says what is waited for now, or ""; it is told whether no item has finished for a while.
    """

    def __init__(self, label: str, total: int, waiting: Callable[[bool], str] = lambda quiet: "") -> None:
        self.label, self.total = plain(label, one_line=True), total
        self.done = self.errors = 0
        self.usd = 0.0
        self._waiting = waiting
        self._terminal = is_drawable()
        self._pause_s = _SECONDS_BETWEEN_DRAWINGS if self._terminal else _SECONDS_BETWEEN_LINES
        self._started = self._shown = self._finished = time.monotonic()
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        if self._terminal:
            STATUS.draw(self._bar())
        with suppress(RuntimeError):  # where no thread can start, only what finishes is shown
            threading.Thread(target=self._tick, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with self._lock:
            self._ended.set()
        if self._terminal:
            STATUS.draw(self._bar(), last=True)
        else:
            log(self._line())

    def advance(self, *, failed: bool, usd: float = 0.0) -> None:
        """Count an item that is finished, and the US dollars that its answer cost."""
        self.done += 1
        self.usd += usd
        self.errors += failed
        self._finished = time.monotonic()
        if self._terminal:
            self._show()

    def _tick(self) -> None:
        while not self._ended.wait(_TICK_S):
            self._show()

    def _show(self) -> None:
        """Say how far it is, unless that was just said, or the end is near."""
        with self._lock:
            if self._ended.is_set() or time.monotonic() - self._shown < self._pause_s:
                return
            self._shown = time.monotonic()
            if self._terminal:
                STATUS.draw(self._bar())
            else:
                log(self._line())

    def _line(self) -> str:
        return f"{self.label:<{_LABEL_COLUMNS}} {self._counts()}"

    def _bar(self) -> str:
        """Return a line as wide as the terminal: the label, a bar of what is left of the width, and the counts."""
        # Terminals differ in what they do after the last column, and in how wide a letter such as "…" is.
        width, counts = columns() - 2, self._counts()
        if display_width(self.label) + 1 + display_width(counts) > width:
            counts = self._counted()  # what names the row is worth more than how fast it goes
        rest = width - display_width(counts) - 1
        label_columns = max(_LABEL_COLUMNS, display_width(self.label))
        bar_columns = rest - label_columns - len("[] ")
        if bar_columns < _SHORTEST_BAR:
            return fit(f"{fit(self.label, max(rest, 1)).rstrip()} {counts}", width).rstrip()
        filled = bar_columns * self.done // max(self.total, 1)
        return f"{fit(self.label, label_columns)} [{'#' * filled}{'.' * (bar_columns - filled)}] {counts}"

    def _counts(self) -> str:
        now = time.monotonic()
        seconds = now - self._started
        return f"{self._counted()}, {seconds:.0f} s{self._pace(seconds)}{self._spent()}{self._awaited(now)}"

    def _counted(self) -> str:
        errors = f", {self.errors} errors" if self.errors else ""
        return f"{self.done}/{self.total} items{errors}"

    def _pace(self, seconds: float) -> str:
        """Say how many items are finished in a second, and how long the rest will take at that pace."""
        if not self.done or seconds < _LEAST_S:
            return ""
        left = seconds / self.done * (self.total - self.done)
        return f", {self.done / seconds:.3g}/s" + (f", {left:.0f} s left" if left >= 1 else "")

    def _spent(self) -> str:
        return f", ${self.usd:.2g}" if self.usd else ""

    def _awaited(self, now: float) -> str:
        if self._ended.is_set() or self.done >= self.total:
            return ""
        quiet_s = now - self._finished
        is_quiet = quiet_s >= _QUIET_S
        said = [f"none for {quiet_s:.0f} s"] if is_quiet else []
        said += [waiting] if (waiting := self._waiting(is_quiet)) else []
        return f"; {': '.join(said)}" if said else ""
