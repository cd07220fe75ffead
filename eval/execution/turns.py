"""In which order the systems of a run are asked their items: one system after another, or in step until all is decided.

A plan in, the turns out, one at a time: what is asked next depends on what the run's journals hold by then, and on
nothing else, so that a run that was killed goes on as if it had not been.
"""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.common.progress import log
from data.types import Item
from eval.measures.sequential import Drawn, TestedPair, drawn_of, system_pairs
from eval.plan.planning import Plan, PlannedEvaluation
from eval.plan.system import System
from eval.rundir.journal import records_path
from eval.rundir.manifest import Evaluation
from eval.rundir.right_answers import read_right

# Items of a block that all systems are asked before one looks again: at least so many, and then a share of those that
# were asked before. A look reads the journals; a decision that falls within a block is seen at its end.
FEWEST, GROWTH = 20, 1 / 8


class Turn(NamedTuple):
    """Items that a system is asked now.

    Attributes:
        system: Opened once, in however many turns.
        items: All that it may be asked in this run, in the order of its journal.
        now: What it is asked in this turn, as far as it has not answered.
        is_last: Whether it is asked nothing after this turn.
    """

    evaluation: Evaluation
    system: System
    items: Sequence[Item]
    now: Sequence[Item]
    is_last: bool


def turns(planned: Plan, run_dir: Path) -> Iterator[Turn]:
    """Yield the turns of a run.

    Args:
        planned: What is asked.
        run_dir: The run's folder; a turn's answers must be in it before the next turn is taken.
    """
    for entry in planned.evaluations:
        drawn = drawn_of(planned.manifest, entry.evaluation)
        if drawn is not None:
            yield from _in_step(entry, drawn, run_dir)
            continue
        for system in entry.in_turn:
            items = entry.items[: system.limit]
            yield Turn(entry.evaluation, system, items, items, is_last=True)


def _in_step(entry: PlannedEvaluation, drawn: Drawn, run_dir: Path) -> Iterator[Turn]:
    """Ask all systems block by block, and after each those alone that a pair still needs."""
    blocks = _Blocks(entry, drawn, run_dir)
    while needed := blocks.needed():
        block = blocks.take()
        for system, items in blocks.asked:
            wanted = block & needed.get(system.name, set())
            if now := [item for item in items if item.group in wanted]:
                yield Turn(entry.evaluation, system, items, now, is_last=False)
        blocks.look()
    blocks.tell()
    for system, items in blocks.asked:
        yield Turn(entry.evaluation, system, items, (), is_last=True)


class _Blocks:
    """The items of an evaluation in the order in which they are drawn, and what was decided on those asked so far.

    Args:
        entry: Its items and systems.
        drawn: How they are drawn; a group is asked whole.
        run_dir: The run's folder.

    Attributes:
        asked: Each system with all items that it may be asked.
    """

    def __init__(self, entry: PlannedEvaluation, drawn: Drawn, run_dir: Path) -> None:
        # A predictor may be a model that was loaded, or trained: it is kept from block to block.
        self.asked = [(one._replace(open=cache(one.open)), entry.items[: one.limit]) for one in entry.systems]
        self._items, self._drawn, self._run_dir = entry.items, drawn, run_dir
        groups = [item.group for item in entry.items]
        self._order, self._ranks = drawn.order(groups), drawn.ranks(groups)
        self._n_groups = 0
        self._tests: dict[tuple[str, str], TestedPair] = {}
        self.look()

    @property
    def _n_asked(self) -> int:
        return int((self._ranks < self._n_groups).sum())

    def take(self) -> set[str]:
        """Return the groups of the next block."""
        sizes, wanted = np.bincount(self._ranks).cumsum(), self._n_asked + max(FEWEST, int(GROWTH * self._n_asked))
        start, self._n_groups = self._n_groups, min(int(np.searchsorted(sizes, wanted)) + 1, len(self._order))
        return set(self._order[start : self._n_groups])

    def look(self) -> None:
        """Test every pair on the groups that were taken, as the journals have them."""
        taken, right = self._ranks < self._n_groups, {}
        for system, _ in self.asked:
            known = read_right(records_path(self._run_dir, system.name))
            right[system.name] = np.array([known.get(item.id, math.nan) for item in self._items])[taken]
        self._tests = system_pairs(right, self._ranks[taken], self._drawn)

    def needed(self) -> dict[str, set[str]]:
        """Return by system the groups that are left of a pair which is not decided: those that both may be asked."""
        rest = set(self._order[self._n_groups :])
        left = {system.name: rest & {item.group for item in items} for system, items in self.asked}
        open_pairs = [pair for pair, one in self._tests.items() if one.test.decided is None]
        wanted: dict[str, set[str]] = {}
        for a, b in open_pairs:
            if both := left[a] & left[b]:
                for name in (a, b):
                    wanted.setdefault(name, set()).update(both)
        return wanted

    def tell(self) -> None:
        """Say why nothing more is asked."""
        n_open = sum(one.test.decided is None for one in self._tests.values())
        if n_open:
            log(f"{n_open} of {len(self._tests)} pairs of systems are not decided: no item is left that both are asked")
        else:
            pairs = f"all {len(self._tests)} pairs" if len(self._tests) > 1 else "the pair"
            log(f"decided: {pairs} of systems, after {self._n_asked:,} of {len(self._items):,} items")
