"""In what order an epoch shows the items: shuffled anew each time, with texts of like length in one batch.

The order is a function of the seed and the epoch alone, not of a random state. So a run that goes on after an
interruption sees the items it would have seen, and two processes that share a batch see what one would.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

POOL = 50  # batches that are sorted together: like lengths meet, and the composition of batches stays random


def epoch_order(lengths: Sequence[int], *, batch_size: int, seed: int, epoch: int, by_length: bool) -> list[int]:
    """Return the items of one epoch, batch after batch.

    The last batch is filled up with items from the beginning, so that every step weighs the same, on any number of
    processes. With fewer items than `batch_size` there is one smaller batch.

    Args:
        lengths: (n,) tokens of each item.
        batch_size: Items per optimizer step.
        seed: Together with `epoch` it decides the order.
        epoch: Which epoch it is, counted from 0.
        by_length: Whether texts of like length share a batch, which saves padding.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(lengths))
    missing = -len(order) % batch_size if len(order) > batch_size else 0
    order = np.concatenate([order, order[:missing]])
    if not by_length:
        return [int(item) for item in order]
    sizes = np.asarray(lengths)[order]
    pool = POOL * batch_size
    starts = range(0, len(order), pool)
    order = np.concatenate([order[s : s + pool][np.argsort(-sizes[s : s + pool], kind="stable")] for s in starts])
    batches = [order[s : s + batch_size] for s in range(0, len(order), batch_size)]
    longest = max(range(len(batches)), key=lambda b: lengths[batches[b][0]])
    shuffled = np.random.default_rng([seed, epoch, 1]).permutation(len(batches))
    # The longest texts go first, so that memory runs out at once or never.
    chosen = [longest, *(int(b) for b in shuffled if b != longest)]
    return [int(item) for b in chosen for item in batches[b]]


class EpochOrder(Sampler[int]):
    """`epoch_order` as the sampler of a DataLoader; whoever runs the epochs sets `epoch` before each."""

    def __init__(self, lengths: Sequence[int], *, batch_size: int, seed: int, by_length: bool) -> None:
        self.epoch = 0
        self._lengths, self._batch_size, self._seed, self._by_length = lengths, batch_size, seed, by_length

    def __len__(self) -> int:
        n = len(self._lengths)
        return math.ceil(n / self._batch_size) * self._batch_size if n > self._batch_size else n

    def __iter__(self) -> Iterator[int]:
        order = epoch_order(
            self._lengths, batch_size=self._batch_size, seed=self._seed, epoch=self.epoch, by_length=self._by_length
        )
        return iter(order)
