"""Embedding models by name: "e5-small", "minilm", "hf:NAME_OR_DIR", "openai:NAME" or "module:attr".

Each loader gives one function that embeds texts either as queries or as passages, because models such as E5 want to be
told which; and an identity, under which the vectors are kept on disk.
"""

import hashlib
import os
import re
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from data.common.attributes import load_attribute
from data.common.errors import ConfigurationError, MissingResourceError, unknown_name
from data.common.hub import hub_downloads, hub_errors, hub_said
from data.common.packaged import PACKAGED, cache_dir, converted, converted_folder, weights_path
from data.common.text import one_line
from retrievers.disk_cache import EmbeddingStore, store_path, text_key

Kind = Literal["query", "passage"]
Vectors = NDArray[np.float32]  # (n_texts, dim)

DEFAULT_EMBEDDINGS = "e5-small"
TOKENIZER_FILES = ("*.json", "*.txt", "*.model")
MODEL_FILES = (*TOKENIZER_FILES, "*.safetensors")
_HUB_TIMEOUT_S = 5.0
_loading = threading.Lock()  # two threads would hold the weights twice
_BLOCK = 256  # texts embedded before their vectors are kept: what an interrupted run loses at most
# An E5 model by its name: multilingual-e5-small, e5-base-v2, KoE5. The instruct variants want other prefixes.
_E5_NAME = re.compile(r"(?:^|[-_]|ko)e5(?:[-_]|$)(?!.*instruct)", re.IGNORECASE)


class EmbeddingModel(NamedTuple):
    """A loaded model: what it is, and how it embeds texts of one kind.

    Attributes:
        identity: Names the weights, how they are run, and the prefixes.
        embed: Texts and their kind → (n_texts, dim).
    """

    identity: str
    embed: Callable[[list[str], Kind], Vectors]


