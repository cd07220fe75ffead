"""How many labels match a prompted system: accuracy against training items, and where it crosses each system's.

Sizes, nested subsets, crossings and sentences; arithmetic only. `finetune.data_curve.command` trains and measures,
`finetune.data_curve.figure` draws. (`finetune.training_curves` has the learning curves of one training.)
"""

import math
import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from data.common.errors import ConfigurationError
from data.common.table import aligned
from data.types import Frozen, Item
from finetune.config import TrainSettings

Span = tuple[float, float]  # the ends of a 95 % interval
SMALLEST = 100
FACTORS = (3, 10)  # of a power of ten: 100, 300, 1000, 3000, …
CLOSEST = 0.8  # of all items: a size beyond it is hardly another than all
ONE_DRAW = (
    "intervals and what is beyond chance are over the evaluated items, for this one draw of training items and one "
    "training; others would move the curve (--seeds 3)"
)


class CurvePoint(Frozen):
    """The accuracy after training on so many items.

    Attributes:
        n: Training items.
        epochs: Passes over them.
        steps: Optimizer steps.
        accuracy: Over the evaluated items; with several seeds the mean.
        interval: 95 %, over groups of evaluated items; what another draw or seed would change is not in it.
        seed_accuracies: One a seed.
        wall_s: Seconds of one training with its evaluations; with several seeds the mean.
    """

    n: int
    epochs: float
    steps: int
    accuracy: float
    interval: Span | None
    seed_accuracies: tuple[float, ...]
    wall_s: float


class Level(Frozen):
    """A system of a run, whose accuracy is a horizontal line.

    Attributes:
        kind: "chain", "baseline", …
        interval: 95 %, over groups of items.
    """

    name: str
    kind: str
    accuracy: float
    interval: Span | None


class Crossing(Frozen):
    """Where a curve meets a level.

    Attributes:
        matched_at: Training items with which the curve first reaches the level, on a straight line in log(n) between
            the measured sizes; None where it does so nowhere, or somewhere below the smallest size.
        between: The sizes on either side of it, the second the first at which the accuracy is at least the level's.
        reason: Why `matched_at` is None.
        below_again_at: Larger sizes at which the curve is below the level all the same.
    """

    matched_at: float | None
    between: tuple[int, int] | None
    reason: str | None
    below_again_at: tuple[int, ...]


def default_sizes(n_items: int) -> tuple[int, ...]:
    """Return 100, 300, 1000, 3000, … up to 80 % of `n_items`, and `n_items` itself."""
    sizes, power = [SMALLEST], SMALLEST
    while sizes[-1] < n_items:
        sizes += [power * factor for factor in FACTORS]
        power *= 10
    return (*(size for size in sizes if size <= CLOSEST * n_items), n_items)


def parse_sizes(text: str, n_items: int) -> tuple[int, ...]:
    """Read `--sizes 100,300,1000`.

    Raises:
        ConfigurationError: They are not whole numbers from 2 to `n_items`, each larger than the one before.
    """
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigurationError(f"--sizes '{text}': give whole numbers as 100,300,1000") from None
    if sizes[0] < 2 or any(later <= earlier for earlier, later in pairwise(sizes)):
        raise ConfigurationError(f"--sizes '{text}': each must be larger than the one before, and the first 2 or more")
    if sizes[-1] > n_items:
        raise ConfigurationError(f"--sizes '{text}': there are {n_items} training items; use {n_items} or fewer")
    return sizes


def nested_order(items: Sequence[Item], *, seed: int) -> list[int]:
    """Return the items' places in an order whose beginnings are the training subsets, each part of the larger ones.

    Every beginning has the labels in the shares of the whole as nearly as whole items allow, so that a small draw's
    luck with labels is not taken for an effect of its size.
    """
    draw = random.Random(seed)  # noqa: S311 -- repeatable, not secret
    places = list(range(len(items)))
    draw.shuffle(places)
    by_label: dict[str, list[int]] = {}
    for place in places:
        by_label.setdefault(items[place].choices[items[place].target].casefold(), []).append(place)
    # The j-th of a label's m items stands at (j + 1/2) / m of the way; `sorted` keeps labels of one size in turn.
    rows = [((j + 0.5) / len(own), place) for own in by_label.values() for j, place in enumerate(own)]
    return [place for _, place in sorted(rows, key=lambda row: row[0])]


def subset(items: Sequence[Item], order: Sequence[int], size: int) -> list[Item]:
    """Return the first `size` items of an order, as they stand in the whole: all of them are the whole itself.

    Raises:
        ConfigurationError: They have one label only.
    """
    chosen = [items[place] for place in sorted(order[:size])]
    labels = {item.choices[item.target].casefold() for item in chosen}
    if len(labels) < 2:
        raise ConfigurationError(
            f"a subset of {size} training items has the label '{labels.pop()}' only; at least two labels are needed: "
            "use larger --sizes"
        )
    return chosen


def settings_for(settings: TrainSettings, size: int, *, seed: int, min_steps: int) -> TrainSettings:
    """Return the settings of the training on `size` items: passes enough for `min_steps` optimizer steps.

    It is evaluated before the first step and after the last only: a small size has many passes.
    """
    steps_per_epoch = math.ceil(size / settings.batch_size)
    epochs = max(settings.epochs, min_steps / steps_per_epoch)
    all_steps = math.ceil(epochs * steps_per_epoch)
    return settings.model_copy(update={"seed": seed, "epochs": epochs, "eval_steps": all_steps})


