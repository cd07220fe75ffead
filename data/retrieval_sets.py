"""Retrieval sets: queries, passages, and which passages each query should find.

`load_jsonl` reads a user's own set from a folder with three files, one JSON object a line:

    queries.jsonl   {"id": "q1", "text": "…"}
    passages.jsonl  {"id": "p1", "text": "…"}
    qrels.jsonl     {"query": "q1", "passage": "p1"}

or one in BEIR's layout, in which most public sets are published, Korean ones (MIRACL, Ko-StrategyQA …) too:

    corpus.jsonl        {"_id": "p1", "title": "…", "text": "…"}, the title may be missing or empty
    queries.jsonl       {"_id": "q1", "text": "…"}, of all splits
    qrels/test.tsv      query-id, corpus-id and score, apart by tabs, under a header with these names

Of the latter it takes the split `test`, else `dev`, else the only one there is. A title is the first line of its
passage. Relevance is a score above 0, whatever its grade. Judgements of what is not in the set, which published sets
have, are left out and counted, and with them queries that are left with none.

Source: Thakur et al. 2021, "BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation of Information Retrieval Models",
NeurIPS Datasets and Benchmarks (arXiv:2104.08663).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.terminal import say
from data.common.text import mentioned
from data.formats import described, folder_kind
from data.rows import Row, read_rows, required_text
from data.types import Frozen, Passage, Text

CORPUS_FILE = "corpus.jsonl"
_BEIR_SPLITS = ("test", "dev")
Rows = list[tuple[str, str, str]]  # where a row is, its id, its text; or where it is, its query, its passage


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
    return _made_set(path, queries=queries, passages=passages, qrels=(judged, qrels))


def load_beir(folder: Path) -> RetrievalSet:
    """Read a retrieval set in BEIR's layout.

    Raises:
        ConfigurationError: A row is malformed, an id is repeated, no query has a relevant passage, or there are
            several splits and none of them is test or dev; the message names the file and the line.
        MissingResourceError: A file is not there.
    """
    queries, corpus = folder / "queries.jsonl", folder / CORPUS_FILE
    if not queries.is_file():
        raise MissingResourceError(f"there is no {queries}; a set in BEIR's layout is {CORPUS_FILE}, it, and qrels/")
    qrels = _qrels_file(folder / "qrels")
    asked, passages = _beir_texts(queries), _beir_texts(corpus)
    relevant = _known(
        qrels, _beir_relevant(qrels), queries={row[1] for row in asked}, passages={row[1] for row in passages}
    )
    judged = {query for _, query, _ in relevant}
    asked = [row for row in asked if row[1] in judged]  # the file has the queries of all splits
    return _made_set(
        folder, queries=(queries, asked), passages=(corpus, passages), qrels=(qrels, relevant), own_hits=False
    )


def _qrels_file(folder: Path) -> Path:
    files = {path.stem: path for path in sorted(folder.glob("*.tsv"))}
    if not files:
        raise MissingResourceError(f"there is no .tsv in {folder}; say there which passages answer which query")
    chosen = next((files[split] for split in _BEIR_SPLITS if split in files), None)
    if chosen is None and len(files) > 1:
        raise ConfigurationError(
            f"{folder} holds {', '.join(files)} and no test or dev; leave one, or name it test.tsv"
        )
    return chosen or next(iter(files.values()))


def _beir_texts(path: Path) -> Rows:
    return [(place, required_text(path, place, row, "_id"), _text(path, place, row)) for place, row in read_rows(path)]


def _text(path: Path, place: str, row: Row) -> str:
    title = required_text(path, place, row, "title").strip() if row.get("title") else ""
    return "\n".join(part for part in (title, required_text(path, place, row, "text")) if part)


def _judged(path: Path) -> list[tuple[str, Row]]:
    rows = list(read_rows(path))
    for place, row in rows[:1]:
        if missing := [name for name in ("query-id", "corpus-id", "score") if name not in row]:
            raise ConfigurationError(f"{path}, {place}: lacks {missing[0]}; its header has {', '.join(row)}")
    return rows


def _beir_relevant(path: Path) -> Rows:
    relevant = [
        (place, required_text(path, place, row, "query-id"), required_text(path, place, row, "corpus-id"))
        for place, row in _judged(path)
        if _is_relevant(path, place, row)
    ]
    if not relevant:
        raise ConfigurationError(f"{path}: no row has a score above 0, so no query has a relevant passage")
    return relevant


def _known(path: Path, relevant: Rows, *, queries: set[str], passages: set[str]) -> Rows:
    """Return the judgements of queries and passages that are in the set, and say how many are not."""
    known = [row for row in relevant if row[1] in queries and row[2] in passages]
    if len(known) == len(relevant):
        return known
    place, query, passage = next(row for row in relevant if row[1] not in queries or row[2] not in passages)
    first = f"{place}: unknown passage {passage!r}" if query in queries else f"{place}: unknown query {query!r}"
    if not known:
        raise ConfigurationError(f"{path}: every judgement names an unknown query or passage, first {first}")
    said = f"left out {len(relevant) - len(known):,} of {len(relevant):,} judgements of what is not in the set"
    unasked = len({row[1] for row in relevant if row[1] in queries} - {row[1] for row in known})
    more = f", and {unasked:,} quer{'ies' if unasked > 1 else 'y'} that had no other" if unasked else ""
    say(mentioned(f"{path}: {said} (first {first}){more}"))
    return known


def _is_relevant(path: Path, place: str, row: Row) -> bool:
    try:
        return float(row["score"]) > 0
    except ValueError as error:
        raise ConfigurationError(f"{path}, {place}: score '{row['score']}' is no number") from error


def _made_set(
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
