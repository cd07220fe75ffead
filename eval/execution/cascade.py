"""A cascade's part of a run: its records are made of those of its members, without asking anybody.

The members' journals in, the cascade's journal out, made anew whenever the members may have changed. An item's record
is that of the stage which answered it, with the seconds and tokens of all stages that were asked; it is what the
cascade would have written had it been asked itself.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from chains.cascade import answered_at, is_sure
from data.common.errors import ConfigurationError
from data.common.files import write_json
from data.common.progress import log
from data.types import Item, Record
from eval.measures.answers import Answers
from eval.measures.cascade_thresholds import Chosen, Stage, choose_thresholds
from eval.measures.prices import price_table
from eval.measures.run_answers import read_systems, records_of_items
from eval.measures.system_costs import price_systems
from eval.measures.thresholds import NONE_ALONE, WITHOUT, confidence_of
from eval.rundir.journal import Journal, records_path, settle
from eval.rundir.manifest import Evaluation, Manifest
from eval.rundir.names import THRESHOLDS_FILE


def make_cascade(run_dir: Path, manifest: Manifest, evaluation: Evaluation, name: str, items: Sequence[Item]) -> None:
    """Write a cascade's journal anew, and beside it the thresholds to use from now on.

    Args:
        run_dir: The run; the members' journals are settled.
        manifest: The manifest of the run.
        evaluation: The one that the cascade is a system of.
        name: The name of the cascade.
        items: That it answers; one that a member has no record of is left out.

    Raises:
        ConfigurationError: A journal is damaged, or what a query costs is unknown and has to be known.
    """
    description = manifest.systems[name]
    members, defer = description.cascade or [], description.defer or {}
    answers = read_systems(run_dir, evaluation, members)
    shared = answers[members[0]].items
    asked = {item.id for item in items}
    places = np.array([place for place, item_id in enumerate(shared.ids) if item_id in asked], dtype=np.int64)
    usd = _usd(run_dir, manifest, name, answers) if "cost" in defer else dict.fromkeys(members)
    stages = [_stage(answers[member], places, usd[member]) for member in members]
    chosen = choose_thresholds(defer, stages, shared.groups[places])
    _tell(name, members, stages, chosen)
    path = records_path(run_dir, name)
    path.unlink(missing_ok=True)
    with Journal(path) as journal:
        for record in _records(run_dir, name, members, answers, places, chosen.of_items):
            journal.append(record)
    settle(path, [item.id for item in items])
    write_json(path.with_name(THRESHOLDS_FILE), {"members": members, "thresholds": _known(chosen.from_now_on)})


def _usd(run_dir: Path, manifest: Manifest, name: str, answers: dict[str, Answers]) -> dict[str, np.ndarray]:
    """Return what each answer of each member cost.

    Raises:
        ConfigurationError: A price is unknown.
    """
    priced = price_systems(answers, manifest.systems, run_dir, hardware=manifest.hardware, table=price_table())
    for member, one in priced.items():
        if one.usd is None:
            raise ConfigurationError(
                f"cascade '{name}': what a query of '{member}' costs is unknown ({one.cost.note}), so that defer: cost "
                "cannot be kept; the members' answers are kept, and another rule needs a new run"
            )
    return {member: one.usd for member, one in priced.items() if one.usd is not None}


def _stage(answers: Answers, places: np.ndarray, usd: np.ndarray | None) -> Stage:
    """Return what a member answered to some items, in their order."""
    given, n = answers.predictions, len(answers.items.ids)
    own = given.rows["item"]
    answered, confidence, right = np.zeros(n, dtype=bool), np.full(n, WITHOUT), np.zeros(n, dtype=bool)
    answered[own], confidence[own], right[own] = True, confidence_of(given), given.correct
    costs = None
    if usd is not None:
        costs = np.zeros(n)
        costs[own] = usd
        costs = costs[places]
    return Stage(answered[places], confidence[places], right[places], costs)


def _records(
    run_dir: Path,
    name: str,
    members: Sequence[str],
    answers: dict[str, Answers],
    places: np.ndarray,
    thresholds: np.ndarray,
) -> Iterator[Record]:
    """Yield the record of each item that the members have answered far enough, in the order of the places."""
    streams = [records_of_items(records_path(run_dir, one), answers[one], places.tolist()) for one in members]
    ahead = [next(stream, None) for stream in streams]
    for place, own in zip(places.tolist(), thresholds.tolist(), strict=True):
        of_item: list[Record | None] = []
        for number, stream in enumerate(streams):
            found = ahead[number]
            if found is None or found[0] != place:
                of_item.append(None)
                continue
            of_item.append(found[1])
            ahead[number] = next(stream, None)
        record = joined(name, members, of_item, own)
        if record is not None:
            yield record


def joined(
    name: str, members: Sequence[str], of_item: Sequence[Record | None], thresholds: Sequence[float]
) -> Record | None:
    """Return a cascade's record of an item; None where a member that it needs has none.

    Args:
        name: The name of the cascade.
        members: Its members.
        of_item: The record that each has of the item.
        thresholds: The threshold of every member but the last.
    """
    asked: list[Record] = []
    for member, record, threshold in zip(members, of_item, (*thresholds, -math.inf), strict=True):
        if record is None:
            return None
        asked.append(record)
        if record.prediction is None:
            return _with_all_of(asked, system=name, error=f"{member}: {record.error}")
        if threshold == -math.inf or is_sure(record.prediction, threshold):
            break
    predictions = [one.prediction for one in asked if one.prediction is not None]
    return _with_all_of(asked, system=name, prediction=answered_at(len(asked) - 1, predictions))


def _with_all_of(asked: Sequence[Record], **of_cascade: object) -> Record:
    """Return the last stage's record as the cascade's, with what all stages took."""
    seconds = [one.latency_s for one in asked if one.latency_s is not None]
    return asked[-1].model_copy(
        update={
            **of_cascade,
            "latency_s": sum(seconds) if len(seconds) == len(asked) else None,
            "attempts": max(one.attempts for one in asked),
            "cache_hits": sum(one.cache_hits for one in asked),
        }
    )


def _tell(name: str, members: Sequence[str], stages: Sequence[Stage], chosen: Chosen) -> None:
    """Say which thresholds to use from now on, and which members can be sure of nothing."""
    for member, stage in zip(members[:-1], stages[:-1], strict=True):
        if not (stage.confidence > WITHOUT).any():
            log(f"{name}: {member} gave no probabilities, so that everything is passed on")
    limits = [
        f"{member} answers alone at no probability" if limit is None else f"{member} answers alone from {limit:.3f} on"
        for member, limit in zip(members[:-1], _known(chosen.from_now_on), strict=True)
    ]
    log(f"{name}: thresholds to use from now on: {', '.join(limits)}; each item of the run met one of other items")


def _known(thresholds: Sequence[float]) -> list[float | None]:
    return [None if threshold >= NONE_ALONE else threshold for threshold in thresholds]
