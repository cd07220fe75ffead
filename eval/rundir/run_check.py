"""Reads a run that somebody may have edited or damaged: its journals are checked against its manifest and each other.

A run's directory in, its manifest out, once every line of every journal was found to be a record, of the system in
whose folder it stands, with the item that the other journals have under its id; and the items of a complete journal
are those whose fingerprint the manifest holds. One record is held at a time, and of each item its id and eight bytes.
"""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

from data.common.errors import ConfigurationError
from data.common.line_file import whole_lines
from data.common.parsing import parse_json
from data.common.secrets import STRUCK_OUT
from data.registry import fingerprint_line
from data.types import Item
from eval.rundir.journal import Evaluation, Manifest, bad_line, read_manifest, read_records, records_path


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
        manifest: Of the run.
        asked: The items of each evaluation, where they are at hand. Without them the items of journals of which none
            is complete can be compared with each other alone.

    Raises:
        ConfigurationError: See `read_run`.
    """
    for number, evaluation in enumerate(manifest.evaluations):
        items = _Items(evaluation.n_items, asked[number] if asked else ())
        paths = {system: _own_path(run_dir, system) for system in evaluation.systems}
        found = {path: _read_through(path, system, items) for system, path in paths.items()}
        _check_fingerprint({path: one for path, one in found.items() if one}, evaluation, items)


def _own_path(run_dir: Path, system: str) -> Path:
    """Return where a system's journal is, if that is in the run: a link may lead to somebody else's files."""
    path = records_path(run_dir, system)
    if path.resolve() != records_path(run_dir.resolve(), system):
        raise ConfigurationError(f"{path} leads out of the run, to {path.resolve()}; put the file itself there")
    return path


class _Items:
    """The items of an evaluation, as they were first met.

    Attributes:
        most: How many there are.
        struck_out: Whether an item holds the mark of a key that was struck out, or what looks like it: such an item is
            written otherwise than it was asked, and cannot be compared.
    """

    def __init__(self, most: int, asked: Iterable[Item]) -> None:
        self.struck_out = False
        self.most = most
        self._places: dict[str, int] = {}
        self._digests = array("Q")
        for item in asked:
            self.place(item.id, fingerprint_line(item.model_dump(mode="json")))

    def place(self, item_id: str, line: bytes) -> int:
        """Return an item's place in the order in which they were met.

        Raises:
            ValueError: It is not one of the run's, or not as it was met before.
        """
        place = self._places.setdefault(item_id, len(self._places))
        struck_out = STRUCK_OUT.encode() in line
        self.struck_out |= struck_out
        digest = 0 if struck_out else int.from_bytes(hashlib.sha256(line).digest()[:8], "big")
        if place == len(self._digests):
            if place >= self.most:
                raise ValueError(f"is not one of the run's {self.most:,} items")
            self._digests.append(digest)
        elif digest != self._digests[place] and digest and self._digests[place]:
            raise ValueError("is another one than elsewhere in the run")
        return place


def _read_through(path: Path, system: str, items: _Items) -> str | None:
    """Check a journal, and return the fingerprint of its items if it holds all of them."""
    seen, hashed, left = bytearray(), hashlib.sha256(), items.most
    for number, (record, (_, written)) in enumerate(zip(read_records(path), whole_lines(path), strict=True), start=1):
        if record.system != system:
            raise bad_line(path, number, f"a record of system '{record.system}' is in the folder of '{system}'")
        try:
            # As it is written: an older version's item, of which the fingerprint is, may differ in form and fields.
            line = fingerprint_line(parse_json(written.decode())["item"])
        except ValueError as error:  # a name that is given twice
            raise bad_line(path, number, f"not a record ({error})") from None
        try:
            place = items.place(record.item.id, line)
        except ValueError as error:
            raise bad_line(path, number, f"item '{record.item.id}' {error}") from None
        seen.extend(bytes(max(place + 1 - len(seen), 0)))
        if not seen[place]:  # an item that was asked again has two lines
            seen[place], left = 1, left - 1
            hashed.update(line)
    return None if left else hashed.hexdigest()


def _check_fingerprint(complete: dict[Path, str], evaluation: Evaluation, items: _Items) -> None:
    """Check one complete journal, which the other ones agree with."""
    if not complete or items.struck_out or evaluation.fingerprint in complete.values():
        return
    raise ConfigurationError(
        f"{next(iter(complete))}: its items are not those that were asked, whose fingerprint is in manifest.json; "
        "restore it, or where the run was killed, have it put in order by --resume"
    )
