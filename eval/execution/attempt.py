"""One attempt at an item, in a worker's thread: what comes of it is a record, or that another attempt is to be made."""

import time
from collections.abc import Sequence
from queue import SimpleQueue
from types import TracebackType
from typing import NamedTuple

from langchain_core.runnables import RunnableConfig

from chains.repeated import fault_of
from data.common.errors import ConfigurationError
from data.types import Prediction, Record
from eval.execution.attempt_calls import AttemptCalls
from eval.execution.call_ledger import CallLedger
from eval.execution.faults import is_throttled, unreadable_reply
from eval.execution.first_faults import FirstFaults
from eval.execution.open_item import OpenItem, sound
from eval.execution.rate_limits import Halt
from eval.execution.replay import KnownReplies
from eval.execution.retry import Calls, Cause
from eval.execution.throttle import Throttle
from eval.execution.tracing import Transcript, run_config
from eval.execution.waits import ANSWERS
from eval.plan.call_prices import Rate
from eval.plan.chain_predictor import Predictor
from eval.plan.own_answers import AnswerTypeError


class OpenSystem(NamedTuple):
    """A system whose items are answered one by one, with what bounds its calls.

    Attributes:
        predictor: It answers an item.
        names: The names of the run, the system and the benchmark, for traces.
        first_faults: The faults whose meaning is not known yet.
        calls: What the run's calls share.
        throttle: What its server takes.
        rate: What its calls cost; None where they are not limited.
        reply_tokens: The longest reply; 0 where that is unknown.
        known: Replies that need not be asked for; None where there can be none.
        ledger: Where its calls are written down.
        keys: The variables that may hold its model's key.
    """

    predictor: Predictor
    names: dict[str, str]
    first_faults: FirstFaults
    calls: Calls
    throttle: Throttle
    rate: Rate | None
    reply_tokens: int
    known: KnownReplies | None
    ledger: CallLedger
    keys: Sequence[str]

    @property
    def name(self) -> str:
        """The system's name."""
        return self.names["system"]

    def refuse(self, error: Exception) -> None:
        """Stop the run because of an answer of the server that every item would get."""
        self.calls.refuse(error, self.name, self.keys)


class Again(NamedTuple):
    """When an item's next attempt is to be made, in seconds of the monotonic clock."""

    at: float


AttemptOutcome = Record | Again | BaseException | None


def work(
    system: OpenSystem,
    given: "SimpleQueue[OpenItem | None]",
    done: "SimpleQueue[tuple[OpenItem, AttemptOutcome] | None]",
) -> None:
    """Make an attempt at each item that is given, until None is: this is what a worker's thread does.

    What comes of it is handed back: None where the run was stopped before, an exception where the run is to end by it.
    """
    while (open_item := given.get()) is not None:
        outcome: AttemptOutcome = None
        try:
            with Attempt(system, open_item) as attempt:
                attempt.answer = system.predictor.invoke(open_item.item.to_input(), attempt.config)
            outcome = attempt.outcome
        except Halt:
            pass
        except BaseException as error:  # noqa: BLE001  # an interruption, too, is for the one who waits
            outcome = error
        open_item.finished = not isinstance(outcome, Again)
        done.put((open_item, outcome))
        del open_item, outcome


