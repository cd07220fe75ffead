"""Items and records of a run out of the rows of logs.

A reply is read by the same rules as one that was asked for here; a choice that the log's tool took by likelihood is
taken as it is. A row that showed the choices in another order than the item has is read in its own.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from langchain_core.messages import AIMessage

from chains.models.reply_fields import openai_finish_reason
from chains.reading.logprobs import reply_probs
from chains.reading.reply import ReadText, read_text
from chains.repeated import draw_key, majority
from data.common.text import normalised
from data.splits import cluster_of, fold
from data.types import Item, Message, Prediction, ProbsSource, Record, Trial
from eval.execution.logs.row import LETTERS, LogRow
from eval.rundir.description import AnswerForm

_SEED = 0  # of the draws between choices that were given equally often; every imported run has it
_TAKEN = frozenset({"id", "group", "choices"})  # what a predictor is given of an item beside its texts


def make_item(row: LogRow, labels: Sequence[str], *, item_id: str, benchmark: str, tags: Sequence[str]) -> Item:
    """Return the item that a row shows.

    Args:
        row: A row that says what is right.
        labels: The choices of an item that has none of its own.
        item_id: The item's id in the run.
        benchmark: The name of the items together; items that share their passage, or all texts, are one group of it.
        tags: The tags of the item.
    """
    choices = row.choices or tuple(labels)
    target = row.target if row.choices else [fold(label) for label in labels].index(fold(row.answer))
    texts = {f"{name}_text" if name in _TAKEN else name: text for name, text in row.texts.items()}
    # "Which is right?" alone is no context that items share.
    shared = texts.get("passage") or "\n".join([*texts.values(), *sorted(row.choices)])
    return Item(
        id=item_id,
        inputs=texts,
        choices=choices,
        target=-1 if target is None else target,
        group=f"{benchmark}/{cluster_of(fold(shared))}",
        tags=tuple(tags),
    )


class _Answer(NamedTuple):
    """What one row answered, its choices being the item's own.

    Attributes:
        order: (n_choices,) the item's choices in the order that was shown.
    """

    order: tuple[int, ...]
    read: ReadText
    chosen: int | None
    probs: tuple[float, ...] | None


def make_record(
    rows: Sequence[LogRow], item: Item, *, system: str, form: AnswerForm, sent: Sequence[Message] = ()
) -> Record:
    """Return what a system answered to an item.

    Args:
        rows: One, or one for each time that the item was asked.
        item: The item of the run.
        system: The system's name.
        form: The form in which replies are read.
        sent: What was sent, where the rows do not hold it.
    """
    messages = rows[0].messages or tuple(sent) or None
    seconds = [row.latency_s for row in rows if row.latency_s is not None]
    scores = [row.score for row in rows if row.score is not None]
    given = [row for row in rows if not row.error]
    return Record(
        item=item,
        system=system,
        prediction=_prediction(given, item, form, messages or ()) if given else None,
        error=None if given else f"LoggedError: {rows[0].error}",
        latency_s=math.fsum(seconds) if seconds else None,
        messages=messages,
        log_score=math.fsum(scores) / len(scores) if scores else None,
    )


def _prediction(rows: Sequence[LogRow], item: Item, form: AnswerForm, sent: Sequence[Message]) -> Prediction:
    answers = [_answer(row, item, form, row.messages or sent) for row in rows]
    usage = _total_usage(rows)
    if len(rows) == 1 and answers[0].order == tuple(range(len(item.choices))):
        row, (_, read, chosen, probs) = rows[0], answers[0]
        said = read.extraction if chosen is None else read.extraction._replace(choice=chosen, status="ok")
        return Prediction(
            **said._asdict(),
            raw=read.raw,
            reasoning=row.reasoning or read.reasoning,
            finish_reason=openai_finish_reason(row.finish_reason),
            probs=probs,
            probs_source=_source(answers, rows),
            usage=usage,
        )
    asks = tuple(_trial(row, answer, sent) for row, answer in zip(rows, answers, strict=True))
    taken = majority(asks, source=_source(answers, rows), key=draw_key(_SEED, item.id))
    return Prediction(**taken, asks=asks, usage=usage)


def _source(answers: Sequence[_Answer], rows: Sequence[LogRow]) -> ProbsSource | None:
    if any(answer.probs is None for answer in answers):
        return None
    return "likelihood" if rows[0].chosen is not None else "logprobs"


def _answer(row: LogRow, item: Item, form: AnswerForm, sent: Sequence[Message]) -> _Answer:
    """Read a row in the order of its own choices."""
    order = _order(row, item)
    shown, prompt = [item.choices[own] for own in order], "\n".join(message.content for message in sent)
    finish_reason, question = openai_finish_reason(row.finish_reason), item.inputs.get("question", "")
    read = read_text(row.output or "", shown, form=form, finish_reason=finish_reason, prompt=prompt, question=question)
    probs = row.probs
    if row.chosen is not None:
        read = ReadText(read.extraction._replace(rule="label-likelihood"), "", "")
    elif row.logprobs:
        probs = _token_probs(row, shown, read.extraction.choice)
    placed = probs and tuple(probs[order.index(own)] for own in range(len(order)))
    return _Answer(order, read, None if row.chosen is None else order[row.chosen], placed)


def _token_probs(row: LogRow, shown: Sequence[str], choice: int | None) -> tuple[float, ...] | None:
    """Return how likely each choice was by the reply's tokens, which may name it by its text, letter or number."""
    reply = AIMessage("", response_metadata={"logprobs": {"content": row.logprobs}})
    numbers = [str(number) for number in range(1, len(shown) + 1)]
    ways = ([*shown], [*LETTERS[: len(shown)]], numbers)
    return next((probs for way in ways if (probs := reply_probs(reply, way, choice)) is not None), None)


def _order(row: LogRow, item: Item) -> tuple[int, ...]:
    """Return the item's choices in the order in which the row has them."""
    own = [fold(choice) for choice in item.choices]
    shown = [fold(normalised(choice)) for choice in row.choices]
    return tuple(own.index(choice) for choice in shown) if sorted(own) == sorted(shown) else tuple(range(len(own)))


def _trial(row: LogRow, answer: _Answer, sent: Sequence[Message]) -> Trial:
    said, chosen = answer.read.extraction, answer.chosen
    if chosen is None and said.choice is not None:
        chosen = answer.order[said.choice]
    return Trial(
        order=answer.order,
        choice=chosen,
        status="ok" if chosen is not None else said.status,
        rule=said.rule,
        raw=answer.read.raw,
        reasoning=row.reasoning or answer.read.reasoning,
        finish_reason=openai_finish_reason(row.finish_reason),
        probs=answer.probs,
        messages=row.messages if row.messages and row.messages != tuple(sent) else None,
    )


def _total_usage(rows: Sequence[LogRow]) -> dict[str, int]:
    names: Mapping[str, None] = dict.fromkeys(name for row in rows for name in row.usage)
    return {name: sum(row.usage.get(name, 0) for row in rows) for name in names}
