"""A level that is felt for: raised while nothing goes wrong, put back where it was good when something does."""

import math

_SMALL = 0.1  # the share by which a level rises first
_LONGEST_HOLD = 4  # rounds


class Level:
    """How often, or how many: raised after rounds without trouble, put back to where it was good after others.

    Args:
        value: The value to begin with.
        most: It never exceeds it.
        least_step: It rises by no less.
        step: The share by which it rises first; each time it is twice as much.

    Attributes:
        value: The level.
        good: The last one that met no trouble.
    """

    def __init__(self, value: float, *, most: float = math.inf, least_step: float = 0.0, step: float = _SMALL) -> None:
        self.value = self.good = value
        self._most, self._least_step, self._step = most, least_step, step
        self._hold = self._held = 0

    def put(self, value: float) -> None:
        """Set it to what is known to be good; it is raised later than the last time."""
        self.value = self.good = value
        self._step = _SMALL
        self._hold, self._held = min(2 * self._hold + 1, _LONGEST_HOLD), 0

    def put_back(self) -> bool:
        """Go back to where it was good; say whether it was above."""
        above = self.value > self.good
        if above:
            self.put(self.good)
        return above

    def quiet(self) -> None:
        """Note a round without trouble."""
        self.good = self.value
        if self._held < self._hold:
            self._held += 1
            return
        self.value = min(self.value + max(self.value * self._step, self._least_step), self._most)
        self._step = min(2 * self._step, 1.0)
