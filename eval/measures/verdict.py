"""Which system to take: the rule of docs/verdict.md, applied to what was measured.

The systems' accuracies, prices and paired differences in, one `Verdict` out. Nothing is drawn and nothing is read.

    1. a system that is not shown to be better than the best constant answer is out
    2. the leader is the most accurate of the rest
    3. a cheaper system is taken in its place where it is shown to be at most `margin` worse
    4. where a cheaper one is neither shown to be worse nor to be at most that much worse, it cannot be told yet
"""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, Literal, NamedTuple

from pydantic import Field

from data.types import Frozen
from eval.measures.cascade_offer import CascadeOffer
from eval.measures.differences import Comparison
from eval.measures.prompt_spread import WordingWorth
from eval.measures.stats import LEVEL, Interval

QUERIES = 100_000.0  # a month
Pairs = Mapping[frozenset[str], Comparison]  # by the names of both systems
POWER = 0.8  # the chance that as many items as are said to be enough do tell


class Candidate(NamedTuple):
    """A system that may be taken.

    Attributes:
        n: Items that it answered.
        accuracy: On these.
        interval: 95 % of it; None where all items are one cluster.
        fixed_usd: What it costs before the first query: training, and labels where they have a price; None is unknown.
        query_usd: What a query costs; None is unknown.
    """

    name: str
    n: int
    accuracy: float
    interval: Interval | None
    fixed_usd: float | None
    query_usd: float | None

    def usd(self, queries: float) -> float:
        """What it costs with the queries of a month; infinite where that is unknown."""
        if self.fixed_usd is None or self.query_usd is None:
            return math.inf
        return self.fixed_usd + queries * self.query_usd


class Verdict(Frozen):
    """Which system to take, and what that rests on.

    Attributes:
        kind: "leader": the most accurate; "cheaper": one that costs less and is shown to be hardly worse; "only": all
            others are out; "open": it cannot be told yet; "none": all are out.
        choice: The system to take; None where there is none, or it cannot be told yet.
        leader: The most accurate system that is not out.
        other: The system that the choice, or the leader, is held against: for "leader" and "open" the one that it must
            be told from, for "cheaper" the leader.
        difference: Accuracy of the choice (for "open", of the other) minus that of the system it is held against.
        interval: 95 % of it.
        is_real: Whether the difference is beyond chance, as `Comparison.distinguishable` says it.
        usd: The price, by system, for the queries of a month; None is unknown.
        constant: Accuracy of the best constant answer.
        out: Systems that are not shown to be better than it.
        unpriced: Systems whose price is unknown, so that they are not taken for being cheaper.
        more_items: About how many more items would tell, where it cannot be told yet.
        is_cheapest: Whether the choice costs no more than any system that is not out, and all their prices are known.
        is_priced: Whether the prices of the choice, or the leader, and of the other are both known.
        same_at: Queries a month at which the choice, or the leader, costs what the other does; None for none.
        either_right: Share of the items that the choice or the other is right on: what a cascade of them could reach.
        cascade: One that is shown to be worth building, see `eval.measures.cascade_offer`; None for none.
        wording: What the wording of a prompt is worth beside this choice, see `eval.measures.prompt_spread`; None where
            no system has several wordings.
    """

    kind: Literal["leader", "cheaper", "only", "open", "none"]
    choice: str | None = None
    leader: str | None = None
    other: str | None = None
    difference: float | None = None
    interval: Interval | None = None
    is_real: bool = False
    usd: dict[str, float | None]
    accuracies: dict[str, float]
    constant: float
    margin: float
    queries: float
    out: tuple[str, ...] = ()
    unpriced: tuple[str, ...] = ()
    more_items: int | None = None
    is_cheapest: bool = False
    is_priced: bool = True
    same_at: float | None = None
    either_right: float | None = None
    cascade: CascadeOffer | None = None
    wording: WordingWorth | None = Field(default=None, exclude_if=lambda wording: wording is None)


