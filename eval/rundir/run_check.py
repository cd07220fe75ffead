"""Reads a run that somebody may have edited or damaged: its journals are checked against its manifest and each other.

A run's directory in; out come its manifest and the lines of its journals, once every line was found to be a record, of
the system in whose folder it stands, with the item that the other journals have under its id; and the items of a
complete journal are those whose fingerprint the manifest holds. One line is held at a time, and of each item its id and
some twenty bytes: an item that is written as another journal wrote it is not parsed again.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from pydantic import BaseModel, ValidationError, create_model
from pydantic_core import from_json

from data.common.errors import ConfigurationError, first_fault
from data.common.line_file import whole_lines
from data.common.parsing import parse_json
from data.common.secrets import STRUCK_OUT
from data.registry import fingerprint_line
from data.types import Frozen, Item, Record, answer_fault
from eval.rundir.journal import bad_line, records_path
from eval.rundir.manifest import Evaluation, Manifest, read_manifest

_STRUCK_OUT = STRUCK_OUT.encode()
# How a line begins that this program wrote, and what stands behind its item. Neither can be part of a text, in which
# every quotation mark has a backslash before it; and no item holds an object that `"system"` follows.
_BEGINNING, _BEHIND_ITEM = b'{"item":{"id":"', b'},"system":'
# Where one of these is in a JSON text, its names may not be counted by the colons behind them: space between the two,
# or a name that ends in a backslash.
_UNCOUNTABLE = (b"\t", b"\r", b'" :', b'"  ', b'\\\\"')
# A record without its item, which is checked apart.
_Answer = cast(
    "type[Record]",
    create_model(  # type: ignore[call-overload]
        "_Answer",
        __base__=Frozen,
        **{name: (field.annotation, field) for name, field in Record.model_fields.items() if name != "item"},
    ),
)


class Line(NamedTuple):
    """One line of a journal, checked.

    Attributes:
        offset: Where it begins, in bytes.
        place: Its item's place in the order in which the journals of the evaluation first name the items.
        written_item: Its item as it is written, JSON.
        canonical: The same in the form that the fingerprint is made of; empty where it was parsed before.
        item: The same; None where it was parsed before, from another line.
        record: All else that it says; it has no attribute `item` where `item` is None.
    """

    offset: int
    place: int
    written_item: bytes
    canonical: bytes
    item: Item | None
    record: Record


def read_run(run_dir: Path) -> Manifest:
    """Read a run's manifest, and check its journals.

    Raises:
        MissingResourceError: The folder is no run.
        ConfigurationError: A file of it is damaged, or holds what the run cannot have written.
    """
    manifest = read_manifest(run_dir)
    check_journals(run_dir, manifest)
    return manifest


def check_journals(run_dir: Path, manifest: Manifest, asked: Sequence[Iterable[Item]] = ()) -> None:
    """Check every journal of a run.

    Args:
        run_dir: The run.
        manifest: The manifest of the run.
        asked: The items of each evaluation, where they are at hand. Without them the items of journals of which none
            is complete can be compared with each other alone.

    Raises:
        ConfigurationError: See `read_run`.
    """
    for number, evaluation in enumerate(manifest.evaluations):
        for _, _, lines in checked_journals(run_dir, evaluation, asked[number] if asked else ()):
            for _ in lines:
                pass


def checked_journals(
    run_dir: Path, evaluation: Evaluation, asked: Iterable[Item] = ()
) -> Iterator[tuple[str, Path, Iterator[Line]]]:
    """Yield (system, its journal, the lines of it) for each system of an evaluation; the lines are to be read at once.

    Args:
        run_dir: The run.
        evaluation: One of its manifest.
        asked: Its items, where they are at hand.

    Raises:
        ConfigurationError: See `read_run`; what concerns whole journals is raised behind the last one.
    """
    items = _Items(evaluation, asked)
    for system in evaluation.systems:
        path = _own_path(run_dir, system)
        yield system, path, items.checked_lines(path, system)
    items.check_fingerprint()


def _own_path(run_dir: Path, system: str) -> Path:
    """Return where a system's journal is, if that is in the run: a link may lead to somebody else's files."""
    path = records_path(run_dir, system)
    if path.resolve() != records_path(run_dir.resolve(), system):
        raise ConfigurationError(f"{path} leads out of the run, to {path.resolve()}; put the file itself there")
    return path


class _Items:
    """The items of an evaluation, as they were first met.

    Attributes:
        _places: Each id's place.
        _digests: For each place, the digest of the item as canonical JSON; 0 where a key was struck out of it: such an
            item is written otherwise than it was asked, and cannot be compared.
        _written: For each place, the digest of the item as a journal writes it; 0 where none has.
        _n_choices: For each place, how many choices its item has.
        _fingerprints: The fingerprints of the items of each complete journal, until one is that of the manifest.
    """

    def __init__(self, evaluation: Evaluation, asked: Iterable[Item]) -> None:
        self._evaluation = evaluation
        self._struck_out = False
        self._places: dict[str, int] = {}
        self._digests, self._written, self._n_choices = array("Q"), array("q"), array("i")
        self._fingerprints: dict[Path, str] = {}
        for item in asked:
            self._place(item, fingerprint_line(item.model_dump(mode="json")))
        # Each line is compared with these; a run that was killed may hold all of them in another order.
        self._confirmed = bool(self._places)

    def checked_lines(self, path: Path, system: str) -> Iterator[Line]:
        """Yield the lines of a system's journal; behind the last, its fingerprint is noted if it holds all items."""
        seen, hashed, left = bytearray(), hashlib.sha256(), self._evaluation.n_items
        for number, (offset, written) in enumerate(whole_lines(path), start=1):
            line = self._quickly(offset, written) or self._slowly(offset, written, path, number)
            if line.record.system != system:
                fault = f"a record of system '{line.record.system}' is in the folder of '{system}'"
                raise bad_line(path, number, fault)
            yield line
            if self._confirmed:
                continue
            seen.extend(bytes(max(line.place + 1 - len(seen), 0)))
            if not seen[line.place]:  # an item that was asked again has two lines
                seen[line.place], left = 1, left - 1
                # As it is written: an older version's item, of which the fingerprint is, may differ in form and fields.
                hashed.update(line.canonical or fingerprint_line(from_json(line.written_item)))
        if not left and not self._confirmed:
            self._fingerprints[path] = hashed.hexdigest()
            self._confirmed = self._fingerprints[path] == self._evaluation.fingerprint

    def check_fingerprint(self) -> None:
        """Check that one complete journal, with which the other ones agree, holds the items that were asked."""
        if not self._fingerprints or self._struck_out or self._confirmed:
            return
        raise ConfigurationError(
            f"{next(iter(self._fingerprints))}: its items are not those that were asked, whose fingerprint is in "
            "manifest.json; restore it, or where the run was killed, have it put in order by --resume"
        )

    def _quickly(self, offset: int, written: bytes) -> Line | None:
        """Read a line as this program writes it; None for any other, and for one that has a fault."""
        end = written.find(_BEHIND_ITEM) + 1
        if not end or not written.startswith(_BEGINNING):
            return None
        written_item, rest = written[8:end], b"{" + written[end + 1 :]
        place, item, canonical = self._known(written_item), None, b""
        try:
            if place is None:
                item = Item.model_validate_json(written_item, strict=True)
                if not _is_each_name_given_once(written_item, len(item.model_fields_set) + len(item.inputs)):
                    return None
                canonical = fingerprint_line(from_json(written_item))
                place = self._place(item, canonical, written_item)
            record = _Answer.model_validate_json(rest, strict=True)
        except ValueError:
            return None
        prediction = record.prediction
        if (prediction is None) == (record.error is None) or not _is_each_name_given_once(rest, _count_names(record)):
            return None
        if prediction is not None and answer_fault(prediction, self._n_choices[place]):
            return None
        return Line(offset, place, written_item, canonical, item, record)

    def _slowly(self, offset: int, written: bytes, path: Path, number: int) -> Line:
        """Read a line of any form, or say what is wrong with it."""
        try:
            record = Record.model_validate_json(written, strict=True)  # a target of "1" or true was not written by us
            canonical = fingerprint_line(parse_json(written.decode())["item"])
        except ValidationError as error:
            raise bad_line(path, number, f"not a record ({first_fault(error)})") from None
        except ValueError as error:  # a name that is given twice
            raise bad_line(path, number, f"not a record ({error})") from None
        try:
            place = self._place(record.item, canonical)
        except ValueError as error:
            raise bad_line(path, number, f"item '{record.item.id}' {error}") from None
        return Line(offset, place, canonical, canonical, record.item, record)

    def _known(self, written_item: bytes) -> int | None:
        """Return the place of an item that a journal has written in the very same bytes."""
        start = len(_BEGINNING) - len(b'{"item":')
        place = self._places.get(written_item[start : written_item.find(b'"', start)].decode(errors="replace"))
        return place if place is not None and self._written[place] == hash(written_item) else None

    def _place(self, item: Item, line: bytes, written_item: bytes = b"") -> int:
        """Return an item's place, and note how it is written.

        Raises:
            ValueError: It is not one of the run's, or not as it was met before.
        """
        place = self._places.setdefault(item.id, len(self._places))
        struck_out = _STRUCK_OUT in line
        self._struck_out |= struck_out
        digest = 0 if struck_out else int.from_bytes(hashlib.sha256(line).digest()[:8], "big")
        if place == len(self._digests):
            if place >= self._evaluation.n_items:
                raise ValueError(f"is not one of the run's {self._evaluation.n_items:,} items")
            self._digests.append(digest)
            self._written.append(0)
            self._n_choices.append(len(item.choices))
        elif digest != self._digests[place] and digest and self._digests[place]:
            raise ValueError("is another one than elsewhere in the run")
        if written_item:
            self._written[place] = hash(written_item)
        return place


def _is_each_name_given_once(written: bytes, n_names: int) -> bool:
    """Say whether no object of a JSON text gives a name twice; False also where that takes more to say.

    Args:
        written: The text.
        n_names: How many different names its objects have in all.
    """
    for mark in _UNCOUNTABLE:
        if mark in written:
            return False
    return n_names == written.count(b'":') - written.count(b'\\":')


def _count_names(record: Record) -> int:
    """Count the names that were given to a record, and to all that is in it."""
    n_names, prediction = len(record.model_fields_set), record.prediction
    if prediction is not None:
        n_names += len(prediction.model_fields_set) + len(prediction.usage) + _count_names_within(prediction.asks)
    return n_names + _count_names_within(record.messages) + _count_names_within(record.passages)


def _count_names_within(value: Any) -> int:
    if not value or isinstance(value, str | int | float):
        return 0
    if isinstance(value, BaseModel):
        return len(value.model_fields_set) + sum(map(_count_names_within, vars(value).values()))
    if isinstance(value, dict):
        return len(value) + sum(map(_count_names_within, value.values()))
    return sum(map(_count_names_within, value))
