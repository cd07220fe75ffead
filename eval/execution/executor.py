"""Puts items to one system and yields a record for each as it is answered: in batches, or concurrently.

Whatever goes wrong with an item becomes that item's error; only an interruption ends the asking, and what every other
item would get as well: a refused key, a spent budget (see `eval.execution.retry`).
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from chains.models.specs import key_names
from data.common.errors import ConfigurationError
from data.common.progress import log
from data.types import Item, Record
from eval.execution.attempt import Again, Asker, ask
from eval.execution.batches import by_group, cut_batches
from eval.execution.first_faults import Doubts
from eval.execution.interrupts import Interrupts, noted_interrupts
from eval.execution.item_state import Asked, asked_record
from eval.execution.pending import Pending
from eval.execution.replay import KnownReplies, known_replies
from eval.execution.reply_journal import ReplyJournal, replies_path
from eval.execution.retry import Calls, Cause
from eval.execution.throttle import Throttle
from eval.execution.together import ask_together
from eval.execution.worker_pool import Crew
from eval.plan.call_policy import ITEM_TIMEOUT_S
from eval.plan.call_prices import rate_of
from eval.plan.systems import System
from eval.rundir.description import model_spec
from eval.rundir.journal import records_path

_LOOKS = 20  # at who is late, while an item takes its whole time; but not more often or seldom than this
_SHORTEST_S, _LONGEST_S = 0.01, 1.0
_MOST_GIVEN_UP = 4  # times the calls in flight: so many may be given up and not end, before the run does


def ask_items(
    system: System, items: Sequence[Item], run_dir: Path, benchmark_name: str, max_concurrency: int, calls: Calls
) -> Iterator[Record]:
    """Yield a record for each item as it is answered, until all are or `calls` is stopped.

    What is in flight then is waited for; an item that only waits to be asked, or asked again, is left out.
    """
    known = known_replies(system, calls.cache)
    if system.remote is None or known is None:
        predictor = system.open(run_dir / system.name)
    else:
        predictor = system.remote.predictor_with(known.of(system.remote.model))  # not the user's own object
    names = {"run": run_dir.name, "system": system.name, "benchmark": benchmark_name}
    if system.batch_size is None:
        rate = None if calls.budget is None else rate_of(system)
        with _replies(system, items, run_dir, calls, known=known) as replies:
            asker = Asker(
                predictor,
                names,
                doubts=Doubts(records_path(run_dir, system.name), calls.policy.retries),
                calls=calls,
                throttle=Throttle(max_concurrency, first_wait_s=calls.policy.first_wait_s, waits=calls.waits),
                rate=rate,
                reply_tokens=system.reply_tokens or 0,
                known=known,
                replies=replies,
                keys=key_names(model_spec(system.description)),
            )
            yield from _one_by_one(asker, items, max_concurrency)
        return
    for batch in cut_batches(by_group(items), system.batch_size):
        yield from ask_together(predictor, batch, names)
        if calls.stop.is_set():
            return


def _replies(
    system: System, items: Sequence[Item], run_dir: Path, calls: Calls, *, known: KnownReplies | None
) -> AbstractContextManager[ReplyJournal] | AbstractContextManager[None]:
    """Open the file of the replies that items have had, where an item may take several calls."""
    if known is None or not system.several_calls:
        return nullcontext()
    path = replies_path(run_dir, system.name)
    return ReplyJournal(path, [item.id for item in items], partial(calls.halt_unwritten, f"{path}"))


_Crew = Crew[Asked, Record | Again | None]


def _one_by_one(asker: Asker, items: Sequence[Item], max_concurrency: int) -> Iterator[Record]:
    """Ask items concurrently and yield each as it is answered, never with more than `max_concurrency` in flight.

    An item that is to be asked again waits beside them: others are asked meanwhile.
    Once the run is stopped or the user interrupts, nothing more is asked, but the calls in flight are waited for and
    yielded: they are paid for. A second interruption does not wait. An item that was given up keeps its thread until
    its call has ended; only where that is so of all in hand, others are asked beside them.
    """
    stop = asker.calls.stop
    crew: _Crew = Crew(partial(ask, asker), min(max_concurrency, len(items)))
    with noted_interrupts(crew.wake) as interrupts:
        try:
            yield from _records_of(crew, Pending(items, asker.calls.waits), interrupts, asker)
        finally:
            if not all(asked.given_up for asked in crew.busy):
                stop.set()
            for asked in crew.busy:
                asked.given_up = True
            crew.dismiss()
    if interrupts.noted:
        raise KeyboardInterrupt


def _records_of(crew: _Crew, pending: Pending, interrupts: Interrupts, asker: Asker) -> Iterator[Record]:
    limit_s, doubts = asker.calls.policy.item_timeout_s, asker.doubts
    most = crew.size * (1 + _MOST_GIVEN_UP)
    look_s = min(max(limit_s / _LOOKS, _SHORTEST_S), _LONGEST_S)
    look_at = time.monotonic() + look_s
    while True:
        if interrupts.noted:
            asker.calls.stop.set()
            interrupts.tell(sum(asked.in_flight for asked in crew.busy))
            if interrupts.is_overdue:
                yield from _arrived(crew, pending, doubts)
                return
        yield from doubts.settled(pending)
        if pending and not crew.idle and all(asked.given_up for asked in crew.busy):
            _replace(crew, most, asker)
        if not _goes_on(crew, pending, asker):
            return
        try:
            yield from _answered(crew, pending, doubts, _patience_s(crew, pending, asker, look_at))
            if time.monotonic() >= look_at:
                yield from _given_up(crew, limit_s, asker.names["system"])
                _watch_limits(asker)
                look_at = time.monotonic() + look_s
        except KeyboardInterrupt:  # a second one, or one that a chain raised in its thread
            if interrupts.noted:
                raise
            interrupts.noted = True


def _goes_on(crew: _Crew, pending: Pending, asker: Asker) -> bool:
    """Hand out the items that are to be asked now; say whether there is, or will be, anybody to wait for."""
    stop, doubts = asker.calls.stop, asker.doubts
    for asked in [] if stop.is_set() else doubts.next_items(pending, crew.idle, crew.busy):
        crew.put(asked)
    if not all(asked.given_up for asked in crew.busy):
        return True
    if doubts and not stop.is_set() and not any(pending.waiting) and (crew.idle or not pending):
        doubts.end(asker.refuse)
        crew.wake()
    return not stop.is_set() and bool(pending or doubts)


def _patience_s(crew: _Crew, pending: Pending, asker: Asker, look_at: float) -> float:
    """Return for how long to wait for an item: until somebody is to be looked at, or to be asked again."""
    is_asking = crew.idle and not asker.calls.stop.is_set()
    due_s = pending.due_s() if is_asking else float("inf")
    return max(min(look_at - time.monotonic(), due_s), 0.0)


def _replace(crew: _Crew, most: int, asker: Asker) -> None:
    """Put threads in the place of those whose calls were given up and do not end; with too many, stop the run."""
    more = min(asker.throttle.most, most - crew.size)
    if more > 0:
        crew.grow(more)
        return
    limit_s, system = asker.calls.policy.item_timeout_s, asker.names["system"]
    reason = f"stopped: {len(crew.busy)} calls of {system} did not end after the {limit_s:g} s of --item-timeout"
    remedy = "see whether its server still answers, or raise --item-timeout,"
    asker.calls.halt(Cause(ConfigurationError, reason, remedy))


def _watch_limits(asker: Asker) -> None:
    """Say how often the server takes calls, where that is news; stop the run where it has taken none for too long."""
    system = asker.names["system"]
    if (news := asker.throttle.news(system)) is not None:
        log(news)
    if asker.throttle.refusing_s() > ITEM_TIMEOUT_S:
        reason = f"stopped: the server of {system} has refused every call for {ITEM_TIMEOUT_S / 60:.0f} minutes"
        asker.calls.halt(Cause(ConfigurationError, reason, "wait until it takes calls again,"))


def _answered(crew: _Crew, pending: Pending, doubts: Doubts, patience_s: float) -> Iterator[Record]:
    """Wait for an item, and yield its record.

    Nothing is yielded when none came in time, it is to be asked again, or its fault is held back.
    """
    taken = crew.take(patience_s)
    if taken is None:
        return
    asked, outcome = taken
    if isinstance(outcome, BaseException):
        raise outcome
    if outcome is None or asked.given_up:
        return
    if isinstance(outcome, Again):
        pending.put_back(asked, outcome.at)
    else:
        yield from doubts.sift(asked, outcome)


def _arrived(crew: _Crew, pending: Pending, doubts: Doubts) -> Iterator[Record]:
    """Yield the records of the items that are answered by now."""
    for _ in range(len(crew.busy)):
        yield from _answered(crew, pending, doubts, 0.0)


def _given_up(crew: _Crew, limit_s: float, system: str) -> Iterator[Record]:
    """Give up each item that has taken longer than `limit_s`, and yield its record."""
    waited_for = [asked for asked in crew.busy if not (asked.given_up or asked.finished)]
    late = [asked for asked in waited_for if asked.clock.elapsed_s() >= limit_s]
    for asked in late:
        asked.give_up()
    for asked in late:
        error = TimeoutError(f"no answer within the {limit_s:g} s of --item-timeout")
        yield asked_record(asked, error, system=system, latency_s=limit_s)
