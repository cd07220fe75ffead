"""A KV cache for decoding: a step writes its token into room that is kept free, and copies nothing of what came before.

transformers' own cache grows by concatenation: at every step it copies the keys and values of all tokens before.
"""

from typing import Any

import torch
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer

# Tokens that fit until a layer moves: the copy is then a small share of so many steps, and the room of the whole.
ROOM = 64


class _RoomyLayer(DynamicLayer):
    """One layer: `keys` and `values` (B, H, S, D) are views on buffers with room for more tokens behind them."""

    buffers: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if self.buffers is None or end > self.buffers[0].shape[-2]:
            self.buffers = (self._moved(self.keys, key_states, end), self._moved(self.values, value_states, end))
        for buffer, states in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[:, :, start:end] = states
        self.keys, self.values = (buffer[:, :, :end] for buffer in self.buffers)
        self.is_initialized = True
        return self.keys, self.values

    def _moved(self, held: torch.Tensor | None, new: torch.Tensor, end: int) -> torch.Tensor:
        buffer = new.new_empty(*new.shape[:2], end + ROOM, new.shape[-1])
        if held is not None:
            buffer[:, :, : held.shape[-2]] = held
        return buffer

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        super().batch_select_indices(indices)
        self.buffers = None  # what was selected is a copy without room


class DecodingCache(DynamicCache):
    """transformers' dynamic cache with room in the layers that see every token; the others forget, and stay small."""

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__(config=config)
        self.layers = [_RoomyLayer() if type(layer) is DynamicLayer else layer for layer in self.layers]
