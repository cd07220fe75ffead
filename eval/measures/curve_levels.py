"""What a curve of training items measures: the points of its trainings, and the levels of a run's systems beside them.

A run in; out come its items, and of each system that was not trained the accuracy and which items it answered rightly.
Training cards in; out come the points of the curve, and where it meets a level.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.common.errors import ConfigurationError
from data.common.parsing import JsonObject
from data.common.terminal import say
from data.types import Item, Record
from eval.measures.stats import paired_difference_interval, share_interval
from eval.rundir.description import TRAINED_KINDS
from eval.rundir.journal import latest_records, records_path
from eval.rundir.manifest import Evaluation
from eval.rundir.run_check import read_run
from finetune.data_curve.crossings import CurvePoint, Level, above_from, find_crossing


class RunLevels(NamedTuple):
    """What every size is measured on, and the systems of the run that answered all of it.

    Attributes:
        levels: Each system with which items it answered rightly, (n,) bool.
        left_out: Why a system has no level, by its name.
    """

    items: list[Item]
    split: str
    levels: list[tuple[Level, np.ndarray]]
    left_out: dict[str, str]


def run_levels(run: Path, benchmark: str, split: str | None) -> RunLevels:
    """Read a run's items and its systems' answers from the journals, which hold both.

    Args:
        run: The run.
        benchmark: The name of the evaluation's benchmark.
        split: That of the evaluation; None where there is one alone.

    Raises:
        MissingResourceError: The folder is no run.
        ConfigurationError: It has no such evaluation, or no system that answered all of its items.
    """
    manifest = read_run(run)
    evaluation = _evaluation(run, manifest.evaluations, benchmark=benchmark, split=split)
    kinds = {name: manifest.systems[name].kind for name in evaluation.systems}
    items: list[Item] = []
    levels, left_out = [], {}
    # What was trained is no alternative to training.
    for name in (name for name in evaluation.systems if kinds[name] not in TRAINED_KINDS):
        records = list(latest_records(records_path(run, name)).values())
        answered = sum(record.prediction is not None for record in records)
        if answered < evaluation.n_items:
            left_out[name] = f"it has answers to {answered} of {evaluation.n_items} items"
            say(f"{name} is left out: {left_out[name]}")
            continue
        items = items or [record.item for record in records]
        right, interval = _score(records, items)
        levels.append((Level(name=name, kind=kinds[name], accuracy=float(right.mean()), interval=interval), right))
    if not levels:
        raise ConfigurationError(
            f"{run} has no prompted system or baseline that answered all {evaluation.n_items} items of "
            f"'{evaluation.benchmark}'; finish it with --resume, or leave out --run"
        )
    return RunLevels(items, evaluation.split, levels, left_out)


def _evaluation(run: Path, evaluations: Sequence[Evaluation], *, benchmark: str, split: str | None) -> Evaluation:
    found = [one for one in evaluations if one.benchmark == benchmark]
    chosen = [one for one in found if split in (None, one.split)]
    if len(chosen) == 1:
        return chosen[0]
    have = ", ".join(f"{one.benchmark} {one.split}" for one in evaluations)
    fix = "choose one with --eval-split" if chosen else "name another --run, --benchmark or --eval-split"
    wanted = " ".join(filter(None, (benchmark, split)))
    count = f"{len(chosen)} evaluations" if chosen else "no evaluation"
    raise ConfigurationError(f"{run} has {count} of '{wanted}'; it has: {have}; {fix}")


def _score(records: Sequence[Record], items: Sequence[Item]) -> tuple[np.ndarray, tuple[float, float] | None]:
    """Return which items were answered rightly, (n,) bool, and the interval of the accuracy."""
    by_id = {record.item.id: record for record in records}
    predictions = [(item, by_id[item.id].prediction) for item in items]
    right = np.array([said is not None and said.choice == item.target for item, said in predictions])
    return right, share_interval(right, np.ones(len(items)), [item.group for item in items])


def curve_points(
    cards: Mapping[tuple[int, int], JsonObject], items: Sequence[Item]
) -> tuple[list[CurvePoint], list[np.ndarray]]:
    """Return the curve, and for each size how often each item was answered rightly, (n,), as a share of the seeds."""
    points, correct = [], []
    groups = [item.group for item in items]
    for size in sorted({size for size, _ in cards}):
        own = [card for (n, _), card in cards.items() if n == size]
        answers = np.array([[char == "1" for char in card["report"]["correct"]] for card in own])  # (seeds, n)
        share = answers.mean(axis=0)
        point = CurvePoint(
            n=size,
            epochs=own[0]["settings"]["epochs"],
            steps=own[0]["steps"],
            accuracy=float(share.mean()),
            interval=share_interval(share, np.ones(len(items)), groups),
            seed_accuracies=tuple(float(row.mean()) for row in answers),
            wall_s=round(sum(card["wall_s"] for card in own) / len(own), 3),
        )
        points.append(point)
        correct.append(share)
    return points, correct


def crossed(
    level: Level, right: np.ndarray, points: Sequence[CurvePoint], correct: Sequence[np.ndarray], items: Sequence[Item]
) -> JsonObject:
    """Return a system with where the curve meets it, and with their paired differences, since they share the items."""
    spans = difference_intervals([share - right for share in correct], items)
    lows = [None if span is None else span[0] for span in spans]
    return {
        **level.model_dump(mode="json"),
        **find_crossing(points, level.accuracy).model_dump(mode="json"),
        "difference_intervals": spans,
        "above_from": above_from([point.n for point in points], lows),
    }


def difference_intervals(differences: Sequence[np.ndarray], items: Sequence[Item]) -> list[list[float] | None]:
    """Return the 95 % interval of the mean of (n,) paired differences of each size, over groups of items."""
    groups, possible = [item.group for item in items], np.ones(len(items))
    spans = [paired_difference_interval(one, possible, groups) for one in differences]
    return [None if span is None else list(span) for span in spans]
