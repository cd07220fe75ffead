"""The report on a classifier: its figures against scikit-learn, its intervals against plain resampling."""

import json

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

from data.common.errors import ConfigurationError
from data.types import Item
from eval.measures.auc import roc_auc
from eval.measures.classification import METRICS, classification_report, format_report
from eval.measures.stats import bootstrap_interval

LABELS = ("entailment", "neutral", "contradiction")


def make_items(targets, *, groups=None, choices=LABELS) -> list[Item]:
    return [
        Item(id=f"i/{row}", inputs={}, choices=choices, target=int(target), group=groups[row] if groups else f"g{row}")
        for row, target in enumerate(targets)
    ]


def draw(n: int, *, seed: int, signal: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.choice(3, n, p=(0.5, 0.3, 0.2))
    logits = rng.normal(size=(n, 3))
    logits[np.arange(n), targets] += signal
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return targets, probs


def test_the_figures_are_scikit_learns():
    targets, probs = draw(300, seed=1)
    report = classification_report(make_items(targets), probs, labels=LABELS)
    choices = probs.argmax(axis=1)
    macro = precision_recall_fscore_support(targets, choices, average="macro")
    assert (report["precision"], report["recall"], report["macro_f1"]) == pytest.approx(macro[:3])
    assert report["accuracy"] == pytest.approx((targets == choices).mean())
    assert report["roc_auc"] == pytest.approx(roc_auc_score(targets, probs, multi_class="ovr"))
    assert report["confusion"] == confusion_matrix(targets, choices).tolist()
    each = np.array(precision_recall_fscore_support(targets, choices)).T
    figures = [[row[name] for name in ("precision", "recall", "f1", "support")] for row in report["per_class"]]
    assert np.allclose(figures, each)
    assert [row["name"] for row in report["per_class"]] == list(LABELS)
    assert (report["n"], report["n_clusters"], report["labels"]) == (300, 300, list(LABELS))
    assert set(report["intervals"]) == set(METRICS)
    for metric in METRICS:
        low, high = report["intervals"][metric]
        assert low < report[metric] < high
        assert high - low < 0.15
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_intervals_are_those_of_plain_resampling_of_whole_clusters():
    targets, probs = draw(240, seed=5)
    groups = [f"g{row // 4}" for row in range(240)]
    intervals = classification_report(make_items(targets, groups=groups), probs, labels=LABELS)["intervals"]
    rng, choices, drawn = np.random.default_rng(6), probs.argmax(axis=1), []
    for _ in range(500):
        rows = (4 * rng.integers(0, 60, 60)[:, None] + np.arange(4)).ravel()
        precision, recall, f1, _ = precision_recall_fscore_support(
            targets[rows], choices[rows], average="macro", labels=[0, 1, 2], zero_division=0.0
        )
        area = roc_auc(targets[rows], probs[rows])
        drawn.append(((targets == choices)[rows].mean(), f1, precision, recall, area))
    for metric, replicates in zip(METRICS, np.array(drawn).T, strict=True):
        assert intervals[metric] == pytest.approx(np.quantile(replicates, [0.025, 0.975]), abs=0.02)


def test_the_same_items_in_another_order_have_the_same_report():
    targets, probs = draw(90, seed=7)
    items = make_items(targets, groups=[f"g{row // 3}" for row in range(90)])
    order = np.random.default_rng(8).permutation(90)
    shuffled = classification_report([items[row] for row in order], probs[order], labels=LABELS)
    assert shuffled == classification_report(items, probs, labels=LABELS)


def test_targets_follow_the_names_whatever_their_place_in_the_item():
    targets, probs = draw(60, seed=9)
    own = ("Contradiction", "ENTAILMENT", "neutral")
    moved = make_items([(1, 2, 0)[target] for target in targets], choices=own)
    by_name = classification_report(moved, probs, labels=LABELS)
    assert by_name == classification_report(make_items(targets), probs, labels=LABELS)


def test_one_cluster_has_figures_but_no_interval():
    targets, probs = draw(40, seed=10)
    report = classification_report(make_items(targets, groups=["one"] * 40), probs, labels=LABELS)
    assert report["n_clusters"] == 1
    assert report["intervals"] == dict.fromkeys(METRICS)
    assert 0 < report["accuracy"] < 1


def test_a_perfect_classifier_claims_no_certainty():
    targets = np.arange(30) % 3
    report = classification_report(make_items(targets), np.eye(3)[targets], labels=LABELS)
    assert [report[metric] for metric in METRICS] == [1.0] * 5
    low, high = report["intervals"].pop("accuracy")
    assert 0.85 < low < 0.95 and high == 1.0
    assert set(report["intervals"].values()) == {None}
    assert report["confusion"] == [[10, 0, 0], [0, 10, 0], [0, 0, 10]]


def test_a_class_without_items_has_no_area():
    targets, probs = draw(40, seed=11)
    report = classification_report(make_items(np.where(targets == 2, 0, targets)), probs, labels=LABELS)
    assert report["roc_auc"] is None and report["intervals"]["roc_auc"] is None
    assert report["per_class"][2]["support"] == 0
    assert report["intervals"]["recall"] is not None
    assert "roc_auc          –  –" in format_report(report)


def test_an_interval_of_what_is_mostly_undefined_is_none():
    groups = [str(row) for row in range(20)]
    first = bootstrap_interval(lambda w: np.where(w[:, 0] > 0, w.mean(axis=1) + w[:, 1], np.nan), groups)
    assert first is None  # 36 % of the resamples lack the first item
    rarely = bootstrap_interval(lambda w: np.where(w[:, :9].sum(axis=1) > 0, w[:, 1], np.nan), groups)
    assert rarely is not None


def test_misuse_and_foreign_labels_are_refused():
    targets, probs = draw(6, seed=12)
    for items in (make_items(targets)[:5], []):
        with pytest.raises(ValueError, match=r"shape \(6, 3\)"):
            classification_report(items, probs, labels=LABELS)
    with pytest.raises(ValueError, match=r"shape \(6, 3\) for 6 items and 2 labels"):
        classification_report(make_items(targets), probs, labels=LABELS[:2])
    with pytest.raises(ValueError, match="cannot be scored"):
        classification_report([], np.empty((0, 3)), labels=LABELS)
    with pytest.raises(ConfigurationError, match="has the label 'yes'; the labels are: entailment, neutral"):
        classification_report(make_items([0] * 6, choices=("yes", "no")), probs, labels=LABELS)


def test_the_table_of_a_report():
    targets = [0, 0, 1, 1, 2, 2]
    probs = np.eye(3)[[0, 1, 1, 1, 2, 0]]
    text = format_report(classification_report(make_items(targets, groups=list("aabbcc")), probs, labels=LABELS))
    lines = text.splitlines()
    assert lines[0].split(maxsplit=2) == ["metric", "value", "95 % interval"]
    assert lines[1].startswith("accuracy    0.6667  ")
    assert lines[6] == "intervals over 3 groups of items that share context"
    assert lines[8:] == [
        "target \\ choice  entailment  neutral  contradiction",
        "entailment                1        1              0",
        "neutral                   0        2              0",
        "contradiction             1        0              1",
    ]
