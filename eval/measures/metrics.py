"""Scores of one system on one benchmark, from its answers alone: no model and no dataset is needed.

`Answers` in, one `Scores` out. "No answer" is its own column of the confusion matrix and counts as wrong;
a failed call is no prediction at all: it is counted apart and makes the scores incomplete.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from data.types import Frozen, Status
from eval.measures.calibration import Calibration, calibrate
from eval.measures.probabilities import probabilities_of

if TYPE_CHECKING:
    import numpy as np

    from eval.measures.answers import Answers

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
        by_tag: The scores of each tag, in the order in which the tags first occur.
        latency_p50_s: Median seconds of an item.
        usage: Token counts, summed.
        rules: How often each extraction rule fired.
        statuses: How often each status occurred.
        calibration: How well the probabilities fit, of the records that have them; None without any.
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


def score(answers: Answers) -> Scores:
    """Score one system's answers on one benchmark.

    Raises:
        ValueError: There is no record.
    """
    if not len(answers):
        raise ValueError("no records: there is nothing to score")
    given, names = answers.predictions, class_names(answers)
    correct, weights = given.correct, given.weights
    confusion = confusion_matrix(given.targets, given.choices, len(names))
    classes = class_scores(confusion, names)
    macro = _macro(classes) if len(given) else (None, None, None)
    probabilities = probabilities_of(given)
    return Scores(
        correct=int(correct.sum()),
        accuracy=float(correct.mean()) if len(given) else None,
        points=float(weights[correct].sum()),
        points_possible=float(weights.sum()),
        macro_precision=macro[0],
        macro_recall=macro[1],
        macro_f1=macro[2],
        roc_auc=_roc_auc(given, len(names)),
        class_names=names,
        classes=classes,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        target_counts=tuple(int(count) for count in confusion.sum(axis=1)),
        prediction_counts=tuple(int(count) for count in confusion.sum(axis=0)),
        by_tag=_by_tag(given),
        calibration=None if probabilities is None else calibrate(probabilities),
        **_counts(answers),
        **_latencies(given),
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


def class_names(answers: Answers) -> tuple[str, ...]:
    """Return the choices where all items share them, else the positions from "1"."""
    return answers.shared_choices or tuple(str(position + 1) for position in range(answers.n_choices.max()))


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


def _counts(answers: Answers) -> dict[str, Any]:
    given = answers.predictions
    statuses = {status: int(given.has_status(status).sum()) for status in STATUSES}
    rules = {name: int((given.rows["rule"] == place).sum()) for place, name in enumerate(given.rules) if name}
    usage = {name: int(given.counted(name).sum()) for name in sorted(given.usage) if given.has_count(name).any()}
    return {
        "n": len(answers),
        "answered": statuses["ok"],
        "unparsed": len(given) - statuses["ok"],
        "errors": len(answers) - len(given),
        "complete": len(answers) == len(given),
        "usage": usage,
        "rules": {name: n for name, n in sorted(rules.items()) if n},
        "statuses": {status: n for status, n in statuses.items() if n},
    }


def _latencies(given: Answers) -> dict[str, Any]:
    """Return seconds of the items that were measured; a reply from the response cache took none."""
    import numpy as np

    seconds = given.rows["latency_s"]
    seconds = seconds[~np.isnan(seconds) & (given.rows["cache_hits"] == 0)]
    return {
        "latency_p50_s": float(np.percentile(seconds, 50)) if len(seconds) else None,
        "latency_p95_s": float(np.percentile(seconds, 95)) if len(seconds) else None,
        "latency_total_s": float(seconds.sum()),
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


def _roc_auc(given: Answers, n_classes: int) -> float | None:
    """Return the area where every prediction has probabilities of all classes."""
    from eval.measures.auc import roc_auc

    if not len(given) or not ((given.rows["source"] >= 0) & (given.n_choices == n_classes)).all():
        return None
    return roc_auc(given.targets, given.probs)


def _by_tag(given: Answers) -> dict[str, TagScores]:
    correct, weights = given.correct, given.weights
    return {
        tag: TagScores(
            n=int(own.sum()),
            correct=int(correct[own].sum()),
            accuracy=float(correct[own].mean()),
            points=float(weights[own & correct].sum()),
            points_possible=float(weights[own].sum()),
        )
        for tag, own in given.rows_by_tag.items()
    }
