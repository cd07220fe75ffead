"""How reports write amounts of money, time and queries: as few digits as a person needs, at any magnitude."""

import math

from data.common.language import ENGLISH, Language

MOST_QUERIES = 1e12  # beyond it a number of queries says nothing but that it will not be reached
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def dollars(usd: float | None, say: Language = ENGLISH) -> str:
    """Write US dollars with two decimals, or two digits that count where it is less than ten cents."""
    if usd is None:
        return say("price unknown")
    if usd < 0:
        return f"−{dollars(-usd)}"
    if usd >= 0.1 or usd == 0:
        return f"${usd:,.2f}"
    return f"${usd:.{1 - math.floor(math.log10(usd))}f}"


def per_thousand(usd: float | None, say: Language = ENGLISH) -> str:
    """Write what a thousand cost where one costs `usd`."""
    return dollars(None if usd is None else 1000 * usd, say)


def left_out(labelling: bool, say: Language = ENGLISH) -> str:
    """Say what no cost here holds; `labelling` is whether that of labels is among it."""
    if labelling:
        return say("labelling, people's time and electricity that is not in a machine's price")
    return say("people's time and electricity that is not in a machine's price")


def duration(seconds: float, say: Language = ENGLISH) -> str:
    """Write seconds in the unit that suits them."""
    if seconds < 120:
        return say("{seconds} s", seconds=f"{seconds:.3g}")
    if seconds < 7200:
        return say("{minutes} min", minutes=f"{seconds / 60:.3g}")
    return say("{hours} h", hours=f"{seconds / 3600:,.1f}")


def whole_queries(queries: float) -> int:
    """Round a number of queries up, to 1 at least: the first whole one that is not dearer."""
    # The ninth digit is far beyond what is known; past it, rounding errors would add a query.
    return max(1, math.ceil(float(f"{queries:.9g}")))


def queries_counted(queries: float, say: Language = ENGLISH) -> str:
    """Write a number of queries that stands by itself, as in a cell."""
    if queries > MOST_QUERIES:
        return say("over a trillion")
    return say("the first") if (count := whole_queries(queries)) == 1 else f"{count:,}"


def from_queries(queries: float, say: Language = ENGLISH) -> str:
    """Write from which query on something holds."""
    if queries > MOST_QUERIES:
        return say("from over a trillion queries on")
    if (count := whole_queries(queries)) == 1:
        return say("from the first query on")
    return say("from {queries} queries on", queries=f"{count:,}")


def power_of_ten(exponent: int) -> str:
    """Write 10**exponent US dollars, in few letters at any magnitude."""
    if -5 <= exponent <= 6:
        return f"${10**exponent:,}" if exponent >= 0 else f"${10**exponent:.{-exponent}f}"
    return f"$10{str(exponent).translate(SUPERSCRIPTS)}"
