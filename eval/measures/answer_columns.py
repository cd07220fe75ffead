"""Records become rows of figures, one at a time, so that no record is kept: what `eval.measures.run_answers` reads.

Items and records in, the growing columns of both out. Everything that a measure needs to know of a text is counted
here, where the text is at hand: its letters, whether it is blank, where the item's own passage is among the retrieved.
"""

import re
import struct
from array import array
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from data.types import Item, Message, Prediction, Record, Trial
from eval.measures.metrics import NO_ANSWER, STATUSES
from eval.measures.prices import estimate_request_tokens

Name = TypeVar("Name")
# The rule of a reply that names one choice by its number and another by its text (docs/evidence.md).
NUMBER_OR_TEXT = "number-or-text"
NO_TRIAL, NOT_COUNTED, NO_MESSAGES, ALL_SHOWN, NO_STAGE = -2, -1, -1, -1, -1
_CHUNK = re.compile(r"#\d+$")  # what `retrievers.corpus` adds to a passage's id
# What is kept of each record, by name and kind.
_FIELDS = [
    ("item", "<i4"),  # the item's place
    ("offset", "<i8"),  # where its line begins in the journal, in bytes
    ("choice", "<i4"),  # NO_ANSWER where nothing usable was said, as where the call failed
    ("status", "<i4"),  # its place in STATUSES; -1 where the call failed
    ("rule", "<i4"),  # its place in the names of the rules
    ("source", "<i4"),  # of the probabilities, its place in the names of the sources; -1 without probabilities
    ("latency_s", "<f8"),  # nan where nobody measured it
    ("cache_hits", "<i4"),
    ("log_score", "<f8"),  # what another tool scored; nan where none did
    ("trials", "<i4"),  # of an item that was asked several times; else 0
    ("replies", "<i4"),  # one for each trial, one for an item that was asked once, none where the call failed
    ("cut_replies", "<i4"),  # replies without text that were cut off at their limit
    ("reasoned_replies", "<i4"),  # that ended by themselves and hold reasoning alone
    ("empty_replies", "<i4"),  # that ended by themselves and hold nothing
    ("blank", "?"),  # whether no reply holds any text
    ("number_or_text", "?"),  # whether a number was read that is one choice's and the text of another
    ("messages", "<i4"),  # that were sent; NO_MESSAGES where nobody recorded them
    ("sent_characters", "<i8"),
    ("estimated_tokens", "<i8"),  # of what was sent, by the rule of thumb
    ("tool_calls", "<i4"),
    ("stage", "<i4"),  # which predictor of a cascade answered, from 0; NO_STAGE outside of a cascade
    ("shortlisted", "<i4"),  # whether the right choice was among those shown; ALL_SHOWN where all were
    ("chunks", "<i4"),  # that were retrieved
    ("own_rank", "<i4"),  # of the item's own passage among the retrieved, by its best chunk, from 1; 0 for none
    ("own_share", "<f8"),  # of the own passage's letters that were retrieved; nan where no text was recorded
]
ROW = np.dtype(_FIELDS)
_PACK = struct.Struct("<" + "".join({"<i4": "i", "<i8": "q", "<f8": "d", "?": "?"}[kind] for _, kind in _FIELDS))


