"""How much of the label one text of a pair gives away: a bag-of-words baseline that never sees the other text.

In come items that pair two texts; out come, for each text field alone, the cross-validated accuracy, what
always naming the commonest label would get, and the words that tell. A label that the hypothesis alone predicts is an
annotation artifact: a model can score well on it without reading the premise, so it is the true floor of a comparison.

Source:
    Gururangan et al., "Annotation Artifacts in Natural Language Inference Data", NAACL 2018
    (https://aclanthology.org/N18-2017); Poliak et al., "Hypothesis Only Baselines in Natural Language
    Inference", *SEM 2018 (https://aclanthology.org/S18-2023). The first reports 53.9 % on MNLI matched (fastText).
"""

import re
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from data.common.parsing import JsonObject
from data.labels import label_ids
from data.types import Item
from finetune.features import texts_of

MAX_ITEMS = 50_000  # the time grows with them, and the interval is down to ± 0.4 points by then
FOLDS = 5
SEED = 0
TELLING_WORDS = 8  # shown of each label
WORD = r"\w+(?:['’]\w+)*"  # keeps "don't" whole and one-letter words, which scikit-learn's own pattern drops
RARE = 1e-4  # share of the items an n-gram has to occur in: 5 of 50,000, any of a small set
REGULARIZATION = 0.3  # scikit-learn's C, set once on MNLI: at its default of 1 rare words are learnt by heart
NO_WEIGHT = 1e-6  # what the solver leaves on words that tell nothing
MANY_GROUPS = 2000  # from here on a random deal gives each fold its share of every label by itself

# Points earned and possible, both (n,), and the group of each item → the ends of a 95 % interval; None: of one group.
Interval = Callable[[np.ndarray, np.ndarray, Sequence[str]], tuple[float, float] | None]
Splits = list[tuple[np.ndarray, np.ndarray]]  # rows to learn from, rows to predict


def single_text_baselines(
    items: Sequence[Item], *, labels: Sequence[str], text_fields: Sequence[str], interval: Interval
) -> JsonObject:
    """Predict the label from each text field alone, with logistic regression over TF-IDF of words and word pairs.

    Folds keep the items of a group together, so that no premise or near-copy is both learnt from and predicted.

    Args:
        items: At least one; above `MAX_ITEMS`, a seeded sample of whole groups is used.
        labels: The class names.
        text_fields: The fields that are each looked at alone.
        interval: Computes the interval of each accuracy; what another draw of the folds would change is not in it.

    Returns:
        `n`, `groups` and `folds` used, the `majority` share, and for each of `fields` the `accuracy`, its `ci95`,
        `recall` by label (None where no item has it) and the most telling
        `words` by label. Where it cannot be measured, `reason` says why and `fields` is empty.
    """
    used = _whole_group_sample(items, MAX_ITEMS)
    targets = np.array(label_ids(used, labels))
    groups = np.unique([item.group for item in used], return_inverse=True)[1]
    majority = max(Counter(targets.tolist()).values()) / len(used)
    head = {"n": len(used), "of": len(items), "groups": int(groups.max()) + 1, "majority": majority}
    texts = {field: [texts_of(item.inputs, [field], where=item.id)[0] for item in used] for field in text_fields}
    splits, reason = _splits(targets, groups)
    for field in text_fields:
        if not any(re.search(WORD, text) for text in texts[field]):
            reason = f"no {field} has a word"
    if reason:
        return head | {"folds": None, "reason": reason, "fields": {}}
    possible, names = np.ones(len(used)), [item.group for item in used]
    fields: JsonObject = {}
    for field in text_fields:
        correct, measured = _measure(texts[field], targets, splits=splits, labels=labels)
        # Folds are made of two groups or more, so there is an interval.
        span = interval(correct, possible, names) or (0.0, 1.0)
        fields[field] = {"accuracy": float(correct.mean()), "ci95": list(span), **measured}
    return head | {"folds": len(splits), "reason": None, "fields": fields}


def _whole_group_sample(items: Sequence[Item], limit: int) -> Sequence[Item]:
    if len(items) <= limit:
        return items
    sizes = Counter(item.group for item in items)
    names = list(sizes)
    order = np.random.default_rng(SEED).permutation(len(names))
    within = np.cumsum([sizes[names[index]] for index in order]) <= limit
    within[0] = True  # a group larger than the limit is better than nothing
    kept = {names[index] for index in order[within]}
    return [item for item in items if item.group in kept]


def _splits(targets: np.ndarray, groups: np.ndarray) -> tuple[Splits, str | None]:
    """Return the folds, of whole groups and about the same share of each label; or the reason why there are none."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    n_groups, most = len(np.unique(groups)), int(np.bincount(targets).max())
    if len(np.unique(targets)) < 2:
        return [], f"all {len(targets)} items have the same label"
    folds = min(FOLDS, n_groups, most)
    if folds < 2:
        return [], f"too few to hold some out: groups: {n_groups}, items of the commonest label: {most}"
    # The stratified deal takes a third of a millisecond a group: 14 s for 43,000 premises.
    kind = GroupKFold if n_groups >= MANY_GROUPS else StratifiedGroupKFold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a label with fewer items than folds is no fault
        splits = list(kind(folds, shuffle=True, random_state=SEED).split(targets, targets, groups))
    if any(len(np.unique(targets[learnt])) < 2 or not len(held_out) for learnt, held_out in splits):
        return [], "the labels are in too few groups: without one fold, the others have a single label"
    return splits, None


def _measure(
    texts: Sequence[str], targets: np.ndarray, *, splits: Splits, labels: Sequence[str]
) -> tuple[np.ndarray, JsonObject]:
    """Return which items were predicted rightly, (n,) bool, and the recall and the telling words of each label."""
    # The words are counted once for all folds: their weights by frequency see no label.
    names, counts = _weighted_ngrams(texts)
    predicted = np.empty_like(targets)
    for learnt, held_out in splits:
        predicted[held_out] = _regression().fit(counts[learnt], targets[learnt]).predict(counts[held_out])
    correct = predicted == targets
    recall = {
        label: float(correct[targets == index].mean()) if (targets == index).any() else None
        for index, label in enumerate(labels)
    }
    words = _telling_words(names, _regression().fit(counts, targets), labels)
    return correct, {"recall": recall, "words": words}


def _weighted_ngrams(texts: Sequence[str]) -> tuple[np.ndarray, Any]:
    """Return the words and word pairs (n_ngrams,), and their TF-IDF weights as a sparse (n, n_ngrams) matrix."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, min_df=RARE, token_pattern=WORD, dtype=np.float32
    )
    weights = vectorizer.fit_transform(texts)
    return vectorizer.get_feature_names_out(), weights


def _regression() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=REGULARIZATION, max_iter=1000)


def _telling_words(names: np.ndarray, regression: Any, labels: Sequence[str]) -> dict[str, list[str]]:
    """Return the n-grams that speak most for each label, by their coefficients."""
    rows = regression.coef_  # (n_classes, n_ngrams), or one row for two classes: that of the second
    if len(regression.classes_) == 2:
        rows = np.vstack([-rows[0], rows[0]])
    words: dict[str, list[str]] = {label: [] for label in labels}
    for index, row in zip(regression.classes_, rows, strict=True):
        top = np.argsort(-row, kind="stable")[:TELLING_WORDS]
        words[labels[index]] = [str(names[column]) for column in top if row[column] > NO_WEIGHT]
    return words
