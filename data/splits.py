"""Keeps what is learnt apart from what is measured: a text in both would be scored from memory.

Items come in; out come those to learn from, and those that are only looked at.
"""

import random
from collections import Counter
from collections.abc import Sequence

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
    measured = {_texts(item) for item in evaluated}
    unseen = [item for item in train if _texts(item) not in measured]
    if train and not unseen:
        raise ConfigurationError(
            f"every training item ({len(train)}) is an evaluated item too, so nothing is left to learn from; "
            "name another --train-split (eval run), or --eval-split or --eval-data (finetune train)"
        )
    return unseen


def _texts(item: Item) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, fold(text)) for name, text in item.inputs.items()))


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
