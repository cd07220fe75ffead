"""Retrievers by name: one of `RETRIEVERS`, and after it any of `STEPS`, each after a "+".

    NAME[+STEP[=VALUE]]…    hybrid    bm25+neighbours=2    hybrid+multi-query+rerank=hf:my-folder    my_module:build+mmr

Steps are applied from left to right: each is a retriever over what the one before it finds. To add a retriever: a
factory `(documents, *, k, embeddings) -> BaseRetriever` and a line below; to add a step: a factory
`(retriever, documents, *, k, value) -> BaseRetriever` and a line.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from data.common.attributes import load_attribute
from data.common.errors import ConfigurationError, unknown_name
from data.types import Passage

if TYPE_CHECKING:
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever

    from retrievers.korean import UserWords

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
STEPS: dict[str, str] = {
    "multi-query": "retrievers.steps.multi_query:build",
    "rerank": "retrievers.steps.rerank:build",
    "mmr": "retrievers.steps.mmr:build",
    "neighbours": "retrievers.steps.neighbours:build",
}
STEP_SUMMARIES: dict[str, str] = {
    "multi-query": "the query and each line of it (the question, each choice) by itself, fused by rank",
    "rerank": "the first hits in a cross-encoder's order (rerank=hf:NAME_OR_DIR; default: bge-reranker-v2-m3)",
    "mmr": "hits that do not repeat each other (mmr=λ, from 0 to 1; default: 0.7)",
    "neighbours": "a hit with the chunks beside it (neighbours=N on each side; default: 1)",
}


class Kept(NamedTuple):
    """What a factory of `RETRIEVERS` is given besides what every factory is given.

    Attributes:
        index_dir: A folder in which BM25's index is kept, and that Kiwi's analyses are to be kept too; None: neither.
        user_words: Words that BM25 is to know besides Kiwi's own; the factory of "dense" ignores them.
    """

    index_dir: Path | None = None
    user_words: "UserWords" = ()


NOTHING_KEPT = Kept()


class Plan(NamedTuple):
    """A retriever's name, taken apart.

    Attributes:
        base: A name of `RETRIEVERS`, or `module:attr`.
        steps: A name of `STEPS` or `module:attr` each, with what follows its "=".
    """

    base: str
    steps: tuple[tuple[str, str | None], ...]


def build_retriever(
    name: str,
    passages: Sequence[Passage],
    *,
    k: int = 4,
    chunk: bool = True,
    embeddings: str | None = None,
    index_dir: Path | None = None,
    user_words: Any = None,
) -> "BaseRetriever":
    """Index passages and return a retriever over them.

    Args:
        name: See the module; a retriever or a step of your own is named by its factory's `module:attr`.
        passages: What is searched; ids are unique.
        k: Most documents that a query finds; `invoke(query, k=8)` overrides it.
        chunk: Whether to search chunks of whole sentences, or passages as they are.
        embeddings: See `retrievers.embeddings.load_embeddings`; None: the retriever's default.
        index_dir: See `Kept`; a second run over the same passages then analyses and embeds none of them.
        user_words: What `retrievers.korean.user_words` accepts.

    Raises:
        ConfigurationError: The name is unknown, `k` is below 1, there is no text to search, two passages have one id,
            or the retriever has no use for `embeddings` or `user_words`.
        MissingResourceError: A model's weights, package or key is not there.
    """
    plan = parse_name(name)

    from retrievers.base import check_corpus, check_k

    check_k(k)
    documents = _documents(passages, chunk=chunk, keep=index_dir is not None)
    check_corpus(documents)
    return _made(plan, documents, k=k, embeddings=embeddings, kept=_kept(plan, index_dir, user_words))


def retriever_over(
    name: str,
    documents: Sequence["Document"],
    *,
    k: int,
    embeddings: str | None = None,
    index_dir: Path | None = None,
    user_words: Any = None,
) -> "BaseRetriever":
    """Return the named retriever over documents that are cut already; all else is as for `build_retriever`."""
    plan = parse_name(name)
    return _made(plan, documents, k=k, embeddings=embeddings, kept=_kept(plan, index_dir, user_words))


def parse_name(name: str) -> Plan:
    """Take a retriever's name apart.

    Raises:
        ConfigurationError: The retriever or a step is unknown; the message says which and what is known.
    """
    base, *steps = name.split("+")
    if base not in RETRIEVERS and ":" not in base:
        hint = "Or give your own as module:attr; steps follow a '+', as in hybrid+rerank."
        raise unknown_name("retriever", base, RETRIEVERS, hint)
    parsed = []
    for step in steps:
        step_name, equals, value = step.partition("=")
        if step_name not in STEPS and ":" not in step_name:
            raise unknown_name("retriever step", step_name, STEPS, "Or give your own as module:attr.")
        if equals and not value:
            raise ConfigurationError(f"retriever '{name}': nothing follows '{step}'; give a value, or drop the '='")
        parsed.append((step_name, value or None))
    return Plan(base, tuple(parsed))


def uses_embeddings(name: str) -> bool:
    """Say whether a retriever can be given embeddings; one of the user's own may use them."""
    return parse_name(name).base != "bm25"


