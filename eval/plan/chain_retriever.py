"""The retriever of a chain's entry, over the passages of its items or of the user's own.

An entry and passages in; out come the retriever and what the manifest says of it: all that can change what it finds.
"""

from typing import TYPE_CHECKING, Any

from eval.plan.context import Passages
from eval.plan.settings.specs import SystemSpec
from eval.rundir.description import RetrieverDescription

if TYPE_CHECKING:
    from langchain_core.retrievers import BaseRetriever


def chain_retriever(spec: SystemSpec, passages: Passages) -> tuple["BaseRetriever", RetrieverDescription]:
    """Return the retriever of an entry, and its description.

    The user's words are described by what they are, not by their file: other words are another system, and the same
    words in another order or under another name the same one.

    Raises:
        ConfigurationError: As `retrievers.registry.build_retriever`; or a line of the words is malformed.
        MissingResourceError: Likewise; or the file of the words cannot be read.
    """
    from retrievers.index_files import cached_indexes
    from retrievers.korean import user_words, words_sha256
    from retrievers.registry import build_retriever

    words = user_words(spec.user_words)
    known = {"user_words_sha256": words_sha256(words)} if words else {}
    known |= {"passages": passages.source} if passages.source is not None else {}
    description = RetrieverDescription(name=spec.retriever, embeddings=spec.embeddings, k=spec.k, **known)
    more: dict[str, Any] = {
        "k": spec.k,
        "embeddings": spec.embeddings,
        "index_dir": cached_indexes(),
        "user_words": words,
    }
    return build_retriever(str(spec.retriever), passages.texts, **more), description
