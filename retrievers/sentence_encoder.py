"""A sentence encoder through transformers: texts in, one unit vector each out.

Texts are encoded in batches of like length, in bf16 where the processor multiplies it, so that hardly anything is
computed of padding. The vector of a text is the mean over its tokens' last hidden states.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from data.common.hardware import multiplies_bf16
from data.common.hub import quiet_transformers

_TOKENS = 8192  # in a batch, with its padding: few enough for the caches, many enough for the matrix units


class SentenceEncoder:
    """A loaded encoder.

    Args:
        folder: Of a Hugging Face model with its tokenizer; weights are read from safetensors alone.
        max_length: Tokens a text is cut at.
    """

    def __init__(self, folder: Path, *, max_length: int) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if multiplies_bf16(self.device) else torch.float32
        with quiet_transformers():
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=dtype)
        self.model = model.eval().to(self.device)
        self.max_length = max_length

    @torch.inference_mode()
    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Return (n_texts, dim) vectors of length 1, in the order of the texts."""
        ids = self.tokenizer(texts, truncation=True, max_length=self.max_length)["input_ids"]
        # The longest go first, so that memory runs out at once or never.
        order = sorted(range(len(texts)), key=lambda row: -len(ids[row]))
        vectors = np.zeros((len(texts), self.model.config.hidden_size), dtype=np.float32)
        start = 0
        while start < len(order):
            rows = order[start : start + max(_TOKENS // len(ids[order[start]]), 1)]
            vectors[rows] = self._vectors([ids[row] for row in rows])
            start += len(rows)
        return vectors

    def _vectors(self, ids: list[list[int]]) -> NDArray[np.float32]:
        batch = self.tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(self.device)
        hidden = self.model(**batch).last_hidden_state.float()  # (B, T, H)
        mask = batch["attention_mask"].unsqueeze(-1)  # (B, T, 1)
        means = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
        vectors: NDArray[np.float32] = torch.nn.functional.normalize(means, dim=-1).cpu().numpy()
        return vectors
