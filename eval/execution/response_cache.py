"""Replies that were paid for once: what a model answered to exactly this request is not asked again.

    key      SHA-256 of all that can change a reply: see `eval.execution.request_key`
    value    the reply as JSON, without secrets; never one that failed, is empty or was held back by a filter
One SQLite file serves threads and processes alike. LangChain's own key would not do: it names no address, so that two
servers' models of one name would share replies, and it counts timeouts and retries, which change none.
"""

import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from pydantic import BaseModel

from chains.models.reply_fields import SAVED_USAGE, read_finish_reason, read_usage
from data.common.errors import ConfigurationError
from data.common.packaged import cache_dir
from data.common.progress import log
from data.common.secrets import make_redactor
from eval.execution.request_key import identity_of, request_key, said_of

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, model TEXT NOT NULL, reply TEXT NOT NULL, "
    "kept_utc TEXT NOT NULL) WITHOUT ROWID"
)
_PATIENCE_S = 30.0  # for another process that writes


class Stats(NamedTuple):
    """What the cache holds: replies by model, and the size of its file in bytes."""

    path: Path
    replies: dict[str, int]
    n_bytes: int


class ResponseCache:
    """The file of replies, safe for threads and processes.

    Args:
        path: Of the file, which is made; None for `responses.sqlite` in the project's cache folder.
        sampled: Keep sampled replies too.

    Raises:
        ConfigurationError: It cannot be opened, or is no such file.
    """

    def __init__(self, path: Path | None = None, *, sampled: bool = False) -> None:
        self.path = path or cache_path()
        self.sampled = sampled
        self._lock = threading.Lock()
        self._failed = False
        self._redact = make_redactor()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                self.path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
            )
            self._database.execute("PRAGMA journal_mode=WAL")  # readers do not wait for a writer
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None

    def of(self, model: BaseChatModel, *, votes: bool) -> "ModelCache | None":
        """Return the cache for one model; None, and a line that says why, for one that cannot be told from others.

        Args:
            model: Whose replies are kept.
            votes: It is asked for several samples.
        """
        try:
            return ModelCache(self, model, votes=votes)
        except TypeError as error:
            log(f"--cache keeps no replies of {type(model).__name__}: {error}")
            return None

    def get(self, key: str) -> str | None:
        """Return the reply kept under a key."""
        rows = self._try("SELECT reply FROM replies WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else None

    def drop(self, key: str) -> None:
        """Forget the reply kept under a key."""
        self._try("DELETE FROM replies WHERE key = ?", (key,))

    def put(self, key: str, model: str, reply: str) -> None:
        """Keep a reply; the first under a key stays."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = (key, model, self._redact(reply), now)
        self._try("INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?)", row)

    def stats(self) -> Stats:
        """Return what is kept.

        Raises:
            ConfigurationError: The file cannot be read.
        """
        try:
            rows = self._execute("SELECT model, COUNT(*) FROM replies GROUP BY model ORDER BY model")
            return Stats(self.path, dict(rows), self.path.stat().st_size)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None

    def clear(self) -> int:
        """Remove every reply; return how many there were.

        Raises:
            ConfigurationError: They cannot be removed.
        """
        try:
            ((count,),) = self._execute("SELECT COUNT(*) FROM replies")
            self._execute("DELETE FROM replies")
            self._execute("VACUUM")
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        return int(count)

    def close(self) -> None:
        self._database.close()

    def _execute(self, statement: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    def _try(self, statement: str, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """Run a statement; a fault costs the cache's help, not the answer that is paid for, and is said once."""
        try:
            return self._execute(statement, values)
        except sqlite3.Error as error:
            if not self._failed:
                log(f"the response cache {self.path} fails: {error}; going on without it")
            self._failed = True
            return []

    def _unusable(self, error: Exception) -> ConfigurationError:
        return ConfigurationError(
            f"the response cache {self.path} cannot be used: {error}; remove it, make its folder writable, or name "
            "another with TUNE_OR_PROMPT_CACHE"
        )


def cache_path() -> Path:
    """Return where the cache is."""
    return cache_dir() / "responses.sqlite"


class ModelCache:
    """The cache as one model sees it.

    Args:
        replies: Where they are kept.
        model: Whose they are.
        votes: Whether the model is asked for several samples.

    Raises:
        TypeError: The model is code of the user's own, or a field of it cannot be part of a key.
    """

    def __init__(self, replies: ResponseCache, model: BaseChatModel, *, votes: bool = False) -> None:
        self._replies, self._votes = replies, votes
        self._identity = identity_of(model)
        names = (self._identity.get(field) for field in ("model_name", "model_id", "model", "class"))
        self._name = next(str(name) for name in names if name)
        self._told = threading.Lock()  # taken, and never given back, by the thread that tells it

    def key(self, messages: Sequence[BaseMessage], parameters: Mapping[str, Any], trial: int) -> str | None:
        """Return the key of a request; None where its reply is not to be kept.

        Args:
            messages: What would be sent.
            parameters: What the model is called with, as LangChain tells callbacks.
            trial: Which of several trials it is.
        """
        if not all(isinstance(message.content, str) for message in messages):
            return None  # LangChain shows callbacks other content than it sends
        said = said_of(parameters)
        sampled = self._votes or said.get("temperature", self._identity.get("temperature")) != 0
        if sampled and not self._replies.sampled:
            if self._told.acquire(blocking=False):
                log(f"the replies of {self._name} are sampled, and not kept: --cache-sampled keeps those too")
            return None
        return request_key(self._identity, said, messages, sample=trial if sampled else None)

    def get(self, key: str) -> AIMessage | None:
        """Return the reply kept under a key, as one that cost nothing."""
        kept = self._replies.get(key)
        found = None if kept is None else _read(kept)
        if kept is not None and found is None:
            self._replies.drop(key)  # damaged; what is answered now takes its place
        return found

    def drop(self, key: str) -> None:
        """Forget the reply kept under a key."""
        self._replies.drop(key)

    def keep(self, key: str, reply: AIMessage) -> None:
        """Keep a reply, if it is one to keep."""
        if not _is_whole(reply):
            return
        try:
            written = _written(reply)
        except (RecursionError, TypeError, ValueError):
            return  # something in it has no text; it was paid for all the same, and is the answer
        self._replies.put(key, self._name, written)


def _is_whole(message: AIMessage) -> bool:
    """Say whether a reply is one to keep: it says something or calls a tool, and no filter held it back."""
    said = bool(message.text.strip() or message.tool_calls) and not message.invalid_tool_calls
    return said and read_finish_reason(message) not in ("content_filter", "refusal", "error")


def _written(message: AIMessage) -> str:
    dumped = message.model_dump(mode="json", exclude={"id"})
    # In ASCII: half a character, which a reply may hold, has an escape in JSON but no bytes in UTF-8.
    return json.dumps({"message": dumped, "usage": read_usage(message)})


class _Kept(BaseModel):
    message: AIMessage
    usage: dict[str, int]


def _read(kept: str) -> AIMessage | None:
    """Return a kept reply as one that cost nothing, and what it did cost apart; None where what is kept is damaged."""
    try:
        found = _Kept.model_validate(json.loads(kept))
    except (AttributeError, RecursionError, TypeError, ValueError):  # the first two from LangChain's own validators
        return None
    message = found.message
    message.usage_metadata = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    message.response_metadata[SAVED_USAGE] = found.usage
    return message
