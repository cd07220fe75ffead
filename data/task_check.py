"""What a labelled file of one's own holds, and what of it a careful person would look at before anything is paid for.

A task in; out come its labels with their counts, the lengths of its texts, and what is odd: texts that come
again, texts with two labels, labels that are rare. What keeps the file from use is raised while it is read.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from data.card import TaskCard
from data.splits import texts_of_item
from data.task import Task
from data.types import Item

RARE = 5  # training items: of fewer a learner learns little, and a difference on them shows nothing
SHOWN = 5  # texts of a kind
NAMED = 12  # labels of a kind
PERCENTILES = (0, 50, 90, 99, 100)


class LabelCount(NamedTuple):
    """How many items of each side have a label."""

    label: str
    train: int
    test: int


class TaskCheck(NamedTuple):
    """What a file holds.

    Attributes:
        card: The file's card, with what was guessed.
        labels: The most frequent first; empty for questions with choices of their own.
        lengths: Characters of an item's texts, at `PERCENTILES`.
        findings: What is odd, a sentence each.
        notes: What was guessed and left out, a sentence each.
    """

    card: TaskCard
    train: int
    test: int
    labels: list[LabelCount]
    lengths: list[int]
    findings: list[str]
    notes: list[str]


def check_task(task: Task) -> TaskCheck:
    """Say what a task holds."""
    train, test = task.load("train", None), task.load("test", None)
    labels = label_counts(task.labels or (), train, test)
    findings = [*_repeated(train, test), *_ambiguous([*train, *test]), *label_findings(labels)]
    lengths = sorted(sum(map(len, item.inputs.values())) for item in [*train, *test])
    at = [lengths[round((len(lengths) - 1) * share / 100)] for share in PERCENTILES]
    return TaskCheck(task.full_card, len(train), len(test), labels, at, findings, task.notes)


def label_counts(labels: Sequence[str], train: Sequence[Item], test: Sequence[Item]) -> list[LabelCount]:
    """Count the items of each side that have each label, the most frequent label first."""
    of_train, of_test = (Counter(item.target for item in side) for side in (train, test))
    counts = [LabelCount(label, of_train[place], of_test[place]) for place, label in enumerate(labels)]
    return sorted(counts, key=lambda count: -count.train)


def _repeated(train: Sequence[Item], test: Sequence[Item]) -> list[str]:
    found = []
    for name, side in (("to learn from", train), ("to measure", test)):
        if repeats := len(side) - len({texts_of_item(item) for item in side}):
            found.append(f"{repeats:,} of {len(side):,} items {name} repeat the text of another")
    return found


def _ambiguous(items: Sequence[Item]) -> list[str]:
    """Name texts that have several labels: on them nobody can be right every time."""
    labels: Mapping[Any, dict[str, None]] = defaultdict(dict)
    for item in items:
        labels[texts_of_item(item)][item.choices[item.target]] = None
    several = {texts: list(found) for texts, found in labels.items() if len(found) > 1}
    if not several:
        return []
    shown = [
        f"'{' / '.join(text for name, text in texts if name != 'choices')[:60]}' is {' and '.join(found)}"
        for texts, found in several.items()
    ]
    return [f"{len(several):,} texts have several labels: {'; '.join(shown[:SHOWN])}"]


def label_findings(labels: Sequence[LabelCount]) -> list[str]:
    """Name the labels that are rare, and those that are on one side only."""
    kinds = {
        "have no item at all": [it for it in labels if not (it.train or it.test)],
        "cannot be learnt, for they are only among the items to measure": [
            it for it in labels if it.train == 0 < it.test
        ],
        f"have fewer than {RARE} items to learn from": [it for it in labels if 0 < it.train < RARE],
        "are not measured, for they are only among the items to learn from": [
            it for it in labels if it.test == 0 < it.train
        ],
    }
    found = []
    for what, counts in kinds.items():
        if counts:
            more = f" and {len(counts) - NAMED:,} more" if len(counts) > NAMED else ""
            names = ", ".join(f"{count.label} ({max(count.train, count.test):,})" for count in counts[:NAMED])
            found.append(f"{len(counts):,} of {len(labels):,} labels {what}: {names}{more}")
    return found
