"""A run's directory: the manifest first, then one journal of records a system, the reports last.

    runs/<name>/manifest.json                what was asked of whom, enough to know whether two runs are the same
    runs/<name>/<system>/records.jsonl       one line an item, on disk as soon as it is answered
    runs/<name>/summary.json report.md report.html break-even-<n>.svg

A journal is append-only while a run goes on. A line cut short by a crash is dropped and asked again;
an item that was asked again has two lines, of which the later counts.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Self

from pydantic import Field, ValidationError

from data.errors import ConfigurationError, MissingResourceError
from data.types import Frozen, Record
from eval.secrets import make_redactor

SCHEMA_VERSION = 1


class Evaluation(Frozen):
    """One benchmark's items and the systems that answer them.

    Attributes:
        data: The path the items were read from; None for the benchmark's own source.
        fingerprint: SHA-256 over the items: runs are compared only where it is the same.
        systems: Their names, in the order of the suite.
    """

    benchmark: str
    split: str
    data: str | None
    n_items: int
    fingerprint: str
    systems: tuple[str, ...]


class Manifest(Frozen):
    """Everything that can change a run's answers, and when and with what it was started.

    Attributes:
        suite: The suite as it was run, with every default filled in.
        systems: For each system: its kind, chain, prompt with SHA-256, model, decoding, retriever, checkpoint.
        versions: Package name to version.
        hardware: The machine, as `data.hardware.hardware` gives it, for what the run costs; None in an older run.
        started_utc: ISO 8601.
    """

    schema_version: int = SCHEMA_VERSION
    name: str
    suite: dict[str, Any]
    evaluations: tuple[Evaluation, ...]
    systems: dict[str, dict[str, Any]]
    seed: int
    git_commit: str | None = None
    git_dirty: bool | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    hardware: dict[str, Any] | None = None
    started_utc: str

    def differences(self, other: "Manifest") -> list[str]:
        """Name what differs between two manifests in anything that decides the answers."""
        deciding = ("schema_version", "suite", "evaluations", "systems", "seed")
        return [name for name in deciding if getattr(self, name) != getattr(other, name)]


def records_path(run_dir: Path, system: str) -> Path:
    """Return where a system's journal is; system names are checked to be plain names when a suite is read."""
    return run_dir / system / "records.jsonl"


def write_atomically(path: Path, text: str) -> None:
    """Write a file, without secrets, so that it is either the old one or the whole new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(make_redactor()(text))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_manifest(run_dir: Path, manifest: Manifest) -> None:
    write_atomically(run_dir / "manifest.json", manifest.model_dump_json(indent=2) + "\n")


def begin_run(run_dir: Path, manifest: Manifest) -> None:
    """Make a new run's folder with its manifest.

    Raises:
        ConfigurationError: The folder is in use or cannot be written.
    """
    try:
        if run_dir.exists() and any(run_dir.iterdir()):
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
    path = run_dir / "manifest.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingResourceError(f"{run_dir} is not a run: it has no manifest.json; runs are under runs/") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise ConfigurationError(f"{path} has schema version {version}; this version reads {SCHEMA_VERSION}")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {first_fault(error)}") from None


def redacted(manifest: Manifest) -> Manifest:
    """Return a manifest as it is written and read back: without secrets."""
    return Manifest.model_validate_json(make_redactor()(manifest.model_dump_json()))


def first_fault(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def read_records(path: Path) -> Iterator[Record]:
    """Yield the records of a journal in the order they were written, one at a time.

    A last line that a crash cut short is left out, and standard error says so.

    Raises:
        ConfigurationError: A line other than the last is damaged.
    """
    for number, (_, line) in enumerate(_whole_lines(path), start=1):
        try:
            yield Record.model_validate_json(line)
        except ValidationError as error:
            reason = first_fault(error)
            raise ConfigurationError(f"{path}, line {number}: not a record ({reason}); restore or delete it") from None


def latest_records(path: Path, *, texts: bool = True) -> dict[str, Record]:
    """Return the record that counts for each item id: the last one that was written; empty without a journal.

    Args:
        path: Of the journal.
        texts: Keep what was shown, sent, looked up and said. No score needs it, and it may be most of a record.
    """
    records = read_records(path) if path.exists() else iter(())
    return {record.item.id: record if texts else _without_texts(record) for record in records}


def _without_texts(record: Record) -> Record:
    item, prediction = record.item.model_copy(update={"inputs": {}}), record.prediction
    prediction = prediction and prediction.model_copy(update={"raw": ""})
    return record.model_copy(update={"item": item, "prediction": prediction, "messages": None, "passages": ()})


def _whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (byte offset, line) for each line that holds a record."""
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                print(f"{path}: the last line was cut short and is dropped", file=sys.stderr)  # noqa: T201
                return
            yield offset, line
            offset += len(line)


class Journal:
    """Appends records to one system's journal; each is handed to the operating system before `append` returns.

    Opening it cuts a torn last line off, so that the next record starts on a line of its own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        self._redact = make_redactor()

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            _cut_torn_line(self.path)
        self._file = self.path.open("ab")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def append(self, record: Record) -> None:
        if self._file is None:
            raise ValueError("the journal is not open")
        self._file.write(self._redact(record.model_dump_json()).encode("utf-8") + b"\n")
        self._file.flush()


def _cut_torn_line(path: Path) -> None:
    with path.open("rb+") as file:
        whole = 0
        for line in file:
            if line.endswith(b"\n"):
                whole += len(line)
        file.truncate(whole)


def settle(path: Path, item_ids: Sequence[str]) -> None:
    """Rewrite a finished journal with one line an item, in the items' order.

    So the file does not depend on concurrency, retries or interruptions. Only offsets are held in memory.
    """
    offsets: dict[str, int] = {}
    for offset, line in _whole_lines(path):  # every line has been read as a record before a run goes on
        offsets[json.loads(line)["item"]["id"]] = offset
    order = [offsets[item_id] for item_id in item_ids if item_id in offsets]
    temporary = path.with_name(f".{path.name}.tmp")
    with path.open("rb") as source, temporary.open("wb") as target:
        for offset in order:
            source.seek(offset)
            target.write(source.readline())
        target.flush()
        os.fsync(target.fileno())
    temporary.replace(path)
