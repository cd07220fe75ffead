"""A system's ledger of model calls: what each may cost, before it is sent, and what came of it.

    runs/<name>/<system>/calls.jsonl    lines that are appended and never changed, each of one of these kinds:
      most                     a call is about to be sent, and takes so many tokens at most
      usage, seconds, reply    it has ended; the reply where it may be given again
      forget                   what was answered to this request is of no use

Each names its item, trial, attempt, call and request. What a run has spent (`budget`), the replies that an item is
given again, and the response cache, which is a file of such lines for all runs, are read from them. A call without a
second line, or whose usage was not counted, may have cost the most that it can.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from copy import deepcopy
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Self

from langchain_core.messages import AIMessage
from pydantic import BaseModel, ConfigDict, NonNegativeInt, model_validator

from data.common.errors import ConfigurationError
from data.common.line_file import whole_lines
from data.common.parsing import JsonObject
from eval.rundir.journal import SystemFile

Tokens = dict[str, NonNegativeInt]  # by the names of `Prediction.usage`
FREE: Tokens = {"input_tokens": 0, "output_tokens": 0}


class Key(NamedTuple):
    """What a reply was given to: the request, see `eval.execution.request_key`, and which of several trials it was."""

    request: str
    trial: int


class Entry(BaseModel):
    """One line of a ledger.

    Attributes:
        call: The id of LangChain's run, which is also that of its trace.
        item: The id of the item that the call was made for.
        trial: Which of the item's trials it belongs to.
        attempt: Which attempt at the item this process makes.
        request: See `Key`; "": the reply cannot be given again.
        model: Whose reply it is, in the response cache.
        most: The most tokens that it can take; without those of a reply that nothing limits.
        usage: The tokens that it took; empty where they were not counted.
        seconds: That it took.
        forget: See above.
        reply: The message, as `as_data` makes it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    call: str = ""
    item: str = ""
    trial: int = 0
    attempt: int = 0
    request: str = ""
    model: str = ""
    most: Tokens | None = None
    usage: Tokens | None = None
    seconds: float = 0.0
    forget: bool = False
    reply: JsonObject | None = None

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        if (self.most is not None) + (self.usage is not None) + self.forget != 1:
            raise ValueError("it is of no kind")
        counted = [counts for counts in (self.most, self.usage or None) if counts is not None]
        if not all(FREE.keys() <= counts.keys() for counts in counted):
            raise ValueError("it does not count both kinds of tokens")
        return self

    @property
    def key(self) -> Key:
        """What the reply was given to."""
        return Key(self.request, self.trial)

    def message(self) -> AIMessage:
        """Return the reply, another one each time: a chain may change what it is given.

        Raises:
            ValueError: It is damaged.
        """
        return _as_message(deepcopy(self.reply))

    def to_line(self, redact: Callable[[str], str]) -> bytes:
        """Return it as it is written: in ASCII, for half a character has an escape in JSON but no bytes in UTF-8."""
        text = json.dumps(self.model_dump(exclude_defaults=True), separators=(",", ":"))
        return redact(text).encode("ascii") + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> Self:
        """Read one line.

        Raises:
            ValueError: It is none of a ledger.
        """
        try:
            return cls.model_validate(json.loads(line))
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error


def as_data(message: AIMessage) -> JsonObject | None:
    """Return a reply as an entry holds it: what is no JSON in it as its text; None where it could not be read back."""
    try:
        data: JsonObject = json.loads(json.dumps(message.model_dump(exclude={"id"}), default=str))
        _as_message(data)
    except (RecursionError, TypeError, ValueError):
        return None
    return data


def _as_message(data: object) -> AIMessage:
    try:
        return AIMessage.model_validate(data)
    except (AttributeError, LookupError, RecursionError, TypeError) as error:  # from LangChain's own validators
        raise ValueError("it is no reply") from error


def ledger_path(run_dir: Path, system: str) -> Path:
    """Return where a system's ledger is; its name is a plain one."""
    return run_dir / system / "calls.jsonl"


def read_ledger(path: Path) -> Iterator[Entry]:
    """Yield the entries of a ledger in their order; none where there is no file.

    Raises:
        ConfigurationError: The file cannot be read, or is damaged.
    """
    for number, (_, line) in enumerate(whole_lines(path), start=1):
        try:
            yield Entry.of_line(line)
        except ValueError:
            raise _damaged(path, f"line {number} is none of a call ledger") from None


