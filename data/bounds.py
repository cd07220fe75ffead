"""What one item's figures can be at most, and what an answer's can be at all: in come figures, out comes their fault.

What is more is no measure, and would not fit into the sums that are made of it.
"""

import math
from collections.abc import Mapping, Sequence

MOST_TOKENS, LONGEST_S, MOST_POINTS = 10**15, 1e9, 1e9


def probs_fault(probs: Sequence[float], n_choices: int) -> str | None:
    """Say why numbers are not the probabilities of so many choices; None where they are."""
    if len(probs) != n_choices:
        return f"{len(probs)} probabilities for {n_choices} choices"
    if wrong := [value for value in probs if not 0 <= value < math.inf]:
        return f"{wrong[0]:g} is no probability; give finite numbers of 0 or more"
    total, rounding = math.fsum(probs), min(0.005 * n_choices, 0.05)  # numbers with two decimals are let pass
    if abs(total - 1) > rounding + 1e-9:
        return f"its probabilities sum to {total:g}; give numbers that sum to 1"
    return None


def usage_fault(usage: Mapping[str, int]) -> str | None:
    """Say which count of tokens cannot be one; None where all can."""
    wrong = [f"{count} {name}" for name, count in usage.items() if not 0 <= count <= MOST_TOKENS]
    return f"{wrong[0]} is no count of tokens" if wrong else None
