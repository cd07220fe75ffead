"""What is looked up: passages and a query come in.

Out go the chunks that fit the query best, by BM25 over Korean morphemes, by embeddings, or by both.

    from retrievers import build_retriever, passages_from_items
    retriever = build_retriever("hybrid", passages_from_items(items), k=4)
    retriever.invoke("…")

The names are loaded on first use, so that `import retrievers` costs nothing.
"""

from data.common.attributes import late_names

_HOMES = {
    "RETRIEVERS": "retrievers.registry",
    "STEPS": "retrievers.registry",
    "build_retriever": "retrievers.registry",
    "PassageRetriever": "retrievers.base",
    "Bm25Retriever": "retrievers.bm25",
    "DenseRetriever": "retrievers.dense",
    "HybridRetriever": "retrievers.hybrid",
    "MultiQueryRetriever": "retrievers.steps.multi_query",
    "RerankRetriever": "retrievers.steps.rerank",
    "MmrRetriever": "retrievers.steps.mmr",
    "NeighboursRetriever": "retrievers.steps.neighbours",
    "load_cross_encoder": "retrievers.steps.rerank",
    "load_embeddings": "retrievers.embeddings",
    "chunk_passages": "retrievers.corpus",
    "whole_passages": "retrievers.corpus",
    "passages_from_items": "retrievers.corpus",
}
__all__ = list(_HOMES)
__getattr__ = late_names(__name__, _HOMES)
