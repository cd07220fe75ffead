"""Embeddings kept on disk, so that a text is embedded once per model and not once per run.

One file per model (see `retrievers.disk_cache`): rows of a key and the vector's float32 bytes.
"""

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrievers.disk_cache import KeyValueFile, identified_file

Vector = NDArray[np.float32]  # (dim,)

logger = logging.getLogger(__name__)

_CREATE = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
_DTYPE = np.dtype("<f4")  # the same bytes on every machine


class EmbeddingStore:
    """The vectors of one model, by key.

    A cache must never stop a run: where the file cannot be read or written, it says so and keeps nothing.
    """

    def __init__(self, path: Path) -> None:
        self._file = KeyValueFile(path, create=_CREATE, table="vectors", column="vector")

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """Return the vectors of those keys that are there."""
        try:
            found = self._file.get(keys)
        except (OSError, sqlite3.Error) as error:
            self._warn("read", error)
            return {}
        return {key: np.frombuffer(vector, dtype=_DTYPE).astype(np.float32) for key, vector in found.items()}

    def put(self, vectors: Mapping[bytes, Vector]) -> None:
        """Keep vectors; all of them or, if the process dies, none."""
        try:
            self._file.put({key: vector.astype(_DTYPE).tobytes() for key, vector in vectors.items()})
        except (OSError, sqlite3.Error) as error:
            self._warn("written", error)

    def _warn(self, action: str, error: Exception) -> None:
        logger.warning("the embedding cache %s cannot be %s (%s); going on without it", self._file.path, action, error)


def store_path(folder: Path, identity: str) -> Path:
    """Return the file that holds the vectors of the model with this identity.

    Args:
        folder: The project's cache folder.
        identity: Names the weights and everything else that shapes a vector, so that one model's vectors are never
            served as another's.
    """
    return identified_file(folder / "embeddings", identity)
