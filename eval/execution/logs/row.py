"""One reply of a log, in the form that every format is read into, and what readers share.

A reader is a function from a file to such rows, one at a time: what it holds in memory is one row of the log.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue, ValidationError

from data.bounds import LONGEST_S, MOST_TOKENS
from data.common.errors import ConfigurationError, first_fault
from data.common.json_stream import stream_json
from data.common.parsing import JsonObject
from data.common.text import normalised, whole_characters
from data.rows import read_rows
from data.types import Frozen, Message

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _whole(value: object) -> object:
    return whole_characters(value) if isinstance(value, str) else value


# A reply, a prompt or an id as the log has it, with a sign in the place of each half of a character.
Said = Annotated[str, BeforeValidator(_whole)]
# A text of an item, in the form in which items' texts are read.
ItemText = Annotated[str, BeforeValidator(lambda value: normalised(_whole(value)) if isinstance(value, str) else value)]


class LogRow(Frozen):
    """One reply, with what the log says of the item that it answers.

    Attributes:
        place: Where it stands in the file, for messages about it.
        id: The item's id in the log.
        task: What the log calls the items together; "" where it does not say.
        model: Who answered, as the log calls it; "" where it does not say.
        variant: What tells several systems of one model apart, such as the prompt; "" where nothing does.
        trial: Which time the item was asked, from 0.
        texts: What the item shows, by name; empty where the log holds no items.
        choices: The item's own choices; empty where it has none, and is answered with a label.
        names: What the right answer may call the choices, such as ("1", "2"), where the log says so.
        answer: What is right, as the log writes it; "" where it does not say.
        target: The right one of `choices`, 0-based, where the reader knows it.
        fault: Why the item cannot be scored as a closed question; "" where it can.
        output: What was said; None for no text.
        reasoning: What the model reasoned, where that came apart from its text.
        chosen: The choice that was taken, 0-based, where the choices were scored and nothing was said.
        probs: (n_choices,) probabilities of the choices.
        logprobs: The tokens of the reply with their log-probabilities, as OpenAI lists them.
        messages: What was sent.
        finish_reason: As the log says it.
        usage: Token counts, named as in a `Prediction`.
        latency_s: Seconds.
        usd: What the call cost, in US dollars.
        metric: The name of the log's own score.
        score: The log's own score, from 0 to 1.
        error: Why there is no reply; "" where there is one.
        is_prompt: The row holds what was sent and no reply, as an input file of a batch does.
    """

    place: str
    id: Said
    task: Said = ""
    model: Said = ""
    variant: Said = ""
    trial: int = Field(default=0, ge=0)
    texts: dict[str, ItemText] = Field(default_factory=dict)
    choices: tuple[ItemText, ...] = ()
    names: tuple[ItemText, ...] = ()
    answer: ItemText = ""
    target: int | None = None
    fault: str = ""
    output: Said | None = None
    reasoning: Said = ""
    chosen: int | None = None
    probs: tuple[float, ...] | None = None
    logprobs: list[dict[str, JsonValue]] = Field(default_factory=list)
    messages: tuple[Message, ...] = ()
    finish_reason: str = ""
    usage: dict[str, Annotated[int, Field(ge=0, le=MOST_TOKENS)]] = Field(default_factory=dict)
    latency_s: float | None = Field(default=None, ge=0, le=LONGEST_S)
    usd: float | None = Field(default=None, ge=0, le=1e9)
    metric: str = ""
    score: float | None = Field(default=None, ge=0, le=1)
    error: Said = ""
    is_prompt: bool = False

    @property
    def has_item(self) -> bool:
        """Whether the row says by itself which item it answers, and what is right."""
        return bool(self.texts) and (self.target is not None or bool(self.answer))


def log_rows(path: Path) -> Iterator[tuple[str, JsonObject]]:
    """Yield (place, row) for each object of a file of JSON Lines, or of a JSON file that is one list.

    Raises:
        ConfigurationError: A line or a value is damaged, or no object.
    """
    if path.suffix == ".jsonl" and not _begins_with(path, "["):
        yield from read_rows(path)
        return
    for n, (_, value) in enumerate(json_parts(path, ()), start=1):
        if not isinstance(value, dict):
            raise ConfigurationError(f"{path}, row {n}: expected an object with named fields")
        yield f"row {n}", value


def json_parts(path: Path, rows_at: Sequence[str]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the parts of a JSON file as `stream_json` does, with faults that name the file."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from stream_json(file, rows_at)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _begins_with(path: Path, sign: str) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.read(64).lstrip().startswith(sign)


def make_row(path: Path, place: str, **fields: Any) -> LogRow:
    """Return a row, or the fault of a field in one line that names the file and the place."""
    try:
        return LogRow(place=place, **fields)
    except ValidationError as error:
        raise ConfigurationError(f"{path}, {place}: {first_fault(error)}") from None


def as_object(value: object) -> JsonObject:
    """Return an object; an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str:
    """Return the text of a message's content: a string, or parts of which some are texts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(as_text(part) for part in value)
    if isinstance(value, dict):
        return as_text(value.get("text")) if value.get("type", "text") in ("text", "output_text") else ""
    return ""


def as_messages(value: object) -> tuple[Message, ...]:
    """Return chat messages as they were sent; a value that is no list of messages gives none."""
    given = value if isinstance(value, list) else []
    return tuple(
        Message(role=whole_characters(one["role"]), content=whole_characters(as_text(one.get("content"))))
        for one in given
        if isinstance(one, dict) and isinstance(one.get("role"), str)
    )


def as_count(value: object) -> int | None:
    """Return a count of tokens; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None


def counts(**given: object) -> dict[str, int]:
    """Return the counts among some values, by name."""
    return {name: count for name, value in given.items() if (count := as_count(value)) is not None}


def as_number(value: object, *, most: float = math.inf) -> float | None:
    """Return a number from 0 to `most`; None for what is none."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float) and 0 <= value <= most:
        return float(value)
    return None


def first_score(scores: Mapping[str, object]) -> tuple[str, float] | None:
    """Return the name and value of the first score between 0 and 1; None where there is none."""
    for name, value in scores.items():
        if (score := as_number(value, most=1)) is not None:
            return name, score
    return None
