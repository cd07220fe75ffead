"""Retrieval measured as retrieval: does the right passage come up, and how far up?

In come a retriever and a retrieval set; out come recall, MRR and nDCG over passages, and paired differences between
retrievers. A retriever over chunks is judged by its passages: a passage's rank is that of its best chunk.
"""

import json
import math
import time
from collections.abc import Sequence
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data.retrieval_sets import RetrievalSet
from data.types import Frozen
from eval.measures.paired_tests import holm
from eval.measures.resampling import randomization_p
from eval.measures.stats import SEED, Interval, paired_difference_interval

if TYPE_CHECKING:
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever


class QueryScores(NamedTuple):
    """How one query's ranking scores; each between 0 and 1."""

    recall_at_1: float
    recall_at_k: float
    mrr_at_k: float
    ndcg_at_k: float


class RetrievalScores(Frozen):
    """How a retriever does on a retrieval set.

    Attributes:
        retrieval_set: The set's name.
        retriever: The retriever's name.
        k: The depth at which rankings are cut.
        n_queries: Queries asked; every mean is over all of them.
        n_passages: Passages of the pool.
        recall_at_1: Mean share of a query's relevant passages that is ranked first.
        recall_at_k: Mean share of a query's relevant passages that is among the first k.
        mrr_at_k: Mean of 1 / rank of the first relevant passage, 0 where none is among the first k.
        ndcg_at_k: Mean normalised discounted cumulative gain, relevance 0 or 1.
        own_hits: Queries of which a hit was left out, for it was the passage with the query's own id.
        seconds_per_query: Search time, queries asked in one batch; building the index is not in it.
        per_query: One entry a query, in the set's order, for paired comparisons.
        groups: The cluster of each query: those that are about the same passages count together.
    """

    retrieval_set: str
    retriever: str
    k: int
    n_queries: int
    n_passages: int
    recall_at_1: float
    recall_at_k: float
    mrr_at_k: float
    ndcg_at_k: float
    own_hits: int = 0
    seconds_per_query: float
    per_query: tuple[QueryScores, ...]
    groups: tuple[str, ...]


class RetrievalDifference(Frozen):
    """What one retriever scores more than another on the same queries.

    Attributes:
        a: The first retriever.
        b: The second.
        measure: A field of `QueryScores`.
        difference: Mean of a's score less b's.
        interval: 95 %, by paired cluster bootstrap, not adjusted; None where all queries are about one passage.
        p_holm: Two-sided p of the randomization test over clusters, adjusted for all that was compared with it.
    """

    a: str
    b: str
    measure: str
    difference: float
    interval: Interval | None
    p_holm: float


def evaluate_retriever(
    retriever: "BaseRetriever", retrieval_set: RetrievalSet, *, k: int = 10, name: str | None = None
) -> RetrievalScores:
    """Ask the retriever every query of the set and score its rankings of passages.

    Args:
        retriever: Over the set's passages; its documents name theirs in `metadata["passage_id"]` or are named by `id`.
            It accepts `k` per call.
        retrieval_set: Queries, passages and which belong together.
        k: The depth at which rankings are cut.
        name: What to call the retriever; None: its own name.

    Raises:
        ConfigurationError: `k` is below 1.
        ValueError: A found document names no passage.
    """
    start = time.perf_counter()
    own = _own_passages(retrieval_set)
    rankings, own_hits = _rank(retriever, [query.text for query in retrieval_set.queries], own, k=k)
    seconds = time.perf_counter() - start
    scored = [
        score_ranking(ranking, query.relevant, k=k)
        for ranking, query in zip(rankings, retrieval_set.queries, strict=True)
    ]
    return RetrievalScores(
        retrieval_set=retrieval_set.name,
        retriever=name or retriever.get_name(),
        k=k,
        n_queries=len(scored),
        n_passages=len(retrieval_set.passages),
        **{measure: fmean(getattr(query, measure) for query in scored) for measure in QueryScores._fields},
        own_hits=own_hits,
        seconds_per_query=seconds / len(scored),
        per_query=tuple(scored),
        groups=tuple("\n".join(sorted(query.relevant)) for query in retrieval_set.queries),
    )


