"""What a server's headers say of its limits, where it refuses a call: that one is used up, and until when."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from eval.execution.fault_causes import headers_of
from eval.execution.faults import LONGEST_WAIT_S

_REMAINING = re.compile(
    r"ratelimit(-\w+)*-remaining(-\w+)*", re.I
)  # with or without x-, or a provider's name, before it
_DURATION = re.compile(r"(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m(?!s))?(?:(?P<s>[\d.]+)s)?(?:(?P<ms>[\d.]+)ms)?")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_A_DATE, _A_DATE_IN_MS = 1e9, 1e11  # numbers above are no seconds to wait, but since 1970


def limit_reset_s(error: BaseException) -> float | None:
    """Return the seconds until a limit that a refusal states to be used up is open again, 0 where it does not say.

    Returns:
        At most `LONGEST_WAIT_S`; None where no limit is stated to be used up.
    """
    resets = [
        _reset_s(name, headers) for headers in headers_of(error) for name in headers if _is_used_up(name, headers)
    ]
    return min(max(resets), LONGEST_WAIT_S) if resets else None


def _is_used_up(name: str, headers: Mapping[str, str]) -> bool:
    return bool(_REMAINING.search(name)) and re.fullmatch(r"0(\.0+)?", headers[name].strip()) is not None


def _reset_s(name: str, headers: Mapping[str, str]) -> float:
    reset = headers.get(re.sub("remaining", "reset", name, flags=re.I), "").strip()
    try:
        number = float(reset)
    except ValueError:
        return max(_written_out_s(reset), 0.0)
    if number > _A_DATE:
        number = number / (1000 if number > _A_DATE_IN_MS else 1) - datetime.now(UTC).timestamp()
    return number if number > 0 else 0.0  # also where it is no number


def _written_out_s(reset: str) -> float:
    """Return the seconds of `6m0s`, or until `2026-01-27T12:00:00Z`; 0 for anything else."""
    if duration := _DURATION.fullmatch(reset):
        return sum(float(number) * _SECONDS[unit] for unit, number in duration.groupdict().items() if number)
    try:
        moment = datetime.fromisoformat(reset)
    except ValueError:
        return 0.0
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
