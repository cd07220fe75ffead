"""How the calls of a run are made: when one may be sent, when it is sent again, and when the run stops.

    item ─ slot (calls in flight) ─ predictor.invoke ─ model call ─ CallGate: budget, tokens and requests a minute
      └──────────── fault ─ wait (Retry-After, or backoff with full jitter) ─ again

The gate listens to the same callbacks as a trace, so that every call of a chain is counted, with what is really sent.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event, Lock
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import LLMResult
from tenacity import RetryCallState, Retrying

from chains.predictor import read_usage
from data.errors import ConfigurationError, ProjectError
from eval.budget import Budget, MaxCostError, OverBudgetError, Rate
from eval.cost import estimate_tokens
from eval.faults import LONGEST_WAIT_S, Verdict, describe, kind_of, may_be_billed, retry_after_s, status_of
from eval.limits import Halt, Window

Answer = TypeVar("Answer")


class CallPolicy(NamedTuple):
    """How a run's calls are made; None: no limit.

    Attributes:
        retries: How often an item is asked again after a passing fault.
        rpm: Requests a minute.
        tpm: Tokens a minute, of prompts and replies.
        timeout_s: Seconds until a call must have been answered; None: as the model has it.
        item_timeout_s: Seconds that an item may take, retries included; waits for the run's own limits are not.
        max_cost_usd: What the run may cost.
        first_wait_s: The longest wait before the first retry; it doubles with each.
    """

    retries: int = 6
    rpm: int | None = None
    tpm: int | None = None
    timeout_s: float | None = None
    item_timeout_s: float | None = None
    max_cost_usd: float | None = None
    first_wait_s: float = 1.0

    @property
    def call_timeout_s(self) -> float | None:
        """Seconds after which a model's own client is to give a call up."""
        return min((s for s in (self.timeout_s, self.item_timeout_s) if s is not None), default=None)


class Cause(NamedTuple):
    """Why a run stops: the kind of error, what happened, and what the user can do before it goes on."""

    kind: type[ProjectError]
    reason: str
    remedy: str


class Clock:
    """Seconds since an item was first asked, without those that it waits for the run's own limits."""

    def __init__(self) -> None:
        self.waited_s = 0.0
        self._started = time.monotonic()
        self._waiting_since: float | None = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        since = self._waiting_since = time.monotonic()
        try:
            yield
        finally:
            self.waited_s += time.monotonic() - since
            self._waiting_since = None

    def elapsed_s(self) -> float:
        now = time.monotonic()
        waiting = self._waiting_since
        return now - self._started - self.waited_s - (0.0 if waiting is None else now - waiting)


