"""Which items a system answered rightly, read from its journal while the run goes on.

A journal in, a number for each item out: of a line only the target and the choice are read, which is fast.
"""

import math
from pathlib import Path

from pydantic import BaseModel, ValidationError

from data.common.errors import first_fault
from data.common.line_file import whole_lines
from eval.rundir.journal import bad_line


class _Asked(BaseModel):
    id: str
    target: int


class _Chosen(BaseModel):
    choice: int | None


class _Answered(BaseModel):
    item: _Asked
    prediction: _Chosen | None = None


def read_right(path: Path) -> dict[str, float]:
    """Return for each item id 1.0 where its last record is right, 0.0 where it is not, nan where the call failed.

    Raises:
        ConfigurationError: A line other than the last is damaged.
    """
    right: dict[str, float] = {}
    for number, (_, line) in enumerate(whole_lines(path), start=1):
        try:
            read = _Answered.model_validate_json(line, strict=True)
        except ValidationError as error:
            raise bad_line(path, number, f"not a record ({first_fault(error)})") from None
        chosen = read.prediction
        right[read.item.id] = math.nan if chosen is None else float(chosen.choice == read.item.target)
    return right
