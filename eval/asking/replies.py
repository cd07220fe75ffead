"""Replies of items that are not finished: whatever ends the asking, what was answered is not asked and paid for again.

    runs/<name>/<system>/replies.jsonl    a line each, written before the item's next call is sent

An item may take several calls: votes, rotations, an agent's turns. When one fails, or the run is killed between two,
the item is asked anew from its beginning, and gets the replies that it has had. Once every item is answered, the file
is removed: the records say all of it.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Self

from langchain_core.messages import AIMessage
from pydantic import BaseModel

from data.errors import ConfigurationError
from eval.secrets import make_redactor
from eval.writing import SyncedFile, cut_torn_line, faults_of_writing


class Reply(BaseModel):
    """A reply that an item was given.

    Attributes:
        item_id: Whose.
        request: Hash of what was asked, `eval.asking.request_key`.
        message: As the model gave it, with its usage; None: what the item had before is forgotten.
        seconds: That the call took.
    """

    item_id: str
    request: str = ""
    message: AIMessage | None = None
    seconds: float = 0.0

    def to_line(self) -> str:
        # In ASCII: half a character, which a reply may hold, has an escape in JSON but no bytes in UTF-8.
        return json.dumps(self.model_dump(mode="json"))


class ItemReplies:
    """The replies that one item has had, given out again in their order.

    Args:
        item_id: Whose they are.
        journal: Where each is written down.
        replies: Of an earlier process.
    """

    def __init__(self, item_id: str, journal: "ReplyJournal", replies: Iterable[Reply] = ()) -> None:
        self.item_id = item_id
        self.replayed_s = 0.0
        self._journal = journal
        self._by_request: defaultdict[str, list[Reply]] = defaultdict(list)
        for reply in replies:
            self._by_request[reply.request].append(reply)
        self._taken: Counter[str] = Counter()
        self._lock = Lock()  # a chain may make calls at once

    def rewind(self) -> None:
        """Begin anew, for another attempt at the item."""
        self.replayed_s = 0.0
        self._taken.clear()

    def take(self, request: str) -> AIMessage | None:
        """Return the reply to a request, to the same one asked again the next; None where there was none."""
        with self._lock:
            number, had = self._taken[request], self._by_request[request]
            self._taken[request] += 1
            if number >= len(had):
                return None
            self.replayed_s += had[number].seconds
            message = had[number].message
            return None if message is None else message.model_copy()

    def keep(self, request: str, message: AIMessage, seconds: float) -> None:
        """Write a reply down.

        Raises:
            ConfigurationError: It cannot be written.
        """
        reply = Reply(item_id=self.item_id, request=request, message=message, seconds=seconds)
        with self._lock:
            self._by_request[request].append(reply)
        self._journal.append(reply)

    def forget(self) -> None:
        """Have the item asked anew when its turn comes again: what it was answered led to a fault.

        Raises:
            ConfigurationError: It cannot be written down.
        """
        if self._by_request:
            self._by_request.clear()
            self._journal.append(Reply(item_id=self.item_id))


class ReplyJournal:
    """One system's file of replies.

    Args:
        path: Of the file.
        item_ids: Of the items that will be asked; replies to others are left alone.

    Raises:
        ConfigurationError: The file cannot be read or written, or is damaged.
    """

    def __init__(self, path: Path, item_ids: Iterable[str]) -> None:
        self._path = path
        self._remedy = f"free space there, or make it writable, and go on with --resume {path.parent.parent}"
        self._redact = make_redactor()
        self._lock = Lock()
        with faults_of_writing(path, self._remedy):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._earlier = self._read(set(item_ids))
            self._file = SyncedFile(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with faults_of_writing(self._path, self._remedy), self._lock:
            self._file.close()

    def of(self, item_id: str) -> ItemReplies:
        """Return the replies of an item."""
        return ItemReplies(item_id, self, self._earlier.pop(item_id, ()))

    def append(self, reply: Reply) -> None:
        line = self._redact(reply.to_line()).encode("ascii") + b"\n"
        with faults_of_writing(self._path, self._remedy), self._lock:
            self._file.append(line)

    def _read(self, wanted: set[str]) -> dict[str, list[Reply]]:
        found: dict[str, list[Reply]] = {}
        if not self._path.exists():
            return found
        cut_torn_line(self._path)
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    reply = Reply.model_validate(json.loads(line))
                except (AttributeError, TypeError, ValueError):  # the first two from LangChain's own validators
                    raise ConfigurationError(
                        f"{self._path}, line {number}: not a reply; restore it, or delete the file to ask again"
                    ) from None
                if reply.message is None:
                    found.pop(reply.item_id, None)
                elif reply.item_id in wanted:
                    found.setdefault(reply.item_id, []).append(reply)
        return found


def replies_path(run_dir: Path, system: str) -> Path:
    """Return where a system's replies are; its name is a plain one."""
    return run_dir / system / "replies.jsonl"
