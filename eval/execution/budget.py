"""A limit on what a run may spend: what a call can cost at most is set aside before it is sent, or it is not sent.

What is set aside is given back but for what the call really cost. Amounts are whole picodollars, rounded up, so that no
rounding error crosses the limit. The most that a call takes stands in its system's ledger before it is sent, so that a
run that was killed knows what it has spent, calls in flight and calls that failed but may be billed included.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from threading import Condition

from data.common.errors import ConfigurationError, ProjectError
from eval.execution.call_ledger import ledger_path, read_ledger
from eval.execution.rate_limits import Halt, Stop
from eval.plan.call_prices import Rate, rate_of
from eval.plan.system import System
from eval.rundir.journal import records_path

PICO = 10**12
_POLL_S = 0.5


class MaxCostError(ProjectError):
    """The next call might cost more than is left of --max-cost (exit 1); what was answered can be resumed."""

    exit_code = 1


class OverBudgetError(Exception):
    """A call was not sent, because what it might cost is not left."""


class Budget:
    """What may still be spent, shared by all threads of a run.

    Args:
        limit_usd: US dollars that the run may cost.
        spent_usd: What it has cost already.
    """

    def __init__(self, limit_usd: float, *, spent_usd: float = 0.0) -> None:
        self.limit_usd = limit_usd
        self._limit = math.floor(limit_usd * PICO)
        self._spent = _pico(spent_usd)
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
        """
        amount = _pico(usd)
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
            self._reserved += amount
            self._open += 1
        return amount

    def settle(self, amount: int, usd: float | None) -> None:
        """Put what a call really cost in the place of what was set aside for it; None: all of it may be billed."""
        cost = amount if usd is None else _pico(usd)
        with self._changed:
            self._reserved -= amount
            self._open -= 1
            self._spent += cost
            self._changed.notify_all()


def spent_before(run_dir: Path, systems: Sequence[System]) -> float:
    """Return the US dollars that a run has cost at most, by its ledgers.

    Raises:
        ConfigurationError: The ledger of a system that has answered is gone, or damaged.
    """
    return sum(_spent(run_dir, system.name, rate) for system in systems if (rate := rate_of(system))) / PICO


def _spent(run_dir: Path, name: str, rate: Rate) -> int:
    path, records = ledger_path(run_dir, name), records_path(run_dir, name)
    if not path.exists() and records.exists() and records.stat().st_size:
        raise ConfigurationError(
            f"--max-cost cannot be kept: {path} is gone, which says what {name} has cost; restore it"
        )
    spent, amounts = 0, dict[str, int]()
    for entry in read_ledger(path):
        if entry.most:
            amounts[entry.call] = amount = _pico(rate.usd(entry.most))
            spent += amount
        elif entry.usage:  # else it may have cost the most that it can
            spent += _pico(rate.usd(entry.usage)) - amounts.pop(entry.call, 0)
    return spent


def _pico(usd: float) -> int:
    return math.ceil(usd * PICO)
