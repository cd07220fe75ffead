"""Which part of a run a folder holds, where several machines ask its items: said in the shard's manifest.

The places of the shard's items among all of them let `eval merge` put the answers into the order that one machine would
have left them in, without reading the data again.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Self

from pydantic import Field, model_validator

from data.common.errors import ConfigurationError
from data.types import Frozen

_SPELT = re.compile(r"([1-9]\d{0,5})/([1-9]\d{0,5})")
_RANGES = re.compile(r"(\d+(-\d+)?(,\d+(-\d+)?)*)")


class ShardNumber(Frozen):
    """A shard as it is asked for: "3/16" is the third of sixteen."""

    number: int = Field(ge=1)
    of: int = Field(ge=1)

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.number > self.of:
            raise ValueError(f"there is no shard {self.number} of {self.of}")
        return self

    @property
    def suffix(self) -> str:
        """What the name of a shard's folder ends in: each machine of an array has its own."""
        return f".shard-{self.number}-of-{self.of}"

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def read_shard(text: str) -> ShardNumber:
    """Read a shard as the user writes it: "3/16".

    Raises:
        ConfigurationError: It is none.
    """
    found = _SPELT.fullmatch(text.strip())
    if found is None or int(found[1]) > int(found[2]):
        raise ConfigurationError(f"--shard {text} is none; give its number and how many there are, such as 3/16")
    return ShardNumber(number=int(found[1]), of=int(found[2]))


class WholeEvaluation(Frozen):
    """The evaluation that a shard holds a part of.

    Attributes:
        n_items: How many items all shards hold together.
        fingerprint: That of all of them.
        places: The places of the shard's own among them, from 0, ascending, as `as_ranges` writes them.
    """

    n_items: int = Field(ge=1)
    fingerprint: str
    places: str = Field(pattern=f"^{_RANGES.pattern}$")


class Shard(ShardNumber):
    """What a shard's manifest says of it.

    Attributes:
        evaluations: Those of the whole run, in its order.
    """

    evaluations: tuple[WholeEvaluation, ...]


def as_ranges(places: Sequence[int]) -> str:
    """Write ascending places shortly: [0, 1, 2, 7] as "0-2,7"."""
    runs = [
        [place for _, place in run] for _, run in groupby(enumerate(places), key=lambda placed: placed[1] - placed[0])
    ]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def from_ranges(text: str) -> list[int]:
    """Read what `as_ranges` wrote."""
    return list(_places(text.split(",")))


def _places(runs: Iterable[str]) -> Iterable[int]:
    for run in runs:
        first, _, last = run.partition("-")
        yield from range(int(first), int(last or first) + 1)
