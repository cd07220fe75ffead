"""The items of several logs, each once: rows come in, and out goes the number of the item that a row answers.

Two rows answer one item where they show the same texts and have the same right answer, and where both have choices,
the same ones in any order. What is left is found by its prompt, which shows an item's texts, and at last by its id.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from data.common.text import normalised
from data.splits import fold
from data.types import Item
from eval.execution.logs.containment import Texts
from eval.execution.logs.row import LogRow
from eval.execution.logs.spool import Spool

_AMBIGUOUS = -1


@dataclass(slots=True)
class Entry:
    """An item as it was first met.

    Attributes:
        id: The item's id in its log, or in the benchmark.
        task: What the log calls the items together.
        place: The place in the spool of a row that shows it, one with choices where there is one.
        right: Stands for the right answer's text.
        choices: Stands for the choices in any order; empty where they are not known.
        given: The item itself, where it is a benchmark's.
    """

    id: str
    task: str
    place: int
    right: bytes
    choices: bytes
    given: Item | None = None


def key_of(texts: Iterable[str]) -> bytes:
    """Return what stands for texts in any order, without what makes no other text."""
    return hashlib.sha256("\0".join(sorted(fold(normalised(text)) for text in texts)).encode()).digest()[:16]


def right_text(row: LogRow) -> str:
    """Return the text of what is right; "" where the row does not say."""
    return row.choices[row.target] if row.target is not None and row.choices else row.answer


def shown_by(row: LogRow) -> str:
    """Return all that a row shows: what was sent, and the item's texts."""
    return "\n".join([*(message.content for message in row.messages), *row.texts.values()])


class Catalogue:
    """Items by their texts and ids.

    Args:
        spool: Holds the rows that entries point at.
    """

    def __init__(self, spool: Spool) -> None:
        self.entries: list[Entry] = []
        self._spool = spool
        self._by_texts: dict[bytes, list[int]] = defaultdict(list)
        self._by_id: dict[str, int] = {}

    def add_given(self, item: Item) -> None:
        """Add a benchmark's item."""
        entry = Entry(item.id, "", -1, key_of([item.choices[item.target]]), key_of(item.choices), item)
        self._add(entry, item.inputs.values())

    def add(self, row: LogRow, place: int) -> int:
        """Add the item of a row, and return its number."""
        choices = key_of(row.choices) if row.choices else b""
        return self._add(Entry(row.id, row.task, place, key_of([right_text(row)]), choices), row.texts.values())

    def _add(self, entry: Entry, texts: Iterable[str]) -> int:
        number = len(self.entries)
        self.entries.append(entry)
        self._by_texts[key_of(texts)].append(number)
        for name in {entry.id, f"{entry.task}/{entry.id}"}:
            self._by_id[name] = _AMBIGUOUS if name in self._by_id else number
        return number

    def same(self, row: LogRow, *, taken: Set[int]) -> int | None:
        """Return the item with a row's texts and right answer, of several one that is not taken; None for none."""
        for number in self._by_texts.get(key_of(row.texts.values()), ()):
            if number not in taken and self.agrees(number, row):
                return number
        return None

    def agrees(self, number: int, row: LogRow) -> bool:
        """Say whether an item has a row's right answer and choices, as far as the row says them."""
        entry = self.entries[number]
        if row.choices and entry.choices and key_of(row.choices) != entry.choices:
            return False
        return not row.has_item or key_of([right_text(row)]) == entry.right

    def met(self, number: int, row: LogRow, place: int) -> None:
        """Note that a row answers an item, which takes its choices from the first row that has them."""
        entry = self.entries[number]
        if row.has_item and row.choices and not entry.choices:
            entry.place, entry.choices = place, key_of(row.choices)

    def with_id(self, name: str) -> int | None:
        """Return the item with an id; None where there is none, or several."""
        number = self._by_id.get(name, _AMBIGUOUS)
        return None if number == _AMBIGUOUS else number

    def texts_of(self, number: int) -> Sequence[str]:
        """Return the texts that an item shows."""
        entry = self.entries[number]
        item = entry.given
        return list(item.inputs.values()) if item is not None else list(self._spool.row(entry.place).texts.values())

    def shown_in(self, rows: Iterable[tuple[int, LogRow]]) -> dict[int, int]:
        """Return the item that each row's prompt asks, by the row's place; rows that show none are left out."""
        texts, found = Texts(self.texts_of, range(len(self.entries))), dict[int, int]()
        for place, row in rows:
            numbers = (number for number in texts.within(shown_by(row)) if self.agrees(number, row))
            if (number := next(numbers, None)) is not None:
                found[place] = number
        return found

    def showing(self, places: Sequence[int]) -> dict[int, int]:
        """Return the item whose own prompt shows a row's texts, by the row's place: the other way round."""
        rows = Texts(lambda place: self._spool.row(place).texts.values(), places)
        found: dict[int, int] = {}
        for number, entry in enumerate(self.entries):
            shown = "\n".join(self.texts_of(number)) if entry.given else shown_by(self._spool.row(entry.place))
            for place in rows.within(shown):
                if place not in found and self.agrees(number, self._spool.row(place)):
                    found[place] = number
                    break
        return found
