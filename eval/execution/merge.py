"""Joins the shards of a run into the run that one machine would have made, byte for byte but for timings.

Folders of shards in, a new run's folder out. Records are copied as they stand, in the order of all items; no model is
asked, and no data is read again.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from heapq import merge
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from data.common.errors import ConfigurationError
from data.common.files import faults_of_writing
from data.common.line_file import whole_lines
from eval.execution.call_ledger import ledger_path
from eval.rundir.journal import read_outcomes, records_path
from eval.rundir.manifest import Evaluation, Manifest, read_manifest, write_manifest
from eval.rundir.run_check import read_run
from eval.rundir.shard import Shard, from_ranges


class ShardRun(NamedTuple):
    """A shard's folder and what it says of itself."""

    folder: Path
    manifest: Manifest
    shard: Shard


def merge_shards(folders: Sequence[Path], out: Path) -> Path:
    """Join shards into a run, and return its folder.

    Args:
        folders: The folders of all shards, in any order.
        out: A folder that is not there yet, or is empty.

    Raises:
        MissingResourceError: A folder is no run.
        ConfigurationError: A folder is no shard, or one of another run; a shard is missing, given twice or unfinished;
            a file is damaged; `out` is in use or cannot be written.
    """
    shards = _one_run(sorted(map(_read, folders), key=lambda one: one.shard.number))
    whole = _whole(shards)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigurationError(f"{out} is not empty; give another --out")
    building = out.with_name(f".{out.name}.merging")
    with faults_of_writing(out, "free space there, or use another --out"), ExitStack() as stack:
        shutil.rmtree(building, ignore_errors=True)  # of a merge that was killed
        building.mkdir(parents=True)
        stack.callback(shutil.rmtree, building, ignore_errors=True)
        for number, evaluation in enumerate(whole.evaluations):
            for system in evaluation.systems:
                (building / system).mkdir()
                _merge_records(shards, number, system, building)
                _join_ledgers(shards, system, building)
        write_manifest(building, whole)
        read_run(building)  # whose fingerprints say that all items are there, in their order
        if out.exists():
            out.rmdir()
        building.rename(out)
    return out


def name_of_whole(folders: Sequence[Path]) -> str:
    """Return the name of the run that shards are of.

    Raises:
        MissingResourceError: The first folder is no run.
        ConfigurationError: It is damaged, or no folder is named.
    """
    if not folders:
        raise ConfigurationError("there is nothing to merge; name the folders of the shards")
    return read_manifest(folders[0]).name


def _read(folder: Path) -> ShardRun:
    manifest = read_run(folder)
    if manifest.shard is None:
        raise ConfigurationError(f"{folder} is a whole run, not a shard of one; nothing is to be merged into it")
    return ShardRun(folder, manifest, manifest.shard)


def _one_run(shards: Sequence[ShardRun]) -> Sequence[ShardRun]:
    """Check that shards are all those of one run, each once and finished, and return them."""
    first = shards[0]
    for one, other in pairwise(shards):
        if one.shard.number == other.shard.number and one.shard.of == other.shard.of:
            raise ConfigurationError(f"{one.folder} and {other.folder} are both shard {one.shard.number}; name one")
    for one in shards[1:]:
        if differing := _whole_manifest(first).differences(_whole_manifest(one)):
            what = ", ".join(differing)
            raise ConfigurationError(f"{one.folder} is a shard of another run than {first.folder}: {what} differ")
        if one.shard.of != first.shard.of:
            raise ConfigurationError(
                f"{one.folder} is one of {one.shard.of} shards and {first.folder} one of {first.shard.of}"
            )
    if missing := sorted(set(range(1, first.shard.of + 1)) - {one.shard.number for one in shards}):
        raise ConfigurationError(f"of {first.shard.of} shards these are missing: {', '.join(map(str, missing))}")
    for one in shards:
        _check_finished(one)
    return shards


def _check_finished(one: ShardRun) -> None:
    """Refuse a shard that lacks records, or whose journals a killed run has left in another order than the items'."""
    go_on = f"go on with --shard {one.shard.number}/{one.shard.of} --resume {one.folder}"
    for evaluation in one.manifest.evaluations:
        order: list[str] = []
        for system in evaluation.systems:
            path = records_path(one.folder, system)
            answered, n_lines = list(read_outcomes(path)), sum(1 for _ in whole_lines(path))
            if missing := evaluation.n_items - len(answered):
                raise ConfigurationError(
                    f"shard {one.shard.number} is not finished: {missing:,} of {evaluation.n_items:,} answers of "
                    f"{system} are missing; {go_on}"
                )
            order = order or answered
            if answered != order or n_lines != len(answered):
                raise ConfigurationError(f"{path} is not in the order of the items: its run was killed; {go_on}")


def _whole_manifest(one: ShardRun) -> Manifest:
    """Return the manifest of the run that a shard is of."""
    evaluations: list[Evaluation] = [
        own.model_copy(update={"n_items": whole.n_items, "fingerprint": whole.fingerprint})
        for own, whole in zip(one.manifest.evaluations, one.shard.evaluations, strict=True)
    ]
    return one.manifest.model_copy(update={"evaluations": tuple(evaluations), "shard": None})


def _whole(shards: Sequence[ShardRun]) -> Manifest:
    """Return the manifest of the run; on different machines no price fits the seconds of all."""
    first = min((_whole_manifest(one) for one in shards), key=lambda manifest: manifest.started_utc)
    same = all(one.manifest.hardware == first.hardware for one in shards)
    return first if same else first.model_copy(update={"hardware": None})


def _merge_records(shards: Sequence[ShardRun], number: int, system: str, out: Path) -> None:
    """Copy the records of a system into the order of all items; each shard's stand in the order of its own."""
    lines = merge(*(_placed(one, number, system) for one in shards))
    with records_path(out, system).open("wb") as file:
        file.writelines(line for _, line in lines)


def _placed(one: ShardRun, number: int, system: str) -> Iterator[tuple[int, bytes]]:
    places = from_ranges(one.shard.evaluations[number].places)
    written = (line for _, line in whole_lines(records_path(one.folder, system)))
    return zip(places, written, strict=True)


def _join_ledgers(shards: Sequence[ShardRun], system: str, out: Path) -> None:
    paths = [path for one in shards if (path := ledger_path(one.folder, system)).is_file()]
    if not paths:
        return
    with ledger_path(out, system).open("wb") as file:
        for path in paths:
            file.writelines(line for _, line in whole_lines(path))
