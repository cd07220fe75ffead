"""A server with limits and a client that learns them, on a clock of their own: seconds pass in numbers only.

The client works as a run does: so many threads, each with one item in hand; what was refused waits beside the others
for as long as the server asks, or a random while, and is then the first to be asked again. One processor makes the
calls one after another.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import NamedTuple, Protocol

from eval.execution.call_history import Call
from eval.execution.rate_control import RateControl

CLIENT_S = 0.007  # of the processor, for a call
_ON_THE_WAY_S, _REFUSED_S = 0.003, 0.003
_MOST_S = 3600.0


class Refusal(NamedTuple):
    """A 429: when to come back, and whether its headers say that a limit is used up."""

    retry_after_s: float | None = None
    stated: bool = False


NO_HEADER = Refusal()


class Server(Protocol):
    """Says of a call that arrives whether it is refused."""

    def refusal(self, now: float, in_flight: int) -> Refusal | None: ...


@dataclass
class SlidingWindow:
    """At most so many calls in any so many seconds."""

    calls: int
    per_s: float
    refused: Refusal | None = NO_HEADER  # None: it says to the moment when there will be room
    taken: deque[float] = field(default_factory=deque)

    def refusal(self, now: float, in_flight: int) -> Refusal | None:
        while self.taken and self.taken[0] <= now - self.per_s:
            self.taken.popleft()
        if len(self.taken) >= self.calls:
            return self.refused or Refusal(self.taken[0] + self.per_s - now)
        self.taken.append(now)
        return None


@dataclass
class TokenBucket:
    """So many calls a second, and so many more after a pause."""

    rate: float
    size: float
    refused: Refusal | None = NO_HEADER  # None: as above

    def __post_init__(self) -> None:
        self.level, self.seen = self.size, 0.0

    def refusal(self, now: float, in_flight: int) -> Refusal | None:
        self.level, self.seen = min(self.size, self.level + (now - self.seen) * self.rate), now
        if self.level < 1:
            return self.refused or Refusal((1 - self.level) / self.rate)
        self.level -= 1
        return None


@dataclass
class AtOnce:
    """At most so many calls in flight."""

    calls: int
    refused: Refusal = NO_HEADER

    def refusal(self, now: float, in_flight: int) -> Refusal | None:
        return None if in_flight < self.calls else self.refused


@dataclass
class Outage:
    """Refuses every call for a while, and says when it will be over."""

    since: float
    until: float
    stated: bool

    def refusal(self, now: float, in_flight: int) -> Refusal | None:
        return Refusal(self.until - now, self.stated) if self.since <= now < self.until else None


@dataclass
class Noise:
    """Refuses a share of calls, whoever makes them, before another server sees them."""

    share: float
    refused: Refusal = NO_HEADER
    behind: Server | None = None

    def __post_init__(self) -> None:
        self.random = random.Random(1)

    def refusal(self, now: float, in_flight: int) -> Refusal | None:
        if self.random.random() < self.share:
            return self.refused
        return self.behind.refusal(now, in_flight) if self.behind else None


@dataclass
class Changing:
    """Is another server from some moments on: pairs of seconds and a server, the first at 0."""

    servers: list[tuple[float, Server]]

    def refusal(self, now: float, in_flight: int) -> Refusal | None:
        *_, current = (server for since, server in self.servers if since <= now)
        return current.refusal(now, in_flight)


@dataclass
class Sent:
    """A call: when it was sent, when it was answered (None: it was refused), and its item."""

    at: float
    item: int
    answered: float | None = None


class Simulation:
    """A run of so many items against a server.

    Args:
        server: Which limits.
        items: How many.
        threads: Calls in flight, at most.
        latency_s: Returns the seconds of an answer.
        seed: Of the client's chances.

    Attributes:
        sent: Every call, in order.
        faults: Of each item, refusals that count as its own.
        control: What is known of the limits at the end.
    """

    def __init__(
        self,
        server: Server,
        *,
        items: int,
        threads: int = 32,
        latency_s: Callable[[random.Random], float] = lambda chance: 0.05,
        seed: int = 0,
    ) -> None:
        self.sent: list[Sent] = []
        self.faults: dict[int, int] = {}
        self.control = RateControl(threads)
        self.now = 0.0
        self._server, self._latency_s, self._chance = server, latency_s, random.Random(seed)
        self._new, self._again = iter(range(items)), list[tuple[float, int]]()
        self._idle, self._free_at = threads, 0.0
        self._ready: deque[int] = deque()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._in_flight = 0
        self._wakes_at = math.inf
        self._go_on()
        while self._events and self.now < _MOST_S:
            self.now, _, event = heapq.heappop(self._events)
            event()
            self._go_on()

    @property
    def answered(self) -> list[Sent]:
        return [call for call in self.sent if call.answered is not None]

    @property
    def seconds(self) -> float:
        """Until the last answer."""
        return max(call.answered or 0.0 for call in self.sent)

    @property
    def all_but_the_last_s(self) -> float:
        """Until 95 % are answered: the last ones wait alone, for as long as their backoff has it."""
        moments = sorted(call.answered for call in self.sent if call.answered is not None)
        return moments[len(moments) * 19 // 20]

    @property
    def refused_share(self) -> float:
        return 1 - len(self.answered) / len(self.sent)

    def taken_between(self, since: float, until: float) -> float:
        """Return how many calls a second were taken."""
        return sum(since <= call.at < until for call in self.answered) / (until - since)

    def _at(self, moment: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), event))

    def _go_on(self) -> None:
        """Take items in hand, and send what may be sent."""
        for item in self._due():
            self._idle -= 1
            self._free_at = max(self._free_at, self.now) + CLIENT_S * (0.5 + self._chance.random())
            self._at(self._free_at, partial(self._ready.append, item))
        while self._ready and (delay := self.control.delay_s(self.now)) <= 0:
            self._send(self._ready.popleft())
        if self._ready and self.now + delay < self._wakes_at:
            self._wakes_at = self.now + delay
            self._at(self._wakes_at + 1e-6, self._wake)

    def _wake(self) -> None:
        self._wakes_at = math.inf

    def _due(self) -> Iterator[int]:
        while self._idle:
            if self._again and self._again[0][0] <= self.now:
                yield heapq.heappop(self._again)[1]
            elif (item := next(self._new, None)) is not None:
                yield item
            else:
                return

    def _send(self, item: int) -> None:
        call, sent = self.control.send(self.now), Sent(self.now, item)
        self.sent.append(sent)
        arrives = self.now + 2 * _ON_THE_WAY_S * self._chance.random()
        self._at(arrives, lambda: self._arrive(call, sent))

    def _arrive(self, call: Call, sent: Sent) -> None:
        refusal = self._server.refusal(self.now, self._in_flight)
        if refusal is not None:
            self._at(self.now + _REFUSED_S, lambda: self._refused(call, sent, refusal))
            return
        self._in_flight += 1
        self._at(self.now + self._latency_s(self._chance), lambda: self._answered(call, sent))

    def _answered(self, call: Call, sent: Sent) -> None:
        self._in_flight -= 1
        self._idle += 1
        sent.answered = self.now
        self.control.end(call, self.now, refused=False)

    def _refused(self, call: Call, sent: Sent, refusal: Refusal) -> None:
        self._idle += 1
        asked_s = refusal.retry_after_s
        self.control.end(call, self.now, refused=True, retry_after_s=asked_s, stated=refusal.stated)
        self.faults[sent.item] = faults = self.faults.get(sent.item, 0) + (not call.limited)
        longest = min(2.0 ** max(faults - 1, 0), 60.0) if asked_s is None else 0.1 * asked_s
        again = self.now + (asked_s or 0.0) + longest * self._chance.random()
        heapq.heappush(self._again, (again, sent.item))
        self._at(again + 1e-6, lambda: None)
