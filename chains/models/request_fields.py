"""Fields of a request that are left out, renamed or added: servers that speak one API differ in what they take.

    {"seed": None, "max_completion_tokens": 64, "top_logprobs": 5}

What is declared here has the last word: over what the model was made with, and over what a chain asks of it.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from langchain_core.language_models import BaseChatModel
from pydantic import Field

from data.common.errors import ConfigurationError
from data.common.parsing import JsonObject

# One limit under several names: whichever is declared takes the place of the others.
LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
LEFT_OUT = "-"
_OTHERS_BUSINESS = {
    "messages": "the chain says it",
    "input": "the chain says it",
    "model": "the model spec says it",
    "stream": "replies are read whole",
    "extra_body": "name its fields themselves",
}


def check_fields(fields: Mapping[str, Any]) -> JsonObject:
    """Return declared fields, with None for those that are left out.

    Raises:
        ValueError: A name or a value cannot stand in a request.
    """
    declared = {name: None if value == LEFT_OUT else value for name, value in fields.items()}
    for name, value in declared.items():
        if not name or not name.isidentifier():
            raise ValueError(f"request: '{name}' is no name of a field")
        if name in _OTHERS_BUSINESS:
            raise ValueError(f"request: '{name}' cannot be changed, {_OTHERS_BUSINESS[name]}")
        try:
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
        except (TypeError, ValueError, RecursionError):
            raise ValueError(f"request: the value of {name} is nothing that JSON can hold") from None
        if value is not None and name in LIMITS and (type(value) is not int or value < 1):
            raise ValueError(f"request: {name} is a count of tokens; give 1 or more, or '{LEFT_OUT}' to leave it out")
        if value is not None and name == "temperature" and (type(value) not in (int, float) or value < 0):
            raise ValueError(f"request: temperature is 0 or more, or '{LEFT_OUT}' to leave it out")
    return declared


def limit_of(fields: Mapping[str, Any]) -> int | None:
    """Return the longest reply that the fields ask for, in tokens; None where they ask for none."""
    return max((fields[name] for name in LIMITS if fields.get(name) is not None), default=None)


def changed(request: Mapping[str, Any], fields: Mapping[str, Any]) -> JsonObject:
    """Return a request with its fields as they are declared."""
    gone = {*fields, *(LIMITS if fields.keys() & set(LIMITS) else ())}
    kept = {name: value for name, value in request.items() if name not in gone}
    return kept | {name: value for name, value in fields.items() if value is not None}


def with_request(model: BaseChatModel, fields: Mapping[str, Any]) -> BaseChatModel:
    """Return a model whose requests have the fields that are declared.

    Raises:
        ConfigurationError: A field cannot be declared, or LangChain's class of the model sends no request that can be
            changed.
    """
    if not fields:
        return model
    try:
        fields = check_fields(fields)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    inner = getattr(model, "inner", None)
    if isinstance(inner, BaseChatModel):
        return model.model_copy(update={"inner": with_request(inner, fields)})
    if not hasattr(model, "_get_request_payload"):
        raise ConfigurationError(
            f"request: the fields of what {type(model).__name__} sends cannot be declared; that goes with models of "
            "OpenAI's API (openai:NAME, endpoint:NAME@URL)"
        )
    # What the rest of the project reads of a model: its limit, whether it samples, its seed.
    known: JsonObject = {name: fields[name] for name in ("temperature", "seed") if name in fields}
    known |= {"max_tokens": limit_of(fields)} if fields.keys() & set(LIMITS) else {}
    made = model.model_copy(update={name: value for name, value in known.items() if name in type(model).model_fields})
    made.__class__ = _kind_with_request(type(model))
    return made.model_copy(update={"request_fields": dict(fields)})


def with_seed(model: BaseChatModel, seed: int) -> BaseChatModel:
    """Return the model with another seed of its sampling, or the model itself where it was given none.

    A class without a field for it (ChatGroq) sends the seed that it was made with among `model_kwargs`.
    """
    inner = getattr(model, "inner", None)
    if isinstance(inner, BaseChatModel):
        return model.model_copy(update={"inner": with_seed(inner, seed)})
    if "seed" in type(model).model_fields:
        return model.model_copy(update={"seed": seed})
    sent = getattr(model, "model_kwargs", None) or {}
    return model.model_copy(update={"model_kwargs": {**sent, "seed": seed}}) if "seed" in sent else model


def fields_of(model: BaseChatModel) -> JsonObject:
    """Return the fields that are declared for a model."""
    fields: JsonObject = getattr(getattr(model, "inner", model), "request_fields", {})
    return fields


@cache
def _kind_with_request(kind: type[BaseChatModel]) -> type[BaseChatModel]:
    """Return a class that is `kind` to all who ask, and changes what it sends."""

    class Declared(kind):  # type: ignore[valid-type,misc]  # whichever class LangChain made the model of
        request_fields: JsonObject = Field(default_factory=dict)

        def _get_request_payload(self, *args: Any, **kwargs: Any) -> JsonObject:
            payload = changed(super()._get_request_payload(*args, **kwargs), self.request_fields)
            # Among the parameters of its functions, OpenAI's client takes only those that it knows.
            added = {name: payload.pop(name) for name in self.request_fields if name in payload}
            more = changed(payload.get("extra_body") or {}, self.request_fields) | added
            return payload | ({"extra_body": more} if more else {})

        def _get_invocation_params(self, *args: Any, **kwargs: Any) -> JsonObject:
            return changed(super()._get_invocation_params(*args, **kwargs), self.request_fields)

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(Declared, name, getattr(kind, name))
    return Declared
