"""What it shows to ask an item several times, and which positions a system chooses: measured from its records alone.

Records in; out come how consistent the answers are, how right each asking was alone, and the test of
`eval.measures.position_bias` with the alternatives that fit how the items were asked.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from data.types import Ask, Frozen, Item, Prediction, Record
from eval.measures.position_bias import PositionTest, position_test, rotated_alternatives, single_alternatives
from eval.measures.stats import Interval, share_interval


class Askings(Frozen):
    """Items that were asked several times.

    Attributes:
        n: Items with a prediction.
        times: How often each was asked, at most.
        rotated: Whether their choices were rotated; else the same question was asked again.
        consistent: Items whose answer, mapped back, is the same every time; one that was once not answered is not.
        consistent_interval: Of their share, 95 %; None where all items are one cluster.
        first_accuracy: Of the first asking alone, in the choices' own order: what asking once would have scored.
        lowest_accuracy: Of the asking that scored least: of the worst rotation, or the worst sample.
        highest_accuracy: Likewise of the best.
        majority_accuracy: Of the majority.
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


def measure_askings(records: Iterable[Record]) -> Askings | None:
    """Measure the items that were asked several times; None without any."""
    asked = [(r.item, p) for r in records if (p := r.prediction) is not None and p.asks]
    if not asked:
        return None
    same = [_is_consistent(prediction.asks) for _, prediction in asked]
    times = max(len(prediction.asks) for _, prediction in asked)
    shares = [_share_right(asked, number) for number in range(times)]
    return Askings(
        n=len(asked),
        times=times,
        rotated=any(_is_rotated(prediction.asks) for _, prediction in asked),
        consistent=sum(same),
        consistent_interval=share_interval(np.array(same), np.ones(len(same)), [item.group for item, _ in asked]),
        first_accuracy=shares[0],
        lowest_accuracy=min(shares),
        highest_accuracy=max(shares),
        majority_accuracy=sum(prediction.choice == item.target for item, prediction in asked) / len(asked),
        drawn=sum(prediction.rule == "tie-drawn" for _, prediction in asked),
    )


def _is_consistent(asks: Sequence[Ask]) -> bool:
    return asks[0].choice is not None and len({ask.choice for ask in asks}) == 1


def _is_rotated(asks: Sequence[Ask]) -> bool:
    return len({ask.order for ask in asks}) > 1


def _share_right(asked: Sequence[tuple[Item, Prediction]], number: int) -> float:
    right = [p.asks[number].choice == item.target for item, p in asked if number < len(p.asks)]
    return sum(right) / len(right)


def measure_positions(records: Iterable[Record]) -> PositionTest | None:
    """Test the positions that a system chose; None where it answered nothing.

    An item that was asked several times without rotation is one answer, the majority's.
    """
    answered = [(r.item, p) for r in records if (p := r.prediction) is not None]
    shared = {item.choices for item, _ in answered}
    labelled = len(shared) == 1 and len(answered) > 1
    counts, key = (np.zeros(max((len(c) for c in shared), default=0), dtype=np.int64) for _ in range(2))
    alternatives = []
    for item, prediction in answered:
        n_choices = len(item.choices)
        if _is_rotated(prediction.asks):
            shown = [(ask.order.index(ask.choice), ask.order) for ask in prediction.asks if ask.choice is not None]
            chosen, right = [position for position, _ in shown], [order.index(item.target) for _, order in shown]
            possible = rotated_alternatives(chosen, n_choices)
        elif prediction.choice is not None:
            chosen, right = [prediction.choice], [item.target]
            possible = single_alternatives(item.target, prediction.choice, n_choices, labelled=labelled)
        else:
            continue
        if chosen:
            np.add.at(counts, chosen, 1)
            np.add.at(key, right, 1)
            alternatives.append(possible)
    return position_test(counts.tolist(), key.tolist(), alternatives) if alternatives else None