class Attempt:
    """One attempt at an item, as a context in which its predictor is invoked with `config`.

    Attributes:
        config: The config of the call; whoever listens to it sees what is sent, and lets it through.
        answer: What the predictor says, to be set inside.
        outcome: What came of it, afterwards.
    """

    config: RunnableConfig

    def __init__(self, system: OpenSystem, open_item: OpenItem) -> None:
        self.answer: object = None
        self.outcome: Record | Again | None = None
        self._system, self._open = system, open_item

    def __enter__(self) -> "Attempt":
        """Begin; wait where calls are made that nobody can hold up.

        Raises:
            Halt: The run was stopped, or the item given up.
        """
        system, about = self._system, self._open
        if about.waits_since is not None:  # beyond its time it has waited for a thread, or for the server's limit
            about.clock.excuse(max(time.monotonic() - about.waits_since, 0.0))
        about.verdict = "item"
        about.attempts += 1
        about.seen = Transcript()
        if about.ledger is None:
            about.ledger = system.ledger.of(about.item.id)
        about.ledger.rewind()
        self._calls = about.calls = AttemptCalls(
            system.calls,
            about.clock,
            about.stop,
            rate=system.rate,
            reply_tokens=system.reply_tokens,
            known=system.known,
            ledger=about.ledger,
            throttle=system.throttle,
        )
        self.config = run_config(about.item, about.seen, about.attempts, **system.names)
        self.config["callbacks"] = [about.seen, self._calls]
        with system.calls.waits.on(ANSWERS):
            self._calls.begin()
        self._started, self._waited_s = time.perf_counter(), about.clock.waited_s
        about.is_attempted = True
        system.calls.waits.change(ANSWERS, 1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        system, about = self._system, self._open
        system.calls.waits.change(ANSWERS, -1)
        ends_all = isinstance(error, KeyboardInterrupt | Halt)
        fault = None if ends_all else self._fault(error)
        about.is_attempted = False
        about.latency_s = max(time.perf_counter() - self._started - (about.clock.waited_s - self._waited_s), 0.0)
        about.latency_s += about.ledger.replayed_s if about.ledger else 0.0
        self._calls.close(fault)
        if fault is not None:
            self._judge(fault)
        system.first_faults.note(self._calls)
        if ends_all:
            return False
        self.outcome = self._settle(fault)
        return True

    def _fault(self, error: BaseException | None) -> Exception | None:
        """Return what went wrong, under a name that says what happened; None where nothing did."""
        if error is None:
            try:
                return fault_of(self.answer, len(self._open.item.choices))
            except Exception as unchecked:  # noqa: BLE001  # an answer made without being checked may hold anything
                return sound(unchecked)
        judged = sound(error)
        if judged is not error:
            return judged  # without its causes: whoever looks for them would ask the item again
        if (unreadable := unreadable_reply(judged, empty=self._calls.empty)) is None:
            return judged
        unreadable.__cause__ = error
        return unreadable

    def _judge(self, fault: Exception) -> None:
        system, about = self._system, self._open
        about.verdict = system.first_faults.judge(about, self._calls, fault)
        limited = self._calls.limited and is_throttled(fault) and system.calls.policy.retries > 0
        answered = system.throttle.answered
        # Where the server has answered others since it last refused this one, it is no longer a limit alone.
        about.limited = limited and about.refused_at in (None, answered)
        about.refused_at = answered if limited else None
        if not about.limited:
            about.note_fault()

    def _settle(self, fault: Exception | None) -> Record | Again | None:
        """Return the item's record, when it is to be asked again, or None where the run stops because of it."""
        system, about = self._system, self._open
        if fault is None:
            assert isinstance(self.answer, Prediction)  # else there was a fault
            return about.record(self.answer, system.name)
        if isinstance(fault, AnswerTypeError) and not system.first_faults.has_answers():
            system.calls.halt(Cause(ConfigurationError, f"stopped: {fault}", "correct its code"))
            return None
        elapsed_s = None if about.limited else about.clock.elapsed_s()
        passes = about.verdict == "again"
        if passes and (wait_s := system.calls.wait_s(fault, faults=about.faults, elapsed_s=elapsed_s)) is not None:
            about.waits_since = time.monotonic() + (0.0 if about.limited else wait_s)
            return Again(time.monotonic() + wait_s)
        if system.first_faults.holds(about, fault):
            about.held_fault = fault
        elif about.verdict == "stop":
            system.refuse(fault)
            return None
        if about.verdict == "item" and self._calls.answered:
            self._calls.forget()
        return about.record(fault, system.name)