def decide(
    candidates: Sequence[Candidate],
    comparisons: Sequence[Comparison],
    *,
    constant: float,
    margin: float,
    queries: float,
) -> Verdict | None:
    """Apply the rule.

    Args:
        candidates: Every system with a score.
        comparisons: The comparison of every pair of them, in either order.
        constant: Accuracy of the best constant answer on the same items.
        margin: How much less accurate a cheaper system may be, as a share.
        queries: How many queries a month the prices of the candidates are for.

    Returns:
        None where there are no two systems to choose between.
    """
    if len(candidates) < 2:
        return None
    of_pair = {frozenset((one.a, one.b)): one for one in comparisons}
    rest = _standing(candidates, of_pair, constant=constant, queries=queries)
    priced = {one.name: one.usd(queries) for one in candidates}
    facts: dict[str, Any] = {
        "usd": {name: usd if math.isfinite(usd) else None for name, usd in priced.items()},
        "accuracies": {one.name: one.accuracy for one in candidates},
        "constant": constant,
        "margin": margin,
        "queries": queries,
        "out": tuple(one.name for one in candidates if one not in rest),
        "unpriced": tuple(one.name for one in rest if math.isinf(priced[one.name])),
    }
    if not rest:
        return Verdict(kind="none", **facts)
    leader = rest[0]
    contrasts = _contrasts(rest, of_pair)
    if not contrasts:
        return Verdict(kind="only", choice=leader.name, leader=leader.name, **facts)
    told = [one for one in rest[1:] if one.name in contrasts]
    cheaper = [one for one in told if priced[one.name] < priced[leader.name] < math.inf]
    close = [one for one in cheaper if contrasts[one.name].is_within(margin)]
    # A system that may cost less, for all that is known of the prices, is no cheaper one until it is known.
    maybe = [one for one in told if math.inf in (priced[one.name], priced[leader.name])]
    unclear = [one for one in (*cheaper, *maybe) if one not in close and not contrasts[one.name].is_real]
    facts["is_cheapest"] = all(priced[leader.name] <= priced[one.name] < math.inf for one in rest)
    if close:
        choice = min(close, key=lambda one: priced[one.name])
        facts |= contrasts[choice.name].facts() | {"same_at": _same_at(choice, leader)}
        return Verdict(kind="cheaper", choice=choice.name, leader=leader.name, other=leader.name, **facts)
    if unclear:
        other = max(unclear, key=lambda one: contrasts[one.name].more_items(margin))
        facts |= contrasts[other.name].facts() | {"same_at": _same_at(leader, other)}
        more = contrasts[other.name].more_items(margin)
        facts["is_priced"] = other in cheaper
        return Verdict(kind="open", leader=leader.name, other=other.name, more_items=more, **facts)
    other, held = told[0], contrasts[told[0].name].turned()
    # No price brings a system in that is shown to be more than the margin worse.
    is_beyond = held.interval is not None and held.interval.low > margin
    facts |= held.facts() | {"same_at": None if is_beyond else _same_at(leader, other)}
    return Verdict(kind="leader", choice=leader.name, leader=leader.name, other=other.name, **facts)


def leader_and_cheapest(
    candidates: Sequence[Candidate], comparisons: Sequence[Comparison], *, constant: float, queries: float
) -> tuple[str, ...]:
    """Return the names of the leader and of the cheapest system that is not out.

    Returns:
        Empty where one system is both, or no price but the leader's is known.
    """
    of_pair = {frozenset((one.a, one.b)): one for one in comparisons}
    rest = _standing(candidates, of_pair, constant=constant, queries=queries)
    priced = [one for one in rest if math.isfinite(one.usd(queries))]
    if not priced or (cheapest := min(priced, key=lambda one: one.usd(queries))) is rest[0]:
        return ()
    return rest[0].name, cheapest.name


