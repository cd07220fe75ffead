"""Whether a system's probabilities can be believed: proper scores, calibration, and what its confidence is worth.

`Probabilities` in, one `Calibration` out. A system's confidence in an item is the probability of what it chose; an
answer that nothing could be read from is wrong, with its highest probability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from data.types import Frozen
from eval.measures.probabilities import FLOOR, Probabilities, at

if TYPE_CHECKING:
    import numpy as np

    from eval.measures.stats import Interval

N_BINS = 15
ITEMS_OF_A_BIN = 10  # fewer, and a bin's accuracy is noise
COVERAGES = (0.25, 0.5, 0.75, 1.0)


class ReliabilityBin(Frozen):
    """Items of like confidence: how sure the system was of them on average, and how often it was right."""

    n: int
    confidence: float
    accuracy: float


class SelectiveAccuracy(Frozen):
    """Accuracy on the `n` items that the system is most sure of, a share `coverage` of all."""

    coverage: float
    n: int
    accuracy: float


class Calibration(Frozen):
    """How good a system's probabilities are.

    Attributes:
        n: Items with probabilities; everything here is over these.
        sources: Where how many of the probabilities come from: `data.types.ProbsSource`, or "unknown".
        brier: Multiclass Brier score, 0 to 2, lower is better; the same share for every choice scores 1 - 1/choices.
        log_loss: Mean -ln p(target), lower is better; ln(choices) for the same share for every choice.
        accuracy: The accuracy on these items.
        confidence: Mean probability of what was chosen.
        ece: Expected calibration error, over bins of equally many items.
        ece_if_calibrated: What the ECE of so many items with these confidences would be on average if every one of
            them were exactly right: an ECE near it says nothing against the system.
        aurc: Area under the risk-coverage curve, lower is better; the error rate, where confidence says nothing.
        selective: Accuracy on the items it is most sure of, at each of COVERAGES.
        bins: The bins, from the least sure to the surest.
    """

    n: int
    sources: dict[str, int]
    brier: float
    log_loss: float
    accuracy: float
    confidence: float
    ece: float
    ece_if_calibrated: float
    aurc: float
    selective: tuple[SelectiveAccuracy, ...]
    bins: tuple[ReliabilityBin, ...]

    @property
    def overconfidence(self) -> float:
        """Mean confidence minus accuracy: above 0 the system claims more than it keeps."""
        return round(self.confidence - self.accuracy, 9) + 0.0  # rounding errors are no sign


def calibrate(given: Probabilities) -> Calibration:
    """Score a system's probabilities."""
    confidence, correct = given.confidence, given.correct
    bins = reliability_bins(confidence, correct)
    n, kept = len(correct), kept_accuracy(confidence, correct)
    sizes = [(coverage, math.ceil(coverage * n)) for coverage in COVERAGES]
    return Calibration(
        n=n,
        sources=given.sources,
        brier=float(brier_scores(given.targets, given.probs).mean()),
        log_loss=float(log_losses(given.targets, given.probs).mean()),
        accuracy=float(correct.mean()),
        confidence=float(confidence.mean()),
        ece=calibration_error(bins),
        ece_if_calibrated=calibration_error_by_chance(confidence),
        aurc=float(1 - kept.mean()),
        selective=tuple(
            SelectiveAccuracy(coverage=coverage, n=size, accuracy=float(kept[size - 1])) for coverage, size in sizes
        ),
        bins=bins,
    )


def calibration_intervals(given: Probabilities) -> dict[str, Interval | None]:
    """Return the 95 % intervals of what is a mean over items, whole clusters drawn: brier, log_loss, overconfidence.

    Overconfidence is a difference of two shares, what is claimed and what is right. So its interval is that of a
    difference, which a system that shows no spread has too: to be always sure and always wrong is no lack of evidence.
    ECE has none: it is a sum of absolute values, which every resample makes larger.
    """
    import numpy as np

    from eval.measures.stats import Interval, mean_interval, paired_difference_interval

    brier, losses = brier_scores(given.targets, given.probs), log_losses(given.targets, given.probs)
    claimed_more = given.confidence - given.correct
    return {
        "brier": mean_interval(brier, given.groups, within=Interval(0.0, 2.0)),
        "log_loss": mean_interval(losses, given.groups, within=Interval(0.0, math.inf)),
        "overconfidence": paired_difference_interval(claimed_more, np.ones(len(claimed_more)), given.groups),
    }


