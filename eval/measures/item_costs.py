"""What each answer of a system cost: its mean is what a query costs, and items differ by their tokens or seconds.

A system's description, its answers and its price in, US dollars of each answer out.
"""

import numpy as np

from eval.measures.answers import Answers
from eval.measures.costs import SystemCost
from eval.measures.prices import PriceTable, price
from eval.rundir.description import SystemDescription
from eval.rundir.priced_parts import is_api, priced_as


def item_usd(
    description: SystemDescription, given: Answers, cost: SystemCost, *, table: PriceTable
) -> np.ndarray | None:
    """Return what each answer cost, so that the mean is `cost.usd_per_query`; None where that is unknown.

    An answer of which nobody counted the tokens, or measured the time, is taken to have cost what the others did.

    Args:
        description: What the manifest says of the system.
        given: Its answers that hold a prediction.
        cost: Its price in the run.
        table: Prices.

    Returns:
        (n,) US dollars.
    """
    if cost.usd_per_query is None:
        return None
    effort = _token_usd(given, str(priced_as(description)), table) if is_api(description) else given.rows["latency_s"]
    known = np.isfinite(effort) & (effort > 0)
    if not known.any():
        return np.full(len(given), cost.usd_per_query)
    filled = np.where(known, effort, effort[known].mean())
    shares: np.ndarray = filled / filled.mean()
    return shares * cost.usd_per_query


def _token_usd(given: Answers, model: str, table: PriceTable) -> np.ndarray:
    """Return (n,) the price of each answer's tokens, with those that the response cache saved; nan where unknown."""
    names = {name.removeprefix("saved_") for name in given.usage}
    has = np.ones(len(given), dtype=bool)
    for name in ("input_tokens", "output_tokens"):
        has &= given.has_count(name) | given.has_count(f"saved_{name}")
    counts = {name: given.counted_with_saved(name).tolist() for name in names}
    usd = np.full(len(given), np.nan)
    for row in np.flatnonzero(has).tolist():
        found = price({name: values[row] for name, values in counts.items()}, model, table=table)
        usd[row] = np.nan if found is None else found
    return usd
