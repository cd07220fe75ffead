"""The labels of a task: their names in order, and how each way of writing one is to be read.

In come the label columns of what is learnt from and what is measured; out goes one set of labels for both, or one line
about why they cannot be labels.
"""

import re
import reprlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from data.card import LabelCard
from data.choice_lists import choice_list
from data.common.errors import ConfigurationError
from data.common.text import character_fault, normalised
from data.splits import fold
from data.table_types import Table

MOST_LABELS = 1000  # a column of more values is no label
_FEW = 20  # labels: so many are labels, however few rows each has
_SEVERAL = re.compile(r"\s*[,;|/]\s*")
_DECIMALS = re.compile(r"(?<=\d)\.0+$")
_NONE = frozenset({"nan", "null", "n/a", "#n/a"})
_NAMED = 12  # labels in a message


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
    tables: Sequence[Table], columns: Sequence[str], known: Mapping[str, LabelCard], *, where: Sequence[str]
) -> LabelSet:
    """Return the labels of a task.

    Args:
        tables: What is learnt from, and what is measured where that is a table of its own.
        columns: The label column of each.
        known: What the card says of the labels; empty: they are those that are learnt from.
        where: The file of each, which a message begins with.

    Raises:
        ConfigurationError: There are fewer than two labels, far too many, several in one cell, or one to measure that
            nothing can be learnt of.
    """
    counts = [
        Counter(label_text(row, column, where=f"{file}, {place}") for place, row in table.rows)
        for table, column, file in zip(tables, columns, where, strict=True)
    ]
    spelt, notes = _by_card(counts, known, where=where[0]) if known else (_by_use(counts[0]), [])
    names = dict.fromkeys(spelt[label] for label in counts[0])
    _check(names, counts[0], where=where[0], column=columns[0])
    if not known:
        _check_several(names, where=where[0])
    for count, file in zip(counts[1:], where[1:], strict=True):
        for label in count:
            spelt.setdefault(label, next((name for name in names if fold(name) == fold(label)), label))
        if unknown := [label for label in count if spelt[label] not in names]:
            raise ConfigurationError(
                f"{file}: {_shown(unknown, count)} to measure {'is' if len(unknown) == 1 else 'are'} none of the "
                f"{len(names)} labels to learn from; add items of it to learn from, or take its rows out"
            )
    merged = [f"'{label}' as '{name}'" for label, name in spelt.items() if label != name] if not notes else []
    notes += [f"labels that are written in several ways are one: {', '.join(merged[:5])}"] if merged else []
    notes += [f"label '{name}' may stand for none; if so, take its rows out" for name in names if fold(name) in _NONE]
    return LabelSet(tuple(known) or tuple(sorted(names, key=_natural)), spelt, notes)


def label_text(row: Mapping[str, Any], column: str, *, where: str) -> str:
    """Return the label of a row as it is written, without spaces around it and with one between its words.

    A list of one label, also as a text, is that label, and a whole number has no decimals.

    Raises:
        ConfigurationError: There is none, or there are several.
    """
    value = row.get(column)
    found = choice_list(value) if isinstance(value, list | dict) or str(value).lstrip().startswith("[") else None
    if isinstance(value, dict) or (found and len(found.texts) > 1):
        raise ConfigurationError(
            f"{where}: {column} holds several labels, {reprlib.repr(value)}; give each row one, or make a yes/no task "
            "of each label"
        )
    value = found.texts[0] if found else value
    is_empty = value is None or value != value or value == []  # NaN is no label
    label = "" if is_empty else _DECIMALS.sub("", " ".join(normalised(str(value)).split()))
    if fault := character_fault(label):
        raise ConfigurationError(f"{where}: the label in column '{column}' {fault}")
    if not label:
        raise ConfigurationError(f"{where}: the label in column '{column}' is empty; fill it, or take the row out")
    return label


def _by_card(
    counts: Sequence[Counter[str]], known: Mapping[str, LabelCard], *, where: str
) -> tuple[dict[str, str], list[str]]:
    """Return the card's name for each label as it is written, and a note where numbers are named in order."""
    ways: dict[str, str] = {}
    for name, about in known.items():
        for way in (name, *about.also):
            if ways.setdefault(fold(way), name) != name:
                raise ConfigurationError(f"the card's labels '{ways[fold(way)]}' and '{name}' are both written '{way}'")
    found = {label: None for count in counts for label in count}
    if not any(fold(label) in ways for label in found) and all(label.isdecimal() for label in found):
        named = _by_number(list(found), list(known), where=where)
        return named, [
            f"labels that are numbers have names: {', '.join(f'{n} is {name}' for n, name in named.items())}"
        ]
    for count in counts:
        if unknown := [label for label in count if fold(label) not in ways]:
            more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
            allowed = ", ".join(list(known)[:_NAMED])
            raise ConfigurationError(
                f"{where}: {_shown(unknown, count)} {'is' if len(unknown) == 1 else 'are'} not among the card's "
                f"labels: {allowed}{more}"
            )
    return {label: ways[fold(label)] for label in found}, []


def _by_number(labels: Sequence[str], names: Sequence[str], *, where: str) -> dict[str, str]:
    """Return the name of each label that is a number: they count through the names from 0, or from 1."""
    numbers = sorted({int(label) for label in labels})
    starts = [start for start in (0, 1) if start <= numbers[0] and numbers[-1] < start + len(names)]
    if len(starts) != 1:
        way = "count from 0 or from 1" if starts else f"are more than the {len(names)} names"
        raise ConfigurationError(
            f"{where}: its labels are numbers from {numbers[0]} to {numbers[-1]}, which {'may ' * bool(starts)}{way}; "
            "say in a card which is which, such as labels: {refund: {also: ['1']}}"
        )
    return {label: names[int(label) - starts[0]] for label in sorted(labels, key=int)}


def _shown(labels: Sequence[str], count: Mapping[str, int]) -> str:
    """Name labels with how many items have them."""
    if len(labels) == 1:
        return f"label {reprlib.repr(labels[0])} of {count[labels[0]]} items"
    named = ", ".join(f"{reprlib.repr(label)} ({count[label]})" for label in labels[:_NAMED])
    return f"{len(labels):,} labels, {named}{' …' if len(labels) > _NAMED else ''},"


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


def _check_several(names: Mapping[str, None], *, where: str) -> None:
    """Refuse cells of several labels: their parts are labels, too, or stand in other cells in another place.

    In "food/drink" and "food/snack" a part has one place, so that these are names of one label each.
    """
    folded = {fold(name) for name in names}
    split = {name: parts for name in names if len(parts := [fold(part) for part in _SEVERAL.split(name)]) > 1}
    times = Counter(part for parts in split.values() for part in set(parts))
    places: dict[str, set[int]] = defaultdict(set)
    for parts in split.values():
        for place, part in enumerate(parts):
            places[part].add(place)
    for name, parts in split.items():
        moves = any(len(places[part]) > 1 for part in parts) and all(times[part] > 1 for part in parts)
        if moves or all(part in folded for part in parts):
            raise ConfigurationError(
                f"{where}: label '{name}' seems to be several labels in one cell; give each row one, or make a yes/no "
                "task of each label; if it is one, name all labels with --labels"
            )


def _natural(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)
