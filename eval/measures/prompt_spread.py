"""What the wording of a prompt is worth: systems that differ in their prompt alone are one family of several wordings.

The answers of an evaluation and what its matrices cross in; out come, for each family, the mean of its wordings with an
interval that knows of both the items and the wordings as draws from many, how far the wordings lie apart, and the
differences to every other family and system.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from data.types import Frozen
from eval.measures.answers import Answers, on_common_items
from eval.measures.differences import Comparison
from eval.measures.stats import Interval
from eval.measures.two_way import deviation_between, two_way_interval
from eval.rundir.description import Crossed, SystemDescription

SETTING = "prompt"


class Wording(Frozen):
    """One wording of a family: its name there, the system that has it, and its accuracy on the family's items."""

    name: str
    system: str
    accuracy: float


class Family(Frozen):
    """Systems that differ in their prompt alone.

    Attributes:
        n: How many items every wording answered.
        wordings: All that were answered, in the order of the suite.
        accuracy: Their mean.
        interval: 95 % of the mean over other items and other wordings; None where all items are one cluster.
        items_interval: 95 % of the mean of these very wordings over other items.
        deviation: The standard deviation between wordings, without what chance alone puts between them on so few
            items.
        best: The system of the best wording; `worst` that of the worst.
        width: The accuracy of the best wording minus that of the worst.
        is_real: Whether these two are told apart, adjusted for all pairs of the evaluation.
    """

    name: str
    n: int
    wordings: tuple[Wording, ...]
    accuracy: float
    interval: Interval | None
    items_interval: Interval | None
    deviation: float
    best: str
    worst: str
    width: float
    is_real: bool

    def has(self, system: str | None) -> bool:
        """Say whether a system is one of the wordings."""
        return any(one.system == system for one in self.wordings)


class FamilyComparison(Frozen):
    """Family `a` against `b`, another family or a system.

    Attributes:
        n: How many items all of their systems answered.
        paired: Whether both have the same wordings, so that these are paired as the items are.
        difference: The mean accuracy of a minus that of b.
        interval: 95 % of it over other items and other wordings; None where all items are one cluster.
        items_interval: 95 % of it over other items alone.
    """

    a: str
    b: str
    n: int
    paired: bool
    difference: float
    interval: Interval | None
    items_interval: Interval | None


class PromptSpread(Frozen):
    """The families of an evaluation, and how each differs from every other family and system."""

    families: tuple[Family, ...] = ()
    comparisons: tuple[FamilyComparison, ...] = ()


class WordingWorth(Frozen):
    """What a family's wording is worth beside the choice between it and the best other system.

    Attributes:
        family: The family of the system that the verdict names; where that has none, the most accurate one.
        against: The most accurate other family or system, where there is one, with the family as `a`.
        is_more: Whether the best and the worst wording are told apart, and lie further apart than the family's mean
            and the other.
    """

    family: Family
    against: FamilyComparison | None
    is_more: bool


class _Side(NamedTuple):
    """A family or a single system: its systems by the identity of their wordings."""

    name: str
    systems: dict[str, str]


def measure_prompts(
    answers: Mapping[str, Answers],
    crossed: Crossed,
    descriptions: Mapping[str, SystemDescription],
    comparisons: Sequence[Comparison],
) -> PromptSpread:
    """Measure every family whose wordings have answered an item in common.

    Args:
        answers: The answers, by system name.
        crossed: For each matrix, its systems, and of each the value of every setting.
        descriptions: What each system is: two families share a wording where the prompt's SHA-256 is the same.
        comparisons: The comparison of every pair of systems.
    """
    given = {name: one.predictions for name, one in answers.items() if len(one.predictions)}
    grouped = _families(given, crossed)
    families = tuple(
        family for name, systems in grouped.items() if (family := _measure(name, given, systems, comparisons))
    )
    kept = {family.name: {one.system: one.name for one in family.wordings} for family in families}
    sides = [
        _Side(name, {descriptions[system].prompt_sha256 or value: system for system, value in systems.items()})
        for name, systems in kept.items()
    ]
    inside = {system for systems in kept.values() for system in systems}
    others = [_Side(name, {name: name}) for name in given if name not in inside]
    pairs = [*combinations(sides, 2), *((side, other) for side in sides for other in others)]
    compared = (_compare(given, a, b) for a, b in pairs)
    return PromptSpread(families=families, comparisons=tuple(one for one in compared if one is not None))


