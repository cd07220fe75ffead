"""What two runs over one benchmark asked differently: said where a comparison is refused, so that it can be mended.

Two runs and their evaluations in, one line out: how many items each asked, which only one of them did, and
of those that both did, which are another version and in what.
"""

from collections import Counter
from collections.abc import Collection, Mapping

from data.types import Item
from eval.measures.answers import Answers
from eval.measures.run_answers import RunAnswers, records_of_items
from eval.rundir.journal import records_path
from eval.rundir.manifest import Evaluation

NAMED_ITEMS = 3


_Asked = tuple[RunAnswers, Evaluation, Mapping[str, Answers]]


def what_differs(a: _Asked, b: _Asked) -> str:
    """Say in one line why the items of two evaluations are not the same.

    Args:
        a: A run, an evaluation of it and the answers to that.
        b: The other's, of the same benchmark, with another fingerprint.
    """
    (ours, theirs), (run_a, run_b) = (a[1], b[1]), (a[0].run_dir, b[0].run_dir)
    items_a, items_b = _items(a), _items(b)
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


def _items(asked: _Asked) -> dict[str, Item]:
    """Return every item that the run has a record of, read back from the journals."""
    run, _, answers = asked
    found: dict[str, Item] = {}
    for system, one in answers.items():
        wanted = [place for place, item_id in enumerate(one.items.ids) if item_id not in found]
        for _, record in records_of_items(records_path(run.run_dir, system), one, wanted):
            found[record.item.id] = record.item
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
