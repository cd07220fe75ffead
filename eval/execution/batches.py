"""In which batches items are handed to a system that answers many at once: what they share is computed once."""

from collections.abc import Iterator, Sequence

from data.types import Item

BATCH_CHARACTERS = 10_000


def by_group(items: Sequence[Item]) -> list[Item]:
    """Bring items of one group together, where its first one stands: what they share is then computed once."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.group, []).append(item)
    return [item for members in groups.values() for item in members]


def cut_batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """Cut items into batches of at most `size`, and after a group once a batch holds `BATCH_CHARACTERS`.

    So items that share a passage are asked together, while long ones are journaled and shown as they come.
    """
    batch: list[Item] = []
    characters = 0
    for item in items:
        full = len(batch) >= size or (characters >= BATCH_CHARACTERS and item.group != batch[-1].group)
        if batch and full:
            yield batch
            batch, characters = [], 0
        batch.append(item)
        characters += sum(map(len, item.inputs.values()))
    if batch:
        yield batch
