"""What a system must beat to have learnt anything: chance, the majority, a fixed choice, word counts, overlap.

Each factory takes the training items that its system may learn from (empty where it needs none) and returns a
predictor like any other, so that a baseline's records and scores look like a model's.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.runnables import Runnable, RunnableLambda, RunnableSerializable
from langchain_core.runnables.config import RunnableConfig

from data.common.errors import ConfigurationError, unknown_name
from data.types import Item, Prediction, texts_of_input

Inputs = dict[str, Any]
Predictor = Runnable[Inputs, Prediction]

# The fields that are read, in this order, where an item has them.
_CONTEXT_FIELDS = ("passage", "premise")
_QUESTION_FIELDS = ("question", "extra", "hypothesis")


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
    n = len(train_items[0].choices)
    probs = tuple(counts[i] / len(train_items) for i in range(n))
    choice = max(range(n), key=lambda i: counts[i])
    return RunnableLambda(
        lambda item: Prediction(choice=choice, status="ok", rule="majority", probs=probs), name="majority"
    )


def lexical_overlap() -> Predictor:
    """Answer with the choice that shares the largest part of its character trigrams with the passage.

    Trigrams rather than words, because Korean endings make whole words rarely the same.
    """

    def answer(item: Inputs) -> Prediction:
        context = _trigrams(" ".join(item.get(field, "") for field in (*_CONTEXT_FIELDS, *_QUESTION_FIELDS)))
        shares = []
        for choice in item["choices"]:
            trigrams = _trigrams(choice)
            shares.append(len(trigrams & context) / len(trigrams) if trigrams else 0.0)
        best = max(range(len(shares)), key=shares.__getitem__)
        return _sure(best, len(shares), "lexical-overlap")

    return RunnableLambda(answer, name="lexical-overlap")


class TfidfClassifier(RunnableSerializable[Inputs, Prediction]):
    """Word and word-pair counts of context and question under logistic regression; a fitted pipeline."""

    pipeline: Any

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Prediction:
        return self.batch([input], config)[0]

    def batch(
        self,
        inputs: list[Inputs],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any | None,
    ) -> list[Prediction]:
        probs = self.pipeline.predict_proba([_context_and_question(entry) for entry in inputs])  # (n, n_classes)
        classes = [int(target) for target in self.pipeline.classes_]
        predictions = []
        for entry, row in zip(inputs, probs, strict=True):
            full = [0.0] * len(entry["choices"])
            for target, probability in zip(classes, row, strict=True):
                full[target] = float(probability)
            best = max(range(len(full)), key=full.__getitem__)
            answer = Prediction(choice=best, status="ok", rule="tfidf", probs=tuple(full), probs_source="softmax")
            predictions.append(answer)
        return predictions


def tfidf(train_items: Sequence[Item]) -> Predictor:
    """Fit TF-IDF over uni- and bigrams, marked by side, with logistic regression (scikit-learn's defaults).

    Raises:
        ConfigurationError: The training items have one class only.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    targets = [item.target for item in train_items]
    if len(set(targets)) < 2:
        raise ConfigurationError("the tfidf baseline needs training items of at least two classes")
    vectorizer = TfidfVectorizer(tokenizer=str.split, token_pattern=None, lowercase=False, ngram_range=(1, 2), min_df=2)
    pipeline = make_pipeline(vectorizer, LogisticRegression(max_iter=1000))
    return TfidfClassifier(pipeline=pipeline.fit([_context_and_question(i.to_input()) for i in train_items], targets))


def _context_and_question(entry: Inputs) -> str:
    """Return the words of both sides, those of the question marked, so that a word counts by where it stands.

    Of texts with other names the first is the context, and those after it are the question.
    """
    texts = texts_of_input(entry)
    named = any(field in texts for field in (*_CONTEXT_FIELDS, *_QUESTION_FIELDS))
    contexts = _CONTEXT_FIELDS if named else tuple(texts)[:1]
    questions = _QUESTION_FIELDS if named else tuple(texts)[1:]
    context = " ".join(texts.get(field, "") for field in contexts)
    question = " ".join(texts.get(field, "") for field in questions)
    marked = [f"q:{word}" for word in _words(question)]
    return " ".join([*_words(context), *marked])


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _trigrams(text: str) -> set[str]:
    letters = re.sub(r"\W+", "", text)
    return {letters[i : i + 3] for i in range(len(letters) - 2)}


def _sure(choice: int, n_choices: int, rule: str) -> Prediction:
    return Prediction(choice=choice, status="ok", rule=rule, probs=tuple(float(i == choice) for i in range(n_choices)))


# name → (needs training items, factory(train_items, seed), one line for people)
BASELINES: dict[str, tuple[bool, Callable[[Sequence[Item], int], Predictor], str]] = {
    "chance": (False, lambda items, seed: chance(seed), "a random choice, the same for the same seed"),
    **{
        f"always-{k}": (False, lambda items, seed, k=k: always(k - 1), f"always choice {k}")  # type: ignore[misc]  # mypy infers lambdas with defaults too narrowly
        for k in range(1, 6)
    },
    "lexical-overlap": (False, lambda items, seed: lexical_overlap(), "the choice that shares most with the passage"),
    "majority": (True, lambda items, seed: majority(items), "the training items' most frequent answer"),
    "tfidf": (True, lambda items, seed: tfidf(items), "TF-IDF with logistic regression on the training items"),
}


def needs_training(name: str) -> bool:
    """Say whether a baseline learns from training items.

    Raises:
        ConfigurationError: No baseline has that name.
    """
    if name not in BASELINES:
        raise unknown_name("baseline", name, BASELINES, "See: python -m eval list systems")
    return BASELINES[name][0]


def build_baseline(name: str, train_items: Sequence[Item], *, seed: int) -> Predictor:
    """Build a baseline's predictor, fitted where it learns."""
    if needs_training(name) and not train_items:
        raise ValueError(f"baseline '{name}' needs training items")
    return BASELINES[name][1](train_items, seed)
