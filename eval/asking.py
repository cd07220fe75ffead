"""Puts items to one system and yields a record for each as it is answered: in batches, or concurrently.

Whatever goes wrong with an item becomes that item's error; only an interruption ends the asking, and what every other
item would get as well: a refused key, a spent budget (see `eval.calls`).
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from chains.repeated import ANSWERED, fault_of
from data.json_text import whole_characters
from data.types import Item, Prediction, Record
from eval.budget import Rate, rate_of
from eval.call_gate import CallGate
from eval.calls import Calls, Turn
from eval.chain_predictor import Predictor
from eval.crew import Crew
from eval.faults import is_throttled, judge
from eval.interrupts import Interrupts, noted_interrupts
from eval.limits import Halt, Slots
from eval.response_cache import ModelCache
from eval.systems import System
from eval.tracing import Transcript, run_config

BATCH_CHARACTERS = 10_000
_SHORTEST_S = 0.01  # between two looks at who is late


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
        asker = _Asker(predictor, names, calls, Slots(max_concurrency), rate, system.reply_tokens or 0, system.cache)
        yield from _one_by_one(asker, items, max_concurrency)
        return
    for batch in cut_batches(by_group(items), system.batch_size):
        yield from _together(predictor, batch, names)
        if calls.stop.is_set():
            return


def by_group(items: Sequence[Item]) -> list[Item]:
    """Bring items of one group together, where its first one stands: what they share is then computed once."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.group, []).append(item)
    return [item for members in groups.values() for item in members]


def cut_batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """Cut items into batches of at most `size`, and after a group once a batch holds `BATCH_CHARACTERS`.

    So items that share a passage are asked together, while long ones are journaled and shown as they come.
    """
    batch: list[Item] = []
    characters = 0
    for item in items:
        full = len(batch) >= size or (characters >= BATCH_CHARACTERS and item.group != batch[-1].group)
        if batch and full:
            yield batch
            batch, characters = [], 0
        batch.append(item)
        characters += sum(map(len, item.inputs.values()))
    if batch:
        yield batch


def _together(predictor: Predictor, items: Sequence[Item], names: dict[str, str]) -> Iterator[Record]:
    """Ask a batch at once; an item's latency is its share of the batch's time."""
    transcripts = [Transcript() for _ in items]
    configs = [run_config(item, seen, **names) for item, seen in zip(items, transcripts, strict=True)]
    started = time.perf_counter()
    answers: list[Any] = predictor.batch([item.to_input() for item in items], configs, return_exceptions=True)
    share = (time.perf_counter() - started) / len(items)
    for answer in answers:
        # LangChain hands an interruption back like any other error; it must end the run, not the item.
        if isinstance(answer, BaseException) and not isinstance(answer, Exception):
            raise answer
    for item, answer, seen in zip(items, answers, transcripts, strict=True):
        yield _record(item, answer, seen, system=names["system"], latency_s=share)


class _Asker(NamedTuple):
    """A system that is asked one by one, with what bounds its calls."""

    predictor: Predictor
    names: dict[str, str]
    calls: Calls
    slots: Slots
    rate: Rate | None
    reply_tokens: int
    cache: ModelCache | None


class _Asked(Turn):
    """An item that a thread asks."""

    def __init__(self, item: Item) -> None:
        super().__init__()
        self.item = item
        self.seen = Transcript()
        self.answered: dict[int, Prediction] = {}  # of its askings, where it is asked several times
        self.latency_s = 0.0  # of the last attempt, and of those before it that answered some of its askings
        self.holds_slot = False
        self.attempts = 0


_Crew = Crew[_Asked, Record | None]


