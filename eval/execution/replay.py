"""Replies that need not be asked for: one that the item has had, or one in the response cache.

    a listener to the call: `find` ─┬─ the item's own: paid for in this run
                                    └─ the response cache's: free
    the model that `of` returns: gives the reply that the listener left under the id of the call's run, or asks

The listener sees a call first, with all that is said of it, holds it up where it is to be sent, and writes down what
came of it before the chain gets it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from itertools import count
from typing import Any
from uuid import UUID

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from data.common.progress import log
from data.types import TRIAL
from eval.execution.call_ledger import ItemLedger, Key
from eval.execution.request_key import identity_of, request_key
from eval.execution.response_cache import ResponseCache
from eval.plan.system import System

# In the metadata of the model whose calls these are: a chain may ask others beside it.
_MARK = "known_replies"


@dataclass(eq=False)
class Call:
    """A call that is about to be made.

    Attributes:
        key: The key of its reply in the ledger; without a request where the reply cannot be given again.
        cached: The same in the response cache; None: it is not kept there, or the item has had the reply itself.
        reply: Where it is known, so that nothing will be sent.
        since: When it was sent, by the item's clock.
    """

    key: Key
    cached: Key | None = None
    reply: AIMessage | None = None
    since: float = 0.0

    @classmethod
    def of(cls, metadata: Mapping[str, Any] | None) -> "Call":
        """Return a call of which it is known only which of an item's trials it belongs to."""
        trial = (metadata or {}).get(TRIAL)
        return cls(Key("", trial if type(trial) is int else 0))


class KnownReplies:
    """The replies that one model need not be asked for.

    Args:
        model: Whose they are.
        cache: The response cache; None: none is used.
        votes: The model is asked for several samples.

    Attributes:
        cache: None also for a model that cannot be told from others, after a line that says why.
        given: The replies that calls which are about to be made are to be given, by the ids of their runs.
    """

    def __init__(self, model: BaseChatModel, cache: ResponseCache | None = None, *, votes: bool = False) -> None:
        self.cache, self._votes = cache, votes
        self.given: dict[UUID, AIMessage] = {}
        self._unkept = count()  # sampled replies, the first of which is told
        self._identity: Mapping[str, Any] = {}
        try:
            self._identity = identity_of(model)
        except (RecursionError, TypeError, ValueError) as error:
            self.cache = None
            if cache is not None:
                log(f"--cache keeps no replies of {type(model).__name__}: {error}")
        names = (self._identity.get(field) for field in ("model_name", "model_id", "model", "class"))
        self._name = next((str(name) for name in names if name), "")

    def of(self, model: BaseChatModel) -> BaseChatModel:
        """Return a copy of the model that looks here before it is asked, also where a chain would stream its reply."""
        marked = {**(model.metadata or {}), _MARK: True}
        # No other cache answers before it: that reply would be counted as one that was sent for.
        made = model.model_copy(update={"metadata": marked, "disable_streaming": True, "cache": False})
        made.__class__ = _kind_with(type(model), self.given)
        return made

    def find(
        self,
        messages: Sequence[BaseMessage],
        parameters: Mapping[str, Any],
        metadata: Mapping[str, Any],
        item: ItemLedger,
    ) -> Call:
        """Return a call with its reply, where that is known.

        Args:
            messages: What would be sent.
            parameters: What the model is called with, as LangChain tells callbacks.
            metadata: The metadata of the call; it says which of several trials it is, and whether it is one of this
                model.
            item: Whose call it is.
        """
        call = Call.of(metadata)
        if _MARK not in metadata or (request := request_key(self._identity, parameters, messages)) is None:
            return call
        call.key = Key(request, call.key.trial)
        call.reply = item.take(call.key)
        if self.cache is not None and call.reply is None:
            call.cached = self._cached_under(self.cache, call.key, parameters, messages)
            call.reply = None if call.cached is None else self.cache.get(call.cached)
        return call

    def _cached_under(
        self, cache: ResponseCache, key: Key, parameters: Mapping[str, Any], messages: Sequence[BaseMessage]
    ) -> Key | None:
        """Return the key of a reply in the response cache, where only sampled ones differ from trial to trial."""
        if not all(isinstance(message.content, str) for message in messages):
            return None  # LangChain shows callbacks other content than it sends
        sampled = self._votes or parameters.get("temperature", self._identity.get("temperature")) != 0
        if sampled and not cache.sampled:
            if next(self._unkept) == 0:
                log(f"the replies of {self._name} are sampled, and not kept: --cache-sampled keeps those too")
            return None
        return key if sampled else Key(key.request, 0)

    def keep(self, call: Call, message: AIMessage) -> None:
        """Keep what was answered to a call in the response cache, where it is one to keep."""
        if call.cached is not None and self.cache is not None:
            self.cache.put(call.cached, self._name, message)

    def forget(self, call: Call) -> None:
        """Forget what the response cache has for a call: a fault followed from it."""
        if call.cached is not None and self.cache is not None:
            self.cache.forget(call.cached)


def known_replies(system: System, cache: ResponseCache | None) -> KnownReplies | None:
    """Return where a system's model finds replies that it need not be asked for; None where there can be none.

    Args:
        system: Whose model is asked over a network.
        cache: The response cache; None: none is used.
    """
    if system.remote is None:
        return None
    model = system.remote.model
    known = KnownReplies(model, cache, votes=system.description.votes is not None)
    if known.cache is None and (not system.several_calls or model.cache):  # one of the user's own stays
        return None
    return known


def _kind_with(kind: type[BaseChatModel], given: dict[UUID, AIMessage]) -> type[BaseChatModel]:
    """Return a class that is `kind` to all who ask, and gives the replies that are known."""
    names = {name for name in ("_generate", "_agenerate") if "run_manager" in signature(getattr(kind, name)).parameters}

    def manager(name: str, run_manager: Any) -> dict[str, Any]:
        return {"run_manager": run_manager} if name in names else {}

    class Known(kind):  # type: ignore[valid-type,misc]  # whichever class LangChain made the model of
        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **more: Any) -> Any:
            if run_manager is not None and (reply := given.pop(run_manager.run_id, None)) is not None:
                return _result(reply)
            return super()._generate(messages, stop=stop, **more, **manager("_generate", run_manager))

        async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **more: Any) -> Any:
            if run_manager is not None and (reply := given.pop(run_manager.run_id, None)) is not None:
                return _result(reply)
            return await super()._agenerate(messages, stop=stop, **more, **manager("_agenerate", run_manager))

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(Known, name, getattr(kind, name))
    return Known


def _result(reply: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=reply)])
