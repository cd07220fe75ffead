"""Retrieval sets in BEIR's layout, in which most public sets are published, Korean ones (MIRACL, Ko-StrategyQA …) too.

    corpus.jsonl        {"_id": "p1", "title": "…", "text": "…"}, the title may be missing or empty
    queries.jsonl       {"_id": "q1", "text": "…"}, of all splits
    qrels/test.tsv      query-id, corpus-id and score, apart by tabs, under a header with these names

In comes the folder, out comes the retrieval set of the split `test`, else `dev`, else the only one there is. A title is
the first line of its passage. Relevance is a score above 0, whatever its grade. Judgements of what is not in the set,
which published sets have, are left out and counted, and with them queries that are left with none.

Source: Thakur et al. 2021, "BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation of Information Retrieval Models",
NeurIPS Datasets and Benchmarks (arXiv:2104.08663).
"""

import sys
from pathlib import Path

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.text import mentioned
from data.retrieval_sets import RetrievalSet, Rows, made_set
from data.rows import Row, read_rows, required_text

CORPUS_FILE = "corpus.jsonl"
_SPLITS = ("test", "dev")


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
    asked, passages = _texts(queries), _texts(corpus)
    relevant = _known(qrels, _relevant(qrels), queries={row[1] for row in asked}, passages={row[1] for row in passages})
    judged = {query for _, query, _ in relevant}
    asked = [row for row in asked if row[1] in judged]  # the file has the queries of all splits
    return made_set(
        folder, queries=(queries, asked), passages=(corpus, passages), qrels=(qrels, relevant), own_hits=False
    )


def _qrels_file(folder: Path) -> Path:
    files = {path.stem: path for path in sorted(folder.glob("*.tsv"))}
    if not files:
        raise MissingResourceError(f"there is no .tsv in {folder}; say there which passages answer which query")
    chosen = next((files[split] for split in _SPLITS if split in files), None)
    if chosen is None and len(files) > 1:
        raise ConfigurationError(
            f"{folder} holds {', '.join(files)} and no test or dev; leave one, or name it test.tsv"
        )
    return chosen or next(iter(files.values()))


def _texts(path: Path) -> Rows:
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


def _relevant(path: Path) -> Rows:
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
    sys.stderr.write(mentioned(f"{path}: {said} (first {first}){more}") + "\n")
    return known


def _is_relevant(path: Path, place: str, row: Row) -> bool:
    try:
        return float(row["score"]) > 0
    except ValueError as error:
        raise ConfigurationError(f"{path}, {place}: score '{row['score']}' is no number") from error