def _one_by_one(asker: _Asker, items: Sequence[Item], max_concurrency: int) -> Iterator[Record]:
    """Ask items concurrently and yield each as it is answered, never with more than `max_concurrency` in flight.

    Once the run is stopped or the user interrupts, nothing more is asked, but the calls in flight are waited for and
    yielded: they are paid for. A second interruption does not wait. An item that was given up keeps its thread until
    its call has ended.
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
            crew.dismiss()
    if interrupts.noted:
        raise KeyboardInterrupt


def _records_of(crew: _Crew, left: deque[Item], interrupts: Interrupts, asker: _Asker) -> Iterator[Record]:
    stop, limit_s = asker.calls.stop, asker.calls.policy.item_timeout_s
    while True:
        if interrupts.noted:
            stop.set()
        while left and crew.idle and not stop.is_set():
            crew.put(_Asked(left.popleft()))
        if all(asked.given_up for asked in crew.busy) and (not left or stop.is_set()):
            return
        try:
            yield from _answered(crew, limit_s, asker.names["system"])
        except KeyboardInterrupt:  # a second one, or one that a chain raised in its thread
            if interrupts.noted:
                raise
            interrupts.noted = True


def _answered(crew: _Crew, limit_s: float | None, system: str) -> Iterator[Record]:
    """Wait for an item, and yield its record; and one for each item that has taken longer than `limit_s`."""
    patience = None
    if limit_s is not None:
        waited_for = [asked for asked in crew.busy if not asked.given_up]
        late = [asked for asked in waited_for if asked.clock.elapsed_s() >= limit_s]
        for asked in late:
            asked.given_up = True
            error = TimeoutError(f"no answer within the {limit_s:g} s of --item-timeout")
            yield _asked_record(asked, error, system=system, latency_s=limit_s)
        if late:
            return
        patience = max(min((limit_s - asked.clock.elapsed_s() for asked in waited_for), default=limit_s), _SHORTEST_S)
    taken = crew.take(patience)
    if taken is None:
        return
    asked, outcome = taken
    if isinstance(outcome, BaseException):
        raise outcome
    if outcome is not None and not asked.given_up:
        yield outcome


def _ask(asker: _Asker, asked: _Asked) -> Record | None:
    """Ask an item until it is answered or has failed for good; None where the run was stopped before."""
    answer: Prediction | Exception
    try:
        answer = asker.calls.again(partial(_attempt, asker), asked)
    except Halt:
        return None
    except Exception as error:  # noqa: BLE001  # whatever a provider raises is this item's error, not the run's
        if asked.verdict == "stop":
            asker.calls.refuse(error, asker.names["system"])
            return None
        answer = error
    finally:
        _release(asker, asked)
    return _asked_record(asked, answer, system=asker.names["system"], latency_s=asked.latency_s)


def _release(asker: _Asker, asked: _Asked) -> None:
    if asked.holds_slot:
        asked.holds_slot = False
        asker.slots.release()


def _attempt(asker: _Asker, asked: _Asked) -> Prediction:
    """Ask an item once.

    One that the server found too much keeps its slot while it waits to be asked again: were it free for the next item,
    the server would be asked as often as before.
    """
    calls, clock = asker.calls, asked.clock
    _release(asker, asked)
    with clock.paused():
        ticket = asker.slots.acquire(calls.stop)
    asked.holds_slot = True
    asked.attempts += 1
    if not asked.answered:
        asked.seen, asked.latency_s, asked.cache_hits = Transcript(), 0.0, 0
    asked.seen.forget_passages()
    asked.verdict = "item"
    gate = CallGate(calls, asked, asker.rate, asker.reply_tokens, asker.cache)
    config = run_config(asked.item, asked.seen, **asker.names)
    config |= {"callbacks": [asked.seen, gate], "configurable": {ANSWERED: asked.answered}}
    succeeded = throttled = False
    started, waited = time.perf_counter(), clock.waited_s
    try:
        answer = asker.predictor.invoke(asked.item.to_input(), config)
        succeeded = True
    except Exception as error:
        asked.verdict = judge(error, answered=gate.answered)
        throttled = is_throttled(error)
        raise
    finally:
        asked.latency_s += max(time.perf_counter() - started - (clock.waited_s - waited), 0.0)
        asker.slots.report(ticket, succeeded=succeeded, throttled=throttled)
        if not throttled:
            _release(asker, asked)
        gate.close()
    return answer


def _asked_record(asked: _Asked, answer: Prediction | Exception, *, system: str, latency_s: float) -> Record:
    record = _record(asked.item, answer, asked.seen, system=system, latency_s=latency_s)
    return record.model_copy(update={"attempts": max(asked.attempts, 1), "cache_hits": asked.cache_hits})


def _record(item: Item, answer: Prediction | Exception, seen: Transcript, *, system: str, latency_s: float) -> Record:
    failure = answer if isinstance(answer, Exception) else fault_of(answer, len(item.choices))
    return Record(
        item=item,
        system=system,
        prediction=None if failure is not None or isinstance(answer, Exception) else seen.complete(answer),
        error=None if failure is None else whole_characters(f"{type(failure).__name__}: {failure}"),
        latency_s=latency_s,
        messages=seen.messages,
        passages=seen.passages,
    )
