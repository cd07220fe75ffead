"""What is dear to compute of a text, kept on disk: its embeddings, and Kiwi's analysis of it.

In come texts, or their keys; out comes what was computed of them before, so that a corpus that grows, a k1 that changes
or a run that was interrupted costs what is new in it. SQLite makes writes whole, and safe between threads and
processes; nothing in a file can execute, as a pickle could.
"""

import hashlib
import json
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.common.packaged import cache_dir
from retrievers.korean import UserWords, analysis_identity

logger = logging.getLogger(__name__)

Vector = NDArray[np.float32]  # (dim,)
Analysis = list[Any]  # of a text: its tokens, or the (start, end) of its sentences
Analyse = Callable[[Sequence[str]], list[Any]]

_DTYPE = np.dtype("<f4")  # the same bytes on every machine
_ANALYSED_AT_ONCE = 1000  # texts that are kept together; enough to keep all cores busy
_BLOCK = 500  # keys of one SELECT; SQLite has a limit on a statement's parameters
_LOCK_TIMEOUT_S = 30.0


class DiskCache:
    """Bytes by key, in a table of two columns in one SQLite file, which is made when it is first used.

    A cache must never stop a run: where the file cannot be read or written, it says so once and keeps nothing.

    Args:
        path: The file's path.
        table: The table's name.
        column: The name of what is kept under "key".
        options: What follows the columns in the statement that makes the table.
    """

    def __init__(self, path: Path, *, table: str, column: str, options: str = "") -> None:
        self.path = path
        self._create = f"CREATE TABLE IF NOT EXISTS {table} (key BLOB PRIMARY KEY, {column} BLOB NOT NULL) {options}"
        self._select = f"SELECT key, {column} FROM {table} WHERE key IN "  # noqa: S608 -- names of ours
        self._insert = f"INSERT OR REPLACE INTO {table} VALUES (?, ?)"  # noqa: S608 -- a name of ours
        self._warned = False

    def get_bytes(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return what is kept under those keys that are there."""
        found: dict[bytes, bytes] = {}
        try:
            with closing(self._connect()) as database:
                for start in range(0, len(keys), _BLOCK):
                    block = keys[start : start + _BLOCK]
                    found.update(database.execute(f"{self._select}({','.join('?' * len(block))})", block))
        except (OSError, sqlite3.Error) as error:
            self.warn("read", error)
            return {}
        return found

    def put_bytes(self, values: Mapping[bytes, bytes]) -> None:
        """Keep values; all of them or, if the process dies, none."""
        try:
            with closing(self._connect()) as database, database:
                database.executemany(self._insert, values.items())
        except (OSError, sqlite3.Error) as error:
            self.warn("written", error)

    def warn(self, action: str, error: Exception) -> None:
        if not self._warned:
            logger.warning("the cache %s cannot be %s (%s); going on without it", self.path, action, error)
        self._warned = True

    def _connect(self) -> sqlite3.Connection:
        # A connection for each call: it costs 0.1 ms, and no thread or forked process ever shares one.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self.path, timeout=_LOCK_TIMEOUT_S)
        database.execute(self._create)
        return database


class EmbeddingStore(DiskCache):
    """The vectors of one model, by key: a text is embedded once per model and not once per run."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, table="vectors", column="vector", options="WITHOUT ROWID")

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """Return the vectors of those keys that are there."""
        found = self.get_bytes(keys).items()
        return {key: np.frombuffer(vector, dtype=_DTYPE).astype(np.float32) for key, vector in found}

    def put(self, vectors: Mapping[bytes, Vector]) -> None:
        """Keep vectors; all of them or, if the process dies, none."""
        self.put_bytes({key: vector.astype(_DTYPE).tobytes() for key, vector in vectors.items()})


class AnalysisCache(DiskCache):
    """Kiwi's analyses of texts, by kind and text: they take nearly all of the time of indexing, and never change.

    Args:
        path: The file's path; None: the one in the project's cache for this analysis.
        user_words: The words that texts are analysed with.
    """

    def __init__(self, path: Path | None = None, *, user_words: UserWords = ()) -> None:
        path = path or identified_file(cache_dir() / "analysis", analysis_identity(user_words))
        super().__init__(path, table="analyses", column="analysis")

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
        keys = [text_key(kind, text) for text in texts]
        known = self._known(list(dict.fromkeys(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            fresh = dict(zip(missing, analyse(list(missing.values())), strict=True))
            self.put_bytes({key: _as_json(analysis) for key, analysis in fresh.items()})
            known |= fresh
        return [known[key] for key in keys]

    def _known(self, keys: Sequence[bytes]) -> dict[bytes, Analysis]:
        try:
            return {key: json.loads(analysis) for key, analysis in self.get_bytes(keys).items()}
        except ValueError as error:
            self.warn("read", error)
            return {}


def only_new(kind: str, analyse: Analyse) -> Analyse:
    """Return a function that does as `analyse` does, but only for texts that were never analysed before.

    Args:
        kind: As for `AnalysisCache.look_up`.
        analyse: The analysis of Kiwi without a user's words.
    """
    return partial(AnalysisCache().look_up, kind, analyse=analyse)


def text_key(kind: str, text: str) -> bytes:
    """Return the key of what is computed of a text as `kind`: the same text has an entry for each."""
    return hashlib.sha256(f"{kind}\0{text}".encode("utf-8", "surrogatepass")).digest()


def store_path(folder: Path, identity: str) -> Path:
    """Return the file that holds the vectors of a model, within the project's cache folder.

    Args:
        folder: The project's cache folder.
        identity: Names the weights and everything else that shapes a vector.
    """
    return identified_file(folder / "embeddings", identity)


def identified_file(folder: Path, identity: str) -> Path:
    """Return the file in a folder for an identity: whatever shapes a value, so that none is served as another's."""
    return folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.sqlite"


def _as_json(analysis: Analysis) -> bytes:
    return json.dumps(analysis, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
