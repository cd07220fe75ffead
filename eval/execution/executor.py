"""Answers the items of one system that is asked one by one, some at once, and yields a record for each as it is there.

    feed ─ which items are attempted now      (Pending, FirstFaults)
    work ─ threads that make the attempts     (WorkerPool, eval.execution.attempt)
    late ─ who takes too long is given up     (_late_records)
    lost ─ threads whose calls never end      (_replace_lost)
    stop ─ Ctrl-C, signals, the run's end     (Interrupts, _ended)

Whatever goes wrong with an item becomes that item's error; only an interruption ends the run, and what every other
item would get as well: a refused key, a spent budget (see `eval.execution.retry`).
"""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from data.common.errors import ConfigurationError
from data.common.progress import log
from data.types import Item, Record
from eval.execution.attempt import Again, AttemptOutcome, OpenSystem, work
from eval.execution.interrupts import Interrupts, noted_interrupts
from eval.execution.open_item import OpenItem
from eval.execution.pending import Pending
from eval.execution.retry import Cause
from eval.execution.worker_pool import WorkerPool
from eval.plan.settings.call_policy import ITEM_TIMEOUT_S

_LOOKS = 20  # at who is late, while an item takes its whole time; but not more often or seldom than this
_SHORTEST_S, _LONGEST_S = 0.01, 1.0
_MOST_LOST = 4  # times the calls in flight: so many threads may be lost to calls that never end, before the run stops

_Pool = WorkerPool[OpenItem, AttemptOutcome]


def answer_one_by_one(system: OpenSystem, items: Sequence[Item], max_concurrency: int) -> Generator[Record, None, None]:
    """Yield a record for each item as it is answered, until all are or the run is stopped.

    Once the run is stopped or the user interrupts, nothing more is sent, but the calls in flight are waited for and
    their records yielded: they are paid for. A second interruption does not wait. An item that only waits for its next
    attempt then is left out.

    Args:
        system: Whose items they are.
        items: What is asked.
        max_concurrency: Calls in flight, at most.

    Raises:
        KeyboardInterrupt: The run was interrupted; what was answered has been yielded.
    """
    pool: _Pool = WorkerPool(partial(work, system), min(max_concurrency, len(items)))
    pending, looks = Pending(items, system.calls), _Looks(system.calls.policy.item_timeout_s)
    lost = pool.size * _MOST_LOST
    with noted_interrupts(pool.wake) as interrupts, _dismissed(pool, system):
        while not _ended(system, pool, interrupts):
            yield from system.first_faults.settled(pending)
            lost -= _replace_lost(system, pool, pending, most=lost)
            with pool.as_many_as_allowed():
                for worker in pool.missing():
                    worker.start()
            if not _feed(system, pool, pending):
                break
            try:
                yield from _records(system, pool, pending, _patience_s(system, pool, pending, looks))
                if looks.are_due():
                    yield from _late_records(system, pool)
                    _watch_limits(system)
            except KeyboardInterrupt:  # a second one, or one that a chain raised in its thread
                if interrupts.noted:
                    raise
                interrupts.noted = True
        for _ in range(len(pool.busy) if interrupts.is_overdue else 0):  # what is there by now is paid for
            yield from _records(system, pool, pending, 0.0)
    if interrupts.noted:
        raise KeyboardInterrupt


class _Looks:
    """When to look at who is late: some times while an item takes its whole time.

    Args:
        item_timeout_s: Seconds that an item may take.
    """

    def __init__(self, item_timeout_s: float) -> None:
        self._every_s = min(max(item_timeout_s / _LOOKS, _SHORTEST_S), _LONGEST_S)
        self.at = time.monotonic() + self._every_s

    def are_due(self) -> bool:
        """Say whether it is time, and if so when the next time is."""
        if time.monotonic() < self.at:
            return False
        self.at = time.monotonic() + self._every_s
        return True


@contextmanager
def _dismissed(pool: _Pool, system: OpenSystem) -> Iterator[None]:
    """Let the threads end afterwards; nobody waits for what they have in hand then."""
    try:
        yield
    finally:
        if not _all_given_up(pool):
            system.calls.stop.set()
        for open_item in pool.busy:
            open_item.stop.given_up = True
        pool.dismiss()


