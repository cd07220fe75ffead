"""What `python -m retrievers` does: index passages, and show what a query finds in them."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import ConfigurationError
from data.packaged import cache_dir
from retrievers import bm25
from retrievers.analysis_cache import AnalysisCache
from retrievers.base import check_corpus, check_k
from retrievers.corpus import chunk_passages
from retrievers.index_files import remove_indexes
from retrievers.korean import sentence_spans
from retrievers.registry import retriever_over
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
    folder, documents = _index_path(options.path, options.out)
    _retriever(options.retriever, documents, folder, k=1, embeddings=options.embeddings)
    seconds = time.perf_counter() - started
    if options.json:
        _print_json({"index": str(folder), "chunks": len(documents), "retriever": options.retriever})
    else:
        sys.stdout.write(f"{folder}\n")
    sys.stderr.write(f"{len(documents):,} chunks indexed in {seconds:.1f} s\n")


def search(options: argparse.Namespace) -> None:
    """Show what a query finds, best first."""
    check_k(options.k)
    if not options.query.strip():
        raise ConfigurationError("the query is empty; give at least one word to look for")
    if holds_documents(options.path):
        folder, documents = options.path, open_documents(options.path)
    else:
        folder, documents = _index_path(options.path, None)
    retriever = _retriever(options.retriever, documents, folder, k=options.k, embeddings=options.embeddings)
    hits = retriever.invoke(options.query)
    if options.json:
        _print_json({"query": options.query, "retriever": options.retriever, "hits": [_as_json(hit) for hit in hits]})
    elif hits:
        sys.stdout.write(_as_text(options.query, hits, bold=sys.stdout.isatty()))
    else:
        sys.stderr.write(f"nothing found in {len(documents):,} chunks\n")


def _index_path(path: Path, out: Path | None) -> tuple[Path, StoredDocuments]:
    """Cut the passages of a path into chunks and store these; what was analysed before is not analysed again."""
    find_sentences = partial(AnalysisCache().look_up, "sentences", analyse=sentence_spans)
    documents = chunk_passages(read_passages(path), find_sentences=find_sentences)
    check_corpus(documents)
    folder = out or cache_dir() / "indexes" / texts_fingerprint(documents)[:32]
    stored, former_texts = write_documents(folder, documents)
    if former_texts is not None:
        remove_indexes(folder, corpus=former_texts)
    return folder, stored


def _retriever(
    name: str, documents: StoredDocuments, folder: Path, *, k: int, embeddings: str | None
) -> "BaseRetriever":
    if name == "bm25":
        return bm25.build(documents, k=k, embeddings=embeddings, index_dir=folder)
    return retriever_over(name, list(documents), k=k, embeddings=embeddings)


def _as_json(hit: "Document") -> dict[str, object]:
    return {"id": hit.id, "text": hit.page_content, **hit.metadata}


def _as_text(query: str, hits: Sequence["Document"], *, bold: bool) -> str:
    shown = snippets(query, [hit.page_content for hit in hits])
    lines = []
    for rank, (hit, snippet) in enumerate(zip(hits, shown, strict=True), start=1):
        score = float(hit.metadata.get("score", "nan"))
        lines.append(f"{rank:>2}  {score:.3f}  {one_line(hit.id or '')}\n    {highlighted(snippet, bold=bold)}\n")
    return "".join(lines)


def _print_json(content: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")
