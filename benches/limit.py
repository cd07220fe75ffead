"""How near a side comes to what the machine can do: the seconds that its work takes at least, of those that it took.

The work is counted while it is done once: the operations of its matrix products and attention, and the bytes of weights
that its passes read. What the machine can do is measured in the same run: plain products of large matrices in the
work's dtype, and the reading of memory. No order of the same operations is faster than the slower of the two.
"""

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benches.table import timed

_SIDE = 2048  # of the matrices: a few products a second of the slowest machine, and far beyond its caches
_READ_BYTES = 2**29
_TRIES = 7


class Work(NamedTuple):
    """What some work is made of.

    Attributes:
        operations: Multiplications and additions.
        weight_bytes: Bytes of weights, read once in each pass of a model.
    """

    operations: int
    weight_bytes: int


def count_work(work: Callable[[], object], model: torch.nn.Module | None = None) -> Work:
    """Do the work once, in this thread alone, and count it.

    Args:
        work: What is counted.
        model: The one whose passes read its weights; None where there are so few passes that reading is no limit.
    """
    passes, n_threads = 0, torch.get_num_threads()

    def count_pass(*_: object) -> None:
        nonlocal passes
        passes += 1

    with ExitStack() as stack:
        if model is not None:
            stack.callback(model.register_forward_pre_hook(count_pass).remove)
        stack.callback(torch.set_num_threads, n_threads)
        torch.set_num_threads(1)
        counter = stack.enter_context(FlopCounterMode(display=False))
        work()
    # Of a table of embeddings a pass reads a few rows, unless the output is made of it too.
    read = {
        parameter.data_ptr(): parameter.nbytes
        for module in (model.modules() if model is not None else ())
        if not isinstance(module, torch.nn.Embedding)
        for parameter in module.parameters(recurse=False)
    }
    return Work(counter.get_total_flops(), passes * sum(read.values()))


def least_seconds(work: Work, dtype: torch.dtype) -> float:
    """Return the seconds that the work takes at this machine's rates, measured now."""
    return max(work.operations / _product_rate(dtype), work.weight_bytes / _reading_rate())


def share_of_limit(work: Work, dtype: torch.dtype, seconds: float) -> str:
    """Return the cell of a table: how much of the time the work could not have done without."""
    return f"{100 * least_seconds(work, dtype) / seconds:.0f} %"


def _product_rate(dtype: torch.dtype) -> float:
    """Return the operations a second of plain matrix products."""
    left, right = (torch.randn(_SIDE, _SIDE).to(dtype) for _ in range(2))
    return 2 * _SIDE**3 / _median_seconds(lambda: left @ right)


def _reading_rate() -> float:
    """Return the bytes a second that are read from memory."""
    numbers = torch.ones(_READ_BYTES // 4)
    return _READ_BYTES / _median_seconds(lambda: numbers.sum())


def _median_seconds(work: Callable[[], object]) -> float:
    work()
    return statistics.median(timed(work).seconds for _ in range(_TRIES))
