"""The items that the comparisons ask: real data where there is some, else the samples that ship."""

import os
from collections.abc import Sequence
from pathlib import Path

from data.registry import load_items
from data.types import Item

# Of each set: its folder under the data, and the split.
SPLITS = {"mnli": "validation_matched", "kice": "2023"}


def data_folder() -> Path | None:
    """Return the folder of real data that TUNE_OR_PROMPT_DATA names; None where it names none."""
    folder = os.environ.get("TUNE_OR_PROMPT_DATA")
    return Path(folder) if folder else None


def bench_items(name: str, limit: int | None) -> tuple[str, list[Item]]:
    """Return a set's title and its first items: the real ones, or the sample where there is no data.

    Args:
        name: "mnli" or "kice".
        limit: At most so many items; None: all.
    """
    folder = data_folder()
    if folder is None:
        return f"{name} sample", load_items(name, split="sample", limit=limit)
    return f"{name} {SPLITS[name]}", load_items(name, split=SPLITS[name], path=folder / name, limit=limit)


def texts_to_answer(mnli: Sequence[Item], kice: Sequence[Item], n: int) -> list[str]:
    """Return n questions that are to be answered in words, English and Korean in turns."""
    english = [
        f"{item.inputs['premise']}\nDoes it follow that: {item.inputs['hypothesis']}\nExplain your answer."
        for item in mnli
    ]
    korean = ["\n".join([item.inputs["question"], *item.choices]) for item in kice]
    texts = [text for pair in zip(english, korean, strict=False) for text in pair]
    return texts[:n]
