"""BM25 over Korean morphemes: the lexical retriever, strong where a question repeats its passage's words.

The scores are Lucene's variant of BM25, whose inverse document frequency is never negative; k1 and b are bm25s' own
defaults, not tuned on any set.

Source: Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond"; the variants as told
apart by Kamphuis et al. 2020, "Which BM25 Do You Mean?"; index by bm25s (Lù 2024, arXiv:2407.03618).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from langchain_core.documents import Document
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from data.errors import ConfigurationError
from retrievers.base import PassageRetriever, check_corpus, with_score
from retrievers.korean import content_tokens


class Bm25Retriever(PassageRetriever):
    """Ranks documents by BM25 over content morphemes.

    Only documents that share a morpheme with the query are found, so there can be fewer than `k`.

    Attributes:
        documents: The corpus; what is found keeps their ids and metadata.
        k1: How slowly a repeated term's weight saturates.
        b: How much long documents are held back; 0 not at all, 1 in proportion.
    """

    documents: Sequence[Document] = Field(repr=False)
    k1: float = Field(default=1.5, ge=0)
    b: float = Field(default=0.75, ge=0, le=1)
    _index: Any = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Build the index.

        Raises:
            ConfigurationError: There are no documents.
        """
        check_corpus(self.documents)
        self._index = build_index(
            content_tokens([document.page_content for document in self.documents]), k1=self.k1, b=self.b
        )

    def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        """Find each query's documents by their BM25 scores, best first."""
        return [self._ranked(bm25_scores(self._index, tokens), k) for tokens in content_tokens(queries)]

    def _ranked(self, scores: NDArray[np.float32], k: int) -> list[Document]:
        return [with_score(self.documents[row], scores[row]) for row in top_rows(scores, k)]


def build(documents: Sequence[Document], *, k: int, embeddings: str | None) -> Bm25Retriever:
    """Build the registry's "bm25".

    Raises:
        ConfigurationError: An embedding model was named, which BM25 would silently not use.
    """
    if embeddings is not None:
        raise ConfigurationError(
            f"retriever 'bm25' uses no embeddings but '{embeddings}' was given; drop it, or use 'dense' or 'hybrid'"
        )
    return Bm25Retriever(documents=documents, k=k)


def build_index(tokens: Sequence[list[str]], *, k1: float, b: float) -> Any:
    """Weigh every token of every document once, so that a query only sums.

    Args:
        tokens: One list for each document; lists may be empty.
        k1: See `Bm25Retriever`.
        b: See `Bm25Retriever`.

    Returns:
        A `bm25s.BM25`.
    """
    import bm25s

    # bm25s fills the column of tokens itself and cannot divide by a mean length of 0, so a corpus of punctuation alone
    # is given one token that no query has.
    index = bm25s.BM25(method="lucene", k1=k1, b=b)
    index.index(list(tokens) if any(tokens) else [[""] for _ in tokens], show_progress=False)
    return index


def bm25_scores(index: Any, tokens: list[str]) -> NDArray[np.float32]:
    """Return each document's score for the query's tokens, a repeated token counting again: (n_documents,)."""
    scores: NDArray[np.float32] = index.get_scores_from_ids(index.get_tokens_ids(tokens))
    return scores


def top_rows(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Return the rows of the `k` best scores above 0, best first; equal scores keep the corpus's order.

    Args:
        scores: (n_documents,).
        k: At least 1.

    Returns:
        At most (k,).
    """
    rows = np.flatnonzero(scores > 0)
    if len(rows) > k:
        worst_kept = np.partition(scores[rows], len(rows) - k)[len(rows) - k]
        rows = rows[scores[rows] >= worst_kept]
    return rows[np.argsort(-scores[rows], kind="stable")][:k]