def _all_given_up(pool: _Pool) -> bool:
    return all(open_item.given_up for open_item in pool.busy)


# ── Stopping ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _ended(system: OpenSystem, pool: _Pool, interrupts: Interrupts) -> bool:
    """Send nothing more after an interruption; say whether what is in flight has been waited for long enough."""
    if not interrupts.noted:
        return False
    system.calls.stop.set()
    interrupts.tell(sum(open_item.in_flight for open_item in pool.busy))
    return interrupts.is_overdue


# ── Feeding ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _feed(system: OpenSystem, pool: _Pool, pending: Pending) -> bool:
    """Hand out the items that are to be attempted now; say whether there is, or will be, anybody to wait for."""
    stop, first_faults = system.calls.stop, system.first_faults
    for open_item in [] if stop.is_set() else first_faults.next_items(pending, pool.idle, pool.busy):
        pool.put(open_item)
    if not _all_given_up(pool):
        return True
    if first_faults and not stop.is_set() and not any(pending.waiting) and (pool.idle or not pending):
        first_faults.end(system.refuse)
        pool.wake()
    return not stop.is_set() and bool(pending or first_faults)


def _patience_s(system: OpenSystem, pool: _Pool, pending: Pending, looks: _Looks) -> float:
    """Return for how long to wait for a record: until somebody may be late, or an item's next attempt is due."""
    is_feeding = pool.idle and not system.calls.stop.is_set()
    due_s = pending.due_s() if is_feeding else float("inf")
    return max(min(looks.at - time.monotonic(), due_s), 0.0)


def _records(system: OpenSystem, pool: _Pool, pending: Pending, patience_s: float) -> Iterator[Record]:
    """Wait for what comes of an attempt, and yield its item's record.

    Nothing is yielded when none came in time, another attempt is to be made, or the item's fault is held back.
    """
    taken = pool.take(patience_s)
    if taken is None:
        return
    open_item, outcome = taken
    if isinstance(outcome, BaseException):
        raise outcome
    if outcome is None or open_item.given_up:
        return
    if isinstance(outcome, Again):
        pending.put_back(open_item, outcome.at)
    else:
        yield from system.first_faults.sift(open_item, outcome)


# ── Timing out, and replacing the threads that are lost by it ─────────────────────────────────────────────────────────


def _late_records(system: OpenSystem, pool: _Pool) -> Iterator[Record]:
    """Give up each item that has taken longer than --item-timeout, and yield its record."""
    limit_s = system.calls.policy.item_timeout_s
    waited_for = [open_item for open_item in pool.busy if not (open_item.given_up or open_item.finished)]
    late = [open_item for open_item in waited_for if open_item.clock.elapsed_s() >= limit_s]
    for open_item in late:
        open_item.give_up()
    for open_item in late:
        error = TimeoutError(f"no answer within the {limit_s:g} s of --item-timeout")
        yield open_item.record(error, system.name, latency_s=limit_s)


def _replace_lost(system: OpenSystem, pool: _Pool, pending: Pending, *, most: int) -> int:
    """Have other threads in the place of all those whose calls were given up and do not end; return how many.

    With more than `most`, the run is stopped.
    """
    if not pending or pool.idle or not _all_given_up(pool):
        return 0
    more = min(system.throttle.most, most)
    if more > 0:
        pool.size += more
        return more
    limit_s = system.calls.policy.item_timeout_s
    reason = f"stopped: {len(pool.busy)} calls of {system.name} did not end after the {limit_s:g} s of --item-timeout"
    remedy = "see whether its server still answers, or raise --item-timeout,"
    system.calls.halt(Cause(ConfigurationError, reason, remedy))
    return 0


def _watch_limits(system: OpenSystem) -> None:
    """Say how often the server takes calls, where that is news; stop the run where it has taken none for too long."""
    if (news := system.throttle.news(system.name)) is not None:
        log(news)
    if system.throttle.refusing_s() > ITEM_TIMEOUT_S:
        reason = f"stopped: the server of {system.name} has refused every call for {ITEM_TIMEOUT_S / 60:.0f} minutes"
        system.calls.halt(Cause(ConfigurationError, reason, "wait until it takes calls again,"))
