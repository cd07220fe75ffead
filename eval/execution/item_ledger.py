"""The calls of items that are not finished: whatever ends an attempt, what was answered is not paid for again.

An item may take several calls: votes, rotations, an agent's searches. When one fails, or the run is killed between two,
the item is asked anew from its beginning, and gets the replies that its system's ledger has for it.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from langchain_core.messages import AIMessage

from eval.execution.call_ledger import CallLedger, Entry, Key, Tokens, as_json, damaged, read_ledger


class Had(NamedTuple):
    """A reply that an item was given, and the seconds that it took."""

    message: AIMessage
    seconds: float


Replies = dict[Key, list[Had]]


def earlier_replies(path: Path, item_ids: Collection[str]) -> dict[str, Replies]:
    """Return the replies in a ledger that items may be given again, by item id.

    Args:
        path: Of the ledger.
        item_ids: Of the items; others' replies are left alone.

    Raises:
        ConfigurationError: The file cannot be read, or is damaged.
    """
    found: dict[str, Replies] = {}
    for entry in read_ledger(path):
        if entry.item not in item_ids:
            continue  # most of them, in a run that goes on: not made messages of
        replies = found.setdefault(entry.item, {})
        if entry.forget:
            replies.pop(entry.key, None)
        elif entry.reply:
            try:
                had = Had(entry.message(), entry.seconds)
            except ValueError:
                raise damaged(path, f"the reply of call {entry.call} cannot be read") from None
            replies.setdefault(entry.key, []).append(had)
    return found


class ItemLedger:
    """The call ledger as one item sees it: its calls are written down, its replies given out again in their order.

    Args:
        item_id: Whose calls they are.
        append: Writes an entry down, and says whether it is written.
        replies: That the item was given by an earlier process.

    Attributes:
        given: How many replies that can be given again this attempt at the item has had, old and new.
        replayed_s: Seconds that its old ones took.
    """

    def __init__(
        self, item_id: str = "", append: Callable[[Entry], bool] = lambda _: True, replies: Replies | None = None
    ) -> None:
        self._item_id, self._append = item_id, append
        self._replies = {} if replies is None else replies
        self._lock = Lock()  # a chain may make calls at once
        self._attempt = 0
        self.rewind()

    def rewind(self) -> None:
        """Begin another attempt at the item."""
        self._attempt += 1
        self.given, self.replayed_s = 0, 0.0
        self._taken: Counter[Key] = Counter()

    def take(self, key: Key) -> AIMessage | None:
        """Return the reply to a request, to the same one asked again the next; None where there was none."""
        with self._lock:
            number, had = self._taken[key], self._replies.get(key, ())
            self._taken[key] += 1
            if number >= len(had):
                return None
            self.given += 1
            self.replayed_s += had[number].seconds
            return _copied(had[number].message)

    def begin(self, call: str, trial: int, most: Tokens) -> bool:
        """Write down that a call is about to be sent; say whether it may be."""
        return self._append(Entry(call=call, item=self._item_id, trial=trial, attempt=self._attempt, most=most))

    def end(
        self, call: str, key: Key, *, usage: Tokens, seconds: float = 0.0, message: AIMessage | None = None
    ) -> None:
        """Write down what came of a call.

        Args:
            call: As in `begin`.
            key: Of its reply; without a request it cannot be given again.
            usage: What it took; empty where that was not counted.
            seconds: That it took.
            message: The reply.
        """
        reply = ""
        if message is not None and key.request:
            with self._lock:
                self._replies.setdefault(key, []).append(Had(_copied(message), seconds))
                self.given += 1
            reply = as_json(message)
        ended = {"call": call, "item": self._item_id, **key._asdict()}
        self._append(Entry(**ended, usage=usage, seconds=seconds, reply=reply))

    def forget(self, key: Key) -> None:
        """Have a request made anew when the item is asked again: a fault followed from what was answered to it."""
        with self._lock:
            had = self._replies.pop(key, None)
        if had:
            self._append(Entry(item=self._item_id, **key._asdict(), forget=True))


@contextmanager
def item_ledgers(
    path: Path, item_ids: Collection[str], on_fault: Callable[[OSError], None]
) -> Iterator[Callable[[str], ItemLedger]]:
    """Open a system's ledger; inside, what is given returns the ledger as the item with an id sees it.

    Args:
        path: Of the ledger.
        item_ids: Of the items that will be asked.
        on_fault: See `CallLedger`.

    Raises:
        ConfigurationError: The file cannot be read or written, or is damaged.
    """
    earlier = earlier_replies(path, item_ids)
    with CallLedger(path, on_fault) as ledger:
        yield lambda item_id: ItemLedger(item_id, ledger.append, earlier.pop(item_id, None))


def _copied(message: AIMessage) -> AIMessage:
    """Return a copy: a chain may change what it is given."""
    try:
        return deepcopy(message)
    except Exception:  # noqa: BLE001  # it holds something that cannot be copied, and says so as it likes
        return message