class ItemRows:
    """The items of an evaluation, a row each, in the order of their places."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.groups: list[str] = []
        self.targets, self.n_choices, self.characters = array("q"), array("q"), array("q")
        self.weights, self.has_passage = array("d"), bytearray()
        self.choices, self.tags = array("q"), array("q")
        self.choice_lists: dict[tuple[str, ...], int] = {}  # each with its number
        self.tag_lists: dict[tuple[str, ...], int] = {}
        self.input_names: dict[str, None] = {}

    def add(self, place: int, item: Item) -> None:
        """Add an item, unless it is here already."""
        if place < len(self.ids):
            return
        self.ids.append(item.id)
        self.input_names.update(dict.fromkeys(item.inputs))
        self.groups.append(item.group)
        self.targets.append(item.target)
        self.weights.append(item.weight)
        self.n_choices.append(len(item.choices))
        self.characters.append(sum(map(len, item.inputs.values())) + sum(map(len, item.choices)))
        self.has_passage.append(bool(_own_passage(item)))
        self.choices.append(_number(self.choice_lists, item.choices))
        self.tags.append(_number(self.tag_lists, item.tags))


class RecordRows:
    """The records of one system, a row a line of its journal."""

    def __init__(self) -> None:
        self.packed = bytearray()
        self.probs = array("d")
        self.n_probs = array("q")
        self.trial_choices, self.trial_orders = array("q"), array("q")
        self.usage: dict[str, array[int]] = {}
        self.rules: dict[str, int] = {}  # each with its number
        self.sources: dict[str, int] = {}
        self.orders: dict[tuple[int, ...], int] = {}
        self.found_passages: set[str] = set()

    def __len__(self) -> int:
        return len(self.n_probs)

    def add(self, place: int, record: Record, item: Callable[[], Item], *, offset: int = 0) -> None:
        """Add a record.

        Args:
            place: The place of its item.
            record: It need not have its item.
            item: Returns that.
            offset: Where its line begins.
        """
        prediction = record.prediction
        self._add_usage(prediction.usage if prediction else {})
        self._add_trials(prediction.asks if prediction else ())
        probs = prediction.probs if prediction else None
        self.probs.extend(probs or ())
        self.n_probs.append(len(probs or ()))
        self.packed += _PACK.pack(
            place,
            offset,
            NO_ANSWER if prediction is None or prediction.choice is None else prediction.choice,
            -1 if prediction is None else STATUSES.index(prediction.status),
            _number(self.rules, prediction.rule if prediction else ""),
            -1 if prediction is None or probs is None else _number(self.sources, prediction.probs_source or "unknown"),
            np.nan if record.latency_s is None else record.latency_s,
            record.cache_hits,
            np.nan if record.log_score is None else record.log_score,
            *_reply_figures(prediction),
            *_prompt_figures(record.messages),
            NO_STAGE if prediction is None or prediction.stage is None else prediction.stage,
            _shortlisted(prediction, item),
            *self._retrieval_figures(record, item),
        )

    def _add_usage(self, usage: dict[str, int]) -> None:
        for name in usage:
            if name not in self.usage:
                self.usage[name] = array("q", [NOT_COUNTED]) * len(self)
        for name, counts in self.usage.items():
            counts.append(usage.get(name, NOT_COUNTED))

    def _add_trials(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            self.trial_choices.append(NO_ANSWER if trial.choice is None else trial.choice)
            self.trial_orders.append(_number(self.orders, trial.order))

    def _retrieval_figures(self, record: Record, item: Callable[[], Item]) -> tuple[int, int, float]:
        """Return chunks, own_rank and own_share."""
        found = [passage.id for passage in record.passages]
        if not found and record.prediction is not None:
            # A retriever that LangChain's callbacks did not see: chunks named by id.
            found = [_CHUNK.sub("", chunk_id) for chunk_id in record.prediction.document_ids]
        if not found:
            return 0, 0, np.nan
        self.found_passages.update(found)
        asked = item()
        ranking, own = list(dict.fromkeys(found)), _own_passage(asked)
        rank = ranking.index(asked.group) + 1 if asked.group in ranking else 0
        own_chunks = [passage.text for passage in record.passages if passage.id == asked.group]
        return len(found), rank, _covered(own, own_chunks) if own and record.passages else np.nan


def _number(names: dict[Name, int], name: Name) -> int:
    """Return the number of a name, the next one where it is new."""
    return names.setdefault(name, len(names))


def _reply_figures(prediction: Prediction | None) -> tuple[int, int, int, int, int, bool, bool]:
    """Return the columns from `trials` to `number_or_text`."""
    if prediction is None:
        return 0, 0, 0, 0, 0, False, False
    if prediction.choice is not None and not prediction.asks:
        return 0, 1, 0, 0, 0, False, NUMBER_OR_TEXT in prediction.rule
    replies = prediction.replies
    blank = [reply for reply in replies if reply.is_blank]
    cut = sum(_is_cut(reply) for reply in blank)
    reasoned = sum(bool(reply.reasoning) and not _is_cut(reply) for reply in blank)
    ambiguous = any(NUMBER_OR_TEXT in reply.rule for reply in replies)
    empty = len(blank) - cut - reasoned
    return len(prediction.asks), len(replies), cut, reasoned, empty, bool(blank) and prediction.is_blank, ambiguous


def _is_cut(reply: Prediction | Trial) -> bool:
    return reply.finish_reason == "length" or reply.status == "truncated"


def _prompt_figures(messages: Sequence[Message] | None) -> tuple[int, int, int, int]:
    """Return the columns from `messages` to `tool_calls`."""
    if messages is None:
        return NO_MESSAGES, 0, 0, 0
    characters = sum(len(message.content) for message in messages)
    calls = sum(len(message.tool_calls) for message in messages)
    return len(messages), characters, estimate_request_tokens(messages), calls


def _shortlisted(prediction: Prediction | None, item: Callable[[], Item]) -> int:
    """Return the column of that name."""
    if prediction is None or not prediction.candidates:
        return ALL_SHOWN
    return int(item().target in prediction.candidates)


def _own_passage(item: Item) -> str:
    return item.inputs.get("passage", "").strip()


def _covered(own: str, chunks: Sequence[str]) -> float:
    """Return the share of a passage's letters that its chunks hold; overlaps count once."""
    held = np.zeros(len(own), dtype=bool)
    for chunk in chunks:
        start = own.find(chunk.strip())
        if start >= 0:
            held[start : start + len(chunk.strip())] = True
    return float(held.mean())
