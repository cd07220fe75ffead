"""Retrievers by name. To add one: a factory `(documents, *, k, embeddings) -> BaseRetriever` and a line below."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from data.attributes import load_attribute
from data.errors import ConfigurationError, unknown_name
from data.types import Passage

if TYPE_CHECKING:
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever

RETRIEVERS: dict[str, str] = {
    "bm25": "retrievers.bm25:build",
    "dense": "retrievers.dense:build",
    "hybrid": "retrievers.hybrid:build",
    "hybrid-rrf": "retrievers.hybrid:build_rrf",
}
RETRIEVER_SUMMARIES: dict[str, str] = {
    "bm25": "BM25 over Korean morphemes",
    "dense": "nearest embeddings (--embeddings; default: the packaged e5-small)",
    "hybrid": "bm25 and dense, fused by their scores",
    "hybrid-rrf": "bm25 and dense, fused by their ranks",
}


def build_retriever(
    name: str, passages: Sequence[Passage], *, k: int = 4, chunk: bool = True, embeddings: str | None = None
) -> "BaseRetriever":
    """Index passages and return a retriever over them.

    Args:
        name: A name of `RETRIEVERS`, or the `module:attr` of a factory of your own.
        passages: With unique ids.
        k: Most documents that a query finds; `invoke(query, k=8)` overrides it.
        chunk: Whether to search chunks of whole sentences, or passages as they are.
        embeddings: See `retrievers.embeddings.load_embeddings`; None: the retriever's default.

    Raises:
        ConfigurationError: The name is unknown, `k` is below 1, there is no text to search, two passages have one id,
            or the retriever has no use for `embeddings`.
        MissingResourceError: The embeddings' weights, package or key is not there.
    """
    factory = _factory(name)

    from retrievers.base import check_corpus, check_k
    from retrievers.corpus import chunk_passages, whole_passages

    check_k(k)
    documents = chunk_passages(passages) if chunk else whole_passages(passages)
    check_corpus(documents)
    return _made(name, factory, documents, k=k, embeddings=embeddings)


def retriever_over(
    name: str, documents: Sequence["Document"], *, k: int, embeddings: str | None = None
) -> "BaseRetriever":
    """Return the named retriever over documents that are cut already; all else is as for `build_retriever`."""
    return _made(name, _factory(name), documents, k=k, embeddings=embeddings)


def _factory(name: str) -> Callable[..., Any]:
    if name not in RETRIEVERS and ":" not in name:
        raise unknown_name("retriever", name, RETRIEVERS, "Or give your own as module:attr.")
    factory = load_attribute(RETRIEVERS.get(name, name), kind="retriever")
    if not callable(factory):
        raise ConfigurationError(f"retriever '{name}' is no factory: name a function (documents, *, k, embeddings)")
    checked: Callable[..., Any] = factory
    return checked


def _made(
    name: str, factory: Callable[..., Any], documents: Sequence["Document"], *, k: int, embeddings: str | None
) -> "BaseRetriever":
    from langchain_core.retrievers import BaseRetriever

    retriever = factory(documents, k=k, embeddings=embeddings)
    if not isinstance(retriever, BaseRetriever):
        raise ConfigurationError(
            f"retriever '{name}' made a {type(retriever).__name__}; it must make a langchain_core BaseRetriever"
        )
    return retriever
