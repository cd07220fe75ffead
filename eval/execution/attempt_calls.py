"""The model calls of one attempt at an item: each waits until the run's limits allow it, and its usage is counted.

It listens to the same callbacks as a trace, so that every call of a chain is counted, with what is really sent.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.outputs import Generation, LLMResult

from chains.models.reply_fields import read_usage
from eval.execution.budget import MaxCostError, OverBudgetError
from eval.execution.call_history import Call as SentCall
from eval.execution.call_ledger import FREE, ItemLedger, as_data
from eval.execution.faults import is_throttled, may_be_billed
from eval.execution.rate_limits import Allowance, Halt
from eval.execution.replay import Call, KnownReplies
from eval.execution.retry import Calls, Cause, Clock, ItemStop
from eval.execution.throttle import Throttle
from eval.execution.waits import ANSWERS
from eval.measures.prices import estimate_tokens
from eval.plan.call_prices import Rate, highest_usage

_UNLIMITED = 1_000_000_000  # calls in flight


class _Sent(NamedTuple):
    """A call in flight: what was set aside for it, what it takes of the run's limits, and of the server's."""

    amount: int | None
    allowance: Allowance
    call: SentCall


class AttemptCalls(BaseCallbackHandler):
    """Lets the model calls of one attempt at an item through when the run's limits allow it, and counts their usage.

    Args:
        calls: What the run's calls share.
        clock: The clock of the item.
        stop: Calls the item's waits off.
        rate: What the system's calls cost; None where they are not limited.
        reply_tokens: The longest reply, where that is known; else 0.
        known: Replies that need not be asked for, where there may be any: such a call passes at once.
        ledger: Where the item's calls are written down.
        throttle: The limits of the system's server; without them calls are sent as they come.

    Attributes:
        called: The attempt has called a model, or was about to.
        answered: The last call that ended was answered.
        empty: It was answered with no message of an assistant: a list of choices may hold none.
        proven: The server has answered a call: now, or one whose reply the item was given again.
        limited: The server refused a call because of a limit.
        cache_hits: Calls that the response cache answered.
    """

    run_inline = True  # in the thread that calls, which is to wait
    raise_error = True
    # Only models' calls are listened to.
    ignore_chain = ignore_agent = ignore_retriever = ignore_retry = ignore_custom_event = True

    def __init__(
        self,
        calls: Calls,
        clock: Clock,
        stop: ItemStop,
        *,
        rate: Rate | None = None,
        reply_tokens: int = 0,
        known: KnownReplies | None = None,
        ledger: ItemLedger | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self._calls, self._clock, self._stop, self._rate, self._reply_tokens = calls, clock, stop, rate, reply_tokens
        self._known, self._ledger, self._throttle = known, ledger or ItemLedger(), throttle or Throttle(_UNLIMITED)
        self.called = self.answered = self.empty = self.proven = self.limited = False
        self.cache_hits = 0
        self._calls_seen: list[Call] = []
        self._sent: dict[UUID, _Sent] = {}
        self._begun: dict[UUID, Call] = {}  # an item that is given up may have replies that are still to come
        self._unseen: SentCall | None = None  # stands for those that are made past this listener

    @property
    def in_flight(self) -> bool:
        """Whether a call has been sent and has not ended, or may have been past this listener."""
        return bool(self._sent) or not self._clock.waiting

    def begin(self) -> None:
        """Wait as for a call, where the attempt's calls are made past this listener.

        Raises:
            Halt: The run was stopped, or the item given up.
        """
        if self._throttle.unseen:
            with self._clock.paused():
                self._unseen = self._throttle.admit(Allowance(), self._stop)

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        self.called = True
        if kwargs.get("parent_run_id") in self._sent:
            return  # a model that asks another in its place: one call
        parameters, about = kwargs.get("invocation_params") or {}, kwargs.get("metadata") or {}
        call = self._known.find(messages[0], parameters, about, self._ledger) if self._known else Call.of(about)
        self._calls_seen.append(call)
        if self._known and call.reply is not None:
            self.cache_hits += call.cached is not None
            self.proven = self.proven or call.cached is None
            self._known.given[run_id] = call.reply
            return
        texts = [text for sent in messages for message in sent for text in _texts_of(message)]
        self._admit(run_id, call, texts, parameters)

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **kwargs: Any) -> None:
        self.called = True
        if kwargs.get("parent_run_id") not in self._sent:
            self._admit(run_id, Call.of(kwargs.get("metadata")), prompts, kwargs.get("invocation_params"))

    def _admit(self, run_id: UUID, call: Call, texts: Sequence[str], parameters: Mapping[str, Any] | None) -> None:
        """Wait until the call may be sent, and write down that it is.

        Raises:
            Halt: It is not to be sent: the run was stopped, the item given up, the money is spent or the disk full.
        """
        most = highest_usage(texts, parameters, reply_tokens=self._reply_tokens)
        with self._clock.paused():
            amount = self._reserve(most)
            allowance = self._allowance(texts)
            try:
                sent = self._throttle.admit(allowance, self._stop, alone=not (self._sent or self._unseen))
            except Halt:
                allowance.give_back()
                self._settle(amount, usd=0.0)
                raise
        self._sent[run_id] = _Sent(amount, allowance, sent)
        if not self._ledger.write(call.key, run_id.hex, most=most):
            raise Halt
        call.since = self._clock.elapsed_s()
        self._begun[run_id] = call

    def _allowance(self, texts: Sequence[str]) -> Allowance:
        """Return what a call takes of the tokens and requests a minute."""
        calls = self._calls
        tokens = [(calls.tokens, sum(map(estimate_tokens, texts)) + self._reply_tokens)] if calls.tokens else []
        return Allowance([*tokens, (calls.requests, 1)] if calls.requests else tokens)

    def _reserve(self, most: Mapping[str, int]) -> int | None:
        budget = self._calls.budget
        if budget is None or self._rate is None:
            return None
        highest = self._rate.usd(most)
        try:
            with self._calls.waits.on("--max-cost", before=ANSWERS):
                return budget.reserve(highest, self._stop, held=len(self._sent))
        except OverBudgetError:
            spent = f"${budget.spent_usd:.6g} of ${budget.limit_usd:.6g} is spent"
            reason = f"stopped before --max-cost: {spent}, and the next call may cost ${highest:.6g}"
            self._calls.halt(Cause(MaxCostError, reason, "raise --max-cost"))
            raise Halt from None

    def _settle(self, amount: int | None, *, usd: float | None) -> None:
        if self._calls.budget and amount is not None:
            self._calls.budget.settle(amount, usd)

    def _end(
        self, run_id: UUID, *, usd: float | None, tokens: int | None = None, error: BaseException | None = None
    ) -> None:
        """Note how a call ended, and what it took; without `usd` it may be billed at the most it can cost."""
        if (sent := self._sent.pop(run_id, None)) is None:
            return
        self._settle(sent.amount, usd=usd)
        if self._calls.tokens and tokens is not None:
            sent.allowance.correct(self._calls.tokens, tokens)
        self._throttle.end(sent.call, error)
        self.limited = self.limited or sent.call.limited

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        self.answered = any(map(_is_reply, chain.from_iterable(response.generations)))
        self.empty = not self.answered
        usage = _usage_of(response)
        if (call := self._begun.pop(run_id, None)) is not None:
            message, seconds = _whole_message(response), max(self._clock.elapsed_s() - call.since, 0.0)
            reply = as_data(message) if message is not None and call.key.request else None
            self._ledger.write(call.key, run_id.hex, usage=usage, seconds=seconds, reply=reply)
            if self._known and message is not None:
                self._known.keep(call, message)
        usd = self._rate.usd(usage) if self._rate and usage else None
        tokens = usage["input_tokens"] + usage["output_tokens"] if usage else None
        self.proven = self.proven or (self.answered and run_id in self._sent)
        self._end(run_id, usd=usd, tokens=tokens)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self.answered = self.empty = False
        if self._known:
            self._known.given.pop(run_id, None)
        call, billed = self._begun.pop(run_id, None), may_be_billed(error)
        if call is not None and not billed:  # else it may have cost the most that it can
            self._ledger.write(call.key, run_id.hex, usage=FREE)
        self._end(run_id, usd=None if billed else 0.0, error=error)

    def forget(self) -> None:
        """Have the last trial made anew when the item is asked again: a fault followed from what was answered."""
        for call in self._calls_seen:
            if self._known and call.key.trial == self._calls_seen[-1].key.trial:
                self._ledger.forget(call.key)
                self._known.forget(call)

    def close(self, error: BaseException | None = None) -> None:
        """Take what never ended to be billed.

        Args:
            error: What the attempt failed with.
        """
        for run_id in list(self._sent):  # an item that is given up is closed while its thread goes on
            self._end(run_id, usd=None)
        if (unseen := self._unseen) is not None:
            self._throttle.end(unseen, error)
            self.limited = self.limited or unseen.limited
        elif error is not None and is_throttled(error) and not self.called:
            self._throttle.unseen = True


def _is_reply(generation: Generation) -> bool:
    """Say whether it is what a model says: a text, or a message in its own role."""
    message = getattr(generation, "message", None)
    return message is None or isinstance(message, AIMessage)


def _usage_of(response: LLMResult) -> dict[str, int]:
    """Return the tokens that a reply reports; nothing where it does not count both kinds, or a prompt of none."""
    messages = [getattr(generation, "message", None) for several in response.generations for generation in several]
    usage = next((read_usage(message) for message in messages if isinstance(message, AIMessage)), {})
    return usage if usage.get("input_tokens", 0) > 0 and "output_tokens" in usage else {}


def _whole_message(response: LLMResult) -> AIMessage | None:
    """Return the one message of a reply; None where there is no one message."""
    generations = list(chain.from_iterable(response.generations))
    message = getattr(generations[0], "message", None) if len(generations) == 1 else None
    if isinstance(message, AIMessageChunk):
        message = message_chunk_to_message(message)
    return message if isinstance(message, AIMessage) else None


def _texts_of(message: BaseMessage) -> Iterator[str]:
    """Yield what a message says, and what it once asked tools for: that is sent again, and paid for."""
    yield message.content if isinstance(message.content, str) else str(message.content)
    if isinstance(message, AIMessage):
        for call in (*message.tool_calls, *message.invalid_tool_calls):
            yield json.dumps(call, ensure_ascii=False, default=str)
