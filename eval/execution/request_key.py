"""What tells one request to a model from another: all that can change its reply, and nothing else.

    key      SHA-256 of class, address and settings of the model, what the call adds to them (tools, stop, response
             format, seed), and what the model sees of the messages

Only models of LangChain's packages and of this project have an identity: what other code does to a request, no field
tells.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import BaseTool
from pydantic import BaseModel, SecretStr

from chains.models.addresses import address_of
from chains.models.providers import PROVIDERS
from chains.models.wrappers import FamilyChatModel
from data.common.parsing import JsonObject

# Fields of a model that decide how it is reached, paid and traced, not what it says.
_NEUTRAL = re.compile(
    r"timeout|retries|rate_limiter|_key$|api_key|secret|credential|organization|proxy|http|client|headers|"
    r"^(cache|callbacks|custom_get_token_ids|disable_streaming|metadata|name|profile|tags|verbose|stream_usage)$"
)
_OF_THE_ACCOUNT = re.compile(r"auth|key|token|secret|cookie|organization|project", re.I)
_NEUTRAL_PARAMETERS = re.compile(r"timeout|retries|api_key|secret|credential|^(_type|stream|streaming|name|ls_.*)$")
# The packages whose classes are told apart by their fields: an edit of anybody else's code shows in none.
_KNOWN_PACKAGES = {"chains", "langchain_community", *(p.package.replace("-", "_") for p in PROVIDERS.values())}
# Where a client takes its address from, when its model has none and does not say so in a field.
_ADDRESS_VARIABLES = {"langchain_ollama": "OLLAMA_HOST"}


def request_key(
    identity: Mapping[str, Any], parameters: Mapping[str, Any], messages: Sequence[BaseMessage]
) -> str | None:
    """Return the key of a request; None where something in it has no stable text.

    Args:
        identity: What identifies the model; empty where nothing does.
        parameters: What it is called with, as LangChain tells callbacks; some of that can change no reply.
        messages: What is sent.
    """
    said = {name: value for name, value in parameters.items() if not _NEUTRAL_PARAMETERS.search(name)}
    try:
        request = [identity, said, _as_sent(messages)]
        text = json.dumps(request, sort_keys=True, ensure_ascii=False, default=_as_data)
    except (RecursionError, TypeError, ValueError):
        return None
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def identity_of(model: BaseChatModel) -> JsonObject:
    """Return what makes a model the one it is, as plain data: a field that is not known to be neutral counts.

    Raises:
        TypeError: The model is code of the user's own, or a field of it cannot be part of a key.
    """
    inner = model.inner if isinstance(model, FamilyChatModel) else model
    for kind in (type(model), type(inner)):
        if kind.__module__.partition(".")[0] not in _KNOWN_PACKAGES:
            raise TypeError(
                f"it is code of your own, {kind.__module__}, and would be served what it said before an edit"
            )
    package = type(inner).__module__.partition(".")[0]
    address = address_of(model) or os.environ.get(_ADDRESS_VARIABLES.get(package, ""))
    fields = {name: getattr(inner, name, None) for name in type(inner).model_fields if not _NEUTRAL.search(name)}
    headers = getattr(inner, "default_headers", None) or {}
    named = {
        "class": f"{type(inner).__module__}.{type(inner).__qualname__}",
        # What the environment says of the address, a client of OpenAI's knows alone.
        "address": [address, str(getattr(getattr(inner, "root_client", None), "base_url", ""))],
        "family": model.family.name if isinstance(model, FamilyChatModel) else "",
        "headers": {name: value for name, value in headers.items() if not _OF_THE_ACCOUNT.search(name)},
    }
    identity: JsonObject = json.loads(json.dumps({**fields, **named}, default=_as_data))
    return identity


def _as_data(value: object) -> object:
    """Return what stands for an object in a key.

    Raises:
        TypeError: It has no text of its own that is the same each time.
    """
    if isinstance(value, BaseTool):
        return {"tool": value.name, "description": value.description, "arguments": value.args}
    if isinstance(value, type) and issubclass(value, BaseModel):
        return value.model_json_schema()
    if isinstance(value, BaseModel) and not isinstance(value, SecretStr):
        return value.model_dump(mode="json")
    if isinstance(value, tuple | set | frozenset):
        return sorted(value) if isinstance(value, set | frozenset) else list(value)
    raise TypeError(f"a {type(value).__name__} has no stable text")


def _as_sent(messages: Sequence[BaseMessage]) -> list[JsonObject]:
    """Return of each message what a model can see: not what it cost, nor how the call that it came from was traced.

    The ids of tool calls, which are new in every conversation, become the calls' numbers.
    """
    numbers: dict[str | None, int] = {}
    return [_one_as_sent(message, numbers) for message in messages]


def _one_as_sent(message: BaseMessage, numbers: dict[str | None, int]) -> JsonObject:
    others = {name: held for name, held in message.additional_kwargs.items() if held and name != "tool_calls"}
    sent: JsonObject = {"role": message.type, "name": message.name, "content": message.content, "others": others}
    if isinstance(message, AIMessage):
        sent["calls"] = [
            [call["name"], call["args"], numbers.setdefault(call["id"], len(numbers))] for call in message.tool_calls
        ]
    if isinstance(message, ToolMessage):
        sent["call"] = [numbers.setdefault(message.tool_call_id, len(numbers)), message.status]
    return sent
