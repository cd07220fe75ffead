"""`python -m finetune curve`: trains on ever more items, measures each time, and says how many match a run's systems.

A composition root beside `finetune.commands`: it hands eval's metrics and a run's journals to the training.

    items, a run → subsets → trainings (`finetune.data_curve.folder`) → curve.json, curve.svg, curve.png, a table

A training whose folder is there is not repeated, so an interrupted curve goes on, and sizes and seeds can be added.
"""

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from data.common.errors import ConfigurationError
from data.common.parsing import JsonObject
from data.common.terminal import say
from data.types import Item, Record
from finetune.commands import default_split, labels_of, print_outcome, train_settings, train_split

if TYPE_CHECKING:
    import numpy as np

    from eval.rundir.manifest import Evaluation
    from finetune.config import TrainSettings
    from finetune.data_curve.crossings import CurvePoint, Level

CURVE_FILE = "curve.json"
MOST_SEED = 2**32 - 1  # as `finetune.config.TrainSettings` has it


class _Evaluated(NamedTuple):
    """What every size is measured on; `levels` with each system's answers, (n,) bool, where it is a run's items."""

    items: list[Item]
    split: str
    levels: "list[tuple[Level, np.ndarray]]"
    left_out: dict[str, str]  # system -> why it has no line


class _Curve(NamedTuple):
    """What is trained, apart from the sizes; `settings.seed` is the first of `n_seeds`."""

    settings: "TrainSettings"
    labels: tuple[str, ...]
    pool: list[Item]
    evaluated: _Evaluated
    min_steps: int
    n_seeds: int


def curve(arguments: argparse.Namespace) -> None:
    """Train on each size, and compare the accuracies with those of a run's systems."""
    planned = _read(arguments)

    from data.common.files import write_json
    from finetune.data_curve.crossings import default_sizes, format_curve, nested_order, parse_sizes, subset
    from finetune.data_curve.figure import draw_data_curve
    from finetune.data_curve.folder import open_curve_folder

    n_items, first = len(planned.pool), planned.settings.seed
    sizes = parse_sizes(arguments.sizes, n_items) if arguments.sizes is not None else default_sizes(n_items)
    _check(planned, sizes[-1])
    orders = {seed: nested_order(planned.pool, seed=seed) for seed in range(first, first + planned.n_seeds)}
    subsets = {(n, seed): subset(planned.pool, order, n) for n in sizes for seed, order in orders.items()}
    open_curve_folder(arguments.out, _plan(planned))
    cards = {key: _card(arguments, planned, key, items) for key, items in subsets.items()}
    figures = _figures(arguments, planned, cards)
    write_json(arguments.out / CURVE_FILE, figures)
    draw_data_curve(figures, arguments.out)
    print_outcome(figures, format_curve(figures), as_json=arguments.json)
    say(f"curve and JSON: {arguments.out}")


def _figures(arguments: argparse.Namespace, planned: _Curve, cards: dict[tuple[int, int], Any]) -> JsonObject:
    """Return what `curve.json` has."""
    from data.registry import fingerprint
    from finetune.data_curve.crossings import ONE_DRAW

    items, pool = planned.evaluated.items, planned.pool
    points, correct = _points(cards, items)
    return {
        "benchmark": arguments.benchmark,
        "labels": list(planned.labels),
        "pool": {"n": len(pool), "fingerprint": fingerprint(pool)},
        "evaluated": {"n": len(items), "split": planned.evaluated.split, "fingerprint": fingerprint(items)},
        "run": None if arguments.run is None else str(arguments.run),
        "settings": planned.settings.model_dump(mode="json"),
        "min_steps": planned.min_steps,
        "seeds": planned.n_seeds,
        "caveat": ONE_DRAW if planned.n_seeds == 1 else None,
        "points": [point.model_dump(mode="json") for point in points],
        "systems": [_cross(level, right, points, correct, items) for level, right in planned.evaluated.levels],
        "left_out": planned.evaluated.left_out,
    }


