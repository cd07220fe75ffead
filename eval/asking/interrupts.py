"""Ctrl-C while calls are in flight: they are paid for, so the first one asks the run to end, only the second ends it.

Python raises `KeyboardInterrupt` between any two steps of the main thread: it could fall between an answer's arrival
and its journal. Here the signal is only noted, and looked at where nothing is in hand.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Interrupts:
    """Whether the user has interrupted."""

    noted: bool = False


@contextmanager
def noted_interrupts(wake: Callable[[], None]) -> Iterator[Interrupts]:
    """Note the first Ctrl-C instead of raising it; a second one raises `KeyboardInterrupt` at once.

    Where signals cannot be caught (outside the main thread), or the program handles this one itself, nothing changes.

    Args:
        wake: Called when it is noted, inside the signal's handler: it must take no lock.
    """
    interrupts = Interrupts()
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interrupts
        return

    def note(number: int, frame: object) -> None:
        if interrupts.noted:
            raise KeyboardInterrupt
        interrupts.noted = True
        wake()

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
