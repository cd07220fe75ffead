"""The items that the comparisons ask: real data where there is some, else the samples that ship."""

import os
from pathlib import Path

from data.common.errors import MissingResourceError
from data.registry import load_items
from data.types import Item

# Of each set: its folder under the data, and the split.
SPLITS = {"mnli": "validation_matched", "kice": "2023"}
# Sets that are files of labelled rows: under the data alone, no sample of them ships.
FILES = {"banking77": "own/banking77/test.csv"}


def data_folder() -> Path | None:
    """Return the folder of real data that TUNE_OR_PROMPT_DATA names; None where it names none."""
    folder = os.environ.get("TUNE_OR_PROMPT_DATA")
    return Path(folder) if folder else None


def bench_items(name: str, limit: int | None) -> tuple[str, list[Item]]:
    """Return a set's title and its first items: the real ones, or the sample where there is no data.

    Args:
        name: A name of `SPLITS` or `FILES`.
        limit: At most so many items; None: all.

    Raises:
        MissingResourceError: The set is a file, and there is no data.
    """
    folder = data_folder()
    if name in FILES:
        if folder is None:
            raise MissingResourceError(f"the set {name} needs TUNE_OR_PROMPT_DATA, a folder with {FILES[name]}")
        return name, load_items(str(folder / FILES[name]), limit=limit)
    if folder is None:
        return f"{name} sample", load_items(name, split="sample", limit=limit)
    return f"{name} {SPLITS[name]}", load_items(name, split=SPLITS[name], path=folder / name, limit=limit)


def texts_to_answer(name: str, n: int) -> list[str]:
    """Return up to n questions of a set that are to be answered in words, not by a label alone."""
    items = bench_items(name, n)[1]
    if name == "mnli":
        return [
            f"{item.inputs['premise']}\nDoes it follow that: {item.inputs['hypothesis']}\nExplain your answer."
            for item in items
        ]
    return ["\n".join([item.inputs["question"], *item.choices]) for item in items]