def _read(arguments: argparse.Namespace) -> _Curve:
    """Check the options and read the items."""
    for name, least in (("seeds", 1), ("min_steps", 0)):
        if getattr(arguments, name) < least:
            option = name.replace("_", "-")
            raise ConfigurationError(f"--{option} {getattr(arguments, name)} is not usable; it must be {least} or more")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigurationError("`curve` runs in one process, got more; start it with: python -m finetune curve")
    settings, labels = train_settings(arguments), labels_of(arguments.benchmark)
    if settings.seed + arguments.seeds - 1 > MOST_SEED:
        given = f"--seeds {arguments.seeds} from --seed {settings.seed} on"
        raise ConfigurationError(f"{given} go beyond {MOST_SEED}, the last seed there is; give a smaller --seed")
    evaluated = _run_items(arguments) if arguments.run else _split_items(arguments)

    from data.registry import load_items
    from data.splits import without_overlap

    split = arguments.split or train_split(arguments.benchmark, evaluated.split)
    more = {"limit": arguments.limit, "seed": settings.seed, "skip_bad_rows": arguments.skip_bad_rows}
    found = load_items(arguments.benchmark, split=split, path=arguments.data, **more)
    pool = without_overlap(found, evaluated.items)
    if len(pool) < len(found):
        say(f"{len(found) - len(pool)} of {len(found)} training items are also evaluated: left out")
    return _Curve(settings, labels, pool, evaluated, arguments.min_steps, arguments.seeds)


def _split_items(arguments: argparse.Namespace) -> _Evaluated:
    from data.registry import load_items

    split = arguments.eval_split or default_split(arguments.benchmark)
    path = arguments.eval_data or arguments.data
    more = {"limit": arguments.eval_limit, "skip_bad_rows": arguments.skip_bad_rows}
    return _Evaluated(load_items(arguments.benchmark, split=split, path=path, **more), split, [], {})


def _run_items(arguments: argparse.Namespace) -> _Evaluated:
    """Read a run's items and its systems' answers from the journals, which hold both."""
    from eval.rundir.description import TRAINED_KINDS
    from eval.rundir.journal import latest_records, records_path
    from eval.rundir.run_check import read_run
    from finetune.data_curve.crossings import Level

    if arguments.eval_data is not None or arguments.eval_limit is not None:
        raise ConfigurationError("--run decides the evaluated items: leave out --eval-data and --eval-limit")
    manifest = read_run(arguments.run)
    evaluation = _evaluation(arguments, manifest.evaluations)
    kinds = {name: manifest.systems[name].kind for name in evaluation.systems}
    items: list[Item] = []
    levels, left_out = [], {}
    # What was trained is no alternative to training.
    for name in (name for name in evaluation.systems if kinds[name] not in TRAINED_KINDS):
        records = list(latest_records(records_path(arguments.run, name)).values())
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
            f"{arguments.run} has no prompted system or baseline that answered all {evaluation.n_items} items of "
            f"'{evaluation.benchmark}'; finish it with --resume, or leave out --run"
        )
    return _Evaluated(items, evaluation.split, levels, left_out)


def _evaluation(arguments: argparse.Namespace, evaluations: "Sequence[Evaluation]") -> "Evaluation":
    from data.registry import benchmark

    # A run knows a file of the user's own by its task's name, whatever the card or the file is called.
    found = [one for one in evaluations if one.benchmark == benchmark(arguments.benchmark).name]
    chosen = [one for one in found if arguments.eval_split in (None, one.split)]
    if len(chosen) == 1:
        return chosen[0]
    have = ", ".join(f"{one.benchmark} {one.split}" for one in evaluations)
    fix = "choose one with --eval-split" if chosen else "name another --run, --benchmark or --eval-split"
    wanted = " ".join(filter(None, (arguments.benchmark, arguments.eval_split)))
    count = f"{len(chosen)} evaluations" if chosen else "no evaluation"
    raise ConfigurationError(f"{arguments.run} has {count} of '{wanted}'; it has: {have}; {fix}")


