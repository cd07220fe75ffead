"""A system's ledger of model calls: what each may cost, before it is sent, and what came of it.

    runs/<name>/<system>/calls.jsonl    lines that are appended and never changed, each of one of these kinds:
      call, item, trial, attempt, most                         it is about to be sent, and takes so many tokens at most
      call, item, trial, request, usage, seconds, reply        it has ended; the reply where it may be given again
      item, trial, request, forget                             what was answered to this request is of no use

What a run has spent (`budget`), the replies that an item is given again (`replay`) and the response cache, which is a
file of such lines for all runs, are read from them. A call without a second line, or whose usage was not counted, may
have cost the most that it can.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import NamedTuple, Self

from langchain_core.messages import AIMessage
from pydantic import BaseModel, ConfigDict, NonNegativeInt, model_validator

from data.common.errors import ConfigurationError
from data.common.files import faults_of_writing
from data.common.line_file import SyncedFile, open_lines, whole_lines
from data.common.secrets import make_redactor

Tokens = dict[str, NonNegativeInt]  # by the names of `Prediction.usage`
FREE: Tokens = {"input_tokens": 0, "output_tokens": 0}
_REPLY = b',"reply":'  # no other field holds it: within a text every quotation mark has a backslash before it


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
        most: The most tokens that it can take.
        usage: The tokens that it took; empty where they were not counted.
        seconds: That it took.
        forget: See above.
        reply: The message as JSON; "": there is none.
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
    reply: str = ""

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        if (self.most is not None) + (self.usage is not None) + self.forget != 1:
            raise ValueError("it is of no kind")
        if not all(FREE.keys() <= counts.keys() for counts in (self.most, self.usage) if counts):
            raise ValueError("it does not count both kinds of tokens")
        return self

    @property
    def key(self) -> Key:
        """What the reply was given to."""
        return Key(self.request, self.trial)

    def message(self) -> AIMessage:
        """Return the reply.

        Raises:
            ValueError: It is damaged.
        """
        try:
            return AIMessage.model_validate(json.loads(self.reply))
        except (AttributeError, LookupError, RecursionError, TypeError) as error:  # from LangChain's own validators
            raise ValueError("the reply is damaged") from error

    def to_line(self, redact: Callable[[str], str]) -> bytes:
        """Return it as it is written: in ASCII, for half a character has an escape in JSON but no bytes in UTF-8."""
        fields = self.model_dump(exclude_defaults=True, exclude={"reply"})
        if self.item:
            fields["item"] = redact(self.item)
        line = json.dumps(fields, separators=(",", ":")).encode("ascii")
        return (line[:-1] + _REPLY + redact(self.reply).encode("ascii") + b"}" if self.reply else line) + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> Self:
        """Read one line; its reply is parsed only where somebody asks for it.

        Raises:
            ValueError: It is none of a ledger.
        """
        head, mark, reply = line.strip().partition(_REPLY)
        try:
            entry = cls.model_validate(json.loads(head + b"}" if mark else head))
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        return entry.model_copy(update={"reply": reply[:-1].decode("ascii")}) if mark else entry


def as_json(message: AIMessage) -> str:
    """Return a reply as an entry holds it; "" where something in it has no text."""
    try:
        return json.dumps(message.model_dump(mode="json", exclude={"id"}), separators=(",", ":"))
    except (RecursionError, TypeError, ValueError):
        return ""


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
            raise damaged(path, f"line {number} is none of a call ledger") from None


def damaged(path: Path, fault: str) -> ConfigurationError:
    """Return the error of a ledger that cannot be taken as it is."""
    return ConfigurationError(f"{path}: {fault}; restore it, or delete the file to pay for its replies again")


class CallLedger:
    """A ledger that is written to, as a context.

    Args:
        path: Of the file.
        on_fault: Called where an entry cannot be written: what it says is not to be lost by going on.

    Raises:
        ConfigurationError: The file cannot be written.
    """

    def __init__(self, path: Path, on_fault: Callable[[OSError], None]) -> None:
        self._path, self._on_fault = path, on_fault
        self._remedy = f"free space there, or make it writable, and go on with --resume {path.parent.parent}"
        self._redact, self._lock = make_redactor(), Lock()
        with faults_of_writing(path, self._remedy):
            self._file: SyncedFile | None = open_lines(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with faults_of_writing(self._path, self._remedy), self._lock:
            file, self._file = self._file, None
            if file is not None:
                file.close()

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
