"""What a system of a run answered, for another one to learn from.

The path of a system in a run in, its records out: those of the run's own items, and those of texts without labels that
it was asked for a student of the same run.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from data.common.errors import ConfigurationError, unknown_name
from data.types import Record
from eval.measures.prices import price_table
from eval.measures.run_answers import read_systems
from eval.measures.system_costs import price_systems
from eval.rundir.description import SystemDescription
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest
from eval.rundir.run_check import read_run


class Teacher(NamedTuple):
    """A system of a run.

    Attributes:
        path: The system's folder in the run.
    """

    path: Path
    description: SystemDescription

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def run_dir(self) -> Path:
        return self.path.parent

    def records(self) -> Iterator[Record]:
        """Yield its records, one at a time."""
        yield from read_records(records_path(self.run_dir, self.name))
        yield from read_pool(self.path)


def pool_path(folder: Path) -> Path:
    """Return where a system's answers to texts without labels are, in its folder of a run."""
    return folder / "unlabelled.jsonl"


def read_pool(folder: Path) -> Iterator[Record]:
    """Yield what a system answered to texts without labels; nothing where it was asked none."""
    yield from read_records(pool_path(folder))


def read_teacher(path: Path) -> Teacher:
    """Find a system of a run, and check the run.

    Args:
        path: RUN/SYSTEM.

    Raises:
        MissingResourceError: RUN is no run.
        ConfigurationError: It has no such system, or a file of it is damaged.
    """
    if (path / "manifest.json").is_file():
        raise ConfigurationError(f"--labels-from {path} is a whole run; name a system of it as {path}/SYSTEM")
    manifest = read_run(path.parent)
    if path.name not in manifest.systems:
        raise unknown_name(f"system of {path.parent}", path.name, manifest.systems)
    return Teacher(path, manifest.systems[path.name])


def label_usd(teacher: Teacher) -> float | None:
    """Return what an answer of a teacher costs in US dollars, as a mean over its run; None where that is unknown."""
    manifest = read_manifest(teacher.run_dir)
    evaluation = next(one for one in manifest.evaluations if teacher.name in one.systems)
    answers = read_systems(teacher.run_dir, evaluation, [teacher.name])
    if not len(answers[teacher.name]):
        return None
    hardware, table = manifest.hardware, price_table()
    priced = price_systems(answers, manifest.systems, teacher.run_dir, hardware=hardware, table=table)
    return priced[teacher.name].cost.usd_per_query


def known_beforehand(name: str, description: SystemDescription) -> str:
    """Say why a teacher may have learnt some of the items that it answered; "" where it cannot have.

    What learns in a run never learns from the items that are asked there. Of what was trained before nobody knows.
    """
    if description.kind != "checkpoint":
        return ""
    return (
        f"{name} was trained before its run: where it learnt from these items themselves, its answers are "
        "their old labels, and no labels of new texts"
    )
