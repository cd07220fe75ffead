"""What the threads of one system share to stay within its server's limits: each waits here before it sends a call.

How often and how many is for `rate_control` to say. Whoever waits can be called off: it ends with `Halt`.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Condition, Lock

from eval.execution.call_history import Call
from eval.execution.faults import describe, is_throttled, retry_after_s
from eval.execution.rate_control import RateControl
from eval.execution.rate_limits import Allowance, Halt, Stop
from eval.execution.stated_limits import limit_reset_s
from eval.execution.waits import ANSWERS, IN_LINE, LIMIT, Waits

_POLL_S = 0.5  # how soon one who waits notices that it is called off
_BETWEEN_LINES_S = 15.0


class Throttle:
    """Lets calls through as often as the server takes them.

    Args:
        most: Calls in flight, at most.
        first_wait_s: Until a server that refuses everything is called again, where it does not say when to come back.
        waits: Where it is counted who waits; of those who wait for answers anyway.

    Attributes:
        answered: Calls that did not fail.
        unseen: An attempt was refused whose calls are made past `admit`: the next ones wait as if each were a call.
    """

    def __init__(self, most: int, *, first_wait_s: float = 1.0, waits: Waits | None = None) -> None:
        self.most = most
        self.answered = 0
        self.unseen = False
        self._waits = waits or Waits()
        self._control = RateControl(most, first_wait_s=first_wait_s)
        self._changed = Condition()
        self._first_in_line = Lock()
        self._refusal = ""  # the server's words
        self._said: str | None = None  # of limits; "": that calls are refused
        self._said_at = float("-inf")

    def admit(self, allowance: Allowance, stop: Stop, *, alone: bool = True) -> Call:
        """Wait until a call may be sent, and note that it is.

        Args:
            allowance: What the run's own limits allow, which is taken last: a call that waits here takes nothing from
                others.
            stop: Calls the waiting off.
            alone: The call is no part of another one, which could not end before it.

        Raises:
            Halt: `stop` was set.
        """
        with self._alone_in_front(stop) if alone else nullcontext():
            while True:
                self._wait(stop, alone=alone)
                allowance.take(stop, self._waits)
                if stop.is_set():
                    raise Halt
                with self._changed:
                    now = time.monotonic()
                    if self._control.delay_s(now, alone=alone) <= 0:
                        return self._control.send(now)
                allowance.give_back()  # the server has begun to refuse calls meanwhile

    @contextmanager
    def _alone_in_front(self, stop: Stop) -> Iterator[None]:
        """Let one wait at a time: the others would wake with it, for nothing."""
        if not self._first_in_line.acquire(blocking=False):
            with self._waits.on(IN_LINE, before=ANSWERS):
                while not self._first_in_line.acquire(timeout=_POLL_S):
                    if stop.is_set():
                        raise Halt
        try:
            yield
        finally:
            self._first_in_line.release()

    def _wait(self, stop: Stop, *, alone: bool) -> None:
        with self._changed:
            if self._control.delay_s(time.monotonic(), alone=alone) <= 0:
                return
        with self._waits.on(LIMIT, before=ANSWERS), self._changed:
            while (delay := self._control.delay_s(time.monotonic(), alone=alone)) > 0:
                if stop.is_set():
                    raise Halt
                self._changed.wait(min(delay, _POLL_S))

    def end(self, call: Call, error: BaseException | None = None) -> None:
        """Learn from how a call went."""
        refusal = error if error is not None and is_throttled(error) else None
        reset_s, after_s = (None, None) if refusal is None else (limit_reset_s(refusal), retry_after_s(refusal))
        with self._changed:
            self._control.end(
                call,
                time.monotonic(),
                refused=refusal is not None,
                retry_after_s=reset_s if after_s is None else after_s,
                stated=reset_s is not None,
            )
            self.answered += error is None
            if refusal is not None:
                self._refusal = describe(refusal)
            self._changed.notify_all()

    def refusing_s(self) -> float:
        """Return for how many seconds the server has refused all calls."""
        with self._changed:
            block = self._control.block
            return 0.0 if block is None else time.monotonic() - block.since

    def news(self, system: str) -> str | None:
        """Return what is to be said of a server's limits; None: nothing, or it was said a moment ago.

        Args:
            system: Whose server it is.
        """
        with self._changed:
            now, control = time.monotonic(), self._control
            block, limits = control.block, _limits(control.level, control.limit, self.most)
            known = block is None and limits == self._said
            if known or now - self._said_at < _BETWEEN_LINES_S:
                return None
            self._said, self._said_at, words = limits if block is None else "", now, self._refusal
        if block is not None:
            wait_s = max(math.ceil(block.until - now), 1)
            return f"the server of {system} refuses calls for now ({words}); the next one is sent in {wait_s} s"
        if limits is None:
            return f"the server of {system} takes calls as they come again"
        return f"the server of {system} limits calls ({words}): from now on {limits}"


def _limits(rate: float | None, at_once: int, most: int) -> str | None:
    """Return a server's limits in words, in two digits, so that what changes little is not said again."""
    if rate is not None:
        return f"{float(f'{60 * rate:.2g}'):g} a minute"
    return f"{at_once} at once" if at_once < most else None
