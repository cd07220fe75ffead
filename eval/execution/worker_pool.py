"""A few threads that do jobs and hand back what became of them.

Unlike the standard library's pool, the process does not wait for them when it ends: a call that hangs, or that the user
will not wait for, holds nobody up.
"""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")


class Crew(Generic[Job, Outcome]):
    """Threads that do jobs.

    Args:
        work: Done with each job; what it raises is handed back.
        size: Threads, and so jobs in hand at once.

    Attributes:
        busy: The jobs in hand.
    """

    def __init__(self, work: Callable[[Job], Outcome], size: int) -> None:
        self.busy: set[Job] = set()
        self._work, self._size = work, size
        self._jobs: SimpleQueue[tuple[Job] | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[Job, Outcome | BaseException] | None] = SimpleQueue()
        self._start(size)

    @property
    def idle(self) -> int:
        """How many more jobs can be taken in hand."""
        return self._size - len(self.busy)

    @property
    def size(self) -> int:
        """How many threads there are."""
        return self._size

    def grow(self, more: int) -> None:
        """Start more threads, for those whose jobs do not end."""
        self._size += more
        self._start(more)

    def put(self, job: Job) -> None:
        self.busy.add(job)
        self._jobs.put((job,))

    def take(self, timeout_s: float | None = None) -> tuple[Job, Outcome | BaseException] | None:
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
        for _ in range(self._size):
            self._jobs.put(None)

    def _start(self, count: int) -> None:
        for started in range(count):
            try:
                Thread(target=self._serve, daemon=True).start()
            except RuntimeError:  # the system allows no more: those that there are do all the jobs
                self._size -= count - started
                if not self._size:
                    raise
                return

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            outcome: Outcome | BaseException
            try:
                outcome = self._work(job[0])
            except BaseException as error:  # noqa: BLE001  # an interruption, too, is for the one who waits
                outcome = error
            self._done.put((job[0], outcome))
            del job, outcome
