"""How the calls of a run are made: when one may be sent, when it is sent again, and when the run stops.

    item ─ predictor.invoke ─ model call ─ AttemptCalls: budget, what the server takes, tokens and requests a minute
      └──────────── fault ─ others, for a while (Retry-After, or backoff with full jitter) ─ the next attempt

The calls of one attempt wait in `eval.execution.attempt_calls` until they may be sent.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Lock
from typing import NamedTuple

from data.common.errors import ConfigurationError, ProjectError
from eval.execution.budget import Budget
from eval.execution.faults import LONGEST_WAIT_S, describe, is_unreadable, kind_of, retry_after_s, status_of
from eval.execution.rate_limits import Window
from eval.execution.response_cache import ResponseCache
from eval.execution.waits import Waits
from eval.plan.settings.call_policy import CallPolicy

_LATER = 0.1  # of the wait that a server asks for


class Cause(NamedTuple):
    """Why a run stops: the kind of error, what happened, and what the user can do before it goes on."""

    kind: type[ProjectError]
    reason: str
    remedy: str


class Clock:
    """Seconds since an item's first attempt, without those that it waits for the run's own limits."""

    def __init__(self) -> None:
        self.waited_s = 0.0
        self._started = self._waiting_since = time.monotonic()
        self._waiting = 0  # calls of the item: a chain may make several at once
        self._lock = Lock()

    @property
    def waiting(self) -> bool:
        """Whether the item waits for the run's own limits."""
        return self._waiting > 0

    def excuse(self, seconds: float) -> None:
        """Count seconds that are over as such a wait."""
        with self._lock:
            self.waited_s += seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        with self._lock:
            self._waiting += 1
            if self._waiting == 1:
                self._waiting_since = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                if not self._waiting:
                    self.waited_s += time.monotonic() - self._waiting_since

    def elapsed_s(self) -> float:
        with self._lock:
            now = time.monotonic()
            waiting_s = now - self._waiting_since if self._waiting else 0.0
            return now - self._started - self.waited_s - waiting_s


class ItemStop:
    """What calls the waits of one item off: the run was stopped, or the item given up.

    Args:
        run_stop: Set once the run is stopped.

    Attributes:
        given_up: Nobody waits for the item's answer any more.
    """

    def __init__(self, run_stop: Event) -> None:
        self._run_stop = run_stop
        self.given_up = False

    def is_set(self) -> bool:
        """Say whether nothing more is to be sent for the item."""
        return self.given_up or self._run_stop.is_set()

    def wait(self, timeout: float) -> bool:
        """Wait for so many seconds at most, and return whether nothing more is to be sent."""
        return self.given_up or self._run_stop.wait(timeout)


class Calls:
    """What all calls of a run share: its limits, its budget, and whether and why it has been stopped.

    Args:
        policy: How calls are made.
        budget: What they may cost; None: no limit.
        cache: The replies that models over a network have given before; None: no cache is used.
    """

    def __init__(self, policy: CallPolicy, *, budget: Budget | None = None, cache: ResponseCache | None = None) -> None:
        self.policy, self.budget, self.cache = policy, budget, cache
        self.stop = Event()
        self.cause: Cause | None = None
        self.requests = None if policy.rpm is None else Window(policy.rpm, name="--rpm")
        self.tokens = None if policy.tpm is None else Window(policy.tpm, name="--tpm")
        self.repeats: Counter[str] = Counter()
        self.waits = Waits()
        self._lock = Lock()

    def halt(self, cause: Cause) -> None:
        """Stop the run: nothing more is sent; the first cause counts."""
        with self._lock:
            self.cause = self.cause or cause
        self.stop.set()

    def halt_unwritten(self, name: str, error: OSError) -> None:
        """Stop the run because a file of it cannot be written: what is paid for next would be lost."""
        reason = f"stopped: {name} cannot be written: {error.strerror}"
        self.halt(Cause(ConfigurationError, reason, "free space, or make it writable,"))

    def refuse(self, error: Exception, who: str, keys: Sequence[str] = ()) -> None:
        """Stop the run because of an answer that every item would get.

        Args:
            error: The answer.
            who: The system.
            keys: The variables that may hold its model's key.
        """
        status, said = status_of(error), describe(error)
        if status is None and is_unreadable(error):
            what, remedy = f"answers, but with nothing that can be read: {said}", "see that its address is an API's"
        else:
            what = f"answered {said}" if status else f"cannot be asked: {said}"
            remedy = _REMEDIES.get(status or 0, "correct what it names")
            remedy += f" ({' or '.join(keys)})" if keys and "key" in remedy else ""
        self.halt(Cause(ConfigurationError, f"stopped: the server of {who} {what}", remedy))

    def wait_s(self, error: Exception, *, faults: int, elapsed_s: float | None) -> float | None:
        """Return for how many seconds an item waits before its next attempt; None: there is none.

        It waits for what the server asks, and then a little longer, so that not all come back at once; else as long as
        full jitter has it. Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

        Args:
            error: The passing fault of its last attempt.
            faults: How many attempts in a row got no further.
            elapsed_s: Seconds of its time that it has taken; None where the wait for a server's limit is not its own.
        """
        if faults > self.policy.retries:
            return None
        asked_s, first_s = retry_after_s(error), self.policy.first_wait_s
        longest = _LATER * asked_s if asked_s else min(first_s * 2.0 ** max(faults - 1, 0), LONGEST_WAIT_S)
        wait_s = (asked_s or 0.0) + random.uniform(0, longest)  # noqa: S311  # no secret
        if elapsed_s is not None and elapsed_s + wait_s >= self.policy.item_timeout_s:
            return None
        with self._lock:
            self.repeats[kind_of(error)] += 1
        return wait_s


_REMEDIES = {
    400: "correct what it names (a field of the request: by --request, in a new run)",
    401: "correct the key",
    402: "pay, or use another key",
    403: "use a key that is allowed to",
    422: "correct what it names (a field of the request: by --request, in a new run)",
    404: "correct the model's name or its address",
    429: "mend the account, wait until its quota is renewed, or use another key",
}
