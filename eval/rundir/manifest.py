"""A run's manifest: everything that can change its answers, written before anything is asked.

A run's folder in, its checked `Manifest` out, or a new folder with one.
"""

import operator
import re
import reprlib
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator

from data.common.errors import ConfigurationError, MissingResourceError, first_fault
from data.common.files import replace_file
from data.common.parsing import JsonObject, parse_json
from data.common.secrets import make_redactor
from data.types import Frozen
from eval.rundir.description import Crossed, Machine, SystemDescription
from eval.rundir.names import MANIFEST_FILE, SystemName, check_folders
from eval.rundir.readable import readable_json
from eval.rundir.shard import Shard

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
        shard: Which part of the items the run asks, whose evaluations are then of that part; None: all.
    """

    schema_version: int = SCHEMA_VERSION
    name: str
    suite: JsonObject
    evaluations: tuple[Evaluation, ...]
    systems: dict[SystemName, SystemDescription]
    seed: int
    bootstrap_seed: int | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    hardware: Machine | None = None
    started_utc: str
    shard: Shard | None = Field(default=None, exclude_if=lambda shard: shard is None)

    @model_validator(mode="after")
    def _every_system_has_one_folder(self) -> Self:
        check_folders([name for evaluation in self.evaluations for name in evaluation.systems])
        if other := {name for evaluation in self.evaluations for name in evaluation.systems} ^ set(self.systems):
            raise ValueError(f"'{min(other)}' must be both in systems and in an evaluation")
        if self.shard is not None and len(self.shard.evaluations) != len(self.evaluations):
            raise ValueError("a shard says of each evaluation what it is a part of; restore the file")
        if not self.evaluations or not all(evaluation.systems for evaluation in self.evaluations):
            raise ValueError("a run has evaluations, and each of them systems; restore the file")
        return self

    def differences(self, other: "Manifest") -> list[str]:
        """Name what differs between two manifests in anything that decides the answers."""
        deciding = ("suite", "schema_version", "evaluations", "systems", "seed", "shard")
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
