"""What each setting of a matrix of systems is worth: the mean accuracy of each of its values over all other settings.

The answers of an evaluation and what its matrices cross in; out come, for each setting, its values with what each lies
behind the best one, on the items that every system of the matrix answered.
"""

from collections.abc import Mapping

import numpy as np

from data.types import Frozen
from eval.measures.answers import Answers, on_common_items
from eval.measures.prompt_spread import SETTING
from eval.measures.resampling import Groups
from eval.measures.stats import Interval, paired_difference_intervals
from eval.rundir.description import Crossed


class Level(Frozen):
    """One value of a setting.

    Attributes:
        name: The value, as reports name it.
        n_systems: How many systems have it.
        accuracy: The mean of their accuracies.
        difference: That, minus the best value's; 0 for the best itself.
        interval: 95 % of the difference, by the paired cluster bootstrap; None for the best, and where all items are
            one cluster. It knows nothing of the other values: of many, some look worse by chance.
    """

    name: str
    n_systems: int
    accuracy: float
    difference: float
    interval: Interval | None


class Factor(Frozen):
    """A setting, and its values in the order of the suite."""

    name: str
    best: str
    levels: tuple[Level, ...]


class Matrix(Frozen):
    """The settings of one matrix that have several values; `n` is how many items every system of it answered."""

    name: str
    n: int
    factors: tuple[Factor, ...]


def measure_matrices(answers: Mapping[str, Answers], crossed: Crossed) -> tuple[Matrix, ...]:
    """Measure each matrix of an evaluation whose systems have answered an item in common.

    Args:
        answers: The answers, by system name.
        crossed: For each matrix, its systems, and of each the value of every setting.
    """
    measured = (_measure(name, answers, systems) for name, systems in crossed.items())
    found = (matrix for matrix in measured if matrix is not None)
    # Wordings that are crossed with nothing else are `eval.measures.prompt_spread`'s.
    return tuple(one for one in found if one.factors and [factor.name for factor in one.factors] != [SETTING])


def _measure(name: str, answers: Mapping[str, Answers], systems: Mapping[str, Mapping[str, str]]) -> Matrix | None:
    given = {system: answers[system].predictions for system in systems if system in answers}
    if len(given) < len(systems):
        return None
    shared = on_common_items([*given.values()])
    if not len(shared[0]):
        return None
    right = np.stack([one.correct for one in shared]).astype(float)  # (n_systems, n)
    levels = [systems[system] for system in given]
    names = dict.fromkeys(setting for one in levels for setting in one)
    factors = (_factor(setting, [one.get(setting, "") for one in levels], right, shared[0].groups) for setting in names)
    return Matrix(name=name, n=len(shared[0]), factors=tuple(one for one in factors if len(one.levels) > 1))


def _factor(name: str, levels: list[str], right: np.ndarray, groups: Groups) -> Factor:
    """Compare the values of one setting.

    Args:
        name: The name of the setting.
        levels: (n_systems,) the value that each system has of it.
        right: (n_systems, n) 1 where a system is right, else 0.
        groups: (n,) the cluster of each item.
    """
    has = {level: np.array([own == level for own in levels]) for level in dict.fromkeys(levels)}
    means = np.stack([right[rows].mean(axis=0) for rows in has.values()])  # (n_levels, n)
    accuracies = means.mean(axis=1)
    best = int(accuracies.argmax())
    gained = means - means[best]
    intervals = paired_difference_intervals(gained, np.ones(right.shape[1]), groups)
    found = tuple(
        Level(
            name=level,
            n_systems=int(rows.sum()),
            accuracy=round(float(accuracies[place]), 6),
            difference=round(float(gained[place].mean()), 6),
            interval=None if place == best else intervals[place],
        )
        for place, (level, rows) in enumerate(has.items())
    )
    return Factor(name=name, best=found[best].name, levels=found)
