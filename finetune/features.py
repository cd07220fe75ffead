"""From items to what an encoder reads: the text columns, the label by its name, and token ids.

Used alike by training, by the checkpoint that answers items, and by the EDA, so that the three cannot differ.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from data.common.errors import ConfigurationError
from data.common.parsing import JsonObject
from data.labels import label_ids
from data.types import Item
from finetune.teacher import Probs, soft_labels

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# input_ids, attention_mask, token_type_ids where the encoder has them, label: a place, or (n_labels,) probabilities
Features = JsonObject


def texts_of(inputs: Mapping[str, Any], text_fields: Sequence[str], *, where: str) -> tuple[str, ...]:
    """Return the texts the encoder reads, in the order of `text_fields`.

    Args:
        inputs: An item's inputs, or a predictor's flat input.
        text_fields: One or two names.
        where: What to call the input in an error, such as the item's id.

    Raises:
        ConfigurationError: A field is missing or no text.
    """
    for field in text_fields:
        if not isinstance(inputs.get(field), str):
            have = ", ".join(sorted(name for name, value in inputs.items() if isinstance(value, str)))
            raise ConfigurationError(f"{where} has no text '{field}'; it has: {have}. Name others with --text-fields")
    return tuple(inputs[field] for field in text_fields)


def fields_of(items: Sequence[Item]) -> tuple[str, ...]:
    """Return the names of the texts that an encoder reads of a task of the user's own, whatever they are called.

    Raises:
        ConfigurationError: The items have more than two.
    """
    names = tuple(dict.fromkeys(name for item in items for name in item.inputs))
    if len(names) > 2:
        raise ConfigurationError(
            f"an encoder reads one text or two, and the items have {len(names)}: {', '.join(names)}; name those "
            "to read with --text-fields (text_fields of finetune in a suite), or fewer columns with --text"
        )
    return names


def tokenize(
    tokenizer: "PreTrainedTokenizerBase", texts: Sequence[tuple[str, ...]], *, max_length: int
) -> list[Features]:
    """Encode texts or pairs of texts, cut at `max_length` tokens from the longer side, without padding.

    Padding is left to the collator, which pads a batch to its own longest member.
    """
    if not texts:
        return []
    columns = [list(column) for column in zip(*texts, strict=True)]
    encoded = tokenizer(
        *columns,
        truncation="longest_first" if len(columns) == 2 else True,
        max_length=max_length,
        split_special_tokens=True,  # a text that spells "[SEP]" or "</s>" does not end there
    )
    return [{name: encoded[name][row] for name in encoded} for row in range(len(texts))]


class Coverage(NamedTuple):
    """How well a tokenizer covers texts.

    Attributes:
        unknown: The share of tokens that stand for what it does not know.
        pieces: Tokens a word; a word is what white space separates.
    """

    unknown: float
    pieces: float

    @property
    def is_poor(self) -> bool:
        """Whether an encoder can hardly read such texts: it was not made for their language."""
        return self.unknown > 0.05 or self.pieces > 4


def coverage(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> Coverage:
    """Measure how well a tokenizer covers texts."""
    ids = [token for one in tokenizer(list(texts), add_special_tokens=False)["input_ids"] for token in one]
    words = sum(len(text.split()) for text in texts)
    unknown = ids.count(tokenizer.unk_token_id) if tokenizer.unk_token_id is not None else 0
    return Coverage(unknown / max(len(ids), 1), len(ids) / max(words, 1))


def encode_items(
    tokenizer: "PreTrainedTokenizerBase",
    items: Sequence[Item],
    *,
    labels: Sequence[str],
    text_fields: Sequence[str],
    max_length: int,
    probs: Probs | None = None,
) -> list[Features]:
    """Encode items with their labels, ready for the Trainer; with a teacher's `probs`, these are the labels."""
    texts = [texts_of(item.inputs, text_fields, where=item.id) for item in items]
    features = tokenize(tokenizer, texts, max_length=max_length)
    targets: list[Any] = list(label_ids(items, labels))
    if probs:
        targets = [soft_labels(item, probs[item.id], labels) for item in items]
    return [row | {"label": target} for row, target in zip(features, targets, strict=True)]
