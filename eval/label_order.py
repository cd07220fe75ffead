"""The label-order sentinel: stops where a classifier's answers fit far better under other label names.

Checkpoints of one task number their labels differently, and a wrong id2label in config.json gives figures that are
confidently wrong. Targets and choices in; nothing out, or one line that says which names seem to be exchanged.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from data.errors import ConfigurationError
from eval.metrics import confusion_matrix
from eval.stats import mcnemar_midp

LEAST_GAIN = Fraction(1, 10)  # of accuracy
LEVEL = Fraction(1, 100)  # chance to stop on answers that fit the declared names as well as any


def check_label_order(targets: Sequence[int], choices: Sequence[int], *, labels: Sequence[str], where: str) -> None:
    """Stop where another order of the label names is more than 10 points better than the declared one.

    On few items some order looks better by chance: the items that only the better or only the declared order gets
    right must also differ by McNemar's test at 0.01, Bonferroni-corrected for all the orders that were tried. And it
    must beat giving everything the commonest label: a classifier that learnt nothing has no order to be wrong.

    Args:
        targets: (n,) indices into `labels`.
        choices: (n,) indices into `labels` as the classifier declares them; -1, no answer, is wrong in every order.
        labels: (n_classes,) the class names.
        where: What to call the checkpoint.

    Raises:
        ConfigurationError: The names seem to be exchanged.
    """
    gold, chosen = np.asarray(targets, dtype=np.int64), np.asarray(choices, dtype=np.int64)
    order = best_label_order(gold, chosen, n_classes=len(labels))
    reread = np.append(order, -1)[chosen]  # the last place is what -1 leads to
    declared, best = gold == chosen, gold == reread
    n, n_declared, n_best = len(gold), int(declared.sum()), int(best.sum())
    if n_best - n_declared <= LEAST_GAIN * n or n_best <= np.bincount(gold).max(initial=0):
        return
    p_value = mcnemar_midp(int((best & ~declared).sum()), int((declared & ~best).sum()))
    if p_value >= LEVEL / (math.factorial(len(labels)) - 1):
        return
    moved = ", ".join(f"what it calls {labels[c]} is {labels[t]}" for c, t in enumerate(order) if c != t)
    raise ConfigurationError(
        f"{where} names its labels wrongly, it seems: {n_declared / n:.1%} of {n} items are right as declared, but "
        f"{n_best / n:.1%} if {moved}; correct id2label in its config.json, or, where the items are meant to mislead "
        "it, turn this check off with --any-label-order (in a suite: any_label_order: true)"
    )


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
