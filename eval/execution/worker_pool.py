"""A few threads that are given jobs and hand back what became of them.

Unlike the standard library's pool, the process does not wait for them when it ends: a call that hangs, or that the user
will not wait for, holds nobody up.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")


class WorkerPool(Generic[Job, Outcome]):
    """Threads that do jobs. Whoever owns the pool starts them: see `missing`.

    Args:
        work: What a thread does: it takes jobs out of the first queue until None comes, and puts each, with what became
            of it, into the second.
        size: Threads, and so jobs in hand at once.

    Attributes:
        busy: The jobs in hand.
        size: How many threads there are, or are to be.
    """

    def __init__(
        self,
        work: "Callable[[SimpleQueue[Job | None], SimpleQueue[tuple[Job, Outcome] | None]], None]",
        size: int,
    ) -> None:
        self.busy: set[Job] = set()
        self.size = size
        self._work, self._started = work, 0
        self._given: SimpleQueue[Job | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[Job, Outcome] | None] = SimpleQueue()

    @property
    def idle(self) -> int:
        """How many more jobs can be taken in hand."""
        return self.size - len(self.busy)

    def missing(self) -> Iterator[Thread]:
        """Yield the threads that are to be started, one after the other."""
        while self._started < self.size:
            yield Thread(target=self._work, args=(self._given, self._done), daemon=True)
            self._started += 1

    @contextmanager
    def as_many_as_allowed(self) -> Iterator[None]:
        """Start threads in here: where the system allows no more, those that there are do all the jobs.

        Raises:
            RuntimeError: It allows none.
        """
        try:
            yield
        except RuntimeError:
            self.size = self._started
            if not self.size:
                raise

    def put(self, job: Job) -> None:
        """Give a job to whichever thread is free."""
        self.busy.add(job)
        self._given.put(job)

    def take(self, timeout_s: float | None = None) -> tuple[Job, Outcome] | None:
        """Wait for a job to be done and return it with what became of it.

        Returns:
            None when nothing was within the time, or `wake` was called.
        """
        try:
            done = self._done.get(timeout=timeout_s)
        except Empty:
            return None
        if done is not None:
            self.busy.discard(done[0])
        return done

    def wake(self) -> None:
        """Let `take` return; this queue's `put` may be called inside a signal's handler."""
        self._done.put(None)

    def dismiss(self) -> None:
        """Let the threads end, each after the job in its hands."""
        for _ in range(self._started):
            self._given.put(None)
