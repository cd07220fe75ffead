"""An item while it is asked, and the record of what came of it.

A thread asks it, and another waits: for what both touch there is a lock.
"""

from threading import Lock

from data.json_text import whole_characters
from data.types import Item, Prediction, Record
from eval.asking.calls import Turn
from eval.asking.faults import recorded
from eval.asking.gate import CallGate
from eval.asking.limits import Slots
from eval.tracing import Transcript


class Asked(Turn):
    """An item that a thread asks.

    Attributes:
        latency_s: Of the last attempt, with that of earlier replies which it was given again.
        attempts: How often it was asked.
        finished: What came of it is on its way to the one who waits.
        gate: Of the last attempt.
        doubted: The fault that ended it, where nobody knows yet whether it is the item's; see `eval.asking.doubts`.
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
        self._slots: Slots | None = None
        self._lock = Lock()

    def hold(self, slots: Slots) -> None:
        """Note that it holds a slot."""
        self._slots = slots

    @property
    def in_flight(self) -> bool:
        """Whether it is being asked, and waited for."""
        return self._slots is not None and not self.given_up

    def release(self) -> None:
        """Give its slot back, if it holds one: in its own thread, or in that of the one who gives it up."""
        with self._lock:
            slots, self._slots = self._slots, None
        if slots is not None:
            slots.release()

    def give_up(self) -> None:
        """Wait for its answer no more; what it has taken of the run's limits is free again, but not the money."""
        self.given_up = True
        self.release()
        if self.gate is not None:
            self.gate.close()


def asked_record(asked: Asked, answer: Prediction | Exception, *, system: str, latency_s: float) -> Record:
    """Return the record of an item that was asked one by one."""
    record = record_of(asked.item, answer, asked.seen, system=system, latency_s=latency_s)
    return record.model_copy(update={"attempts": max(asked.attempts, 1), "cache_hits": asked.cache_hits})


def record_of(item: Item, answer: Prediction | Exception, seen: Transcript, *, system: str, latency_s: float) -> Record:
    """Return the record of an item, with what was seen of its asking."""
    failure = answer if isinstance(answer, Exception) else None
    return Record(
        item=item,
        system=system,
        prediction=None if isinstance(answer, Exception) else seen.complete(answer),
        error=None if failure is None else whole_characters(recorded(failure)),
        latency_s=latency_s,
        messages=seen.messages,
        passages=seen.passages,
    )
