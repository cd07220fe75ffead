"""Whose replies answer which items: the rows of several logs become systems over shared items.

Logs that were read in, out go the systems, in groups that share items: each group is one evaluation of a run. Rows of
one model over different items, such as the subtasks of a benchmark, are one system.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from data.common.errors import ConfigurationError
from data.types import Message
from eval.execution.logs.catalogue import Catalogue
from eval.execution.logs.reading import LogFile
from eval.execution.logs.row import LogRow
from eval.execution.logs.spool import Spool
from eval.rundir.names import plain_name, system_name_fault

_Label = tuple[str, str]  # who answered, and which of its variants


@dataclass
class LoggedSystem:
    """A system of a run that is made of logs.

    Attributes:
        model: Who answered, as the logs say it; "" where they do not.
        variant: What tells it from the model's other systems; "" where nothing does.
        files: Its logs.
        replies: The rows of each item by the item's number, in the spool; several where it was asked several times.
        name: Its folder in the run.
    """

    model: str
    variant: str
    files: list[LogFile]
    replies: dict[int, list[int]] = field(default_factory=dict)
    name: str = ""


class Linker:
    """Finds the item of every row of one log after another.

    Args:
        catalogue: The items so far; a benchmark's, where it is given.
        spool: Holds the rows.
        is_closed: Whether the catalogue holds all items that there are.
    """

    def __init__(self, catalogue: Catalogue, spool: Spool, *, is_closed: bool) -> None:
        self._catalogue, self._spool, self._is_closed = catalogue, spool, is_closed
        self._prompts: dict[str, int] = {}  # of a batch's requests, by their ids: rows that hold what was sent
        self.notes: list[str] = []

    def link(self, log: LogFile) -> list[LoggedSystem]:
        """Return the systems of a log, each with the items that its rows answer.

        Raises:
            ConfigurationError: No row answers any item, or two of one system answer the same in one trial.
        """
        systems: dict[_Label, LoggedSystem] = {}
        taken: dict[tuple[_Label, int], set[int]] = defaultdict(set)
        left: list[int] = []
        for place in log.places:
            row = self._spool.row(place)
            if row.is_prompt:
                self._prompts[row.id] = place
                continue
            number = self._catalogue.same(row, taken=taken[_key(row)]) if row.has_item else None
            if number is None:
                left.append(place)
            else:
                self._put(log, systems, taken, (number, place, row))
        found = self._found_otherwise(log, left)
        for place in left:
            row = self._spool.row(place)
            number = found.get(place)
            if number is None and row.has_item and not self._is_closed:
                same = self._catalogue.same(row, taken=taken[_key(row)])
                number = self._catalogue.add(row, place) if same is None else same
            if number is not None:
                self._put(log, systems, taken, (number, place, row))
        self._check(log, left, systems)
        return list(systems.values())

    def prompt(self, name: str) -> tuple[Message, ...]:
        """Return what was sent under an id of a batch; empty where no file holds that."""
        return self._spool.row(self._prompts[name]).messages if name in self._prompts else ()

    def _put(
        self,
        log: LogFile,
        systems: dict[_Label, LoggedSystem],
        taken: Mapping[tuple[_Label, int], set[int]],
        found: tuple[int, int, LogRow],
    ) -> None:
        number, place, row = found
        if number in taken[_key(row)]:
            entry = self._catalogue.entries[number]
            raise ConfigurationError(f"{log.path}, {row.place}: item '{entry.id}' has a row already")
        taken[_key(row)].add(number)
        self._catalogue.met(number, row, place)
        label, _ = _key(row)
        system = systems.setdefault(label, LoggedSystem(*label, [log]))
        system.replies.setdefault(number, []).append(place)

    def _found_otherwise(self, log: LogFile, left: Sequence[int]) -> dict[int, int]:
        """Return the items of rows that show no item that is known, by the prompt that shows one, or by its id."""
        if not self._catalogue.entries or not left:
            return {}
        found = self._by_id([place for place in left if not self._spool.row(place).has_item])
        rest = [place for place in left if place not in found]
        by_prompt = self._catalogue.shown_in((place, self._with_prompt(self._spool.row(place))) for place in rest)
        own = [place for place in rest if place not in by_prompt and self._spool.row(place).has_item]
        by_prompt |= self._catalogue.showing(own) if own else {}
        by_prompt = _once(by_prompt, self._spool)
        own = [place for place in own if place not in by_prompt]
        by_id = self._by_id(own)
        for n, how in ((len(by_prompt), "by what their prompts show"), (len(by_id), "by their ids")):
            if n:
                self.notes.append(f"{log.path}: {n:,} rows are matched to items of the others {how}")
        return found | by_prompt | by_id

    def _by_id(self, places: Sequence[int]) -> dict[int, int]:
        """Return the items with the rows' ids; none where any of these has another right answer or other choices."""
        found = {}
        for place in places:
            row = self._spool.row(place)
            number = self._catalogue.with_id(row.id)
            if number is not None and not self._catalogue.agrees(number, row):
                return {}
            if number is not None:
                found[place] = number
        return found

    def _with_prompt(self, row: LogRow) -> LogRow:
        """Return a row with what was sent, where another file holds that."""
        return row if row.messages else row.model_copy(update={"messages": self.prompt(row.id)})

    def _check(self, log: LogFile, left: Sequence[int], systems: Mapping[_Label, LoggedSystem]) -> None:
        n = sum(len(places) for system in systems.values() for places in system.replies.values())
        n_rows = len(log.places) - log.n_prompts
        if n_rows and not n and self._is_closed:
            raise ConfigurationError(f"{log.path}: none of its {n_rows:,} rows answers an item of the benchmark")
        if n_rows and not n:
            row = self._spool.row(left[0])
            raise ConfigurationError(
                f"{log.path}, {row.place}: nothing says which item '{row.id}' answers, nor what is right; name the "
                "benchmark or the labelled file with these items (--benchmark), or a log that holds them"
            )
        if n < n_rows:
            self.notes.append(
                f"{log.path}: {n_rows - n:,} of {n_rows:,} rows are left out: they answer no item there is"
            )


