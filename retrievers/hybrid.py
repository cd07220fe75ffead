"""Hybrid retrieval: what several retrievers find, fused into one ranking.

Morphemes find names and numbers, embeddings find paraphrases; together they miss less. The default fusion is the convex
combination of normalised scores: Bruch et al. found it better than reciprocal ranks in and out of domain, because it
keeps how far apart the scores are.

Source: Bruch, Gai & Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS (arXiv:2210.11934);
Cormack, Clarke & Büttcher 2009, "Reciprocal Rank Fusion", SIGIR.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from langchain_core.documents import Document

from retrievers import bm25, dense
from retrievers.base import PassageRetriever, check_corpus, id_of, score_of, with_score
from retrievers.registry import NOTHING_KEPT, Kept

Ranking = Mapping[str, float]  # document id → score, best first

# Chosen on five KICE exams (2019, 2021 to 2024), by MRR@10 meaned over three kinds of query: a problem, its question
# alone, and single choices. Of 0, 0.1, … 1, 0.4 was best with 0.3 next to it, and theoretical floors at any weight
# were worse. So figures on those exams are not held out; those on KorQuAD are.
DENSE_WEIGHT = 0.4

_MIN_CANDIDATES = 50
_CANDIDATES_PER_K = 4


class HybridRetriever(PassageRetriever):
    """Fuses the rankings of its parts.

    Attributes:
        parts: Retrievers over the same documents, which must have ids.
        fusion: "convex" (see `convex_combination`) or "rrf" (see `reciprocal_rank`).
        weights: One for each part in a convex combination; None: equal ones.
        floors: One for each part in a convex combination: the lowest score that it can give at all (BM25: 0, a
            cosine: -1), or None for the lowest that it gave. None: the lowest given, for every part.
    """

    parts: Sequence[PassageRetriever]
    fusion: Literal["convex", "rrf"] = "convex"
    weights: tuple[float, ...] | None = None
    floors: tuple[float | None, ...] | None = None

    def model_post_init(self, context: Any, /) -> None:
        """Check that parts, weights and floors belong together."""
        if not self.parts:
            raise ValueError("a hybrid retriever needs at least one part")
        for kind, given in (("weight", self.weights), ("floor", self.floors)):
            if given is not None and (self.fusion == "rrf" or len(given) != len(self.parts)):
                raise ValueError(f"{given} must be one {kind} for each of {len(self.parts)} parts, with 'convex'")
        if self.weights is not None and not (min(self.weights) >= 0 and 0 < sum(self.weights) < math.inf):
            raise ValueError(f"weights {self.weights} must be finite, none below 0 and one above")

    def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        """Ask every part for more than `k` candidates and return the best of their fused ranking.

        The depth grows with `k`, and scaled scores depend on the depth: a larger `k` may reorder the first few.
        """
        depth = max(_MIN_CANDIDATES, _CANDIDATES_PER_K * k)
        found = [part.search(queries, depth) for part in self.parts]
        return [self._fuse(of_query, k, depth) for of_query in zip(*found, strict=True)]

    def _fuse(self, found: Sequence[list[Document]], k: int, depth: int) -> list[Document]:
        documents = {id_of(document): document for hits in found for document in hits}
        rankings = [{id_of(document): score_of(document) for document in hits} for hits in found]
        if self.fusion == "rrf":
            scores = reciprocal_rank(rankings)
        else:
            weights = self.weights or (1 / len(rankings),) * len(rankings)
            scores = convex_combination(rankings, weights, floors=self.floors, depth=depth)
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


def convex_combination(
    rankings: Sequence[Ranking],
    weights: Sequence[float],
    *,
    floors: Sequence[float | None] | None = None,
    depth: int | None = None,
) -> dict[str, float]:
    """Fuse by scores: the weighted sum of each ranking's scores, scaled so that its floor is 0 and its best 1.

    A document that a ranking lacks counts there as 0 or, where the ranking was cut, as its worst, which that document
    cannot exceed.

    Args:
        rankings: Best first.
        weights: (n_rankings,), usually summing to 1.
        floors: (n_rankings,), the lowest score that is possible ("theoretical min-max"), or None for the ranking's
            worst ("min-max"); None: that for all.
        depth: Rankings of at least this length were cut; None: none was.

    Source: Bruch et al. 2023, section 3 (the convex combination, TM2C2 and its min-max variant).
    """
    fused = dict.fromkeys((name for ranking in rankings for name in ranking), 0.0)
    for ranking, weight, floor in zip(rankings, weights, floors or (None,) * len(rankings), strict=True):
        scaled = scale_scores(ranking, floor=floor)
        cut = depth is not None and len(ranking) >= depth
        missing = min(scaled.values(), default=0.0) if cut and floor is not None else 0.0
        for name in fused:
            fused[name] += weight * scaled.get(name, missing)
    return fused


def scale_scores(ranking: Ranking, *, floor: float | None = None) -> dict[str, float]:
    """Scale scores to 0 for the floor and 1 for the best; where all scores are equal, they count as 1.

    Args:
        ranking: Best first.
        floor: The lowest score that is possible; None: the ranking's worst.
    """
    worst, best = min(ranking.values(), default=0.0), max(ranking.values(), default=0.0)
    low = worst if floor is None else min(floor, worst)
    return {name: (score - low) / (best - low) if best > low else 1.0 for name, score in ranking.items()}


def build(
    documents: Sequence[Document], *, k: int, embeddings: str | None, kept: Kept = NOTHING_KEPT
) -> HybridRetriever:
    """Build the registry's "hybrid": BM25 and dense over the same documents, by their scores."""
    parts = _parts(documents, k, embeddings, kept)
    return HybridRetriever(parts=parts, weights=(1 - DENSE_WEIGHT, DENSE_WEIGHT), k=k)


def build_rrf(
    documents: Sequence[Document], *, k: int, embeddings: str | None, kept: Kept = NOTHING_KEPT
) -> HybridRetriever:
    """Build the registry's "hybrid-rrf": BM25 and dense over the same documents, by their ranks."""
    return HybridRetriever(parts=_parts(documents, k, embeddings, kept), fusion="rrf", k=k)


def _parts(documents: Sequence[Document], k: int, embeddings: str | None, kept: Kept) -> list[PassageRetriever]:
    check_corpus(documents)
    lexical = bm25.build(documents, k=k, embeddings=None, kept=kept)
    return [lexical, dense.build(documents, k=k, embeddings=embeddings, kept=kept)]
