"""What a run has put into batches: which were begun, under which id, and what is still to come.

    runs/<name>/<system>/batch-<mark>.jsonl   requests that wait, a line each; gone once their batch has ended
    runs/<name>/<system>/batches.jsonl        lines that are appended and never changed, of one batch each:
      mark, since    it is about to be sent
      mark, id       the provider has begun it
      mark, ended    what came of it is in the call ledger

A file of requests without a line in the journal was never sent. One with a line and no id may have been: whoever goes
on looks for it at the provider first, so that nothing is paid for twice.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from data.common.errors import ConfigurationError
from data.common.files import faults_of_writing
from data.common.line_file import open_lines, whole_lines


class BatchEntry(BaseModel):
    """What the journal says of a batch.

    Attributes:
        mark: By which it is told from others, also at the provider.
        since: When it was about to be sent, in seconds since 1970.
        id: The provider's; "" where it is not known.
        ended: Its state when its answers were taken; "" where they are still to be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mark: str
    since: float = 0.0
    id: str = ""
    ended: str = ""


class BatchJournal:
    """The batches of one system of a run.

    Args:
        folder: The system's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.path = folder, folder / "batches.jsonl"

    def entries(self) -> dict[str, BatchEntry]:
        """Return what is known of each batch, by its mark, in the order in which they were sent.

        Raises:
            ConfigurationError: A line is damaged.
        """
        found: dict[str, BatchEntry] = {}
        for number, (_, line) in enumerate(whole_lines(self.path), start=1):
            try:
                entry = BatchEntry.model_validate_json(line)
            except ValidationError:
                raise ConfigurationError(f"{self.path}, line {number}: it is of no batch; restore the file") from None
            known = found.get(entry.mark, entry)
            found[entry.mark] = known.model_copy(update=entry.model_dump(exclude_defaults=True))
        return found

    def append(self, entry: BatchEntry) -> None:
        """Write a line down; it is on the disk before this returns."""
        remedy = f"free space there, or make it writable, and go on with --resume {self._folder.parent}"
        with faults_of_writing(self.path, remedy):
            file = open_lines(self.path)
            try:
                file.append(entry.model_dump_json(exclude_defaults=True).encode() + b"\n")
            finally:
                file.close()

    def requests_path(self, mark: str) -> Path:
        """Return where the requests of a batch are."""
        return self._folder / f"batch-{mark}.jsonl"

    def waiting(self) -> list[str]:
        """Return the marks of the batches whose requests are still to be answered."""
        found = self._folder.glob("batch-*.jsonl")
        return sorted(path.stem.removeprefix("batch-") for path in found)

    def names(self, mark: str) -> Iterator[str]:
        """Yield the names of a batch's requests."""
        for _, line in whole_lines(self.requests_path(mark)):
            yield str(json.loads(line)["custom_id"])
