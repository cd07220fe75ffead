"""The report on a classifier's probabilities: what it scored, how far that can be trusted, what it takes for what.

Items and probabilities in, one JSON-ready report out; `format_report` draws it for a terminal. Used where a
checkpoint is measured and by the card it carries, so that the two show the same figures with the same intervals.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data.common.parsing import JsonObject
from data.labels import label_ids
from data.types import Item
from eval.measures.auc import area_interval
from eval.measures.metrics import class_scores, classification_metrics, confusion_matrix
from eval.measures.stats import Interval, bootstrap_interval, macro_f1_interval, share_interval

METRICS = ("accuracy", "macro_f1", "precision", "recall", "roc_auc")


def classification_report(items: Sequence[Item], probs: np.ndarray, *, labels: Sequence[str]) -> JsonObject:
    """Report on a classifier's probabilities for items; its choice is the most probable class.

    Args:
        items: (n,) each with one of `labels` as its target, found by name.
        probs: (n, n_classes), each row sums to 1; columns in the order of `labels`.
        labels: (n_classes,) the class names.

    Returns:
        n, n_clusters, labels; accuracy, macro_f1, precision and recall (macro), roc_auc (macro one-vs-rest; None
        where a class has no item); intervals: metric to [low, high], 95 % over whole groups of items, None where
        there is none; confusion: (n_classes, n_classes) target by choice; per_class: name, precision, recall, f1,
        support.

    Raises:
        ValueError: Nothing to score, or the shapes do not agree.
        ConfigurationError: An item's label is not one of `labels`.
    """
    if probs.shape != (len(items), len(labels)):
        raise ValueError(f"probabilities of shape {probs.shape} for {len(items)} items and {len(labels)} labels")
    targets = np.array(label_ids(items, labels), dtype=np.int64)
    metrics = classification_metrics(targets.tolist(), probs)
    choices = probs.argmax(axis=1)
    confusion = confusion_matrix(targets, choices, len(labels))
    groups = [item.group for item in items]
    intervals = _intervals(targets, probs, groups)
    return {
        "n": len(items),
        "n_clusters": len(set(groups)),
        "labels": list(labels),
        **{metric: metrics.get(metric) for metric in METRICS},
        "intervals": {metric: None if span is None else list(span) for metric, span in intervals.items()},
        "confusion": confusion[:, : len(labels)].tolist(),
        "per_class": [scores.model_dump() for scores in class_scores(confusion, labels)],
    }


def format_report(report: Mapping[str, Any]) -> str:
    """Draw a report for a terminal: each metric with its interval, then what the classifier took for what."""
    lines = [f"{'metric':<10}  {'value':>6}  {'95 % interval':<15}"]
    for metric in METRICS:
        span = report["intervals"][metric]
        interval = "–" if span is None else f"{span[0]:.4f}–{span[1]:.4f}"
        value = "–" if report[metric] is None else f"{report[metric]:.4f}"
        lines.append(f"{metric:<10}  {value:>6}  {interval:<15}")
    if report["n_clusters"] < report["n"]:
        lines.append(f"intervals over {report['n_clusters']} groups of items that share context")
    labels, confusion = report["labels"], report["confusion"]
    head = "target \\ choice"
    first = max(len(head), *map(len, labels))
    widths = [max(len(name), *(len(str(row[place])) for row in confusion)) for place, name in enumerate(labels)]
    lines.append("")
    for name, row in zip([head, *labels], [labels, *confusion], strict=True):
        cells = "".join(f"  {cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        lines.append(f"{name:<{first}}{cells}")
    return "\n".join(line.rstrip() for line in lines)


def _intervals(targets: np.ndarray, probs: np.ndarray, groups: Sequence[str]) -> dict[str, Interval | None]:
    choices, classes = probs.argmax(axis=1), np.arange(probs.shape[1])
    is_target = (targets[:, None] == classes).astype(np.float32)  # (n, n_classes)
    is_choice = (choices[:, None] == classes).astype(np.float32)
    hits = is_target * is_choice

    def mean_share_of(whole: np.ndarray, weights: np.ndarray) -> np.ndarray:
        shares: np.ndarray = (weights @ hits) / np.maximum(weights @ whole, 1)  # 0 for a class that was not drawn
        means: np.ndarray = shares.mean(axis=1, dtype=np.float64)
        return means

    return {
        "accuracy": share_interval(targets == choices, np.ones(len(targets)), groups),
        "macro_f1": macro_f1_interval(targets, choices, groups, n_classes=len(classes)),
        "precision": bootstrap_interval(lambda weights: mean_share_of(is_choice, weights), groups),
        "recall": bootstrap_interval(lambda weights: mean_share_of(is_target, weights), groups),
        "roc_auc": area_interval(targets, probs, groups),
    }
