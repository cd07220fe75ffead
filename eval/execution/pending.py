"""The items that are still to be asked: those that never were, and those that are to be asked again in a while."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from itertools import count

from data.types import Item
from eval.execution.item_state import Asked
from eval.execution.waits import RETRY, Waits


class Pending:
    """Hands items out: those that have waited long enough to be asked again, and new ones.

    Args:
        items: To be asked.
        waits: Where it is counted how many wait to be asked again.
    """

    def __init__(self, items: Sequence[Item], waits: Waits) -> None:
        self._new = deque(items)
        self._again: list[tuple[float, int, Asked]] = []
        self._numbers = count()  # of two that are due at once the first comes first
        self._waits = waits

    def __bool__(self) -> bool:
        return bool(self._new or self._again)

    def put_back(self, asked: Asked, at: float) -> None:
        """Have an item asked again at a moment of the monotonic clock."""
        self._waits.change(RETRY, 1)
        heappush(self._again, (at, next(self._numbers), asked))

    def put_first(self, item: Item) -> None:
        """Have an item asked as if it never was, before the other new ones."""
        self._new.appendleft(item)

    @property
    def waiting(self) -> Iterator[Asked]:
        """The items that are to be asked again."""
        return (asked for _, _, asked in self._again)

    def due(self, most: int) -> list[Asked]:
        """Take items that have waited long enough to be asked again, at most so many."""
        taken: list[Asked] = []
        while len(taken) < most and self.due_s() <= 0:
            self._waits.change(RETRY, -1)
            taken.append(heappop(self._again)[-1])
        return taken

    def new(self, most: int) -> list[Asked]:
        """Take items that were never asked, at most so many, in their order."""
        return [Asked(self._new.popleft()) for _ in range(min(most, len(self._new)))]

    def new_from_elsewhere(self, most: int) -> list[Asked]:
        """Take items that were never asked, at most so many, far from one another and from what was taken before."""
        taken: list[Asked] = []
        while self._new and len(taken) < most:
            self._new.rotate(-(len(self._new) * 5 // 8))  # near the golden section, whose steps fall far apart
            taken += self.new(1)
        return taken

    def due_s(self) -> float:
        """Return the seconds until an item is to be asked again; infinity where none is."""
        return self._again[0][0] - time.monotonic() if self._again else float("inf")
