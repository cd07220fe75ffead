"""One attempt at an item, in its thread: what comes of it is a record, or that it is to be asked again in a while."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from langchain_core.runnables import RunnableConfig

from chains.repeated import fault_of
from data.types import Item, Prediction, Record
from eval.execution.admission import CallGate
from eval.execution.faults import is_throttled, unreadable_reply
from eval.execution.first_faults import Doubts
from eval.execution.item_state import Asked, asked_record, sound
from eval.execution.rate_limits import Halt
from eval.execution.replay import KnownReplies
from eval.execution.reply_journal import ReplyJournal
from eval.execution.retry import Calls
from eval.execution.throttle import Throttle
from eval.execution.tracing import Transcript, run_config
from eval.execution.waits import ANSWERS
from eval.plan.call_prices import Rate
from eval.plan.chain_predictor import Predictor


class Asker(NamedTuple):
    """A system that is asked one by one, with what bounds its calls."""

    predictor: Predictor
    names: dict[str, str]
    doubts: Doubts
    calls: Calls
    throttle: Throttle
    rate: Rate | None
    reply_tokens: int
    known: KnownReplies | None
    replies: ReplyJournal | None
    keys: Sequence[str]

    def refuse(self, error: Exception) -> None:
        self.calls.refuse(error, self.names["system"], self.keys)


class Again(NamedTuple):
    """When an item is to be asked again, in seconds of the monotonic clock."""

    at: float


def ask(asker: Asker, asked: Asked) -> Record | Again | None:
    """Ask an item once; None where the run was stopped before."""
    outcome = _outcome(asker, asked)
    asked.finished = not isinstance(outcome, Again)
    if outcome is None or isinstance(outcome, Again):
        return outcome
    return asked_record(asked, outcome, system=asker.names["system"], latency_s=asked.latency_s)


def _outcome(asker: Asker, asked: Asked) -> Prediction | Exception | Again | None:
    if asker.replies and asked.replies is None:
        asked.replies = asker.replies.of(asked.item.id)
    try:
        return _attempt(asker, asked)
    except Halt:
        return None
    except Exception as error:  # noqa: BLE001  # whatever a provider raises is this item's error, not the run's
        if (wait_s := asker.calls.wait_s(error, asked)) is not None:
            asked.waits_since = time.monotonic() + (0.0 if asked.limited else wait_s)
            return Again(time.monotonic() + wait_s)
        if asker.doubts.are_about(asked, error):
            asked.doubted = error
        elif asked.verdict == "stop":
            asker.refuse(error)
            return None
        if asked.verdict == "item" and asked.gate and asked.gate.answered:
            asked.gate.forget()
        return error


def _attempt(asker: Asker, asked: Asked) -> Prediction:
    calls, clock = asker.calls, asked.clock
    if asked.waits_since is not None:  # beyond its time it has waited for a thread, or for the server's limit
        clock.excuse(max(time.monotonic() - asked.waits_since, 0.0))
    asked.verdict = "item"
    asked.attempts += 1
    asked.seen, asked.cache_hits = Transcript(), 0
    if asked.replies:
        asked.replies.rewind()
    gate = asked.gate = CallGate(calls, asked, asker.rate, asker.reply_tokens, asker.known, asker.throttle)
    config = run_config(asked.item, asked.seen, asked.attempts, **asker.names) | {"callbacks": [asked.seen, gate]}
    failure: Exception | None = None
    with calls.waits.on(ANSWERS):
        gate.begin()
    started, waited = time.perf_counter(), clock.waited_s
    asked.asking = True
    try:
        return _prediction(asker.predictor, asked.item, gate, config)
    except Exception as error:
        failure = error
        raise
    finally:
        asked.asking = False
        asked.latency_s = max(time.perf_counter() - started - (clock.waited_s - waited), 0.0)
        asked.latency_s += asked.replies.replayed_s if asked.replies else 0.0
        gate.close(failure)
        if failure is not None:
            _note_fault(asker, asked, gate, failure)
        asker.doubts.note(gate)


def _note_fault(asker: Asker, asked: Asked, gate: CallGate, error: Exception) -> None:
    asked.verdict = asker.doubts.judge(asked, gate, error)
    limited = gate.limited and is_throttled(error) and asker.calls.policy.retries > 0
    answered = asker.throttle.answered
    # Where the server has answered others since it last refused this one, it is no longer a limit alone.
    asked.limited = limited and asked.refused_at in (None, answered)
    asked.refused_at = answered if limited else None
    if not asked.limited:
        asked.note_fault()


def _prediction(predictor: Predictor, item: Item, gate: CallGate, config: RunnableConfig) -> Prediction:
    """Return what a predictor says of an item; its faults are raised under names that say what happened."""
    try:
        with gate.calls.waits.on(ANSWERS):
            answer = predictor.invoke(item.to_input(), config)
    except (KeyboardInterrupt, Halt):
        raise
    except BaseException as error:
        judged = sound(error)
        if judged is not error:
            raise judged from None  # whoever looks for causes would ask it again
        if (unreadable := unreadable_reply(judged, empty=gate.empty)) is None:
            raise
        raise unreadable from error
    if (fault := fault_of(answer, len(item.choices))) is not None:
        raise fault
    return answer
