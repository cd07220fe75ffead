"""An item from its first attempt to its record: what is known of it meanwhile, and the record of what came of it."""

from functools import partial
from threading import Event

from chains.repeated import fault_of
from data.common.text import whole_characters
from data.types import Item, Prediction, Record
from eval.execution.attempt_calls import AttemptCalls
from eval.execution.call_ledger import ItemLedger
from eval.execution.faults import Verdict, describe, judge, recorded, retry_after_s
from eval.execution.retry import Clock, ItemStop
from eval.execution.tracing import Transcript


class OpenItem:
    """An item from its first attempt to its record. The thread that makes an attempt writes what it learns here.

    Args:
        item: What is asked.
        run_stop: Set once the run is stopped.

    Attributes:
        clock: How long it has taken.
        stop: Calls its waits off; it knows whether the item was given up.
        seen: What was sent and found in the last attempt.
        calls: The model calls of the last attempt.
        ledger: Where its calls are written down.
        attempts: How many were begun.
        latency_s: Seconds of the last attempt, with those of earlier replies that it was given again.
        is_attempted: An attempt goes on.
        finished: What came of it is on its way to the one who waits.
        verdict: On the fault of the last attempt.
        faults: How many attempts in a row got no further than an earlier one.
        limited: The last attempt failed because of the server's limit, and not of the item: it does not count, and the
            wait for its end is not the item's time.
        refused_at: How many calls the server had answered when its limit last refused the item; None: it did not.
        waits_since: When the waiting began that is none of its own time, in seconds of the monotonic clock.
        held_fault: The fault that ended it, held back until it is known whether it is the item's; see `first_faults`.
        unread: Its last fault was a reply that cannot be read, before anything was known of others.
    """

    def __init__(self, item: Item, run_stop: Event) -> None:
        self.item = item
        self.clock, self.stop = Clock(), ItemStop(run_stop)
        self.seen = Transcript()
        self.calls: AttemptCalls | None = None
        self.ledger: ItemLedger | None = None
        self.attempts = self.faults = self._furthest = 0
        self.latency_s = 0.0
        self.is_attempted = self.finished = self.limited = self.unread = False
        self.verdict: Verdict = "item"
        self.refused_at: int | None = None
        self.waits_since: float | None = None
        self.held_fault: Exception | None = None

    @property
    def given_up(self) -> bool:
        """Whether nobody waits for its answer any more."""
        return self.stop.given_up

    @property
    def in_flight(self) -> bool:
        """Whether a call of it has been sent, and is waited for."""
        return self.is_attempted and not self.given_up and (self.calls is None or self.calls.in_flight)

    def give_up(self) -> None:
        """Wait for its answer no more; what it has taken of the run's limits is free again, but not the money."""
        self.stop.given_up = True
        if self.calls is not None:
            self.calls.close()

    def note_fault(self) -> None:
        """Count the fault of an attempt; the first one after progress."""
        given = self.ledger.given if self.ledger else 0
        self.faults = 1 if given > self._furthest else self.faults + 1
        self._furthest = max(self._furthest, given)

    def record(self, answer: Prediction | Exception, system: str, *, latency_s: float | None = None) -> Record:
        """Return the record of what came of it.

        Args:
            answer: A prediction, or the fault that ended it.
            system: Who was asked.
            latency_s: Seconds; None: those of the last attempt.
        """
        latency_s = self.latency_s if latency_s is None else latency_s
        record = record_of(self.item, answer, self.seen, system=system, latency_s=latency_s)
        hits = self.calls.cache_hits if self.calls else 0
        return record.model_copy(update={"attempts": max(self.attempts, 1), "cache_hits": hits})


def record_of(item: Item, answer: object, seen: Transcript, *, system: str, latency_s: float) -> Record:
    """Return the record of an item.

    Args:
        item: What was asked.
        answer: A prediction, or a fault; anything else is one.
        seen: What was sent and found.
        system: Who was asked.
        latency_s: Seconds.
    """
    make = partial(
        Record, item=item, system=system, latency_s=latency_s, messages=seen.messages, passages=seen.passages
    )
    try:
        fault = answer if isinstance(answer, BaseException) else fault_of(answer, len(item.choices))
        if fault is None and isinstance(answer, Prediction):
            return make(prediction=seen.complete(answer))
    except Exception as error:  # noqa: BLE001  # an answer that was made without being checked may hold anything
        fault = error
    return make(error=whole_characters(recorded(sound(fault))))


class ChainFaultError(Exception):
    """What a chain raised is no fault that can be judged: this one, which says what is known of it, is."""


def sound(fault: BaseException | None) -> Exception:
    """Return a fault, or what stands for one that is no Exception, or whose own code fails when it is asked about."""
    name = type(fault).__name__
    try:
        said = recorded(fault) if fault is not None else name
        if isinstance(fault, Exception):
            judge(fault), retry_after_s(fault), describe(fault)
            return fault
    except Exception:  # noqa: BLE001  # whatever it raises instead of saying what it is
        said = f"{name}, which does not say what it is"
    return ChainFaultError(f"the chain raised {said}")
