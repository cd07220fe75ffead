"""Labelled examples for a prompt: those most like the item, or the same ones for every item.

In come training items; out come documents, each the texts of an item with its label, and a runnable that finds some of
them for an item. None is of the item's own group, or has its texts: a model that copies it would be right from memory.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from pydantic import ConfigDict

from data.splits import fold
from data.types import Inputs, Item, Passage, texts_of_input

Select = Literal["balanced", "random"]
_SPARE = 8  # documents looked up beyond those that are wanted, in the place of any that may not be shown


def item_text(entry: Inputs) -> str:
    """Return the texts of an item as one: alone as it is, and several each after its name."""
    texts = texts_of_input(entry)
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "\n".join(f"{name}: {value}" for name, value in texts.items() if value)


def example_passages(items: Sequence[Item]) -> list[Passage]:
    """Return training items as passages that a retriever can look up, by the items' ids."""
    return [Passage(id=item.id, text=item_text(item.to_input())) for item in items]


class FindExamples(RunnableSerializable[Inputs, list[Document]]):
    """Finds an item's examples: an input in, documents out, with the label of each in its metadata.

    Attributes:
        items: The training items by id.
        n: How many examples an item is shown.
        retriever: Over the passages of `example_passages`; None: every item is shown the `fixed` ones.
        looked_up: How many are returned, where that is more: the labels of those beyond `n` speak for candidates.
        fixed: Ids of the same examples for every item, the first of which are shown.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    items: dict[str, Item]
    n: int
    retriever: BaseRetriever | None = None
    looked_up: int = 0
    fixed: tuple[str, ...] = ()

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]:
        return self.batch([input], config, **kwargs)[0]

    def batch(
        self,
        inputs: list[Inputs],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[list[Document]]:
        if self.retriever is None:
            return [self._allowed(entry, self.fixed) for entry in inputs]
        queries = [item_text(entry) for entry in inputs]
        found: list[Any] = self.retriever.batch(
            queries, config, k=max(self.n, self.looked_up) + _SPARE, return_exceptions=return_exceptions
        )
        return [
            hits if isinstance(hits, Exception) else self._allowed(entry, [_item_id(hit) for hit in hits])  # type: ignore[misc]  # as Runnable.batch does
            for entry, hits in zip(inputs, found, strict=True)
        ]

    def _allowed(self, entry: Inputs, ids: Sequence[str]) -> list[Document]:
        """Return the first of some examples that may be shown with an item, each once."""
        own, documents = fold(item_text(entry)), []
        for item_id in dict.fromkeys(ids):
            item = self.items[item_id]
            text = item_text(item.to_input())
            if item.group == entry.get("group") or fold(text) == own or item.id == entry.get("id"):
                continue
            label = item.choices[item.target]
            documents.append(Document(id=item.id, page_content=text, metadata={"passage_id": item.id, "label": label}))
        return documents[: max(self.n, self.looked_up)]


def _item_id(hit: Document) -> str:
    return str(hit.metadata.get("passage_id") or hit.id)


def choose_fixed(items: Sequence[Item], *, select: Select, n: int, seed: int) -> tuple[str, ...]:
    """Return the ids of examples that every item is shown, with spare ones: drawn at random, or as many of each label.

    Args:
        items: The training items that are drawn from.
        select: "random" draws from all items, "balanced" from each label in turn.
        n: How many an item is shown.
        seed: The same seed draws the same examples.
    """
    drawn = list(items)
    random.Random(seed).shuffle(drawn)  # noqa: S311  # repeatable, not secret
    if select == "balanced":
        by_label: dict[int, list[Item]] = defaultdict(list)
        for item in drawn:
            by_label[item.target].append(item)
        longest = max(map(len, by_label.values()), default=0)
        drawn = [of_label[turn] for turn in range(longest) for of_label in by_label.values() if turn < len(of_label)]
    return tuple(item.id for item in drawn[: n + _SPARE])
