"""What several trials of an item show, and which positions a system chooses: measured from its answers alone.

`Answers` in; out come how consistent the trials of an item are, how right each trial was alone, and the test of
`eval.measures.position_bias` with the alternatives that fit how the items were asked.
"""

from collections.abc import Iterator

import numpy as np

from data.types import Frozen
from eval.measures.answer_columns import NO_TRIAL
from eval.measures.answers import Answers
from eval.measures.metrics import NO_ANSWER
from eval.measures.position_bias import PositionTest, position_test, rotated_alternatives, single_alternatives
from eval.measures.stats import Interval, share_interval


class Repeats(Frozen):
    """Items that were asked several times.

    Attributes:
        n: Items with a prediction.
        times: How often each was asked, at most.
        rotated: Whether their choices were rotated; else the same question was asked again.
        consistent: Items whose answer, mapped back, is the same every time; one that was once not answered is not.
        consistent_interval: The 95 % interval of their share; None where all items are one cluster.
        first_accuracy: The accuracy of the first trial alone, in the choices' own order: what a single trial would have
            scored.
        lowest_accuracy: The accuracy of the trial that scored least: of the worst rotation, or the worst sample.
        highest_accuracy: Likewise of the best.
        majority_accuracy: The accuracy of the majority.
        drawn: Items whose majority was a tie that was drawn.
    """

    n: int
    times: int
    rotated: bool
    consistent: int
    consistent_interval: Interval | None
    first_accuracy: float
    lowest_accuracy: float
    highest_accuracy: float
    majority_accuracy: float
    drawn: int


def measure_repeats(answers: Answers) -> Repeats | None:
    """Measure the items that were asked several times; None without any."""
    asked = answers.take(answers.rows["trials"] > 0)
    if not len(asked):
        return None
    chosen = asked.trial_choices  # (n, most trials)
    same = (chosen[:, 0] != NO_ANSWER) & ((chosen == chosen[:, :1]) | (chosen == NO_TRIAL)).all(axis=1)
    was_asked = chosen != NO_TRIAL
    shares = ((chosen == asked.targets[:, None]).sum(axis=0) / was_asked.sum(axis=0)).tolist()  # of each trial
    return Repeats(
        n=len(asked),
        times=chosen.shape[1],
        rotated=bool(_is_rotated(asked).any()),
        consistent=int(same.sum()),
        consistent_interval=share_interval(same, np.ones(len(same)), asked.groups),
        first_accuracy=shares[0],
        lowest_accuracy=min(shares),
        highest_accuracy=max(shares),
        majority_accuracy=float(asked.correct.mean()),
        drawn=sum(asked.rules[rule] == "tie-drawn" for rule in asked.rows["rule"].tolist()),
    )


def _is_rotated(answers: Answers) -> np.ndarray:
    """Return (n,) bool, whether an item was shown with its choices in several orders."""
    orders = answers.trial_orders
    if not orders.shape[1]:
        return np.zeros(len(answers), dtype=bool)
    rotated: np.ndarray = ((orders != orders[:, :1]) & (answers.trial_choices != NO_TRIAL)).any(axis=1)
    return rotated


def measure_positions(answers: Answers) -> PositionTest | None:
    """Test the positions that a system chose; None where it answered nothing.

    An item that was asked several times without rotation is one answer, the majority's.
    """
    given = answers.predictions
    if not len(given):
        return None
    rotated = _is_rotated(given)
    once = given.take(~rotated & (given.choices != NO_ANSWER))
    n_positions = int(given.n_choices.max())
    counts = np.bincount(once.choices, minlength=n_positions)
    key = np.bincount(once.targets, minlength=n_positions)
    alternatives, n_items = _of_single_answers(once, labelled=given.shared_choices is not None)
    for chosen, right, n_choices in _shown_positions(given.take(rotated)):
        np.add.at(counts, chosen, 1)
        np.add.at(key, right, 1)
        alternatives.append(rotated_alternatives(chosen, n_choices))
        n_items.append(1)
    return position_test(counts.tolist(), key.tolist(), alternatives, n_items=n_items) if alternatives else None


def _of_single_answers(once: Answers, *, labelled: bool) -> tuple[list[np.ndarray], list[int]]:
    """Return the alternatives of each kind of item, the kind that occurs first in front, and how many items it has."""
    cases = np.stack([once.targets, once.choices, once.n_choices], axis=1)
    kinds, first, n_items = np.unique(cases, axis=0, return_index=True, return_counts=True)
    order = np.argsort(first)
    found = [
        single_alternatives(target, choice, n_choices, labelled=labelled)
        for target, choice, n_choices in kinds[order].tolist()
    ]
    return found, n_items[order].tolist()


def _shown_positions(rotated: Answers) -> Iterator[tuple[list[int], list[int], int]]:
    """Yield (positions chosen, positions of the right choice, n_choices) of each item's trials that were answered."""
    columns = (rotated.trial_choices, rotated.trial_orders, rotated.targets, rotated.n_choices)
    for choices, orders, target, n_choices in zip(*(column.tolist() for column in columns), strict=True):
        shown = [(rotated.orders[order], choice) for order, choice in zip(orders, choices, strict=True) if choice >= 0]
        if shown:
            yield [one.index(choice) for one, choice in shown], [one.index(target) for one, _ in shown], n_choices
