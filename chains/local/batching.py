"""Batches by token budget, left padding, and the one forward pass that scoring and decoding share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from transformers import Cache

from chains.local.memory import MemoryLimitError, TokenBudget, memory_for, release_memory
from chains.local.weights import LoadedModel

Key = TypeVar("Key")


def batches(
    lengths: Mapping[Key, int], max_batch_tokens: int, *, extra: int = 0, enough: int | None = None
) -> Iterator[list[Key]]:
    """Split rows into batches of like length, longest first, so that running out of memory happens at once.

    Args:
        lengths: The length of each row, in tokens.
        max_batch_tokens: The most tokens of a batch, padding included; a single longer row makes a batch of its own.
        extra: Tokens that each row costs beyond its length.
        enough: Tokens that keep the hardware busy: a batch with so many takes no row that is a quarter padding,
            nor any beside a first row that is so long alone. None to fill every batch.
    """
    batch: list[Key] = []
    longest = 0
    for row in sorted(lengths, key=lambda row: -lengths[row]):
        over = (len(batch) + 1) * (longest + extra) > max_batch_tokens
        busy = enough is not None and len(batch) * longest >= enough
        if batch and (over or (busy and (len(batch) == 1 or lengths[row] < 0.75 * longest))):
            yield batch
            batch = []
        if not batch:
            longest = lengths[row]
        batch.append(row)
    if batch:
        yield batch


def run_batches(
    lengths: Mapping[Key, int],
    budget: TokenBudget,
    compute: Callable[[list[Key]], None],
    *,
    extra: int = 0,
    before: int = 0,
    enough: int | None = None,
) -> dict[Key, MemoryLimitError]:
    """Compute all rows in batches within a budget; when memory runs out, halve it and go on with the rows left.

    Args:
        lengths: The length of each row, in tokens, at least 1.
        budget: Lowered in place.
        compute: Takes a batch and keeps what it finds. Called again with some of a batch's rows after memory ran out.
        extra: As `batches` takes it.
        before: Tokens in front of every row that are computed already.
        enough: As `batches` takes it.

    Returns:
        The rows that do not even fit alone, each with its error: they sink no others.
    """
    refused: dict[Key, MemoryLimitError] = {}
    left = dict(lengths)
    while left:
        for batch in batches(dict(left), budget.tokens, extra=extra, enough=enough):
            longest = max(lengths[row] for row in batch)
            try:
                with memory_for(before + longest, budget.device):
                    compute(batch)
            except MemoryLimitError as error:
                if len(batch) == 1:
                    refused[batch[0]] = MemoryLimitError(str(error))  # the one raised holds on to the batch's tensors
                    del left[batch[0]]
                else:
                    budget.tokens = len(batch) * (longest + extra) // 2
            else:
                for row in batch:
                    del left[row]
                continue
            release_memory()  # out here the error is gone, and with it its hold
            break
    return refused


def pad_left(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids (B, T) that all end in the last column, and their mask (B, T) of ones and zeros."""
    longest = max(map(len, rows))
    tokens = torch.tensor([[*[0] * (longest - len(row)), *row] for row in rows])
    mask = torch.tensor([[*[0] * (longest - len(row)), *[1] * len(row)] for row in rows])
    return tokens, mask


def positions_of(mask: torch.Tensor, n_tokens: int) -> torch.Tensor:
    """Return the positions (B, n_tokens) of the last tokens of masked rows (B, S), counting no padding."""
    return (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -n_tokens:]


def forward(
    loaded: LoadedModel,
    tokens: torch.Tensor,
    *,
    mask: torch.Tensor,
    cache: Cache | None,
    positions: torch.Tensor | None = None,
    n_logits: int = 1,
    precise: bool = False,
) -> torch.Tensor:
    """Run tokens behind what the cache holds, and return the logits of the last ones in float32.

    Args:
        loaded: The model.
        tokens: (B, T) ids.
        mask: (B, S) over the cached slots and the T new ones: 1 for a token, 0 for padding. Or (B, 1, T, S), what is
            added to the attention scores of each new token.
        cache: What came before, extended in place; None where nothing follows.
        positions: (B, T); None for those of masked rows (B, S), which count no padding.
        n_logits: L, how many of the last tokens need logits.
        precise: Multiply the output layer in float32. A bfloat16 logit of 20 is known to a tenth: labels would tie.

    Returns:
        (B, L, V), on the model's device.
    """
    device = loaded.device
    if positions is None:
        positions = positions_of(mask, tokens.shape[1])
    head = float32_head(loaded.model) if precise else nullcontext()
    with loaded.lock, torch.inference_mode(), head:
        logits: torch.Tensor = loaded.model(
            input_ids=tokens.to(device),
            attention_mask=mask.to(device),
            position_ids=positions.to(device),
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=n_logits,
        ).logits
    return logits.float()


@contextmanager
def float32_head(model: Any) -> Iterator[None]:
    """Let a model's output layer compute in float32, with no second copy of its weights in between calls."""
    head = model.get_output_embeddings()
    if not isinstance(head, torch.nn.Linear) or head.weight.dtype == torch.float32:
        yield
        return

    def compute(inputs: torch.Tensor) -> torch.Tensor:
        bias = None if head.bias is None else head.bias.float()
        return torch.nn.functional.linear(inputs.float(), head.weight.float(), bias)

    held = vars(head).get("forward")
    vars(head)["forward"] = compute
    try:
        yield
    finally:
        del vars(head)["forward"]
        if held is not None:
            vars(head)["forward"] = held
