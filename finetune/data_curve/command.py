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
from data.types import Item
from finetune.commands import default_split, labels_of, print_outcome, taught_by, train_settings, train_split

if TYPE_CHECKING:
    import numpy as np

    from finetune.config import TrainSettings
    from finetune.data_curve.crossings import Level
    from finetune.teacher import Taught

CURVE_FILE = "curve.json"
MOST_SEED = 2**32 - 1  # as `finetune.config.TrainSettings` has it


class _Evaluated(NamedTuple):
    """What every size is measured on; `levels` with each system's answers, (n,) bool, where it is a run's items."""

    items: list[Item]
    split: str
    levels: "list[tuple[Level, np.ndarray]]"
    left_out: dict[str, str]  # system -> why it has no line


class _Curve(NamedTuple):
    """What is trained, apart from the sizes; `settings.seed` is the first of `n_seeds`.

    With a teacher, each training is done twice: with the items' own labels, and with its answers to the same items.
    """

    settings: "TrainSettings"
    labels: tuple[str, ...]
    pool: list[Item]
    evaluated: _Evaluated
    min_steps: int
    n_seeds: int
    teacher: "Taught | None"


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
    if planned.teacher is not None:
        own = {key: planned.teacher.of_same(items) for key, items in subsets.items()}
        taught_cards = {key: _card(arguments, planned, key, one.items, teacher=one) for key, one in own.items()}
        figures["taught"] = _taught(arguments, planned, cards, taught_cards)
    write_json(arguments.out / CURVE_FILE, figures)
    draw_data_curve(figures, arguments.out)
    print_outcome(figures, format_curve(figures), as_json=arguments.json)
    say(f"curve and JSON: {arguments.out}")


def _figures(arguments: argparse.Namespace, planned: _Curve, cards: dict[tuple[int, int], Any]) -> JsonObject:
    """Return what `curve.json` has."""
    from data.registry import fingerprint
    from eval.measures.curve_levels import crossed, curve_points
    from finetune.data_curve.crossings import ONE_DRAW

    items, pool = planned.evaluated.items, planned.pool
    points, correct = curve_points(cards, items)
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
        "systems": [crossed(level, right, points, correct, items) for level, right in planned.evaluated.levels],
        "left_out": planned.evaluated.left_out,
    }


def _taught(
    arguments: argparse.Namespace,
    planned: _Curve,
    cards: dict[tuple[int, int], Any],
    taught: dict[tuple[int, int], Any],
) -> JsonObject:
    """Return the curve of the teacher's labels, and how many of people's the most of them are worth."""
    from eval.measures.curve_levels import curve_points, difference_intervals
    from eval.measures.prices import price_table
    from eval.measures.teacher_answers import label_usd, read_teacher
    from finetune.data_curve.crossings import find_crossing

    items = planned.evaluated.items
    (human, right), (points, ours) = curve_points(cards, items), curve_points(taught, items)
    differences = [one - other for one, other in zip(ours, right, strict=True)]
    teacher = read_teacher(arguments.labels_from)
    same_run = arguments.run is not None and arguments.run.resolve() == teacher.run_dir.resolve()
    level = next((one for one, _ in planned.evaluated.levels if same_run and one.name == teacher.name), None)
    if level is None:
        say(f"{arguments.labels_from} has no line: its run holds no answers to the evaluated items (--run names one)")
    return {
        "teacher": str(arguments.labels_from),
        "teacher_accuracy": None if level is None else level.accuracy,
        "points": [point.model_dump(mode="json") for point in points],
        "difference_intervals": difference_intervals(differences, items),
        "worth": find_crossing(human, points[-1].accuracy).model_dump(mode="json"),
        "label_usd": label_usd(teacher),
        "human_label_usd": price_table().labels_usd,
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
    teacher = taught_by(arguments.labels_from, pool) if arguments.labels_from else None
    if teacher is not None:  # both curves are of the same items
        answered = {item.id for item in teacher.items}
        pool = [item for item in pool if item.id in answered]
    return _Curve(settings, labels, pool, evaluated, arguments.min_steps, arguments.seeds, teacher)


def _split_items(arguments: argparse.Namespace) -> _Evaluated:
    from data.registry import load_items

    split = arguments.eval_split or default_split(arguments.benchmark)
    path = arguments.eval_data or arguments.data
    more = {"limit": arguments.eval_limit, "skip_bad_rows": arguments.skip_bad_rows}
    return _Evaluated(load_items(arguments.benchmark, split=split, path=path, **more), split, [], {})


def _run_items(arguments: argparse.Namespace) -> _Evaluated:
    from data.registry import benchmark
    from eval.measures.curve_levels import run_levels

    if arguments.eval_data is not None or arguments.eval_limit is not None:
        raise ConfigurationError("--run decides the evaluated items: leave out --eval-data and --eval-limit")
    # A run knows a file of the user's own by its task's name, whatever the card or the file is called.
    return _Evaluated(*run_levels(arguments.run, benchmark(arguments.benchmark).name, arguments.eval_split))


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
        **_plan_of(planned.teacher),
    }


def _plan_of(teacher: "Taught | None") -> JsonObject:
    from data.registry import fingerprint
    from finetune.teacher import probs_sha256

    if teacher is None:
        return {}
    sha256 = probs_sha256(teacher.items, teacher.probs)
    return {"labels of the teacher": fingerprint(teacher.items), "probabilities of the teacher": sha256}


def _card(
    arguments: argparse.Namespace,
    planned: _Curve,
    key: tuple[int, int],
    items: list[Item],
    *,
    teacher: "Taught | None" = None,
) -> JsonObject:
    """Return the card of one training, which is done where its folder is not there yet."""
    from eval.measures.metrics import classification_metrics
    from finetune.card import read_card
    from finetune.data_curve.crossings import settings_for
    from finetune.data_curve.folder import check_same, remove_weights, training_folder
    from finetune.train import train
    from finetune.working_folder import last_saved, working_folder

    settings = settings_for(planned.settings, key[0], seed=key[1], min_steps=planned.min_steps)
    folder, eval_items = training_folder(arguments.out, *key, taught=teacher is not None), planned.evaluated.items
    card = read_card(folder)
    if card is None:
        whose = f", labelled by {teacher.teacher}" if teacher is not None else ""
        say(f"training on {key[0]:,} items{whose}, seed {key[1]}")
        train(
            settings,
            train_items=items,
            eval_items=eval_items,
            compute_metrics=classification_metrics,
            report=_report,
            out=folder,
            labels=planned.labels,
            teacher=teacher,
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
