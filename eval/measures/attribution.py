"""Why a RAG item came out as it did: was its own passage found, and is the reader right when it is handed that passage?

The answers of a run in; for each system that retrieves, the cause of every item's outcome, and how well the passages
were found for exactly these queries. No retriever and no model is needed. The cause rests on three facts: whether a
chunk of the item's own passage is among the retrieved, whether the answer is right, and whether the same reader is
right with the own passage in the prompt (the oracle of the same run).

Source: RAGChecker (Ru et al. 2024, NeurIPS) asks likewise whether it is the retriever or the reader that fails; here
    the oracle decides it, where a judge would guess.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from chains.registry import CHAINS
from data.types import Frozen
from eval.measures.answer_columns import NO_MESSAGES
from eval.measures.answers import Answers
from eval.measures.causes import CAUSES, OPEN, RETRIEVAL_MISS, Cause, Outcome, cause_of
from eval.measures.ladder import oracle_of
from eval.measures.stats import Interval, share_interval
from eval.rundir.description import SystemDescription


class CauseCount(Frozen):
    """The items of one cause.

    Attributes:
        share: The share of all attributed items.
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
        foreign: Nothing that was retrieved is a passage of these items: the system searched other texts, as its
            description says or as what it found shows. It then has
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


class _Retrieval(NamedTuple):
    """What a system that retrieves was found to do.

    Attributes:
        oracle: Its oracle; None where the run has none.
        given: Its predictions.
        searched: (n,) bool, whether anything was looked up for each of them.
        foreign: As of an `Attribution`.
        idle: Likewise.
        causes: (n,) of each of the predictions; empty where it is foreign or idle.
    """

    oracle: str | None
    given: Answers
    searched: np.ndarray
    foreign: bool
    idle: bool
    causes: list[Cause]


def causes_of_item(
    item_id: str, answers: Mapping[str, Answers], descriptions: Mapping[str, SystemDescription]
) -> dict[str, Cause]:
    """Return why one item came out as it did, for each system that retrieves its passages and has an answer to it.

    Args:
        item_id: The item's.
        answers: The answers, by the system's name, all of one evaluation.
        descriptions: What each of these systems is, as the manifest says it.
    """
    causes = {}
    for name in answers:
        if descriptions[name].retriever is not None:
            retrieval = _retrieval(name, answers, descriptions)
            of_items = dict(zip(retrieval.given.ids, retrieval.causes, strict=False))  # without causes it has none
            if item_id in of_items:
                causes[name] = of_items[item_id]
    return causes


def attribute(answers: Mapping[str, Answers], descriptions: Mapping[str, SystemDescription]) -> list[Attribution]:
    """Attribute the items of every system of an evaluation that retrieves.

    Args:
        answers: The answers, by the system's name, all of one evaluation.
        descriptions: What each of these systems is, as the manifest says it.
    """
    return [
        _attribution(name, _retrieval(name, answers, descriptions), n_records=len(answers[name]))
        for name in answers
        if descriptions[name].retriever is not None
    ]


def searches_own_passages(description: SystemDescription) -> bool:
    """Tell by its description whether a system can have searched nothing but the passages of its benchmark's split.

    A retriever of the project in a chain of the project is given these; what the user's own code searches, only what
    it found can tell.
    """
    name = description.retriever.name if description.retriever is not None else None
    if _searches_other_passages(description):
        return False
    return description.chain in CHAINS and ":" not in str(name).partition("+")[0]  # steps behind it only re-order


def _searches_other_passages(description: SystemDescription) -> bool:
    """Tell whether a system's retriever searches passages that the user named."""
    return description.retriever is not None and description.retriever.passages is not None


def _searches_by_tools(description: SystemDescription) -> bool:
    """Tell whether a system's model decides itself what is looked up, and whether anything is."""
    entry = CHAINS.get(str(description.chain))
    return entry is not None and entry.several_calls and "retriever" in entry.needs


def _retrieval(name: str, answers: Mapping[str, Answers], descriptions: Mapping[str, SystemDescription]) -> _Retrieval:
    everything, about = answers[name], descriptions[name]
    given = everything.predictions
    was_recorded, called = given.rows["messages"] != NO_MESSAGES, given.rows["tool_calls"] > 0
    found_any = given.rows["chunks"] > 0
    by_tools = _searches_by_tools(about) or (everything.rows["tool_calls"] > 0).any()
    searched = ~(by_tools & was_recorded) | called | found_any
    idle = len(given) > 0 and bool((was_recorded & ~found_any).all())
    foreign = _searches_other_passages(about) or (not searches_own_passages(about) and _is_foreign(everything))
    oracle = oracle_of(name, {system: descriptions[system] for system in answers})
    outcomes = [] if foreign or idle else _outcomes(given, searched, None if oracle is None else answers[oracle])
    return _Retrieval(oracle, given, searched, foreign, idle, [cause_of(one) for one in outcomes])


