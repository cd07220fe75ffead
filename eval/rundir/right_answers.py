"""Which items a system answered rightly, read from its journal while the run goes on.

A journal in, a number for each item out: of a line only the target and the choice are read, which is fast.
"""

import math
from pathlib import Path

from pydantic import BaseModel

from eval.rundir.journal import parsed_lines


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
    for _, read in parsed_lines(path, _Answered):
        chosen = read.prediction
        right[read.item.id] = math.nan if chosen is None else float(chosen.choice == read.item.target)
    return right
