"""Batched decoding with a KV cache: prompts of token ids in, replies out, a token per row and step.

Rows end each for itself, at a stop token, a stop string or its length, and leave the batch once half of it is idle.
A row's reply does not depend on the rows beside it: each samples from a random stream of its own.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer

from chains.local.batching import forward, pad_left, run_batches
from chains.local.memory import MemoryLimitError, memory_for, token_budget
from chains.local.weights import LoadedModel

# A token of text may wait for so many more before its characters are whole (a Korean syllable is up to three).
_TAIL_TOKENS = 8
# Tokens that fit until a layer moves: the copy is then a small share of so many steps, and the room of the whole.
ROOM = 64
_BYTE_TOKEN = re.compile("<0x[0-9A-F]{2}>")


@dataclass(frozen=True)
class Decoding:
    """How replies are decoded.

    Attributes:
        temperature: 0 takes the likeliest token; above it, tokens are sampled.
        top_p: Sample from the likeliest tokens that hold this share of the probability.
        top_k: Sample from so many likeliest tokens; 0 from all.
        max_tokens: The most tokens of a reply.
        seed: The seed of each row's random stream; None for a new one each time.
        stop: Strings that end a reply and are no part of it.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 256
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass
class Reply:
    """What a model says to one prompt, while it says it and after.

    Attributes:
        token_ids: Said until now, without the stop token.
        text: Their text, up to a stop string; of a reply that has not finished, what no later token can change.
        n_tokens: Computed, with the stop token.
        finish_reason: "stop" or "length"; None until then.
    """

    token_ids: list[int] = field(default_factory=list)
    text: str = ""
    n_tokens: int = 0
    finish_reason: Literal["stop", "length"] | None = None


def generate_replies(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]], *, decoding: Decoding, max_batch_tokens: int | None
) -> list[Reply | MemoryLimitError]:
    """Answer prompts in batches of like length, and return the replies in the order given.

    Args:
        loaded: The model.
        prompts: n prompts of token ids, none empty.
        decoding: The same for all.
        max_batch_tokens: The most tokens of a batch at its end, with padding and replies. None: what fits into memory.

    Returns:
        n replies; an error in the place of one that does not fit into memory with its prompt, even alone.
    """
    if not prompts:
        return []
    lengths = {row: len(prompt) for row, prompt in enumerate(prompts)}
    shortest = min(lengths.values()) + decoding.max_tokens
    budget = token_budget(loaded, max_batch_tokens, logits_per_token=1 / shortest)
    replies = [Reply() for _ in prompts]
    streams: dict[int, torch.Generator] = {}

    def answer(batch: list[int]) -> None:
        # Where memory ran out before, a row goes on behind what it has said, with the random stream that it has.
        going = [row for row in batch if replies[row].finish_reason is None]
        streams.update((row, _random_stream(decoding)) for row in going if row not in streams)
        asked, said = [prompts[row] for row in going], [replies[row] for row in going]
        for _ in _decode(loaded, asked, said, decoding, [streams[row] for row in going]):
            pass
        for row in going:
            del streams[row]

    refused = run_batches(lengths, budget, answer, extra=decoding.max_tokens)
    for reply in replies:
        reply.text = _whole_text(loaded, reply, decoding.stop)
    return [refused.get(row) or reply for row, reply in enumerate(replies)]


def stream_reply(loaded: LoadedModel, prompt: Sequence[int], *, decoding: Decoding) -> Iterator[Reply]:
    """Answer one prompt, yielding the same growing reply after every token; its text only ever grows at the end."""
    reply = Reply()
    with memory_for(len(prompt), loaded.device):
        for _ in _decode(loaded, [prompt], [reply], decoding, [_random_stream(decoding)]):
            if reply.finish_reason is None:
                reply.text = _settled_text(loaded, reply, decoding.stop)
            else:
                reply.text = _whole_text(loaded, reply, decoding.stop)
            yield reply


