"""Both instead of one: a cheap system answers what it is sure of, and a dearer one is asked the rest.

The answers of systems to the same items in; out comes, for each pair, what a cascade of the two would have scored and
cost. Nobody is asked for that: every answer it needs is there. What is reported of a chosen threshold is measured on
items that it was not chosen on (cross-fitting over whole clusters). Method and limits: docs/cascade.md.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from eval.measures.cascade_figures import Cascade, CascadeChoice, CascadePoint, Promise
from eval.measures.cascade_pair import CascadePair, Member, pair_of
from eval.measures.stats import Interval, mean_interval, paired_difference_intervals, share_interval
from eval.measures.thresholds import Rule, cross_fitted, cuts, most_right, promised, without_loss

POINTS = 20  # steps of the frontier that is drawn
PROMISES = (0.9, 0.95, 0.99)


def measure_cascades(members: Mapping[str, Member], leader: str) -> list[Cascade]:
    """Measure the cascades that the most accurate system can be part of, the best one first and with its frontier.

    The first of a cascade gives probabilities that tell items apart. It costs less than the second; where a price is
    unknown, it is the less accurate one.

    Args:
        members: The systems, by name.
        leader: The most accurate of them.
    """
    others = [one for name, one in members.items() if name != leader]
    pairs = [*((one, members[leader]) for one in others), *((members[leader], one) for one in others)]
    joined = [pair for first, second in pairs if (pair := _joined(first, second)) is not None]
    drafts = sorted(map(_draft, joined), key=_rank)
    return _finished([_with_points(draft) if place == 0 else draft for place, draft in enumerate(drafts)])


def cascades_of(members: Mapping[str, Member]) -> tuple[Cascade, ...]:
    """Return the cascades of the most accurate of some systems with each other one, the best first."""
    return tuple(measure_cascades(members, leading(members))) if members else ()


def leading(members: Mapping[str, Member]) -> str:
    """Return the most accurate of the systems that answered the most items."""
    return max(members, key=lambda name: (len(members[name].given), float(members[name].given.correct.mean())))


def measure_cascade(first: Member, second: Member) -> Cascade | None:
    """Measure the cascade of two systems with its frontier; None where the items cannot choose a threshold.

    When they cannot is said in `eval.measures.cascade_pair.pair_of`.
    """
    pair = pair_of(first, second)
    return None if pair is None else _finished([_with_points(_draft(pair))])[0]


class _Draft(NamedTuple):
    """A cascade without its intervals, which are drawn for all cascades at once.

    Attributes:
        rules: The rules by which a threshold is chosen, "as_right" only where the second is the better one.
        thresholds: (n_points,) the thresholds of the frontier.
        alone: (n_rules + n_points, n) bool, what the first answers alone by each rule and at each threshold.
    """

    pair: CascadePair
    rules: dict[str, Rule]
    thresholds: np.ndarray
    alone: np.ndarray

    @property
    def gained(self) -> np.ndarray:
        """(n_rules + n_points, n) 1 where only the cascade is right, -1 where only the better system is, else 0."""
        gained: np.ndarray = self.pair.right(self.alone).astype(np.int64) - self.pair.best_right
        return gained


def _draft(pair: CascadePair) -> _Draft:
    rules: dict[str, Rule] = {} if pair.gained.sum() >= 0 else {"as_right": _rule(without_loss, pair)}
    rules["best"] = _rule(most_right, pair)
    alone = np.stack([cross_fitted(rule, pair.confidence, pair.groups) for rule in rules.values()])
    return _Draft(pair, rules, np.empty(0), alone)


def _rule(choose: Callable[[np.ndarray, np.ndarray], float], pair: CascadePair) -> Rule:
    gained = pair.gained
    return lambda places: choose(pair.confidence[places], gained[places])


def _with_points(draft: _Draft) -> _Draft:
    """Add the frontier, at about POINTS steps of equally many items."""
    found, n = cuts(draft.pair.confidence), len(draft.pair.groups)
    wanted = np.linspace(n, 0, POINTS + 1)
    places = sorted({int(np.abs(found.counts - count).argmin()) for count in wanted}, reverse=True)
    thresholds = found.thresholds[places]
    points = draft.pair.confidence >= thresholds[:, None]  # (n_points, n)
    return draft._replace(thresholds=thresholds, alone=np.concatenate([draft.alone, points]))


def _rank(draft: _Draft) -> tuple[bool, float, float]:
    """Order cascades: those first that are as right as the dearer system, for the least of its price."""
    pair, alone = draft.pair, draft.alone[0]
    if "as_right" not in draft.rules:
        return (True, -float(draft.gained[0].mean()), float(1 - alone.mean()))
    share = _price_share(pair, alone)
    return (False, float(1 - alone.mean()) if share is None else share, -float(pair.right_second.mean()))


def _finished(drafts: Sequence[_Draft]) -> list[Cascade]:
    """Draw the intervals of all cascades, those of the same items together, and return the cascades."""
    together: dict[tuple[int, bytes], list[int]] = {}
    for place, draft in enumerate(drafts):
        given = draft.pair.first.given  # two runs may number their items differently
        together.setdefault((id(given.items), given.rows["item"].tobytes()), []).append(place)
    intervals: dict[int, list[Interval | None]] = {}
    for places in together.values():
        groups = drafts[places[0]].pair.groups
        rows = np.concatenate([drafts[place].gained for place in places])
        found = iter(paired_difference_intervals(rows, np.ones(len(groups)), groups))
        intervals |= {place: [next(found) for _ in drafts[place].alone] for place in places}
    return [_cascade(draft, intervals[place]) for place, draft in enumerate(drafts)]


def _joined(first: Member, second: Member) -> CascadePair | None:
    if first.usd is not None and second.usd is not None and first.usd.mean() >= second.usd.mean():
        return None
    pair = pair_of(first, second)
    is_priced = first.usd is not None and second.usd is not None
    return None if pair is None or (pair.is_first_better and not is_priced) else pair


def _cascade(draft: _Draft, intervals: Sequence[Interval | None]) -> Cascade:
    pair, n_rules = draft.pair, len(draft.rules)
    usd = [None if one.usd is None else float(one.usd.mean()) for one in (pair.first, pair.second)]
    choices = {
        name: _choice(pair, rule, alone, interval)
        for (name, rule), alone, interval in zip(draft.rules.items(), draft.alone, intervals, strict=False)
    }
    return Cascade(
        first=pair.first.name,
        second=pair.second.name,
        better=(pair.first if pair.is_first_better else pair.second).name,
        n=len(pair.groups),
        n_without=int((pair.confidence < 0).sum()),
        accuracy_first=float(pair.right_first.mean()),
        accuracy_second=float(pair.right_second.mean()),
        either_right=float((pair.right_first | pair.right_second).mean()),
        first_usd=usd[0],
        second_usd=usd[1],
        as_right=choices.get("as_right"),
        best=choices["best"],
        promises=tuple(_promise(pair, accuracy) for accuracy in PROMISES),
        points=tuple(
            _point(pair, float(threshold), alone, interval)
            for threshold, alone, interval in zip(
                draft.thresholds, draft.alone[n_rules:], intervals[n_rules:], strict=True
            )
        ),
    )


def _choice(pair: CascadePair, rule: Rule, alone: np.ndarray, interval: Interval | None) -> CascadeChoice:
    right, usd, ones = pair.right(alone), pair.usd(alone), np.ones(len(alone))
    return CascadeChoice(
        threshold=rule(np.arange(len(alone))),
        passed_on=float(1 - alone.mean()),
        passed_on_interval=share_interval(~alone, ones, pair.groups),
        alone_accuracy=float(pair.right_first[alone].mean()) if alone.any() else None,
        accuracy=float(right.mean()),
        interval=share_interval(right, ones, pair.groups),
        difference=float(right.mean() - pair.best_right.mean()),
        difference_interval=interval,
        usd=None if usd is None else float(usd.mean()),
        usd_interval=None if usd is None else _usd_interval(usd, pair.groups),
        price_share=_price_share(pair, alone),
    )


def _usd_interval(usd: np.ndarray, groups: np.ndarray) -> Interval | None:
    mean = float(usd.mean())
    if mean == 0:
        return None
    shares = mean_interval(usd / mean, groups, within=Interval(0.0, np.inf), drawn=False)
    return None if shares is None else Interval(shares.low * mean, shares.high * mean)


def _price_share(pair: CascadePair, alone: np.ndarray) -> float | None:
    """Return what a cascade costs as a share of what the second does; None where that is unknown, or nothing."""
    usd, second = pair.usd(alone), pair.second.usd
    return None if usd is None or second is None or not second.any() else float(usd.mean() / second.mean())


def _point(pair: CascadePair, threshold: float, alone: np.ndarray, interval: Interval | None) -> CascadePoint:
    right, usd = pair.right(alone), pair.usd(alone)
    return CascadePoint(
        threshold=threshold,
        passed_on=float(1 - alone.mean()),
        accuracy=float(right.mean()),
        interval=share_interval(right, np.ones(len(right)), pair.groups),
        difference=float(right.mean() - pair.best_right.mean()),
        difference_interval=interval if (right != pair.best_right).any() else None,
        usd=None if usd is None else float(usd.mean()),
    )


def _promise(pair: CascadePair, accuracy: float) -> Promise:
    def rule(places: np.ndarray) -> float:
        return promised(pair.confidence[places], pair.right_first[places], pair.groups[places], accuracy)

    alone = cross_fitted(rule, pair.confidence, pair.groups)
    threshold = rule(np.arange(len(alone)))
    return Promise(
        accuracy=accuracy,
        threshold=threshold if threshold <= 1 else None,
        alone=float(alone.mean()),
        alone_accuracy=float(pair.right_first[alone].mean()) if alone.any() else None,
    )
