"""Attention for short texts on a CPU: plain matrix products, where torch's fused kernel is the slower of the two.

torch's CPU kernel for scaled dot products saves memory at long texts. At the length of a sentence pair its backward
pass, and its forward pass with dropout, take several times as long as two batched products (`python -m benches
training` shows the whole step).
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "plain_when_short"
SHORT = 256  # tokens; from here on the weights of all pairs of tokens cost more memory than the products save time


def use_plain_attention_when_short(model: PreTrainedModel) -> None:
    """Let a model on a CPU that would run torch's fused attention compute short texts by plain products."""
    if model.config._attn_implementation == "sdpa":
        model.set_attn_implementation(NAME)


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Return (B, T, heads, head size), as transformers' attention functions do, from (B, heads, T, head size)."""
    if query.shape[2] >= SHORT or query.shape != key.shape or _has_more(module, options):
        fused: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
        return fused
    scores = query @ key.transpose(2, 3) * (query.shape[-1] ** -0.5 if scaling is None else scaling)  # (B, heads, T, T)
    if attention_mask is not None:
        scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
    weights = torch.nn.functional.dropout(scores.softmax(dim=-1), dropout, training=module.training)
    return (weights @ value).transpose(1, 2).contiguous(), None


def _has_more(module: torch.nn.Module, options: dict[str, Any]) -> bool:
    """Say whether a call is of a causal model, or asks for something that plain products do not do."""
    causal = options.get("is_causal")
    return (getattr(module, "is_causal", True) if causal is None else causal) or any(
        options.get(name) is not None for name in ("position_bias", "cache", "softcap")
    )


AttentionInterface.register(NAME, _attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
