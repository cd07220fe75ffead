"""Dense retrieval: documents whose embeddings point the same way as the query's.

The index is FAISS's exact inner product over normalised vectors, that is, cosine similarity. FAISS is used directly:
LangChain's vector store adds a document store that is saved as a pickle, and its scores are distances by default.

One vector for a long document is the mean of its tokens, in which the one sentence that answers drowns. So a document
can also be cut into windows of a few sentences; it then scores the mean of two cosines, the whole document's and its
best window's. (Both are inner products with the query, so their mean is one inner product with the mean of the two
vectors: the index needs one vector a window and nothing else.)

Source: FAISS (Douze et al. 2024, arXiv:2401.08281), MIT; a document scored by its best passage: Dai & Callan 2019,
"Deeper Text Understanding for IR with Contextual Neural Language Modeling", SIGIR (arXiv:1905.09217).
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from data.common.text import normalised
from data.types import Passage
from retrievers.base import PassageRetriever, check_corpus, with_score
from retrievers.corpus import FindSpans, chunk_passages
from retrievers.disk_cache import only_new
from retrievers.embeddings import DEFAULT_EMBEDDINGS, CachedEmbeddings, Kind, load_embeddings
from retrievers.korean import sentence_spans
from retrievers.registry import NOTHING_KEPT, Kept

# That windows help was first seen on KorQuAD's dev set; how large they are was chosen on five KICE exams (2019, 2021 to
# 2024), by the hybrid's MRR@10, meaned over three kinds of query: a problem, its question alone, and single choices.
# From 60 to 200 characters the difference is small there.
WINDOW_CHARS = 150


class DenseRetriever(PassageRetriever):
    """Ranks documents by the cosine of their embedding and the query's.

    Attributes:
        documents: The corpus; what is found keeps their ids and metadata.
        embeddings: Any LangChain embeddings.
        window_chars: Most characters of a window, for documents to be scored by their best window too (see the
            module); None: by the whole document alone.
        find_sentences: Returns each text's sentences, of which windows are made; a caller may keep them.
    """

    documents: Sequence[Document] = Field(repr=False)
    embeddings: Embeddings = Field(repr=False)
    window_chars: int | None = Field(default=None, ge=1)
    find_sentences: FindSpans = Field(default=sentence_spans, repr=False)
    _index: Any = PrivateAttr()
    _owners: NDArray[np.int64] = PrivateAttr()  # (n_vectors,), the row of each vector's document

    def model_post_init(self, context: Any, /) -> None:
        """Embed the documents and build the index.

        Raises:
            ConfigurationError: There are no documents.
        """
        import faiss

        check_corpus(self.documents)
        texts = [document.page_content for document in self.documents]
        vectors = unit_vectors(self.embeddings, texts, kind="passage")
        self._owners = np.arange(len(texts))
        if self.window_chars is not None:
            windows = cut_texts(texts, max_chars=self.window_chars, find_sentences=self.find_sentences)
            vectors, self._owners = _with_windows(self.embeddings, windows, vectors)
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)

    def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        """Find each query's documents by cosine, best first."""
        if not queries:
            return []
        vectors = unit_vectors(self.embeddings, queries, kind="query")
        return [
            [with_score(self.documents[row], score) for row, score in scores.items()]
            for scores in self._best_documents(vectors, min(k, len(self.documents)))
        ]

    def _best_documents(self, vectors: NDArray[np.float32], k: int) -> list[dict[int, float]]:
        """Return each query's first `k` documents, best first, by row, each with its best vector's score.

        Where many of the best vectors are of one document, k vectors are fewer than k documents; such queries are asked
        again, deeper.
        """
        best: list[dict[int, float]] = [{} for _ in vectors]
        unfinished, depth = list(range(len(vectors))), k
        while unfinished:
            depth = min(depth, len(self._owners))
            scores, places = self._index.search(vectors[unfinished], depth)  # both (n_unfinished, depth)
            for query, rows, of_query in zip(unfinished, self._owners[places].tolist(), scores.tolist(), strict=True):
                found: dict[int, float] = {}
                for row, score in zip(rows, of_query, strict=True):
                    found.setdefault(row, score)  # best first: the first score of a document is its best
                best[query] = dict(list(found.items())[:k])
            if depth == len(self._owners):
                break  # every document has been seen
            unfinished = [query for query in unfinished if len(best[query]) < k]
            depth *= 2
        return best


def build(
    documents: Sequence[Document], *, k: int, embeddings: str | None, kept: Kept = NOTHING_KEPT
) -> DenseRetriever:
    """Build the registry's "dense", with windows; without a name the embeddings are the packaged ones.

    Vectors are always kept, by their texts; with a `kept.index_dir` so are the sentences that windows are made of.
    """
    check_corpus(documents)
    model = load_embeddings(embeddings or DEFAULT_EMBEDDINGS)
    find = sentence_spans if kept.index_dir is None else only_new("sentences", sentence_spans)
    return DenseRetriever(documents=documents, embeddings=model, window_chars=WINDOW_CHARS, find_sentences=find, k=k)


def cut_texts(
    texts: Sequence[str], *, max_chars: int, find_sentences: FindSpans = sentence_spans
) -> list[tuple[int, str]]:
    """Return the windows of whole sentences of those texts that have more than one, each with its text's row.

    Args:
        texts: Any texts; a blank one has no window.
        max_chars: Most characters of a window; only sentences longer than that are cut.
        find_sentences: As for `retrievers.corpus.chunk_passages`.
    """
    long = [Passage(id=str(row), text=text) for row, text in enumerate(texts) if len(text) > max_chars]
    chunks = chunk_passages(long, max_tokens=max_chars, overlap_tokens=0, tokens="chars", find_sentences=find_sentences)
    windows = [(int(chunk.metadata["passage_id"]), chunk.page_content) for chunk in chunks]
    sizes = Counter(row for row, _ in windows)
    return [(row, text) for row, text in windows if sizes[row] > 1]


def _with_windows(
    embeddings: Embeddings, windows: Sequence[tuple[int, str]], vectors: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return a vector for each window, halfway to its document's, and the documents' rows.

    A document without windows keeps its own vector.
    """
    if not windows:
        return vectors, np.arange(len(vectors))
    rows = np.array([row for row, _ in windows])
    mixed = (vectors[rows] + unit_vectors(embeddings, [text for _, text in windows], kind="passage")) / 2
    whole = np.setdiff1d(np.arange(len(vectors)), rows)
    return np.concatenate([vectors[whole], mixed]), np.concatenate([whole, rows])


def unit_vectors(embeddings: Embeddings, texts: Sequence[str], *, kind: Kind) -> NDArray[np.float32]:
    """Embed texts in the form in which all text is read, and scale each vector to length 1.

    Args:
        embeddings: Any LangChain embeddings.
        texts: At least one.
        kind: Whether the texts are searched with or searched for.

    Returns:
        (n_texts, dim); a vector of zeros stays one.
    """
    texts = [normalised(text) for text in texts]
    if isinstance(embeddings, CachedEmbeddings):
        vectors = embeddings.vectors(texts, kind)
    elif kind == "passage":
        vectors = np.asarray(embeddings.embed_documents(texts), dtype=np.float32)
    else:
        vectors = np.asarray([embeddings.embed_query(text) for text in texts], dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny))
