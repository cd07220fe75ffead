"""A run's directory: the manifest first, then one journal of records a system, the reports last.

    runs/<name>/manifest.json                what was asked of whom, enough to know whether two runs are the same
    runs/<name>/<system>/records.jsonl       one line an item, on disk as soon as it is answered
    runs/<name>/<system>/calls.jsonl         what its model calls cost, and were answered: `eval.execution.call_ledger`
    runs/<name>/summary.json report.md report.html break-even-<n>.svg reliability-<n>.svg
    runs/<name>/.lock                        held by the process that writes the run: `data.common.files`

A journal is append-only while a run goes on. A line cut short by a crash is dropped and asked again;
an item that was asked again has two lines, of which the later counts.
"""

import operator
import os
import re
import reprlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from data.common.errors import ConfigurationError, MissingResourceError, first_fault
from data.common.files import faults_of_reading, faults_of_writing, replace_file
from data.common.line_file import SyncedFile, cut_torn_line, open_lines, whole_lines
from data.common.parsing import parse_json
from data.common.secrets import make_redactor
from data.types import Frozen, Model, Record
from eval.rundir.description import Crossed, Machine, SystemDescription
from eval.rundir.names import MANIFEST_FILE, SystemName, check_folders
from eval.rundir.readable import readable_json

SCHEMA_VERSION = 2
_READ = (1, SCHEMA_VERSION)  # in 1, what calls cost and were answered stood in other files, which nothing reads
_OF_A_BEGINNING = re.compile(r"\.lock|\.manifest\.json\.\d+\.tmp")  # all that a run killed at once may have left


# Keys of a suite that its verdict depends on, or how much is asked, and no answer.
JUDGED_BY = ("margin", "queries", "until_decided")


class Evaluation(Frozen):
    """One benchmark's items and the systems that answer them.

    Attributes:
        data: The path the items were read from; None for the benchmark's own source.
        fingerprint: SHA-256 over the items: runs are compared only where it is the same.
        systems: Their names, in the order of the suite.
        largest_group: Items of the largest group, in a run that ends once its systems are decided; None in any other.
        crossed: Which of them stand in a matrix, and where.
    """

    benchmark: str
    split: str
    data: str | None
    n_items: int = Field(ge=0)
    fingerprint: str
    systems: tuple[SystemName, ...]
    largest_group: int | None = Field(default=None, ge=1, exclude_if=lambda size: size is None)
    # Left out where there is none, so that a run from before there were matrices can still be resumed.
    crossed: Crossed = Field(default_factory=dict, exclude_if=operator.not_)


class Manifest(Frozen):
    """Everything that can change a run's answers, and when and with what it was started.

    Attributes:
        suite: The suite as it was run, with every default filled in.
        systems: For each system: its kind, chain, prompt with SHA-256, model, decoding, retriever, checkpoint.
        seed: Decides all that the run draws: sampled replies, orders of choices, other items' passages, training.
        bootstrap_seed: Decides the draws behind the intervals; None in an older run.
        versions: Package name to version.
        hardware: The machine, as `data.common.hardware` gives it, for what the run costs; None in an older run.
        started_utc: ISO 8601.
    """

    schema_version: int = SCHEMA_VERSION
    name: str
    suite: dict[str, Any]
    evaluations: tuple[Evaluation, ...]
    systems: dict[SystemName, SystemDescription]
    seed: int
    bootstrap_seed: int | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    hardware: Machine | None = None
    started_utc: str

    @model_validator(mode="after")
    def _every_system_has_one_folder(self) -> Self:
        check_folders([name for evaluation in self.evaluations for name in evaluation.systems])
        if other := {name for evaluation in self.evaluations for name in evaluation.systems} ^ set(self.systems):
            raise ValueError(f"'{min(other)}' must be both in systems and in an evaluation")
        if not self.evaluations or not all(evaluation.systems for evaluation in self.evaluations):
            raise ValueError("a run has evaluations, and each of them systems; restore the file")
        return self

    def differences(self, other: "Manifest") -> list[str]:
        """Name what differs between two manifests in anything that decides the answers."""
        deciding = ("suite", "schema_version", "evaluations", "systems", "seed")
        ours, theirs = (
            one.model_copy(
                update={
                    "suite": {key: value for key, value in one.suite.items() if key not in JUDGED_BY},
                    "evaluations": tuple(e.model_copy(update={"largest_group": None}) for e in one.evaluations),
                }
            )
            for one in (self, other)
        )
        return [name for name in deciding if getattr(ours, name) != getattr(theirs, name)]


def records_path(run_dir: Path, system: str) -> Path:
    """Return where a system's journal is; the name was checked when the suite or the manifest was read."""
    return run_dir / system / "records.jsonl"


def write_manifest(run_dir: Path, manifest: Manifest) -> None:
    replace_file(run_dir / MANIFEST_FILE, readable_json(manifest, make_redactor(), indent=2)[1] + "\n")


def begin_run(run_dir: Path, manifest: Manifest) -> None:
    """Make a new run's folder with its manifest.

    Raises:
        ConfigurationError: The folder is in use or cannot be written.
    """
    try:
        if run_dir.exists() and any(not _OF_A_BEGINNING.fullmatch(path.name) for path in run_dir.iterdir()):
            raise ConfigurationError(f"{run_dir} is not empty; use --resume {run_dir} to go on, or another --out")
        run_dir.mkdir(parents=True, exist_ok=True)
        write_manifest(run_dir, manifest)
    except OSError as error:
        raise ConfigurationError(
            f"run folder {run_dir} cannot be written: {error.strerror}; use another --out"
        ) from None


def read_manifest(run_dir: Path) -> Manifest:
    """Read a run's manifest.

    Raises:
        MissingResourceError: The folder is no run.
        ConfigurationError: The manifest was written by another version or is damaged.
    """
    path = run_dir / MANIFEST_FILE
    try:
        text = path.read_text(encoding="utf-8")
        content = parse_json(text)
    except FileNotFoundError:
        raise MissingResourceError(f"{run_dir} is not a run: it has no manifest.json; runs are under runs/") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version not in _READ:
        raise ConfigurationError(
            f"{path} has the schema version {reprlib.repr(version)}, not {SCHEMA_VERSION}: "
            "another version of this program wrote it"
        )
    try:
        return Manifest.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {first_fault(error)}") from None


def redacted(manifest: Manifest) -> Manifest:
    """Return a manifest as it is written and read back: without secrets."""
    return readable_json(manifest, make_redactor())[0]


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
