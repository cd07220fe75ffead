"""Replies that the provider itself holds to a JSON schema: an object whose answer is one of the labels.

A model and labels in, a runnable out that asks the model so. It goes through LangChain: what a class of its makes of
`with_structured_output` is what is asked, whichever words its provider has for it.
"""

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableBinding, RunnableParallel, RunnableSequence

from chains.models import backends
from data.common.errors import ConfigurationError
from data.common.parsing import JsonObject
from data.common.text import one_line

ANSWER = "answer"  # the field that holds the label
# What stands around a label in such an object, in tokens; and some models write Hangul as \uXXXX there.
SCHEMA_TOKENS = 48


def answer_schema(labels: Sequence[str], *, reasons: bool = False) -> JsonObject:
    """Return the JSON schema of an object that answers with one of the labels.

    Args:
        labels: (n_choices,) what stands for each choice.
        reasons: Whether the model is to write what it thinks first, in a field of its own.
    """
    thoughts: JsonObject = {"reasoning": {"type": "string"}} if reasons else {}
    fields = {**thoughts, ANSWER: {"type": "string", "enum": list(labels)}}
    return {
        "title": ANSWER,
        "description": "The answer to the question.",
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def held_to(model: BaseChatModel, schema: JsonObject) -> Runnable[LanguageModelInput, AIMessage]:
    """Return what asks a model for a reply of a schema.

    OpenAI's own client raises an error where such a reply is cut off, although that is paid for and may be read. The
    schema is therefore sent among the fields that this client passes on as they are.

    Raises:
        ConfigurationError: The model cannot be held to a schema.
    """
    inner: Any = getattr(model, "inner", model)
    if backends.is_local(inner):
        raise _refusal("a model in this process is held to no schema; use 'score' or 'auto'")
    if _is_chat_completions(inner):
        form = {"name": schema["title"], "strict": True, "schema": schema}
        sent = {"response_format": {"type": "json_schema", "json_schema": form}}
        return model.bind(extra_body={**(inner.extra_body or {}), **sent})
    return model.bind(**_bound_by_langchain(inner, schema))


def _is_chat_completions(model: BaseChatModel) -> bool:
    """Say whether a model is asked by OpenAI's chat completions: its Responses API has other names for the fields."""
    responses = getattr(model, "_use_responses_api", None)
    return "extra_body" in type(model).model_fields and responses is not None and not responses({})


def _bound_by_langchain(model: BaseChatModel, schema: JsonObject) -> dict[str, Any]:
    """Return the arguments of a call with which LangChain's class of a model asks for a reply of a schema."""
    try:
        made = model.with_structured_output(schema, method="json_schema", include_raw=True)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise _refusal(f"{type(model).__name__} takes no schema ({one_line(error)}); use 'generate'") from None
    first = made.first if isinstance(made, RunnableSequence) else made
    asked = first.steps__.get("raw") if isinstance(first, RunnableParallel) else None
    if not isinstance(asked, RunnableBinding):
        raise _refusal(f"{type(model).__name__} asks for a schema in a way of its own; use 'generate'")
    return dict(asked.kwargs)


def _refusal(why: str) -> ConfigurationError:
    return ConfigurationError(f"answering 'structured' is not possible: {why}")