def _is_foreign(answers: Answers) -> bool:
    """Tell whether nothing that was retrieved is a passage of these items or of the set that they come from.

    A limited run asks a part of the items whose passages are searched, so an id that is no asked item's passage still
    belongs where it begins as theirs do: "kice/2023-11/p7" beside the items of "kice/2023-11/p1".
    """
    found, groups = answers.found_passages, {answers.items.group_names[group] for group in answers.groups.tolist()}
    origins = {_origin(group) for group in groups} - {""}
    return bool(found) and not found & groups and not {_origin(passage) for passage in found} & origins


def _origin(passage_id: str) -> str:
    return passage_id.rpartition("/")[0]


def _outcomes(given: Answers, searched: np.ndarray, oracle: Answers | None) -> list[Outcome]:
    """Return what came of each item that was answered."""
    of_oracle: dict[int, tuple[bool | None, bool]] = {}
    if oracle is not None:
        own = oracle.predictions
        shown = (own.rows["item"], own.correct, own.rows["blank"], own.counted("cut_tokens") > 0)
        for place, right, blank, cut in zip(*(column.tolist() for column in shown), strict=True):
            of_oracle[place] = (None if blank else right, cut)  # a reply without text does not tell
    rows, outcomes = given.rows, []
    columns = (
        rows["item"],
        given.items.has_passage[rows["item"]],
        rows["own_rank"] > 0,
        given.correct,
        given.counted("cut_tokens") > 0,
        searched,
        rows["blank"],
    )
    for place, has_passage, found, right, cut, looked, blank in zip(*(one.tolist() for one in columns), strict=True):
        oracle_right, oracle_cut = of_oracle.get(place, (None, False))
        retrieved = found if has_passage else None
        outcomes.append(Outcome(retrieved, right, cut, looked, blank, oracle_right, oracle_cut))
    return outcomes


def _attribution(name: str, retrieval: _Retrieval, *, n_records: int) -> Attribution:
    given, causes = retrieval.given, np.array([cause.name for cause in retrieval.causes])
    has_passage = given.items.has_passage[given.rows["item"]]
    # Without any cause nothing is known of a wrong answer either.
    is_known = ~given.correct & has_passage & ~np.isin(causes, [*OPEN]) if len(causes) else np.zeros(len(given), bool)
    known, missed = given.take(is_known), (causes[is_known[: len(causes)]] == RETRIEVAL_MISS).astype(float)
    return Attribution(
        system=name,
        oracle=retrieval.oracle,
        n=len(given),
        failed=n_records - len(given),
        causes=tuple(_count(cause.name, causes, given) for cause in CAUSES) if len(causes) else (),
        wrong=len(known),
        to_retrieval=float(missed.mean()) if len(missed) else None,
        to_retrieval_interval=_interval(missed, known),
        found=_found(given.take(has_passage & retrieval.searched)) if len(causes) else None,
        foreign=retrieval.foreign,
        idle=retrieval.idle,
        not_searched=int((~retrieval.searched).sum()),
    )


def _count(name: str, causes: np.ndarray, given: Answers) -> CauseCount:
    own = causes == name
    return CauseCount(
        cause=name,
        n=int(own.sum()),
        share=float(own.mean()),
        interval=_interval(own.astype(float), given),
        item_ids=tuple(given.take(own).ids),
    )


def _found(queries: Answers) -> Found | None:
    """Score what was found as retrieval is scored, where one passage is relevant to a query: its own."""
    if not len(queries):
        return None
    ranks, shares = queries.rows["own_rank"], queries.rows["own_share"]
    recalls, read = (ranks > 0).astype(float), shares[(ranks > 0) & ~np.isnan(shares)]
    return Found(
        n_queries=len(queries),
        depth=max(1, int(queries.rows["chunks"].max())),
        recall_at_1=float((ranks == 1).mean()),
        recall=float(recalls.mean()),
        recall_interval=_interval(recalls, queries),
        mrr=float(np.where(ranks > 0, 1 / np.maximum(ranks, 1), 0.0).mean()),
        read=round(float(read.mean()), 6) if len(read) else None,
    )


def _interval(shares: np.ndarray, answers: Answers) -> Interval | None:
    return share_interval(shares, np.ones(len(shares)), answers.groups) if len(shares) else None
