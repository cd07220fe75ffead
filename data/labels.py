"""Which of a benchmark's labels an item has, found by name: sources number their labels differently."""

from collections.abc import Sequence

from data.common.errors import ConfigurationError
from data.common.text import normalised
from data.types import Item


def label_ids(items: Sequence[Item], labels: Sequence[str]) -> list[int]:
    """Return each item's label as an index into `labels`, found by name because sources number labels differently.

    Raises:
        ConfigurationError: An item's label is not one of `labels`.
    """
    index_of = {normalised(label).casefold(): index for index, label in enumerate(labels)}
    ids = []
    for item in items:
        name = item.choices[item.target]
        if name.casefold() not in index_of:
            raise ConfigurationError(f"{item.id} has the label '{name}'; the labels are: {', '.join(labels)}")
        ids.append(index_of[name.casefold()])
    return ids
