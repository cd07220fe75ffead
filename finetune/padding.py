"""What an encoder is given of an item, and what it costs to make the inputs of a batch equally long.

A batch is one array, so its shorter inputs are filled up with padding, which is computed like text. Padding to the
longest input of the batch, not to `max_length`, is called dynamic; texts of like length in one batch save the most.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.common.parsing import JsonObject
from data.common.table import aligned
from data.types import Item
from finetune.features import texts_of, tokenize
from finetune.figures import BLUE, GREY, dress_axes, save_figure
from finetune.order import epoch_order

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SHOWN = 48  # tokens of the example on a terminal
WAYS = {
    "max_length": "each input to max_length",
    "random": "to the longest of a batch, in random order",
    "by_length": "to the longest of a batch of like lengths, as in training",
}


def tokenized_example(
    items: Sequence[Item],
    lengths: Sequence[int],
    tokenizer: "PreTrainedTokenizerBase",
    *,
    text_fields: Sequence[str],
    max_length: int,
) -> JsonObject:
    """Return the item whose input has the median length, with its tokens and all that the encoder is given of it.

    Args:
        items: At least one.
        lengths: (n,) tokens of each whole input, not cut.
        tokenizer: The encoder's.
        text_fields: What the encoder reads.
        max_length: Tokens an input is cut at.
    """
    middle = sorted(range(len(items)), key=lengths.__getitem__)[len(items) // 2]
    item = items[middle]
    texts = texts_of(item.inputs, text_fields, where=item.id)
    row = tokenize(tokenizer, [texts], max_length=max_length)[0]
    return {
        "id": item.id,
        "texts": dict(zip(text_fields, texts, strict=True)),
        "label": item.choices[item.target],
        "tokens": tokenizer.convert_ids_to_tokens(row["input_ids"]),
        **row,
    }


def padding_figures(lengths: Sequence[int], *, max_length: int, batch_size: int, seed: int) -> JsonObject:
    """Return what the first epoch computes, padded in three ways.

    Args:
        lengths: (n,) tokens of each whole input, not cut; at least one.
        max_length: Tokens an input is cut at.
        batch_size: Items of a batch that is padded as a whole: on several devices, each pads its own part.
        seed: The seed of the training, which decides the order.

    Returns:
        `batch_size`; for each of `WAYS` the `tokens` of the epoch, padding included, the share of `padding` in them,
        and, of the two orders, the lengths of one `batch` from its middle.
    """
    cut = np.minimum(lengths, max_length)
    figures: JsonObject = {"batch_size": batch_size}
    for by_length in (False, True):
        order = epoch_order(lengths, batch_size=batch_size, seed=seed, epoch=0, by_length=by_length)
        batches = [cut[order[start : start + batch_size]] for start in range(0, len(order), batch_size)]
        real = int(cut[order].sum())
        figures["max_length"] = _way(len(order) * max_length, real)
        padded = sum(len(batch) * int(batch.max()) for batch in batches)
        one = batches[len(batches) // 2]
        figures["by_length" if by_length else "random"] = _way(padded, real) | {"batch": one.tolist()}
    return figures


def format_inputs(example: Mapping[str, Any], padding: Mapping[str, Any]) -> str:
    """Return the example and what padding costs as text for a terminal."""
    tokens = example["tokens"]
    rest = f" … ({len(tokens)} tokens)" if len(tokens) > SHOWN else ""
    rows = [
        [said, f"{padding[way]['tokens']:,}", f"{100 * padding[way]['padding']:.1f} %"] for way, said in WAYS.items()
    ]
    return "\n".join(
        [
            f"an item of median length as the encoder reads it ({example['id']}, {example['label']}):",
            f"  {' '.join(tokens[:SHOWN])}{rest}",
            f"  input_ids {' '.join(map(str, example['input_ids'][:SHOWN]))}{' …' if rest else ''}",
            "",
            aligned([[f"padding, batches of {padding['batch_size']}", "tokens an epoch", "padding"], *rows]),
        ]
    )


def draw_padding(padding: Mapping[str, Any], out: Path) -> None:
    """Draw one batch of each order, a bar an input with its padding, into `out/padding.svg` and `padding.png`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, way in zip(figure.subplots(1, 2, sharex=True), ("random", "by_length"), strict=True):
        lengths = np.array(padding[way]["batch"])
        rows, longest = np.arange(len(lengths)), lengths.max()
        axes.barh(rows, lengths, height=1, color=BLUE, label="tokens")
        axes.barh(rows, longest - lengths, left=lengths, height=1, color=GREY, alpha=0.4, label="padding")
        share = f"{100 * padding[way]['padding']:.1f} % padding in the epoch"
        dress_axes(axes, title=f"{'Random order' if way == 'random' else 'Like lengths'}: {share}", x_label="tokens")
        axes.set_ylabel("inputs of one batch")
        axes.set_yticks([])
    axes.legend(frameon=False, fontsize=9)
    save_figure(figure, out / "padding")


def _way(tokens: int, real: int) -> JsonObject:
    return {"tokens": tokens, "padding": 1 - real / tokens}
