"""An item while it is asked, and the record of what came of it."""

from functools import partial

from chains.repeated import fault_of
from data.common.text import whole_characters
from data.types import Item, Prediction, Record
from eval.execution.admission import CallGate
from eval.execution.faults import describe, judge, recorded, retry_after_s
from eval.execution.retry import Turn
from eval.execution.tracing import Transcript


class Asked(Turn):
    """An item that a thread asks.

    Attributes:
        latency_s: Of the last attempt, with that of earlier replies which it was given again.
        attempts: How often it was asked.
        finished: What came of it is on its way to the one who waits.
        gate: Of the last attempt.
        doubted: The fault that ended it, where nobody knows yet whether it is the item's; see `first_faults`.
        unread: Its last fault was a reply that cannot be read, before anything was known of others.
        asking: An attempt goes on.
        refused_at: How many calls the server had answered when its limit last refused the item; None: it did not.
        waits_since: From when on its waiting is none of its own time, in seconds of the monotonic clock.
    """

    def __init__(self, item: Item) -> None:
        super().__init__()
        self.item = item
        self.seen = Transcript()
        self.latency_s = 0.0
        self.attempts = 0
        self.finished = False
        self.gate: CallGate | None = None
        self.doubted: Exception | None = None
        self.asking = self.unread = False
        self.refused_at: int | None = None
        self.waits_since: float | None = None

    @property
    def in_flight(self) -> bool:
        """Whether it is being asked, and waited for."""
        return self.asking and not self.given_up and (self.gate is None or self.gate.in_flight)

    def give_up(self) -> None:
        """Wait for its answer no more; what it has taken of the run's limits is free again, but not the money."""
        self.given_up = True
        if self.gate is not None:
            self.gate.close()


def asked_record(asked: Asked, answer: Prediction | Exception, *, system: str, latency_s: float) -> Record:
    """Return the record of an item that was asked one by one."""
    record = record_of(asked.item, answer, asked.seen, system=system, latency_s=latency_s)
    return record.model_copy(update={"attempts": max(asked.attempts, 1), "cache_hits": asked.cache_hits})


def record_of(item: Item, answer: object, seen: Transcript, *, system: str, latency_s: float) -> Record:
    """Return the record of an item, with what was seen of its asking.

    Args:
        item: What was asked.
        answer: A prediction, or a fault; anything else is one.
        seen: Of the asking.
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
