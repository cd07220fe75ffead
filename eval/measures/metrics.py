"""Scores of one system on one benchmark, from its records alone: no model and no dataset is needed.

Records in, one `Scores` out. "No answer" is its own column of the confusion matrix and counts as wrong;
a failed call is no prediction at all: it is counted apart and makes the scores incomplete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from data.types import Frozen, Item, Prediction, Record, Status
from eval.measures.calibration import Calibration, calibrate
from eval.measures.probabilities import read_probabilities

if TYPE_CHECKING:
    import numpy as np

NO_ANSWER = -1
STATUSES: tuple[Status, ...] = get_args(Status)


class ClassScores(Frozen):
    """One class against the rest; `support` is how many items have it as target."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


class TagScores(Frozen):
    """The items that carry one tag, such as a section of the exam."""

    n: int
    correct: int
    accuracy: float
    points: float
    points_possible: float


class Scores(Frozen):
    """What one system scored; everything but n, errors and complete is over the records that hold a prediction.

    Attributes:
        n: Records; `answered` + `unparsed` + `errors`.
        complete: False where a call failed: the scores are then over fewer items than were asked.
        accuracy: Right of all predictions, an unparsed one being wrong; None where every call failed.
        points: Item weights earned, of `points_possible`.
        macro_f1: Mean over all classes, as scikit-learn's with labels=range(n_classes) and zero_division=0.
        roc_auc: Macro one-vs-rest; None without probabilities for all, or where a class has no item.
        class_names: (n_classes,) the choices where all items share them, else the positions "1", "2", ...
        confusion: (n_classes, n_classes + 1): target by prediction, the last column for no answer.
        target_counts: (n_classes,).
        prediction_counts: (n_classes + 1,), the last for no answer.
        by_tag: In the order in which the tags first occur.
        latency_p50_s: Median seconds of an item.
        usage: Token counts, summed.
        rules: How often each extraction rule fired.
        statuses: How often each status occurred.
        calibration: Of the records with probabilities; None without any.
    """

    n: int
    answered: int
    unparsed: int
    errors: int
    complete: bool
    correct: int
    accuracy: float | None
    points: float
    points_possible: float
    macro_f1: float | None
    macro_precision: float | None
    macro_recall: float | None
    roc_auc: float | None
    class_names: tuple[str, ...]
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    target_counts: tuple[int, ...]
    prediction_counts: tuple[int, ...]
    by_tag: dict[str, TagScores]
    latency_p50_s: float | None
    latency_p95_s: float | None
    latency_total_s: float
    usage: dict[str, int]
    rules: dict[str, int]
    statuses: dict[str, int]
    calibration: Calibration | None = None


def score(records: Iterable[Record]) -> Scores:
    """Score one system's records on one benchmark.

    Args:
        records: One record an item, all of one system.

    Raises:
        ValueError: There is no record.
    """
    import numpy as np

    everything = list(records)
    if not everything:
        raise ValueError("no records: there is nothing to score")
    answered = [(r, r.prediction) for r in everything if r.prediction is not None]
    targets = np.array([r.item.target for r, _ in answered], dtype=np.int64)
    choices = np.array([NO_ANSWER if p.choice is None else p.choice for _, p in answered], dtype=np.int64)
    weights = np.array([r.item.weight for r, _ in answered])
    correct = targets == choices
    names = class_names([r.item for r in everything])
    confusion = confusion_matrix(targets, choices, len(names))
    classes = class_scores(confusion, names)
    macro = _macro(classes) if answered else (None, None, None)
    return Scores(
        correct=int(correct.sum()),
        accuracy=float(correct.mean()) if answered else None,
        points=float(weights[correct].sum()),
        points_possible=float(weights.sum()),
        macro_precision=macro[0],
        macro_recall=macro[1],
        macro_f1=macro[2],
        roc_auc=_records_roc_auc(answered, len(names)),
        class_names=names,
        classes=classes,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        target_counts=tuple(int(count) for count in confusion.sum(axis=1)),
        prediction_counts=tuple(int(count) for count in confusion.sum(axis=0)),
        by_tag=_by_tag(answered),
        calibration=None if (given := read_probabilities(everything)) is None else calibrate(given),
        **_counts(len(everything), [p for _, p in answered]),
        **_latencies([r.latency_s for r, _ in answered if r.latency_s is not None and not r.cache_hits]),
    )


