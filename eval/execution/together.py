"""Asks a system that takes batches: items in, a record of each out, once all of them are answered."""

import time
from collections.abc import Iterator, Sequence

from langchain_core.runnables import RunnableConfig

from data.common.errors import ProjectError
from data.types import Item, Record
from eval.execution.item_state import record_of
from eval.execution.tracing import Transcript, run_config
from eval.plan.chain_predictor import Predictor


def ask_together(predictor: Predictor, items: Sequence[Item], names: dict[str, str]) -> Iterator[Record]:
    """Ask a batch at once; an item's latency is its share of the batch's time."""
    transcripts = [Transcript() for _ in items]
    configs = [run_config(item, seen, **names) for item, seen in zip(items, transcripts, strict=True)]
    started = time.perf_counter()
    answers = _batch_answers(predictor, items, configs)
    share = (time.perf_counter() - started) / len(items)
    for answer in answers:
        # LangChain hands an interruption back like any other error; it must end the run, not the item.
        if isinstance(answer, KeyboardInterrupt):
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
