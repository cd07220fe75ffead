"""When a run fails too often to go on: `--max-errors 10` is a count of items, `--max-errors 5%` a share of them."""

import math

from data.common.errors import ConfigurationError

# A share counts as if so many items, or all of a smaller run, were finished: a few errors at its start, all of one
# passage, say nothing of the rest.
_LEAST_FINISHED = 1000
_FORMS = "give a count such as 10, or a share such as 5%"


class ErrorCount:
    """Counts the items that a run is done with, and says when too many of them have failed.

    Args:
        limit: How many may fail: a count, or as a float a share of what is finished; None: any number.
        total: Items of the run, those of each system.

    Attributes:
        errors: Items that failed.
    """

    def __init__(self, limit: int | float | None, *, total: int) -> None:
        self.errors = 0
        self._limit, self._finished = limit, 0
        self._least = min(_LEAST_FINISHED, total)

    def add(self, *, failed: bool) -> None:
        """Count an item that was answered or has failed."""
        self._finished += 1
        self.errors += failed

    @property
    def too_many(self) -> bool:
        """Say whether more have failed than may."""
        if self._limit is None:
            return False
        if isinstance(self._limit, int):
            return self.errors > self._limit
        return self.errors > self._limit * max(self._finished, self._least)


def read_error_limit(text: str | None) -> int | float | None:
    """Read what the user wrote after `--max-errors`: an int is a count, a float a share; None: nothing.

    Raises:
        ConfigurationError: It is neither.
    """
    if text is None:
        return None
    is_share = text.endswith("%")
    try:
        number = float(text[:-1]) if is_share else int(text)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ConfigurationError(f"--max-errors {text} is no number; {_FORMS}")
    if number < 0:
        raise ConfigurationError(f"--max-errors {text} is below 0; give 0 or more")
    if is_share and number > 100:
        raise ConfigurationError(f"--max-errors {text} is more than all items; {_FORMS}")
    return number / 100 if is_share else number
