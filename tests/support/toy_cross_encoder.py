"""A cross-encoder that needs no weights: a pair scores the share of the query's letters that the text has."""

from langchain_core.cross_encoders import BaseCrossEncoder


class SharedLetters(BaseCrossEncoder):
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def score(self, text_pairs: list[tuple[str, str]]) -> list[float]:
        self.asked += text_pairs
        return [len(set(query) & set(text)) / len(set(query)) for query, text in text_pairs]