def rank_passages(retriever: "BaseRetriever", queries: Sequence[str], *, k: int) -> list[list[str]]:
    """Return each query's first `k` passages, best first, each at the rank of its best document.

    Where many chunks are of one passage, k chunks are fewer than k passages; such queries are asked again, deeper, as
    long as that finds more text. (The number of documents does not tell: neighbours are put together.) What is found
    deeper comes behind what was found before: some retrievers order the first k differently when asked for more, and
    what is measured is the order at `k`, which is the one in use.
    """
    return _rank(retriever, queries, [None] * len(queries), k=k)[0]


def _own_passages(retrieval_set: RetrievalSet) -> list[str | None]:
    """Return for each query the id of the passage that is its own text and so no find; None where there is none."""
    if retrieval_set.own_hits:
        return [None] * len(retrieval_set.queries)
    known = {passage.id for passage in retrieval_set.passages}
    return [
        query.id if query.id in known and query.id not in query.relevant else None for query in retrieval_set.queries
    ]


def _rank(
    retriever: "BaseRetriever", queries: Sequence[str], own: Sequence[str | None], *, k: int
) -> tuple[list[list[str]], int]:
    """Rank as `rank_passages` does, without each query's own passage; and count the queries that found theirs."""
    rankings: list[list[str]] = [[] for _ in queries]
    found = [0] * len(queries)  # characters
    found_own: set[int] = set()
    # One deeper where one may be left out, so that k remain.
    open_rows, depth = list(range(len(queries))), k + any(name is not None for name in own)
    while open_rows:
        answers = retriever.batch([queries[row] for row in open_rows], k=depth)
        finding = []
        for row, documents in zip(open_rows, answers, strict=True):
            found_now = [_passage_id(document) for document in documents]
            found_own |= {row} if own[row] in found_now else set()
            others = (name for name in found_now if name != own[row])
            rankings[row] = list(dict.fromkeys([*rankings[row], *others]))[:k]
            before, found[row] = found[row], sum(len(document.page_content) for document in documents)
            if len(rankings[row]) < k and (len(documents) == depth or found[row] > before):
                finding.append(row)
        open_rows, depth = finding, depth * 2
    return rankings, len(found_own)


def score_ranking(ranking: Sequence[str], relevant: frozenset[str], *, k: int) -> QueryScores:
    """Score one ranking of distinct passages against the relevant ones.

    Args:
        ranking: Passage ids, best first.
        relevant: At least one passage id.
        k: Ranks beyond it count for nothing.

    Source: recall and the reciprocal rank as in Manning, Raghavan & Schütze 2008, "Introduction to Information
        Retrieval", ch. 8, and Voorhees 1999 (TREC-8); nDCG by Järvelin & Kekäläinen 2002, ACM TOIS, with 0/1 gains
        and 1 / log2(rank + 1) discounts.
    """
    ranks = [rank for rank, passage in enumerate(ranking[:k], start=1) if passage in relevant]
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(len(relevant), k) + 1))
    return QueryScores(
        recall_at_1=(ranks[:1] == [1]) / len(relevant),
        recall_at_k=len(ranks) / len(relevant),
        mrr_at_k=1 / ranks[0] if ranks else 0.0,
        ndcg_at_k=sum(1 / math.log2(rank + 1) for rank in ranks) / ideal,
    )


def compare_retrievers(scores: Sequence[RetrievalScores]) -> list[RetrievalDifference]:
    """Compare each pair of retrievers, query by query, by every measure of their depth.

    Args:
        scores: The scores on the same queries at the same depth.
    """
    if len(scores) < 2:
        return []
    groups = scores[0].groups
    compared = [
        (a.retriever, b.retriever, measure, _of_each_query(a, measure) - _of_each_query(b, measure))
        for a, b in combinations(scores, 2)
        for measure in _measure_names(scores[0].k)
    ]
    adjusted = holm(randomization_p(np.stack([gained for *_, gained in compared], axis=1), groups, seed=SEED).tolist())
    return [
        RetrievalDifference(
            a=a,
            b=b,
            measure=measure,
            difference=float(gained.mean()),
            interval=paired_difference_interval(gained, np.ones(len(gained)), groups),
            p_holm=p,
        )
        for (a, b, measure, gained), p in zip(compared, adjusted, strict=True)
    ]


