"""Replies that need not be asked for: one that the item has had, or one in the response cache.

    a listener to the call: `find` ─┬─ the item's own: paid for in this run
                                    └─ the response cache's: free
    the model that `of` returns: gives the reply that was found, or asks, and keeps what is answered

The listener sees a call first, with all that is said of it, and holds it up where it is to be sent. It leaves what it
found under the id of the call's run, which the model knows as well, whether it runs in a thread or as a task.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.outputs import ChatGeneration, ChatResult

from data.types import TRIAL
from eval.execution.reply_journal import ItemReplies
from eval.execution.request_key import request_key, said_of
from eval.execution.response_cache import ModelCache, ResponseCache
from eval.plan.systems import System

# In the metadata of the model whose calls these are: a chain may ask others beside it.
_MARK = "known_replies"


@dataclass(eq=False)
class Call:
    """A call that is about to be made.

    Attributes:
        trial: Which of an item's trials it belongs to.
        own: The replies that its item has had, and `request` its key among them.
        cache_key: Its key in the response cache; None: it is not kept there.
        reply: Where it is known.
        source: Who has its reply, so that nothing will be sent.
    """

    trial: int
    own: ItemReplies | None
    request: str | None
    cache_key: str | None
    reply: AIMessage | None
    source: Literal["item", "cache"] | None


class KnownReplies:
    """The replies that one model need not be asked for.

    Of each call, in this order: a listener calls `find` and `begin`, the model `take` and `keep`, the listener `end`.

    Args:
        cache: The response cache as that model sees it; None: none is used.
    """

    def __init__(self, cache: ModelCache | None = None) -> None:
        self._cache = cache
        self._begun: dict[UUID, Call] = {}

    def of(self, model: BaseChatModel) -> BaseChatModel:
        """Return a copy of the model that looks here before it is asked, also where a chain would stream its reply."""
        marked = {**(model.metadata or {}), _MARK: True}
        # No other cache answers before it: that reply would be counted as one that was sent for.
        made = model.model_copy(update={"metadata": marked, "disable_streaming": True, "cache": False})
        made.__class__ = _kind_with(type(model), self)
        return made

    def find(
        self,
        messages: Sequence[BaseMessage],
        parameters: Mapping[str, Any] | None,
        metadata: Mapping[str, Any] | None,
        own: ItemReplies | None = None,
    ) -> Call | None:
        """Look for the reply to a call; None for a call of another model.

        Args:
            messages: What would be sent.
            parameters: What the model is called with, as LangChain tells callbacks.
            metadata: Of the call; says which of several trials it is.
            own: The replies that its item has had.
        """
        about = metadata or {}
        if _MARK not in about:
            return None
        said, trial = parameters or {}, about.get(TRIAL, 0)
        request = None if own is None else request_key({}, said_of(said), messages, sample=trial)
        reply = None if own is None or request is None else own.take(request)
        call = Call(trial, own, request, None, reply, None if reply is None else "item")
        if self._cache is not None and reply is None:
            call.cache_key = self._cache.key(messages, said, trial)
            call.reply = None if call.cache_key is None else self._cache.get(call.cache_key)
            call.source = None if call.reply is None else "cache"
        return call

    def begin(self, run_id: UUID, call: Call) -> None:
        """Leave a call for the model, which is about to make it."""
        self._begun[run_id] = call

    def take(self, run_id: UUID | None) -> Call | None:
        """Return the call that a run of the model is to make, once; None where nobody listens to it."""
        return None if run_id is None else self._begun.pop(run_id, None)

    def end(self, run_id: UUID) -> None:
        """Forget a call that the model has not taken."""
        self._begun.pop(run_id, None)

    def keep(self, call: Call, result: ChatResult, seconds: float) -> None:
        """Keep what the model answered to a call, if it is one message."""
        message = _whole_message(result)
        if message is None:
            return
        if call.cache_key is not None and self._cache is not None:
            self._cache.keep(call.cache_key, message)
        if call.own is not None and call.request is not None:
            call.own.keep(call.request, message, seconds, trial=call.trial)

    def forget(self, call: Call) -> None:
        """Have a trial made anew, of which this is a call: a fault followed from what was answered to it."""
        if call.own is not None:
            call.own.forget(call.trial)
        if call.cache_key is not None and self._cache is not None:
            self._cache.drop(call.cache_key)


def known_replies(system: System, cache: ResponseCache | None) -> KnownReplies | None:
    """Return where a system's model finds replies that it need not be asked for; None where there can be none.

    Args:
        system: Whose model is asked over a network.
        cache: The response cache; None: none is used.
    """
    if system.remote is None:
        return None
    model = system.remote.model
    kept = cache.of(model, votes=system.description.votes is not None) if cache else None
    if kept is None and (not system.several_calls or model.cache):  # one of the user's own stays
        return None
    return KnownReplies(kept)


def _whole_message(result: ChatResult) -> AIMessage | None:
    """Return the one message of a result with all that was said beside it, as LangChain would hand it on."""
    if len(result.generations) != 1:
        return None
    (generation,) = result.generations
    message: BaseMessage = generation.message
    if isinstance(message, AIMessageChunk):
        message = message_chunk_to_message(message)
    if not isinstance(message, AIMessage):
        return None
    beside = {**(result.llm_output or {}), **(generation.generation_info or {}), **message.response_metadata}
    return message.model_copy(update={"response_metadata": beside})


def _kind_with(kind: type[BaseChatModel], known: KnownReplies) -> type[BaseChatModel]:
    """Return a class that is `kind` to all who ask, and gives the replies that are known."""
    more = {name: "run_manager" in signature(getattr(kind, name)).parameters for name in ("_generate", "_agenerate")}

    class Known(kind):  # type: ignore[valid-type,misc]  # whichever class LangChain made the model of
        def _generate(
            self,
            messages: list[BaseMessage],
            stop: list[str] | None = None,
            run_manager: CallbackManagerForLLMRun | None = None,
            **kwargs: Any,
        ) -> ChatResult:
            call = known.take(run_manager.run_id if run_manager else None)
            if call is not None and call.reply is not None:
                return _result(call.reply)
            if more["_generate"]:
                kwargs["run_manager"] = run_manager
            since = time.monotonic()
            result: ChatResult = super()._generate(messages, stop=stop, **kwargs)
            if call is not None:
                known.keep(call, result, time.monotonic() - since)
            return result

        async def _agenerate(
            self,
            messages: list[BaseMessage],
            stop: list[str] | None = None,
            run_manager: AsyncCallbackManagerForLLMRun | None = None,
            **kwargs: Any,
        ) -> ChatResult:
            call = known.take(run_manager.run_id if run_manager else None)
            if call is not None and call.reply is not None:
                return _result(call.reply)
            if more["_agenerate"]:
                kwargs["run_manager"] = run_manager
            since = time.monotonic()
            result: ChatResult = await super()._agenerate(messages, stop=stop, **kwargs)
            if call is not None:
                known.keep(call, result, time.monotonic() - since)
            return result

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(Known, name, getattr(kind, name))
    return Known


def _result(reply: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=reply)])
