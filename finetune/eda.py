"""What the training data looks like, before anything is trained on it.

Answers what a practitioner asks first: how long are the texts and what would `max_length` cut, are the labels
balanced, in each genre too, and which pairs occur twice, or twice with different labels.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.errors import ConfigurationError
from data.overlap import fold
from data.types import Item
from finetune.curves import BLUE, GREY, ORANGE, dress_axes, save_figure
from finetune.features import label_ids, texts_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PERCENTILES = (5, 25, 50, 75, 95, 99)
EXAMPLES = 5  # ids shown of each kind of duplicate
BAR_COLOURS = (BLUE, ORANGE, GREY, "#448361", "#9065b0", "#c14c8a", "#cb912f")

Lengths = dict[str, list[int]]  # text field or "pair" -> (n,) tokens


def token_lengths(
    items: Sequence[Item], tokenizer: "PreTrainedTokenizerBase", *, text_fields: Sequence[str]
) -> Lengths:
    """Count the tokens of each text on its own, and of the whole input with the encoder's special tokens.

    Args:
        items: At least one.
        tokenizer: The encoder's.
        text_fields: One or two; with two, "pair" is the input of both.
    """
    texts = [texts_of(item.inputs, text_fields, where=item.id) for item in items]
    columns = [list(column) for column in zip(*texts, strict=True)]

    def count(*parts: list[str], special: bool) -> list[int]:
        encoded = tokenizer(*parts, add_special_tokens=special, truncation=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    lengths = {field: count(column, special=False) for field, column in zip(text_fields, columns, strict=True)}
    return lengths | {"pair" if len(columns) == 2 else "input": count(*columns, special=True)}


def describe(
    items: Sequence[Item], lengths: Lengths, *, labels: Sequence[str], text_fields: Sequence[str], max_length: int
) -> dict[str, Any]:
    """Return the figures of the data set as one JSON object.

    Args:
        items: At least one.
        lengths: Of `token_lengths`.
        labels: The class names.
        text_fields: What the encoder reads; two items with the same texts are duplicates.
        max_length: Tokens an input would be cut at.

    Raises:
        ConfigurationError: There are no items, or one has an unknown label.
    """
    if not items:
        raise ConfigurationError("there are no items to describe; check --split, --data and --limit")
    label_ids(items, labels)
    by_tag: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        for tag in item.tags:
            by_tag[tag].append(item)
    return {
        "n": len(items),
        "max_length": max_length,
        "tokens": {name: _distribution(values, max_length) for name, values in lengths.items()},
        "labels": _label_counts(items, labels),
        "by_tag": {tag: {"n": len(tagged), "labels": _label_counts(tagged, labels)} for tag, tagged in by_tag.items()},
        "duplicates": _duplicates(items, text_fields),
    }


def write_eda(figures: Mapping[str, Any], lengths: Lengths, out: Path) -> None:
    """Write `eda.json`, `lengths.svg`/`.png` and `labels.svg`/`.png` into a folder, which is made.

    Raises:
        ConfigurationError: The folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "eda.json").write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write to '{out}': {error.strerror}; name another --out") from error
    _draw_lengths(lengths, figures["max_length"], out)
    _draw_labels(figures, out)


def format_eda(figures: Mapping[str, Any]) -> str:
    """Return the figures as tables for a terminal."""
    heads = ["tokens", "mean", *(f"p{p}" for p in PERCENTILES), "max", f"cut at {figures['max_length']}"]
    rows = [
        [name, f"{row['mean']:.1f}", *(f"{row[f'p{p}']:.0f}" for p in PERCENTILES), str(row["max"]), _share(row["cut"])]
        for name, row in figures["tokens"].items()
    ]
    labels = list(figures["labels"])
    groups = {"all": {"n": figures["n"], "labels": figures["labels"]}} | figures["by_tag"]
    label_rows = [
        [name, str(group["n"]), *(_share(group["labels"][label]["share"]) for label in labels)]
        for name, group in groups.items()
    ]
    twice = figures["duplicates"]
    return "\n\n".join(
        [
            _table(heads, rows),
            _table(["labels", "n", *labels], label_rows),
            f"duplicates: {twice['repeated']} items repeat an earlier one; "
            f"{twice['contradictory']} texts occur with different labels",
        ]
    )


def _distribution(values: Sequence[int], max_length: int) -> dict[str, float]:
    array = np.asarray(values)
    percentiles = {f"p{p}": float(np.percentile(array, p)) for p in PERCENTILES}
    ends = {"mean": float(array.mean()), "min": int(array.min()), "max": int(array.max())}
    return ends | percentiles | {"cut": float((array > max_length).mean())}


def _label_counts(items: Sequence[Item], labels: Sequence[str]) -> dict[str, dict[str, float]]:
    counts = Counter(label_ids(items, labels))
    return {label: {"n": counts[i], "share": counts[i] / len(items)} for i, label in enumerate(labels)}


def _duplicates(items: Sequence[Item], text_fields: Sequence[str]) -> dict[str, Any]:
    """Find texts that occur more than once, apart from case and surrounding space."""
    same: dict[tuple[str, ...], list[Item]] = defaultdict(list)
    for item in items:
        key = tuple(fold(item.inputs[field]) for field in text_fields)
        same[key].append(item)
    repeated = [group for group in same.values() if len(group) > 1]
    contradictory = [group for group in repeated if len({item.choices[item.target] for item in group}) > 1]
    return {
        "repeated": sum(len(group) - 1 for group in repeated),
        "contradictory": len(contradictory),
        "repeated_ids": [[item.id for item in group] for group in repeated[:EXAMPLES]],
        "contradictory_ids": [[item.id for item in group] for group in contradictory[:EXAMPLES]],
    }


def _draw_lengths(lengths: Lengths, max_length: int, out: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(lengths), 3.6), layout="constrained")
    for axes, (name, values) in zip(figure.subplots(1, len(lengths), squeeze=False)[0], lengths.items(), strict=True):
        # Bars of a whole number of tokens each: any other width makes a comb of even and odd counts.
        width = 1 + (max(values) - min(values)) // 60
        axes.hist(values, bins=list(range(min(values), max(values) + width + 1, width)), color=BLUE)
        if max(values) > max_length / 2:  # far below the cut, its line would only squeeze the histogram
            axes.axvline(max_length, color=ORANGE, label=f"max_length {max_length}")
        dress_axes(axes, title=name, x_label="tokens")
        axes.set_ylabel("items")
    save_figure(figure, out / "lengths")


def _draw_labels(figures: Mapping[str, Any], out: Path) -> None:
    from matplotlib.figure import Figure

    groups = {"all": figures} | dict(figures["by_tag"])
    names = list(groups)[::-1]  # the first on top
    figure = Figure(figsize=(8, 1.4 + 0.4 * len(names)), layout="constrained")
    axes = figure.subplots()
    left = np.zeros(len(names))
    for index, label in enumerate(figures["labels"]):
        shares = np.array([groups[name]["labels"][label]["share"] for name in names])
        axes.barh(names, shares, left=left, color=BAR_COLOURS[index % len(BAR_COLOURS)], label=label)
        left += shares
    dress_axes(axes, title="Labels", x_label="share of items")
    axes.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, 1.0), ncols=len(figures["labels"]))
    axes.set_ylim(-0.6, len(names) + 0.1)
    save_figure(figure, out / "labels")


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    rule = ["-" * width for width in widths]
    lines = []
    for first, *rest in [heads, rule, *rows]:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
