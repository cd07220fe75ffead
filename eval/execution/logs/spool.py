"""Rows of logs on the disk instead of in memory: a log may be larger than memory, and is read once.

Rows in, their places out; and by a place the row again. The file has no name, and is gone when it is closed.
"""

import tempfile
from types import TracebackType
from typing import Self

from data.common.errors import ConfigurationError
from eval.execution.logs.row import LogRow


class Spool:
    """Rows in a temporary file, as a context.

    Raises:
        ConfigurationError: The folder for temporary files is full.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # it is closed with the spool
        self._end = 0

    def append(self, row: LogRow) -> int:
        """Keep a row, and return its place."""
        place, line = self._end, row.model_dump_json(exclude_defaults=True).encode() + b"\n"
        try:
            self._file.seek(place)
            self._file.write(line)
        except OSError as error:
            where = tempfile.gettempdir()
            raise ConfigurationError(f"{where} cannot be written: {error.strerror}; free space there") from None
        self._end += len(line)
        return place

    def row(self, place: int) -> LogRow:
        """Return the row at a place."""
        self._file.seek(place)
        return LogRow.model_validate_json(self._file.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
