"""Reranking: the first hits of a fast retriever, put into order by a model that reads query and text together.

`load_cross_encoder("hf:NAME_OR_DIR")` gives such a model, a LangChain `BaseCrossEncoder` on transformers alone. It
reads pairs of like length together, so that little of a batch is padding.

Source: Nogueira & Cho 2019, "Passage Re-ranking with BERT", arXiv:1901.04085.
"""

from collections.abc import Sequence
from typing import Any

from langchain_core.cross_encoders import BaseCrossEncoder
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field

from data.common.attributes import load_attribute
from data.common.errors import ConfigurationError, MissingResourceError, unknown_name
from data.common.hub import quiet_transformers
from data.common.text import one_line
from retrievers.base import PassageRetriever, search_in, with_score
from retrievers.embeddings import model_folder

# Multilingual, Korean included; Apache-2.0, 568 million parameters. Not packaged: it comes from the hub.
DEFAULT_CROSS_ENCODER = "hf:BAAI/bge-reranker-v2-m3"

_CANDIDATES = 20  # pairs a query at least: each costs a forward pass
_CANDIDATES_PER_K = 2
_BATCH = 32  # pairs of one forward pass
_MAX_TOKENS = 512  # of a pair: what such models are trained on, though some would read more


class RerankRetriever(PassageRetriever):
    """Orders another retriever's hits by a cross-encoder's scores.

    Attributes:
        retriever: Finds the candidates.
        cross_encoder: Any of LangChain's, such as `load_cross_encoder` returns.
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


class TransformersCrossEncoder(BaseCrossEncoder):
    """A transformers model for sequence classification with one output, or two of which the second says "relevant"."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        limit = getattr(model.config, "max_position_embeddings", _MAX_TOKENS)
        self._max_tokens = min(_MAX_TOKENS, tokenizer.model_max_length, limit)

    def score(self, text_pairs: list[tuple[str, str]]) -> list[float]:
        """Return each pair's score, higher is better; of a pair that is too long, its longer text is cut."""
        scores = [0.0] * len(text_pairs)
        rows = sorted(range(len(text_pairs)), key=lambda row: -sum(map(len, text_pairs[row])))
        for start in range(0, len(rows), _BATCH):
            block = rows[start : start + _BATCH]
            for row, score in zip(block, self._score([text_pairs[row] for row in block]), strict=True):
                scores[row] = score
        return scores

    def _score(self, pairs: list[tuple[str, str]]) -> list[float]:
        import torch

        queries, texts = zip(*pairs, strict=True)
        encoded = self._tokenizer(
            list(queries),
            list(texts),
            padding=True,
            truncation="longest_first",
            max_length=self._max_tokens,
            return_tensors="pt",
        )
        with torch.inference_mode():
            logits = self._model(**encoded.to(self._model.device)).logits.float()  # (n_pairs, 1 or 2)
        scores: list[float] = (logits[:, -1] - (logits[:, 0] if logits.shape[1] == 2 else 0)).tolist()
        return scores


def load_cross_encoder(spec: str) -> BaseCrossEncoder:
    """Return the cross-encoder that `spec` names.

    Args:
        spec: "hf:NAME_OR_DIR", any transformers model for sequence classification with one or two outputs and
            safetensors, from the hub or a folder; or "module:attr", your own `BaseCrossEncoder` or a function that
            makes one.

    Raises:
        ConfigurationError: The name is unknown or does not give a cross-encoder.
        MissingResourceError: The model is not there.
    """
    scheme, _, name = spec.partition(":")
    if scheme == "hf" and name:
        return _of_transformers(name)
    if not name:
        raise unknown_name("cross-encoder", spec, ["hf:NAME_OR_DIR", "module:attr"])
    attribute = load_attribute(spec, kind="cross-encoder")
    encoder = attribute() if callable(attribute) else attribute
    if not isinstance(encoder, BaseCrossEncoder):
        raise ConfigurationError(
            f"cross-encoder '{spec}' is a {type(encoder).__name__}; name a langchain_core BaseCrossEncoder or a "
            f"function that makes one"
        )
    return encoder


def _of_transformers(name: str) -> TransformersCrossEncoder:
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    instead = "a retriever without '+rerank'"
    folder = model_folder(name, kind="cross-encoder", instead=instead)
    try:
        config = AutoConfig.from_pretrained(folder)
        if config.num_labels not in (1, 2):
            raise ConfigurationError(
                f"cross-encoder 'hf:{name}' has {config.num_labels} outputs; name one with 1 or 2: how well a text fits"
            )
        tokenizer = AutoTokenizer.from_pretrained(folder)
        with quiet_transformers():
            model = AutoModelForSequenceClassification.from_pretrained(folder, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise MissingResourceError(f"cross-encoder 'hf:{name}' cannot be loaded: {one_line(error)}") from error
    return TransformersCrossEncoder(model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer)
