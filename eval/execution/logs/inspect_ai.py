"""The logs of inspect-ai: `.eval`, a ZIP archive with a member for each sample, and `.json`, one object with them all.

An item that was asked in several epochs has a row for each.

Source:
    `inspect_ai/log/_log.py` (EvalLog, EvalSample) and `inspect_ai/scorer/_choice.py`, version 0.3.285.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from data.common.errors import ConfigurationError, first_fault
from data.common.parsing import JsonObject
from eval.execution.logs.row import LETTERS, LogRow, as_messages, as_number, as_text, counts, json_parts, make_row
from eval.execution.logs.zip_members import read_member

HEADERS = ("header.json", "_journal/start.json")  # of a log that was finished, and of one that was not
_ATTACHMENT = "attachment://"
_VALUES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}


class _Read(BaseModel):
    """A part of a log: what is not named is skipped."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Spec(_Read):
    task: str = ""
    model: str = ""


class _Header(_Read):
    eval: _Spec = _Spec()


class _Usage(_Read):
    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_cache_read: int | None = None
    input_tokens_cache_write: int | None = None
    reasoning_tokens: int | None = None
    total_cost: float | None = None


class _Message(_Read):
    role: str = ""
    content: JsonValue = None


class _Logprobs(_Read):
    content: list[dict[str, JsonValue]] = []


class _Choice(_Read):
    message: _Message = _Message()
    logprobs: _Logprobs | None = None
    stop_reason: str = ""


class _Output(_Read):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    time: float | None = None


class _Score(_Read):
    value: JsonValue = None


class _Error(_Read):
    message: str = ""


class _Sample(_Read):
    id: int | str
    epoch: int = 1
    input: JsonValue = ""
    choices: list[str] | None = None
    target: str | list[str] = ""
    messages: list[_Message] = []
    output: _Output = _Output()
    scores: dict[str, _Score] | None = None
    model_usage: dict[str, _Usage] = {}
    total_time: float | None = None
    error: _Error | None = None
    attachments: dict[str, str] = {}


def read_archive(path: Path) -> Iterator[LogRow]:
    """Yield each sample of an `.eval` log, one member at a time.

    Raises:
        ConfigurationError: The archive or a sample of it is damaged.
    """
    try:
        with ZipFile(path) as archive:
            # Of a sample that was asked again there are two members of one name, of which the later counts.
            members = {member.filename: member for member in archive.infolist()}
            start = next((members[name] for name in HEADERS if name in members), None)
            header = _Header() if start is None else _Header.model_validate_json(read_member(archive, start))
            for name, member in members.items():
                if name.startswith("samples/"):
                    yield _row(path, name, _Sample.model_validate_json(read_member(archive, member)), header)
    except BadZipFile as error:
        raise ConfigurationError(f"{path} is damaged: {error}; copy it again") from None
    except ValidationError as error:
        raise ConfigurationError(f"{path}: no log of inspect-ai ({first_fault(error)})") from None


def read_object(path: Path) -> Iterator[LogRow]:
    """Yield each sample of a `.json` log, reading as it goes.

    Raises:
        ConfigurationError: The file or a sample of it is damaged.
    """
    header, n = JsonObject(), 0
    try:
        for where, value in json_parts(path, ("samples",)):
            if where != ("samples",):
                header[where[0]] = value
            elif value is not None:
                n += 1
                yield _row(path, f"sample {n}", _Sample.model_validate(value), _Header.model_validate(header))
    except ValidationError as error:
        raise ConfigurationError(f"{path}, sample {n}: no log of inspect-ai ({first_fault(error)})") from None


def _row(path: Path, place: str, sample: _Sample, header: _Header) -> LogRow:
    model, choices = header.eval.model, sample.choices or []
    reply = sample.output.choices[0] if sample.output.choices else _Choice()
    usage = sample.model_usage.get(model) or sample.output.usage
    content, name = reply.message.content, next(iter(sample.scores or {}), "")
    return make_row(
        path,
        place,
        id=str(sample.id),
        task=header.eval.task,
        model=model,
        trial=max(sample.epoch - 1, 0),
        texts=_texts(sample),
        choices=choices,
        **_right(sample.target, len(choices)),
        output=None if content is None else _resolved(as_text(content), sample.attachments),
        reasoning=_reasoning(content),
        logprobs=reply.logprobs.content if reply.logprobs else [],
        messages=_sent(sample),
        finish_reason="" if reply.stop_reason == "unknown" else reply.stop_reason,
        usage={} if usage is None else _counts(usage),
        usd=None if usage is None else usage.total_cost,
        latency_s=sample.total_time if sample.output.time is None else sample.output.time,
        metric=name,
        score=_score(sample.scores[name].value) if sample.scores else None,
        error=sample.error.message or "the sample failed" if sample.error else "",
    )


def _texts(sample: _Sample) -> dict[str, str]:
    """Return the question: the input, of a chat what its user says."""
    said = sample.input
    if isinstance(said, list):
        said = "\n".join(message.content for message in as_messages(said) if message.role == "user")
    text = _resolved(as_text(said), sample.attachments).strip()
    return {"question": text} if text else {}


def _right(target: str | list[str], n_choices: int) -> JsonObject:
    """Return what is right: letters of choices, or a text."""
    targets = [target] if isinstance(target, str) else target
    if not n_choices:
        several = len({one.casefold().strip() for one in targets}) > 1
        return {"fault": "several right answers"} if several else {"answer": targets[0] if targets else ""}
    letters = {LETTERS.find(letter) for one in targets for letter in one.upper() if letter not in " ,"}
    if any(not 0 <= place < n_choices for place in letters):
        return {"answer": ", ".join(targets)}
    return {"target": letters.pop()} if len(letters) == 1 else {"fault": "several right answers"}


def _sent(sample: _Sample) -> tuple[Any, ...]:
    """Return the messages up to the reply."""
    messages = list(sample.messages)
    while messages and messages[-1].role != "assistant":
        messages.pop()
    sent = messages[:-1] if messages else sample.messages
    given = [{"role": one.role, "content": _resolved(as_text(one.content), sample.attachments)} for one in sent]
    return as_messages(given)


def _resolved(text: str, attachments: Mapping[str, str]) -> str:
    """Return a text that may stand among the attachments, where long ones are kept."""
    return attachments.get(text.removeprefix(_ATTACHMENT), text) if text.startswith(_ATTACHMENT) else text


def _reasoning(content: JsonValue) -> str:
    parts = content if isinstance(content, list) else []
    return "\n".join(str(one["reasoning"]) for one in parts if isinstance(one, dict) and one.get("reasoning"))


def _counts(usage: _Usage) -> dict[str, int]:
    """Return the tokens; inspect-ai counts what a cache gave or kept apart from the input."""
    cached = usage.input_tokens_cache_read or 0
    more = {"cached_tokens": cached or None, "reasoning_tokens": usage.reasoning_tokens or None}
    total = usage.input_tokens + cached + (usage.input_tokens_cache_write or 0)
    return counts(input_tokens=total, output_tokens=usage.output_tokens, **more) if total or usage.output_tokens else {}


def _score(value: JsonValue) -> float | None:
    return _VALUES.get(value) if isinstance(value, str) else as_number(value, most=1)
