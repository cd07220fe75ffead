"""Answers as columns: what every measure takes.

A system's `Answers` hold a row a record; the `Items` are kept once for all systems of an evaluation. Texts are not
kept: what was shown, sent, looked up and said is in the journal, where `offsets` says. They are read by
`eval.measures.run_answers`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from data.types import Status
from eval.measures.metrics import STATUSES


@dataclass(frozen=True, eq=False)
class Items:
    """The items of an evaluation that any of its journals names, in the order in which they are first named.

    Attributes:
        ids: (n,) each item's id.
        groups: (n,) int, the cluster of each item, where it is in `group_names`.
        group_names: Every different group, sorted.
        targets: (n,) int, the right choice.
        weights: (n,) points.
        choices: (n,) int, where each item's choices are in `choice_lists`.
        tags: (n,) int, where each item's tags are in `tag_lists`.
        n_choices: (n,) int.
        has_passage: (n,) bool, whether an item has a passage that could be found.
        characters: (n,) int, letters of all that an item shows.
        choice_lists: Every different tuple of choices.
        tag_lists: Every different tuple of tags.
        input_names: What the texts of the items are called.
    """

    ids: tuple[str, ...]
    groups: np.ndarray
    group_names: tuple[str, ...]
    targets: np.ndarray
    weights: np.ndarray
    choices: np.ndarray
    tags: np.ndarray
    n_choices: np.ndarray
    has_passage: np.ndarray
    characters: np.ndarray
    choice_lists: tuple[tuple[str, ...], ...]
    tag_lists: tuple[tuple[str, ...], ...]
    input_names: tuple[str, ...]

    @cached_property
    def places(self) -> dict[str, int]:
        """Return where each id is in `ids`."""
        return {item_id: place for place, item_id in enumerate(self.ids)}


@dataclass(frozen=True, eq=False)
class Answers:
    """What one system answered: a row for each item that it has a record of, the last one that was written.

    Attributes:
        items: The items of the whole evaluation; `rows["item"]` says which of them a row is about.
        rows: (n,) the figures of each record by name: the fields of `eval.measures.answer_columns.ROW`.
        probs: (n, most choices) the probabilities, 0 beyond an item's own choices; all 0 where a record has none.
        trial_choices: (n, most trials) int, what each trial of an item that was asked several times chose; NO_ANSWER
            where it chose nothing, NO_TRIAL where there was none.
        trial_orders: (n, most trials) int, where the order of the choices that a trial showed is in `orders`.
        usage: For each count of tokens that any record has, (n,) int; NOT_COUNTED where a record has none.
        rules: The names of the extraction rules; `rows["rule"]` says which one fired.
        sources: Likewise where probabilities come from; `rows["source"]`.
        orders: Every order of choices that a trial showed.
        found_passages: Ids of all passages that were retrieved, for any item.
    """

    items: Items
    rows: np.ndarray
    probs: np.ndarray
    trial_choices: np.ndarray
    trial_orders: np.ndarray
    usage: Mapping[str, np.ndarray]
    rules: tuple[str, ...]
    sources: tuple[str, ...]
    orders: tuple[tuple[int, ...], ...]
    found_passages: frozenset[str]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: np.ndarray | Sequence[int]) -> "Answers":
        """Return some rows alone.

        Args:
            chosen: (n,) bool, or the places of the rows in the order that is wanted.
        """
        chosen = np.flatnonzero(chosen) if np.asarray(chosen).dtype == bool else np.asarray(chosen, dtype=np.int64)
        if np.array_equal(chosen, np.arange(len(self))):
            return self
        return replace(
            self,
            rows=self.rows[chosen],
            probs=self.probs[chosen],
            trial_choices=self.trial_choices[chosen],
            trial_orders=self.trial_orders[chosen],
            usage={name: counts[chosen] for name, counts in self.usage.items()},
        )

    @cached_property
    def predictions(self) -> "Answers":
        """Return the rows that hold a prediction: a failed call is none."""
        given = self.rows["status"] >= 0
        return self if given.all() else self.take(given)

    @property
    def ids(self) -> list[str]:
        """Return the item of each row."""
        return self.ids_of(self.rows["item"])

    def ids_of(self, places: np.ndarray) -> list[str]:
        """Return the ids of the items at some places of `items`."""
        return [self.items.ids[place] for place in places.tolist()]

    @property
    def groups(self) -> np.ndarray:
        """(n,) int, the cluster of each item."""
        groups: np.ndarray = self.items.groups[self.rows["item"]]
        return groups

    @property
    def targets(self) -> np.ndarray:
        """(n,) int."""
        targets: np.ndarray = self.items.targets[self.rows["item"]]
        return targets

    @property
    def weights(self) -> np.ndarray:
        """(n,) points."""
        weights: np.ndarray = self.items.weights[self.rows["item"]]
        return weights

    @property
    def n_choices(self) -> np.ndarray:
        """(n,) int, how many choices each item has."""
        n_choices: np.ndarray = self.items.n_choices[self.rows["item"]]
        return n_choices

    @property
    def choices(self) -> np.ndarray:
        """(n,) int, NO_ANSWER where nothing usable was said."""
        choices: np.ndarray = self.rows["choice"]
        return choices

    @property
    def correct(self) -> np.ndarray:
        """(n,) bool."""
        correct: np.ndarray = self.targets == self.choices
        return correct

    @property
    def correct_at_best(self) -> np.ndarray:
        """(n,) bool, as if every item to which nothing at all was said had been answered rightly."""
        at_best: np.ndarray = self.correct | self.rows["blank"]
        return at_best

    def counted(self, name: str) -> np.ndarray:
        """Return (n,) a count of tokens, 0 where a record has none."""
        return np.maximum(self.usage[name], 0) if name in self.usage else np.zeros(len(self), dtype=np.int64)

    def counted_with_saved(self, name: str) -> np.ndarray:
        """Return (n,) a count of tokens, with those that the response cache saved."""
        counts: np.ndarray = self.counted(name) + self.counted(f"saved_{name}")
        return counts

    def has_count(self, name: str) -> np.ndarray:
        """Return (n,) bool, whether a record has a count of tokens."""
        return self.usage[name] >= 0 if name in self.usage else np.zeros(len(self), dtype=bool)

    def has_status(self, status: Status) -> np.ndarray:
        """Return (n,) bool, whether a row's prediction has a status."""
        has: np.ndarray = self.rows["status"] == STATUSES.index(status)
        return has

    @cached_property
    def shared_choices(self) -> tuple[str, ...] | None:
        """Return the choices where all items have the same; None where they differ, and for a single item."""
        used = np.unique(self.items.choices[self.rows["item"]])
        return self.items.choice_lists[used[0]] if len(used) == 1 and len(self) > 1 else None

    @cached_property
    def rows_by_tag(self) -> dict[str, np.ndarray]:
        """Return (n,) bool for each tag, whether an item carries it; in the order in which the tags first occur."""
        lists = self.items.tags[self.rows["item"]]
        used, first = np.unique(lists, return_index=True)
        tags = dict.fromkeys(tag for one in used[np.argsort(first)] for tag in self.items.tag_lists[one])
        return {tag: np.isin(lists, [one for one in used if tag in self.items.tag_lists[one]]) for tag in tags}


def on_common_items(answers: Sequence[Answers]) -> list[Answers]:
    """Return the answers to the items that all of some systems have a row for, in the order of the first."""
    return [one.take(rows) for one, rows in zip(answers, common_rows(answers), strict=True)]


def common_rows(answers: Sequence[Answers]) -> list[np.ndarray]:
    """Return the rows of the items that all of some systems have a row for, in the order of the first.

    Returns:
        For each system (m,) int.
    """
    first = answers[0].items
    places = [one.rows["item"] if one.items is first else _places_in(first, one) for one in answers]
    shared = places[0]
    for others in places[1:]:
        shared = shared[np.isin(shared, others)]
    found = []
    for own in places:
        row_of = np.zeros(len(first.ids) + 1, dtype=np.int64)  # the last is of items that `first` does not have
        row_of[own] = np.arange(len(own))
        found.append(row_of[shared])
    return found


def _places_in(items: Items, one: Answers) -> np.ndarray:
    """Return where the items of another run's answers are among these; one place behind the last for none."""
    return np.array([items.places.get(item_id, len(items.ids)) for item_id in one.ids], dtype=np.int64)
