"""Embeddings that need no weights: a text is the counts of its letters, spread over a few dimensions."""

import zlib

import numpy as np
from langchain_core.embeddings import Embeddings

DIMENSIONS = 32


def letter_counts(text: str) -> list[float]:
    vector = [0.0] * DIMENSIONS
    for letter in text:
        vector[zlib.crc32(letter.encode("utf-8", "replace")) % DIMENSIONS] += 1.0
    return vector


class LetterEmbeddings(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [letter_counts(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return letter_counts(text)


class CountingModel:
    """An `EmbeddingModel.embed` that keeps every text it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __call__(self, texts: list[str], kind: str) -> np.ndarray:
        self.asked += [(kind, text) for text in texts]
        return np.array([letter_counts(f"{kind}: {text}") for text in texts], dtype=np.float32)
