"""What two runs over one benchmark asked differently: said where a comparison is refused, so that it can be mended.

Two run directories and their evaluations in, one line out: how many items each asked, which only one of them did, and
of those that both did, which are another version and in what.
"""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from data.types import Item
from eval.rundir.journal import Evaluation, read_records, records_path

NAMED_ITEMS = 3


def what_differs(a: tuple[Path, Evaluation], b: tuple[Path, Evaluation]) -> str:
    """Say in one line why the items of two evaluations are not the same.

    Args:
        a: A run's directory, and its evaluation.
        b: The other's, of the same benchmark, with another fingerprint.
    """
    (run_a, ours), (run_b, theirs) = a, b
    items_a, items_b = _items(run_a, ours), _items(run_b, theirs)
    parts = [f"items {ours.n_items:,} and {theirs.n_items:,}"]
    if ours.split != theirs.split:
        parts.append(f"split {ours.split} and {theirs.split}")
    if ours.data != theirs.data:
        parts.append(f"data {ours.data or 'its own'} and {theirs.data or 'its own'}")
    parts.append(f"fingerprint {ours.fingerprint[:12]} and {theirs.fingerprint[:12]}")
    for run, only in ((run_a, items_a.keys() - items_b.keys()), (run_b, items_b.keys() - items_a.keys())):
        if only:
            parts.append(f"{len(only):,} only in {run} ({_named(only)})")
    parts.append(_versions(items_a, items_b))
    return (
        f"{run_a} and {run_b} asked different items of {ours.benchmark}: {'; '.join(parts)}. "
        "Run both with the same data, split, limit and seed"
    )


def _items(run_dir: Path, evaluation: Evaluation) -> dict[str, Item]:
    """Return every item that the run has a record of."""
    found: dict[str, Item] = {}
    for name in evaluation.systems:
        path = records_path(run_dir, name)
        for record in read_records(path):
            found.setdefault(record.item.id, record.item)
    return found


def _versions(items_a: dict[str, Item], items_b: dict[str, Item]) -> str:
    """Say of the items that both hold how many are another version, and in which fields."""
    shared = items_a.keys() & items_b.keys()
    if not shared:
        return "no item in common"
    changed = {item_id: names for item_id in shared if (names := _changed(items_a[item_id], items_b[item_id]))}
    if not changed:
        return f"the {len(shared):,} in common are the same"
    fields = Counter(field for names in changed.values() for field in names)
    named = ", ".join(f"{field} of {count:,}" for field, count in fields.most_common())
    return f"of {len(shared):,} in common {len(changed):,} are another version ({_named(changed.keys())}): {named}"


def _changed(a: Item, b: Item) -> list[str]:
    return [field for field in Item.model_fields if getattr(a, field) != getattr(b, field)]


def _named(ids: Collection[str]) -> str:
    ordered = sorted(ids)
    return ", ".join(ordered[:NAMED_ITEMS]) + (", …" if len(ordered) > NAMED_ITEMS else "")
