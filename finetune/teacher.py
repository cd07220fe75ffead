"""Items that are learnt from by what another system, the teacher, answered to them: distillation.

Items and the teacher's answers in; the items that it answered out, each with that answer as its label, and the
teacher's probabilities where they say more than the label.

Source:
    Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network", arXiv:1503.02531. The loss is their
    cross-entropy with soft targets at a temperature of 1.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from data.common.errors import ConfigurationError
from data.common.parsing import JsonObject
from data.common.text import normalised
from data.splits import fold, texts_of_item
from data.types import Item, Record

Probs = Mapping[str, tuple[float, ...]]  # by the item's id, (n_choices,) in the order of the item's choices


class Taught(NamedTuple):
    """Items as a teacher answered them.

    Attributes:
        teacher: What the teacher is called.
        items: Those that it answered, in their order; the target of each is the answer.
        probs: The probabilities of each of them; empty where no answer says more than its label.
        with_probs: How many of the items have probabilities of the teacher's.
        unanswered: Items that it was asked and gave no usable answer to.
        not_asked: Items that it was not asked.
        as_labelled: Items whose own label is the teacher's answer.
    """

    teacher: str
    items: list[Item]
    probs: Probs
    with_probs: int
    unanswered: int
    not_asked: int
    as_labelled: int

    def as_json(self) -> JsonObject:
        """Return what a training card says of it."""
        counts = {name: getattr(self, name) for name in ("with_probs", "unanswered", "not_asked")}
        return {"teacher": self.teacher, "n": len(self.items), "soft": bool(self.probs), **counts}

    def of(self, items: Sequence[Item]) -> "Taught":
        """Return what is taught of some of the items alone, such as those that are not held out."""
        kept = {item.id for item in items}
        return self._replace(
            items=list(items), probs={item_id: one for item_id, one in self.probs.items() if item_id in kept}
        )

    def of_same(self, items: Sequence[Item]) -> "Taught":
        """Return what is taught of the same items as these, which have labels of their own."""
        own = {item.id: item for item in self.items}
        return self.of([own[item.id] for item in items])


def taught(items: Sequence[Item], answers: Iterable[Record], *, teacher: str) -> Taught:
    """Label items with what a teacher answered to the same texts.

    A text that it was asked more than once has the last answer that can be used.

    Args:
        items: Their own labels have no part in what is learnt.
        answers: The records of the teacher, of these items or of more.
        teacher: What it is called in messages.

    Raises:
        ConfigurationError: The teacher answered none of them, other items alone, or with other labels.
    """
    said: dict[object, Record] = {}
    other_labels: Record | None = None
    labels = {fold(label) for label in items[0].choices} if items else set()
    for record in answers:
        key = texts_of_item(record.item)
        if key not in said or _is_usable(record):
            said[key] = record
        if {fold(choice) for choice in record.item.choices} != labels:
            other_labels = record
    found = [(item, said.get(texts_of_item(item))) for item in items]
    asked = [(item, record) for item, record in found if record is not None]
    answered = [(item, record) for item, record in asked if _is_usable(record)]
    if not answered:
        raise ConfigurationError(_why_none(teacher, len(items), len(asked), said, other_labels))
    learnt = [item.model_copy(update={"target": _places(item, record)[_choice(record)]}) for item, record in answered]
    probs = {item.id: _probs(item, record) for item, record in answered}
    return Taught(
        teacher=teacher,
        items=learnt,
        probs=probs if any(max(one) < 1 for one in probs.values()) else {},
        with_probs=sum(record.prediction is not None and record.prediction.probs is not None for _, record in answered),
        unanswered=len(asked) - len(answered),
        not_asked=len(items) - len(asked),
        as_labelled=sum(one.target == item.target for one, (item, _) in zip(learnt, answered, strict=True)),
    )


def soft_labels(item: Item, probs: Sequence[float], labels: Sequence[str]) -> list[float]:
    """Return the probabilities of an item's choices in the order of a head's labels, (n_labels,)."""
    of_name = {fold(choice): prob for choice, prob in zip(item.choices, probs, strict=True)}
    return [of_name.get(fold(normalised(label)), 0.0) for label in labels]


def probs_sha256(items: Sequence[Item], probs: Probs) -> str | None:
    """Return the SHA-256 (hex) over the probabilities that items are learnt from by; None where there are none."""
    if not probs:
        return None
    lines = "".join(f"{item.id}\t{' '.join(map(repr, probs[item.id]))}\n" for item in items)
    return hashlib.sha256(lines.encode()).hexdigest()


def left_out_sentence(found: Taught) -> str:
    """Say of how many items the labels are a teacher's, and which are left out."""
    parts = [f"{len(found.items):,} items are labelled by {found.teacher}"]
    if found.probs:
        parts.append(f"{found.with_probs:,} of them with its probabilities")
    if found.unanswered:
        parts.append(f"{found.unanswered:,} that it gave no answer to are left out")
    if found.not_asked:
        parts.append(f"{found.not_asked:,} that it was not asked are left out")
    return ", ".join(parts)


def _is_usable(record: Record) -> bool:
    return record.prediction is not None and record.prediction.choice is not None


def _choice(record: Record) -> int:
    assert record.prediction is not None  # it is usable
    assert record.prediction.choice is not None
    return record.prediction.choice


def _places(item: Item, record: Record) -> list[int]:
    """Return where each choice that the teacher was shown is among the item's own."""
    place_of = {fold(choice): place for place, choice in enumerate(item.choices)}
    return [place_of[fold(choice)] for choice in record.item.choices]


def _probs(item: Item, record: Record) -> tuple[float, ...]:
    """Return the teacher's probabilities in the order of the item's choices; of an answer without any, all on it."""
    places = _places(item, record)
    stated = record.prediction.probs if record.prediction is not None else None
    of_shown = stated or tuple(float(place == _choice(record)) for place in range(len(places)))
    of_own = [0.0] * len(places)
    for place, prob in zip(places, of_shown, strict=True):
        of_own[place] = prob
    return tuple(of_own)


def _why_none(teacher: str, n: int, n_asked: int, said: Mapping[object, Record], other: Record | None) -> str:
    if not said:
        return f"{teacher} has answered nothing yet, so there are no labels to learn; finish its run with --resume"
    if n_asked:
        return (
            f"{teacher} gave no usable answer to any of the {n_asked:,} items that it was asked; name another teacher"
        )
    if other is not None:
        return (
            f"{teacher} answers with other labels ({', '.join(other.item.choices[:5])}) than those to learn; name a "
            "run of the same task"
        )
    return (
        f"{teacher} answered none of the {n:,} items to learn from: its run is of other items, such as "
        f"'{next(iter(said.values())).item.id}'; ask it these, as with: python -m eval run CARD --split train"
    )
