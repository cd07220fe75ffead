"""Replies of items that are not finished: whatever ends the asking, what was answered is not asked and paid for again.

    runs/<name>/<system>/replies.jsonl    a line each, written before the chain gets it

An item may take several calls: votes, rotations, an agent's searches. When one fails, or the run is killed between two,
the item is asked anew from its beginning, and gets the replies that it has had. Once every item is answered, the file
is removed: the records say all of it.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path
from threading import Lock
from typing import Self

from langchain_core.messages import AIMessage
from pydantic import AliasChoices, BaseModel, Field

from data.common.errors import ConfigurationError
from data.common.files import faults_of_writing
from data.common.line_file import SyncedFile, open_lines, whole_lines
from data.common.secrets import make_redactor


class Reply(BaseModel):
    """A reply that an item was given.

    Attributes:
        item_id: Whose.
        asking: Which of several trials it belongs to.
        request: Hash of what was asked, `eval.execution.request_key`.
        message: As the model gave it, with its usage; None: what the trial had is forgotten.
        seconds: That the call took.
    """

    item_id: str
    trial: int = Field(default=0, validation_alias=AliasChoices("trial", "asking"))  # in older runs
    request: str = ""
    message: AIMessage | None = None
    seconds: float = 0.0

    def to_line(self) -> str:
        """Write it as JSON.

        Raises:
            RecursionError, TypeError, ValueError: Something in the message has no text.
        """
        # In ASCII: half a character, which a reply may hold, has an escape in JSON but no bytes in UTF-8.
        return json.dumps(self.model_dump(mode="json"))


class ItemReplies:
    """The replies that one item has had, given out again in their order.

    Args:
        item_id: Whose they are.
        journal: Where each is written down.
        replies: Of an earlier process.

    Attributes:
        given: How many replies this attempt at the item has had, old and new.
        replayed_s: Seconds that its old ones took.
    """

    def __init__(self, item_id: str, journal: "ReplyJournal", replies: Iterable[Reply] = ()) -> None:
        self.item_id = item_id
        self._journal = journal
        self._by_request: defaultdict[str, list[Reply]] = defaultdict(list)
        for reply in replies:
            self._by_request[reply.request].append(reply)
        self._lock = Lock()  # a chain may make calls at once
        self.rewind()

    def rewind(self) -> None:
        """Begin anew, for another attempt at the item."""
        self.given, self.replayed_s = 0, 0.0
        self._taken: Counter[str] = Counter()

    def take(self, request: str) -> AIMessage | None:
        """Return the reply to a request, to the same one asked again the next; None where there was none."""
        with self._lock:
            number, had = self._taken[request], self._by_request[request]
            self._taken[request] += 1
            if number >= len(had):
                return None
            self.given += 1
            self.replayed_s += had[number].seconds
            message = had[number].message
            return None if message is None else _copied(message)

    def keep(self, request: str, message: AIMessage, seconds: float, *, trial: int = 0) -> None:
        """Keep a reply, and write it down where it has a text."""
        # A copy: the chain may change what it was given.
        reply = Reply(item_id=self.item_id, trial=trial, request=request, message=_copied(message), seconds=seconds)
        with self._lock:
            self._by_request[request].append(reply)
            self.given += 1
        self._journal.append(reply)

    def forget(self, trial: int) -> None:
        """Have a trial made anew when the item is asked again: a fault followed from what was answered to it."""
        with self._lock:
            if not any(reply.trial == trial for had in self._by_request.values() for reply in had):
                return
            for request, had in self._by_request.items():
                self._by_request[request] = [reply for reply in had if reply.trial != trial]
        self._journal.append(Reply(item_id=self.item_id, trial=trial))


def _copied(message: AIMessage) -> AIMessage:
    try:
        return deepcopy(message)
    except Exception:  # noqa: BLE001  # it holds something that cannot be copied, and says so as it likes
        return message


class ReplyJournal:
    """One system's file of replies.

    Args:
        path: Of the file.
        item_ids: Of the items that will be asked; replies to others are left alone.
        on_fault: Called where a reply cannot be written: it is not to be lost by going on.

    Raises:
        ConfigurationError: The file cannot be read or written, or is damaged.
    """

    def __init__(self, path: Path, item_ids: Iterable[str], on_fault: Callable[[OSError], None]) -> None:
        self._path, self._on_fault = path, on_fault
        self._remedy = f"free space there, or make it writable, and go on with --resume {path.parent.parent}"
        self._redact = make_redactor()
        self._lock = Lock()
        self._earlier = read_replies(path, set(item_ids).__contains__)
        with faults_of_writing(path, self._remedy):
            self._file: SyncedFile | None = open_lines(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with faults_of_writing(self._path, self._remedy), self._lock:
            file, self._file = self._file, None
            if file is not None:
                file.close()

    def of(self, item_id: str) -> ItemReplies:
        """Return the replies of an item."""
        return ItemReplies(item_id, self, self._earlier.pop(item_id, ()))

    def append(self, reply: Reply) -> None:
        """Write a reply down; one that comes after the run has ended, of an item that was given up, is nobody's."""
        try:
            line = self._redact(reply.to_line()).encode("ascii") + b"\n"
        except (RecursionError, TypeError, ValueError):
            return  # it was paid for all the same, and is the answer
        try:
            with self._lock:
                if self._file is not None:
                    self._file.append(line)
        except OSError as error:
            self._on_fault(error)


def read_replies(path: Path, is_wanted: Callable[[str], bool]) -> dict[str, list[Reply]]:
    """Return the replies that items have had, by item id; none where there is no file.

    Args:
        path: Of the file.
        is_wanted: Says of an item id whether its replies are.

    Raises:
        ConfigurationError: The file cannot be read, or is damaged.
    """
    found: dict[str, list[Reply]] = {}
    for number, (_, line) in enumerate(whole_lines(path), start=1):
        try:
            content = json.loads(line)
            if not is_wanted(content["item_id"]):
                continue  # most of them, in a run that goes on: not made messages of
            reply = Reply.model_validate(content)
        except (
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ):  # the first from LangChain's own validators
            raise ConfigurationError(
                f"{path}, line {number}: not a reply; restore it, or delete the file to pay for its replies again"
            ) from None
        had = found.setdefault(reply.item_id, [])
        if reply.message is None:
            had[:] = [one for one in had if one.trial != reply.trial]
        else:
            had.append(reply)
    return found


def replies_path(run_dir: Path, system: str) -> Path:
    """Return where a system's replies are; its name is a plain one."""
    return run_dir / system / "replies.jsonl"
