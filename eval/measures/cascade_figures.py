"""What is measured of a cascade: two systems, the thresholds that rules chose, what can be promised, the frontier.

Frozen figures without any computing but two lines that a frontier is held against; `eval.measures.cascade` makes them.
"""

from data.types import Frozen
from eval.measures.stats import Interval


class CascadePoint(Frozen):
    """A cascade at one threshold, on the very items that the threshold parts.

    Attributes:
        threshold: The first answers alone where its probability is at least this.
        passed_on: Share of the items that the second is asked.
        interval: The 95 % interval of the accuracy.
        difference: Its accuracy minus that of the better of the two systems.
        difference_interval: The paired 95 % interval of it; None where the cascade answers as that system does on every
            item.
        usd: What a query costs; None where unknown.
    """

    threshold: float
    passed_on: float
    accuracy: float
    interval: Interval | None
    difference: float
    difference_interval: Interval | None
    usd: float | None


class CascadeChoice(Frozen):
    """A cascade at a threshold that a rule chose, measured on items that it was not chosen on.

    Attributes:
        threshold: What the rule chooses on all items: the one to use from now on.
        passed_on: Share of the items that the second is asked.
        passed_on_interval: The 95 % interval of that share.
        alone_accuracy: Accuracy of what the first answers alone; None where that is nothing.
        accuracy: The accuracy of the cascade.
        interval: The 95 % interval of the accuracy.
        difference: Its accuracy minus that of the better of the two systems.
        difference_interval: The paired 95 % interval of it.
        usd: What a query costs; None where unknown.
        usd_interval: The 95 % interval of that price; None where unknown, or where every item cost the same.
        price_share: `usd` as a share of what a query of the second costs; None where unknown.
    """

    threshold: float
    passed_on: float
    passed_on_interval: Interval | None
    alone_accuracy: float | None
    accuracy: float
    interval: Interval | None
    difference: float
    difference_interval: Interval | None
    usd: float | None
    usd_interval: Interval | None
    price_share: float | None


class Promise(Frozen):
    """With 95 % confidence, what the first answers alone is right at least so often.

    Attributes:
        accuracy: What is promised.
        threshold: Chosen on all items; None where these promise it at no threshold.
        alone: Share of the items that are answered alone, each by a threshold that was chosen on others.
        alone_accuracy: Accuracy on these; None where there are none.
    """

    accuracy: float
    threshold: float | None
    alone: float
    alone_accuracy: float | None


class Cascade(Frozen):
    """A cascade of two systems, over the items that both hold a prediction for.

    Attributes:
        better: The one of the two that is right more often, the second where both are alike.
        n: Items.
        n_without: Items that the first answered without a probability, which are passed on at every threshold.
        either_right: Share of the items that one of the two is right on: no cascade is better.
        first_usd: What a query of the first costs; None where unknown.
        as_right: Passes on as little as it can without being right less often than the second; None where the first
            is right as often by itself.
        best: Passes on what makes it right most often.
        promises: What can be promised of each accuracy in PROMISES.
        points: The frontier, from nothing passed on to everything; empty but for the first cascade of a report.
    """

    first: str
    second: str
    better: str
    n: int
    n_without: int
    accuracy_first: float
    accuracy_second: float
    either_right: float
    first_usd: float | None
    second_usd: float | None
    as_right: CascadeChoice | None
    best: CascadeChoice
    promises: tuple[Promise, ...]
    points: tuple[CascadePoint, ...] = ()

    def at_random(self, passed_on: float) -> float:
        """Return the accuracy where a share of the items is passed on whatever the confidence."""
        return self.accuracy_first + passed_on * (self.accuracy_second - self.accuracy_first)

    def at_best(self, passed_on: float) -> float:
        """Return the accuracy where a share is passed on by somebody who knows all answers: no rule is better."""
        return min(self.accuracy_first + passed_on, self.accuracy_second + 1 - passed_on, self.either_right)
