"""Learners that need no GPU: word counts and sentence embeddings, each under logistic regression.

Training items in, a predictor out that reads an item's texts by their names, whatever these are. They are what a
fine-tuned or a prompted model must beat, and often all that a task needs.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from langchain_core.runnables import RunnableConfig, RunnableSerializable

from data.common.errors import ConfigurationError
from data.types import Inputs, Item, Prediction, texts_of_input

Texts = Mapping[str, str]  # of an item, by name

# The weight of the data against that of small coefficients: for counts of words, which are many and small, and for
# embeddings, whose columns are brought to one scale. Both are from training rows of several tasks alone.
COUNTS_C, EMBEDDINGS_C = 10.0, 0.1
FARTHEST = 10.0  # standard deviations from the mean that a column of an embedding counts for at most
# Beyond so many training items, pieces of words say little that the words do not, and take most of the time.
MOST_ITEMS_OF_PIECES = 100_000


class LinearClassifier(RunnableSerializable[Inputs, Prediction]):
    """Features of texts under a linear model: a fitted scikit-learn pipeline.

    Attributes:
        pipeline: Returns (n_items, n_classes) probabilities for the texts of items.
        rule: What its predictions say that they were made by.
    """

    pipeline: Any
    rule: str

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
        n_classes = max(len(entry["choices"]) for entry in inputs)
        probs = self.probabilities([texts_of_input(entry) for entry in inputs], n_classes)
        return [
            Prediction(
                choice=int(row.argmax()),
                status="ok",
                rule=self.rule,
                probs=tuple(row[: len(entry["choices"])].tolist()),
                probs_source="softmax",
            )
            for entry, row in zip(inputs, probs, strict=True)
        ]

    def probabilities(self, rows: Sequence[Texts], n_classes: int) -> np.ndarray:
        """Return the probability of each class for the texts of items, (n_items, n_classes): 0 for one never seen."""
        probs = np.zeros((len(rows), n_classes))
        probs[:, [int(target) for target in self.pipeline.classes_]] = self.pipeline.predict_proba(rows)
        return probs


def tfidf(train_items: Sequence[Item]) -> LinearClassifier:
    """Fit TF-IDF over words, pairs of words and pieces of words of each text, with logistic regression.

    Pieces of two to five letters are what makes it work in Korean, whose endings make whole words rarely the same, and
    with misspelt words.

    Raises:
        ConfigurationError: The training items have one class only.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    few = len(train_items) <= MOST_ITEMS_OF_PIECES
    least = 1 if few else 2  # texts that a word must be in

    def features() -> list[Any]:
        words = TfidfVectorizer(
            tokenizer=_words, token_pattern=None, ngram_range=(1, 2), sublinear_tf=True, min_df=least
        )
        pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=least)
        return [words, pieces] if few else [words]

    return _fit(train_items, features, rule="tfidf")


def nearest(train_items: Sequence[Item], *, embed: Callable[[list[str]], Any]) -> LinearClassifier:
    """Fit logistic regression on sentence embeddings: the cheap form of SetFit, without contrastive training.

    Two texts u and v of one item are read as [u, v, |u − v|, u ∘ v].

    Args:
        train_items: What is learnt from.
        embed: Texts in, (n_texts, dim) vectors out.

    Raises:
        ConfigurationError: The training items have one class only.

    Source:
        Tunstall et al. 2022, "Efficient Few-Shot Learning Without Prompts", arXiv:2209.11055; for pairs, Conneau et al.
        2017, arXiv:1705.02364.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    names = _text_names(train_items)

    def vectors(rows: Sequence[Texts]) -> Any:
        parts = [np.asarray(embed([row.get(name, "") for row in rows])) for name in names]
        if len(parts) == 2:
            parts += [np.abs(parts[0] - parts[1]), parts[0] * parts[1]]
        return np.hstack(parts)

    # Of a column that hardly varied in training, a text that differs is to count no more than one that is far off.
    within = FunctionTransformer(np.clip, kw_args={"a_min": -FARTHEST, "a_max": FARTHEST})
    features = make_pipeline(FunctionTransformer(vectors), StandardScaler(), within)
    return _fitted(features, train_items, rule="nearest", weight=EMBEDDINGS_C)


def _fit(train_items: Sequence[Item], features: Callable[[], list[Any]], *, rule: str) -> LinearClassifier:
    """Fit a classifier on features of each text by itself, so that a word counts by which text it stands in."""
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import FunctionTransformer

    columns = [
        make_pipeline(FunctionTransformer(_column, kw_args={"name": name}), feature)
        for name in _text_names(train_items)
        for feature in features()
    ]
    return _fitted(make_union(*columns), train_items, rule=rule, weight=COUNTS_C)


def _fitted(features: Any, train_items: Sequence[Item], *, rule: str, weight: float) -> LinearClassifier:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    check_classes(train_items, rule)
    pipeline = make_pipeline(features, LogisticRegression(C=weight, max_iter=1000, tol=1e-3))
    pipeline.fit([item.inputs for item in train_items], [item.target for item in train_items])
    return LinearClassifier(pipeline=pipeline, rule=rule)


def check_classes(train_items: Sequence[Item], name: str) -> None:
    """Refuse to learn to tell one class from nothing.

    Raises:
        ConfigurationError: The training items are of one class.
    """
    if len({item.target for item in train_items}) < 2:
        raise ConfigurationError(f"the {name} baseline needs training items of at least two classes")


def _column(rows: Sequence[Texts], *, name: str) -> list[str]:
    return [row.get(name, "") for row in rows]


def _text_names(train_items: Sequence[Item]) -> list[str]:
    return list(dict.fromkeys(name for item in train_items for name in item.inputs))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)