class Turn:
    """What is known of an item while it is asked; the thread that asks writes it.

    Attributes:
        verdict: On the fault of the last attempt.
        given_up: Nobody waits for its answer any more.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.verdict: Verdict = "item"
        self.given_up = False


class Calls:
    """What all calls of a run share: its limits, its budget, and whether and why it has been stopped.

    Args:
        policy: How calls are made.
        budget: What they may cost; None: no limit.
    """

    def __init__(self, policy: CallPolicy, *, budget: Budget | None = None) -> None:
        self.policy = policy
        self.budget = budget
        self.stop = Event()
        self.cause: Cause | None = None
        self.requests = None if policy.rpm is None else Window(policy.rpm)
        self.tokens = None if policy.tpm is None else Window(policy.tpm)
        self.repeats: Counter[str] = Counter()
        self._lock = Lock()
        self._retrying = Retrying(
            retry=lambda state: bool(state.outcome and state.outcome.failed) and _turn(state).verdict == "again",
            wait=self._wait,
            stop=self._gives_up,
            before_sleep=self._note_repeat,
            sleep=self.sleep,
            reraise=True,
        )

    def halt(self, cause: Cause) -> None:
        """Stop the run: nothing more is sent; the first cause counts."""
        with self._lock:
            self.cause = self.cause or cause
        self.stop.set()

    def refuse(self, error: Exception, who: str) -> None:
        """Stop the run because of an answer that every item would get."""
        remedy = _REMEDIES.get(status_of(error) or 0, "correct what it names")
        self.halt(Cause(ConfigurationError, f"stopped: the server of {who} answered {describe(error)}", remedy))

    def sleep(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Halt

    def again(self, attempt: Callable[[Turn], Answer], turn: Turn) -> Answer:
        """Call `attempt` until it succeeds, its fault is no passing one, or retries or time run out.

        Args:
            attempt: Sets the turn's verdict where it fails.
            turn: Of the item.

        Raises:
            Halt: The run was stopped meanwhile.
            Exception: What the last attempt raised.
        """
        return self._retrying(attempt, turn)

    def _wait(self, state: RetryCallState) -> float:
        """Full jitter, after what the server asks for.

        Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        """
        error = state.outcome.exception() if state.outcome else None
        asked_s = None if error is None else retry_after_s(error)
        longest = min(self.policy.first_wait_s * 2.0 ** (state.attempt_number - 1), LONGEST_WAIT_S)
        jitter = random.uniform(0, self.policy.first_wait_s if asked_s is not None else longest)  # noqa: S311  # no secret
        return (asked_s or 0.0) + jitter

    def _gives_up(self, state: RetryCallState) -> bool:
        if state.attempt_number > self.policy.retries:
            return True
        limit = self.policy.item_timeout_s
        return limit is not None and _turn(state).clock.elapsed_s() + state.upcoming_sleep >= limit

    def _note_repeat(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error is not None:
            with self._lock:
                self.repeats[kind_of(error)] += 1


_REMEDIES = {
    401: "correct the key",
    402: "pay, or use another key",
    403: "use a key that is allowed to",
    404: "correct the model's name or its address",
    429: "mend the account, or use another key",
}


def _turn(state: RetryCallState) -> Turn:
    turn: Turn = state.args[0]
    return turn


class _Sent(NamedTuple):
    """A call in flight: what was set aside for it, and its entry among the tokens a minute."""

    amount: int | None
    tokens: list[float] | None


class CallGate(BaseCallbackHandler):
    """Lets the model calls of one attempt at an item through when the run's limits allow it, and counts their usage.

    Args:
        calls: What the run's calls share.
        turn: Of the item.
        rate: What the system's calls cost; None where they are not limited.
        reply_tokens: The longest reply, where that is known; else 0.
    """

    run_inline = True  # in the thread that calls, which is to wait
    raise_error = True
    # Only models' calls are listened to.
    ignore_chain = ignore_agent = ignore_retriever = ignore_retry = ignore_custom_event = True

    def __init__(self, calls: Calls, turn: Turn, rate: Rate | None, reply_tokens: int) -> None:
        self.calls, self.turn, self.rate, self.reply_tokens = calls, turn, rate, reply_tokens
        self.answered = False  # the last call that ended was answered
        self._sent: dict[UUID, _Sent] = {}

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        contents = [message.content for conversation in messages for message in conversation]
        self._admit(run_id, [text if isinstance(text, str) else str(text) for text in contents], kwargs)

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **kwargs: Any) -> None:
        self._admit(run_id, prompts, kwargs)

    def _admit(self, run_id: UUID, texts: Sequence[str], said: Mapping[str, Any]) -> None:
        """Wait until the call may be sent.

        Raises:
            Halt: It is not to be sent: the run was stopped, the item given up, or the money is spent.
        """
        if said.get("parent_run_id") in self._sent:
            return  # a model that asks another in its place: one call
        calls, entry = self.calls, None
        with self.turn.clock.paused():
            amount = self._reserve(texts, said.get("invocation_params"))
            try:
                if calls.tokens:
                    entry = calls.tokens.take(sum(map(estimate_tokens, texts)) + self.reply_tokens, calls.stop)
                if calls.requests:
                    calls.requests.take(1, calls.stop)
                if calls.stop.is_set() or self.turn.given_up:
                    raise Halt
            except Halt:
                self._settle(_Sent(amount, entry), usd=0.0, tokens=0)
                raise
        self._sent[run_id] = _Sent(amount, entry)

    def _reserve(self, texts: Sequence[str], parameters: Mapping[str, Any] | None) -> int | None:
        budget = self.calls.budget
        if budget is None or self.rate is None:
            return None
        highest = self.rate.highest_usd(texts, parameters)
        try:
            return budget.reserve(highest, self.calls.stop, held=len(self._sent))
        except OverBudgetError:
            spent = f"${budget.spent_usd:.6g} of ${budget.limit_usd:.6g} is spent"
            reason = f"stopped before --max-cost: {spent}, and the next call may cost ${highest:.6g}"
            self.calls.halt(Cause(MaxCostError, reason, "raise --max-cost"))
            raise Halt from None

    def _settle(self, sent: _Sent | None, *, usd: float | None, tokens: int | None = None) -> None:
        if sent is None:
            return
        if self.calls.budget and sent.amount is not None:
            self.calls.budget.settle(sent.amount, usd)
        if self.calls.tokens and sent.tokens is not None and tokens is not None:
            self.calls.tokens.correct(sent.tokens, tokens)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        self.answered = True
        usage = _usage_of(response)
        usd = self.rate.usd(usage) if self.rate and usage else None
        tokens = usage["input_tokens"] + usage["output_tokens"] if usage else None
        self._settle(self._sent.pop(run_id, None), usd=usd, tokens=tokens)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self.answered = False
        self._settle(self._sent.pop(run_id, None), usd=None if may_be_billed(error) else 0.0)

    def close(self) -> None:
        """Take what never ended to be billed."""
        while self._sent:
            self._settle(self._sent.popitem()[1], usd=None)


def _usage_of(response: LLMResult) -> dict[str, int]:
    """Return the tokens that a reply reports, or nothing where it does not count both kinds."""
    messages = [getattr(generation, "message", None) for several in response.generations for generation in several]
    usage = next((read_usage(message) for message in messages if isinstance(message, AIMessage)), {})
    return usage if {"input_tokens", "output_tokens"} <= usage.keys() else {}
