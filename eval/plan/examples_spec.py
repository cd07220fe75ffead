"""Which labelled examples a chain shows, as a suite or the command line says it."""

from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, field_validator

from data.table import SUFFIXES
from data.types import Frozen

Selected = Literal["similar", "balanced", "random"]


class ExamplesSpec(Frozen):
    """Labelled examples that a chain shows with each item.

    Attributes:
        select: Those most like the item, or the same for every item: as many of each label, any, or the rows of a file
            of the user's own, such as shots.csv; its path is from where the command runs, like that of `data`.
        n: How many an item is shown; of a file, where nothing is said, all.
        retriever: What finds similar ones, as `retrievers.registry` names it; `embeddings` are those of a dense one.
    """

    select: str
    n: int = Field(default=8, ge=1, le=1000)
    retriever: str = "bm25"
    embeddings: str | None = None

    @property
    def file(self) -> Path | None:
        """The file that the examples are the rows of; None where they are chosen from what may be learnt from."""
        return None if self.select in get_args(Selected) else Path(self.select)

    @field_validator("select")
    @classmethod
    def _is_a_way_or_a_table(cls, select: str) -> str:
        if select not in get_args(Selected) and Path(select).suffix.lower() not in SUFFIXES:
            raise ValueError(
                f"'{select}' chooses no examples; give {', '.join(get_args(Selected))}, or a table such as shots.csv"
            )
        return select


def spelt_examples(value: object) -> object:
    """Take "similar:4" for {select: similar, n: 4}."""
    if not isinstance(value, str):
        return value
    select, _, n = value.rpartition(":")
    return {"select": select, "n": n} if select and n.isdecimal() else {"select": value}
