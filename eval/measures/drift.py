"""Whether new rows are like those that a system was measured on: how sure it is of them, and which labels it gives.

The counts of both in, two figures out. They say nothing of accuracy, which nobody knows of rows without labels; they
say whether the accuracy that was measured may be expected of them.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Given(NamedTuple):
    """What a system gave to some items.

    Attributes:
        labels: How often it gave each label, by its name.
        confidence: The sum of the probabilities of the labels that have one.
        n_confident: How many have one.
    """

    labels: Mapping[str, int]
    confidence: float
    n_confident: int

    @property
    def mean_confidence(self) -> float | None:
        return self.confidence / self.n_confident if self.n_confident else None


class Drift(NamedTuple):
    """How far new rows differ from those of the evaluation.

    Attributes:
        confidence: The mean probability of the labels, of the new rows and of the evaluation; None without any.
        moved: The share of labels that would have to be others for the shares to be the same (total variation): 0 for
            the same shares, 1 for none in common.
        most: The label whose share changed the most, and its share of the new rows and of the evaluation; None where
            either has no labels.
    """

    confidence: tuple[float, float] | None
    moved: float
    most: tuple[str, float, float] | None


def measure_drift(new: Given, evaluated: Given) -> Drift:
    """Compare what a system gives to new rows with what it gave to those of its evaluation."""
    means = new.mean_confidence, evaluated.mean_confidence
    confidence = (means[0], means[1]) if means[0] is not None and means[1] is not None else None
    names = list(dict.fromkeys([*evaluated.labels, *new.labels]))
    now, before = (_shares(one.labels, names) for one in (new, evaluated))
    if not any(now) or not any(before):
        return Drift(confidence, 0.0, None)
    gaps = [abs(a - b) for a, b in zip(now, before, strict=True)]
    most = gaps.index(max(gaps))
    return Drift(confidence, sum(gaps) / 2, (names[most], now[most], before[most]))


def _shares(counts: Mapping[str, int], names: Sequence[str]) -> list[float]:
    total = sum(counts.values())
    return [counts.get(name, 0) / total if total else 0.0 for name in names]
