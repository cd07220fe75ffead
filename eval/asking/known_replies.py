"""What LangChain finds before it sends a call: a reply that the item has had, or one in the response cache.

    callback: `admit` ─┬─ the item's own: paid for in this run      found: `lookup` hands it out, and nothing is sent
                       └─ the response cache's: free                not: the call is sent, and `update` keeps its reply

A call passes `admit` first, in the same thread: LangChain tells `lookup` less than it tells a callback.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration

from data.types import ASKING
from eval.asking.replies import ItemReplies
from eval.asking.request_key import request_key, said_of
from eval.asking.response_cache import ModelCache


class _Call(NamedTuple):
    """A call that was admitted: under which keys its reply is kept, and the reply where there is one."""

    own: ItemReplies | None
    request: str | None
    cache_key: str | None
    found: AIMessage | None
    since: float


class _OfThread(threading.local):
    """A thread's next call, by its prompt."""

    def __init__(self) -> None:
        self.calls: dict[str, _Call] = {}


class KnownReplies(BaseCache):
    """The replies that one model need not be asked for.

    Args:
        cache: The response cache as that model sees it; None: none is used.
        several_calls: Whether an item may take several calls, so that it may have had some of their replies.
    """

    def __init__(self, cache: ModelCache | None = None, *, several_calls: bool = False) -> None:
        self._cache = cache
        self.several_calls = several_calls
        self._thread = _OfThread()

    def admit(
        self,
        messages: Sequence[BaseMessage],
        parameters: Mapping[str, Any] | None,
        metadata: Mapping[str, Any] | None,
        own: ItemReplies | None = None,
    ) -> Literal["item", "cache"] | None:
        """Get ready for a call in this thread; say who has its reply, so that nothing will be sent.

        Args:
            messages: What would be sent.
            parameters: What the model is called with, as LangChain tells callbacks.
            metadata: Of the call; says which of several askings it is.
            own: The replies that its item has had.
        """
        self._thread.calls.clear()  # what an earlier call left is of no use
        said, asking = parameters or {}, (metadata or {}).get(ASKING, 0)
        request = None if own is None else request_key({}, said_of(said), messages, sample=asking)
        found = None if own is None or request is None else own.take(request)
        source: Literal["item", "cache"] | None = None if found is None else "item"
        cache_key = None
        if self._cache is not None and found is None:
            cache_key = self._cache.key(messages, said, asking)
            found = None if cache_key is None else self._cache.get(cache_key)
            source = None if found is None else "cache"
        self._thread.calls[_as_prompt(messages)] = _Call(own, request, cache_key, found, time.perf_counter())
        return source

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        call = self._thread.calls.get(prompt)
        return None if call is None or call.found is None else [ChatGeneration(message=call.found)]

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        call = self._thread.calls.pop(prompt, None)
        messages = [getattr(generation, "message", None) for generation in return_val]
        if call is None or len(messages) != 1 or not isinstance(messages[0], AIMessage):
            return
        if call.cache_key is not None and self._cache is not None:
            self._cache.keep(call.cache_key, messages[0])
        if call.own is not None and call.request is not None:
            call.own.keep(call.request, messages[0], time.perf_counter() - call.since)

    def clear(self, **kwargs: Any) -> None:
        """Forget nothing: what is known belongs to the run and to the response cache."""

    # In the thread that `admit` was called in, whatever loop runs there.
    async def alookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        return self.lookup(prompt, llm_string)

    async def aupdate(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        self.update(prompt, llm_string, return_val)


def _as_prompt(messages: Sequence[BaseMessage]) -> str:
    """Write messages as LangChain does where it asks its cache."""
    return dumps(
        [message.model_copy(update={"id": None}) if message.id is not None else message for message in messages]
    )
