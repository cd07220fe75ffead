"""A KV cache whose rows share a prefix: the prefix is held once, and never copied for every row and layer.

transformers' own `batch_repeat_interleave` would hold it once a row: gigabytes for exam passages.
"""

from typing import Any

import torch
from transformers import Cache, DynamicCache, PreTrainedConfig
from transformers.cache_utils import CacheLayerMixin, DynamicLayer, DynamicSlidingWindowLayer

KeysValues = list[tuple[torch.Tensor, torch.Tensor]]  # per layer, each (1, H, P, D)


class _PrefixLayer(CacheLayerMixin):
    """One layer: `prefix` (1, H, P, D), and `keys` and `values` (B, H, S, D) of what each row adds to it."""

    is_sliding = False

    def __init__(self, prefix: tuple[torch.Tensor, torch.Tensor] | None) -> None:
        super().__init__()
        self.prefix = prefix

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self.keys is not None and self.values is not None:
            key_states = torch.cat([self.keys, key_states], dim=-2)
            value_states = torch.cat([self.values, value_states], dim=-2)
        self.keys, self.values, self.is_initialized = key_states, value_states, True
        return self.joined()

    def joined(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return keys and values (B, H, P + S, D), the prefix in front of every row."""
        assert self.keys is not None
        assert self.values is not None
        if self.prefix is None:
            return self.keys, self.values
        keys, values = (states.expand(len(self.keys), -1, -1, -1) for states in self.prefix)
        return torch.cat([keys, self.keys], dim=-2), torch.cat([values, self.values], dim=-2)

    def selected(self, rows: torch.Tensor) -> "_PrefixLayer":
        assert self.keys is not None
        assert self.values is not None
        layer = _PrefixLayer(self.prefix)
        layer.update(self.keys[rows.to(self.keys.device)], self.values[rows.to(self.values.device)])
        return layer

    def get_seq_length(self) -> int:
        before = 0 if self.prefix is None else self.prefix[0].shape[-2]
        return before + (0 if self.keys is None else self.keys.shape[-2])

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        return -1


class PrefixCache(Cache):
    """What a forward pass extends: a prefix shared by all rows of the batch, then each row's own tokens.

    Args:
        config: The model's configuration.
        prefix: Keys and values of every layer; None for an empty prefix.
    """

    def __init__(self, config: PreTrainedConfig, prefix: KeysValues | None = None) -> None:
        if prefix is None:
            self._hold([_PrefixLayer(None) for _ in DynamicCache(config=config).layers])
        else:
            self._hold([_PrefixLayer(states) for states in prefix])

    def _hold(self, layers: list[_PrefixLayer]) -> None:
        super().__init__(layers=[*layers])
        self.prefix_layers = layers

    def joined(self) -> KeysValues:
        """Return all keys and values of a cache of one row, as the prefix of another."""
        return [layer.joined() for layer in self.prefix_layers]

    def selected(self, rows: torch.Tensor) -> "PrefixCache":
        """Return a cache of its own with these rows, which may repeat."""
        cache = PrefixCache.__new__(PrefixCache)
        cache._hold([layer.selected(rows) for layer in self.prefix_layers])
        return cache


def keeps_everything(config: PreTrainedConfig, n_tokens: int) -> bool:
    """Say whether every layer of a model sees all of so many slots, padding between its tokens included.

    Where a layer has a shorter window, or a state in place of a cache, padding in the middle would push out tokens.
    """
    return all(
        type(layer) is DynamicLayer or (type(layer) is DynamicSlidingWindowLayer and n_tokens <= layer.sliding_window)
        for layer in DynamicCache(config=config).layers
    )
