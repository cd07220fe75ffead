"""How a report writes its figures inside sentences and tables: shares, differences, p-values, counts, lists."""

from collections.abc import Sequence

from data.common.language import ENGLISH, Language
from eval.measures.stats import Interval


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
    return f"{'= ' if sign else ''}{p:.4f}" if p < 0.01 else f"{'= ' if sign else ''}{p:.2f}"


def items_counted(n: int, say: Language = ENGLISH) -> str:
    """Write a number of items."""
    return say.count(n, "{n} item", "{n} items")


def listed(names: Sequence[str], say: Language = ENGLISH) -> str:
    """Write names as a list within a sentence."""
    if len(names) == 1:
        return names[0]
    return say("{all_but_last} and {last}", all_but_last=", ".join(names[:-1]), last=names[-1])
