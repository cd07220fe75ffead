"""Which training items a run keeps to look at while it trains, where the items it is scored on may not be seen."""

import random
from collections import Counter
from collections.abc import Sequence

from data.common.errors import ConfigurationError
from data.overlap import without_overlap
from data.types import Item


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