def wording_worth(spread: PromptSpread, named: str | None) -> WordingWorth | None:
    """Return what the wording is worth beside the choice of a system.

    Args:
        spread: The families of an evaluation.
        named: The system that the verdict names, or that leads.

    Returns:
        None without a family.
    """
    if not spread.families:
        return None
    of_named = [family for family in spread.families if family.has(named)]
    family = (of_named or sorted(spread.families, key=lambda one: -one.accuracy))[0]
    against = [_seen_from(family.name, one) for one in spread.comparisons if family.name in (one.a, one.b)]
    nearest = min(against, key=lambda one: one.difference, default=None)  # the most accurate of the others
    is_more = nearest is not None and family.is_real and family.width > abs(nearest.difference)
    return WordingWorth(family=family, against=nearest, is_more=is_more)


def _seen_from(family: str, one: FamilyComparison) -> FamilyComparison:
    """Return a comparison with the family as `a`."""
    if one.a == family:
        return one
    turned = {"a": one.b, "b": one.a, "difference": -one.difference}
    for name in ("interval", "items_interval"):
        own = getattr(one, name)
        turned[name] = None if own is None else Interval(-own.high, -own.low)
    return one.model_copy(update=turned)


def _families(given: Mapping[str, Answers], crossed: Crossed) -> dict[str, dict[str, str]]:
    """Return the systems of each family, by its name, with the names of their wordings."""
    found: dict[str, dict[str, str]] = {}
    for matrix, systems in crossed.items():
        for system, values in systems.items():
            if SETTING in values and system in given:
                others = [value for setting, value in values.items() if setting != SETTING]
                found.setdefault(".".join([matrix, *others]), {})[system] = values[SETTING]
    return {name: systems for name, systems in found.items() if len(systems) > 1}


def _measure(
    name: str, given: Mapping[str, Answers], systems: Mapping[str, str], comparisons: Sequence[Comparison]
) -> Family | None:
    shared = on_common_items([given[system] for system in systems])
    if not (n := len(shared[0])):
        return None
    right, groups = _right(shared), shared[0].groups  # (m, n)
    accuracies = right.mean(axis=1)
    wordings = tuple(
        Wording(name=wording, system=system, accuracy=round(float(accuracy), 6))
        for (system, wording), accuracy in zip(systems.items(), accuracies, strict=True)
    )
    best, worst = (wordings[int(place)].system for place in (accuracies.argmax(), accuracies.argmin()))
    return Family(
        name=name,
        n=n,
        wordings=wordings,
        accuracy=round(float(accuracies.mean()), 6),
        interval=two_way_interval(right.mean(axis=0), [right], groups, within=Interval(0.0, 1.0)),
        items_interval=two_way_interval(right.mean(axis=0), [], groups, within=Interval(0.0, 1.0)),
        deviation=round(deviation_between(right, groups), 6),
        best=best,
        worst=worst,
        width=round(float(accuracies.max() - accuracies.min()), 6),
        is_real=any(one.distinguishable for one in comparisons if {one.a, one.b} == {best, worst}),
    )


def _compare(given: Mapping[str, Answers], a: _Side, b: _Side) -> FamilyComparison | None:
    shared = on_common_items([given[system] for side in (a, b) for system in side.systems.values()])
    if not len(shared[0]):
        return None
    right_a, right_b = _right(shared[: len(a.systems)]), _right(shared[len(a.systems) :])
    gained = right_a.mean(axis=0) - right_b.mean(axis=0)  # (n,)
    paired = a.systems.keys() == b.systems.keys()
    if paired:
        places = [[*b.systems].index(wording) for wording in a.systems]
        drawn = [right_a - right_b[places]]
    else:  # of a system with one wording nothing is known about its others
        drawn = [one for one in (right_a, right_b) if len(one) > 1]
    within = Interval(-1.0, 1.0)
    return FamilyComparison(
        a=a.name,
        b=b.name,
        n=len(shared[0]),
        paired=paired,
        difference=round(float(gained.mean()), 6),
        interval=two_way_interval(gained, drawn, shared[0].groups, within=within),
        items_interval=two_way_interval(gained, [], shared[0].groups, within=within),
    )


def _right(answers: Sequence[Answers]) -> np.ndarray:
    """Return (m, n) 1 where a wording is right, else 0."""
    return np.stack([one.correct for one in answers]).astype(float)
