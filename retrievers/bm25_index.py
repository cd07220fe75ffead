"""The inverted index of BM25: token counts of documents become finished weights, and queries become sums of them.

Every weight is computed when the index is built, so that a query only adds up rows. In come each document's tokens;
the index itself knows nothing of Korean, of documents or of files (see `retrievers.index_files`).

The scores are Lucene's variant of BM25, whose inverse document frequency is never negative.

Source: Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond"; the variants as told
apart by Kamphuis et al. 2020, "Which BM25 Do You Mean?"; finished weights as in bm25s (Lù 2024, arXiv:2407.03618),
with which these agree bit for bit. That library itself takes half as long again or more to index, and holds all tokens
of the corpus in memory meanwhile (`python -m benches bm25`).
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_SCORES_AT_ONCE = 2**20  # queries × documents of one product: a few MB, however many queries there are


class Bm25Index(NamedTuple):
    """An inverted index that holds finished weights.

    Attributes:
        rows: token → its row of `weights`.
        weights: (n_tokens, n_documents), float32; what one occurrence in a query adds to each document's score.
    """

    rows: dict[str, int]
    weights: "csr_array"


class _Counts(NamedTuple):
    """How often each document has each token, (n_documents, n_tokens) in compressed rows, by rising document."""

    rows: dict[str, int]  # token → its column here, its row in the index
    counts: "array[int]"
    columns: "array[int]"
    starts: "array[int]"
    lengths: "array[int]"  # tokens of each document, repeats and all


def build_index(tokens: Iterable[Sequence[str]], *, k1: float, b: float) -> Bm25Index:
    """Weigh every token of every document once, so that a query only sums.

    Args:
        tokens: One list for each document, taken one after the other; lists may be empty.
        k1: See `retrievers.bm25.Bm25Retriever`.
        b: See `retrievers.bm25.Bm25Retriever`.
    """
    from scipy.sparse import csr_array

    counted = _count(tokens)
    shape = (len(counted.lengths), len(counted.rows))
    # scipy's products copy indices of 4 bytes to 8 where those of the other side have 8: all have 4 where they fit.
    starts = np.asarray(counted.starts).astype(np.int32 if len(counted.columns) < 2**31 else np.int64)
    by_token = csr_array((np.asarray(counted.counts), np.asarray(counted.columns), starts), shape=shape).tocsc()
    weights = _weigh(by_token.data, by_token.indices, by_token.indptr, np.asarray(counted.lengths), k1=k1, b=b)
    return Bm25Index(counted.rows, csr_array((weights, by_token.indices, by_token.indptr), shape=shape[::-1]))


def _count(tokens: Iterable[Sequence[str]]) -> _Counts:
    # Numbers go into flat arrays at once: a list of 100,000 documents' tokens would alone take most of a gigabyte.
    counted = _Counts({}, array("i"), array("i"), array("q", [0]), array("q"))
    rows = counted.rows
    for of_document in tokens:
        occurrences = Counter(of_document)
        counted.columns.extend([rows.setdefault(token, len(rows)) for token in occurrences])
        counted.counts.extend(occurrences.values())
        counted.starts.append(len(counted.columns))
        counted.lengths.append(len(of_document))
    return counted


def _weigh(
    counts: NDArray[np.int32],
    documents: NDArray[np.int32],
    starts: NDArray[np.int32],
    lengths: NDArray[np.int64],
    *,
    k1: float,
    b: float,
) -> NDArray[np.float32]:
    """Return the weight of each count, (n_counts,): idf · count / (count + k1 (1 − b + b · length / mean length))."""
    n_documents = len(lengths)
    held_by = np.diff(starts)  # (n_tokens,): documents that have the token
    idf = [math.log(1 + (n_documents - n + 0.5) / (n + 0.5)) for n in held_by.tolist()]
    norms = k1 * ((1 - b) + b * lengths / (lengths.mean() or 1))  # a corpus of punctuation alone has mean length 0
    weights: NDArray[np.float64] = norms[documents]
    weights += counts
    np.divide(counts, weights, out=weights)
    weights *= np.repeat(np.array(idf, dtype=np.float32), held_by)
    return weights.astype(np.float32)


def bm25_scores(index: Bm25Index, queries: Sequence[Sequence[str]]) -> Iterator[NDArray[np.float32]]:
    """Yield for each query its scores for all documents, (n_documents,).

    Many queries are one sparse product, (n_queries, n_tokens) @ (n_tokens, n_documents), whose parts are made one
    after the other to bound the memory; for a single one, adding up its rows is twice as fast.

    Args:
        index: What `build_index` returned.
        queries: Each query's tokens; a repeated token counts again, one that no document has counts nothing.
    """
    known = [[index.rows[token] for token in tokens if token in index.rows] for tokens in queries]
    if len(known) == 1:
        yield _added_up(index.weights, known[0])
        return
    at_once = max(1, _SCORES_AT_ONCE // index.weights.shape[1])
    for start in range(0, len(known), at_once):
        yield from (_occurrences(index.weights, known[start : start + at_once]) @ index.weights).toarray()


def _added_up(weights: "csr_array", rows: Sequence[int]) -> NDArray[np.float32]:
    """Return the sum of rows, (n_documents,), in their order, as the product adds them up."""
    scores = np.zeros(weights.shape[1], dtype=np.float32)
    for row in rows:
        own = slice(weights.indptr[row], weights.indptr[row + 1])
        scores[weights.indices[own]] += weights.data[own]  # a row has each of its documents once
    return scores


def _occurrences(weights: "csr_array", queries: Sequence[Sequence[int]]) -> "csr_array":
    """Return a 1 for each row that a query adds up, repeats apart: (n_queries, n_tokens)."""
    from scipy.sparse import csr_array

    starts = np.cumsum([0, *map(len, queries)], dtype=weights.indptr.dtype)
    columns = np.fromiter(chain.from_iterable(queries), dtype=starts.dtype, count=starts[-1])
    ones = np.ones(len(columns), dtype=np.float32)
    return csr_array((ones, columns, starts), shape=(len(queries), weights.shape[0]))


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
