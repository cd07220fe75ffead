"""What all threads of a run share to stay within the limits that its user sets: requests and tokens a minute.

Whoever must wait here can be called off: it then ends with `Halt`.
"""

import time
from collections import deque
from collections.abc import Sequence
from threading import Lock
from typing import Protocol

from eval.execution.waits import ANSWERS, Waits

_POLL_S = 0.5  # how soon one who waits notices that the run has been stopped, or that tokens came back


class Halt(BaseException):
    """The run has been stopped, and this call is not to be made.

    No Exception, as an interruption is none: no chain's own handling of faults may take it for one.
    """


class Stop(Protocol):
    """What calls a wait off: a `threading.Event`, or what one item sees of it (`eval.execution.retry.TurnStop`)."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


class Window:
    """At most so many requests, or tokens, in any stretch of so many seconds: a sliding window.

    Args:
        limit: Requests or tokens.
        per_s: Length of the window in seconds.
        name: The option that sets it.
    """

    def __init__(self, limit: int, *, per_s: float = 60.0, name: str = "a limit") -> None:
        self.limit, self.per_s, self.name = limit, per_s, name
        self._taken: deque[list[float]] = deque()  # [when, amount], oldest first
        self._total = 0.0
        self._lock = Lock()

    def take(self, amount: int, stop: Stop) -> list[float]:
        """Wait until the window has room; return the entry to correct.

        Args:
            amount: One request, or the tokens of a call; more than fits at all is taken once the window is empty.
            stop: Calls the waiting off.

        Raises:
            Halt: `stop` was set.
        """
        wanted = min(amount, self.limit)
        while True:
            with self._lock:
                delay = self._delay(wanted)
                if delay <= 0:
                    entry = [time.monotonic(), float(wanted)]
                    self._taken.append(entry)
                    self._total += wanted
                    return entry
            if stop.wait(min(delay, _POLL_S)):
                raise Halt

    def correct(self, entry: list[float], amount: int) -> None:
        """Put what a call really took in the place of what was estimated."""
        with self._lock:
            if entry[0] > time.monotonic() - self.per_s:
                self._total += amount - entry[1]
                entry[1] = float(amount)

    def _delay(self, wanted: float) -> float:
        now = time.monotonic()
        while self._taken and self._taken[0][0] <= now - self.per_s:
            self._total -= self._taken.popleft()[1]
        excess, delay = self._total + wanted - self.limit, 0.0
        for when, amount in self._taken:
            if excess <= 0:
                break
            excess -= amount
            delay = when + self.per_s - now
        return delay


class Allowance:
    """What one call takes of the run's limits.

    Args:
        amounts: How much of each window.
    """

    def __init__(self, amounts: Sequence[tuple[Window, int]] = ()) -> None:
        self._amounts = amounts
        self._taken: dict[Window, list[float]] = {}

    def take(self, stop: Stop, waits: Waits) -> None:
        """Wait until there is room for all of it; `waits` says for which of the limits.

        Raises:
            Halt: `stop` was set.
        """
        for window, amount in self._amounts:
            with waits.on(window.name, before=ANSWERS):
                self._taken[window] = window.take(amount, stop)

    def correct(self, window: Window, amount: int) -> None:
        """Put what the call really took of a window in the place of what was estimated."""
        if window in self._taken:
            window.correct(self._taken[window], amount)

    def give_back(self) -> None:
        """Give all of it back: the call is not sent."""
        for window in self._taken:
            self.correct(window, 0)
