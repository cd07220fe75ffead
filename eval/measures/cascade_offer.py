"""Whether a cascade is worth building beside the systems that were measured: a part of the verdict's rule.

Cascades and what the verdict says of its systems in, the one that is shown to be worth it out, or none.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from data.types import Frozen
from eval.measures.cascade_figures import Cascade, CascadeChoice
from eval.measures.stats import Interval


class CascadeOffer(Frozen):
    """A cascade that is shown to be worth building: cheaper than what the verdict names, or better than every system.

    Attributes:
        kind: "cheaper": it costs less, and is shown to be at most the margin less accurate than the leader; "better":
            it is shown to be more accurate than the leader.
        passed_on: Share of the items that the second is asked.
        difference: Its accuracy minus the leader's, on items that its threshold was not chosen on.
        interval: The 95 % interval of the difference.
        usd: What it costs with the queries of the verdict, training of both included; None where unknown.
    """

    kind: Literal["cheaper", "better"]
    first: str
    second: str
    passed_on: float
    threshold: float
    accuracy: float
    difference: float
    interval: Interval
    usd: float | None


def best_offer(
    cascades: Sequence[Cascade],
    *,
    leader: str,
    limit_usd: float | None,
    margin: float,
    queries: float,
    fixed_usd: Mapping[str, float | None],
) -> CascadeOffer | None:
    """Return the cascade that is shown to be worth building: the cheapest, or where none is cheaper, the best.

    Args:
        cascades: Any; those whose better system is not the leader are left out.
        leader: The most accurate system.
        limit_usd: What the system that the verdict names costs with these queries; None where unknown.
        margin: How much less accurate than the leader a cheaper cascade may be, as a share.
        queries: The queries of a month.
        fixed_usd: What each system costs, by name, before the first query; None is unknown.
    """
    offers = []
    for cascade in (one for one in cascades if one.better == leader):
        fixed = [fixed_usd.get(name) for name in (cascade.first, cascade.second)]
        for choice in (one for one in (cascade.as_right, cascade.best) if one is not None and 0 < one.passed_on < 1):
            interval, usd = choice.difference_interval, _usd(choice, fixed, queries)
            if interval is None:
                continue
            is_cheaper = interval.low > -margin and usd is not None and limit_usd is not None and usd < limit_usd
            if is_cheaper or interval.low > 0:
                offers.append(_offer(cascade, choice, "cheaper" if is_cheaper else "better", usd, interval))
    order: dict[str, int] = {"cheaper": 0, "better": 1}
    return min(
        offers, key=lambda one: (order[one.kind], math.inf if one.usd is None else one.usd, -one.accuracy), default=None
    )


def _offer(
    cascade: Cascade, choice: CascadeChoice, kind: Literal["cheaper", "better"], usd: float | None, interval: Interval
) -> CascadeOffer:
    return CascadeOffer(
        kind=kind,
        first=cascade.first,
        second=cascade.second,
        passed_on=choice.passed_on,
        threshold=choice.threshold,
        accuracy=choice.accuracy,
        difference=choice.difference,
        interval=interval,
        usd=usd,
    )


def _usd(choice: CascadeChoice, fixed: Sequence[float | None], queries: float) -> float | None:
    """Return what a cascade costs with so many queries; None where a part of it is unknown."""
    if choice.usd is None or any(one is None for one in fixed):
        return None
    return sum(one or 0.0 for one in fixed) + queries * choice.usd
