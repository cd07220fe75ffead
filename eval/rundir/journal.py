"""A system's journal of records, in a run's directory: the manifest is first there, the reports last.

    runs/<name>/manifest.json                what was asked of whom: `eval.rundir.manifest`
    runs/<name>/<system>/records.jsonl       one line an item, on disk as soon as it is answered
    runs/<name>/<system>/calls.jsonl         what its model calls cost, and were answered: `eval.execution.call_ledger`
    runs/<name>/summary.json report.md report.html break-even-<n>.svg reliability-<n>.svg
    runs/<name>/langsmith.jsonl              what of it LangSmith holds: `eval.execution.experiments.note`
    runs/<name>/.lock                        held by the process that writes the run: `data.common.files`

A journal is append-only while a run goes on. A line cut short by a crash is dropped and asked again;
an item that was asked again has two lines, of which the later counts.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ValidationError

from data.common.errors import ConfigurationError, first_fault
from data.common.files import faults_of_reading, faults_of_writing
from data.common.line_file import SyncedFile, cut_torn_line, open_lines, whole_lines
from data.common.secrets import make_redactor
from data.types import Model, Record
from eval.rundir.readable import readable_json


def records_path(run_dir: Path, system: str) -> Path:
    """Return where a system's journal is; the name was checked when the suite or the manifest was read."""
    return run_dir / system / "records.jsonl"


def read_records(path: Path) -> Iterator[Record]:
    """Yield the records of a journal in the order they were written, one at a time.

    A last line that a crash cut short is left out, and standard error says so. Without a journal there are none: the
    system has not been asked yet.

    Raises:
        ConfigurationError: A line other than the last is damaged.
    """
    yield from (record for _, record in parsed_lines(path, Record))


def records_at(path: Path, offsets: Sequence[int]) -> Iterator[Record]:
    """Yield the records whose lines begin at these places of a journal, in their order, one at a time.

    Args:
        path: The path of a journal that was checked.
        offsets: Where the lines begin, in bytes.
    """
    if not offsets:  # there may be no journal
        return
    with faults_of_reading(path), path.open("rb") as file:
        for offset in offsets:
            file.seek(offset)
            yield Record.model_validate_json(file.readline(), strict=True)


class _Named(BaseModel):
    id: str


class _Outcome(BaseModel):
    """What a line says of whether its item is answered; all else in it is skipped, which is three times as fast."""

    item: _Named
    error: str | None = None


def read_outcomes(path: Path) -> dict[str, bool]:
    """Return for each item id of a journal whether it was answered, by its last record; empty without a journal.

    Raises:
        ConfigurationError: A line other than the last is damaged.
    """
    return {outcome.item.id: outcome.error is None for _, outcome in parsed_lines(path, _Outcome)}


def has_answers(path: Path) -> bool:
    """Say whether any item of a journal was answered; it is read only up to that one."""
    return any(outcome.error is None for _, outcome in parsed_lines(path, _Outcome))


def parsed_lines(path: Path, kind: type[Model]) -> Iterator[tuple[int, Model]]:
    """Yield (byte offset, what is read of it) for each line.

    Raises:
        ConfigurationError: A line other than the last is damaged.
    """
    for number, (offset, line) in enumerate(whole_lines(path), start=1):
        try:
            parsed = kind.model_validate_json(line, strict=True)  # a target of "1" or true was not written by us
        except ValidationError as error:
            raise bad_line(path, number, f"not a record ({first_fault(error)})") from None
        yield offset, parsed


def bad_line(path: Path, number: int, fault: str) -> ConfigurationError:
    """Return the error of a line that cannot be taken as it is."""
    return ConfigurationError(f"{path}, line {number}: {fault}; restore or delete it")


def latest_records(path: Path) -> dict[str, Record]:
    """Return the record that counts for each item id: the last one that was written; empty without a journal."""
    return {record.item.id: record for record in read_records(path)}


class SystemFile:
    """A file of one system that lines are appended to, as a context; each is on the disk within a second.

    Opening it cuts a torn last line off, so that the next one starts on a line of its own.

    Raises:
        ConfigurationError: It cannot be written; all lines before are whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: SyncedFile | None = None
        self._redact = make_redactor()
        self._remedy = f"free space there, or make it writable, and go on with --resume {path.parent.parent}"

    def __enter__(self) -> Self:
        with faults_of_writing(self.path, self._remedy):
            self._file = open_lines(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with faults_of_writing(self.path, self._remedy):
                file.close()


class Journal(SystemFile):
    """Appends records to one system's journal; each is handed to the operating system before `append` returns."""

    def append(self, record: Record) -> Record:
        """Append a record, and return it as it is read back: where its answer cannot be, that is its item's error."""
        if self._file is None:
            raise ValueError("the journal is not open")
        try:
            written, text = readable_json(record, self._redact)
        except ValidationError as error:
            failed = Record(
                item=record.item, system=record.system, error=f"UnreadableAnswer: {first_fault(error)}", latency_s=None
            )
            written, text = readable_json(failed, self._redact)
        with faults_of_writing(self.path, self._remedy):
            self._file.append(text.encode("utf-8") + b"\n")
        return written


def settle(path: Path, item_ids: Sequence[str]) -> None:
    """Rewrite a finished journal with one line an item, in the items' order.

    So the file does not depend on concurrency, retries or interruptions. Only offsets are held in memory.

    Raises:
        ConfigurationError: There is no room for the new file; the old one is untouched.
    """
    remedy = f"free space there, or make it writable, and go on with --resume {path.parent.parent}"
    with faults_of_writing(path, remedy):
        cut_torn_line(path)
    offsets: dict[str, int] = {}
    lines = 0
    for lines, (offset, outcome) in enumerate(parsed_lines(path, _Outcome), start=1):  # noqa: B007  # it counts them
        offsets[outcome.item.id] = offset
    order = [offsets[item_id] for item_id in item_ids if item_id in offsets]
    if lines == len(order) and order == sorted(order):
        return
    temporary = path.with_name(f".{path.name}.tmp")
    with faults_of_writing(path, f"{remedy}, which asks nothing again"):
        try:
            with path.open("rb") as source, temporary.open("wb") as target:
                for offset in order:
                    source.seek(offset)
                    target.write(source.readline())
                target.flush()
                os.fsync(target.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
