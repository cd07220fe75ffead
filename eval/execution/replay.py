"""What LangChain finds before it sends a call: a reply that the item has had, or one in the response cache.

    callback: `find` ─┬─ the item's own: paid for in this run       found: `lookup` hands it out, and nothing is sent
                      └─ the response cache's: free                 not: the call is sent, and `update` keeps its reply

LangChain tells its cache less than it tells callbacks: so a callback finds the reply, and leaves it for the cache in
the context of the call, whether that runs in a thread or as a task beside others.
"""

import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.outputs import ChatGeneration

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
        asking: Which of an item's askings it belongs to.
        own: The replies that its item has had, and `request` its key among them.
        cache_key: Its key in the response cache; None: it is not kept there.
        reply: Where it is known.
        source: Who has its reply, so that nothing will be sent.
        since: When it was sent, in seconds of the monotonic clock; None before.
    """

    prompt: str
    asking: int
    own: ItemReplies | None
    request: str | None
    cache_key: str | None
    reply: AIMessage | None
    source: Literal["item", "cache"] | None
    since: float | None = None


# The calls that a context has begun, by the ids of their runs.
_CALLS: ContextVar[dict[UUID, Call] | None] = ContextVar("calls", default=None)


class KnownReplies(BaseCache):
    """The replies that one model need not be asked for.

    Of each call, in this order: `find` and `begin` by a callback, `lookup`, and where that has nothing `update`, by
    LangChain; `end` by a callback.

    Args:
        cache: The response cache as that model sees it; None: none is used.
    """

    def __init__(self, cache: ModelCache | None = None) -> None:
        self._cache = cache

    def of(self, model: BaseChatModel) -> BaseChatModel:
        """Return a copy of the model that looks here before it is asked, also where a chain would stream its reply."""
        marked = {**(model.metadata or {}), _MARK: True}
        return model.model_copy(update={"cache": self, "metadata": marked, "disable_streaming": True})

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
            metadata: Of the call; says which of several askings it is.
            own: The replies that its item has had.
        """
        about = metadata or {}
        if _MARK not in about:
            return None
        said, asking = parameters or {}, about.get(TRIAL, 0)
        request = None if own is None else request_key({}, said_of(said), messages, sample=asking)
        reply = None if own is None or request is None else own.take(request)
        call = Call(_as_prompt(messages), asking, own, request, None, reply, None if reply is None else "item")
        if self._cache is not None and reply is None:
            call.cache_key = self._cache.key(messages, said, asking)
            call.reply = None if call.cache_key is None else self._cache.get(call.cache_key)
            call.source = None if call.reply is None else "cache"
        return call

    def forget(self, call: Call) -> None:
        """Have an asking made anew, of which this is a call: a fault followed from what was answered to it."""
        if call.own is not None:
            call.own.forget(call.asking)
        if call.cache_key is not None and self._cache is not None:
            self._cache.drop(call.cache_key)

    @staticmethod
    def begin(run_id: UUID, call: Call) -> None:
        """Leave a call for `lookup`, which follows in the same context."""
        # A new dict: a task that is begun later has a copy of the context, not of what it holds.
        _CALLS.set({**(_CALLS.get() or {}), run_id: call})

    @staticmethod
    def end(run_id: UUID) -> None:
        """Forget a call."""
        calls = _CALLS.get() or {}
        if run_id in calls:
            _CALLS.set({known: call for known, call in calls.items() if known != run_id})

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        call = _call(prompt, sent=False)
        if call is None:
            return None
        call.since = time.monotonic()
        return None if call.reply is None else [ChatGeneration(message=call.reply)]

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        call = _call(prompt, sent=True)
        messages = [getattr(generation, "message", None) for generation in return_val]
        if call is None or call.since is None or len(messages) != 1 or messages[0] is None:
            return
        message = message_chunk_to_message(messages[0]) if isinstance(messages[0], AIMessageChunk) else messages[0]
        if not isinstance(message, AIMessage):
            return
        if call.cache_key is not None and self._cache is not None:
            self._cache.keep(call.cache_key, message)
        if call.own is not None and call.request is not None:
            call.own.keep(call.request, message, time.monotonic() - call.since, asking=call.asking)

    def clear(self, **kwargs: Any) -> None:
        """Forget nothing: what is known belongs to the run and to the response cache."""

    # In the context of the call, whatever loop runs there.
    async def alookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        return self.lookup(prompt, llm_string)

    async def aupdate(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        self.update(prompt, llm_string, return_val)


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


def _call(prompt: str, *, sent: bool) -> Call | None:
    calls = reversed((_CALLS.get() or {}).values())
    return next((call for call in calls if call.prompt == prompt and (call.since is not None) == sent), None)


def _as_prompt(messages: Sequence[BaseMessage]) -> str:
    """Write messages as LangChain does where it asks its cache."""
    return dumps(
        [message.model_copy(update={"id": None}) if message.id is not None else message for message in messages]
    )
