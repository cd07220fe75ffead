"""Keeps what is learnt apart from what is measured: a text in both would be scored from memory.

Items come in; out come those to learn from, those that are only looked at, and those that are measured: whole groups on
one side, and classes in proportion.
"""

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from data.common.errors import ConfigurationError
from data.types import Item


def fold(text: str) -> str:
    """Return a text without the differences that make no other text: case and white space."""
    return " ".join(text.casefold().split())


def without_overlap(train: Sequence[Item], evaluated: Sequence[Item]) -> list[Item]:
    """Return the training items whose input texts no evaluated item has, in their order.

    Args:
        train: What is to be learnt from; may be empty.
        evaluated: What is measured on. It stays whole, so that scores on it stay comparable.

    Raises:
        ConfigurationError: There are training items, and all of them are evaluated too.
    """
    unseen = unmeasured(train, evaluated)
    if train and not unseen:
        raise ConfigurationError(
            f"every training item ({len(train)}) is an evaluated item too, so nothing is left to learn from; "
            "name another --train-split (eval run), or --eval-split or --eval-data (finetune train)"
        )
    return unseen


def unmeasured(train: Sequence[Item], evaluated: Sequence[Item]) -> list[Item]:
    """Return the training items whose input texts no evaluated item has, in their order; they may be none."""
    measured = {texts_of_item(item) for item in evaluated}
    return [item for item in train if texts_of_item(item) not in measured]


def cluster_of(text: str) -> str:
    """Return 16 hex digits that stand for a text: items that share it are one cluster for standard errors."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def texts_of_item(item: Item) -> tuple[tuple[str, str], ...]:
    """Return the texts of an item by name, without the differences that make no other text.

    Its choices are among them, in whatever order: many a question is "Which of these is right?".
    """
    texts = [(name, fold(text)) for name, text in item.inputs.items()]
    return tuple(sorted([*texts, ("choices", _folded_choices(item.choices))]))


@lru_cache(maxsize=1024)
def _folded_choices(choices: tuple[str, ...]) -> str:
    return "\n".join(sorted(map(fold, choices)))


def hold_out(items: Sequence[Item], *, seed: int) -> tuple[list[Item], list[Item]]:
    """Split training items into those to learn from and those to look at meanwhile, which share no group.

    Returns:
        The two parts. The second has whole groups with 5 % of the items or a little less, or the smallest group.

    Raises:
        ConfigurationError: The items are all of one group.
    """
    sizes = Counter(item.group for item in items)
    if len(sizes) < 2:
        raise ConfigurationError(
            f"the {len(items)} training items share one group (premise): two or more are needed, "
            "to hold one out; use more training items"
        )
    groups = sorted(sizes)
    random.Random(seed).shuffle(groups)  # noqa: S311 -- repeatable, not secret
    room, chosen = len(items) // 20, set[str]()
    for group in groups:
        if sizes[group] <= room:
            chosen.add(group)
            room -= sizes[group]
    chosen = chosen or {min(groups, key=sizes.__getitem__)}
    held_out = [item for item in items if item.group in chosen]
    # Two groups may still hold the same text.
    return without_overlap([item for item in items if item.group not in chosen], held_out), held_out


class Split(NamedTuple):
    """Two sides of a set of items, each in the order of the source."""

    train: list[Item]
    test: list[Item]


def split_items(items: Sequence[Item], *, share: float = 0.2, stratify: bool = True, seed: int = 13) -> Split:
    """Divide items into a training and a test side.

    Args:
        items: The items of one source.
        share: The share of the items that the test side is to have, between 0 and 1.
        stratify: Give each label the same share, as far as groups allow.
        seed: The same seed draws the same sides.

    Raises:
        ConfigurationError: The share is none, or leaves a side empty.
    """
    if not 0 < share < 1:
        raise ConfigurationError(f"test share {share:g} is not between 0 and 1")
    clusters = _clusters(items)
    random.Random(seed).shuffle(clusters)  # noqa: S311  # repeatable, not secret
    tested: set[int] = set()
    wanted = Counter[str]()
    taken = Counter[str]()
    for item in items:
        wanted[_stratum(item, stratify)] += 1
    for cluster in clusters:
        strata = Counter(_stratum(items[index], stratify) for index in cluster)
        # The cluster goes where it brings the labels nearer to their share.
        gain = sum(
            abs(taken[name] - share * wanted[name]) - abs(taken[name] + count - share * wanted[name])
            for name, count in strata.items()
        )
        if gain > 0:
            tested.update(cluster)
            taken.update(strata)
    if not tested or len(tested) == len(items):
        raise ConfigurationError(
            f"a test share of {share:g} leaves no items on one side of {len(items)} items in {len(clusters)} groups; "
            "give more items, or name a file to measure with --test"
        )
    train = [item for index, item in enumerate(items) if index not in tested]
    return Split(train, [items[index] for index in sorted(tested)])


def fold_numbers(items: Sequence[Item], *, n_folds: int, seed: int) -> list[int]:
    """Return the fold of each item, from 0: items of one group, or with the same texts, are in one fold.

    Each label is spread over the folds as evenly as groups allow.

    Args:
        items: The items of one source.
        n_folds: At most so many; of fewer groups each is a fold.
        seed: The same seed gives the same folds.

    Raises:
        ConfigurationError: All items are of one group.
    """
    clusters = _clusters(items)
    if len(clusters) < 2:
        raise ConfigurationError(
            f"the {len(items)} items are all of one group or text; two are needed, to set one apart"
        )
    random.Random(seed).shuffle(clusters)  # noqa: S311  # repeatable, not secret
    n_folds = min(n_folds, len(clusters))
    sizes = [0] * n_folds
    of_label = defaultdict[int, list[int]](lambda: [0] * n_folds)
    folds = [0] * len(items)
    for cluster in clusters:
        (label, _), *_ = Counter(items[index].target for index in cluster).most_common(1)
        fold = min(range(n_folds), key=lambda number: (of_label[label][number], sizes[number]))
        for index in cluster:
            folds[index] = fold
            of_label[items[index].target][fold] += 1
        sizes[fold] += len(cluster)
    return folds


def _stratum(item: Item, stratify: bool) -> str:
    return item.choices[item.target] if stratify else ""


def _clusters(items: Sequence[Item]) -> list[list[int]]:
    """Return the indices of items that must stay together: of one group, with the same texts, and so on."""
    parent = list(range(len(items)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[object, int] = {}
    for index, item in enumerate(items):
        for key in (("group", item.group), texts_of_item(item)):
            parent[root(index)] = root(first.setdefault(key, index))
    clusters: dict[int, list[int]] = defaultdict(list)
    for index in range(len(items)):
        clusters[root(index)].append(index)
    return list(clusters.values())
