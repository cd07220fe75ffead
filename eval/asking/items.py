"""Puts items to one system and yields a record for each as it is answered: in batches, or concurrently.

Whatever goes wrong with an item becomes that item's error; only an interruption ends the asking, and what every other
item would get as well: a refused key, a spent budget (see `eval.asking.calls`).
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

from langchain_core.runnables import RunnableConfig

from chains.models import key_names
from chains.repeated import fault_of
from data.errors import ConfigurationError
from data.types import Item, Prediction, Record
from eval.asking.asked import Asked, asked_record, sound
from eval.asking.batches import by_group, cut_batches
from eval.asking.budget import Rate, rate_of
from eval.asking.calls import Calls, Cause, TurnStop
from eval.asking.crew import Crew
from eval.asking.doubts import Doubts
from eval.asking.faults import is_throttled, unreadable_reply
from eval.asking.gate import CallGate
from eval.asking.interrupts import Interrupts, noted_interrupts
from eval.asking.known_replies import KnownReplies
from eval.asking.limits import Halt, Slots
from eval.asking.replies import ReplyJournal, replies_path
from eval.asking.together import ask_together
from eval.asking.waits import ANSWERS
from eval.chain_predictor import Predictor
from eval.description import model_spec
from eval.journal import records_path
from eval.systems import System
from eval.tracing import Transcript, run_config

_LOOKS = 20  # at who is late, while an item takes its whole time; but not more often or seldom than this
_SHORTEST_S, _LONGEST_S = 0.01, 1.0
_MOST_GIVEN_UP = 4  # times the calls in flight: so many may be given up and not end, before the run does


def ask_items(
    system: System, items: Sequence[Item], run_dir: Path, benchmark_name: str, max_concurrency: int, calls: Calls
) -> Iterator[Record]:
    """Yield a record for each item as it is answered, until all are or `calls` is stopped.

    What is in flight then is waited for; an item that only waits to be asked, or asked again, is left out.
    """
    predictor = system.open(run_dir / system.name)
    names = {"run": run_dir.name, "system": system.name, "benchmark": benchmark_name}
    if system.batch_size is None:
        rate = None if calls.budget is None else rate_of(system)
        with _replies(system, items, run_dir, calls) as replies:
            asker = _Asker(
                predictor,
                names,
                doubts=Doubts(records_path(run_dir, system.name), calls.policy.retries),
                calls=calls,
                slots=Slots(max_concurrency),
                rate=rate,
                reply_tokens=system.reply_tokens or 0,
                known=system.known,
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
    system: System, items: Sequence[Item], run_dir: Path, calls: Calls
) -> AbstractContextManager[ReplyJournal] | AbstractContextManager[None]:
    """Open the file of the replies that items have had, where an item may take several calls."""
    if system.known is None or not system.several_calls:
        return nullcontext()
    path = replies_path(run_dir, system.name)
    return ReplyJournal(path, [item.id for item in items], partial(calls.halt_unwritten, f"{path}"))


class _Asker(NamedTuple):
    """A system that is asked one by one, with what bounds its calls."""

    predictor: Predictor
    names: dict[str, str]
    doubts: Doubts
    calls: Calls
    slots: Slots
    rate: Rate | None
    reply_tokens: int
    known: KnownReplies | None
    replies: ReplyJournal | None
    keys: Sequence[str]

    def refuse(self, error: Exception) -> None:
        self.calls.refuse(error, self.names["system"], self.keys)


_Crew = Crew[Asked, Record | None]


def _one_by_one(asker: _Asker, items: Sequence[Item], max_concurrency: int) -> Iterator[Record]:
    """Ask items concurrently and yield each as it is answered, never with more than `max_concurrency` in flight.

    Once the run is stopped or the user interrupts, nothing more is asked, but the calls in flight are waited for and
    yielded: they are paid for. A second interruption does not wait. An item that was given up keeps its thread until
    its call has ended; only where that is so of all in hand, others are asked beside them.
    """
    stop = asker.calls.stop
    crew: _Crew = Crew(partial(_ask, asker), min(max_concurrency, len(items)))
    left = deque(items)
    with noted_interrupts(crew.wake) as interrupts:
        try:
            yield from _records_of(crew, left, interrupts, asker)
        finally:
            if not all(asked.given_up for asked in crew.busy):
                stop.set()
            for asked in crew.busy:
                asked.given_up = True
            crew.dismiss()
    if interrupts.noted:
        raise KeyboardInterrupt


def _records_of(crew: _Crew, left: deque[Item], interrupts: Interrupts, asker: _Asker) -> Iterator[Record]:
    stop, limit_s, doubts = asker.calls.stop, asker.calls.policy.item_timeout_s, asker.doubts
    most = crew.size * (1 + _MOST_GIVEN_UP)
    look_s = min(max(limit_s / _LOOKS, _SHORTEST_S), _LONGEST_S)
    look_at = time.monotonic() + look_s
    while True:
        if interrupts.noted:
            stop.set()
            interrupts.tell(sum(asked.in_flight for asked in crew.busy))
            if interrupts.is_overdue:
                yield from _arrived(crew, doubts)
                return
        yield from doubts.settled(left)
        if left and not crew.idle and all(asked.given_up for asked in crew.busy):
            _replace(crew, most, asker)
        if not _goes_on(crew, left, asker):
            return
        try:
            yield from _answered(crew, max(look_at - time.monotonic(), 0.0), doubts)
            if time.monotonic() >= look_at:
                yield from _given_up(crew, limit_s, asker.names["system"])
                look_at = time.monotonic() + look_s
        except KeyboardInterrupt:  # a second one, or one that a chain raised in its thread
            if interrupts.noted:
                raise
            interrupts.noted = True


def _goes_on(crew: _Crew, left: deque[Item], asker: _Asker) -> bool:
    """Hand out the items that are to be asked now; say whether there is, or will be, anybody to wait for."""
    stop, doubts = asker.calls.stop, asker.doubts
    for item in [] if stop.is_set() else doubts.next_items(left, crew.idle, crew.busy):
        crew.put(Asked(item))
    if not all(asked.given_up for asked in crew.busy):
        return True
    if doubts and not stop.is_set() and (crew.idle or not left):
        doubts.end(asker.refuse)
        crew.wake()
    return not stop.is_set() and bool(left or doubts)


def _replace(crew: _Crew, most: int, asker: _Asker) -> None:
    """Put threads in the place of those whose calls were given up and do not end; with too many, stop the run."""
    more = min(asker.slots.most, most - crew.size)
    if more > 0:
        crew.grow(more)
        return
    limit_s, system = asker.calls.policy.item_timeout_s, asker.names["system"]
    reason = f"stopped: {len(crew.busy)} calls of {system} did not end after the {limit_s:g} s of --item-timeout"
    remedy = "see whether its server still answers, or raise --item-timeout,"
    asker.calls.halt(Cause(ConfigurationError, reason, remedy))


def _answered(crew: _Crew, patience_s: float, doubts: Doubts) -> Iterator[Record]:
    """Wait for an item, and yield its record; nothing when none came in time, or its fault is held back."""
    taken = crew.take(patience_s)
    if taken is None:
        return
    asked, outcome = taken
    if isinstance(outcome, BaseException):
        raise outcome
    if outcome is not None and not asked.given_up:
        yield from doubts.sift(asked, outcome)


def _arrived(crew: _Crew, doubts: Doubts) -> Iterator[Record]:
    """Yield the records of the items that are answered by now."""
    for _ in range(len(crew.busy)):
        yield from _answered(crew, 0.0, doubts)


def _given_up(crew: _Crew, limit_s: float, system: str) -> Iterator[Record]:
    """Give up each item that has taken longer than `limit_s`, and yield its record."""
    waited_for = [asked for asked in crew.busy if not (asked.given_up or asked.finished)]
    late = [asked for asked in waited_for if asked.clock.elapsed_s() >= limit_s]
    for asked in late:
        asked.give_up()
    for asked in late:
        error = TimeoutError(f"no answer within the {limit_s:g} s of --item-timeout")
        yield asked_record(asked, error, system=system, latency_s=limit_s)


def _ask(asker: _Asker, asked: Asked) -> Record | None:
    """Ask an item until it is answered or has failed for good; None where the run was stopped before."""
    answer: Prediction | Exception
    if asker.replies:
        asked.replies = asker.replies.of(asked.item.id)
    try:
        answer = asker.calls.again(partial(_attempt, asker), asked)
    except Halt:
        return None
    except Exception as error:  # noqa: BLE001  # whatever a provider raises is this item's error, not the run's
        if asker.doubts.are_about(asked, error):
            asked.doubted = error
        elif asked.verdict == "stop":
            asker.refuse(error)
            return None
        if asked.verdict == "item" and asked.gate and asked.gate.answered:
            asked.gate.forget()
        answer = error
    finally:
        asked.finished = True
        asked.release()
    return asked_record(asked, answer, system=asker.names["system"], latency_s=asked.latency_s)


def _attempt(asker: _Asker, asked: Asked) -> Prediction:
    """Ask an item once.

    One that the server found too much keeps its slot while it waits to be asked again: were it free for the next item,
    the server would be asked as often as before.
    """
    calls, clock = asker.calls, asked.clock
    asked.verdict = "item"
    asked.release()
    with clock.paused(), calls.waits.on("a slot"):
        ticket = asker.slots.acquire(TurnStop(calls, asked))
    asked.hold(asker.slots)
    asked.attempts += 1
    asked.seen, asked.cache_hits = Transcript(), 0
    if asked.replies:
        asked.replies.rewind()
    gate = asked.gate = CallGate(calls, asked, asker.rate, asker.reply_tokens, asker.known)
    config = run_config(asked.item, asked.seen, asked.attempts, **asker.names) | {"callbacks": [asked.seen, gate]}
    succeeded = throttled = False
    started, waited = time.perf_counter(), clock.waited_s
    try:
        answer = _prediction(asker.predictor, asked.item, gate, config)
        succeeded = True
    except Exception as error:
        asked.verdict = asker.doubts.judge(asked, gate, error)
        asked.note_fault()
        throttled = is_throttled(error)
        raise
    finally:
        asked.latency_s = max(time.perf_counter() - started - (clock.waited_s - waited), 0.0)
        asked.latency_s += asked.replies.replayed_s if asked.replies else 0.0
        asker.slots.report(ticket, succeeded=succeeded, throttled=throttled)
        if not throttled:
            asked.release()
        gate.close()
        asker.doubts.note(gate)
    return answer


def _prediction(predictor: Predictor, item: Item, gate: CallGate, config: RunnableConfig) -> Prediction:
    """Return what a predictor says of an item; its faults are raised under names that say what happened."""
    try:
        with gate.calls.waits.on(ANSWERS):
            answer = predictor.invoke(item.to_input(), config)
    except (KeyboardInterrupt, Halt):
        raise
    except BaseException as error:
        judged = sound(error)
        if judged is not error:
            raise judged from None  # whoever looks for causes would ask it again
        if (unreadable := unreadable_reply(judged, empty=gate.empty)) is None:
            raise
        raise unreadable from error
    if (fault := fault_of(answer, len(item.choices))) is not None:
        raise fault
    return answer
