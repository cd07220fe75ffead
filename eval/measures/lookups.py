"""What a record says of its retrieval: what was found for the item, and whether that is its own passage.

A `Record` in, a `Lookup` out; and whether a system searched the passages of these items at all.
"""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from chains.registry import CHAINS
from data.types import Record
from eval.rundir.description import SystemDescription

CHUNK = re.compile(r"#\d+$")  # what `retrievers.corpus` adds to a passage's id


class Lookup(NamedTuple):
    """What one record says of its retrieval.

    Attributes:
        has_passage: Whether the item has one that could be found.
        ranking: Ids of the retrieved passages, each at the place of its best chunk.
        chunks: How many were retrieved.
        own_share: Share of the own passage's letters that is among the retrieved; None where no text was recorded.
        right: None where the call failed.
        cut: Whether the prompt was shortened to fit the model's context, so that a chunk may not have been read.
        told: Whether the record says what was sent; else it may say nothing of a search either.
        calls: How many tool calls the model made.
        searched: Whether anything was looked up: a model that searches by tools may do without.
        blank: Whether the answer holds no text.
    """

    item_id: str
    group: str
    has_passage: bool
    ranking: tuple[str, ...]
    chunks: int
    own_share: float | None
    right: bool | None
    cut: bool = False
    told: bool = False
    calls: int = 0
    searched: bool = True
    blank: bool = False

    @property
    def oracle_right(self) -> bool | None:
        """Whether the reader is right, where the answer tells: one without text does not."""
        return None if self.blank else self.right

    @property
    def retrieved(self) -> bool | None:
        return self.group in self.ranking if self.has_passage else None


def look_up(record: Record) -> Lookup:
    """Read out of a record what was retrieved for it, and whether its own passage was."""
    item, prediction = record.item, record.prediction
    own = item.inputs.get("passage", "").strip()
    ids = [passage.id for passage in record.passages]
    if not ids and prediction is not None:  # a retriever that LangChain's callbacks did not see: chunks named by id
        ids = [CHUNK.sub("", chunk_id) for chunk_id in prediction.document_ids]
    own_chunks = [passage.text for passage in record.passages if passage.id == item.group]
    return Lookup(
        item_id=item.id,
        group=item.group,
        has_passage=bool(own),
        ranking=tuple(dict.fromkeys(ids)),
        chunks=len(ids),
        own_share=_covered(own, own_chunks) if own and record.passages else None,
        right=None if prediction is None else prediction.choice == item.target,
        cut=is_cut(record),
        told=record.messages is not None,
        calls=sum(len(message.tool_calls) for message in record.messages or ()),
        blank=prediction is not None and prediction.is_blank,
    )


def is_cut(record: Record) -> bool:
    """Tell whether the passages in a record's prompt were shortened to fit the model's context."""
    return record.prediction is not None and bool(record.prediction.usage.get("cut_tokens"))


def searches_own_passages(description: SystemDescription) -> bool:
    """Tell by its description whether a system can have searched nothing but the passages of its benchmark's split.

    A retriever of the project in a chain of the project is given these; what the user's own code searches, only what
    it found can tell.
    """
    name = str(description.retriever.name if description.retriever else None)
    return description.chain in CHAINS and ":" not in name.partition("+")[0]  # steps behind it only re-order


def searches_by_tools(description: SystemDescription) -> bool:
    """Tell whether a system's model decides itself what is looked up, and whether anything is."""
    entry = CHAINS.get(str(description.chain))
    return entry is not None and entry.several_calls and "retriever" in entry.needs


def with_searches(lookups: Collection[Lookup], *, by_tools: bool) -> list[Lookup]:
    """Say of each item whether anything was looked up for it.

    Args:
        lookups: Of all items of a system.
        by_tools: Its model decides that; where any item has a tool call, it does anyway.
    """
    by_tools = by_tools or any(one.calls for one in lookups)
    return [one._replace(searched=not (by_tools and one.told) or bool(one.calls or one.chunks)) for one in lookups]


def is_idle(lookups: Collection[Lookup]) -> bool:
    """Tell whether nothing was retrieved for any answered item: then nothing tells what retrieval is worth."""
    answered = [one for one in lookups if one.right is not None]
    return bool(answered) and all(one.told and not one.chunks for one in answered)


def is_foreign(lookups: Collection[Lookup]) -> bool:
    """Tell whether nothing that was retrieved is a passage of these items or of the set that they come from.

    A limited run asks a part of the items whose passages are searched, so an id that is no asked item's passage still
    belongs where it begins as theirs do: "kice/2023-11/p7" beside the items of "kice/2023-11/p1".
    """
    found = {passage for one in lookups for passage in one.ranking}
    groups = {one.group for one in lookups}
    origins = {_origin(group) for group in groups} - {""}
    return bool(found) and not found & groups and not {_origin(passage) for passage in found} & origins


def _origin(passage_id: str) -> str:
    return passage_id.rpartition("/")[0]


def _covered(own: str, chunks: Sequence[str]) -> float:
    """Return the share of a passage's letters that its chunks hold; overlaps count once."""
    held = np.zeros(len(own), dtype=bool)
    for chunk in chunks:
        start = own.find(chunk.strip())
        if start >= 0:
            held[start : start + len(chunk.strip())] = True
    return float(held.mean())
