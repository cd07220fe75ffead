"""The label-order sentinel: notices where a classifier's answers fit far better under other label names.

Checkpoints of one task number their labels differently, and a wrong id2label in config.json gives figures that are
confidently wrong. Targets and choices in; out comes nothing, or which names seem to be exchanged.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from statistics import NormalDist

import numpy as np

from data.common.errors import ConfigurationError
from data.common.language import ENGLISH, Language
from data.types import Frozen
from eval.measures.metrics import confusion_matrix
from eval.measures.paired_tests import mcnemar_midp

LEAST_GAIN = Fraction(1, 10)  # of accuracy, and of macro recall
LEVEL = Fraction(1, 100)  # chance to stop on answers that fit the declared names as well as any
LEAST_LEVEL = 1e-300  # beyond 160 labels a corrected level is too small for a floating-point number


class Exchange(Frozen):
    """Names that seem to be exchanged.

    Attributes:
        n: Items.
        declared: Share of them that is right as the classifier names its labels.
        best: Share that is right under the best order of names.
        moved: Each label that seems to be called wrongly: what it is called, and what it is.
    """

    n: int
    declared: float
    best: float
    moved: tuple[tuple[str, str], ...]


def exchange_words(found: Exchange, say: Language = ENGLISH) -> str:
    """Say which names seem to be exchanged, as a part of a sentence."""
    moved = [say("what it calls {called} is {actual}", called=called, actual=actual) for called, actual in found.moved]
    return say(
        "{declared} of {n} items are right as declared, but {best} if {moved}",
        declared=f"{found.declared:.1%}",
        n=found.n,
        best=f"{found.best:.1%}",
        moved=", ".join(moved),
    )


def find_exchange(
    targets: Sequence[int] | np.ndarray, choices: Sequence[int] | np.ndarray, *, labels: Sequence[str]
) -> Exchange | None:
    """Find whether another order of the label names is more than 10 points better than the declared one.

    Better in accuracy and in macro recall, where each label counts the same: on unbalanced items a classifier that
    says one label nearly always gains accuracy under the commonest label's name, and no recall; two rare labels that
    are exchanged cost little accuracy next to always saying the commonest, and much recall.

    On few items some order looks better by chance. So the items that only the better or only the declared order gets
    right must differ by McNemar's test, and the macro recall must exceed both the declared order's and that of saying
    one label for everything, each at 0.01, Bonferroni-corrected for all the orders that were tried.

    Args:
        targets: (n,) indices into `labels`.
        choices: (n,) indices into `labels` as the classifier declares them; -1, no answer, is wrong in every order.
        labels: (n_classes,) the class names.
    """
    gold, chosen = np.asarray(targets, dtype=np.int64), np.asarray(choices, dtype=np.int64)
    order = best_label_order(gold, chosen, n_classes=len(labels))
    reread = np.append(order, -1)[chosen]  # the last place is what -1 leads to
    declared, best = gold == chosen, gold == reread
    n, n_declared, n_best = len(gold), int(declared.sum()), int(best.sum())
    if n_best - n_declared <= LEAST_GAIN * n:
        return None
    level = max(float(LEVEL / (math.factorial(len(labels)) - 1)), LEAST_LEVEL)
    if mcnemar_midp(int((best & ~declared).sum()), int((declared & ~best).sum())) >= level:
        return None
    by_class = [gold == label for label in np.unique(gold)]
    gained = best.astype(np.float64) - declared
    if np.mean([gained[own].mean() for own in by_class]) <= LEAST_GAIN:
        return None
    above_one_label = best - 1 / len(by_class)
    if not all(_exceeds_zero(values, by_class, level=level) for values in (gained, above_one_label)):
        return None
    moved = tuple((labels[called], labels[actual]) for called, actual in enumerate(order) if called != actual)
    return Exchange(n=n, declared=n_declared / n, best=n_best / n, moved=moved)


def check_label_order(
    targets: Sequence[int], choices: Sequence[int], *, labels: Sequence[str], where: str, remedy: str
) -> None:
    """Stop where `find_exchange` finds something.

    Args:
        targets: As there.
        choices: As there.
        labels: As there.
        where: What to call the classifier.
        remedy: What its user can do.

    Raises:
        ConfigurationError: The names seem to be exchanged.
    """
    found = find_exchange(targets, choices, labels=labels)
    if found is not None:
        raise ConfigurationError(f"{where} names its labels wrongly, it seems: {exchange_words(found)}; {remedy}")


def best_label_order(targets: np.ndarray, choices: np.ndarray, *, n_classes: int) -> list[int]:
    """Find the order of names under which most choices are right; it equals trying every permutation.

    Args:
        targets: (n,) int.
        choices: (n,) int, -1 for no answer.
        n_classes: How many labels there are.

    Returns:
        (n_classes,) for each declared label the one it should be; the declared order where none is better.

    Source:
        Kuhn 1955, Naval Research Logistics Quarterly 2:83-97 (the assignment problem).
    """
    from scipy.optimize import linear_sum_assignment

    confusion = confusion_matrix(targets, choices, n_classes)[:, :n_classes]  # (target, choice)
    # Among equally good orders, the one that keeps most names: all n_classes of them weigh less than one item.
    gain = confusion.T * (n_classes + 1) + np.eye(n_classes, dtype=np.int64)
    _, order = linear_sum_assignment(gain, maximize=True)
    return [int(label) for label in order]


def _exceeds_zero(values: np.ndarray, by_class: Sequence[np.ndarray], *, level: float) -> bool:
    """Say whether the mean over the classes of their items' mean is above 0 by a one-sided z-test.

    Each class is given two more items, one at 1 and one at -1: without them a class of few items has no spread.

    Args:
        values: (n,) between -1 and 1.
        by_class: A mask for each class, (n,) bool: which items are its own.
        level: The level of the test.

    Source:
        Agresti and Min 2005, Statistics in Medicine 24:729-740, who add as many items to matched pairs.
    """
    widened = [np.append(values[own], (1.0, -1.0)) for own in by_class]
    variance = sum(one.var() / len(one) for one in widened)
    gain = sum(one.mean() for one in widened)
    return bool(gain > -NormalDist().inv_cdf(level) * math.sqrt(variance))
