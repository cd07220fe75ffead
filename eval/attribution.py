"""Why a RAG item came out as it did: was its own passage found, and is the reader right when it is handed that passage?

The journals of a run in; for each system that retrieves, the cause of every item's outcome, and how well the passages
were found for exactly these queries. No retriever and no model is needed. The cause rests on three facts: whether a
chunk of the item's own passage is among the retrieved, whether the answer is right, and whether the same reader is
right with the own passage in the prompt (the oracle of the same run).

Source: RAGChecker (Ru et al. 2024, NeurIPS) asks likewise whether it is the retriever or the reader that fails; here
    the oracle decides it, where a judge would guess.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.types import Frozen, Record
from eval.compare import Answers
from eval.journal import read_records, records_path
from eval.ladder import oracle_of
from eval.retrieval import score_ranking
from eval.stats import Interval, share_interval

CHUNK = re.compile(r"#\d+$")  # what `retrievers.corpus` adds to a passage's id
EITHER: tuple[bool | None, ...] = (True, False, None)


class Cause(NamedTuple):
    """A cell of the table: the outcomes that it covers, and what they mean.

    Attributes:
        retrieved: Whether the own passage is among the retrieved; None: the item has none.
        right: Whether the answer is right.
        oracle_right: What the oracle may have answered; None: it did not, or there is none.
    """

    name: str
    retrieved: bool | None
    right: bool
    oracle_right: Collection[bool | None]
    meaning: str


# Each outcome is in exactly one of them.
CAUSES: tuple[Cause, ...] = (
    Cause("found and right", True, True, EITHER, "its passage was found, and the answer is right"),
    Cause("distracted", True, False, (True,), "its passage was found; with that one alone, whole, it is right"),
    Cause("reader failure", True, False, (False,), "its passage was found; with that one alone, whole, it is wrong"),
    Cause("found, yet wrong", True, False, (None,), "its passage was found; without an oracle the cause is open"),
    Cause("retrieval miss", False, False, (True,), "its passage was not found; with it the reader is right"),
    Cause("wrong either way", False, False, (False,), "its passage was not found; with it the reader is wrong too"),
    Cause("missed and wrong", False, False, (None,), "its passage was not found; without an oracle the cause is open"),
    Cause("lucky guess", False, True, EITHER, "right without its passage: by chance, by elimination or by knowledge"),
    Cause("right, nothing to find", None, True, EITHER, "the item has no passage"),
    Cause("wrong, nothing to find", None, False, EITHER, "the item has no passage"),
)  # fmt: skip
RETRIEVAL_MISS, MISSED = "retrieval miss", "missed and wrong"
OPEN = frozenset(cause.name for cause in CAUSES if tuple(cause.oracle_right) == (None,))


class CauseCount(Frozen):
    """The items of one cause.

    Attributes:
        share: Of all attributed items.
        interval: 95 % of it, passages being clusters.
    """

    cause: str
    n: int
    share: float
    interval: Interval | None
    item_ids: tuple[str, ...]


class Found(Frozen):
    """How well passages were found for the answered items that have one; a passage's rank is that of its best chunk.

    Attributes:
        depth: Most chunks that were retrieved for an item.
        recall: Share of the queries whose passage is among all that was retrieved.
        read: Mean share of a found passage's letters that is among the retrieved; None where no text was recorded.
    """

    n_queries: int
    depth: int
    recall_at_1: float
    recall: float
    recall_interval: Interval | None
    mrr: float
    read: float | None


class Attribution(Frozen):
    """Why the items of one system came out as they did.

    Attributes:
        oracle: The system that shows the same reader each item's own passage; None: the run has none.
        n: Items with an answer, which are attributed.
        failed: Items whose call failed, which are not.
        causes: Every cause, in the order of `CAUSES`.
        wrong: Wrong answers whose cause is known.
        to_retrieval: Share of these that are retrieval misses; None where there are none.
        found: None where no item has a passage of its own.
        foreign: Nothing that was retrieved is a passage of these items: the system searched other texts.
    """

    system: str
    oracle: str | None
    n: int
    failed: int
    causes: tuple[CauseCount, ...]
    wrong: int
    to_retrieval: float | None
    to_retrieval_interval: Interval | None
    found: Found | None
    foreign: bool


class Lookup(NamedTuple):
    """What one record says of its retrieval.

    Attributes:
        has_passage: Whether the item has one that could be found.
        ranking: Ids of the retrieved passages, each at the place of its best chunk.
        chunks: How many were retrieved.
        own_share: Share of the own passage's letters that is among the retrieved; None where no text was recorded.
        right: None where the call failed.
    """

    item_id: str
    group: str
    has_passage: bool
    ranking: tuple[str, ...]
    chunks: int
    own_share: float | None
    right: bool | None

    @property
    def retrieved(self) -> bool | None:
        return self.group in self.ranking if self.has_passage else None


def cause_of(lookup: Lookup, oracle_right: bool | None) -> Cause | None:
    """Return the cause of an item's outcome; None where the call failed.

    Args:
        lookup: What the RAG system's record says.
        oracle_right: Whether the oracle is right on the item; None where that is not known.
    """
    if lookup.right is None:
        return None
    return next(
        cause
        for cause in CAUSES
        if (cause.retrieved, cause.right) == (lookup.retrieved, lookup.right) and oracle_right in cause.oracle_right
    )


def causes_of_item(records: Mapping[str, Record], descriptions: Mapping[str, Mapping[str, Any]]) -> dict[str, Cause]:
    """Return why one item came out as it did, for each system that retrieves and has an answer to it.

    Args:
        records: Each system's record of the item.
        descriptions: What each of these systems is, as the manifest says it.
    """
    right = {name: look_up(record).right for name, record in records.items()}
    described = {name: descriptions.get(name, {}) for name in records}
    causes = {
        name: cause_of(look_up(record), right.get(oracle_of(name, described) or ""))
        for name, record in records.items()
        if described[name].get("retriever")
    }
    return {name: cause for name, cause in causes.items() if cause is not None}


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
    )


def attribute(
    run_dir: Path, answers: Mapping[str, Answers], descriptions: Mapping[str, Mapping[str, Any]]
) -> list[Attribution]:
    """Attribute the items of every system of an evaluation that retrieves.

    Args:
        run_dir: Where the journals are.
        answers: By system name, all of one evaluation.
        descriptions: What each of these systems is, as the manifest says it.
    """
    found = []
    for name in answers:
        if not descriptions.get(name, {}).get("retriever"):
            continue
        path = records_path(run_dir, name)
        lookups = {record.item.id: look_up(record) for record in (read_records(path) if path.exists() else ())}
        oracle = oracle_of(name, {system: descriptions.get(system, {}) for system in answers})
        right = {} if oracle is None else right_by_item(answers[oracle])
        found.append(attribute_lookups(lookups.values(), right, system=name, oracle=oracle))
    return found


def right_by_item(answers: Answers) -> dict[str, bool]:
    """Return whether each answered item is right."""
    return dict(zip(answers.ids, answers.correct.tolist(), strict=True))


def attribute_lookups(
    lookups: Iterable[Lookup], oracle_right: Mapping[str, bool], *, system: str, oracle: str | None
) -> Attribution:
    """Attribute one system's items.

    Args:
        lookups: One an item.
        oracle_right: By item id; an item that is not in it has no oracle.
        system: Its name.
        oracle: The oracle's name.
    """
    everything = list(lookups)
    caused = [(one, cause.name) for one in everything if (cause := cause_of(one, oracle_right.get(one.item_id)))]
    wrong = [(one, cause) for one, cause in caused if one.right is False and one.retrieved is not None]
    known = [(one, cause) for one, cause in wrong if cause not in OPEN]
    missed = np.array([cause == RETRIEVAL_MISS for _, cause in known], dtype=float)
    retrieved = {passage for one in everything for passage in one.ranking}
    return Attribution(
        system=system,
        oracle=oracle,
        n=len(caused),
        failed=len(everything) - len(caused),
        causes=tuple(_count(cause.name, caused) for cause in CAUSES) if caused else (),
        wrong=len(known),
        to_retrieval=float(missed.mean()) if known else None,
        to_retrieval_interval=_interval(missed, [one for one, _ in known]),
        found=_found([one for one, _ in caused if one.has_passage]),
        foreign=bool(retrieved) and not retrieved & {one.group for one in everything},
    )


def _count(name: str, caused: Sequence[tuple[Lookup, str]]) -> CauseCount:
    indicator = np.array([cause == name for _, cause in caused], dtype=float)
    return CauseCount(
        cause=name,
        n=int(indicator.sum()),
        share=float(indicator.mean()),
        interval=_interval(indicator, [one for one, _ in caused]),
        item_ids=tuple(one.item_id for one, cause in caused if cause == name),
    )


def _found(lookups: Sequence[Lookup]) -> Found | None:
    if not lookups:
        return None
    depth = max(1, *(one.chunks for one in lookups))
    scored = [score_ranking(one.ranking, frozenset({one.group}), k=depth) for one in lookups]
    recalls = np.array([one.recall_at_k for one in scored])
    shares = [one.own_share for one in lookups if one.retrieved and one.own_share is not None]
    return Found(
        n_queries=len(scored),
        depth=depth,
        recall_at_1=float(np.mean([one.recall_at_1 for one in scored])),
        recall=float(recalls.mean()),
        recall_interval=_interval(recalls, lookups),
        mrr=float(np.mean([one.mrr_at_k for one in scored])),
        read=round(float(np.mean(shares)), 6) if shares else None,
    )


def _interval(shares: np.ndarray, lookups: Sequence[Lookup]) -> Interval | None:
    return share_interval(shares, np.ones(len(shares)), [one.group for one in lookups]) if lookups else None


def _covered(own: str, chunks: Sequence[str]) -> float:
    """Return the share of a passage's letters that its chunks hold; overlaps count once."""
    held = np.zeros(len(own), dtype=bool)
    for chunk in chunks:
        start = own.find(chunk.strip())
        if start >= 0:
            held[start : start + len(chunk.strip())] = True
    return float(held.mean())
