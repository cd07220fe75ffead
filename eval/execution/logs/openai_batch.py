"""The output of OpenAI's Batch API, and of servers that write the same: one reply a line under its `custom_id`.

An output holds neither the items nor the prompts. The prompts are in the input file, which is read beside it; the items
are a benchmark's, or those of another log.

Source:
    https://platform.openai.com/docs/api-reference/batch (the request input and the request output object).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data.common.parsing import JsonObject
from eval.execution.logs.row import LogRow, as_messages, as_object, as_text, counts, log_rows, make_row

OUTPUT_NAMES, INPUT_NAMES = frozenset({"custom_id", "response"}), frozenset({"custom_id", "body"})


def read_output(path: Path) -> Iterator[LogRow]:
    """Yield each reply of an output or an error file.

    Raises:
        ConfigurationError: A line is damaged.
    """
    for place, row in log_rows(path):
        response = as_object(row.get("response"))
        body = as_object(response.get("body"))
        failed = _error(row, response, body)
        reply = {} if failed else _reply(body)
        model = str(body.get("model") or "")
        yield make_row(path, place, id=str(row.get("custom_id")), model=model, error=failed, **reply)


def read_input(path: Path) -> Iterator[LogRow]:
    """Yield each prompt of an input file.

    Raises:
        ConfigurationError: A line is damaged.
    """
    for place, row in log_rows(path):
        body = as_object(row.get("body"))
        said = body.get("messages") or body.get("input") or body.get("prompt")
        messages = as_messages(said) or as_messages([{"role": "user", "content": said}])
        system = as_messages([{"role": "system", "content": body["instructions"]}] if body.get("instructions") else [])
        yield make_row(path, place, id=str(row.get("custom_id")), messages=(*system, *messages), is_prompt=True)


def _error(row: Mapping[str, Any], response: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """Return why there is no reply; "" where there is one."""
    error, status = as_object(row.get("error")) or as_object(body.get("error")), response.get("status_code")
    if not error and response and status in (200, None):
        return ""
    return str(error.get("message") or error.get("code") or f"HTTP {status}")


def _reply(body: Mapping[str, Any]) -> JsonObject:
    """Return the fields of a reply of the chat, the responses or the completions endpoint."""
    usage = as_object(body.get("usage"))
    found = _said_by_responses(body) if isinstance(body.get("output"), list) else _said_by_chat(body)
    details = [as_object(usage.get(f"{name}_details")) for name in ("prompt_tokens", "input_tokens")]
    thought = [as_object(usage.get(f"{name}_details")) for name in ("completion_tokens", "output_tokens")]
    found["usage"] = counts(
        input_tokens=usage.get("prompt_tokens", usage.get("input_tokens")),
        output_tokens=usage.get("completion_tokens", usage.get("output_tokens")),
        cached_tokens=next((one["cached_tokens"] for one in details if one.get("cached_tokens")), None),
        reasoning_tokens=next((one["reasoning_tokens"] for one in thought if one.get("reasoning_tokens")), None),
    )
    return found


def _said_by_chat(body: Mapping[str, Any]) -> JsonObject:
    choices = body.get("choices")
    choice = as_object(choices[0]) if isinstance(choices, list) and choices else {}
    message = as_object(choice.get("message"))
    content = message.get("content") if message else choice.get("text")
    refused, logprobs = message.get("refusal"), as_object(choice.get("logprobs")).get("content")
    return {
        "output": str(refused) if refused and content is None else None if content is None else as_text(content),
        "finish_reason": "refusal" if refused else str(choice.get("finish_reason") or ""),
        "logprobs": logprobs if isinstance(logprobs, list) else [],
        "reasoning": str(message.get("reasoning_content") or message.get("reasoning") or ""),
    }


def _said_by_responses(body: Mapping[str, Any]) -> JsonObject:
    parts = [as_object(one) for one in body["output"]]
    texts = [as_text(one.get("content")) for one in parts if one.get("type") == "message"]
    thoughts = [as_text(one.get("summary")) for one in parts if one.get("type") == "reasoning"]
    ended = as_object(body.get("incomplete_details")).get("reason") or body.get("status")
    return {
        "output": "".join(texts) if texts else None,
        "reasoning": "\n".join(filter(None, thoughts)),
        "finish_reason": "stop" if ended == "completed" else str(ended or ""),
    }
