"""Retrieval that is good at Korean: sentence chunks, BM25 over morphemes, dense search, and their fusion.

    from retrievers import build_retriever, passages_from_items
    retriever = build_retriever("hybrid", passages_from_items(items), k=4)
    retriever.invoke("…")

The names are loaded on first use, so that `import retrievers` costs nothing.
"""

from importlib import import_module
from typing import Any

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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'retrievers' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