def _of_each_query(scores: RetrievalScores, measure: str) -> np.ndarray:
    """Return a measure of each query, (n_queries,)."""
    return np.array([getattr(query, measure) for query in scores.per_query])


def render_table(scores: Sequence[RetrievalScores]) -> str:
    """Return a Markdown table, one row a retriever, and one of their differences; all must have the same k.

    Raises:
        ValueError: There is nothing to show, or depths differ.
    """
    depths = {row.k for row in scores}
    if len(depths) != 1:
        raise ValueError(f"a table shows retrievers at one depth k, not {sorted(depths)}")
    k = depths.pop()
    measures = _measure_names(k)
    lines = [
        f"| set | retriever | queries | passages | {' | '.join(measures.values())} | ms a query |",
        f"|---|---|---:|---:|{'---:|' * len(measures)}---:|",
    ]
    for row in scores:
        means = " | ".join(f"{getattr(row, measure):.3f}" for measure in measures)
        size = f"{row.n_queries:,} | {row.n_passages:,}"
        lines.append(
            f"| {row.retrieval_set} | {row.retriever} | {size} | {means} | {row.seconds_per_query * 1000:.1f} |"
        )
    return "\n".join([*lines, *_own_hit_lines(scores), *_difference_lines(compare_retrievers(scores), k)])


def _own_hit_lines(scores: Sequence[RetrievalScores]) -> list[str]:
    counts = [f"{row.retriever}: {row.own_hits:,} of {row.n_queries:,}" for row in scores if row.own_hits]
    said = "A hit that is the passage with the query's own id is left out, as in BEIR; queries with such a hit, by "
    return ["", f"{said}retriever: {'; '.join(counts)}."] if counts else []


def _difference_lines(differences: Sequence[RetrievalDifference], k: int) -> list[str]:
    if not differences:
        return []
    names = _measure_names(k)
    rows = [
        f"| {row.a} − {row.b} | {names[row.measure]} | {row.difference:+.3f} "
        f"| {f'{row.interval.low:+.3f} to {row.interval.high:+.3f}' if row.interval else 'unknown'} "
        f"| {row.p_holm:.2g} |"
        for row in differences
    ]
    note = (
        f"p: randomization test over queries about the same passages, adjusted by Holm for the {len(rows)} differences "
        "of this table; the intervals are not adjusted."
    )
    return ["", "| difference | of | mean | 95 % interval | p, Holm |", "|---|---|---:|---:|---:|", *rows, "", note]


def _measure_names(k: int) -> dict[str, str]:
    """Return the fields of `QueryScores` that differ at a depth, and what a table calls each: R@1 is once R@k."""
    names = {"recall_at_1": "R@1", "recall_at_k": f"R@{k}", "mrr_at_k": f"MRR@{k}", "ndcg_at_k": f"nDCG@{k}"}
    return {measure: name for measure, name in names.items() if k > 1 or measure != "recall_at_k"}


def render_json(scores: Sequence[RetrievalScores]) -> str:
    """Return one JSON object with the scores of each retriever and their differences, without the single queries."""
    content = {
        "retrievers": [row.model_dump(exclude={"per_query", "groups"}) for row in scores],
        "differences": [row.model_dump() for row in compare_retrievers(scores)],
    }
    return json.dumps(content, ensure_ascii=False, indent=2)


def _passage_id(document: "Document") -> str:
    passage = document.metadata.get("passage_id", document.id)
    if passage is None:
        raise ValueError("a found document has neither metadata['passage_id'] nor an id, so its passage is unknown")
    return str(passage)
