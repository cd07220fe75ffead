"""Embeddings kept on disk, so that a text is embedded once per model and not once per run.

One SQLite file per model: rows of a key and the vector's float32 bytes. SQLite makes writes whole, and safe between
threads and processes; nothing in the file can execute, as a pickle could.
"""

import hashlib
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]  # (dim,)

logger = logging.getLogger(__name__)

_CREATE = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
_BLOCK = 500  # keys of one SELECT; SQLite has a limit on a statement's parameters
_LOCK_TIMEOUT_S = 30.0
_DTYPE = np.dtype("<f4")  # the same bytes on every machine


class EmbeddingStore:
    """The vectors of one model, by key.

    A cache must never stop a run: where the file cannot be read or written, it says so and keeps nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """Return the vectors of those keys that are there."""
        found: dict[bytes, Vector] = {}
        try:
            with closing(self._connect()) as database:
                for start in range(0, len(keys), _BLOCK):
                    found |= _select(database, keys[start : start + _BLOCK])
        except (OSError, sqlite3.Error) as error:
            self._warn("read", error)
        return found

    def put(self, vectors: Mapping[bytes, Vector]) -> None:
        """Keep vectors; all of them or, if the process dies, none."""
        rows = [(key, vector.astype(_DTYPE).tobytes()) for key, vector in vectors.items()]
        try:
            with closing(self._connect()) as database, database:
                database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        except (OSError, sqlite3.Error) as error:
            self._warn("written", error)

    def _connect(self) -> sqlite3.Connection:
        # A connection for each call: it costs 0.1 ms, and no thread or forked process ever shares one.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self.path, timeout=_LOCK_TIMEOUT_S)
        database.execute(_CREATE)
        return database

    def _warn(self, action: str, error: Exception) -> None:
        logger.warning("the embedding cache %s cannot be %s (%s); going on without it", self.path, action, error)


def _select(database: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Vector]:
    marks = ",".join("?" * len(keys))
    rows = database.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", keys)  # noqa: S608 -- only marks
    return {key: np.frombuffer(vector, dtype=_DTYPE).astype(np.float32) for key, vector in rows}


def text_key(kind: str, text: str) -> bytes:
    """Return the key of a text embedded as `kind` ("query" or "passage": the same text has a vector for each)."""
    return hashlib.sha256(f"{kind}\0{text}".encode("utf-8", "surrogatepass")).digest()


def store_path(folder: Path, identity: str) -> Path:
    """Return the file that holds the vectors of the model with this identity.

    Args:
        folder: The project's cache folder.
        identity: Names the weights and everything else that shapes a vector, so that one model's vectors are never
            served as another's.
    """
    return folder / "embeddings" / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.sqlite"