class CachedEmbeddings(Embeddings):
    """LangChain embeddings whose vectors are kept on disk and which embed many queries at once."""

    def __init__(self, model: EmbeddingModel, store: EmbeddingStore) -> None:
        self.model = model
        self.store = store

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each passage."""
        return [[float(value) for value in vector] for vector in self.vectors(texts, "passage")]

    def embed_query(self, text: str) -> list[float]:
        """Return the query's vector."""
        return [float(value) for value in self.vectors([text], "query")[0]]

    def vectors(self, texts: Sequence[str], kind: Kind) -> Vectors:
        """Return a vector for each text, asking the model only for those that the store lacks.

        Args:
            texts: At least one.
            kind: Whether they are searched with or searched for.
        """
        keys = [text_key(kind, text) for text in texts]
        known = self.store.get(list(dict.fromkeys(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        for start in range(0, len(missing), _BLOCK):
            block = dict(list(missing.items())[start : start + _BLOCK])
            fresh = dict(zip(block, self.model.embed(list(block.values()), kind), strict=True))
            self.store.put(fresh)
            known |= fresh
        return np.stack([known[key] for key in keys])


def load_embeddings(spec: str) -> Embeddings:
    """Return the embedding model that `spec` names as LangChain embeddings whose vectors are kept in the cache.

    Args:
        spec: As for `load_model`; "module:attr" is not cached: nothing tells two versions of it apart.
    """
    if _is_own(spec):
        return _own_embeddings(spec)
    model = load_model(spec)
    return CachedEmbeddings(model, EmbeddingStore(store_path(cache_dir(), model.identity)))


def load_model(spec: str) -> EmbeddingModel:
    """Return the embedding model that `spec` names.

    Args:
        spec: "e5-small" (packaged weights, many languages), "minilm" (packaged weights, English); "hf:NAME_OR_DIR", any
            sentence-transformers model with safetensors, from the hub or a folder; "openai:NAME"; or "module:attr",
            your own `Embeddings` or a function that makes one.

    Raises:
        ConfigurationError: The name is unknown or does not give embeddings.
        MissingResourceError: The weights, the package or the key is not there.
    """
    scheme, _, name = spec.partition(":")
    if spec in _PACKAGED:
        return _PACKAGED[spec]()
    if scheme == "hf" and name:
        return _sentence_transformer(name)
    if scheme == "openai" and name:
        return _openai(name)
    if not _is_own(spec):
        raise unknown_name("embeddings", spec, [*_PACKAGED, "hf:NAME_OR_DIR", "openai:NAME", "module:attr"])
    own = _own_embeddings(spec)
    return EmbeddingModel(spec, lambda texts, kind: np.asarray(own.embed_documents(texts), dtype=np.float32))


def _is_own(spec: str) -> bool:
    scheme, _, name = spec.partition(":")
    return bool(name) and scheme not in ("hf", "openai")


def _packaged_minilm() -> EmbeddingModel:
    """Load all-MiniLM-L6-v2 (Apache-2.0): English, texts are cut at 256 tokens.

    Source: Reimers and Gurevych 2019, "Sentence-BERT", arXiv:1908.10084.
    """
    encoder = _minilm_encoder(weights_path("minilm").parent)
    return EmbeddingModel(f"minilm:{PACKAGED['minilm'].sha256}", lambda texts, kind: encoder.encode(texts))


@cache
def _minilm_encoder(folder: Path) -> Any:
    from retrievers.sentence_encoder import SentenceEncoder

    return SentenceEncoder(folder, max_length=256)


def _packaged_e5() -> EmbeddingModel:
    """Name multilingual-e5-small (MIT), which is loaded when the first vector is wanted; texts are read whole.

    Source: Wang et al. 2024, "Multilingual E5 Text Embeddings", arXiv:2402.05672.
    """
    file = weights_path("e5-small")

    def embed(texts: list[str], kind: Kind) -> Vectors:
        with _loading:
            encoder = _e5_encoder(file)
        vectors: Vectors = encoder.encode(texts, f"{kind}: ")
        return vectors

    return EmbeddingModel(converted_folder("e5-small").name, embed)


@cache
def _e5_encoder(file: Path) -> Any:
    """Load the weights once a process, or anew where the package has been installed somewhere else."""
    from retrievers.packaged_e5 import PackagedE5, convert

    return PackagedE5(converted("e5-small", convert, duration="ten seconds"))


_PACKAGED: dict[str, Callable[[], EmbeddingModel]] = {"e5-small": _packaged_e5, "minilm": _packaged_minilm}


def _sentence_transformer(name: str) -> EmbeddingModel:
    folder = model_folder(name, kind="embeddings model", instead="'e5-small' (packaged)")
    try:
        from langchain_huggingface import HuggingFaceEmbeddings

        model = HuggingFaceEmbeddings(model_name=str(folder))
    except ImportError as error:
        raise MissingResourceError(
            f"embeddings 'hf:{name}' need sentence-transformers; run: pip install sentence-transformers"
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"embeddings 'hf:{name}' cannot be loaded: {' '.join(str(error).split())}") from error
    query_prefix, passage_prefix = ("query: ", "passage: ") if _E5_NAME.search(Path(name).name) else ("", "")

    def embed(texts: list[str], kind: Kind) -> Vectors:
        prefix = query_prefix if kind == "query" else passage_prefix
        return np.asarray(model.embed_documents([prefix + text for text in texts]), dtype=np.float32)

    return EmbeddingModel(f"hf:{_folder_digest(folder)}:{query_prefix}:{passage_prefix}", embed)


def _folder_digest(folder: Path) -> str:
    """Identify a model by its files' contents where they are small, else by size and time of change."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        stat = path.stat()
        content = path.read_bytes() if path.suffix == ".json" else f"{stat.st_size}:{stat.st_mtime_ns}".encode()
        digest.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _openai(name: str) -> EmbeddingModel:
    if not os.environ.get("OPENAI_API_KEY"):
        raise MissingResourceError(f"embeddings 'openai:{name}' need a key; set OPENAI_API_KEY, or use 'e5-small'")
    from langchain_openai import OpenAIEmbeddings
    from openai import OpenAIError

    server = os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE") or ""
    # Counting tokens needs OpenAI's vocabulary, which is fetched from the net; our chunks are far below the limit.
    model = OpenAIEmbeddings(model=name, check_embedding_ctx_length=False)

    def embed(texts: list[str], kind: Kind) -> Vectors:
        try:
            return np.asarray(model.embed_documents(texts), dtype=np.float32)
        except OpenAIError as error:
            raise MissingResourceError(f"embeddings 'openai:{name}' did not answer: {one_line(error)}") from error

    return EmbeddingModel(f"openai:{name}@{server}", embed)


def _own_embeddings(spec: str) -> Embeddings:
    attribute = load_attribute(spec, kind="embeddings")
    embeddings = attribute() if callable(attribute) and not isinstance(attribute, Embeddings) else attribute
    if not isinstance(embeddings, Embeddings):
        raise ConfigurationError(
            f"embeddings '{spec}' is a {type(embeddings).__name__}; name a langchain_core Embeddings or a function "
            f"that makes one"
        )
    return embeddings


def model_folder(name: str, *, kind: str, instead: str, files: Sequence[str] = MODEL_FILES) -> Path:
    """Return the folder of a Hugging Face model: a local one as it is, a hub model's after what is missing was fetched.

    No pickled weights are ever fetched: what is loaded from the folder must be safetensors.

    Args:
        name: A folder, or a model's name on the hub.
        kind: What the model is for, for the message.
        instead: What could be named in its place, for the message.
        files: Patterns of what is fetched.

    Raises:
        MissingResourceError: It is neither, or the hub cannot be reached.
    """
    if Path(name).is_dir():
        return Path(name).resolve()
    from huggingface_hub import snapshot_download

    left_out = ["onnx/*", "openvino/*"]
    try:
        with hub_downloads(name):
            return Path(
                snapshot_download(
                    name, allow_patterns=list(files), ignore_patterns=left_out, etag_timeout=_HUB_TIMEOUT_S
                )
            )
    except hub_errors() as error:
        raise MissingResourceError(
            f"{kind} 'hf:{name}' is no folder here, and {hub_said(error, name)}; "
            f"use {instead} or 'hf:DIR' with a folder that holds the model"
        ) from error
