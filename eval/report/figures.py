"""How a report writes its figures inside sentences and tables, at any magnitude and in as few digits as a person needs.

Shares, differences, p-values, counts and lists; and amounts of money, time and queries.
"""

import math
from collections.abc import Sequence

from data.common.language import ENGLISH, Language
from eval.measures.stats import Interval

NOTHING = "–"
MOST_QUERIES = 1e12  # beyond it a number of queries says nothing but that it will not be reached
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def percent(share: float) -> str:
    """Write a share as a percentage."""
    return f"{100 * share:.1f}%"


def signed(share: float) -> str:
    """Write a difference of shares as percentage points with its sign."""
    return f"{100 * share + 0.0:+.1f}".replace("-", "−")  # no zero below zero


def span(interval: Interval | None, say: Language = ENGLISH) -> str:
    """Write an interval of differences in percentage points."""
    if interval is None:
        return say("unknown")
    return say("{low} to {high}", low=signed(interval.low), high=signed(interval.high))


def ends(interval: Interval | None, say: Language = ENGLISH, *, scale: float = 100, digits: int = 1) -> str:
    """Write the ends of a figure's interval: of a share in percent, of another figure times `scale`."""
    if interval is None:
        return say("unknown")
    low, high = (f"{scale * end:.{digits}f}".replace("-", "−") for end in interval)
    return f"{low}–{high}" if interval.low >= 0 else say("{low} to {high}", low=low, high=high)


def with_interval(
    figure: str, interval: Interval | None, say: Language = ENGLISH, *, scale: float = 100, digits: int = 1
) -> str:
    """Put its interval behind a figure, or that none is known."""
    if interval is None:
        return say("{figure} (interval unknown)", figure=figure)
    return f"{figure} ({ends(interval, say, scale=scale, digits=digits)})"


def share_with_interval(share: float, interval: Interval | None, say: Language = ENGLISH) -> str:
    """Write a share, which may be below 0, with its interval."""
    return with_interval(percent(share).replace("-", "−"), interval, say)


def decimal_with_interval(value: float, interval: Interval | None, say: Language = ENGLISH) -> str:
    """Write a score with three digits, such as macro-F1, with its interval."""
    return with_interval(f"{value:.3f}", interval, say, scale=1, digits=3)


def p_value(p: float, *, sign: bool = False) -> str:
    """Write a p-value with as many digits as it deserves, with "=" in front where `sign` is set."""
    if p < 0.0001:
        return "< 0.0001"
    # Near 0.05, where something hangs on it, two digits may round it to the other side, and three where it is nearer.
    digits = 4 if p < 0.01 or abs(p - 0.05) < 0.0005 else 3 if 0.04 <= p < 0.06 else 2
    return f"{'= ' if sign else ''}{p:.{digits}f}"


def items_counted(n: int, say: Language = ENGLISH) -> str:
    """Write a number of items."""
    return say.count(n, "{n} item", "{n} items")


def listed(names: Sequence[str], say: Language = ENGLISH) -> str:
    """Write names as a list within a sentence."""
    if len(names) == 1:
        return names[0]
    return say("{all_but_last} and {last}", all_but_last=", ".join(names[:-1]), last=names[-1])


# --- money, time and queries


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