def _standing(candidates: Sequence[Candidate], of_pair: Pairs, *, constant: float, queries: float) -> list[Candidate]:
    """Return the systems that are not out: the leader, then the more accurate first, of equals the cheaper."""
    rest = sorted(
        (one for one in candidates if _beats(one, constant)), key=lambda one: (-one.accuracy, one.usd(queries))
    )
    if not rest:
        return []
    leader = _leader(rest, of_pair)
    return sorted(rest, key=lambda one: one is not leader)


def _same_at(a: Candidate, b: Candidate) -> float | None:
    """Return the queries a month at which two systems cost the same; None where one is always the cheaper."""
    if None in (a.fixed_usd, a.query_usd, b.fixed_usd, b.query_usd):
        return None
    fixed, query = float(a.fixed_usd or 0) - float(b.fixed_usd or 0), float(b.query_usd or 0) - float(a.query_usd or 0)
    return fixed / query if query and fixed / query > 0 else None


class _Contrast(NamedTuple):
    """A system minus the leader, on the items that both answered."""

    n: int
    difference: float
    interval: Interval | None
    is_real: bool
    either_right: float

    def is_within(self, margin: float) -> bool:
        """Whether it is shown to be at most `margin` worse."""
        return self.interval is not None and self.interval.low > -margin

    def more_items(self, margin: float) -> int:
        """About how many more items show it to be worse, or to be at most `margin` worse, whichever is sooner.

        The standard error falls with the root of the number of items; the interval's half width is 1.96 of them.
        """
        if self.interval is None:
            return 0
        error = (self.interval.high - self.interval.low) / 2 / NormalDist().inv_cdf(1 - LEVEL / 2)
        wanted = NormalDist().inv_cdf(1 - LEVEL / 2) + NormalDist().inv_cdf(POWER)
        distance = max(-self.difference, margin + self.difference, 1e-9)
        return max(_two_digits(self.n * (wanted * error / distance) ** 2 - self.n), 1)

    def turned(self) -> "_Contrast":
        """The leader minus the system."""
        turned = None if self.interval is None else Interval(-self.interval.high, -self.interval.low)
        return self._replace(difference=-self.difference, interval=turned)

    def facts(self) -> dict[str, Any]:
        return {
            "difference": self.difference,
            "interval": self.interval,
            "is_real": self.is_real,
            "either_right": self.either_right,
        }


def _leader(rest: Sequence[Candidate], of_pair: Pairs) -> Candidate:
    """Return the most accurate of the systems that answered the most items.

    One that answered fewer, as a slow system may, takes its place where it is the more accurate on what both answered:
    its own accuracy is that of other items.
    """
    most = max(one.n for one in rest)
    leader = next(one for one in rest if one.n == most)
    for one in (one for one in rest if one.n < most):
        pair = of_pair.get(frozenset((one.name, leader.name)))
        if pair is not None and (pair.difference if pair.a == one.name else -pair.difference) > 0:
            leader = one
    return leader


def _contrasts(rest: Sequence[Candidate], of_pair: Pairs) -> dict[str, _Contrast]:
    """Hold every other system against the leader."""
    leader, found = rest[0].name, {}
    pairs = {one.name: of_pair.get(frozenset((leader, one.name))) for one in rest[1:]}
    for name, pair in pairs.items():
        if pair is None:
            continue
        contrast = _Contrast(
            n=pair.n,
            difference=pair.difference,
            interval=pair.interval,
            is_real=pair.distinguishable,
            either_right=1 - pair.both_wrong / pair.n,
        )
        found[name] = contrast if pair.a == name else contrast.turned()
    return found


def _beats(one: Candidate, constant: float) -> bool:
    return (one.accuracy if one.interval is None else one.interval.low) > constant


def _two_digits(n: float) -> int:
    """Round up to two digits that count: more would claim to be exact."""
    if n <= 10:
        return math.ceil(n)
    unit = int(10 ** (math.floor(math.log10(n)) - 1))
    return math.ceil(n / unit) * unit
