"""Replies that were paid for once: what a model answered to exactly this request is not asked again.

The cache is a call ledger for all runs: entries with a key, a model's name and a reply, never one that failed, is empty
or was held back by a filter. Threads and processes add to it one at a time, and read on before they look for a reply;
only the replies' places in the file are held in memory. LangChain's own key would not do: it names no address, so that
two servers' models of one name would share replies.
"""

import errno
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from langchain_core.messages import AIMessage

from chains.models.reply_fields import SAVED_USAGE, read_finish_reason, read_usage
from data.common.errors import ConfigurationError
from data.common.files import locked
from data.common.line_file import append_whole, cut_torn_line
from data.common.packaged import cache_dir
from data.common.progress import log
from data.common.secrets import make_redactor
from eval.execution.call_ledger import Entry, Key, as_data

_REMEDY = "remove it, make its folder writable, or name another with TUNE_OR_PROMPT_CACHE"


class Stats(NamedTuple):
    """What the cache holds: replies by model, and the size of its file in bytes."""

    path: Path
    replies: dict[str, int]
    n_bytes: int


class ResponseCache:
    """The file of replies, safe for threads and processes.

    Args:
        path: The path of the file, which is made; None for `responses.jsonl` in the project's cache folder.
        sampled: Keep sampled replies too.

    Raises:
        ConfigurationError: It cannot be opened, or is no such file.
    """

    def __init__(self, path: Path | None = None, *, sampled: bool = False) -> None:
        self.path = path or cache_dir() / "responses.jsonl"
        self.sampled = sampled
        self._lock = threading.Lock()
        self._failed = False
        self._redact = make_redactor()
        self._places: dict[Key, tuple[int, str]] = {}  # where the line begins, and the model
        self._read_to = 0  # bytes
        with self._faults(fatal=True), self._alone():
            pass  # all of it is read

    def get(self, key: Key) -> AIMessage | None:
        """Return the reply kept under a key, as one that cost nothing, with what it did cost apart."""
        message = None
        with self._faults(), self._lock:
            self._read_on()
            if key in self._places:
                message = self._message_at(self._places[key][0], key)
                if message is None:  # damaged, or the cache was emptied: what is answered now takes its place
                    del self._places[key]
        if message is not None:
            message.response_metadata[SAVED_USAGE] = read_usage(message)
            message.usage_metadata = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        return message

    def put(self, key: Key, model: str, message: AIMessage) -> None:
        """Keep a reply, if it is one to keep; the first under a key stays."""
        if _is_whole(message) and (reply := as_data(message)):
            self._append(Entry(**key._asdict(), model=model, usage=read_usage(message), reply=reply))

    def forget(self, key: Key) -> None:
        """Forget the reply kept under a key."""
        self._append(Entry(**key._asdict(), forget=True))

    def stats(self) -> Stats:
        """Return what is kept.

        Raises:
            ConfigurationError: The file cannot be read.
        """
        with self._faults(fatal=True), self._lock:
            self._read_on()
            counts = Counter(model for _, model in self._places.values())
            return Stats(self.path, dict(sorted(counts.items())), self._read_to)

    def clear(self) -> int:
        """Remove every reply; return how many there were.

        Raises:
            ConfigurationError: They cannot be removed.
        """
        with self._faults(fatal=True), self._alone():
            os.truncate(self.path, 0)
            return len(self._places)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the one thread of all processes that writes, knowing all that was written; a torn line is cut off."""
        with self._lock, locked(self.path.with_suffix(".lock"), _REMEDY):
            self.path.touch()
            with self.path.open("rb") as file:
                if file.read(1) not in (b"", b"{"):
                    raise OSError(errno.EINVAL, "it is no call ledger", str(self.path))
            cut_torn_line(self.path)
            self._read_on()
            yield

    def _read_on(self) -> None:
        """Note what was added since the file was last read; all of it, where it was emptied meanwhile."""
        if self.path.stat().st_size < self._read_to:
            self._places.clear()
            self._read_to = 0
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # another process is writing it
                with suppress(ValueError):
                    entry = Entry.of_line(line)
                    self._places.pop(entry.key, None)
                    if not entry.forget:
                        self._places[entry.key] = (self._read_to, sys.intern(entry.model))
                self._read_to += len(line)

    def _message_at(self, offset: int, key: Key) -> AIMessage | None:
        """Return the reply whose line begins at a place in the file; None where none to this key does."""
        with self.path.open("rb") as file, suppress(ValueError):
            file.seek(offset)
            entry = Entry.of_line(file.readline())
            return entry.message() if entry.key == key else None
        return None

    def _append(self, entry: Entry) -> None:
        with self._faults(), self._alone():
            if entry.forget == (entry.key in self._places):
                with self.path.open("ab", buffering=0) as file:
                    append_whole(file, entry.to_line(self._redact))

    @contextmanager
    def _faults(self, *, fatal: bool = False) -> Iterator[None]:
        """Say that the cache fails: once where that costs its help alone, and not the answer that is paid for.

        Raises:
            ConfigurationError: It does, and that is `fatal`.
        """
        try:
            yield
        except (OSError, ConfigurationError) as error:
            said = str(error)  # the lock names the folder, and the remedy
            if isinstance(error, OSError):
                said = f"the response cache {self.path} cannot be used: {error.strerror}; {_REMEDY}"
            if fatal:
                raise ConfigurationError(said) from None
            if not self._failed:
                log(f"{said}; going on without it")
            self._failed = True


def _is_whole(message: AIMessage) -> bool:
    """Say whether a reply is one to keep: it says something or calls a tool, and no filter held it back."""
    said = bool(message.text.strip() or message.tool_calls) and not message.invalid_tool_calls
    return said and read_finish_reason(message) not in ("content_filter", "refusal", "error")
