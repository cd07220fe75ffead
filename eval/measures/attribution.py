"""Why a RAG item came out as it did: was its own passage found, and is the reader right when it is handed that passage?

The journals of a run in; for each system that retrieves, the cause of every item's outcome, and how well the passages
were found for exactly these queries. No retriever and no model is needed. The cause rests on three facts: whether a
chunk of the item's own passage is among the retrieved, whether the answer is right, and whether the same reader is
right with the own passage in the prompt (the oracle of the same run).

Source: RAGChecker (Ru et al. 2024, NeurIPS) asks likewise whether it is the retriever or the reader that fails; here
    the oracle decides it, where a judge would guess.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from data.types import Frozen, Record
from eval.measures.causes import CAUSES, OPEN, RETRIEVAL_MISS, Cause, cause_of
from eval.measures.differences import Answers
from eval.measures.ladder import oracle_of
from eval.measures.lookups import (
    Lookup,
    is_cut,
    is_foreign,
    is_idle,
    look_up,
    searches_by_tools,
    searches_own_passages,
    with_searches,
)
from eval.measures.retrieval_metrics import score_ranking
from eval.measures.stats import Interval, share_interval
from eval.rundir.description import SystemDescription
from eval.rundir.journal import read_records, records_path


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
        causes: Every cause, in the order of `CAUSES`; none where no item was answered.
        wrong: Wrong answers whose cause is known.
        to_retrieval: Share of these that are retrieval misses; None where there are none.
        found: None where no item has a passage of its own.
        foreign: Nothing that was retrieved is a passage of these items: the system searched other texts. It then has
            no causes, nothing is put down to retrieval, and no find is counted.
        idle: Nothing was retrieved for any item. Then likewise.
        not_searched: Answered items for which the model, which searches by tools as it sees fit, looked nothing up.
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
    idle: bool = False
    not_searched: int = 0


def causes_of_item(
    run_dir: Path, records: Mapping[str, Record], descriptions: Mapping[str, SystemDescription]
) -> dict[str, Cause]:
    """Return why one item came out as it did, for each system that retrieves its passages and has an answer to it.

    Args:
        run_dir: Where the journals are, which say whether a system searched these items' passages at all.
        records: Each system's record of the item.
        descriptions: What each of these systems is, as the manifest says it.
    """
    described = {name: descriptions[name] for name in records}
    causes = {}
    for name, record in records.items():
        about = described[name]
        if about.retriever is None:
            continue
        lookups = {one.item_id: one for one in _lookups(run_dir, name, about)}
        if is_idle(lookups.values()) or (not searches_own_passages(about) and is_foreign(lookups.values())):
            continue
        oracle = records.get(oracle_of(name, described) or "")
        right = None if oracle is None else look_up(oracle).oracle_right
        cause = cause_of(lookups[record.item.id], right, oracle_cut=oracle is not None and is_cut(oracle))
        if cause is not None:
            causes[name] = cause
    return causes


def attribute(
    run_dir: Path, answers: Mapping[str, Answers], descriptions: Mapping[str, SystemDescription]
) -> list[Attribution]:
    """Attribute the items of every system of an evaluation that retrieves.

    Args:
        run_dir: Where the journals are.
        answers: By system name, all of one evaluation.
        descriptions: What each of these systems is, as the manifest says it.
    """
    found = []
    for name in answers:
        about = descriptions[name]
        if about.retriever is None:
            continue
        oracle = oracle_of(name, {system: descriptions[system] for system in answers})
        found.append(
            attribute_lookups(
                _lookups(run_dir, name, about),
                {} if oracle is None else right_by_item(answers[oracle]),
                system=name,
                oracle=oracle,
                oracle_cut=_cut_items(run_dir, oracle) if oracle else (),
                own_passages=searches_own_passages(about),
            )
        )
    return found


def _lookups(run_dir: Path, system: str, about: SystemDescription) -> list[Lookup]:
    """Return what a journal says of each item; of one that was asked again, the later record counts."""
    found = {one.item.id: look_up(one) for one in read_records(records_path(run_dir, system))}
    return with_searches(found.values(), by_tools=searches_by_tools(about))


def _cut_items(run_dir: Path, system: str) -> set[str]:
    path = records_path(run_dir, system)
    cut = {record.item.id: is_cut(record) for record in read_records(path)}
    return {item_id for item_id, was_cut in cut.items() if was_cut}


def right_by_item(answers: Answers) -> dict[str, bool]:
    """Return whether each item is right that was answered with any text."""
    right = zip(answers.ids, answers.correct.tolist(), strict=True)
    return {item_id: is_right for item_id, is_right in right if item_id not in answers.blank_ids}


def attribute_lookups(
    lookups: Iterable[Lookup],
    oracle_right: Mapping[str, bool],
    *,
    system: str,
    oracle: str | None,
    oracle_cut: Collection[str] = (),
    own_passages: bool = False,
) -> Attribution:
    """Attribute one system's items.

    Args:
        lookups: One an item.
        oracle_right: By item id; an item that is not in it has no oracle.
        system: Its name.
        oracle: The oracle's name.
        oracle_cut: Ids of the items whose passage was shortened for the oracle.
        own_passages: Whether the system can have searched these items' passages alone; False: its finds tell.
    """
    everything = list(lookups)
    foreign, idle = not own_passages and is_foreign(everything), is_idle(everything)
    answered = [one for one in everything if one.right is not None]
    caused = [] if foreign or idle else _caused(answered, oracle_right, oracle_cut)
    wrong = [(one, cause) for one, cause in caused if one.right is False and one.retrieved is not None]
    known = [(one, cause) for one, cause in wrong if cause not in OPEN]
    missed = np.array([cause == RETRIEVAL_MISS for _, cause in known], dtype=float)
    return Attribution(
        system=system,
        oracle=oracle,
        n=len(answered),
        failed=len(everything) - len(answered),
        causes=tuple(_count(cause.name, caused) for cause in CAUSES) if caused else (),
        wrong=len(known),
        to_retrieval=float(missed.mean()) if known else None,
        to_retrieval_interval=_interval(missed, [one for one, _ in known]),
        found=_found([one for one, _ in caused if one.has_passage and one.searched]),
        foreign=foreign,
        idle=idle,
        not_searched=sum(not one.searched for one in answered),
    )


def _caused(
    answered: Sequence[Lookup], oracle_right: Mapping[str, bool], oracle_cut: Collection[str]
) -> list[tuple[Lookup, str]]:
    causes = [cause_of(one, oracle_right.get(one.item_id), oracle_cut=one.item_id in oracle_cut) for one in answered]
    return [(one, cause.name) for one, cause in zip(answered, causes, strict=True) if cause is not None]


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
