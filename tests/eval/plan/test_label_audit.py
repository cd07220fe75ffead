"""The label audit: planted wrong labels are found, and no row's own label has a part in its own probabilities."""

from collections.abc import Sequence

import numpy as np
import pytest

from benches.audit import plant, recall
from data.common.errors import ConfigurationError
from data.registry import labelled_rows
from data.types import Item
from eval.plan.label_audit import audit_labels, label_folds, out_of_fold
from eval.plan.learners import tfidf

TOPICS = ("the parcel is late again", "my money back please", "rain and sun today", "card stolen in town")


def rows(n: int, targets: Sequence[int] | None = None) -> list[Item]:
    """Texts whose words give their label away, unless `targets` says another."""
    return [
        Item(
            id=f"r{number}",
            inputs={"text": f"{TOPICS[number % 4]} {number}"},
            choices=("parcel", "money", "weather", "card"),
            target=number % 4 if targets is None else targets[number],
            group=f"g{number}",
        )
        for number in range(n)
    ]


def test_of_labels_planted_in_the_shipped_sample_most_stand_first() -> None:
    items = [row.item for row in labelled_rows("banking77-sample")][::2]
    planted = plant(items, 20, seed=5)
    audit = audit_labels(planted.items, embeddings="minilm")
    assert recall(audit, planted.places, first=40) >= 0.8
    assert audit.n_judged == len(items)
    assert audit.interval is not None and audit.interval.low <= audit.wrong <= audit.interval.high
    first = [place for place in audit.order[:10].tolist() if place in planted.places]
    assert len(first) >= 8 and all(audit.likelier[place] == items[place].target for place in first)  # as it was before


def test_a_planted_label_stands_first_with_the_label_it_had_and_its_pair() -> None:
    targets = [number % 4 for number in range(80)]
    targets[10] = 0
    audit = audit_labels(rows(80, targets), embeddings="none", learner="tfidf")
    assert audit.order[0] == 10 and audit.doubtful[10]
    assert audit.likelier[10] == 2 and audit.label_probs[10] < audit.likelier_probs[10]
    assert audit.pairs[0] == ("parcel", "weather", 1)
    assert audit.doubtful.sum() == 1 and sorted(audit.order.tolist()) == list(range(80))
    assert 0 < audit.wrong < 0.05


def test_no_label_has_a_part_in_its_own_probabilities_nor_has_that_of_the_same_text() -> None:
    items = rows(40)
    items[7] = items[3].model_copy(update={"id": "twin", "group": "other"})
    folds = label_folds(items, seed=0)
    assert folds[3] == folds[7]
    before = out_of_fold(items, folds, tfidf, name="before")
    for place in (3, 7):
        items[place] = items[place].model_copy(update={"target": 1})
    after = out_of_fold(items, folds, tfidf, name="after")
    assert (after[[3, 7]] == before[[3, 7]]).all() and not np.array_equal(after, before)


def test_labels_with_fewer_rows_than_folds_are_judged_where_they_can_be() -> None:
    items = rows(20)
    others = [one.model_copy(update={"target": 0 if one.target == 3 else one.target}) for one in items]
    alone = Item(id="x", inputs={"text": "a label of its own"}, choices=items[0].choices, target=3, group="gx")
    audit = audit_labels([*others, alone], embeddings="none", learner="tfidf")
    assert audit.n_judged == 20 and np.isnan(audit.label_probs[20]) and not audit.doubtful[20]
    assert audit.order[-1] == 20  # nobody can say anything about it


def test_two_labels_of_which_one_is_learnt_of_a_single_row() -> None:
    items = [one.model_copy(update={"target": int(number == 5)}) for number, one in enumerate(rows(12))]
    audit = audit_labels(items, embeddings="none", learner="tfidf")
    assert audit.n_judged == 11 and not audit.doubtful.any()


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (rows(8, [0] * 8), "at least two labels"),
        ([*rows(4), rows(1)[0].model_copy(update={"choices": ("x", "y"), "id": "z"})], "share their labels"),
        ([one.model_copy(update={"group": "g"}) for one in rows(8)], "one group or text"),
        (rows(4), "no label of the 4 rows is carried by two"),
    ],
)
def test_what_cannot_be_audited_is_one_line(items: list[Item], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        audit_labels(items, embeddings="none", learner="tfidf")
