"""What the first faults of a system mean: nobody knows before its server has answered something.

A bad request, a forbidden text and a reply that cannot be read may be what every item gets, or one item's own. Until an
item is answered, such faults are held back:

    fault ─ held ─┬─ another item is answered                   each is its own item's error, or the item is new again
                  └─ nobody in flight is, nor a few items more   the run stops

The few are taken from all over the items: those that follow one another may share a passage that a filter refuses.
"""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from threading import Event
from typing import NamedTuple

from data.types import Record
from eval.execution.attempt_calls import AttemptCalls
from eval.execution.faults import Verdict, are_alike, is_forbidden_text, is_unreadable, judge, may_be_one_item_s
from eval.execution.open_item import OpenItem
from eval.execution.pending import Pending
from eval.rundir.journal import has_answers

# Items that are tried beyond those in flight; where a server finds fault with the request itself, beyond the first.
_PROBES = 3
_FORBIDDEN = 20  # answers of 403 in a row, after others: no filter of texts, but the way in has been closed
_UNREAD = 2  # replies to an item that cannot be read, before it is held back


class _Held(NamedTuple):
    open_item: OpenItem
    error: Exception
    record: Record


class FirstFaults:
    """The faults of one system whose meaning is not known yet.

    Threads that make attempts call `judge`, `note` and `holds`; the one that waits for them calls the others.

    Args:
        journal: The journal of the system: an answer in it, of a run that is resumed, says that its server answers.
        retries: How many attempts follow passing faults in a row.
    """

    def __init__(self, journal: Path, retries: int) -> None:
        self._journal, self._retries = journal, retries
        self._proven = Event()
        self._mixed = Event()  # replies that cannot be read differ, and so have no one cause
        self._forbidden = 0  # in a row
        self._closed = False
        self._held: list[_Held] = []
        self._probed = 0

    def has_answers(self) -> bool:
        """Say whether the system has given an answer, in this run or before it was resumed."""
        return self._proven.is_set() or has_answers(self._journal)

    def judge(self, open_item: OpenItem, calls: AttemptCalls, error: Exception) -> Verdict:
        """Say what is to be done about an attempt's fault, knowing what other items have got."""
        judged = partial(judge, error, called=calls.called, answered=calls.answered)
        proven = calls.proven or self._proven.is_set()
        verdict = judged(proven=proven)
        unread = verdict == "again" and is_unreadable(error) and not (proven or self._mixed.is_set())
        open_item.unread = unread
        if proven and is_forbidden_text(error):
            self._forbidden += 1
            self._closed = self._forbidden >= _FORBIDDEN
            return "stop" if self._closed else verdict
        if proven or not (unread or verdict in ("doubt", "stop")):
            return verdict
        if has_answers(self._journal):  # from before the run was resumed, or by this system's other threads
            self._proven.set()
            return judged(proven=True)
        return "doubt" if unread and open_item.faults + 1 >= _UNREAD else verdict

    def note(self, calls: AttemptCalls) -> None:
        """Learn whether the server answered a call of an attempt."""
        if calls.proven:
            self._proven.set()
            self._forbidden = 0

    def holds(self, open_item: OpenItem, error: Exception) -> bool:
        """Say whether an item's last fault is to be held back."""
        if open_item.verdict == "again":
            return is_unreadable(error) and not (self._proven.is_set() or self._mixed.is_set())
        return open_item.verdict == "doubt" or (
            open_item.verdict == "stop" and may_be_one_item_s(error) and not self._closed
        )

    def sift(self, open_item: OpenItem, record: Record) -> Iterator[Record]:
        """Yield an item's record, unless its fault is held back."""
        error = open_item.held_fault
        if error is None:
            yield record
            return
        if is_unreadable(error) and any(not are_alike(error, held.error) for held in self._unread()):
            self._mixed.set()
        self._held.append(_Held(open_item, error, record))

    def settled(self, pending: Pending) -> Iterator[Record]:
        """Yield what is no longer held back; an item that has attempts left is `pending` again."""
        free = self._held if self._proven.is_set() else self._unread() if self._mixed.is_set() else []
        self._held = [held for held in self._held if held not in free]
        for held in free:
            if (
                held.open_item.verdict == "doubt"
                and held.open_item.faults <= self._retries
                and is_unreadable(held.error)
            ):
                pending.put_first(held.open_item.item)
            else:
                yield held.record

    def _unread(self) -> list[_Held]:
        return [held for held in self._held if is_unreadable(held.error)]

    def next_items(self, pending: Pending, idle: int, busy: Collection[OpenItem]) -> list[OpenItem]:
        """Take the items that are to be attempted now out of those that are `pending`.

        Those whose next attempt is due always are. Where one was sent what cannot be read, no other is begun in its
        place until it is known whether that is every item's.
        """
        items = pending.due(idle)
        idle -= len(items)
        known = self._proven.is_set() or self._mixed.is_set()
        if not self._held:
            kept = 0 if known else sum(waiting.unread for waiting in pending.waiting)
            return items + pending.new(max(idle - kept, 0))
        if items or any(pending.waiting) or not all(one.given_up for one in busy):
            return items
        certain = any(held.open_item.verdict == "stop" for held in self._held)
        more = _PROBES + 1 - len(self._held) if certain else _PROBES - self._probed
        probes = pending.new_from_elsewhere(max(min(more, idle), 0))
        self._probed += len(probes)
        return probes

    def end(self, refuse: Callable[[Exception], None]) -> None:
        """Have the run stopped: nothing is in flight or about to be, and all that came is held back."""
        if len(self._held) == 1 and self._unread():
            self._mixed.set()  # a reply to the only item says nothing of others
            return
        first = next((held for held in self._held if held.open_item.verdict == "stop"), self._held[0])
        refuse(first.error)

    def __bool__(self) -> bool:
        """Say whether anything is held back."""
        return bool(self._held)
