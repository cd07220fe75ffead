"""BM25 over Korean morphemes: the lexical retriever, strong where a question repeats its passage's words.

The scores are Lucene's variant of BM25, whose inverse document frequency is never negative; k1 and b are bm25s' own
defaults, not tuned on any set.

Source: Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond"; the variants as told
apart by Kamphuis et al. 2020, "Which BM25 Do You Mean?"; weights by bm25s (Lù 2024, arXiv:2407.03618).
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from langchain_core.documents import Document
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from data.errors import ConfigurationError
from retrievers.base import PassageRetriever, check_corpus, collection_paused, with_score
from retrievers.korean import content_tokens

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_SCORES_AT_ONCE = 2**20  # queries × documents of one product: a few MB, however many queries are asked


class Bm25Index(NamedTuple):
    """An inverted index that holds finished weights.

    Attributes:
        rows: token → its row of `weights`.
        weights: (n_tokens, n_documents), float32; what one occurrence in a query adds to each document's score.
    """

    rows: dict[str, int]
    weights: "csr_array"


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
    _index: Bm25Index = PrivateAttr()

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
        scores = bm25_scores(self._index, content_tokens(queries))
        with collection_paused():
            return [self._ranked(of_query, k) for of_query in scores]

    def _ranked(self, scores: NDArray[np.float32], k: int) -> list[Document]:
        best = top_rows(scores, k)
        return [with_score(self.documents[row], score) for row, score in zip(best, scores[best].tolist(), strict=True)]


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


def build_index(tokens: Sequence[list[str]], *, k1: float, b: float) -> Bm25Index:
    """Weigh every token of every document once, so that a query only sums.

    Args:
        tokens: One list for each document; lists may be empty.
        k1: See `Bm25Retriever`.
        b: See `Bm25Retriever`.
    """
    import bm25s
    from scipy.sparse import csr_array

    # bm25s fills the column of tokens itself and cannot divide by a mean length of 0, so a corpus of punctuation alone
    # is given one token that no query has.
    index = bm25s.BM25(method="lucene", k1=k1, b=b)
    index.index(list(tokens) if any(tokens) else [[""] for _ in tokens], show_progress=False)
    starts = index.scores["indptr"]
    weights = (index.scores["data"], index.scores["indices"], starts)
    return Bm25Index(index.vocab_dict, csr_array(weights, shape=(len(starts) - 1, len(tokens))))


def bm25_scores(index: Bm25Index, queries: Sequence[Sequence[str]]) -> Iterator[NDArray[np.float32]]:
    """Yield for each query its scores for all documents, (n_documents,).

    Many queries are one sparse product, (n_queries, n_tokens) @ (n_tokens, n_documents), whose parts are made one
    after the other to bound the memory.

    Args:
        index: From `build_index`.
        queries: Each query's tokens; a repeated token counts again, one that no document has counts nothing.
    """
    at_once = max(1, _SCORES_AT_ONCE // index.weights.shape[1])
    for start in range(0, len(queries), at_once):
        yield from (_occurrences(index, queries[start : start + at_once]) @ index.weights).toarray()


def _occurrences(index: Bm25Index, queries: Sequence[Sequence[str]]) -> "csr_array":
    """Return a 1 for each known token of each query, repeats apart: (n_queries, n_tokens)."""
    from scipy.sparse import csr_array

    known = [[index.rows[token] for token in tokens if token in index.rows] for tokens in queries]
    starts = np.cumsum([0, *map(len, known)])
    columns = np.fromiter(chain.from_iterable(known), dtype=starts.dtype, count=starts[-1])
    ones = np.ones(len(columns), dtype=np.float32)
    return csr_array((ones, columns, starts), shape=(len(queries), index.weights.shape[0]))


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
        matching = scores[rows]
        worst_kept = np.partition(matching, len(rows) - k)[len(rows) - k]
        rows = rows[matching >= worst_kept]
    return rows[np.argsort(-scores[rows], kind="stable")][:k]
