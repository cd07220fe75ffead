"""The thresholds of a cascade that is a system of a run: chosen by what its suite asks for, on other items.

The answers of its members in; out come the thresholds that each item meets, none of which was chosen on the item or its
group, and those to use from now on.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from eval.measures.thresholds import ALL_ALONE, by_cost, by_share, folds, promised


class Stage(NamedTuple):
    """What one member of a cascade answered to the items, a row an item.

    Attributes:
        answered: (n,) bool, whether it holds a prediction; a failed call is none.
        confidence: (n,) as `eval.measures.thresholds.confidence_of` gives it.
        right: (n,) bool.
        usd: (n,) US dollars; None where they are not asked for.
    """

    answered: np.ndarray
    confidence: np.ndarray
    right: np.ndarray
    usd: np.ndarray | None = None


class Chosen(NamedTuple):
    """The thresholds of a cascade.

    Attributes:
        of_items: (n, n_stages - 1) what each item meets.
        from_now_on: (n_stages - 1,) chosen on all items.
    """

    of_items: np.ndarray
    from_now_on: tuple[float, ...]


def choose_thresholds(defer: Mapping[str, float], stages: Sequence[Stage], groups: np.ndarray) -> Chosen:
    """Choose the thresholds of a cascade.

    Args:
        defer: The rule by its name: "threshold" itself; "share" of the items that reach a stage which it passes on at
            most; "accuracy" that each stage promises of what it answers itself; "cost" of a query, of two stages.
        stages: The answers of its members, in the order in which they are asked.
        groups: (n,) the cluster of each item.
    """
    everything = np.arange(len(groups))
    from_now_on = _chosen(defer, stages, groups, everything)
    of_items = np.tile(from_now_on, (len(groups), 1))
    if "threshold" not in defer:
        part = folds(groups)
        for number in range(part.max() + 1):
            of_items[part == number] = _chosen(defer, stages, groups, np.flatnonzero(part != number))
    return Chosen(of_items, from_now_on)


def _chosen(
    defer: Mapping[str, float], stages: Sequence[Stage], groups: np.ndarray, places: np.ndarray
) -> tuple[float, ...]:
    """Choose a threshold for one stage after another, on those of some items that reach it."""
    thresholds = []
    for stage, following in pairwise(stages):
        own = places[stage.answered[places]]
        thresholds.append(_threshold(defer, stage, following, groups, own) if len(own) else ALL_ALONE)
        places = own[stage.confidence[own] < thresholds[-1]]
    return tuple(thresholds)


def _threshold(
    defer: Mapping[str, float], stage: Stage, following: Stage, groups: np.ndarray, places: np.ndarray
) -> float:
    ((rule, value),) = defer.items()
    confidence = stage.confidence[places]
    if rule == "threshold":
        return value
    if rule == "share":
        return by_share(confidence, value)
    if rule == "accuracy":
        return promised(confidence, stage.right[places], groups[places], value)
    if rule != "cost" or stage.usd is None or following.usd is None:
        raise ValueError(f"'{rule}' is no rule, or the costs are not given")
    both = following.answered[places]
    places, confidence = places[both], confidence[both]
    return by_cost(confidence, stage.usd[places], following.usd[places], value) if len(places) else ALL_ALONE
