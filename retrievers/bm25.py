"""BM25 over Korean morphemes: the lexical retriever, strong where a question repeats its passage's words.

The weights are those of `retrievers.bm25_index`; k1 and b are Anserini's defaults (Yang, Fang & Lin 2017, SIGIR), which
did better on five KICE exams than those of Lucene and of bm25s and were tuned no further. With an
`index_dir` the index is kept on disk: see `retrievers.index_files`.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.documents import Document
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr, ValidatorFunctionWrapHandler, field_validator

from data.common.errors import ConfigurationError
from retrievers.base import PassageRetriever, check_corpus, collection_paused, with_score
from retrievers.bm25_index import Bm25Index, bm25_scores, build_index, top_rows
from retrievers.disk_cache import AnalysisCache
from retrievers.index_files import IndexSettings, persisted_index
from retrievers.korean import UserWords, analysis_identity, content_tokens, user_words
from retrievers.registry import NOTHING_KEPT, Kept
from retrievers.stored_documents import StoredDocuments, texts_fingerprint

_ANALYSED_AT_ONCE = 1000  # texts whose tokens are in memory together; enough to keep all cores busy


class Bm25Retriever(PassageRetriever):
    """Ranks documents by BM25 over content morphemes.

    Only documents that share a morpheme with the query are found, so there can be fewer than `k`.

    Attributes:
        documents: The corpus; what is found keeps their ids and metadata.
        k1: How slowly a repeated term's weight saturates.
        b: How much long documents are held back; 0 not at all, 1 in proportion.
        user_words: Words that Kiwi is to know besides its own: a file, its lines, or what
            `retrievers.korean.user_words` returns.
        index_dir: A folder to keep the index in, for any number of corpora and settings: the same documents and
            settings open it again at once, and only texts that were never analysed before go through Kiwi. None:
            in memory only.
    """

    documents: Sequence[Document] = Field(repr=False)
    k1: float = Field(default=0.9, ge=0)
    b: float = Field(default=0.4, ge=0, le=1)
    user_words: UserWords = Field(default=(), repr=False)
    index_dir: Path | None = None
    _index: Bm25Index = PrivateAttr()

    @field_validator("user_words", mode="before")
    @classmethod
    def _read_user_words(cls, given: Any) -> UserWords:
        return user_words(given)

    @field_validator("documents", mode="wrap")
    @classmethod
    def _stored_ones_stay_on_disk(cls, documents: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        return documents if isinstance(documents, StoredDocuments) else validate(documents)

    def model_post_init(self, context: Any, /) -> None:
        """Build the index, or open it.

        Raises:
            ConfigurationError: There are no documents, or the index cannot be written.
        """
        check_corpus(self.documents)
        tokens = partial(content_tokens, user_words=self.user_words)
        if self.index_dir is None:
            self._index = self._built(tokens)
            return
        settings = IndexSettings(
            corpus=texts_fingerprint(self.documents),
            n_documents=len(self.documents),
            analysis=analysis_identity(self.user_words),
            k1=self.k1,
            b=self.b,
        )
        analyse = partial(AnalysisCache(user_words=self.user_words).look_up, "tokens", analyse=tokens)
        self._index = persisted_index(self.index_dir, settings, lambda: self._built(analyse))

    def _built(self, analyse: Callable[[Sequence[str]], list[list[str]]]) -> Bm25Index:
        return build_index(self._tokens(analyse), k1=self.k1, b=self.b)

    def _tokens(self, analyse: Callable[[Sequence[str]], list[list[str]]]) -> Iterator[list[str]]:
        for start in range(0, len(self.documents), _ANALYSED_AT_ONCE):
            block = self.documents[start : start + _ANALYSED_AT_ONCE]
            yield from analyse([document.page_content for document in block])

    def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        """Find each query's documents by their BM25 scores, best first."""
        scores = bm25_scores(self._index, content_tokens(queries, user_words=self.user_words))
        with collection_paused():
            return [self._ranked(of_query, k) for of_query in scores]

    def _ranked(self, scores: NDArray[np.float32], k: int) -> list[Document]:
        best = top_rows(scores, k)
        return [with_score(self.documents[row], score) for row, score in zip(best, scores[best].tolist(), strict=True)]


def build(
    documents: Sequence[Document],
    *,
    k: int,
    embeddings: str | None,
    kept: Kept = NOTHING_KEPT,
) -> Bm25Retriever:
    """Build the registry's "bm25", or one whose index is kept in a folder.

    Raises:
        ConfigurationError: An embedding model was named, which BM25 would silently not use.
    """
    if embeddings is not None:
        raise ConfigurationError(
            f"retriever 'bm25' uses no embeddings but '{embeddings}' was given; drop it, or use 'dense' or 'hybrid'"
        )
    return Bm25Retriever(documents=documents, index_dir=kept.index_dir, user_words=kept.user_words, k=k)
