"""Retrieval sets: queries, passages, and which passages each query should find.

`load_jsonl` reads a user's own set from a folder with three files, one JSON object a line:

    queries.jsonl   {"id": "q1", "text": "…"}
    passages.jsonl  {"id": "p1", "text": "…"}
    qrels.jsonl     {"query": "q1", "passage": "p1"}
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from data.errors import ConfigurationError, MissingResourceError
from data.rows import read_rows, required_text
from data.types import Frozen, Passage


class Query(Frozen):
    """What is looked up, and the ids of the passages that answer it."""

    id: str = Field(min_length=1)
    text: str
    relevant: frozenset[str] = Field(min_length=1)


class RetrievalSet(Frozen):
    """Queries over one pool of passages; ids are unique, and every relevant passage is in the pool."""

    name: str
    queries: tuple[Query, ...] = Field(min_length=1)
    passages: tuple[Passage, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ids_agree(self) -> Self:
        for kind, ids in (("query", [q.id for q in self.queries]), ("passage", [p.id for p in self.passages])):
            if repeated := _repeated(ids):
                raise ValueError(f"{self.name}: {kind} id {repeated!r} occurs more than once")
        known = {passage.id for passage in self.passages}
        for query in self.queries:
            if unknown := sorted(query.relevant - known):
                raise ValueError(f"{self.name}: query {query.id!r} is answered by unknown passage {unknown[0]!r}")
        return self


def load_jsonl(path: Path | None) -> RetrievalSet:
    """Read a retrieval set from a folder with queries.jsonl, passages.jsonl and qrels.jsonl.

    Raises:
        ConfigurationError: No folder was named, a row is malformed, an id is repeated or unknown, or a query
            has no relevant passage; the message names the file and the line or the id.
        MissingResourceError: The folder or one of its files is not there.
    """
    if path is None:
        raise ConfigurationError("retrieval set 'jsonl' needs --data FOLDER with queries, passages and qrels .jsonl")
    files = {name: path / f"{name}.jsonl" for name in ("queries", "passages", "qrels")}
    for file in files.values():
        if not file.is_file():
            raise MissingResourceError(f"there is no {file}; a retrieval set is queries, passages and qrels .jsonl")
    queries, passages = _texts(files["queries"]), _texts(files["passages"])
    relevant = _relevant(files["qrels"], queries=queries, passages=passages)
    unanswered = [name for name in queries if name not in relevant]
    if unanswered:
        more = f" (and {len(unanswered) - 1} more queries)" if len(unanswered) > 1 else ""
        raise ConfigurationError(f"{files['qrels']}: no relevant passage for query {unanswered[0]!r}{more}")
    return RetrievalSet(
        name=path.resolve().name,
        queries=tuple(Query(id=name, text=text, relevant=frozenset(relevant[name])) for name, text in queries.items()),
        passages=tuple(Passage(id=name, text=text) for name, text in passages.items()),
    )


def _texts(path: Path) -> dict[str, str]:
    texts: dict[str, str] = {}
    for place, row in read_rows(path):
        name = required_text(path, place, row, "id")
        if name in texts or not name:
            raise ConfigurationError(f"{path}, {place}: id {name!r} is {'repeated' if name else 'empty'}")
        texts[name] = required_text(path, place, row, "text")
    if not texts:
        raise ConfigurationError(f"{path}: is empty")
    return texts


def _relevant(path: Path, *, queries: dict[str, str], passages: dict[str, str]) -> dict[str, set[str]]:
    relevant: dict[str, set[str]] = {}
    for place, row in read_rows(path):
        query, passage = required_text(path, place, row, "query"), required_text(path, place, row, "passage")
        for kind, name, known in (("query", query, queries), ("passage", passage, passages)):
            if name not in known:
                raise ConfigurationError(f"{path}, {place}: unknown {kind} {name!r}")
        relevant.setdefault(query, set()).add(passage)
    return relevant


def _repeated(ids: Iterable[str]) -> str | None:
    return next((name for name, count in Counter(ids).items() if count > 1), None)
