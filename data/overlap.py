"""Keeps what is learnt apart from what is measured: a text in both would be scored from memory."""

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
