"""A run by batches: it goes over its systems, sends what they ask, and comes back when it was answered.

collect ─ what is known becomes records, what is not is written down ─ send ─┬─ end: "pending", --resume collects
   └──────────────────────────── --wait ────────────────────────────────────┘
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from data.common.errors import ConfigurationError, ProjectError
from data.common.progress import log
from data.types import Item
from eval.execution.batch_api.providers import asks_over_network, check_batchable
from eval.execution.batch_api.system_batches import SystemBatches, open_batches
from eval.execution.budget import MaxCostError
from eval.execution.interrupts import noted_interrupts
from eval.execution.retry import Cause
from eval.plan.planning import Plan
from eval.plan.settings.call_policy import CallPolicy
from eval.plan.system import System

_LONGEST_WAIT_S = 60.0  # between two looks at a batch
_POLL_S = 0.2  # how soon Ctrl-C is noticed


class PendingError(ProjectError):
    """Batches are being worked on (exit 4); --resume collects what they answer."""

    exit_code = 4


class Batches:
    """The batches of a run, by the names of the systems that are asked by them."""

    def __init__(self, systems: Sequence[System], run_dir: Path, policy: CallPolicy) -> None:
        self._waits = policy.wait
        self._systems = {one.name: SystemBatches(one, run_dir, policy) for one in systems if asks_over_network(one)}

    def of(self, system: System) -> SystemBatches | None:
        """Return the batches of a system; None for one that is asked as ever."""
        return self._systems.get(system.name)

    def free(self, system: System, items: Sequence[Item]) -> list[Item]:
        """Return the items of a system that wait for no batch."""
        batches = self.of(system)
        return list(items) if batches is None else batches.free(items)

    def wait_for(self, system: System) -> bool:
        """Say whether a system needs answers that are still to come."""
        return bool(system.members) and self._is_waiting

    def goes_on(self, cause: Cause) -> bool:
        """Say whether the run goes on although it was stopped: what is left of the money, ended batches will tell."""
        return issubclass(cause.kind, MaxCostError) and self._is_waiting

    @property
    def _is_waiting(self) -> bool:
        """Whether any request waits, sent or not."""
        return any(one.is_waiting for one in self._systems.values())

    @property
    def open(self) -> set[str]:
        """The marks of the batches that are still to be answered."""
        return {mark for one in self._systems.values() for mark in one.open}

    def send(self) -> None:
        for one in self._systems.values():
            one.send()

    def collect_after(self, seconds: float) -> None:
        """Wait for a while, and take what has ended. Where the run waits, Ctrl-C cancels the batches.

        A signal to end leaves them to be collected.

        Raises:
            KeyboardInterrupt: The run was interrupted.
        """
        until = time.monotonic() + seconds
        with noted_interrupts(lambda: None) as interrupts:
            while not interrupts.noted and time.monotonic() < until:
                time.sleep(_POLL_S)
            for one in self._systems.values():
                one.collect()
            if not interrupts.noted:
                return
            for one in self._systems.values() if self._waits and interrupts.signal_name is None else ():
                one.cancel()
        raise KeyboardInterrupt

    def __str__(self) -> str:
        """Return how the open batches stand, in words."""
        found = (batch for one in self._systems.values() for batch in one.open.values())
        return ", ".join("one whose id is not known" if one is None else f"{one.id} ({one.state})" for one in found)


def check_batches(planned: Plan, policy: CallPolicy) -> None:
    """Refuse a run that cannot be made by batches, before anything is written.

    Raises:
        ConfigurationError: See above.
    """
    if not policy.batch_api:
        return
    if any(one.evaluation.largest_group is not None for one in planned.evaluations):
        raise ConfigurationError("--batch-api asks all items at once, --until-decided in turns; leave one of them out")
    systems = [system for _, _, system in planned.parts]
    for system in systems:
        check_batchable(system)
    if not any(map(asks_over_network, systems)):
        raise ConfigurationError("--batch-api: no system asks a model over a network; leave it out")


def sweeps(planned: Plan, run_dir: Path, policy: CallPolicy) -> Iterator[Batches | None]:
    """Yield once for each time that the run's systems are to be gone over: once, or until no batch is open.

    Raises:
        PendingError: Batches are being worked on, and nobody waits for them.
        ConfigurationError: A provider refuses what it is asked for; or batches are open, and the run is not by them.
    """
    systems = [system for _, _, system in planned.parts]
    if not policy.batch_api:
        if left := open_batches(run_dir, [system.name for system in systems]):
            raise ConfigurationError(
                f"requests of {', '.join(left)} are in batches, and would be paid for twice; go on with --batch-api, "
                "which collects them first (--then live asks what is left at once)"
            )
        yield None
        return
    batches = Batches(systems, run_dir, policy)
    known, wait_s = set[str](), 0.0
    while True:
        batches.collect_after(wait_s)
        yield batches
        batches.send()
        if not batches.open:
            return
        if not policy.wait:
            raise PendingError(f"pending: {batches}; collect the answers with --resume {run_dir}")
        if batches.open != known:
            known, wait_s = batches.open, policy.first_wait_s
            log(f"waiting for {batches}; Ctrl-C cancels")
        else:
            wait_s = min(1.5 * wait_s, _LONGEST_WAIT_S)
