"""How the calls of a run are made: when one may be sent, when it is sent again, and when the run stops.

    item ─ slot (calls in flight) ─ predictor.invoke ─ model call ─ CallGate: budget, tokens and requests a minute
      └──────────── fault ─ wait (Retry-After, or backoff with full jitter) ─ again

The gate is in `eval.asking.gate`.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Event, Lock
from typing import Literal, NamedTuple, TypeVar

from tenacity import RetryCallState, Retrying

from chains.providers import THINKING_TIMEOUT_S
from data.errors import ConfigurationError, ProjectError
from eval.asking.budget import Budget
from eval.asking.faults import LONGEST_WAIT_S, Verdict, describe, is_unreadable, kind_of, retry_after_s, status_of
from eval.asking.limits import ITEM_TIMEOUT_S, Halt, Stop, Window
from eval.asking.replies import ItemReplies
from eval.asking.waits import Waits

Answer = TypeVar("Answer")


class CallPolicy(NamedTuple):
    """How a run's calls are made; None: no limit.

    Attributes:
        retries: How often a call is made again after passing faults in a row.
        rpm: Requests a minute.
        tpm: Tokens a minute, of prompts and replies.
        timeout_s: Seconds until a call must have been answered; None: as the model has it.
        item_timeout_s: Seconds that an item may take, retries included; waits for the run's own limits are not.
        max_cost_usd: What the run may cost.
        cache: Whose replies are taken from the response cache and kept there: of no model, of those that decode
            greedily, or of those that sample too.
        first_wait_s: The longest wait before the first retry; it doubles with each.
    """

    retries: int = 6
    rpm: int | None = None
    tpm: int | None = None
    timeout_s: float | None = None
    item_timeout_s: float = ITEM_TIMEOUT_S
    max_cost_usd: float | None = None
    cache: Literal["none", "greedy", "sampled"] = "none"
    first_wait_s: float = 1.0

    @property
    def call_timeout_s(self) -> float | None:
        """Seconds after which a model's own client is to give a call up; None: as the model has it."""
        if self.timeout_s is None and self.item_timeout_s >= THINKING_TIMEOUT_S:  # no model's own is longer
            return None
        return min(self.timeout_s or THINKING_TIMEOUT_S, self.item_timeout_s)


class Cause(NamedTuple):
    """Why a run stops: the kind of error, what happened, and what the user can do before it goes on."""

    kind: type[ProjectError]
    reason: str
    remedy: str


class Clock:
    """Seconds since an item was first asked, without those that it waits for the run's own limits."""

    def __init__(self) -> None:
        self.waited_s = 0.0
        self._started = self._waiting_since = time.monotonic()
        self._waiting = 0  # calls of the item: a chain may make several at once
        self._lock = Lock()

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


class Turn:
    """What is known of an item while it is asked; the thread that asks writes it.

    Attributes:
        verdict: On the fault of the last attempt.
        faults: Of attempts in a row that got no further than an earlier one.
        given_up: Nobody waits for its answer any more.
        cache_hits: Calls of the last attempt that the response cache answered.
        replies: That it has had, where it takes several calls.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.verdict: Verdict = "item"
        self.faults = self._furthest = 0
        self.given_up = False
        self.cache_hits = 0
        self.replies: ItemReplies | None = None

    def note_fault(self) -> None:
        """Count a fault of an attempt; the first one after progress."""
        given = self.replies.given if self.replies else 0
        self.faults = 1 if given > self._furthest else self.faults + 1
        self._furthest = max(self._furthest, given)


class Calls:
    """What all calls of a run share: its limits, its budget, and whether and why it has been stopped.

    Args:
        policy: How calls are made.
        budget: What they may cost; None: no limit.
    """

    def __init__(self, policy: CallPolicy, *, budget: Budget | None = None) -> None:
        self.policy = policy
        self.budget = budget
        self.stop = Event()
        self.cause: Cause | None = None
        self.requests = None if policy.rpm is None else Window(policy.rpm)
        self.tokens = None if policy.tpm is None else Window(policy.tpm)
        self.repeats: Counter[str] = Counter()
        self.waits = Waits()
        self._lock = Lock()
        self._retrying = Retrying(
            retry=lambda state: bool(state.outcome and state.outcome.failed) and _turn(state).verdict == "again",
            wait=self._wait,
            stop=self._gives_up,
            before_sleep=self._note_repeat,
            reraise=True,
        )

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

    def again(self, attempt: Callable[[Turn], Answer], turn: Turn) -> Answer:
        """Call `attempt` until it succeeds, its fault is no passing one, or retries or time run out.

        Args:
            attempt: Sets the turn's verdict where it fails.
            turn: Of the item.

        Raises:
            Halt: The run was stopped meanwhile.
            Exception: What the last attempt raised.
        """
        return self._retrying.copy(sleep=partial(self._sleep, TurnStop(self, turn)))(attempt, turn)

    def _sleep(self, stop: Stop, seconds: float) -> None:
        with self.waits.on("a retry"):
            if stop.wait(seconds):
                raise Halt

    def _wait(self, state: RetryCallState) -> float:
        """Full jitter, after what the server asks for.

        Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        """
        error = state.outcome.exception() if state.outcome else None
        asked_s = None if error is None else retry_after_s(error)
        longest = min(self.policy.first_wait_s * 2.0 ** (_turn(state).faults - 1), LONGEST_WAIT_S)
        jitter = random.uniform(0, self.policy.first_wait_s if asked_s is not None else longest)  # noqa: S311  # no secret
        return (asked_s or 0.0) + jitter

    def _gives_up(self, state: RetryCallState) -> bool:
        if _turn(state).faults > self.policy.retries:
            return True
        return _turn(state).clock.elapsed_s() + state.upcoming_sleep >= self.policy.item_timeout_s

    def _note_repeat(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error is not None:
            with self._lock:
                self.repeats[kind_of(error)] += 1


class TurnStop:
    """What calls an item's waits off: the run was stopped, or the item given up.

    Args:
        calls: What the run's calls share.
        turn: Of the item.
    """

    def __init__(self, calls: Calls, turn: Turn) -> None:
        self._calls, self._turn = calls, turn

    def is_set(self) -> bool:
        return self._turn.given_up or self._calls.stop.is_set()

    def wait(self, timeout: float) -> bool:
        return self._turn.given_up or self._calls.stop.wait(timeout)


_REMEDIES = {
    400: "correct what it names (a field of the request: by --request, in a new run)",
    401: "correct the key",
    402: "pay, or use another key",
    403: "use a key that is allowed to",
    422: "correct what it names (a field of the request: by --request, in a new run)",
    404: "correct the model's name or its address",
    429: "mend the account, wait until its quota is renewed, or use another key",
}


def _turn(state: RetryCallState) -> Turn:
    turn: Turn = state.args[0]
    return turn