def find_crossing(points: Sequence[CurvePoint], accuracy: float) -> Crossing:
    """Find where a curve first reaches an accuracy.

    Args:
        points: One or more, by size.
        accuracy: The level.
    """
    reached = next((place for place, point in enumerate(points) if point.accuracy >= accuracy), None)
    if reached is None:
        reason = f"not reached by {points[-1].n:,} training items"
        return Crossing(matched_at=None, between=None, reason=reason, below_again_at=())
    later = tuple(point.n for point in points[reached + 1 :] if point.accuracy < accuracy)
    if reached == 0:
        reason = f"already matched at the smallest size, {points[0].n:,}"
        return Crossing(matched_at=None, between=None, reason=reason, below_again_at=later)
    before, after = points[reached - 1], points[reached]
    share = (accuracy - before.accuracy) / (after.accuracy - before.accuracy)
    matched_at = before.n * (after.n / before.n) ** share
    return Crossing(matched_at=matched_at, between=(before.n, after.n), reason=None, below_again_at=later)


def above_from(sizes: Sequence[int], lows: Sequence[float | None]) -> int | None:
    """Return the size from which on, to the largest, the curve is above a level beyond chance; None: nowhere.

    Args:
        sizes: How many training items each point has, in ascending order.
        lows: For each the lower end of the interval of the curve minus the level; None where there is no interval.
    """
    first = None
    for size, low in zip(reversed(sizes), reversed(lows), strict=True):
        if low is None or low <= 0:
            break
        first = size
    return first


def format_curve(curve: Mapping[str, Any]) -> str:
    """Draw a curve, as `curve.json` has it, for a terminal: a table of the sizes, then a sentence a system."""
    several = curve["seeds"] > 1
    over_seeds = ["over the seeds"] if several else []
    rows = [["items", "epochs", "steps", "accuracy", "95 % interval", *over_seeds, "seconds"]]
    for point in curve["points"]:
        seeds, counts = point["seed_accuracies"], (f"{point['n']:,}", f"{point['epochs']:.4g}", f"{point['steps']:,}")
        spread = [format_span((min(seeds), max(seeds)))] if several else []
        spans = [format_span(point["interval"]), *spread]
        rows.append([*counts, f"{point['accuracy']:.4f}", *spans, f"{point['wall_s']:.0f}"])
    lines = [aligned(rows, left=(4, 5) if several else (4,), rule=False)]
    chance = 1 / len(curve["labels"])
    lines += ["", f"guessing is right on {chance:.4f}; measured on {curve['evaluated']['n']:,} items"]
    lines += [curve["caveat"]] if curve["caveat"] else []
    taught = format_taught(curve["taught"]) if "taught" in curve else []
    return "\n".join([*lines, *map(format_crossing, curve["systems"]), *taught])


def format_taught(taught: Mapping[str, Any]) -> list[str]:
    """Say what a teacher's labels come to, a line a size, and how many of people's the most of them are worth."""
    rows = [["items", "accuracy", "95 % interval", "minus people's labels, 95 %"]]
    for point, span in zip(taught["points"], taught["difference_intervals"], strict=True):
        rows.append([f"{point['n']:,}", f"{point['accuracy']:.4f}", format_span(point["interval"]), format_span(span)])
    level = taught["teacher_accuracy"]
    right = "" if level is None else f", which is right on {level:.4f} itself"
    head = f"with the labels of {taught['teacher']}{right}:"
    return ["", head, aligned(rows, left=(2, 3), rule=False), "", _worth(taught)]


def _worth(taught: Mapping[str, Any]) -> str:
    n, worth = taught["points"][-1]["n"], taught["worth"]
    said = f"{n:,} of its labels{_priced(n, taught['label_usd'])} are worth "
    if worth["matched_at"] is not None:
        about = _two_digits(worth["matched_at"])
        return f"{said}about {about:,} of people's{_priced(about, taught['human_label_usd'])}"
    if worth["reason"].startswith("already"):
        return f"{said}no more than the fewest of people's that were tried"
    return f"{said}more than all {n:,} of people's{_priced(n, taught['human_label_usd'])}"


def _priced(n: int, usd: float | None) -> str:
    return "" if usd is None else f" (${n * usd:,.4g})"


def format_span(span: Sequence[float] | None) -> str:
    return "–" if span is None else f"{span[0]:.4f}–{span[1]:.4f}"


def format_crossing(system: Mapping[str, Any]) -> str:
    """Say in a line how many training items match a system."""
    parts = [system["reason"]]
    if system["matched_at"] is not None:
        low, high = system["between"]
        parts = [
            f"matched at about {_two_digits(system['matched_at']):,} training items (between {low:,} and {high:,})"
        ]
    if system["below_again_at"]:
        parts.append(f"below it again at {', '.join(f'{n:,}' for n in system['below_again_at'])}")
    above = system["above_from"]
    if above is not None:
        parts.append(f"above beyond chance from {above:,}")
    elif system["matched_at"] is not None or system["reason"].startswith("already"):
        parts.append("nowhere above beyond chance to the end")
    return f"{system['name']} ({system['accuracy']:.1%}): {'; '.join(parts)}".replace("%)", " %)")


def _two_digits(n: float) -> int:
    power: int = 10 ** max(0, math.floor(math.log10(n)) - 1)
    return round(n / power) * power