def classification_metrics(targets: Sequence[int], probs: np.ndarray) -> dict[str, float]:
    """Score a classifier's probabilities; the choice is the most probable class.

    Args:
        targets: (n,) class indices.
        probs: (n, n_classes), each row sums to 1.

    Returns:
        accuracy, macro_f1, precision and recall (macro), and roc_auc where every class occurs among the targets.

    Raises:
        ValueError: Nothing to score, or the lengths differ.
    """
    import numpy as np

    from eval.measures.auc import roc_auc

    gold = np.asarray(targets, dtype=np.int64)
    if len(gold) == 0 or probs.ndim != 2 or len(gold) != len(probs):
        raise ValueError(f"{len(gold)} targets and probabilities of shape {probs.shape} cannot be scored together")
    choices = probs.argmax(axis=1)
    n_classes = probs.shape[1]
    confusion = confusion_matrix(gold, choices, n_classes)
    precision, recall, f1 = _macro(class_scores(confusion, tuple(map(str, range(n_classes)))))
    scores = {
        "accuracy": float((gold == choices).mean()),
        "macro_f1": f1,
        "precision": precision,
        "recall": recall,
    }
    auc = roc_auc(gold, probs)
    return scores if auc is None else {**scores, "roc_auc": auc}


def class_names(items: Sequence[Item]) -> tuple[str, ...]:
    """Return the choices where all items share them, else the positions from "1"."""
    shared = {item.choices for item in items}
    if len(shared) == 1 and len(items) > 1:
        return items[0].choices
    return tuple(str(position + 1) for position in range(max(len(item.choices) for item in items)))


def confusion_matrix(targets: np.ndarray, choices: np.ndarray, n_classes: int) -> np.ndarray:
    """Count target by choice.

    Args:
        targets: (n,) int.
        choices: (n,) int, NO_ANSWER for none.
        n_classes: Rows; there is one column more, for no answer.
    """
    import numpy as np

    columns = np.where(choices == NO_ANSWER, n_classes, choices)
    cells = np.bincount(targets * (n_classes + 1) + columns, minlength=n_classes * (n_classes + 1))
    return cells.reshape(n_classes, n_classes + 1)  # (n_classes, n_classes + 1)


def _counts(n: int, predictions: Sequence[Prediction]) -> dict[str, Any]:
    statuses = Counter(prediction.status for prediction in predictions)
    return {
        "n": n,
        "answered": statuses["ok"],
        "unparsed": len(predictions) - statuses["ok"],
        "errors": n - len(predictions),
        "complete": n == len(predictions),
        "usage": _sum_usage(prediction.usage for prediction in predictions),
        "rules": dict(sorted(Counter(p.rule for p in predictions if p.rule).items())),
        "statuses": {status: statuses[status] for status in STATUSES if statuses[status]},
    }


def _latencies(seconds: Sequence[float]) -> dict[str, Any]:
    import numpy as np

    return {
        "latency_p50_s": float(np.percentile(seconds, 50)) if seconds else None,
        "latency_p95_s": float(np.percentile(seconds, 95)) if seconds else None,
        "latency_total_s": float(sum(seconds)),
    }


def class_scores(confusion: np.ndarray, names: Sequence[str]) -> tuple[ClassScores, ...]:
    """Score each class against the rest; 0 where a class was never predicted, or never the target."""
    scores = []
    for label, name in enumerate(names):
        hits, support, predicted = confusion[label, label], confusion[label].sum(), confusion[:, label].sum()
        scores.append(
            ClassScores(
                name=name,
                precision=float(hits / predicted) if predicted else 0.0,
                recall=float(hits / support) if support else 0.0,
                f1=float(2 * hits / (support + predicted)) if support + predicted else 0.0,
                support=int(support),
            )
        )
    return tuple(scores)


def _macro(classes: Sequence[ClassScores]) -> tuple[float, float, float]:
    n = len(classes)
    return sum(c.precision for c in classes) / n, sum(c.recall for c in classes) / n, sum(c.f1 for c in classes) / n


def _records_roc_auc(answered: Sequence[tuple[Record, Prediction]], n_classes: int) -> float | None:
    import numpy as np

    from eval.measures.auc import roc_auc

    probs = [p.probs for _, p in answered]
    if not probs or any(row is None or len(row) != n_classes for row in probs):
        return None
    return roc_auc(np.array([r.item.target for r, _ in answered]), np.array(probs, dtype=np.float64))


def _by_tag(answered: Sequence[tuple[Record, Prediction]]) -> dict[str, TagScores]:
    tagged: dict[str, list[tuple[bool, float]]] = {}
    for record, prediction in answered:
        for tag in record.item.tags:
            tagged.setdefault(tag, []).append((prediction.choice == record.item.target, record.item.weight))
    return {
        tag: TagScores(
            n=len(rows),
            correct=sum(right for right, _ in rows),
            accuracy=sum(right for right, _ in rows) / len(rows),
            points=sum(weight for right, weight in rows if right),
            points_possible=sum(weight for _, weight in rows),
        )
        for tag, rows in tagged.items()
    }


def _sum_usage(usages: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for usage in usages:
        total.update(usage)
    return dict(sorted(total.items()))
