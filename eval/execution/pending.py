"""The items that have no record yet and nobody at work on them: new ones, and those whose next attempt is to wait."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from itertools import count

from data.types import Item
from eval.execution.open_item import OpenItem
from eval.execution.retry import Calls
from eval.execution.waits import RETRY


class Pending:
    """Hands items out: those that have waited long enough for their next attempt, and new ones.

    Args:
        items: That are new.
        calls: What the run's calls share; there it is counted how many items wait for their next attempt.
    """

    def __init__(self, items: Sequence[Item], calls: Calls) -> None:
        self._new = deque(items)
        self._again: list[tuple[float, int, OpenItem]] = []
        self._numbers = count()  # of two that are due at once the first comes first
        self._calls = calls

    def __bool__(self) -> bool:
        return bool(self._new or self._again)

    def put_back(self, open_item: OpenItem, at: float) -> None:
        """Have the next attempt at an item made at a moment of the monotonic clock."""
        self._calls.waits.change(RETRY, 1)
        heappush(self._again, (at, next(self._numbers), open_item))

    def put_first(self, item: Item) -> None:
        """Take an item as new, before the others."""
        self._new.appendleft(item)

    @property
    def waiting(self) -> Iterator[OpenItem]:
        """The items that wait for their next attempt."""
        return (open_item for _, _, open_item in self._again)

    def due(self, most: int) -> list[OpenItem]:
        """Take items whose next attempt is due, at most so many."""
        taken: list[OpenItem] = []
        while len(taken) < most and self.due_s() <= 0:
            self._calls.waits.change(RETRY, -1)
            taken.append(heappop(self._again)[-1])
        return taken

    def new(self, most: int) -> list[OpenItem]:
        """Take new items, at most so many, in their order."""
        return [OpenItem(self._new.popleft(), self._calls.stop) for _ in range(min(most, len(self._new)))]

    def new_from_elsewhere(self, most: int) -> list[OpenItem]:
        """Take new items, at most so many, far from one another and from what was taken before."""
        taken: list[OpenItem] = []
        while self._new and len(taken) < most:
            self._new.rotate(-(len(self._new) * 5 // 8))  # near the golden section, whose steps fall far apart
            taken += self.new(1)
        return taken

    def due_s(self) -> float:
        """Return the seconds until the next attempt at an item is due; infinity where none is."""
        return self._again[0][0] - time.monotonic() if self._again else float("inf")
