"""A limit on what a run may spend: what a call can cost at most is set aside before it is sent, or it is not sent.

What is set aside is given back but for what the call really cost. Amounts are whole picodollars, rounded up, so that no
rounding error crosses the limit.

    runs/<name>/spending.log     "+A": A is set aside; "-A C": of A, C was spent; written before a call is sent

So a run that is killed knows what it has spent, calls in flight and calls that failed but may be billed included.
"""

import math
import os
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Condition

from chains.models.reply_fields import read_usage
from chains.repeated import n_trials
from data.common.errors import ConfigurationError, ProjectError
from data.common.files import faults_of_writing
from data.common.line_file import append_whole
from data.types import Record
from eval.execution.faults import NEVER_BILLED
from eval.execution.rate_limits import Halt, Stop
from eval.execution.reply_journal import Reply, read_replies, replies_path
from eval.plan.call_prices import Rate, as_text, rate_of
from eval.plan.systems import System
from eval.rundir.journal import read_records, records_path

PICO = 10**12
_POLL_S = 0.5
_LOG_ENTRY = re.compile(rb"\+(?P<set_aside>\d{1,30})|-(?P<amount>\d{1,30}) (?P<cost>\d{1,30})")


class MaxCostError(ProjectError):
    """The next call might cost more than is left of --max-cost (exit 1); what was answered can be resumed."""

    exit_code = 1


class OverBudgetError(Exception):
    """A call was not sent, because what it might cost is not left."""


class Budget:
    """What may still be spent, shared by all threads of a run.

    Args:
        limit_usd: US dollars that the run may cost.
        spent_usd: What it has cost already, as its journals say.
        log: The run's spending.log, which may say more; None: nothing is written down.

    Raises:
        ConfigurationError: The log cannot be read or written, or holds something else.
    """

    def __init__(self, limit_usd: float, *, spent_usd: float = 0.0, log: Path | None = None) -> None:
        self.limit_usd = limit_usd
        self._limit = math.floor(limit_usd * PICO)
        self._log = log
        self._spent = _logged(log)
        if (more := math.ceil(spent_usd * PICO) - self._spent) > 0:  # spent while there was no limit
            self._write_first(f"-0 {more}")
            self._spent += more
        self._reserved = 0
        self._open = self._held_by_waiting = 0  # reservations
        self._changed = Condition()

    @property
    def spent_usd(self) -> float:
        return self._spent / PICO

    def reserve(self, usd: float, stop: Stop, *, held: int = 0) -> int:
        """Set aside what a call can cost, waiting for calls in flight where they may cost less than was set aside.

        Args:
            usd: The most that it can cost.
            stop: Calls the waiting off.
            held: Reservations of the same item, whose calls may end only after this one.

        Returns:
            The amount, for `settle`.

        Raises:
            OverBudgetError: It does not fit, and nothing in flight can give something back.
            Halt: `stop` was set.
            OSError: The log cannot be written; nothing is set aside.
        """
        amount = math.ceil(usd * PICO)
        with self._changed:
            self._held_by_waiting += held
            try:
                while self._spent + self._reserved + amount > self._limit:
                    if stop.is_set():
                        raise Halt
                    if self._open <= self._held_by_waiting:
                        raise OverBudgetError
                    self._changed.wait(_POLL_S)
            finally:
                self._held_by_waiting -= held
            self._write(f"+{amount}")
            self._reserved += amount
            self._open += 1
        return amount

    def settle(self, amount: int, usd: float | None) -> None:
        """Put what a call really cost in the place of what was set aside for it; None: all of it may be billed."""
        cost = amount if usd is None else math.ceil(usd * PICO)
        with self._changed:
            self._reserved -= amount
            self._open -= 1
            self._spent += cost
            self._changed.notify_all()
            self._write(f"-{amount} {cost}")  # where it cannot be, the log says that all of it was spent

    def _write_first(self, entry: str) -> None:
        if self._log is not None:
            with _faults_of(self._log):
                self._write(entry)

    def _write(self, entry: str) -> None:
        if self._log is not None:
            with self._log.open("ab", buffering=0) as file:
                append_whole(file, f"{entry}\n".encode("ascii"))


def _faults_of(log: Path) -> AbstractContextManager[None]:
    remedy = f"free space there, or make it readable and writable, and go on with --resume {log.parent}"
    return faults_of_writing(log, remedy)


def _logged(log: Path | None) -> int:
    """Return what a log says was spent, or set aside and never accounted for; a torn last line is cut off."""
    if log is None:
        return 0
    with _faults_of(log):
        if not log.exists():
            return 0
        content = log.read_bytes()
        whole = content.rfind(b"\n") + 1
        os.truncate(log, whole)
    total = 0
    for number, entry in enumerate(content[:whole].splitlines(), start=1):
        match = _LOG_ENTRY.fullmatch(entry)
        if match is None:
            raise ConfigurationError(f"{log}, line {number}: not an entry of a spending log; restore it")
        total += int(match["set_aside"] or 0) + int(match["cost"] or 0) - int(match["amount"] or 0)
    return total


def open_budget(limit_usd: float, run_dir: Path, systems: Sequence[System]) -> Budget:
    """Return what a run may still spend: the limit, less what its journals and its log say it has cost."""
    return Budget(limit_usd, spent_usd=spent_before(run_dir, systems), log=run_dir / "spending.log")


def spent_before(run_dir: Path, systems: Sequence[System]) -> float:
    """Return the US dollars that the journals of a run say it has cost.

    What a record does not count, and a call that failed but may be billed, is taken to have cost the most it can.
    """
    return math.fsum(_system_usd(run_dir, system, rate) for system in systems if (rate := rate_of(system)))


def _system_usd(run_dir: Path, system: System, rate: Rate) -> float:
    """Return what a system's records cost, and the replies of its items that have no answer yet."""
    answered: dict[str, bool] = {}
    costs = []
    for record in read_records(records_path(run_dir, system.name)):
        answered[record.item.id] = record.error is None
        costs.append(_record_usd(record, rate, system))
    kept = read_replies(replies_path(run_dir, system.name), lambda item_id: not answered.get(item_id))
    return math.fsum([*costs, *(_reply_usd(reply, rate) for replies in kept.values() for reply in replies)])


def _reply_usd(reply: Reply, rate: Rate) -> float:
    usage = {} if reply.message is None else read_usage(reply.message)
    return rate.usd(usage) if usage else 0.0  # without a count: the spending log has the most it can have cost


def _record_usd(record: Record, rate: Rate, system: System) -> float:
    usage = record.prediction.usage if record.prediction else {}
    kept = "saved_input_tokens" in usage  # by the response cache, whose replies cost nothing
    if "output_tokens" in usage and (usage.get("input_tokens", 0) > 0 or kept):
        return rate.usd(usage)
    if record.messages is None or (record.error and NEVER_BILLED.search(record.error)):
        return 0.0
    about = system.description
    # Where replies are kept, an attempt asks only what is missing, and ends with the call that failed.
    times = 1 if system.keeps_replies else n_trials(len(record.item.choices), permute=about.permute, votes=about.votes)
    sent = [message.content for message in record.messages]
    sent += [as_text(call.model_dump()) for message in record.messages for call in message.tool_calls]
    return times * record.attempts * rate.highest_usd(sent)
