"""Two runs over the same items become one, so that their systems stand side by side, as a training and a prompt.

Two runs that were read in, a run's folder out, which every command reads. No model is called, and neither run changes.
"""

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from data.common.errors import ConfigurationError
from data.common.files import sole_writer
from eval.measures.differences import ComparedEvaluation, evaluation_groups
from eval.measures.run_answers import RunAnswers
from eval.measures.training_costs import FIT_FILE
from eval.rundir.description import Crossed, SystemDescription
from eval.rundir.journal import Journal, read_records, records_path
from eval.rundir.manifest import JUDGED_BY, Evaluation, Manifest, begin_run
from eval.rundir.names import system_name_fault

Names = dict[str, str]  # the name of a system in its own run → in the joined one


def join_runs(run_a: RunAnswers, run_b: RunAnswers, out: Path) -> None:
    """Write a run that holds the systems of two runs on the items that both asked.

    A system keeps its name; where both runs have one of the same name, these are called "A.NAME" and "B.NAME".

    Args:
        run_a: One run.
        run_b: The other.
        out: A new or empty folder.

    Raises:
        ConfigurationError: The runs share no benchmark, or their items differ; a name is taken; or the folder is in
            use or cannot be written.
    """
    groups = evaluation_groups(run_a, run_b)
    named = _names(groups)
    manifest = _manifest(run_a, run_b, groups, named)
    with sole_writer(out):
        begin_run(out, manifest)
        for side, names in zip((run_a, run_b), named, strict=True):
            for system, name in names.items():
                _copy_system(side.run_dir, system, out, name)


def _names(groups: list[list[ComparedEvaluation]]) -> tuple[Names, Names]:
    ours, theirs = ([name for group in groups for name in group[side].answers] for side in (0, 1))
    taken = {name.lower() for name in ours} & {name.lower() for name in theirs}
    named = tuple(
        {name: f"{letter}.{name}" if name.lower() in taken else name for name in names}
        for letter, names in (("A", ours), ("B", theirs))
    )
    for name in (name for names in named for name in names.values()):
        if fault := system_name_fault(name):
            raise ConfigurationError(fault)
    return named[0], named[1]


def _manifest(
    run_a: RunAnswers, run_b: RunAnswers, groups: list[list[ComparedEvaluation]], named: tuple[Names, Names]
) -> Manifest:
    # Where one of the two may end early, its order and its margin say which differences hold at any time.
    early = [side for group in groups for side in group if side.evaluation.largest_group is not None]
    judged = (early[0].run if early else run_a).manifest
    described = {
        names[system]: _described(run.manifest, system, names)
        for run, names in zip((run_a, run_b), named, strict=True)
        for system in names
    }
    try:
        return Manifest(
            name=f"{run_a.run_dir.resolve().name} (A) · {run_b.run_dir.resolve().name} (B)",
            suite={
                "joined": [str(run_a.run_dir), str(run_b.run_dir)],
                **{key: value for key, value in judged.suite.items() if key in JUDGED_BY},
            },
            evaluations=tuple(_evaluation(group, named) for group in groups),
            systems=described,
            seed=judged.seed,
            bootstrap_seed=judged.bootstrap_seed,
            versions={"python": sys.version.split()[0]},
            started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    except ValueError as error:
        raise ConfigurationError(f"{run_a.run_dir} and {run_b.run_dir} cannot stand in one run: {error}") from None


def _evaluation(group: list[ComparedEvaluation], named: tuple[Names, Names]) -> Evaluation:
    crossed: Crossed = {}
    for side, names, letter in zip(group, named, "AB", strict=True):
        for matrix, values in side.evaluation.crossed.items():
            place = f"{letter}.{matrix}" if matrix in crossed else matrix
            crossed[place] = {names[system]: of_system for system, of_system in values.items()}
    sizes = [side.evaluation.largest_group for side in group if side.evaluation.largest_group is not None]
    return group[0].evaluation.model_copy(
        update={
            "systems": tuple(
                names[system] for side, names in zip(group, named, strict=True) for system in side.answers
            ),
            "largest_group": max(sizes, default=None),
            "crossed": crossed,
        }
    )


def _described(manifest: Manifest, system: str, names: Names) -> SystemDescription:
    """Return what a system is, with the machine that it ran on: the two runs may have had different ones."""
    description = manifest.systems[system]
    renamed = {
        "hardware": description.hardware or manifest.hardware,
        "labels_from": names.get(description.labels_from or "", description.labels_from),
        "cascade": description.cascade and [names.get(one, one) for one in description.cascade],
    }
    return description.model_copy(update={name: value for name, value in renamed.items() if value is not None})


def _copy_system(run_dir: Path, system: str, out: Path, name: str) -> None:
    """Copy a system's journal, and the small files that say what its training took."""
    from finetune.card import CARD_FILE

    source, target = records_path(run_dir, system), records_path(out, name)
    target.parent.mkdir()
    for file in (FIT_FILE, f"checkpoint/{CARD_FILE}"):
        if (source.parent / file).is_file():
            (target.parent / file).parent.mkdir(exist_ok=True)
            shutil.copyfile(source.parent / file, target.parent / file)
    with Journal(target) as journal:
        for record in read_records(source):
            journal.append(record.model_copy(update={"system": name}))
