"""The answers of a run, read from its journals: each is parsed once.

A run's directory in, `Answers` a system out, beside its manifest.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.types import Item, Record
from eval.measures.answer_columns import NO_TRIAL, ROW, ItemRows, RecordRows
from eval.measures.answers import Answers, Items
from eval.rundir.journal import records_at
from eval.rundir.manifest import Evaluation, Manifest, read_manifest
from eval.rundir.run_check import checked_journals


class RunAnswers(NamedTuple):
    """A run that was read.

    Attributes:
        evaluations: For each evaluation of the manifest, the answers of its systems by name.
    """

    run_dir: Path
    manifest: Manifest
    evaluations: tuple[dict[str, Answers], ...]


def read_answers(run_dir: Path) -> RunAnswers:
    """Read and check a run; each journal is parsed once.

    Raises:
        MissingResourceError: The folder is no run.
        ConfigurationError: A file of it is damaged, or holds what the run cannot have written.
    """
    manifest = read_manifest(run_dir)
    return RunAnswers(run_dir, manifest, tuple(_read(run_dir, evaluation) for evaluation in manifest.evaluations))


def read_systems(run_dir: Path, evaluation: Evaluation, systems: Sequence[str]) -> dict[str, Answers]:
    """Read and check the answers of some systems of an evaluation, by name.

    Raises:
        ConfigurationError: A journal is damaged.
    """
    return _read(run_dir, evaluation.model_copy(update={"systems": tuple(systems)}))


def answers_of(records: Iterable[Record]) -> Answers:
    """Return records of one system as columns, one that has no journal; of two of one item the later counts."""
    items, rows, places = ItemRows(), RecordRows(), dict[str, int]()
    for record in records:
        place = places.setdefault(record.item.id, len(places))
        items.add(place, record.item)
        rows.add(place, record, partial(getattr, record, "item"))
    return _columns(_items(items), rows)


def records_of_items(path: Path, answers: Answers, places: Sequence[int]) -> Iterator[tuple[int, Record]]:
    """Yield (place of the item, record) of some items in the order of their places, read back from the journal.

    Args:
        path: The journal of `answers`.
        answers: The answers of one system.
        places: The places of the items in `answers.items`; one without a record is left out.
    """
    rows = answers.rows[np.isin(answers.rows["item"], places)]
    rows = rows[np.argsort(rows["item"])]
    yield from zip(rows["item"].tolist(), records_at(path, rows["offset"].tolist()), strict=True)


def _read(run_dir: Path, evaluation: Evaluation) -> dict[str, Answers]:
    items, systems = ItemRows(), {}
    for system, _, lines in checked_journals(run_dir, evaluation):
        systems[system] = rows = RecordRows()
        for line in lines:
            if line.item is not None:
                items.add(line.place, line.item)
            rows.add(line.place, line.record, partial(_parsed, line.written_item), offset=line.offset)
    shared = _items(items)
    return {system: _columns(shared, rows) for system, rows in systems.items()}


def _parsed(written_item: bytes) -> Item:
    return Item.model_validate_json(written_item, strict=True)


def _items(rows: ItemRows) -> Items:
    group_names = tuple(sorted(set(rows.groups)))
    numbers = {name: number for number, name in enumerate(group_names)}
    return Items(
        ids=tuple(rows.ids),
        groups=np.array([numbers[name] for name in rows.groups], dtype=np.int64),
        group_names=group_names,
        targets=np.array(rows.targets, dtype=np.int64),
        weights=np.array(rows.weights, dtype=np.float64),
        choices=np.array(rows.choices, dtype=np.int64),
        tags=np.array(rows.tags, dtype=np.int64),
        n_choices=np.array(rows.n_choices, dtype=np.int64),
        has_passage=np.array(rows.has_passage, dtype=bool),
        characters=np.array(rows.characters, dtype=np.int64),
        choice_lists=tuple(rows.choice_lists),
        tag_lists=tuple(rows.tag_lists),
        input_names=tuple(rows.input_names),
    )


def _columns(items: Items, added: RecordRows) -> Answers:
    rows, n_probs = np.frombuffer(added.packed, dtype=ROW), np.array(added.n_probs, dtype=np.int64)
    answers = Answers(
        items=items,
        rows=rows,
        probs=_padded(np.array(added.probs, dtype=np.float64), n_probs, fill=0),
        trial_choices=_padded(np.array(added.trial_choices, dtype=np.int64), rows["trials"], fill=NO_TRIAL),
        trial_orders=_padded(np.array(added.trial_orders, dtype=np.int64), rows["trials"], fill=0),
        usage={name: np.array(counts, dtype=np.int64) for name, counts in added.usage.items()},
        rules=tuple(added.rules),
        sources=tuple(added.sources),
        orders=tuple(added.orders),
        found_passages=frozenset(added.found_passages),
    )
    # Of an item that was asked again the last row counts, in the place of the first.
    _, first = np.unique(rows["item"], return_index=True)
    _, last = np.unique(rows["item"][::-1], return_index=True)
    return answers if len(first) == len(rows) else answers.take((len(rows) - 1 - last)[np.argsort(first)])


def _padded(values: np.ndarray, lengths: np.ndarray, *, fill: int) -> np.ndarray:
    """Return values that stand row behind row as a matrix, (n, longest).

    Args:
        values: The values of all rows.
        lengths: (n,) how many are of each row.
        fill: What stands behind the last of a shorter row.
    """
    width = int(lengths.max(initial=0))
    padded = np.full((len(lengths), width), fill, dtype=values.dtype)
    padded[np.arange(width) < lengths[:, None]] = values
    return padded
