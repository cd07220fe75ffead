"""A sentence encoder through transformers: texts in, one unit vector each out.

A batch is one row of tokens, text after text, and attention runs over each text alone: nothing is computed of padding,
and the scores of a text stay in the processor's caches. Numbers are bf16 where the processor multiplies it. The vector
of a text is the mean over its tokens' last hidden states.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from data.common.hardware import multiplies_bf16
from data.common.hub import quiet_transformers

_TOKENS = 2048  # in a batch: few enough for the caches, many enough for the matrix units
_SCORES = 2**16  # of attention, a head, that are computed at once, for texts of one length
_ATTENTION = "text_by_text"


class SentenceEncoder:
    """A loaded encoder, which threads may share.

    Args:
        folder: The folder of a Hugging Face BERT with its tokenizer; weights are read from safetensors alone.
        max_length: Tokens that the model reads at once.
        whole_texts: Read a longer text in pieces, and take their mean, each weighing as its tokens; else cut it.
    """

    def __init__(self, folder: Path, *, max_length: int, whole_texts: bool = False) -> None:
        from transformers import AttentionInterface, AutoModel, AutoTokenizer

        AttentionInterface.register(_ATTENTION, _attend)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if multiplies_bf16(self.device) else torch.float32
        with quiet_transformers():
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModel.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=dtype,
                add_pooling_layer=False,
                attn_implementation=_ATTENTION,
            )
        self.model = model.eval().to(self.device)
        self.max_length = max_length
        self.whole_texts = whole_texts
        # The tokenizer cannot be used by two threads, and two forward passes only take each other's cores.
        self._lock = threading.Lock()

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Return (n_texts, dim) vectors of length 1, in the order of the texts."""
        sums = np.zeros((len(texts), self.model.config.hidden_size), dtype=np.float32)
        if not texts:
            return sums
        with self._lock:
            ids, owners = self._pieces(texts)
            # The longest go first, so that memory runs out at once or never; texts of one length stand together.
            order = sorted(range(len(ids)), key=lambda piece: -len(ids[piece]))
            batches = list(_batches(order, [len(piece) for piece in ids]))
            means = self._means_of_all([[ids[piece] for piece in batch] for batch in batches])
        for piece, mean in zip(order, np.concatenate(means), strict=True):
            sums[owners[piece]] += max(len(ids[piece]) - self._n_special, 1) * mean
        vectors: NDArray[np.float32] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return vectors

    @property
    def _n_special(self) -> int:
        return int(self.tokenizer.num_special_tokens_to_add())

    def _pieces(self, texts: list[str]) -> tuple[list[list[int]], list[int]]:
        """Return the token ids of all pieces, and for each piece which text it is of."""
        encoded = self.tokenizer(
            texts, truncation=True, max_length=self.max_length, return_overflowing_tokens=self.whole_texts
        )
        return encoded["input_ids"], encoded.get("overflow_to_sample_mapping", list(range(len(texts))))

    def _means_of_all(self, batches: list[list[list[int]]]) -> list[NDArray[np.float32]]:
        """Return the means of each batch's pieces. Each core computes batches of its own, and waits for no other."""
        n_threads = torch.get_num_threads()
        n_workers = min(n_threads, len(batches)) if self.device == "cpu" else 1
        if n_workers == 1:
            return [self._means(batch) for batch in batches]
        try:
            with ThreadPoolExecutor(
                n_workers, initializer=torch.set_num_threads, initargs=(n_threads // n_workers,)
            ) as pool:
                return list(pool.map(self._means, batches))
        finally:
            torch.set_num_threads(n_threads)  # what a worker sets also holds for MKL, in every thread

    @torch.inference_mode()
    def _means(self, ids: list[list[int]]) -> NDArray[np.float32]:
        """Return (n_pieces, dim), the mean of each piece's last hidden states."""
        lengths = [len(piece) for piece in ids]
        row = torch.tensor([[token for piece in ids for token in piece]], device=self.device)
        positions = torch.cat([torch.arange(length) for length in lengths]).unsqueeze(0).to(self.device)
        hidden = self.model(row, position_ids=positions, runs=_runs(lengths)).last_hidden_state[0]  # (T, H)
        means = torch.stack([piece.float().mean(dim=0) for piece in hidden.split(lengths)])
        vectors: NDArray[np.float32] = means.cpu().numpy()
        return vectors


def _batches(order: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the pieces in their order, as many together as have `_TOKENS` tokens, and at least one."""
    batch: list[int] = []
    tokens = 0
    for piece in order:
        if batch and tokens + lengths[piece] > _TOKENS:
            yield batch
            batch, tokens = [], 0
        batch.append(piece)
        tokens += lengths[piece]
    yield batch


def _runs(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Return how many neighbours have one length, and that length, no more of them than `_SCORES` allows."""
    runs = []
    for length, alike in groupby(lengths):
        left, most = len(list(alike)), max(_SCORES // length**2, 1)
        runs += [(min(most, left - start), length) for start in range(0, left, most)]
    return runs


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    *,
    scaling: float,
    runs: list[tuple[int, int]],
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Let each text's tokens attend to that text: (1, heads, T, dim) in, (1, T, heads, dim) out."""
    heads, dim = query.shape[1], query.shape[3]
    sizes = [n * length for n, length in runs]
    unused = query.new_empty(1)  # of baddbmm, which scales without a pass of its own
    parts = []
    for (n, length), *inputs in zip(runs, *(each[0].split(sizes, dim=1) for each in (query, key, value)), strict=True):
        q, k, v = (part.reshape(heads * n, length, dim) for part in inputs)
        scores = torch.baddbmm(unused, q, k.transpose(1, 2), beta=0, alpha=scaling)
        mixed = torch.bmm(scores.softmax(dim=-1), v)  # (heads * n, length, dim)
        parts.append(mixed.view(heads, n * length, dim).transpose(0, 1))
    return torch.cat(parts).unsqueeze(0), None