def _score(records: Sequence[Record], items: Sequence[Item]) -> "tuple[np.ndarray, tuple[float, float] | None]":
    """Return which items were answered rightly, (n,) bool, and the interval of the accuracy."""
    import numpy as np

    from eval.measures.stats import share_interval

    by_id = {record.item.id: record for record in records}
    predictions = [(item, by_id[item.id].prediction) for item in items]
    right = np.array([said is not None and said.choice == item.target for item, said in predictions])
    return right, share_interval(right, np.ones(len(items)), [item.group for item in items])


def _check(planned: _Curve, size: int) -> None:
    """Find what training would refuse at any size, before the first."""
    from finetune.check import check
    from finetune.data_curve.crossings import settings_for

    settings = settings_for(planned.settings, size, seed=planned.settings.seed, min_steps=planned.min_steps)
    check(settings, train_items=planned.pool, eval_items=planned.evaluated.items, labels=planned.labels)


def _plan(planned: _Curve) -> JsonObject:
    from data.registry import fingerprint

    return {
        **planned.settings.model_dump(mode="json"),
        "min_steps": planned.min_steps,
        "labels": list(planned.labels),
        "training items": fingerprint(planned.pool),
        "evaluated items": fingerprint(planned.evaluated.items),
    }


def _card(arguments: argparse.Namespace, planned: _Curve, key: tuple[int, int], items: list[Item]) -> JsonObject:
    """Return the card of one training, which is done where its folder is not there yet."""
    from eval.measures.metrics import classification_metrics
    from finetune.card import read_card
    from finetune.data_curve.crossings import settings_for
    from finetune.data_curve.folder import check_same, remove_weights, training_folder
    from finetune.train import train
    from finetune.working_folder import last_saved, working_folder

    settings = settings_for(planned.settings, key[0], seed=key[1], min_steps=planned.min_steps)
    folder, eval_items = training_folder(arguments.out, *key), planned.evaluated.items
    card = read_card(folder)
    if card is None:
        say(f"training on {key[0]:,} items, seed {key[1]}")
        train(
            settings,
            train_items=items,
            eval_items=eval_items,
            compute_metrics=classification_metrics,
            report=_report,
            out=folder,
            labels=planned.labels,
            resume=last_saved(working_folder(folder)) is not None,
        )
        card = read_card(folder) or {}
    else:
        say(f"{folder} is there: not trained again")
        check_same(folder, card, settings=settings, train_items=items, eval_items=eval_items)
    if not arguments.keep_checkpoints:
        remove_weights(folder)
    return card


def _report(items: Sequence[Item], probs: "np.ndarray", labels: Sequence[str]) -> JsonObject:
    """Return a card's report, and which items were answered rightly: a finished size needs no model again."""
    from data.labels import label_ids
    from eval.measures.classification import classification_report

    right = probs.argmax(axis=1) == label_ids(items, labels)
    correct = "".join("1" if one else "0" for one in right)  # one character an item: a list is a line an item
    return classification_report(items, probs, labels=labels) | {"correct": correct}


def _points(
    cards: dict[tuple[int, int], JsonObject], items: Sequence[Item]
) -> "tuple[list[CurvePoint], list[np.ndarray]]":
    """Return the curve, and for each size how often each item was answered rightly, (n,), as a share of the seeds."""
    import numpy as np

    from eval.measures.stats import share_interval
    from finetune.data_curve.crossings import CurvePoint

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


def _cross(
    level: "Level", right: "np.ndarray", points: "list[CurvePoint]", correct: "list[np.ndarray]", items: list[Item]
) -> JsonObject:
    """Return a system with where the curve meets it, and with their paired differences, since they share the items."""
    import numpy as np

    from eval.measures.stats import paired_difference_interval
    from finetune.data_curve.crossings import above_from, find_crossing

    groups, possible = [item.group for item in items], np.ones(len(items))
    spans = [paired_difference_interval(share - right, possible, groups) for share in correct]
    lows = [None if span is None else span.low for span in spans]
    return {
        **level.model_dump(mode="json"),
        **find_crossing(points, level.accuracy).model_dump(mode="json"),
        "difference_intervals": [None if span is None else list(span) for span in spans],
        "above_from": above_from([point.n for point in points], lows),
    }