def check_user_words(name: str) -> None:
    """Refuse a user's own words for a retriever that has no BM25 of the project's.

    Raises:
        ConfigurationError: See above; or the retriever or a step is unknown.
    """
    base = parse_name(name).base
    if base not in RETRIEVERS or base == "dense":
        raise ConfigurationError(
            f"retriever '{base}' uses no user words but some were given; drop them, or use 'bm25' or 'hybrid'"
        )


def _documents(passages: Sequence[Passage], *, chunk: bool, keep: bool) -> list["Document"]:
    """Return what is searched; `keep` is whether Kiwi's analyses are kept for the next time."""
    from retrievers.corpus import chunk_passages, whole_passages
    from retrievers.disk_cache import only_new
    from retrievers.korean import morpheme_spans, sentence_spans

    if not chunk:
        return whole_passages(passages)
    if not keep:
        return chunk_passages(passages)
    tokens, sentences = only_new("morphemes", morpheme_spans), only_new("sentences", sentence_spans)
    return chunk_passages(passages, tokens=tokens, find_sentences=sentences)


def _made(
    plan: Plan, documents: Sequence["Document"], *, k: int, embeddings: str | None, kept: Kept
) -> "BaseRetriever":
    base = _factory("retriever", plan.base, RETRIEVERS)
    own = {"kept": kept} if plan.base in RETRIEVERS else {}  # which a user's factory does not know
    made = _checked(plan.base, base(documents, k=k, embeddings=embeddings, **own))
    for step, value in plan.steps:
        made = _checked(step, _factory("retriever step", step, STEPS)(made, documents, k=k, value=value))
    return made


def _kept(plan: Plan, index_dir: Path | None, given: Any) -> Kept:
    from retrievers.korean import user_words

    if words := user_words(given):
        check_user_words(plan.base)
    return Kept(index_dir, words)


def _factory(kind: str, name: str, known: dict[str, str]) -> Callable[..., Any]:
    factory = load_attribute(known.get(name, name), kind=kind)
    if not callable(factory):
        wanted = "(documents, *, k, embeddings)" if kind == "retriever" else "(retriever, documents, *, k, value)"
        raise ConfigurationError(f"{kind} '{name}' is no factory: name a function {wanted}")
    checked: Callable[..., Any] = factory
    return checked


def _checked(name: str, made: object) -> "BaseRetriever":
    from langchain_core.retrievers import BaseRetriever

    if not isinstance(made, BaseRetriever):
        raise ConfigurationError(
            f"retriever '{name}' made a {type(made).__name__}; it must make a langchain_core BaseRetriever"
        )
    return made
