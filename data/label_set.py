"""The labels of a task: their names in order, and how each way of writing one is to be read.

In come the label columns of what is learnt from and what is measured; out goes one set of labels for both, or one line
about why they cannot be labels.
"""

import re
import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from data.card import LabelCard
from data.common.errors import ConfigurationError
from data.common.text import normalised
from data.splits import fold
from data.table import Table

MOST_LABELS = 1000  # a column of more values is no label
_FEW = 20  # labels: so many are labels, however few rows each has
_SEVERAL = re.compile(r"\s*[,;|/]\s*")


class LabelSet(NamedTuple):
    """The labels of a task.

    Attributes:
        names: The class names in target order: the card's, numbers by value, or by the alphabet.
        spelt: The name that each label stands for, as it is written in the files.
        notes: What was decided about them, a sentence each.
    """

    names: tuple[str, ...]
    spelt: dict[str, str]
    notes: list[str]


def label_set(
    tables: Sequence[Table], columns: Sequence[str], known: Mapping[str, LabelCard], *, where: str
) -> LabelSet:
    """Return the labels of a task.

    Args:
        tables: What is learnt from, and what is measured where that is a table of its own.
        columns: The label column of each.
        known: What the card says of the labels; empty: they are those that are learnt from.
        where: What a message begins with.

    Raises:
        ConfigurationError: There are fewer than two labels, far too many, several in one cell, or one to measure that
            nothing can be learnt of.
    """
    counts = [
        Counter(label_text(row, column, where=place) for place, row in table.rows)
        for table, column in zip(tables, columns, strict=True)
    ]
    spelt = _by_card(counts, known) if known else _by_use(counts[0])
    names = dict.fromkeys(spelt[label] for label in counts[0])
    _check(names, counts[0], where=where, column=columns[0])
    for count in counts[1:]:
        for label in count:
            spelt.setdefault(label, next((name for name in names if fold(name) == fold(label)), label))
            if spelt[label] not in names:
                raise ConfigurationError(
                    f"label {reprlib.repr(label)} of {count[label]} items to measure is none of the {len(names)} "
                    "labels to learn from; add items with it, or take its rows out"
                )
    merged = [f"'{label}' as '{name}'" for label, name in spelt.items() if label != name]
    notes = [f"labels that are written in several ways are one: {', '.join(merged[:5])}"] if merged else []
    return LabelSet(tuple(known) or tuple(sorted(names, key=_natural)), spelt, notes)


def label_text(row: Mapping[str, Any], column: str, *, where: str) -> str:
    """Return the label of a row as it is written, without spaces around it and with one between its words.

    Raises:
        ConfigurationError: There is none, or there are several.
    """
    value = row.get(column)
    if isinstance(value, list | dict):
        raise ConfigurationError(
            f"{where}: {column} holds several labels, {reprlib.repr(value)}; give each row one, or make a yes/no task "
            "of each label"
        )
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    label = " ".join(normalised(str(value)).split()) if value is not None else ""
    if not label:
        raise ConfigurationError(f"{where}: the label in column '{column}' is empty; fill it, or take the row out")
    return label


def _by_card(counts: Sequence[Counter[str]], known: Mapping[str, LabelCard]) -> dict[str, str]:
    ways = {fold(way): name for name, about in known.items() for way in (name, *about.also)}
    for count in counts:
        for label in count:
            if fold(label) not in ways:
                raise ConfigurationError(
                    f"label {reprlib.repr(label)} of {count[label]} items is not among the card's labels: "
                    f"{', '.join(known)}"
                )
    return {label: ways[fold(label)] for count in counts for label in count}


def _by_use(count: Counter[str]) -> dict[str, str]:
    """Return each label's spelling: of those that differ by case alone, the most usual one."""
    first: dict[str, str] = {}
    return {label: first.setdefault(fold(label), label) for label, _ in count.most_common()}


def _check(names: Mapping[str, None], count: Counter[str], *, where: str, column: str) -> None:
    if len(names) < 2:
        raise ConfigurationError(f"{where}: every row has the label '{next(iter(names))}'; at least two are needed")
    if len(names) > MOST_LABELS or (len(names) > _FEW and 2 * len(names) > count.total()):
        raise ConfigurationError(
            f"{where}: column '{column}' has {len(names):,} values in {count.total():,} rows, too many to be labels; "
            "name the label's column with --label"
        )
    folded = {fold(name) for name in names}
    for name in names:
        parts = [fold(part) for part in _SEVERAL.split(name)]
        if len(parts) > 1 and all(part in folded for part in parts):
            raise ConfigurationError(
                f"{where}: label '{name}' seems to be several labels in one cell; give each row one, or make a yes/no "
                "task of each label"
            )


def _natural(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)
