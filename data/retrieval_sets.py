"""Retrieval sets: queries, passages, and which passages each query should find.

`load_jsonl` reads a user's own set from a folder with three files, one JSON object a line:

    queries.jsonl   {"id": "q1", "text": "…"}
    passages.jsonl  {"id": "p1", "text": "…"}
    qrels.jsonl     {"query": "q1", "passage": "p1"}

or one in BEIR's layout: see `data.beir`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from data.common.errors import ConfigurationError, MissingResourceError
from data.formats import described, folder_kind
from data.rows import read_rows, required_text
from data.types import Frozen, Passage, Text


class Query(Frozen):
    """What is looked up, and the ids of the passages that answer it."""

    id: str = Field(min_length=1)
    text: Text
    relevant: frozenset[str] = Field(min_length=1)


class RetrievalSet(Frozen):
    """Queries over one pool of passages; ids are unique, and every relevant passage is in the pool.

    Attributes:
        own_hits: Whether the passage that has a query's id is a hit like any other. In BEIR's layout it is the query's
            own text, which is no find, unless the set says that it answers the query.
    """

    name: str
    queries: tuple[Query, ...] = Field(min_length=1)
    passages: tuple[Passage, ...] = Field(min_length=1)
    own_hits: bool = True

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
    """Read a retrieval set from a folder with queries.jsonl, passages.jsonl and qrels.jsonl, or in BEIR's layout.

    Raises:
        ConfigurationError: No folder was named, a row is malformed, an id is repeated or unknown, or a query
            has no relevant passage; the message names the file and the line or the id.
        MissingResourceError: The folder or one of its files is not there.
    """
    from data.beir import CORPUS_FILE, load_beir

    if path is None:
        raise ConfigurationError("retrieval set 'jsonl' needs --data FOLDER with queries, passages and qrels .jsonl")
    if path.is_file():
        raise ConfigurationError(f"{path} is {described(path)}; a retrieval set is a folder: name the one it is in")
    if (path / CORPUS_FILE).is_file():
        return load_beir(path)
    files = {name: path / f"{name}.jsonl" for name in ("queries", "passages", "qrels")}
    for file in files.values():
        if not file.is_file():
            raise MissingResourceError(
                f"there is no {file}; a retrieval set is queries, passages and qrels .jsonl, or in BEIR's layout"
                f"{f', and {path} is {kind}' if (kind := folder_kind(path)) else ''}"
            )
    judged = files["qrels"]
    qrels = [
        (place, required_text(judged, place, row, "query"), required_text(judged, place, row, "passage"))
        for place, row in read_rows(judged)
    ]
    queries, passages = ((files[name], _texts(files[name])) for name in ("queries", "passages"))
    return made_set(path, queries=queries, passages=passages, qrels=(judged, qrels))


Rows = list[tuple[str, str, str]]  # where a row is, its id, its text; or where it is, its query, its passage


def made_set(
    folder: Path,
    *,
    queries: tuple[Path, Rows],
    passages: tuple[Path, Rows],
    qrels: tuple[Path, Rows],
    own_hits: bool = True,
) -> RetrievalSet:
    """Return the retrieval set of three files' rows.

    Raises:
        ConfigurationError: An id is empty, repeated or unknown, or a query has no relevant passage.
    """
    by_query, by_passage = _by_id(*queries), _by_id(*passages)
    relevant = _relevant(*qrels, queries=by_query, passages=by_passage)
    unanswered = [name for name in by_query if name not in relevant]
    if unanswered:
        more = f" (and {len(unanswered) - 1} more queries)" if len(unanswered) > 1 else ""
        raise ConfigurationError(f"{qrels[0]}: no relevant passage for query {unanswered[0]!r}{more}")
    return RetrievalSet(
        name=folder.resolve().name,
        queries=tuple(Query(id=name, text=text, relevant=frozenset(relevant[name])) for name, text in by_query.items()),
        passages=tuple(Passage(id=name, text=text) for name, text in by_passage.items()),
        own_hits=own_hits,
    )


def _texts(path: Path) -> Rows:
    rows = read_rows(path)
    return [
        (place, required_text(path, place, row, "id"), required_text(path, place, row, "text")) for place, row in rows
    ]


def _by_id(path: Path, rows: Rows) -> dict[str, str]:
    texts: dict[str, str] = {}
    for place, name, text in rows:
        if name in texts or not name:
            raise ConfigurationError(f"{path}, {place}: id {name!r} is {'repeated' if name else 'empty'}")
        texts[name] = text
    if not texts:
        raise ConfigurationError(f"{path}: is empty")
    return texts


def _relevant(
    path: Path, rows: Rows, *, queries: Mapping[str, str], passages: Mapping[str, str]
) -> dict[str, set[str]]:
    relevant: dict[str, set[str]] = {}
    for place, query, passage in rows:
        for kind, name, known in (("query", query, queries), ("passage", passage, passages)):
            if name not in known:
                raise ConfigurationError(f"{path}, {place}: unknown {kind} {name!r}")
        relevant.setdefault(query, set()).add(passage)
    return relevant


def _repeated(ids: Iterable[str]) -> str | None:
    return next((name for name, count in Counter(ids).items() if count > 1), None)
