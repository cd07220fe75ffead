"""What every retriever of the project has in common: `k`, real batches, traces, and scores on the documents.

A retriever implements `search` alone. LangChain's `invoke`, `batch`, `ainvoke` and `abatch` follow from it, and in a
batch each query still is a retriever run of its own, with its own config and callbacks.
"""

import gc
import hashlib
import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import get_config_list, run_in_executor
from pydantic import field_validator

from data.common.errors import ConfigurationError
from data.common.text import normalised, text_of

Found = dict[str, list[Document]]  # query → its documents, best first


class PassageRetriever(BaseRetriever):
    """A retriever over passages or chunks of them.

    A blank query finds nothing. A `k` beyond the corpus returns all that was found. A query is looked up in the form
    in which all text is read (`data.common.text.normalised`).

    Attributes:
        k: Most documents to return; `invoke(query, k=8)` overrides it for one call.
    """

    k: int = 4

    @abstractmethod
    def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        """Find each query's documents, best first, with `score` in their metadata (higher is better).

        Args:
            queries: None of them blank.
            k: At least 1.
        """

    @field_validator("k")
    @classmethod
    def _k_is_positive(cls, k: int) -> int:
        return check_k(k)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        found: Future[Found] | None = None,
    ) -> list[Document]:
        if not isinstance(query, str):
            raise TypeError(f"a query is a string, not {type(query).__name__}")
        k, query = check_k(self.k if k is None else k), normalised(query)
        if not query.strip():
            return []
        return list(found.result()[query]) if found else self.search([query], k)[0]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: int | None = None,
        found: Future[Found] | None = None,
    ) -> list[Document]:
        sync = run_manager.get_sync()
        return await run_in_executor(None, self._get_relevant_documents, query, run_manager=sync, k=k, found=found)

    def batch(
        self,
        inputs: list[str],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[list[Document]]:
        """Find all queries' documents in one pass; each query is its own run in a trace.

        The runs only pick up what the pass has found, so they follow one another: threads would cost more than they do.
        """
        configs = [None] * len(inputs) if config is None else get_config_list(config, len(inputs))
        runs = list(zip(inputs, configs, strict=True))
        with self._one_pass(inputs, kwargs.get("k")) as found:
            if return_exceptions:
                one_run = super().batch  # it starts no thread for a single input
                return [one_run([query], own, return_exceptions=True, found=found, **kwargs)[0] for query, own in runs]
            return [self.invoke(query, own, found=found, **kwargs) for query, own in runs]

    async def abatch(
        self,
        inputs: list[str],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[list[Document]]:
        """Do as `batch` does, without blocking the event loop."""
        with self._one_pass(inputs, kwargs.get("k")) as found:
            return await super().abatch(inputs, config, return_exceptions=return_exceptions, found=found, **kwargs)

    @contextmanager
    def _one_pass(self, inputs: Sequence[str], k: int | None) -> Iterator[Future[Found]]:
        """Search for all queries at once; the runs wait for the future, so a failure is every waiting run's own."""
        read = (normalised(query) for query in inputs if isinstance(query, str))
        queries = list(dict.fromkeys(query for query in read if query.strip()))

        def search_all() -> Found:
            return dict(zip(queries, self.search(queries, check_k(self.k if k is None else k)), strict=True))

        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="retriever")
        try:
            yield executor.submit(search_all)
        finally:
            executor.shutdown(wait=False)


def search_in(retriever: BaseRetriever, queries: Sequence[str], k: int) -> list[list[Document]]:
    """Find each query's documents with any retriever, as a part of another one's run and not as a run of its own.

    Args:
        retriever: One of LangChain's takes `k` per call, or finds as many as it was made to.
        queries: None of them blank.
        k: At least 1.
    """
    if isinstance(retriever, PassageRetriever):
        return retriever.search(queries, k)
    return [identified(hits) for hits in retriever.batch(list(queries), {"callbacks": []}, k=k)]


def identified(documents: Sequence[Document]) -> list[Document]:
    """Return what any retriever found, each document with an id and a score: LangChain asks for neither.

    An id is the document's own, else `id` in its metadata, else its `source` with a digest of its text (several parts
    of one source are found), else the digest. The source is then its passage. Where a document has no number as its
    `score`, all of them get one over their rank; where it names no passage, it is one.

    Args:
        documents: Found for one query, best first.
    """
    scores = [_score(document.metadata.get("score")) for document in documents]
    if None not in scores and all(one.id is not None and "passage_id" in one.metadata for one in documents):
        return list(documents)
    ranked = [1 / rank for rank in range(1, len(documents) + 1)] if None in scores else scores
    return [_named(document, score) for document, score in zip(documents, ranked, strict=True)]


def _score(said: object) -> float | None:
    """Return a number as one; None for anything else: a retriever of the user's own may give anything."""
    try:
        score = float(said)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001  # whatever the class of it raises
        return None
    return score if math.isfinite(score) else None


def _named(document: Document, score: float | None) -> Document:
    metadata, name = {**document.metadata, "score": score}, document.id
    if name is None and (given := metadata.get("id")) is not None:
        name = text_of(given)
    elif name is None:
        name = hashlib.sha256(document.page_content.encode("utf-8", "replace")).hexdigest()[:12]
        if (source := metadata.get("source")) is not None:
            metadata.setdefault("passage_id", text_of(source))
            name = f"{text_of(source)}#{name}"
    return document.model_copy(update={"id": name, "metadata": {"passage_id": name, **metadata}})


def id_of(document: Document) -> str:
    """Return the id that documents are told apart by, as `identified` gives each one.

    Raises:
        ValueError: It has none.
    """
    if document.id is None:
        raise ValueError("found documents are told apart by their ids; a document has none")
    return document.id


def score_of(document: Document) -> float:
    """Return how well a found document fits, as its retriever says, or `identified` in its place."""
    return float(document.metadata["score"])


def check_k(k: int) -> int:
    """Return `k` if it can be a number of documents.

    Raises:
        ConfigurationError: It is below 1.
    """
    if k < 1:
        raise ConfigurationError(f"k is {k}; a retriever returns at least 1 document: give k ≥ 1")
    return k


def check_corpus(documents: Sequence[Document]) -> None:
    """Refuse a corpus in which nothing can be found.

    Raises:
        ConfigurationError: There are no documents.
    """
    if not documents:
        raise ConfigurationError("the corpus is empty: no passage has any text; give at least one that has")


def with_score(document: Document, score: float) -> Document:
    """Return a copy of `document` that carries `score`; the index's own documents are never changed."""
    return document.model_copy(update={"metadata": {**document.metadata, "score": float(score)}})


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keep Python's cyclic garbage collector off while very many documents are made.

    All of them stay, so it would walk over them, and over all else that the process holds, again and again for
    nothing: a third of a search's time. Only the caller's short loop belongs in here, never a model.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