def _decode(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    replies: Sequence[Reply],
    decoding: Decoding,
    streams: Sequence[torch.Generator],
) -> Iterator[None]:
    """Extend unfinished replies by a token a step until all have finished, pausing after each step."""
    if not prompts:
        return
    tokens, mask = pad_left([[*prompt, *reply.token_ids] for prompt, reply in zip(prompts, replies, strict=True)])
    limits = [_room(loaded, len(prompt), decoding.max_tokens) for prompt in prompts]
    cache = DecodingCache(loaded.model.config)
    active = list(range(len(prompts)))  # the row that each place of the batch answers
    while True:
        logits = forward(loaded, tokens, mask=mask, cache=cache)[:, -1]  # (B, V)
        chosen = _choose(logits, [streams[row] for row in active], decoding)
        for row, token in zip(active, chosen, strict=True):
            if replies[row].finish_reason is None:
                _append(loaded, replies[row], token, limits[row], decoding.stop)
        yield
        going = [place for place, row in enumerate(active) if replies[row].finish_reason is None]
        if not going:
            return
        tokens = torch.tensor(chosen)[:, None]
        if len(going) <= len(active) // 2:
            places = torch.tensor(going)
            cache.batch_select_indices(places.to(loaded.device))
            tokens, mask, active = tokens[places], mask[places], [active[place] for place in going]
        mask = torch.cat([mask, torch.ones_like(tokens)], dim=1)


def _append(loaded: LoadedModel, reply: Reply, token: int, limit: int, stop: tuple[str, ...]) -> None:
    reply.n_tokens += 1
    if token in loaded.stop_ids:
        reply.finish_reason = "stop"
        return
    reply.token_ids.append(token)
    if stop and _says_stop(loaded, reply, stop):
        reply.finish_reason = "stop"
    elif reply.n_tokens >= limit:
        reply.finish_reason = "length"


def _says_stop(loaded: LoadedModel, reply: Reply, stop: tuple[str, ...]) -> bool:
    # A token holds at least one byte of the text, so these hold every stop string that could end here.
    longest = max(len(string.encode()) for string in stop)
    tail = _decode_text(loaded, reply.token_ids[-longest - _TAIL_TOKENS :])
    return any(string in tail for string in stop)


def _whole_text(loaded: LoadedModel, reply: Reply, stop: tuple[str, ...]) -> str:
    text = _decode_text(loaded, reply.token_ids)
    ends = [text.find(string) for string in stop if string in text]
    return text[: min(ends)] if ends else text


def _settled_text(loaded: LoadedModel, reply: Reply, stop: tuple[str, ...]) -> str:
    """Return the text that later tokens leave as it is: no half character, no beginning of a stop string."""
    end = len(reply.token_ids)
    # A run of SentencePiece's byte tokens is decoded as one, and is all replacement signs until its bytes add up.
    while end and _BYTE_TOKEN.fullmatch(loaded.tokenizer.convert_ids_to_tokens(reply.token_ids[end - 1])):
        end -= 1
    text = _decode_text(loaded, reply.token_ids[:end]).rstrip("\ufffd")
    held = max(
        (size for string in stop for size in range(1, len(string)) if text.endswith(string[:size])),
        default=0,
    )
    return text[: len(text) - held]


def _decode_text(loaded: LoadedModel, token_ids: Sequence[int]) -> str:
    text: str = loaded.tokenizer.decode(token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text


def _choose(logits: torch.Tensor, streams: Sequence[torch.Generator], decoding: Decoding) -> list[int]:
    """Choose a token for each row of logits (B, V)."""
    if decoding.temperature == 0:
        likeliest: list[int] = logits.argmax(dim=-1).tolist()
        return likeliest
    probs, tokens = (logits / decoding.temperature).softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
    if decoding.top_k:
        probs[:, decoding.top_k :] = 0
    if decoding.top_p < 1:
        probs[probs.cumsum(dim=-1) - probs >= decoding.top_p] = 0
    ranks = [torch.multinomial(row, 1, generator=stream) for row, stream in zip(probs.cpu(), streams, strict=True)]
    sampled: list[int] = tokens.cpu().gather(-1, torch.stack(ranks)).squeeze(-1).tolist()
    return sampled


def _random_stream(decoding: Decoding) -> torch.Generator:
    stream = torch.Generator()
    if decoding.seed is None:
        stream.seed()
    else:
        stream.manual_seed(decoding.seed)
    return stream


def _room(loaded: LoadedModel, prompt_tokens: int, max_tokens: int) -> int:
    if loaded.context_length is None:
        return max_tokens
    return min(max_tokens, loaded.context_length - prompt_tokens)


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
    """transformers' dynamic cache with room in the layers that see every token; the others forget, and stay small.

    transformers' own grows by concatenation: at every step it copies the keys and values of all tokens before. Here a
    step writes its token into room that is kept free, and copies nothing.
    """

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__(config=config)
        self.layers = [_RoomyLayer() if type(layer) is DynamicLayer else layer for layer in self.layers]
