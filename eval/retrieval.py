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

from data.retrieval_set import RetrievalSet
from data.types import Frozen
from eval.stats import SEED, Interval, holm, paired_difference_interval

if TYPE_CHECKING:
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever

DRAWS, DRAWS_AT_ONCE = 20_000, 500
ROUNDING = 1e-9  # sums that differ by less are the same


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
    rankings = rank_passages(retriever, [query.text for query in retrieval_set.queries], k=k)
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
    rankings: list[list[str]] = [[] for _ in queries]
    found = [0] * len(queries)  # characters
    open_rows, depth = list(range(len(queries))), k
    while open_rows:
        answers = retriever.batch([queries[row] for row in open_rows], k=depth)
        finding = []
        for row, documents in zip(open_rows, answers, strict=True):
            found_now = (_passage_id(document) for document in documents)
            rankings[row] = list(dict.fromkeys([*rankings[row], *found_now]))[:k]
            before, found[row] = found[row], sum(len(document.page_content) for document in documents)
            if len(rankings[row]) < k and (len(documents) == depth or found[row] > before):
                finding.append(row)
        open_rows, depth = finding, depth * 2
    return rankings


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
    """Compare each pair of retrievers, query by query, by every measure.

    Args:
        scores: Of the same queries at the same depth.
    """
    if len(scores) < 2:
        return []
    groups, values = scores[0].groups, [np.array(one.per_query) for one in scores]  # each (n_queries, n_measures)
    compared = [
        (scores[a].retriever, scores[b].retriever, measure, values[a][:, column] - values[b][:, column])
        for a, b in combinations(range(len(scores)), 2)
        for column, measure in enumerate(QueryScores._fields)
    ]
    adjusted = holm(_randomization_p(np.stack([gained for *_, gained in compared], axis=1), groups).tolist())
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


def _randomization_p(gained: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Return two-sided p-values: how often differences as large arise where each cluster's sign is a coin's toss.

    Args:
        gained: (n_queries, n_differences).
        groups: (n_queries,) the cluster of each query; queries about one passage change sign together.

    Returns:
        (n_differences,), never 0: the data count as one of the draws.

    Source:
        Smucker, Allan and Carterette 2007, CIKM, "A comparison of statistical significance tests for information
        retrieval evaluation" (the randomization test).
    """
    _, cluster = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.stack([np.bincount(cluster, weights=column) for column in gained.T], axis=1)  # (n_clusters, …)
    least = np.abs(sums.sum(axis=0)) - ROUNDING
    rng, as_large = np.random.default_rng(SEED), np.ones(gained.shape[1])
    for _ in range(DRAWS // DRAWS_AT_ONCE):
        signs = rng.integers(0, 2, size=(DRAWS_AT_ONCE, len(sums))) * 2.0 - 1.0
        as_large += (np.abs(signs @ sums) >= least).sum(axis=0)
    return as_large / (DRAWS + 1)


def render_table(scores: Sequence[RetrievalScores]) -> str:
    """Return a Markdown table, one row a retriever, and one of their differences; all must have the same k.

    Raises:
        ValueError: There is nothing to show, or depths differ.
    """
    depths = {row.k for row in scores}
    if len(depths) != 1:
        raise ValueError(f"a table shows retrievers at one depth k, not {sorted(depths)}")
    k = depths.pop()
    lines = [
        f"| set | retriever | queries | passages | {' | '.join(_measure_names(k))} | ms a query |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.retrieval_set} | {row.retriever} | {row.n_queries:,} | {row.n_passages:,} | {row.recall_at_1:.3f} "
        f"| {row.recall_at_k:.3f} | {row.mrr_at_k:.3f} | {row.ndcg_at_k:.3f} | {row.seconds_per_query * 1000:.1f} |"
        for row in scores
    ]
    return "\n".join([*lines, *_difference_lines(compare_retrievers(scores), k)])


def _difference_lines(differences: Sequence[RetrievalDifference], k: int) -> list[str]:
    if not differences:
        return []
    names = dict(zip(QueryScores._fields, _measure_names(k), strict=True))
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


def _measure_names(k: int) -> tuple[str, str, str, str]:
    """Return what a table calls each field of `QueryScores`."""
    return "R@1", f"R@{k}", f"MRR@{k}", f"nDCG@{k}"


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
