"""Memory: how many tokens fit into what is free, and what it looks like when they did not.

In come a loaded model and what `/proc`, the cgroup or the device says is free; out comes a budget in tokens. The
arithmetic is in pure functions, the probes around it are thin: where nothing tells what is free, a bound stands in.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from chains.local.weights import LoadedModel
from data.common.errors import ProjectError

# Of the free memory. The rest is for what is not counted: masks, copies while a cache grows, other programs.
SAFE_SHARE = 0.5
# Larger batches gain nothing: a few cores are busy with far fewer tokens, an accelerator with not many more.
MOST_TOKENS = 8192
MOST_TOKENS_ACCELERATED = 65_536
# Of the widest layer's size: what a gated layer holds at once, and the residual stream beside it.
_LIVE_ACTIVATIONS = 6
# The model's own, in float32, and what a softmax makes of them.
_LOGIT_COPIES = 3
# What torch raises as a plain RuntimeError, by device.
_SAID = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
# The files of a cgroup, version 2 and 1: its limit, what it uses, and the cached files in that which make way.
_CGROUP_2 = ("memory.max", "memory.current", "inactive_file")
_CGROUP_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


class MemoryLimitError(ProjectError):
    """A single prompt does not fit into memory beside the model."""


@dataclass
class TokenBudget:
    """How many tokens a batch may have, padding included: lowered, for the rest of a call, when memory runs out.

    Attributes:
        tokens: At least 1; a single longer row makes a batch of its own.
        device: The device that has the memory.
    """

    tokens: int
    device: torch.device


def token_budget(loaded: LoadedModel, max_batch_tokens: int | None, *, logits_per_token: float = 1.0) -> TokenBudget:
    """Return the budget of one call: as many tokens as were asked for, or as fit into what is free now.

    Args:
        loaded: The model.
        max_batch_tokens: What was asked for; None to find it.
        logits_per_token: How many of a batch's tokens have logits at once, as a share of them all.
    """
    if max_batch_tokens is not None:
        return TokenBudget(max_batch_tokens, loaded.device)
    config = loaded.model.config.get_text_config()
    # `chains.local.batching.float32_head` copies the output layer while it computes.
    copied = 0 if loaded.dtype == torch.float32 else config.vocab_size * config.hidden_size * 4
    free = free_bytes(loaded.device)
    fitting = tokens_that_fit(
        None if free is None else free - copied,
        bytes_per_token(config, dtype_bytes=loaded.dtype.itemsize, logits_per_token=logits_per_token),
        most=MOST_TOKENS_ACCELERATED if loaded.device.type in ("cuda", "mps") else MOST_TOKENS,
    )
    return TokenBudget(fitting, loaded.device)


def tokens_that_fit(free: int | None, token_bytes: int, *, most: int) -> int:
    """Return how many tokens a safe share of the free memory holds, from 1 to `most`.

    Args:
        free: The memory that is left, in bytes, negative where memory is short already; None where nobody says.
        token_bytes: That one token costs, as `bytes_per_token` counts.
        most: Beyond which a larger batch gains nothing.
    """
    if free is None:
        return most
    return max(1, min(most, int(free * SAFE_SHARE) // token_bytes))


def bytes_per_token(config: Any, *, dtype_bytes: int, logits_per_token: float) -> int:
    """Count what a token holds at the worst moment: keys and values, the widest layer, and its share of logits.

    Args:
        config: The text model's configuration; where it does not say how many heads share keys, none do.
        dtype_bytes: The size of one weight, in bytes.
        logits_per_token: How many of a batch's tokens have logits at once, as a share of them all.
    """
    hidden = _largest(config, "hidden_size", 1)
    heads = _largest(config, "num_attention_heads", 1)
    kv_heads = _largest(config, "num_key_value_heads", heads)
    head_size = _largest(config, "head_dim", hidden // heads)
    widest = max(hidden, _largest(config, "intermediate_size", 4 * hidden))
    kv_cache = 2 * config.num_hidden_layers * kv_heads * head_size * dtype_bytes
    logits = config.vocab_size * 4 * _LOGIT_COPIES * logits_per_token
    return int(kv_cache + _LIVE_ACTIVATIONS * widest * dtype_bytes + logits)


def _largest(config: Any, name: str, default: int) -> int:
    sizes = getattr(config, name, None) or default
    return max(sizes) if isinstance(sizes, list | tuple) else int(sizes)  # some models have a size for each layer


def free_bytes(device: torch.device) -> int | None:
    """Return how much memory a device has for new tensors now; None where nobody says."""
    if device.type == "cuda":
        # What torch holds and does not use is free for torch.
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + held
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    return free_host_bytes() if device.type == "cpu" else None


def free_host_bytes(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return what the machine has available, or what is left to this process's cgroup where that is less.

    Args:
        proc: Where Linux tells of processes; None is returned where there is no such folder.
        cgroups: Where it tells of their limits, in version 1 or 2.
    """
    lines = _read(proc / "meminfo").splitlines()
    left = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    for line in _read(proc / "self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            left.extend(_left_to_groups(cgroups, path, _CGROUP_2))
        elif "memory" in controllers.split(","):
            left.extend(_left_to_groups(cgroups / "memory", path, _CGROUP_1))
    return min(left, default=None)


def _left_to_groups(root: Path, path: str, names: tuple[str, str, str]) -> Iterator[int]:
    """Yield what is left to a cgroup and to each around it: every limit counts. In a container, only `root` is seen."""
    group = root / path.lstrip("/")
    for folder in (group, *group.parents):
        if not folder.is_relative_to(root):
            return
        limit, used = (_read(folder / name).strip() for name in names[:2])
        if limit.isdecimal() and used.isdecimal():  # no limit reads "max"
            stat = dict(line.split() for line in _read(folder / "memory.stat").splitlines())
            yield max(0, int(limit) - int(used) + int(stat.get(names[2], 0)))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


@contextmanager
def memory_for(n_tokens: int, device: torch.device) -> Iterator[None]:
    """Turn running out of memory inside into one line.

    Args:
        n_tokens: The length of the longest prompt that is computed inside, in tokens.
        device: Where it is computed.

    Raises:
        MemoryLimitError: Memory ran out.
    """
    try:
        yield
    except (RuntimeError, MemoryError, MemoryLimitError) as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryLimitError(
            f"a prompt of {n_tokens} tokens does not fit into the free memory of {device}; "
            "shorten it, free memory, or use a smaller model or dtype bfloat16"
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that a device, or the machine, had no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError | MemoryLimitError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _SAID)


def release_memory() -> None:
    """Give back what is held for reuse: what a failed pass left would be in the way of a smaller one."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
