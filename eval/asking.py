"""Puts items to one system and yields a record for each as it is answered: in batches, or concurrently.

Whatever goes wrong with an item becomes that item's error; only an interruption ends the asking.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any

from data.types import Item, Prediction, Record
from eval.systems import Predictor, System
from eval.tracing import Transcript, run_config

BATCH_CHARACTERS = 10_000


def ask_items(
    system: System, items: Sequence[Item], run_dir: Path, benchmark_name: str, max_concurrency: int, stop: Event
) -> Iterator[Record]:
    predictor = system.open(run_dir / system.name)
    names = {"run": run_dir.name, "system": system.name, "benchmark": benchmark_name}
    if system.batch_size is None:
        yield from _one_by_one(predictor, items, names, max_concurrency, stop)
        return
    for batch in cut_batches(by_group(items), system.batch_size):
        yield from _together(predictor, batch, names)
        if stop.is_set():
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


def _one_by_one(
    predictor: Predictor, items: Sequence[Item], names: dict[str, str], max_concurrency: int, stop: Event
) -> Iterator[Record]:
    """Ask items concurrently and yield each as it is answered, never with more than `max_concurrency` in flight.

    Once `stop` is set or the user interrupts, nothing more is asked, but the calls in flight are waited for and
    yielded: they are paid for. A second interruption does not wait.
    """
    left = iter(items)
    interrupted = False
    pool = ThreadPoolExecutor(max_concurrency)
    waiting: set[Future[Record]] = set()
    try:
        while True:
            if not (stop.is_set() or interrupted):
                free = islice(left, max_concurrency - len(waiting))
                waiting |= {pool.submit(_ask, predictor, item, names) for item in free}
            if not waiting:
                break
            try:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from [future.result() for future in done]
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if interrupted:
        raise KeyboardInterrupt


def _ask(predictor: Predictor, item: Item, names: dict[str, str]) -> Record:
    seen = Transcript()
    started = time.perf_counter()
    answer: Prediction | Exception
    try:
        answer = predictor.invoke(item.to_input(), run_config(item, seen, **names))
    except Exception as error:  # noqa: BLE001  # whatever a provider raises is this item's error, not the run's
        answer = error
    return _record(item, answer, seen, system=names["system"], latency_s=time.perf_counter() - started)


def _record(item: Item, answer: Prediction | Exception, seen: Transcript, *, system: str, latency_s: float) -> Record:
    failure = answer if isinstance(answer, Exception) else _fault_of(item, answer)
    return Record(
        item=item,
        system=system,
        prediction=None if failure is not None or isinstance(answer, Exception) else answer,
        error=None if failure is None else f"{type(failure).__name__}: {failure}",
        latency_s=latency_s,
        messages=seen.messages,
        passages=seen.passages,
    )


def _fault_of(item: Item, answer: object) -> ValueError | None:
    """Say what makes an answer unusable for its item: a chain of the user's own may return anything."""
    if not isinstance(answer, Prediction):
        return ValueError(f"the predictor returned a {type(answer).__name__}, not a Prediction")
    if answer.choice is not None and not 0 <= answer.choice < len(item.choices):
        return ValueError(f"choice {answer.choice} is none of the item's {len(item.choices)}")
    if answer.probs is not None and len(answer.probs) != len(item.choices):
        return ValueError(f"{len(answer.probs)} probabilities for {len(item.choices)} choices")
    return None
