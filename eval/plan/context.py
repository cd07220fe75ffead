"""What the systems of one evaluation share: its items, what may be learnt from, the seed, how long a call may take.

An evaluation's spec and its items in; out come items to learn from, none of which is evaluated.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from data.card import is_task
from data.common.errors import ConfigurationError
from data.common.progress import log
from data.registry import fingerprint, fingerprint_line, load_items, task_card, task_passages
from data.splits import without_overlap
from data.types import Benchmark, Item, Passage
from eval.plan.own_parts import OwnParts
from eval.plan.settings.specs import EvaluationSpec


class Context(NamedTuple):
    """What the systems of one evaluation share.

    Attributes:
        items: The items of the whole split, of which a limited run asks the first: the pool of passages is theirs.
        timeout_s: Seconds until an API must have answered a call; None: the model's own.
        own: What a script gives itself.
    """

    benchmark: Benchmark
    spec: EvaluationSpec
    items: Sequence[Item]
    seed: int
    timeout_s: float | None = None
    own: OwnParts = OwnParts()

    def train_items(self) -> list[Item]:
        """Return the items that systems of this evaluation may learn from; none of them is evaluated."""
        items = self._own_train_items() if self.own.items else self._split_to_learn_from()
        unseen = without_overlap(items, self.items)
        if len(unseen) < len(items):
            _log_once(
                f"{len(items) - len(unseen)} training items of {self.benchmark.name} are also evaluated: left out"
            )
        return unseen

    def _own_train_items(self) -> list[Item]:
        if not self.own.train:
            raise ConfigurationError("a system that learns needs items to learn from; give them as train=[…]")
        return list(self.own.train)

    def _split_to_learn_from(self) -> list[Item]:
        split = self.spec.train_split or self.benchmark.train_splits.get(self.split)
        if split is None:
            raise ConfigurationError(
                f"{self.benchmark.name} has no training split for '{self.split}'; name one as train_split in the suite"
            )
        spec = self.spec
        if is_task(spec.benchmark):  # which is itself read once, for as long as its files stay what they are
            return load_items(spec.benchmark, split=split, card=spec.card)
        return _train_items(spec.benchmark, split, spec.data, spec.skip_bad_rows)

    def meanings(self) -> dict[str, str]:
        """Return what labels mean, by label, as the card of a task of the user's own says it."""
        card = None if self.own.items else task_card(self.spec.benchmark, card=self.spec.card)
        return card.meanings if card else {}

    def passages(self, *, of_items: bool = False) -> "Passages":
        """Return what is looked up: the passages that the card names, or those of the items.

        Args:
            of_items: Those of the items, whatever the card names.

        Raises:
            ConfigurationError: A passage cannot be used.
            MissingResourceError: There are none where the card says.
        """
        from retrievers.corpus import passages_from_items
        from retrievers.sources import read_passages

        asks_items = of_items or self.own.items
        path = None if asks_items else task_passages(self.spec.benchmark, card=self.spec.card)
        if path is None:
            return Passages(passages_from_items(self.items), fingerprint(self.items))
        found = read_passages(path)
        if not any(passage.text.strip() for passage in found):
            raise ConfigurationError(f"{path} holds no text to look up")
        return Passages(found, passages_sha256(found), path.resolve().name)

    @property
    def split(self) -> str:
        return self.spec.split or self.benchmark.default_split


class Passages(NamedTuple):
    """What a chain that retrieves looks up.

    Attributes:
        texts: The passages.
        fingerprint: The fingerprint of all that they are made of.
        source: The name of the file or folder that the user named; None: they are the items' own.
    """

    texts: Sequence[Passage]
    fingerprint: str
    source: str | None = None


def passages_sha256(passages: Sequence[Passage]) -> str:
    """Return the SHA-256 (hex) over passages with their ids: equal exactly for equal passages in one order."""
    digest = hashlib.sha256()
    for passage in passages:
        digest.update(fingerprint_line({"id": passage.id, "text": passage.text}))
    return digest.hexdigest()


def text_columns(spec: EvaluationSpec, item: Item, *, is_own: bool = False) -> dict[str, str]:
    """Return for each text of an evaluation's items the column of a user's file that holds it.

    Args:
        spec: The evaluation.
        item: One of its items.
        is_own: A script has given the items itself.
    """
    card = None if is_own else task_card(spec.benchmark, card=spec.card)
    renamed = card.text if card is not None and isinstance(card.text, dict) else {}
    return {field: renamed.get(field, field) for field in item.inputs}


def load_evaluated(spec: EvaluationSpec) -> list[Item]:
    """Return the items of an evaluation's whole split, as `data.registry.load_items` does."""
    return load_items(
        spec.benchmark, split=spec.split, path=spec.data, skip_bad_rows=spec.skip_bad_rows, card=spec.card
    )


@cache
def _train_items(benchmark: str, split: str, data: Path | None, skip_bad_rows: bool) -> list[Item]:
    if data is not None and data.is_file():
        raise ConfigurationError(f"{data} is one file; systems that learn need a folder that holds {split}.jsonl too")
    return load_items(benchmark, split=split, path=data, skip_bad_rows=skip_bad_rows)


_log_once = cache(log)  # every system that learns is built from the same items
