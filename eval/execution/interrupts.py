"""Ctrl-C, or a signal to end, while calls are in flight: they are paid for, so the run ends once they have.

Python raises `KeyboardInterrupt` between any two steps of the main thread: it could fall between an answer's arrival
and its journal. Here the signal is only noted, and looked at where nothing is in hand.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from data.common.command_line import ENDING_SIGNALS
from data.common.terminal import say

# Whoever sends SIGTERM sends SIGKILL soon after: Docker in 10 s, Kubernetes and Slurm in 30 s.
ENDING_S = 7.0


@dataclass
class Interrupts:
    """Whether the run is to end.

    Attributes:
        noted: It is, once the calls in flight have ended.
        signal_name: The name of the signal, where it was another than Ctrl-C's.
        end_at: When to wait no more, in seconds of the monotonic clock; None: no sooner than the calls end.
    """

    noted: bool = False
    signal_name: str | None = None
    end_at: float | None = None
    _said: bool = False

    @property
    def is_overdue(self) -> bool:
        """Whether the calls in flight have been waited for long enough."""
        return self.end_at is not None and time.monotonic() >= self.end_at

    def tell(self, in_flight: int) -> None:
        """Say once how many calls in flight are waited for, and how many are not any longer."""
        if in_flight and self.is_overdue:
            say(f"{in_flight} calls in flight are dropped: they did not end within {ENDING_S:g} s")
        elif in_flight and not self._said:
            waiting = f"waiting for {in_flight} calls in flight"
            by_signal = f"{self.signal_name}: {waiting}, {ENDING_S:g} s at most"
            say(by_signal if self.signal_name else f"{waiting}; Ctrl-C again to drop them")
        self._said = True


@contextmanager
def noted_interrupts(wake: Callable[[], None]) -> Iterator[Interrupts]:
    """Note the first Ctrl-C instead of raising it; a second one raises `KeyboardInterrupt` at once.

    SIGTERM and SIGHUP are noted where they interrupt as well (see `data.common.command_line`), the first time and any
    other: they come in groups, from whoever waits for the end already. Where signals cannot be caught (outside the main
    thread), or the program handles one itself, nothing changes.

    Args:
        wake: Called when one is noted, inside the signal's handler: it must take no lock.
    """
    interrupts = Interrupts()

    def note(number: int, frame: object) -> None:
        if number != signal.SIGINT:
            interrupts.signal_name = signal.Signals(number).name
            interrupts.end_at = interrupts.end_at or time.monotonic() + ENDING_S
        elif interrupts.noted:
            raise KeyboardInterrupt
        interrupts.noted = True
        wake()

    is_main = threading.current_thread() is threading.main_thread()
    candidates = (signal.SIGINT, *ENDING_SIGNALS) if is_main else ()
    taken = [number for number in candidates if signal.getsignal(number) is signal.default_int_handler]
    for number in taken:
        signal.signal(number, note)
    try:
        yield interrupts
    finally:
        for number in taken:
            signal.signal(number, signal.default_int_handler)
