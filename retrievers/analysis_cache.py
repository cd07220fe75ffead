"""Kiwi's analysis of texts kept on disk: it is nearly all of the time that indexing takes, and a text's never changes.

In come texts and the function that analyses them; out come their analyses, of which only those of new texts were
computed. So a corpus that grows, a k1 that changes or a run that was interrupted costs what is new in it. One SQLite
file per version of the analysis, as in `retrievers.store`: writes are whole, and nothing in the file can execute.
"""

import hashlib
import json
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from data.packaged import cache_dir
from retrievers.korean import CONTENT_TAGS

logger = logging.getLogger(__name__)

# Part of the name of the file: raise it when what `retrievers.korean` makes of Kiwi's analysis changes.
ANALYSIS = 1

_CREATE = "CREATE TABLE IF NOT EXISTS analyses (key BLOB PRIMARY KEY, analysis BLOB NOT NULL)"
_ANALYSED_AT_ONCE = 1000  # texts that are kept together; enough to keep all cores busy
_BLOCK = 500  # keys of one SELECT; SQLite has a limit on a statement's parameters
_LOCK_TIMEOUT_S = 30.0

Analysis = list[Any]  # of a text: its tokens, or the (start, end) of its sentences
Analyse = Callable[[Sequence[str]], list[Any]]


def analysis_identity() -> str:
    """Return what a text's analysis depends on: Kiwi, its model, the tags that are kept, our own code."""
    packages = " ".join(f"{package}-{version(package)}" for package in ("kiwipiepy", "kiwipiepy_model"))
    return f"{packages} tags {','.join(CONTENT_TAGS)} analysis {ANALYSIS}"


class AnalysisCache:
    """The analyses of texts, by kind and text.

    A cache must never stop a run: where the file cannot be read or written, it says so once and keeps nothing.
    """

    def __init__(self, path: Path | None = None) -> None:
        name = hashlib.sha256(analysis_identity().encode()).hexdigest()[:32]
        self.path = path or cache_dir() / "analysis" / f"{name}.sqlite"
        self._warned = False

    def look_up(self, kind: str, texts: Sequence[str], analyse: Analyse) -> list[Analysis]:
        """Return each text's analysis, computing and keeping those that are not there.

        Args:
            kind: What `analyse` returns, such as "tokens": the same text has an analysis of each kind.
            texts: Any texts; an interruption loses the analyses of the last thousand.
            analyse: Returns one JSON list for each text.
        """
        found: list[Analysis] = []
        for start in range(0, len(texts), _ANALYSED_AT_ONCE):
            found += self._look_up(kind, texts[start : start + _ANALYSED_AT_ONCE], analyse)
        return found

    def _look_up(self, kind: str, texts: Sequence[str], analyse: Analyse) -> list[Analysis]:
        keys = [_key(kind, text) for text in texts]
        known = self._get(list(dict.fromkeys(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            fresh = dict(zip(missing, analyse(list(missing.values())), strict=True))
            self._put(fresh)
            known |= fresh
        return [known[key] for key in keys]

    def _get(self, keys: Sequence[bytes]) -> dict[bytes, Analysis]:
        found: dict[bytes, Analysis] = {}
        try:
            with closing(self._connect()) as database:
                for start in range(0, len(keys), _BLOCK):
                    block = keys[start : start + _BLOCK]
                    marks = ",".join("?" * len(block))
                    select = f"SELECT key, analysis FROM analyses WHERE key IN ({marks})"  # noqa: S608 -- only marks
                    found |= {key: json.loads(analysis) for key, analysis in database.execute(select, block)}
        except (OSError, sqlite3.Error, ValueError) as error:
            self._warn("read", error)
        return found

    def _put(self, analyses: Mapping[bytes, Analysis]) -> None:
        rows = [(key, _as_json(analysis)) for key, analysis in analyses.items()]
        try:
            with closing(self._connect()) as database, database:
                database.executemany("INSERT OR REPLACE INTO analyses VALUES (?, ?)", rows)
        except (OSError, sqlite3.Error) as error:
            self._warn("written", error)

    def _connect(self) -> sqlite3.Connection:
        # A connection for each call: it costs 0.1 ms, and no thread or forked process ever shares one.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self.path, timeout=_LOCK_TIMEOUT_S)
        database.execute(_CREATE)
        return database

    def _warn(self, action: str, error: Exception) -> None:
        if not self._warned:
            logger.warning("the cache of analysed texts %s cannot be %s (%s); going on", self.path, action, error)
        self._warned = True


def _key(kind: str, text: str) -> bytes:
    return hashlib.sha256(f"{kind}\0{text}".encode("utf-8", "surrogatepass")).digest()


def _as_json(analysis: Analysis) -> bytes:
    return json.dumps(analysis, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
