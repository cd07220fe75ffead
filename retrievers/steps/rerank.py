"""Reranking: the first hits of a fast retriever, put into order by a model that reads query and text together."""

from collections.abc import Sequence

from langchain_core.cross_encoders import BaseCrossEncoder
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field

from retrievers.base import PassageRetriever, search_in, with_score
from retrievers.steps.cross_encoder import DEFAULT_CROSS_ENCODER, load_cross_encoder

_CANDIDATES = 20  # pairs a query at least: each costs a forward pass
_CANDIDATES_PER_K = 2


class RerankRetriever(PassageRetriever):
    """Orders another retriever's hits by a cross-encoder's scores.

    Attributes:
        retriever: Finds the candidates.
        cross_encoder: Any of LangChain's, such as `retrievers.steps.cross_encoder.load_cross_encoder` returns.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    retriever: BaseRetriever
    cross_encoder: BaseCrossEncoder = Field(repr=False)

    def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        """Find more than `k` candidates for each query; all queries' pairs are scored together."""
        found = search_in(self.retriever, queries, max(_CANDIDATES, _CANDIDATES_PER_K * k))
        pairs = [(query, hit.page_content) for query, hits in zip(queries, found, strict=True) for hit in hits]
        scores = iter(self.cross_encoder.score(pairs) if pairs else ())
        return [_best([with_score(hit, next(scores)) for hit in hits], k) for hits in found]


def _best(hits: Sequence[Document], k: int) -> list[Document]:
    return sorted(hits, key=lambda hit: -float(hit.metadata["score"]))[:k]


def build(retriever: BaseRetriever, documents: Sequence[Document], *, k: int, value: str | None) -> RerankRetriever:
    """Build the registry's step "rerank"; its value names the cross-encoder."""
    return RerankRetriever(retriever=retriever, cross_encoder=load_cross_encoder(value or DEFAULT_CROSS_ENCODER), k=k)
