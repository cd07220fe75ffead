"""What of a run is in LangSmith already, noted beside the run: a second sending sends only what is new.

    runs/<name>/langsmith.jsonl     a line when an evaluation's dataset and experiments are there, one an answer sent

A folder in; its lines out, and appended. Of two lines about the same thing the later counts. Where the note is lost,
all is sent again under the same ids.
"""

from pathlib import Path
from threading import Lock
from typing import Self
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from data.common.errors import first_fault
from data.common.files import faults_of_writing
from data.common.line_file import SyncedFile, open_lines, whole_lines
from data.types import Frozen, Status
from eval.rundir.journal import bad_line
from eval.rundir.manifest import Evaluation

NOTE_FILE = "langsmith.jsonl"


class Experiment(Frozen):
    """A system's experiment: LangSmith calls it a project or a session too."""

    name: str
    id: UUID


class OpenedEvaluation(Frozen):
    """An evaluation whose dataset and experiments are there.

    Attributes:
        dataset: The dataset's name.
        fingerprint: The fingerprint of the evaluation's items.
        n_examples: How many of its items are known to be in the dataset.
        experiments: By the names of the systems.
    """

    dataset: str
    dataset_id: UUID
    fingerprint: str
    n_examples: int
    experiments: dict[str, Experiment]


class SentAnswer(Frozen):
    """An answer whose run is there.

    Attributes:
        experiment: The experiment's name.
        item: The item's id.
        run: The id of the run.
        status: The answer's status as it was sent; None: its trace was begun, and no score was sent.
        choice: The choice as it was sent.
    """

    experiment: str
    item: str
    run: UUID
    status: Status | None = None
    choice: int | None = None


_LINE: TypeAdapter[OpenedEvaluation | SentAnswer] = TypeAdapter(OpenedEvaluation | SentAnswer)


class Note:
    """The note of a run, as a context; lines may be added from several threads.

    Attributes:
        opened: The evaluations that are there, by (dataset's name, fingerprint), the one that was opened last behind.
        sent: The answers that are there, by experiment's name and item's id.

    Raises:
        ConfigurationError: A line is damaged, or the file cannot be written.
    """

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / NOTE_FILE
        self._file: SyncedFile | None = None
        self._lock = Lock()
        self.opened: dict[tuple[str, str], OpenedEvaluation] = {}
        self.sent: dict[str, dict[str, SentAnswer]] = {}
        for number, (_, line) in enumerate(whole_lines(self._path), start=1):
            try:
                self._take(_LINE.validate_json(line))
            except ValidationError as error:
                raise bad_line(self._path, number, f"not a line of the note ({first_fault(error)})") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with faults_of_writing(self._path, "free space there"):
                self._file.close()

    def _take(self, line: OpenedEvaluation | SentAnswer) -> None:
        if isinstance(line, SentAnswer):
            self.sent.setdefault(line.experiment, {})[line.item] = line
        else:
            key = (line.dataset, line.fingerprint)
            self.opened.pop(key, None)
            self.opened[key] = line

    def complete(self, dataset: str, evaluation: Evaluation) -> OpenedEvaluation | None:
        """Return an evaluation whose dataset of this name holds all its items and whose experiments are there."""
        noted = self.opened.get((dataset, evaluation.fingerprint))
        return noted if noted is not None and noted.n_examples == evaluation.n_items else None

    def add(self, *lines: OpenedEvaluation | SentAnswer) -> None:
        """Add lines, which are on the disk within a second."""
        with self._lock, faults_of_writing(self._path, "free space there"):
            self._file = self._file or open_lines(self._path)
            for line in lines:
                self._file.append(line.model_dump_json(exclude_none=True).encode() + b"\n")
                self._take(line)
