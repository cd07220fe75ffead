"""Systems that answer many items at once: what the items of a batch share is computed once.

Items in, a record of each out, once its batch is answered.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from threading import Event

from langchain_core.runnables import RunnableConfig

from data.common.errors import ProjectError
from data.types import Item, Record
from eval.execution.open_item import record_of
from eval.execution.tracing import Transcript, run_config
from eval.plan.chain_predictor import Predictor
from eval.plan.own_answers import AnswerTypeError

BATCH_CHARACTERS = 10_000


def answer_in_batches(
    predictor: Predictor, items: Sequence[Item], names: dict[str, str], *, size: int, stop: Event
) -> Generator[Record, None, None]:
    """Yield a record for each item, batch by batch, until all are answered or `stop` is set.

    Args:
        predictor: It answers the items of a batch.
        items: What is asked.
        names: The names of the run, the system and the benchmark, for traces.
        size: Items a batch, at most.
        stop: Set where the run ends.
    """
    for batch in cut_batches(by_group(items), size):
        yield from _batch_records(predictor, batch, names)
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


def _batch_records(predictor: Predictor, items: Sequence[Item], names: dict[str, str]) -> Iterator[Record]:
    """Yield the record of each item of a batch; an item's latency is its share of the batch's time."""
    transcripts = [Transcript() for _ in items]
    configs = [run_config(item, seen, **names) for item, seen in zip(items, transcripts, strict=True)]
    started = time.perf_counter()
    answers = _batch_answers(predictor, items, configs)
    share = (time.perf_counter() - started) / len(items)
    for answer in answers:
        # LangChain hands an interruption back like any other error; it must end the run, not the item. So must what
        # every item would get.
        if isinstance(answer, KeyboardInterrupt | AnswerTypeError):
            raise answer
    for item, answer, seen in zip(items, answers, transcripts, strict=True):
        yield record_of(item, answer, seen, system=names["system"], latency_s=share)


def _batch_answers(predictor: Predictor, items: Sequence[Item], configs: list[RunnableConfig]) -> list[object]:
    """Return what a predictor says of each item; a fault of the whole batch is each item's."""
    try:
        answers: list[object] = list(
            predictor.batch([item.to_input() for item in items], configs, return_exceptions=True)
        )
    except ProjectError:
        raise
    except Exception as error:  # noqa: BLE001  # a batch of the user's own may raise anything
        return [error] * len(items)
    if len(answers) != len(items):
        return [ValueError(f"the predictor returned {len(answers)} answers to {len(items)} items")] * len(items)
    return answers
