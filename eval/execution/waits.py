"""What the calls of a run wait for at a moment, for the person who watches."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

ANSWERS = "answers"
RETRY = "a retry"
IN_LINE, LIMIT = "their turn", "the server's limit"  # before a call is sent


class Waits:
    """Counts who waits for what: a server's answers, or something that holds a call up."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def on(self, what: str, *, before: str | None = None) -> Iterator[None]:
        """Count one who waits, here and now.

        Args:
            what: What is waited for, in words that fit after "3 await", such as "--rpm".
            before: What the same one waits for afterwards, and was counted for already.
        """
        self.change(what, 1, before=before)
        try:
            yield
        finally:
            self.change(what, -1, before=before)

    def change(self, what: str, by: int, *, before: str | None = None) -> None:
        """Count so many more who wait, or fewer; see `on`, which does both."""
        with self._lock:
            self._counts[what] += by
            if before:
                self._counts[before] -= by

    def described(self, is_quiet: bool) -> str:
        """Return how many wait for what, as "3 await --rpm, 5 await answers", or "".

        Args:
            is_quiet: No item has been answered for a while; else only what holds calls up is worth a word.
        """
        with self._lock:
            counts = {what: count for what, count in self._counts.items() if count > 0}
        answers = {ANSWERS: counts.pop(ANSWERS)} if ANSWERS in counts else {}
        shown = dict(sorted(counts.items())) | (answers if is_quiet else {})
        return ", ".join(f"{count} await {what}" for what, count in shown.items())