def _damaged(path: Path, fault: str) -> ConfigurationError:
    return ConfigurationError(f"{path}: {fault}; restore it, or delete the file to pay for its replies again")


class CallLedger(SystemFile):
    """A system's ledger that is written to, as a context.

    Args:
        path: The path of the file.
        item_ids: The ids of the items that will be asked, which are given the replies again that they have had.
        on_fault: Called where an entry cannot be written: what it says is not to be lost by going on.

    Raises:
        ConfigurationError: The file cannot be read or written, or is damaged.
    """

    def __init__(self, path: Path, item_ids: Collection[str], on_fault: Callable[[OSError], None]) -> None:
        super().__init__(path)
        self._on_fault, self._lock = on_fault, Lock()
        self._earlier = _earlier_replies(path, item_ids)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            super().__exit__()

    def of(self, item_id: str) -> "ItemLedger":
        """Return the ledger as an item sees it."""
        return ItemLedger(item_id, self.append, self._earlier.pop(item_id, None))

    def append(self, entry: Entry) -> bool:
        """Write an entry down, and say whether it is written: after the run's end it is nobody's."""
        try:
            with self._lock:
                if self._file is None:
                    return False
                self._file.append(entry.to_line(self._redact))
        except OSError as error:
            self._on_fault(error)
            return False
        return True


_Replies = dict[Key, list[Entry]]


def _earlier_replies(path: Path, item_ids: Collection[str]) -> dict[str, _Replies]:
    """Return the entries whose replies items may be given again, by item id."""
    found: dict[str, _Replies] = {}
    for entry in read_ledger(path):
        if entry.item not in item_ids:
            continue  # most of them, in a run that goes on: not made messages of
        replies = found.setdefault(entry.item, {})
        if entry.forget:
            replies.pop(entry.key, None)
        elif entry.reply:
            try:
                entry.message()
            except ValueError:
                raise _damaged(path, f"the reply of call {entry.call} cannot be read") from None
            replies.setdefault(entry.key, []).append(entry)
    return found


class ItemLedger:
    """The ledger as one item sees it: its calls are written down, its replies given out again in their order.

    An item may take several calls: votes, rotations, an agent's searches. When one fails, or the run is killed between
    two, it is asked anew from its beginning, and nothing is paid for again that was answered.

    Args:
        item_id: Whose calls they are.
        append: Writes an entry down, and says whether it is written.
        replies: That the item was given by an earlier process.

    Attributes:
        item_id: See above.
        given: How many replies that can be given again this attempt at the item has had, old and new.
        replayed_s: Seconds that its old ones took.
    """

    def __init__(
        self, item_id: str = "", append: Callable[[Entry], bool] = lambda _: True, replies: _Replies | None = None
    ) -> None:
        self.item_id, self._append = item_id, append
        self._replies = replies or {}
        self._lock = Lock()  # a chain may make calls at once
        self._attempt = 0
        self.rewind()

    def rewind(self) -> None:
        """Begin another attempt at the item."""
        self._attempt += 1
        self.given, self.replayed_s = 0, 0.0
        self._taken: Counter[Key] = Counter()

    def take(self, key: Key) -> AIMessage | None:
        """Return the reply to a request, to the same one asked again the next; None where there was none."""
        with self._lock:
            number, had = self._taken[key], self._replies.get(key, ())
            self._taken[key] += 1
            if number >= len(had):
                return None
            self.given += 1
            self.replayed_s += had[number].seconds
            return had[number].message()

    def write(self, key: Key, call: str = "", **said: Any) -> bool:
        """Write an entry down, and say whether it is written.

        Args:
            key: The key of the reply; without a request it cannot be given again.
            call: The id of its run.
            said: The entry's other fields.
        """
        entry = Entry(call=call, item=self.item_id, attempt=self._attempt, **key._asdict(), **said)
        if entry.reply:
            with self._lock:
                self._replies.setdefault(key, []).append(entry)
                self.given += 1
        return self._append(entry)

    def forget(self, key: Key) -> None:
        """Have a request made anew when the item is asked again: a fault followed from what was answered to it."""
        with self._lock:
            had = self._replies.pop(key, None)
        if had:
            self.write(key, forget=True)