def brier_scores(targets: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Return the squared distance of each item's probabilities from what was right.

    Args:
        targets: (n,) int.
        probs: (n, n_classes), each row sums to 1.

    Returns:
        (n,) between 0 and 2.

    Source:
        Brier 1950, Monthly Weather Review 78:1-3.
    """
    distances: np.ndarray = (probs**2).sum(axis=1) - 2 * at(probs, targets) + 1
    return distances


def log_losses(targets: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Return -ln of the probability that each item's target was given, which counts as FLOOR where it is less.

    Args:
        targets: (n,) int.
        probs: (n, n_classes), each row sums to 1.

    Returns:
        (n,) nats.

    Source:
        Good 1952, Journal of the Royal Statistical Society B 14:107-114.
    """
    import numpy as np

    losses: np.ndarray = -np.log(np.maximum(at(probs, targets), FLOOR))
    return losses


def reliability_bins(confidence: np.ndarray, correct: np.ndarray) -> tuple[ReliabilityBin, ...]:
    """Put the items into bins of equally many by their confidence.

    Equal-mass bins, as those of equal width leave most bins of a sure system empty; at most 15 of at least 10 items.
    Items of the same confidence stay together, so that their order does not matter.

    Args:
        confidence: (n,) probability of the choice.
        correct: (n,) bool.

    Source:
        DeGroot and Fienberg 1983, The Statistician 32:12-22 (reliability diagram); Nguyen and O'Connor 2015, EMNLP
        (equal-mass bins).
    """
    import numpy as np

    places = _bin_places(confidence)
    counts = np.bincount(places)
    sure = np.bincount(places, weights=confidence) / counts
    right = np.bincount(places, weights=correct) / counts
    rows = zip(counts, sure, right, strict=True)
    return tuple(ReliabilityBin(n=int(n), confidence=float(c), accuracy=float(a)) for n, c, a in rows)


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error: how far confidence and accuracy of a bin are apart, weighted by its items.

    Source:
        Naeini, Cooper and Hauskrecht 2015, AAAI; Guo, Pleiss, Sun and Weinberger 2017, ICML.
    """
    return sum(one.n * abs(one.accuracy - one.confidence) for one in bins) / sum(one.n for one in bins)


def calibration_error_by_chance(confidence: np.ndarray) -> float:
    """Return the mean ECE of a system that is right exactly as often as it claims: finite bins miss by chance alone.

    A bin's right answers are then a sum of independent trials, near enough a normal variable, whose mean absolute
    deviation is sqrt(2 / pi) of its standard deviation.

    Args:
        confidence: (n,) probability of the choice.

    Source:
        Bröcker and Smith 2007, Weather and Forecasting 22:651-661, who resample what is a closed form here.
    """
    import numpy as np

    variances = np.bincount(_bin_places(confidence), weights=np.clip(confidence * (1 - confidence), 0, None))
    return float(np.sqrt(2 * variances / np.pi).sum() / len(confidence))


def kept_accuracy(confidence: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """Return the accuracy on the 1, 2, …, n surest items, those of the same confidence being in random order.

    One minus its mean is the AURC, the area under the risk-coverage curve.

    Args:
        confidence: (n,) probability of the choice.
        correct: (n,) bool.

    Returns:
        (n,).

    Source:
        El-Yaniv and Wiener 2010, JMLR 11:1605-1641 (selective classification); Geifman, Uziel and El-Yaniv 2019, ICLR
        (AURC).
    """
    import numpy as np

    _, places, counts = np.unique(-confidence, return_inverse=True, return_counts=True)
    shares = np.bincount(places, weights=correct) / counts  # of each tie, the surest first
    kept: np.ndarray = np.cumsum(np.repeat(shares, counts)) / np.arange(1, len(correct) + 1)
    return kept


def _bin_places(confidence: np.ndarray) -> np.ndarray:
    """Return the bin of each item, (n,), numbered from 0 without gaps: a tie goes where its middle belongs."""
    import numpy as np

    n = len(confidence)
    n_bins = min(N_BINS, max(1, n // ITEMS_OF_A_BIN))
    _, ties, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    middles = (np.cumsum(counts) - counts / 2) / n  # between 0 and 1
    places: np.ndarray = np.unique(np.floor(middles * n_bins)[ties], return_inverse=True)[1]
    return places
