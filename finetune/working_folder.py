"""Where a training run keeps what it needs to go on after an interruption, until the whole checkpoint is there.

    .NAME.training/          beside the checkpoint's folder NAME
        plan.json            what decides the losses: settings, labels, the items' fingerprints
        checkpoint-STEP/     the Trainer's own state: weights, optimizer, schedule, random states
        training_log.jsonl   and the curves, as they grow
        whole/               the finished checkpoint, renamed to NAME as the last step

A folder NAME is therefore always a whole checkpoint, and a kill at any moment leaves a state to go on from.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data.common.errors import ConfigurationError
from data.common.files import faults_of_writing, locked, write_json
from data.common.terminal import say

PLAN_FILE = "plan.json"
WHOLE_FOLDER = "whole"
FINISHED_FILE = "finished"  # whole/ is, or will be, the checkpoint
WEIGHTS_FILE = "model.safetensors"
STATE_FILE = "trainer_state.json"  # the Trainer writes it last
_REMEDY = "make room, or name another --out"
_SAVED = re.compile(r"checkpoint-(\d{1,18})")


def working_folder(out: Path) -> Path:
    """Return where the run that makes the checkpoint `out` keeps its state.

    Raises:
        ConfigurationError: `out` has no name, as "/" has none.
    """
    out = out.absolute()
    if not out.name:
        raise ConfigurationError(f"'{out}' cannot be a checkpoint's folder; name another --out")
    return out.with_name(f".{out.name}.training")


@contextmanager
def open_working_folder(out: Path, plan: Mapping[str, Any], *, resume: bool) -> Iterator[Path]:
    """Make or take up the working folder of `out`; on leaving, `whole/` in it becomes `out`.

    A fault or an interruption, SIGKILL included, leaves the last saved state, or nothing where none was saved.

    Args:
        out: The checkpoint's folder; it must not exist, or be empty.
        plan: What decides the losses; a state is taken up only by a run with the same plan.
        resume: Go on from a saved state where there is one.

    Raises:
        ConfigurationError: `out` is in use or cannot be written, or the state is not this run's to take up.
    """
    folder, finished = working_folder(out), False
    with faults_of_writing(out, _REMEDY):
        _clear_finished(out, folder)
        check_free(out)
    busy = f"another training is writing to {folder}; wait, or name another --out"
    with locked(folder / "lock", _REMEDY, busy=busy):
        with faults_of_writing(out, _REMEDY):
            check_free(out)  # a training that held the lock may have ended meanwhile
            _take_up(folder, plan, resume=resume)
        try:
            yield folder
            with faults_of_writing(out, _REMEDY):
                (folder / FINISHED_FILE).touch()
                if out.exists():
                    out.rmdir()
                (folder / WHOLE_FOLDER).rename(out)
            finished = True
        finally:
            _leave(folder, finished=finished)


def last_saved(folder: Path) -> Path | None:
    """Return the newest whole state of a working folder; a kill may have cut a newer one short."""
    named = [(_SAVED.fullmatch(path.name), path) for path in folder.glob("checkpoint-*")]
    found = {int(name[1]): path for name, path in named if name}
    for step in sorted(found, reverse=True):
        try:
            json.loads((found[step] / STATE_FILE).read_text(encoding="utf-8"))
        except (OSError, RecursionError, ValueError):
            continue
        if (found[step] / WEIGHTS_FILE).is_file():  # not one that was being removed
            return found[step]
    return None


def forget_states(folder: Path) -> None:
    """Remove the saved states: going on from them would end where this run did."""
    for path in folder.glob("checkpoint-*"):
        shutil.rmtree(path)


def check_free(out: Path) -> None:
    """Refuse a folder that cannot be renamed to, before any work is done.

    Raises:
        ConfigurationError: `out` is not empty, a link, or the root of a disk.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigurationError(f"'{out}' exists and is not empty; name another --out, or remove it")
    if out.is_symlink() or out.is_mount():
        raise ConfigurationError(f"'{out}' is a link or a disk's root; name a folder in it as --out")


def _clear_finished(out: Path, folder: Path) -> None:
    """Remove what a run left that was killed between its last step and its end."""
    if out.is_dir() and any(out.iterdir()) and (folder / FINISHED_FILE).exists():
        shutil.rmtree(folder)
        raise ConfigurationError(f"'{out}' is finished: there is nothing to go on with")


def _take_up(folder: Path, plan: Mapping[str, Any], *, resume: bool) -> None:
    """Make the folder this run's: take up its saved state, or clear away what a run without one left."""
    saved = last_saved(folder)
    wanted = json.loads(json.dumps(plan))
    if saved is None:
        for path in folder.iterdir():
            if path.name != "lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        write_json(folder / PLAN_FILE, wanted)
        if resume:
            say("there is no saved state to go on from: starting with the first step")
        return
    if not resume:
        raise ConfigurationError(
            f"{folder} keeps the state ({saved.name}) of an interrupted training: go on with --resume, or remove it"
        )
    (folder / FINISHED_FILE).unlink(missing_ok=True)
    try:
        found = dict(json.loads((folder / PLAN_FILE).read_text(encoding="utf-8")))
    except (RecursionError, TypeError, ValueError):
        raise ConfigurationError(f"{folder / PLAN_FILE} is damaged; remove {folder} and start again") from None
    differing = [name for name in wanted if found.get(name) != wanted[name]]
    if differing:
        raise ConfigurationError(
            f"{folder} keeps the state of a training with other {', '.join(differing)}; "
            "give the same options, or name another --out"
        )
    shutil.rmtree(folder / WHOLE_FOLDER, ignore_errors=True)


def _leave(folder: Path, *, finished: bool) -> None:
    saved = last_saved(folder)
    if finished or saved is None:
        shutil.rmtree(folder, ignore_errors=True)
        return
    say(f"{saved.name} is saved: the same command with --resume goes on from it")
