"""What a system must beat to have learnt anything: chance, the majority, a fixed choice, word counts, overlap.

Each is made of the training items that it may learn from, and returns a predictor like any other, so that a baseline's
records and scores look like a model's. Those that learn word counts or embeddings are in `eval.plan.learners`.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from langchain_core.runnables import RunnableLambda

from data.common.errors import ConfigurationError, unknown_name
from data.types import Inputs, Item, Prediction, texts_of_input
from eval.plan import learners
from eval.plan.chain_predictor import Predictor


def always(choice: int) -> Predictor:
    """Answer every item with one choice (0-based)."""

    def answer(item: Inputs) -> Prediction:
        if choice >= len(item["choices"]):
            raise ValueError(f"{item['id']} has no choice {choice + 1}")
        return _sure(choice, len(item["choices"]), "always")

    return RunnableLambda(answer, name="always")


def chance(seed: int) -> Predictor:
    """Answer at random: the item's id and the seed decide, so that the order of items does not."""

    def answer(item: Inputs) -> Prediction:
        n = len(item["choices"])
        digest = hashlib.sha256(f"{seed}/{item['id']}".encode()).digest()
        choice = int.from_bytes(digest[:8], "big") % n
        return Prediction(choice=choice, status="ok", rule="chance", probs=(1 / n,) * n)

    return RunnableLambda(answer, name="chance")


def majority(train_items: Sequence[Item]) -> Predictor:
    """Answer every item with the most frequent target of the training items; the probabilities are its shares."""
    counts = Counter(item.target for item in train_items)

    def answer(item: Inputs) -> Prediction:
        of_choices = [counts[place] for place in range(len(item["choices"]))]  # an item may have fewer than others
        total = sum(of_choices)
        probs = tuple(count / total for count in of_choices) if total else None
        choice = max(range(len(of_choices)), key=of_choices.__getitem__)
        return Prediction(choice=choice, status="ok", rule="majority", probs=probs)

    return RunnableLambda(answer, name="majority")


def lexical_overlap() -> Predictor:
    """Answer with the choice that shares the largest part of its character trigrams with the item's other texts.

    Trigrams rather than words, because Korean endings make whole words rarely the same.
    """

    def answer(item: Inputs) -> Prediction:
        context = _trigrams(" ".join(texts_of_input(item).values()))
        shares = []
        for choice in item["choices"]:
            trigrams = _trigrams(choice)
            shares.append(len(trigrams & context) / len(trigrams) if trigrams else 0.0)
        best = max(range(len(shares)), key=shares.__getitem__)
        return _sure(best, len(shares), "lexical-overlap")

    return RunnableLambda(answer, name="lexical-overlap")


def _trigrams(text: str) -> set[str]:
    letters = re.sub(r"\W+", "", text)
    return {letters[i : i + 3] for i in range(len(letters) - 2)}


def _sure(choice: int, n_choices: int, rule: str) -> Prediction:
    return Prediction(choice=choice, status="ok", rule=rule, probs=tuple(float(i == choice) for i in range(n_choices)))


class Parts(NamedTuple):
    """What a baseline may be made of.

    Attributes:
        train_items: What it may learn from; empty for one that needs none.
        embeddings: The embedding model of `nearest`, as `retrievers.embeddings.load_embeddings` takes it.
    """

    train_items: Sequence[Item]
    seed: int
    embeddings: str = "minilm"


class Baseline(NamedTuple):
    """A baseline by what it needs.

    Attributes:
        make: Returns its predictor, fitted where it learns.
        about: One line for people.
        learns: Whether it needs training items.
        labelled: Whether it answers only items that share their labels.
    """

    make: Callable[[Parts], Predictor]
    about: str
    learns: bool = False
    labelled: bool = False


def default_embeddings(language: str) -> str:
    """Return the packaged embedding model that reads texts of a language."""
    return "minilm" if language == "en" else "e5-small"


def _nearest(parts: Parts) -> Predictor:
    from retrievers.embeddings import load_model

    model = load_model(parts.embeddings)  # without the store of vectors, so that the time of an answer is its own
    return learners.nearest(parts.train_items, embed=lambda texts: model.embed(texts, "query"))


BASELINES: dict[str, Baseline] = {
    "chance": Baseline(lambda parts: chance(parts.seed), "a random choice, the same for the same seed"),
    **{f"always-{k}": Baseline(lambda parts, k=k: always(k - 1), f"always choice {k}") for k in range(1, 6)},  # type: ignore[misc]  # mypy infers lambdas with defaults too narrowly
    "lexical-overlap": Baseline(lambda parts: lexical_overlap(), "the choice that shares most with the other texts"),
    "majority": Baseline(
        lambda parts: majority(parts.train_items), "the training items' most frequent answer", learns=True
    ),
    "tfidf": Baseline(
        lambda parts: learners.tfidf(parts.train_items),
        "counts of words and of pieces of words, with logistic regression",
        learns=True,
        labelled=True,
    ),
    "nearest": Baseline(
        _nearest, "sentence embeddings with logistic regression (--embeddings)", learns=True, labelled=True
    ),
}


def baseline_entry(name: str) -> Baseline:
    """Look a baseline up by name.

    Raises:
        ConfigurationError: No baseline has that name.
    """
    if name not in BASELINES:
        raise unknown_name("baseline", name, BASELINES, "See: python -m eval list systems")
    return BASELINES[name]


def check_baseline(name: str, train_items: Sequence[Item]) -> None:
    """Refuse a baseline that cannot be made, before anything is written.

    Raises:
        ConfigurationError: It cannot tell one class from nothing, or each item has choices of its own.
    """
    entry = baseline_entry(name)
    if not entry.labelled:
        return
    if len({item.choices for item in train_items}) > 1:
        raise ConfigurationError(f"the {name} baseline needs items that share their labels; here each has its choices")
    learners.check_classes(train_items, name)


def build_baseline(name: str, parts: Parts) -> Predictor:
    """Build a baseline's predictor, fitted where it learns."""
    entry = baseline_entry(name)
    if entry.learns and not parts.train_items:
        raise ValueError(f"baseline '{name}' needs training items")
    return entry.make(parts)
