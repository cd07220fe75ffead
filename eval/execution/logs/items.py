"""The items of one evaluation of a run that is made of logs, one at a time out of the rows that show them."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import count

from data.registry import fingerprint_line
from data.types import Item
from eval.execution.logs.catalogue import Catalogue
from eval.execution.logs.labels import labels_of
from eval.execution.logs.records import make_item
from eval.execution.logs.spool import Spool
from eval.execution.logs.systems import LoggedSystem
from eval.rundir.description import AnswerForm


class LoggedItems:
    """The items that some systems answered, or a benchmark's.

    Args:
        catalogue: All items.
        spool: Holds the rows that show them.
        systems: Those that answered.
        name: What the items are called together.

    Attributes:
        name: See above.
        numbers: The numbers of the items in the catalogue, in their order.
        form: The form in which replies to them are read: a label where all have the same choices, else the number of a
            choice.
        fingerprint: The fingerprint of all items, as `data.registry.fingerprint` makes it.

    Raises:
        ConfigurationError: Items without choices have right answers that are no labels.
    """

    def __init__(self, catalogue: Catalogue, spool: Spool, systems: Sequence[LoggedSystem], name: str) -> None:
        self.name = name
        self._catalogue, self._spool = catalogue, spool
        answered = set().union(*(system.replies for system in systems))
        entries = catalogue.entries
        self.numbers = [n for n, entry in enumerate(entries) if entry.given is not None or n in answered]
        self._tasks = {entries[number].task for number in self.numbers}
        open_items = (n for n in self.numbers if entries[n].given is None and not entries[n].choices)
        answers = [spool.row(entries[number].place).answer for number in open_items]
        self._labels = labels_of(answers, where=str(systems[0].files[0].path)) if answers else ()
        self._ids = self._unique_ids()
        self.form, self.fingerprint = self._form_and_fingerprint()

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Item]:
        return map(self.item, self.numbers)

    def item(self, number: int) -> Item:
        """Return the item with a number of the catalogue."""
        entry = self._catalogue.entries[number]
        if entry.given is not None:
            return entry.given
        tags = (entry.task,) if len(self._tasks) > 1 and entry.task else ()
        row = self._spool.row(entry.place)
        return make_item(row, self._labels, item_id=self._ids[number], benchmark=self.name, tags=tags)

    def _unique_ids(self) -> dict[int, str]:
        """Return the id of each item: its task's and its own, with a number where several have that."""
        taken, found = set[str](), dict[int, str]()
        for number in self.numbers:
            entry = self._catalogue.entries[number]
            name = f"{entry.task}/{entry.id}" if entry.task else entry.id or "item"
            again = (f"{name}#{n}" for n in count(2))
            while name in taken:
                name = next(again)
            taken.add(name)
            found[number] = name
        return found

    def _form_and_fingerprint(self) -> tuple[AnswerForm, str]:
        digest, choices = hashlib.sha256(), set[tuple[str, ...]]()
        for item in self:
            digest.update(fingerprint_line(item.model_dump(mode="json")))
            if len(choices) < 2:
                choices.add(item.choices)
        return "label" if len(choices) == 1 else "number", digest.hexdigest()
