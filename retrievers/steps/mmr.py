"""Maximal marginal relevance: hits that fit the query and do not repeat each other.

Chunks overlap, and passages on one subject say the same things; the first few hits can be one piece of evidence
several times. Here each further hit is the one whose relevance, less its likeness to what was chosen before, is most.

Source: Carbonell & Goldstein 1998, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing
Summaries", SIGIR.
"""

from collections.abc import Sequence

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from numpy.typing import NDArray
from pydantic import Field

from data.common.errors import ConfigurationError
from retrievers.base import PassageRetriever, score_of, search_in, with_score
from retrievers.dense import DenseRetriever, unit_vectors
from retrievers.korean import content_tokens

Matrix = NDArray[np.float64]  # (n, n)

# Half and half would let the second hit be about something else altogether; the paper's own summaries used 0.7.
DEFAULT_LAMBDA = 0.7

_MIN_CANDIDATES = 20
_CANDIDATES_PER_K = 4


class MmrRetriever(PassageRetriever):
    """Chooses among another retriever's hits.

    The relevance is that retriever's own score. It and the likeness are scaled to 0 and 1 over a query's candidates,
    for BM25's scores have no bound and the cosines of some models all lie between 0.7 and 1.

    Attributes:
        retriever: Its documents must have scores.
        lambda_: How much relevance counts, against likeness to the hits before: 1 is the retriever's own ranking.
        embeddings: Likeness is the cosine of two hits' embeddings; None: the share of their morphemes that both have
            (Jaccard's index).
    """

    retriever: BaseRetriever
    lambda_: float = Field(default=DEFAULT_LAMBDA, ge=0, le=1)
    embeddings: Embeddings | None = Field(default=None, repr=False)

    def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        """Find more than `k` candidates for each query and choose among them; the score is the marginal relevance."""
        found = search_in(self.retriever, queries, max(_MIN_CANDIDATES, _CANDIDATES_PER_K * k))
        return [self._chosen(hits, k) for hits in found]

    def _chosen(self, hits: Sequence[Document], k: int) -> list[Document]:
        if not hits:
            return []
        relevance = _scaled(np.array([score_of(hit) for hit in hits]))
        chosen = marginal_relevance(relevance, self._likeness(hits), lambda_=self.lambda_, k=k)
        return [with_score(hits[row], score) for row, score in chosen]

    def _likeness(self, hits: Sequence[Document]) -> Matrix:
        texts = [hit.page_content for hit in hits]
        if self.embeddings is None:
            likeness = _shared_morphemes(texts)
        else:
            vectors = unit_vectors(self.embeddings, texts, kind="passage").astype(float)
            likeness = vectors @ vectors.T
        pairs = ~np.eye(len(hits), dtype=bool)
        likeness[pairs] = _scaled(likeness[pairs])
        return likeness


def marginal_relevance(
    relevance: NDArray[np.float64], likeness: Matrix, *, lambda_: float, k: int
) -> list[tuple[int, float]]:
    """Choose rows one after the other, each the best by λ · relevance − (1 − λ) · its likeness to the nearest chosen.

    Args:
        relevance: (n,), to the query.
        likeness: (n, n), of each pair; the diagonal is not looked at.
        lambda_: Between 0 and 1.
        k: Most rows to choose.

    Returns:
        The rows with their marginal relevance, which never rises; of equal ones the first.
    """
    nearest = np.zeros(len(relevance))  # nothing is chosen yet, so nothing is repeated
    left = np.ones(len(relevance), dtype=bool)
    chosen: list[tuple[int, float]] = []
    for _ in range(min(k, len(relevance))):
        marginal = np.where(left, lambda_ * relevance - (1 - lambda_) * nearest, -np.inf)
        row = int(marginal.argmax())
        chosen.append((row, float(marginal[row])))
        left[row] = False
        nearest = np.maximum(nearest, likeness[row])
    return chosen


def _shared_morphemes(texts: Sequence[str]) -> Matrix:
    sets = [frozenset(tokens) for tokens in content_tokens(texts)]
    return np.array([[len(a & b) / max(len(a | b), 1) for b in sets] for a in sets])


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale to 0 for the least and 1 for the most; equal values all count as 1."""
    if not len(values) or values.min() == values.max():
        return np.ones_like(values)
    scaled: NDArray[np.float64] = (values - values.min()) / (values.max() - values.min())
    return scaled


def build(retriever: BaseRetriever, documents: Sequence[Document], *, k: int, value: str | None) -> MmrRetriever:
    """Build the registry's step "mmr", by the embeddings of the dense retriever before it where there is one.

    Raises:
        ConfigurationError: The value is no number from 0 to 1.
    """
    try:
        lambda_ = DEFAULT_LAMBDA if value is None else float(value)
    except ValueError:
        lambda_ = -1
    if not 0 <= lambda_ <= 1:
        raise ConfigurationError(f"retriever step 'mmr={value}' needs a λ from 0 to 1, such as mmr={DEFAULT_LAMBDA}")
    return MmrRetriever(retriever=retriever, lambda_=lambda_, embeddings=_embeddings_of(retriever), k=k)


def _embeddings_of(retriever: BaseRetriever) -> Embeddings | None:
    if isinstance(retriever, DenseRetriever):
        return retriever.embeddings
    inner = [*getattr(retriever, "parts", ()), getattr(retriever, "retriever", None)]
    found = (_embeddings_of(part) for part in inner if isinstance(part, BaseRetriever))
    return next((embeddings for embeddings in found if embeddings is not None), None)