def _key(row: LogRow) -> tuple[_Label, int]:
    return (row.model, row.variant), row.trial


def _once(found: Mapping[int, int], spool: Spool) -> dict[int, int]:
    """Return what was found for the rows whose item no other row of the same system was found to answer."""
    counts = Counter((number, _key(spool.row(place))) for place, number in found.items())
    return {place: number for place, number in found.items() if counts[number, _key(spool.row(place))] == 1}


def joined(systems: Iterable[LoggedSystem]) -> list[LoggedSystem]:
    """Return systems of which those of one model and variant over different items are one."""
    found: list[LoggedSystem] = []
    for system in systems:
        for other in found:
            same = (other.model, other.variant, _tool(other)) == (system.model, system.variant, _tool(system))
            if same and system.model and other.replies.keys().isdisjoint(system.replies):
                other.replies |= system.replies
                other.files += system.files
                break
        else:
            found.append(system)
    return found


def name_systems(systems: Sequence[LoggedSystem]) -> None:
    """Name each system after its model, else its file; systems named alike by their variants, their tools or files too.

    Raises:
        ConfigurationError: Two systems have one name in whatever way.
    """
    alike: dict[str, list[LoggedSystem]] = defaultdict(list)
    for system in systems:
        system.name = plain_name(system.model or system.files[0].path.stem)
        alike[system.name.casefold()].append(system)
    for same in alike.values():
        _tell_apart(same)
    for system in systems:
        if fault := system_name_fault(system.name):
            raise ConfigurationError(f"{system.files[0].path}: {fault}; a system is named by its model or its file")


def _tell_apart(systems: Sequence[LoggedSystem]) -> None:
    if len(systems) < 2:
        return
    ways = (
        lambda one: one.variant,
        _tool,
        _stem,
        lambda one: _tool(one) + one.variant,
        lambda one: _stem(one) + one.variant,
    )
    for way in ways:
        parts = [plain_name(way(system)) if way(system) else "" for system in systems]
        if all(parts) and len(set(parts)) == len(parts):
            for system, part in zip(systems, parts, strict=True):
                system.name += f".{part}"
            return
    first, second = (system.files[0].path for system in systems[:2])
    raise ConfigurationError(f"{first} and {second} are both system '{systems[0].name}'; rename one")


def _tool(system: LoggedSystem) -> str:
    return system.files[0].format.name


def _stem(system: LoggedSystem) -> str:
    return system.files[0].path.stem


def groups_of(systems: Sequence[LoggedSystem]) -> list[list[LoggedSystem]]:
    """Return the systems in groups that share items, directly or through others, in their order."""
    groups: list[tuple[set[int], list[LoggedSystem]]] = []
    for system in systems:
        items, members = set(system.replies), [system]
        for other in [one for one in groups if not one[0].isdisjoint(items)]:
            groups.remove(other)
            items, members = items | other[0], [*other[1], *members]
        groups.append((items, members))
    order = {id(system): n for n, system in enumerate(systems)}
    found = [sorted(members, key=lambda one: order[id(one)]) for _, members in groups]
    return sorted(found, key=lambda members: order[id(members[0])])
