"""Hybrid retrieval: what several retrievers find, fused into one ranking.

Morphemes find names and numbers, embeddings find paraphrases; together they miss less. The default fusion is the convex
combination of normalised scores at equal weights: Bruch et al. found it better than reciprocal ranks in and out of
domain, because it keeps how far apart the scores are. The weights are not tuned on any set.

Source: Bruch, Gai & Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS (arXiv:2210.11934);
Cormack, Clarke & Büttcher 2009, "Reciprocal Rank Fusion", SIGIR.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from langchain_core.documents import Document

from retrievers import bm25, dense
from retrievers.base import PassageRetriever, check_corpus, with_score

Ranking = Mapping[str, float]  # document id → score, best first

_MIN_CANDIDATES = 50
_CANDIDATES_PER_K = 4


class HybridRetriever(PassageRetriever):
    """Fuses the rankings of its parts.

    Attributes:
        parts: Retrievers over the same documents, which must have ids.
        fusion: "convex" (see `convex_combination`) or "rrf" (see `reciprocal_rank`).
        weights: One for each part in a convex combination; None: equal ones.
    """

    parts: Sequence[PassageRetriever]
    fusion: Literal["convex", "rrf"] = "convex"
    weights: tuple[float, ...] | None = None

    def model_post_init(self, context: Any, /) -> None:
        """Check that parts and weights belong together."""
        if not self.parts:
            raise ValueError("a hybrid retriever needs at least one part")
        if self.weights is not None and (self.fusion == "rrf" or len(self.weights) != len(self.parts)):
            raise ValueError(f"{self.weights} must be one weight for each of {len(self.parts)} parts, with 'convex'")

    def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        """Ask every part for more than `k` candidates and return the best of their fused ranking.

        The depth grows with `k`, and scaled scores depend on the depth: a larger `k` may reorder the first few.
        """
        depth = max(_MIN_CANDIDATES, _CANDIDATES_PER_K * k)
        found = [part.search(queries, depth) for part in self.parts]
        return [self._fuse(of_query, k) for of_query in zip(*found, strict=True)]

    def _fuse(self, found: Sequence[list[Document]], k: int) -> list[Document]:
        documents = {_id(document): document for hits in found for document in hits}
        rankings = [{_id(document): float(document.metadata["score"]) for document in hits} for hits in found]
        if self.fusion == "rrf":
            scores = reciprocal_rank(rankings)
        else:
            scores = convex_combination(rankings, self.weights or (1 / len(rankings),) * len(rankings))
        best = sorted(scores, key=lambda name: -scores[name])[:k]
        return [with_score(documents[name], scores[name]) for name in best]


def reciprocal_rank(rankings: Sequence[Ranking], constant: int = 60) -> dict[str, float]:
    """Fuse by ranks alone: the sum of 1 / (constant + rank), ranks from 1, over the rankings that have the document.

    Args:
        rankings: Best first; the scores are not looked at.
        constant: How little the top ranks stand out; 60 is Cormack et al.'s.
    """
    fused: dict[str, float] = {}
    for ranking in rankings:
        for rank, name in enumerate(ranking, start=1):
            fused[name] = fused.get(name, 0.0) + 1 / (constant + rank)
    return fused


def convex_combination(rankings: Sequence[Ranking], weights: Sequence[float]) -> dict[str, float]:
    """Fuse by scores: the weighted sum of each ranking's scores, scaled so that its worst is 0 and its best 1.

    A document that a ranking lacks counts there as 0; where all scores of a ranking are equal, they count as 1.

    Args:
        rankings: Best first.
        weights: (n_rankings,), usually summing to 1.
    """
    fused: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        worst, best = min(ranking.values(), default=0.0), max(ranking.values(), default=0.0)
        for name, score in ranking.items():
            scaled = (score - worst) / (best - worst) if best > worst else 1.0
            fused[name] = fused.get(name, 0.0) + weight * scaled
    return fused


def build(documents: Sequence[Document], *, k: int, embeddings: str | None) -> HybridRetriever:
    """Build the registry's "hybrid": BM25 and dense over the same documents."""
    check_corpus(documents)
    lexical = bm25.build(documents, k=k, embeddings=None)
    return HybridRetriever(parts=[lexical, dense.build(documents, k=k, embeddings=embeddings)], k=k)


def _id(document: Document) -> str:
    if document.id is None:
        raise ValueError("a hybrid retriever tells documents apart by their ids; a document has none")
    return document.id
