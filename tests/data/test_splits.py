"""Folds: whole groups, equal texts together, labels spread as evenly as that allows."""

from collections import Counter

import pytest

from data.common.errors import ConfigurationError
from data.splits import fold_numbers
from data.types import Item


def item(number: int, text: str, target: int, *, group: str | None = None) -> Item:
    return Item(
        id=f"i{number}", inputs={"text": text}, choices=("a", "b", "c"), target=target, group=group or f"g{number}"
    )


def test_items_of_one_group_or_text_are_in_one_fold() -> None:
    items = [item(n, f"text {n // 2}".upper() if n % 2 else f"text  {n // 2}", n % 3) for n in range(60)]
    items += [item(100 + n, f"of a group {n}", 0, group="shared") for n in range(5)]
    folds = fold_numbers(items, n_folds=5, seed=1)
    assert all(folds[n] == folds[n + 1] for n in range(0, 60, 2)) and len(set(folds[60:])) == 1
    assert folds == fold_numbers(items, n_folds=5, seed=1) != fold_numbers(items, n_folds=5, seed=2)


def test_every_label_is_spread_over_the_folds() -> None:
    items = [item(n, f"text {n}", 0 if n < 80 else 1 if n < 97 else 2) for n in range(100)]
    folds = fold_numbers(items, n_folds=5, seed=0)
    counts = Counter(zip(folds, [one.target for one in items], strict=True))
    assert [counts[fold, 0] for fold in range(5)] == [16] * 5
    assert {counts[fold, 1] for fold in range(5)} == {3, 4}
    assert {counts[fold, 2] for fold in range(5)} == {0, 1}  # fewer items than folds
    assert {Counter(folds)[fold] for fold in range(5)} == {20}


def test_fewer_groups_than_folds_are_a_fold_each_and_one_is_refused() -> None:
    assert sorted(fold_numbers([item(n, f"text {n}", n % 3) for n in range(3)], n_folds=5, seed=0)) == [0, 1, 2]
    with pytest.raises(ConfigurationError, match="all of one group or text"):
        fold_numbers([item(n, "same", n % 3) for n in range(3)], n_folds=5, seed=0)
