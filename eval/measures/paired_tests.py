"""Tests of whether two systems differ: McNemar's on the items that one of two got right, and Holm's for many tests.

Counts and p-values in, p-values out.
"""

import math
from collections.abc import Sequence

KEPT_BITS = 256  # far more than a float holds; a count of ways has as many bits as there are items


def mcnemar_midp(only_a: int, only_b: int) -> float:
    """Return the two-sided mid-p value of McNemar's test on the items that exactly one of two systems got right.

    The exact test is too timid at such counts and the asymptotic one too bold; mid-p lies between them.

    Source:
        Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology 13:91.
    """
    if only_a < 0 or only_b < 0:
        raise ValueError(f"counts of items cannot be negative: {only_a}, {only_b}")
    n, smaller = only_a + only_b, min(only_a, only_b)
    ways, twice_below, dropped = 1, 0, 0  # whole numbers, of which the last `dropped` bits are left out
    for k in range(smaller):
        twice_below += 2 * ways
        ways = ways * (n - k) // (k + 1)
        surplus = max(0, ways.bit_length() - KEPT_BITS)
        ways, twice_below, dropped = ways >> surplus, twice_below >> surplus, dropped + surplus
    return min(1.0, math.ldexp(float(twice_below + ways), dropped - n))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of any false claim among them stays below the level.

    Source:
        Holm 1979, Scandinavian Journal of Statistics 6:65-70.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for step, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - step) * p_values[index]))
        adjusted[index] = largest
    return adjusted
