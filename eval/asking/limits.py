"""What all threads of a run share to stay within a server's limits: requests and tokens a minute, calls in flight.

Whoever must wait here can be called off: it then ends with `Halt`.
"""

import time
from collections import deque
from threading import Condition, Lock
from typing import Protocol

# Beyond it an item is given up: a server that sends a byte now and then is never late for a client, whose limits are on
# the time between two bytes.
ITEM_TIMEOUT_S = 1800.0
_POLL_S = 0.5  # how soon one who waits notices that the run has been stopped, or that tokens came back


class Halt(BaseException):
    """The run has been stopped, and this call is not to be made.

    No Exception, as an interruption is none: no chain's own handling of faults may take it for one.
    """


class Stop(Protocol):
    """What calls a wait off: a `threading.Event`, or what one item sees of it (`eval.asking.calls.TurnStop`)."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


class Window:
    """At most so many requests, or tokens, in any stretch of so many seconds: a sliding window.

    Args:
        limit: Requests or tokens.
        per_s: Length of the window in seconds.
    """

    def __init__(self, limit: int, *, per_s: float = 60.0) -> None:
        self.limit, self.per_s = limit, per_s
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


class Slots:
    """How many calls may be in flight: half as many once the server says it is too much, one more for every round.

    Additive increase, multiplicative decrease, as TCP does it. Source: Chiu and Jain, "Analysis of the increase and
    decrease algorithms for congestion avoidance", 1989.

    Args:
        most: The limit to begin with, which is never crossed.
    """

    def __init__(self, most: int) -> None:
        self.most = self.limit = most
        self.in_flight = 0
        self._halvings = self._successes = 0
        self._free = Condition()

    def acquire(self, stop: Stop) -> int:
        """Wait for a slot; return a ticket for `report`.

        Raises:
            Halt: `stop` was set.
        """
        with self._free:
            while self.in_flight >= self.limit:
                if stop.is_set():
                    raise Halt
                self._free.wait(_POLL_S)
            self.in_flight += 1
            return self._halvings

    def report(self, ticket: int, *, succeeded: bool, throttled: bool) -> None:
        """Learn from how a call went.

        Calls that were sent before the last halving are no news: a burst of refusals halves once.
        """
        with self._free:
            if throttled and ticket == self._halvings:
                self.limit = max(1, self.limit // 2)
                self._halvings += 1
                self._successes = 0
            elif succeeded and self.limit < self.most:
                self._successes += 1
                if self._successes >= self.limit:
                    self.limit += 1
                    self._successes = 0

    def release(self) -> None:
        """Give a slot back."""
        with self._free:
            self.in_flight -= 1
            self._free.notify(2)
