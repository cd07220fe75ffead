"""What a model would send, and what it makes of an answer: its own code does both, with nothing sent.

    written_by(model, write)    a copy of the model whose calls end in `write`, and with `Written`
    reader_of(model)            a function from an HTTP answer to the message that the model makes of it

Both give the client of the provider's SDK a transport that stays in this process.
"""

import json
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langsmith import tracing_context

from data.common.parsing import JsonObject
from eval.execution.rate_limits import Halt


class Written(Halt):
    """A call was written down, and is not made now."""


class Request(NamedTuple):
    """What a call would send.

    Attributes:
        call: The id of LangChain's run.
        path: What of the address is behind the provider's own, such as "/v1/chat/completions".
        body: The request's JSON.
    """

    call: str
    path: str
    body: JsonObject


_CALL: ContextVar[str] = ContextVar("call")


def sdk_client(model: BaseChatModel) -> Any:
    """Return the client of OpenAI's or Anthropic's SDK that a model asks with; None for a model of neither."""
    inner = getattr(model, "inner", model)
    # Of Anthropic's it is made when it is first used.
    return getattr(inner, "root_client", None) or getattr(inner, "_client", None)


def written_by(model: BaseChatModel, write: Callable[[Request], None]) -> BaseChatModel:
    """Return a copy of a model whose calls are handed to `write`, and end with `Written`.

    Args:
        model: It has a client of an SDK.
        write: Called with each request, in the thread of the call.
    """

    def handle(request: Any) -> Any:
        path = "/v1/" + request.url.path.rpartition("/v1/")[2].lstrip("/")
        write(Request(_CALL.get(""), path, json.loads(request.content)))
        raise Written

    made = _with_transport(model, handle)
    made.__class__ = _kind_that_names_calls(type(model))
    return made


def reader_of(model: BaseChatModel) -> Callable[[int, JsonObject], AIMessage]:
    """Return a function from a status and a body to the message that the model makes of them, or what it raises."""
    from httpx2 import Response

    answer: list[Response] = []
    made = _with_transport(model, lambda request: answer[0]).model_copy(update={"disable_streaming": True})

    def read(status: int, body: JsonObject) -> AIMessage:
        answer[:] = [Response(status, json=body)]
        with tracing_context(enabled=False):
            message = made.invoke([HumanMessage("?")])
        if not isinstance(message, AIMessage):
            raise TypeError(f"the reply is a {type(message).__name__}")
        return message

    return read


def _with_transport(model: BaseChatModel, handle: Callable[[Any], Any]) -> BaseChatModel:
    inner = getattr(model, "inner", None)
    if isinstance(inner, BaseChatModel):
        return model.model_copy(update={"inner": _with_transport(inner, handle), "cache": False})
    from httpx2 import Client, MockTransport

    client = sdk_client(model).with_options(http_client=Client(transport=MockTransport(handle)), max_retries=0)
    made = model.model_copy(update={"cache": False})
    if hasattr(model, "root_client"):
        return made.model_copy(update={"root_client": client, "client": client.chat.completions})
    made.__dict__["_client"] = client  # where a cached property keeps it
    return made


def _kind_that_names_calls(kind: type[BaseChatModel]) -> type[BaseChatModel]:
    """Return a class that is `kind` to all who ask, and says which call is being made."""

    class Naming(kind):  # type: ignore[valid-type,misc]  # whichever class LangChain made the model of
        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **more: Any) -> Any:
            token = _CALL.set("" if run_manager is None else run_manager.run_id.hex)
            try:
                return super()._generate(messages, stop=stop, run_manager=run_manager, **more)
            finally:
                _CALL.reset(token)

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(Naming, name, getattr(kind, name))
    return Naming
