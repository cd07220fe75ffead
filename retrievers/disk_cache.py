"""Bytes by key in one SQLite file, for caches of what is dear to compute: embeddings, and the analysis of texts.

SQLite makes writes whole, and safe between threads and processes; nothing in the file can execute, as a pickle could.
"""

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

_BLOCK = 500  # keys of one SELECT; SQLite has a limit on a statement's parameters
_LOCK_TIMEOUT_S = 30.0


class KeyValueFile:
    """A table of two columns, made when it is first used.

    Args:
        path: Of the file.
        create: The statement that makes the table, "CREATE TABLE IF NOT EXISTS …".
        table: Its name.
        column: The name of what is kept under "key".
    """

    def __init__(self, path: Path, *, create: str, table: str, column: str) -> None:
        self.path = path
        self._create = create
        self._select = f"SELECT key, {column} FROM {table} WHERE key IN "  # noqa: S608 -- names of ours
        self._insert = f"INSERT OR REPLACE INTO {table} VALUES (?, ?)"  # noqa: S608 -- a name of ours

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return what is kept under those keys that are there.

        Raises:
            OSError: The file's folder cannot be made.
            sqlite3.Error: The file cannot be read.
        """
        found: dict[bytes, bytes] = {}
        with closing(self._connect()) as database:
            for start in range(0, len(keys), _BLOCK):
                block = keys[start : start + _BLOCK]
                found.update(database.execute(f"{self._select}({','.join('?' * len(block))})", block))
        return found

    def put(self, values: Mapping[bytes, bytes]) -> None:
        """Keep values; all of them or, if the process dies, none.

        Raises:
            OSError: The file's folder cannot be made.
            sqlite3.Error: The file cannot be written.
        """
        with closing(self._connect()) as database, database:
            database.executemany(self._insert, values.items())

    def _connect(self) -> sqlite3.Connection:
        # A connection for each call: it costs 0.1 ms, and no thread or forked process ever shares one.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self.path, timeout=_LOCK_TIMEOUT_S)
        database.execute(self._create)
        return database


def text_key(kind: str, text: str) -> bytes:
    """Return the key of what is computed of a text as `kind`: the same text has an entry for each."""
    return hashlib.sha256(f"{kind}\0{text}".encode("utf-8", "surrogatepass")).digest()


def identified_file(folder: Path, identity: str) -> Path:
    """Return the file in a folder for an identity: whatever shapes a value, so that none is served as another's."""
    return folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.sqlite"
