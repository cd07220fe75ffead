"""What `python -m retrievers` does: index passages, and show what a query finds in them."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data.common.errors import ConfigurationError
from data.common.packaged import cache_dir
from data.common.terminal import emit, emit_json, say
from data.common.text import normalised
from retrievers.base import check_corpus, check_k
from retrievers.corpus import chunk_passages
from retrievers.disk_cache import only_new
from retrievers.index_files import remove_indexes
from retrievers.korean import UserWords, morpheme_spans, sentence_spans, user_words
from retrievers.registry import parse_name, retriever_over
from retrievers.snippets import highlighted, one_line, snippets
from retrievers.sources import read_passages
from retrievers.stored_documents import (
    StoredDocuments,
    holds_documents,
    open_documents,
    texts_fingerprint,
    write_documents,
)

if TYPE_CHECKING:
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever


def index(options: argparse.Namespace) -> None:
    """Cut passages into chunks, index these, and say where the index is."""
    started = time.perf_counter()
    folder, documents = _index_path(options.path, options.out, user_words(options.user_words))
    _retriever(options, documents, folder, k=1)
    seconds = time.perf_counter() - started
    if options.json:
        emit_json({"index": str(folder), "chunks": len(documents), "retriever": options.retriever})
    else:
        emit(str(folder))
    say(f"{len(documents):,} chunks indexed in {seconds:.1f} s")


def search(options: argparse.Namespace) -> None:
    """Show what a query finds, best first."""
    from langsmith import tracing_context

    check_k(options.k)
    query = normalised(options.query)
    if not query.strip():
        raise ConfigurationError("the query is empty; give at least one word to look for")
    if holds_documents(options.path):
        folder, documents = options.path, _opened(options.path, options.user_words)
    else:
        folder, documents = _index_path(options.path, None, user_words(options.user_words))
    retriever = _retriever(options, documents, folder, k=options.k)
    with tracing_context(enabled=False):  # a look-up at a terminal waits for no LangSmith
        hits = retriever.invoke(query)
    if options.json:
        emit_json({"query": query, "retriever": options.retriever, "hits": [_as_json(hit) for hit in hits]})
    elif hits:
        sys.stdout.write(_as_text(query, hits, documents.user_words, bold=sys.stdout.isatty()))
    else:
        say(f"nothing found in {len(documents):,} chunks")


def _opened(folder: Path, words: Path | None) -> StoredDocuments:
    """Open an index, which knows the words it was made with; other ones would find nothing of it."""
    documents = open_documents(folder)
    if words is not None and user_words(words) != documents.user_words:
        raise ConfigurationError(f"{folder} was indexed with other user words than {words}; drop it, or index again")
    return documents


def _index_path(path: Path, out: Path | None, words: UserWords) -> tuple[Path, StoredDocuments]:
    """Cut the passages of a path into chunks and store these; what was analysed before is not analysed again."""
    tokens, sentences = only_new("morphemes", morpheme_spans), only_new("sentences", sentence_spans)
    documents = chunk_passages(read_passages(path), tokens=tokens, find_sentences=sentences)
    check_corpus(documents)
    folder = out or cache_dir() / "indexes" / texts_fingerprint(documents)[:32]
    stored, former_texts = write_documents(folder, documents, user_words=words)
    if former_texts is not None:
        remove_indexes(folder, corpus=former_texts)
    return folder, stored


def _retriever(options: argparse.Namespace, documents: StoredDocuments, folder: Path, *, k: int) -> "BaseRetriever":
    # BM25 alone leaves the documents on disk; embeddings need every text.
    searched = documents if parse_name(options.retriever).base == "bm25" else list(documents)
    return retriever_over(
        options.retriever,
        searched,
        k=k,
        embeddings=options.embeddings,
        index_dir=folder,
        user_words=documents.user_words,
    )


def _as_json(hit: "Document") -> dict[str, object]:
    return {"id": hit.id, "text": hit.page_content, **hit.metadata}


def _as_text(query: str, hits: Sequence["Document"], words: UserWords, *, bold: bool) -> str:
    shown = snippets(query, [hit.page_content for hit in hits], user_words=words)
    lines = []
    for rank, (hit, snippet) in enumerate(zip(hits, shown, strict=True), start=1):
        score = float(hit.metadata.get("score", "nan"))
        lines.append(f"{rank:>2}  {score:.3f}  {one_line(hit.id or '')}\n    {highlighted(snippet, bold=bold)}\n")
    return "".join(lines)
