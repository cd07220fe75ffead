"""What the training data looks like, before anything is trained on it.

Answers what a practitioner asks first: how long are the texts and what would `max_length` cut, are the labels
balanced, in each genre too, which texts occur twice, or twice with different labels, and, where there are
two texts, how much of the label one of them gives away alone.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.common.errors import ConfigurationError
from data.common.files import faults_of_writing, write_json
from data.common.parsing import JsonObject
from data.common.table import aligned
from data.labels import label_ids
from data.splits import fold
from data.types import Item
from finetune.eda_figures import draw_eda
from finetune.features import texts_of
from finetune.single_text import Interval, single_text_baselines

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PERCENTILES = (5, 25, 50, 75, 95, 99)
EXAMPLES = 5  # texts shown of each kind of duplicate, and items of each text

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
    items: Sequence[Item],
    lengths: Lengths,
    *,
    labels: Sequence[str],
    text_fields: Sequence[str],
    max_length: int,
    interval: Interval,
) -> JsonObject:
    """Return the figures of the data set as one JSON object.

    Args:
        items: At least one.
        lengths: What `token_lengths` returned.
        labels: The class names.
        text_fields: What the encoder reads; two items with the same texts are duplicates.
        max_length: Tokens an input would be cut at.
        interval: Computes the interval of the accuracy that one text alone gives away.

    Raises:
        ConfigurationError: There are no items, or one has an unknown label.
    """
    if not items:
        raise ConfigurationError("there are no items to describe; check --split, --data and --limit")
    label_ids(items, labels)
    return {
        "n": len(items),
        "max_length": max_length,
        "tokens": {name: _distribution(values, max_length) for name, values in lengths.items()},
        "labels": _label_counts(items, labels),
        "by_tag": _by_tag(items, lengths, labels=labels, max_length=max_length),
        "duplicates": _duplicates(items, text_fields),
        # With one text there is none to leave out.
        "single_text": single_text_baselines(items, labels=labels, text_fields=text_fields, interval=interval)
        if len(text_fields) > 1
        else None,
    }


def write_eda(figures: Mapping[str, Any], lengths: Lengths, out: Path) -> None:
    """Write `eda.json` and the plots (SVG and PNG) `lengths`, `labels` and, where measured, `single_text`.

    Args:
        figures: What `describe` returned, with whatever else is to be in `eda.json`.
        lengths: What `token_lengths` returned.
        out: The folder, which is made.

    Raises:
        ConfigurationError: The folder cannot be written.
    """
    with faults_of_writing(out, "name another --out"):
        out.mkdir(parents=True, exist_ok=True)
    write_json(out / "eda.json", figures)
    draw_eda(figures, lengths, out)


def format_eda(figures: Mapping[str, Any]) -> str:
    """Return the figures as tables for a terminal."""
    heads = ["tokens", "mean", *(f"p{p}" for p in PERCENTILES), "max", f"cut at {figures['max_length']}"]
    whole = list(figures["tokens"])[-1]  # "pair" or "input": what the encoder gets
    tokens = figures["tokens"] | {f"{whole}, {tag}": row["tokens"][whole] for tag, row in figures["by_tag"].items()}
    rows = [
        [name, f"{row['mean']:.1f}", *(f"{row[f'p{p}']:.0f}" for p in PERCENTILES), str(row["max"]), _share(row["cut"])]
        for name, row in tokens.items()
    ]
    labels = list(figures["labels"])
    groups = {"all": {"n": figures["n"], "labels": figures["labels"]}} | figures["by_tag"]
    label_rows = [
        [name, str(group["n"]), *(_share(group["labels"][label]["share"]) for label in labels)]
        for name, group in groups.items()
    ]
    parts = [
        aligned([heads, *rows]),
        aligned([["labels", "n", *labels], *label_rows]),
        _format_duplicates(figures["duplicates"]),
    ]
    if figures["single_text"]:
        parts.append(_format_single_text(figures["single_text"], labels))
    return "\n\n".join(parts)


def _format_duplicates(twice: Mapping[str, Any]) -> str:
    lines = [
        f"duplicates: {twice['repeated']} items repeat an earlier one; "
        f"{twice['contradictory']} texts occur with different labels"
    ]
    for example in twice["contradictory_examples"]:
        lines.append("  " + " against ".join(f"{item['label']} ({item['id']})" for item in example))
    return "\n".join(lines)


def _format_single_text(alone: Mapping[str, Any], labels: Sequence[str]) -> str:
    if not alone["fields"]:
        return f"one text alone: not measured: {alone['reason']}"
    lines = []
    for field, row in alone["fields"].items():
        low, high = row["ci95"]
        lines.append(
            f"{field} alone: {_share(row['accuracy'])} ({100 * low:.1f}–{100 * high:.1f}), "
            f"majority {_share(alone['majority'])}: {_verdict(low, alone['majority'], field)}"
        )
    head = ["one text alone", "recall", "most telling words"]
    rows = [
        [f"{field}, {label}", _recall(row["recall"][label]), ", ".join(row["words"][label])]
        for field, row in alone["fields"].items()
        for label in labels
    ]
    used = f"a sample of {alone['n']} of {alone['of']} items" if alone["n"] < alone["of"] else f"{alone['n']} items"
    lines.append(f"(words and word pairs, logistic regression, {alone['folds']} folds of whole groups, {used})")
    return "\n".join([*lines, "", aligned([head, *rows], left=(0, 2), rule=False)])


def _verdict(low: float, majority: float, field: str) -> str:
    if low > majority:
        return f"{field} gives labels away; a classifier that reads both texts has to beat this"
    return f"nothing shows that {field} gives labels away"


def _recall(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _distribution(values: Sequence[int], max_length: int) -> dict[str, float]:
    array = np.asarray(values)
    percentiles = {f"p{p}": float(np.percentile(array, p)) for p in PERCENTILES}
    ends = {"mean": float(array.mean()), "min": int(array.min()), "max": int(array.max())}
    return ends | percentiles | {"cut": float((array > max_length).mean())}


def _label_counts(items: Sequence[Item], labels: Sequence[str]) -> dict[str, dict[str, float]]:
    counts = Counter(label_ids(items, labels))
    return {label: {"n": counts[i], "share": counts[i] / len(items)} for i, label in enumerate(labels)}


def _by_tag(items: Sequence[Item], lengths: Lengths, *, labels: Sequence[str], max_length: int) -> JsonObject:
    """Describe the items of each tag, such as a genre, in the order in which the tags first occur."""
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, item in enumerate(items):
        for tag in item.tags:
            rows_of[tag].append(row)
    return {
        tag: {
            "n": len(rows),
            "labels": _label_counts([items[row] for row in rows], labels),
            "tokens": {
                name: _distribution([values[row] for row in rows], max_length) for name, values in lengths.items()
            },
        }
        for tag, rows in rows_of.items()
    }


def _duplicates(items: Sequence[Item], text_fields: Sequence[str]) -> JsonObject:
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
        "repeated_ids": [[item.id for item in group[:EXAMPLES]] for group in repeated[:EXAMPLES]],
        "contradictory_examples": [_one_of_each_label(group) for group in contradictory[:EXAMPLES]],
    }


def _one_of_each_label(items: Sequence[Item]) -> list[dict[str, str]]:
    first: dict[str, str] = {}
    for item in items:
        first.setdefault(item.choices[item.target], item.id)
    return [{"label": label, "id": item_id} for label, item_id in first.items()]


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"
