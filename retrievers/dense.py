"""Dense retrieval: documents whose embeddings point the same way as the query's.

The index is FAISS's exact inner product over normalised vectors, that is, cosine similarity. FAISS is used directly:
LangChain's vector store adds a document store that is saved as a pickle, and its scores are distances by default.

Source: FAISS (Douze et al. 2024, arXiv:2401.08281), MIT.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from retrievers.base import PassageRetriever, check_corpus, with_score
from retrievers.embeddings import DEFAULT_EMBEDDINGS, CachedEmbeddings, Kind, load_embeddings


class DenseRetriever(PassageRetriever):
    """Ranks documents by the cosine of their embedding and the query's.

    Attributes:
        documents: The corpus; what is found keeps their ids and metadata.
        embeddings: Any LangChain embeddings.
    """

    documents: Sequence[Document] = Field(repr=False)
    embeddings: Embeddings = Field(repr=False)
    _index: Any = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Embed the documents and build the index.

        Raises:
            ConfigurationError: There are no documents.
        """
        import faiss

        check_corpus(self.documents)
        vectors = unit_vectors(self.embeddings, [document.page_content for document in self.documents], kind="passage")
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)

    def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        """Find each query's documents by cosine, best first."""
        if not queries:
            return []
        vectors = unit_vectors(self.embeddings, queries, kind="query")
        scores, rows = self._index.search(vectors, min(k, len(self.documents)))  # both (n_queries, k)
        return [
            [with_score(self.documents[row], score) for row, score in zip(*hits, strict=True)]
            for hits in zip(rows, scores, strict=True)
        ]


def build(documents: Sequence[Document], *, k: int, embeddings: str | None) -> DenseRetriever:
    """Build the registry's "dense"; without a name the embeddings are the packaged ones."""
    check_corpus(documents)
    return DenseRetriever(documents=documents, embeddings=load_embeddings(embeddings or DEFAULT_EMBEDDINGS), k=k)


def unit_vectors(embeddings: Embeddings, texts: Sequence[str], *, kind: Kind) -> NDArray[np.float32]:
    """Embed texts and scale each vector to length 1.

    Args:
        embeddings: Any LangChain embeddings.
        texts: At least one.
        kind: Whether the texts are searched with or searched for.

    Returns:
        (n_texts, dim); a vector of zeros stays one.
    """
    if isinstance(embeddings, CachedEmbeddings):
        vectors = embeddings.vectors(texts, kind)
    elif kind == "passage":
        vectors = np.asarray(embeddings.embed_documents(list(texts)), dtype=np.float32)
    else:
        vectors = np.asarray([embeddings.embed_query(text) for text in texts], dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny))
