"""What a run that ends once its systems are decided did not have to ask.

The paired differences of an evaluation and how many items each system was asked in, an `EarlyEnd` out.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from data.types import Frozen
from eval.measures.answers import Answers
from eval.measures.differences import Comparison
from eval.measures.e_values import share_interval_at_any_time
from eval.measures.sequential import Drawn
from eval.measures.stats import Interval


class Asked(NamedTuple):
    """How much a system was asked.

    Attributes:
        records: Items that it has a record for.
        most: Items that it would have been asked.
        usd_per_query: What an item costs; None is unknown.
    """

    records: int
    most: int
    usd_per_query: float | None


class Spared(Frozen):
    """What one system was spared.

    Attributes:
        asked: Items that it was asked.
        most: Items that it would have been asked.
        usd: What the others would have cost; None is unknown.
    """

    system: str
    asked: int
    most: int
    usd: float | None


class EarlyEnd(Frozen):
    """How an evaluation went that may end early.

    Attributes:
        seed: Decided the order in which its items were drawn.
        margin: Below which a difference does not matter, as a share.
        asked: Items that any system was asked.
        n_pairs: Pairs of systems.
        n_decided: How many of them are decided.
        unfinished: Systems that are still to be asked: a pair of theirs is not decided, and items are left.
        spared: What each system was spared.
    """

    seed: int
    margin: float
    asked: int
    n_pairs: int
    n_decided: int
    unfinished: tuple[str, ...]
    spared: tuple[Spared, ...]


def early_end(drawn: Drawn, asked: Mapping[str, Asked], comparisons: Sequence[Comparison]) -> EarlyEnd:
    """Say how far an evaluation is, and what was saved.

    Args:
        drawn: How its items were drawn.
        asked: How many items were asked, by system name.
        comparisons: The comparisons of its pairs.
    """
    decided = {frozenset((one.a, one.b)) for one in comparisons if one.decided is not None}
    spared = []
    for name, one in asked.items():
        rest = max(one.most - one.records, 0)
        usd = None if one.usd_per_query is None else rest * one.usd_per_query
        spared.append(Spared(system=name, asked=one.records, most=one.most, usd=usd))
    return EarlyEnd(
        seed=drawn.seed,
        margin=drawn.margin,
        asked=max((one.records for one in asked.values()), default=0),
        n_pairs=len(asked) * (len(asked) - 1) // 2,
        n_decided=len(decided),
        unfinished=tuple(name for name in asked if _is_unfinished(name, asked, decided)),
        spared=tuple(spared),
    )


def _is_unfinished(name: str, asked: Mapping[str, Asked], decided: Collection[frozenset[str]]) -> bool:
    """Say whether a system has a pair that is neither decided nor at the end of the items that both are asked."""
    others = [other for other in asked if other != name and frozenset((name, other)) not in decided]
    return any(
        min(asked[name].records, asked[other].records) < min(asked[name].most, asked[other].most) for other in others
    )


def accuracy_interval(given: Answers, drawn: Drawn) -> Interval:
    """Return the 95 % interval of a system's accuracy that holds at any time.

    Args:
        given: Its predictions.
        drawn: How the items were drawn.
    """
    sizes = np.bincount(given.groups)
    right = np.bincount(given.groups, weights=given.correct)
    return share_interval_at_any_time(right, sizes, largest=max(drawn.largest, int(sizes.max(initial=1))))


def without_intervals(value: Any) -> Any:
    """Return figures without their intervals, which are those of a number of items that was fixed beforehand.

    Args:
        value: A frozen model, or what stands in one.
    """
    if isinstance(value, Interval):
        return None
    if isinstance(value, Frozen):
        return value.model_copy(update={name: without_intervals(one) for name, one in value})
    if isinstance(value, dict):
        return {name: without_intervals(one) for name, one in value.items()}
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(without_intervals(one) for one in value)
    return value
