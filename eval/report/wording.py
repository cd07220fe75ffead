"""How a report writes its figures inside sentences and tables: shares, differences, p-values, counts, lists."""

from collections.abc import Sequence

from eval.language import ENGLISH, Language
from eval.stats import Interval


def percent(share: float) -> str:
    """Write a share as a percentage."""
    return f"{100 * share:.1f}%"


def signed(share: float) -> str:
    """Write a difference of shares as percentage points with its sign."""
    return f"{100 * share:+.1f}".replace("-", "−")


def span(interval: Interval | None, say: Language = ENGLISH) -> str:
    """Write an interval of differences in percentage points."""
    if interval is None:
        return say("unknown")
    return say("{low} to {high}", low=signed(interval.low), high=signed(interval.high))


def with_interval(share: float, interval: Interval | None, say: Language = ENGLISH) -> str:
    """Write a share, which may be below 0, with its interval."""
    if interval is None:
        return say("{share} (interval unknown)", share=_share(share))
    return say("{share} ({low} to {high})", share=_share(share), low=_share(interval.low), high=_share(interval.high))


def _share(share: float) -> str:
    return percent(share).replace("-", "−")


def p_value(p: float, *, sign: bool = False) -> str:
    """Write a p-value with as many digits as it deserves, with "=" in front where `sign` is set."""
    if p < 0.0001:
        return "< 0.0001"
    return f"{'= ' if sign else ''}{p:.4f}" if p < 0.01 else f"{'= ' if sign else ''}{p:.2f}"


def items_counted(n: int, say: Language = ENGLISH) -> str:
    """Write a number of items."""
    return say.count(n, "{n} item", "{n} items")


def listed(names: Sequence[str], say: Language = ENGLISH) -> str:
    """Write names as a list within a sentence."""
    if len(names) == 1:
        return names[0]
    return say("{all_but_last} and {last}", all_but_last=", ".join(names[:-1]), last=names[-1])
