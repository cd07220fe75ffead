"""The results of promptfoo: `promptfoo eval -o results.json`, one object with all of them, or `.jsonl`, a line each.

A file holds several systems: each provider with each prompt is one. What is right is what a result's assertion compares
the output with, or the variable that is named as answers are.

Source:
    `src/types/index.ts` (EvaluateResult, EvaluateSummaryV3) of promptfoo.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.column_names import ANSWERS, LABELS, by_name
from eval.execution.logs.document import parsed_cell, read_document
from eval.execution.logs.row import LogRow, as_messages, as_number, as_object, counts, json_parts, log_rows, make_row

ROWS_AT = ("results", "results")
ROW_NAMES = frozenset({"provider", "prompt", "vars"})
_COMPARED = ("equals", "iequals", "icontains", "contains", "starts-with")  # assertions whose value is what is right
_ANSWERS = ("expected", "expectedoutput", "reference", *ANSWERS, *LABELS)
_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_NO_REPLY = 2  # `failureReason` of a result whose provider failed; of one whose assertion did, it is 1


def read_object(path: Path) -> Iterator[LogRow]:
    """Yield each result of a `.json` file, reading as it goes.

    Raises:
        ConfigurationError: The file or a result of it is damaged.
    """
    n = 0
    for where, value in json_parts(path, ROWS_AT):
        if where == ROWS_AT and isinstance(value, dict):
            n += 1
            yield _row(path, f"result {n}", value)


def read_lines(path: Path) -> Iterator[LogRow]:
    """Yield each result of a `.jsonl` file.

    Raises:
        ConfigurationError: A line is damaged.
    """
    for place, value in log_rows(path):
        yield _row(path, place, value)


def _row(path: Path, place: str, result: Mapping[str, Any]) -> LogRow:
    response, prompt = as_object(result.get("response")), as_object(result.get("prompt"))
    given = {name: _cell(value) for name, value in as_object(result.get("vars")).items()}
    sent, variable = str(prompt.get("raw") or ""), _answer_name(given)
    answer = _compared(result, given) or ("" if variable is None else str(given[variable]))
    fields = {name: value for name, value in given.items() if name != variable}
    document = read_document(fields, shown=sent, answer=answer)
    metric, score = ("success", result.get("success")) if "success" in result else ("score", result.get("score"))
    return make_row(
        path,
        place,
        id=str(result.get("testIdx", place)),
        task=path.stem,
        model=_provider(result.get("provider")),
        variant=str(result.get("promptIdx", prompt.get("label", ""))),
        trial=int(as_number(result.get("repeatIndex")) or 0),
        texts=document.texts,
        choices=document.choices,
        names=document.names,
        answer=answer.strip(),
        output=_output(response.get("output")),
        messages=_messages(sent),
        finish_reason=str(response.get("finishReason") or ""),
        usage=_usage(as_object(response.get("tokenUsage"))),
        usd=as_number(result.get("cost")) or None,
        latency_s=None if (ms := as_number(result.get("latencyMs"))) is None else ms / 1000,
        metric=metric,
        score=as_number(score, most=1),
        error=_error(result, response),
    )


def _cell(value: object) -> object:
    return parsed_cell(value) if isinstance(value, str) else value


def _provider(value: object) -> str:
    named = as_object(value)
    return str(named.get("label") or named.get("id") or (value if isinstance(value, str) else ""))


def _answer_name(given: Mapping[str, object]) -> str | None:
    """Return the variable that holds what is right; None where none is named so, or no other would be left."""
    return by_name(given, _ANSWERS, set()) if len(given) > 1 else None


def _compared(result: Mapping[str, Any], given: Mapping[str, object]) -> str:
    """Return what an assertion compares the output with, with the variables that it names put in."""
    asserted = as_object(result.get("testCase")).get("assert")
    for one in asserted if isinstance(asserted, list) else []:
        if isinstance(one, dict) and one.get("type") in _COMPARED and isinstance(one.get("value"), str | int | float):
            return _VARIABLE.sub(lambda name: str(given.get(name[1], name[0])), str(one["value"]))
    return ""


def _output(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _messages(sent: str) -> Sequence[Any]:
    """Return what was sent: a prompt that is a chat's messages in JSON is sent as these."""
    chat = parsed_cell(sent) if sent.lstrip().startswith("[") else None
    return as_messages(chat) or (as_messages([{"role": "user", "content": sent}]) if sent else ())


def _usage(tokens: Mapping[str, Any]) -> dict[str, int]:
    """Return the tokens of a call; of a reply out of promptfoo's cache only the sum is kept, and none were paid for."""
    details = as_object(tokens.get("completionDetails"))
    return counts(
        input_tokens=tokens.get("prompt"),
        output_tokens=tokens.get("completion"),
        reasoning_tokens=details.get("reasoning") or None,
    )


def _error(result: Mapping[str, Any], response: Mapping[str, Any]) -> str:
    """Return why there is no reply. A result whose assertion failed has an `error` too."""
    if result.get("failureReason") == _NO_REPLY or (response.get("output") is None and result.get("error")):
        return str(response.get("error") or result.get("error") or "the provider failed")
    return ""
