"""The label audit: which rows of a labelled file carry a label that is probably wrong.

    rows ─ folds ─ learner (never fitted on a row's own fold) ─ probabilities ─ confident learning ─ audit

A row's own label has no part in its own probabilities, nor has that of any row with the same text or of the same group.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from data.common.errors import ConfigurationError
from data.common.progress import Progress, log
from data.splits import fold_numbers
from data.types import Item
from eval.measures.confident_learning import (
    class_thresholds,
    confident_classes,
    doubtful_labels,
    likeliest_others,
    most_doubtful_first,
    wrong_share,
)
from eval.measures.probabilities import at
from eval.measures.stats import Interval
from eval.plan.learners import LinearClassifier, nearest, tfidf

FOLDS = 5
LEARNERS = ("nearest", "tfidf", "both")
_BLOCK = 1024  # texts that are embedded before the progress is said
Learner = Callable[[Sequence[Item]], LinearClassifier]


class LabelPair(NamedTuple):
    """Doubtful rows that carry one label and read like another."""

    label: str
    likelier: str
    n: int


class LabelAudit(NamedTuple):
    """What an audit found.

    Attributes:
        items: (n,) the rows that were audited, in the order of the file.
        likelier: (n,) int, the most probable class besides the label.
        label_probs: (n,) the probability of the label; nan for a row that could not be judged.
        likelier_probs: (n,) that of the likeliest other class; nan likewise.
        doubtful: (n,) bool.
        order: (n,) int, the rows from the most doubtful to the least; those that could not be judged stand last.
        wrong: The estimated share of the judged rows whose label is wrong.
        interval: 95 % of it; None where all rows are one group.
        pairs: The pairs of labels of the doubtful rows, the most frequent first.
    """

    items: Sequence[Item]
    likelier: np.ndarray
    label_probs: np.ndarray
    likelier_probs: np.ndarray
    doubtful: np.ndarray
    order: np.ndarray
    wrong: float
    interval: Interval | None
    pairs: list[LabelPair]

    @property
    def n_judged(self) -> int:
        """How many rows could be judged: their label is carried by a row of another fold, too."""
        return int((~np.isnan(self.label_probs)).sum())


def audit_labels(items: Sequence[Item], *, embeddings: str, learner: str = "nearest", seed: int = 0) -> LabelAudit:
    """Look for wrong labels among items.

    Args:
        items: They share their labels.
        embeddings: The embedding model, as `retrievers.embeddings.load_model` takes it.
        learner: One of `LEARNERS`. Embeddings have as many columns however many rows there are; word counts have not.
        seed: The same seed divides the rows in the same way.

    Raises:
        ConfigurationError: The items have choices of their own, one label alone, are all of one group, or no label is
            carried by two texts.
        MissingResourceError: The embedding model is not there.
    """
    folds = label_folds(items, seed=seed)
    learners: dict[str, Learner] = {}
    if learner != "tfidf":
        learners[embeddings] = partial(nearest, embed=embedded(items, embeddings))
    if learner != "nearest":
        learners["tfidf"] = tfidf
    probs = np.zeros((len(items), len(items[0].choices)), dtype=np.float32)
    for name, one in learners.items():
        probs += out_of_fold(items, folds, one, name=name) / len(learners)
    return audit_probabilities(items, probs, folds)


def label_folds(items: Sequence[Item], *, seed: int) -> np.ndarray:
    """Return the fold of each item, (n,) int: items of one group, or with the same texts, are in one.

    Raises:
        ConfigurationError: As for `audit_labels`.
    """
    if len({item.choices for item in items}) > 1:
        raise ConfigurationError("a label audit needs items that share their labels; here each has its choices")
    if len({item.target for item in items}) < 2:
        raise ConfigurationError("a label audit needs items of at least two labels")
    folds = np.array(fold_numbers(items, n_folds=FOLDS, seed=seed))
    if not _judged(items, folds).any():
        raise ConfigurationError(
            f"no label of the {len(items)} rows is carried by two of them with different texts; add rows of each label"
        )
    return folds


def embedded(items: Sequence[Item], embeddings: str) -> Callable[[list[str]], np.ndarray]:
    """Embed every text of the items once; return what gives the vectors of such texts, (n_texts, dim).

    Raises:
        ConfigurationError: The name of the embedding model is unknown.
        MissingResourceError: The model is not there.
    """
    from retrievers.embeddings import load_model

    model = load_model(embeddings)
    texts = list(dict.fromkeys(text for item in items for text in item.inputs.values()))
    blocks = []
    with Progress(embeddings, len(texts)) as progress:
        for start in range(0, len(texts), _BLOCK):
            block = texts[start : start + _BLOCK]
            blocks.append(np.asarray(model.embed(block, "query"), dtype=np.float32))
            for _ in block:
                progress.advance(failed=False)
    vectors, places = np.concatenate(blocks), {text: place for place, text in enumerate(texts)}
    return lambda wanted: vectors[[places[text] for text in wanted]]


def out_of_fold(items: Sequence[Item], folds: np.ndarray, learner: Learner, *, name: str) -> np.ndarray:
    """Return each class's probability by a learner that was fitted on the other folds.

    Args:
        items: They share their labels.
        folds: (n,) of `label_folds`.
        learner: Takes the items to learn from.
        name: What it is called where it is said how far it is.

    Returns:
        (n, K) float32.
    """
    probs = np.zeros((len(items), len(items[0].choices)), dtype=np.float32)
    n_folds = int(folds.max()) + 1
    for fold in range(n_folds):
        log(f"{name}: fold {fold + 1} of {n_folds}")
        held_out = np.flatnonzero(folds == fold).tolist()
        train = [items[place] for place in np.flatnonzero(folds != fold).tolist()]
        probs[held_out] = _probabilities(learner, train, [items[place] for place in held_out])
    return probs


def _probabilities(learner: Learner, train: Sequence[Item], asked: Sequence[Item]) -> np.ndarray:
    """Return (n_asked, K); what was learnt of one class alone knows no other."""
    n_classes, learnt = len(asked[0].choices), {item.target for item in train}
    if len(learnt) > 1:
        return learner(train).probabilities([item.inputs for item in asked], n_classes)
    return np.tile(np.isin(np.arange(n_classes), list(learnt)).astype(float), (len(asked), 1))


def _judged(items: Sequence[Item], folds: np.ndarray) -> np.ndarray:
    """Say of each item whether its label is carried in another fold, (n,) bool: else nobody can have learnt it."""
    labels = np.array([item.target for item in items])
    in_fold = np.zeros((len(items[0].choices), int(folds.max()) + 1), dtype=np.int64)
    np.add.at(in_fold, (labels, folds), 1)
    judged: np.ndarray = in_fold.sum(axis=1)[labels] > in_fold[labels, folds]
    return judged


def audit_probabilities(items: Sequence[Item], probs: np.ndarray, folds: np.ndarray) -> LabelAudit:
    """Audit labels by probabilities that they had no part in.

    Args:
        items: They share their labels.
        probs: (n, K) of `out_of_fold`, or a mean of several.
        folds: (n,) of `label_folds`.
    """
    judged, every = _judged(items, folds), np.array([item.target for item in items])
    labels, own = every[judged], probs[judged]
    confident = confident_classes(own, class_thresholds(labels, own))
    others, found = likeliest_others(labels, own), doubtful_labels(labels, own, confident)
    wrong, interval = wrong_share(labels, confident, np.array([item.group for item in items])[judged])
    likelier, doubtful = every.copy(), np.zeros(len(items), dtype=bool)
    likelier[judged], doubtful[judged] = others, found
    ranked = np.flatnonzero(judged)[most_doubtful_first(labels, own, found)]
    names = items[0].choices
    pairs = Counter(zip(labels[found].tolist(), others[found].tolist(), strict=True)).most_common()
    return LabelAudit(
        items=items,
        likelier=likelier,
        label_probs=_placed(at(own, labels), judged),
        likelier_probs=_placed(at(own, others), judged),
        doubtful=doubtful,
        order=np.append(ranked, np.flatnonzero(~judged)),
        wrong=wrong,
        interval=interval,
        pairs=[LabelPair(names[label], names[other], n) for (label, other), n in pairs],
    )


def _placed(values: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Return (n,) the values of the judged rows in their places, nan elsewhere."""
    placed = np.full(len(judged), np.nan)
    placed[judged] = values
    return placed
