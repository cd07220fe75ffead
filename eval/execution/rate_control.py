"""How often a server may be called, learnt from which calls it refuses: a law without clocks, threads or connections.

A refusal (429) may be noise, which hits any call alike, or a limit, which calls that are made less often do not meet.
Two things tell them apart, and each has its own response:

    nearly every call is refused     a window is full, or too many calls are in flight: nothing is sent but a probe
                                     now and then; when one is taken, calls go on at the rate that was kept up on
                                     average, and no more at once than were taken at once; or, where about as many
                                     were in flight, at no rate, but no more at once than those
    more than the known noise is     a trial at half the rate: where that helps it is a limit, and calls go on as often
                                     as they were taken; where it does not it is noise, and they go on as before

A rate that meets no refusals rises: slowly near what is known to be the limit, then faster and faster.
Sources: Ha, Rhee and Xu, "CUBIC: a new TCP-friendly high-speed TCP variant", 2008, for how it rises; Cardwell et al.,
"BBR: congestion-based congestion control", 2016, for the rate from what was taken.
"""

import math
from collections import deque
from typing import NamedTuple

from eval.execution.call_history import Call, Count, Run, in_flight_at, most_at_once, noise_evidence, run_of_refusals
from eval.execution.level import Level

_LONGEST_WAIT_S = 60.0
_WINDOWS_S = (1.0, 10.0, 60.0)  # over which most limits are
_DECIDED = 3.0  # log-likelihood ratio: an error in 20 trials
_SETTLED_S = 0.5  # after it a call that goes on has been taken: refusals come sooner
_LEAST_CALLS, _ROUND_CALLS = 20, 50  # of which a share is taken: to be alarmed, and to be content
_TOLERATED, _UNNOTICED = 0.02, 0.01  # shares above the noise: within a round, and at its end
_BELOW = 0.97  # of the rate at which calls were taken under a limit
_FULL = 0.75  # of the most calls that were taken at once: so many in flight may be too many
_LONG_S = 5.0  # a server that asks for so long a wait speaks of a window of time
_SEEN = 1024  # calls that are looked at again
_MEMORY = 500  # calls over which the noise is taken


class Block:
    """A time in which the server takes no calls.

    Args:
        since: When it began.
        wait_s: Until the first probe, and twice as long each time.
        noise: The share of refusals before, where that is more than was known; else None.
    """

    def __init__(self, since: float, wait_s: float, noise: float | None) -> None:
        self.since = self.until = since
        self.wait_s, self.noise = wait_s, noise
        self.probe: Call | None = None
        self.of_time = False  # a probe was refused though not too many calls were in flight
        self.window_s = 0.0  # the window whose end has been waited for


class _Trial(NamedTuple):
    """Calls are made at half the rate to see whether that helps.

    Attributes:
        rate: At which calls go on, where it does.
        share: The share of refusals before.
    """

    rate: float
    share: float


class RateControl:
    """What is known of a server's limits. Times are seconds of one clock; one caller at a time.

    Args:
        most: Calls in flight, at most.
        first_wait_s: Before the first probe, where the server does not say when to come back.

    Attributes:
        in_flight: How many calls are.
        noise: The share of calls that is refused however often the server is called.
        block: The time in which it takes no calls; None: it takes some.
    """

    def __init__(self, most: int, *, first_wait_s: float = 1.0) -> None:
        self.in_flight = 0
        self.noise = 0.0
        self._first_wait_s = first_wait_s
        self._recent: deque[Call] = deque(maxlen=_SEEN)
        self._next = 0.0
        self._at_once = Level(most, most=most, least_step=1)
        self._rate: Level | None = None
        self.block: Block | None = None
        self._trial: _Trial | None = None
        self._open: Count | None = None  # since the server last took calls again
        self._round = Count(0.0)
        self._round_s = 1.0
        self._crowded = False  # in this round more calls were to be made at once
        self._kept_up = 0.0  # the rate that was kept up until the last block

    @property
    def limit(self) -> int:
        """How many calls may be in flight."""
        return int(self._at_once.value)

    @property
    def level(self) -> float | None:
        """How many calls a second the server takes; None: all that come."""
        return None if self._rate is None else self._rate.value

    @property
    def rate(self) -> float | None:
        """How many calls a second are sent: fewer than it takes where that is tried."""
        return self.level if self._trial is None else self._trial.rate / 2

    def delay_s(self, now: float, *, alone: bool = True) -> float:
        """Return the seconds until a call may be sent; 0: at once, infinity: once another one has ended.

        Args:
            now: The moment.
            alone: It is no part of another call, which could not end before it.
        """
        block = self.block
        if block is None:
            if alone and self.in_flight >= self.limit:
                self._crowded = True
                return math.inf
            return 0.0 if self.rate is None else max(self._next - now, 0.0)
        if block.probe is None:
            return max(block.until - now, 0.0)
        patience_s = block.probe.sent + _SETTLED_S - now
        if patience_s > 0:
            return patience_s
        self._reopen(now, block)
        return 0.0

    def send(self, now: float) -> Call:
        """Note that a call is sent, and return it; `end` takes how it went."""
        call = Call(now)
        if self._open is None:
            self._open, self._round = Count(now), Count(now)
        if self.block is not None:
            self.block.probe = call
        elif self.rate is not None:
            self._next = max(self._next, now - _slack_s(self.rate)) + 1 / self.rate
        self.in_flight += 1
        self._recent.append(call)
        self._open.sent += 1
        self._round.sent += 1
        return call

    def end(
        self, call: Call, now: float, *, refused: bool, retry_after_s: float | None = None, stated: bool = False
    ) -> None:
        """Learn from how a call went.

        Args:
            call: What `send` returned.
            now: When it ended.
            refused: It was answered with 429.
            retry_after_s: What the server asked for.
            stated: It said that this is a limit.
        """
        if call.ended is not None:  # its item was given up
            return
        call.ended, call.refused = now, refused
        self.in_flight -= 1
        if refused:
            call.again = now + (retry_after_s or 0.0)
            self._refused(call, now, stated=stated)
        elif self.block is not None and self.block.probe is call:
            self._reopen(now, self.block)
        if self.block is None:
            self._look(now)

    def _refused(self, call: Call, now: float, *, stated: bool) -> None:
        opened, block = self._open, self.block
        assert opened is not None
        opened.refuse(call)
        self._round.refuse(call)
        if block is None:
            run = run_of_refusals((other for other in self._recent if other.sent >= opened.since), self.noise)
            if call.sent >= opened.since and (stated or run):
                self._begin_block(now, run or Run())
                call.limited = True
            return
        call.limited = True
        block.until = max(block.until, call.again)
        if block.probe is call:
            block.probe = None
            if self.in_flight < most_at_once(self._recent):  # else no more is known than that too many are
                block.of_time = True
            block.wait_s = min(2 * block.wait_s, _LONGEST_WAIT_S)
            block.until = max(call.again, self._probe_at(now, block))

    def _probe_at(self, now: float, block: Block) -> float:
        """Return when to try again: after a wait that doubles, but not past the end of a window of the usual length."""
        assert self._open is not None
        for window_s in _WINDOWS_S:
            end = self._open.since + 1.01 * window_s
            if block.window_s < window_s and now < end < now + block.wait_s:
                block.window_s, block.wait_s = window_s, 0.025 * window_s
                return end
        return now + block.wait_s

    def _begin_block(self, now: float, run: Run) -> None:
        """Send nothing more; note whether there was noise before."""
        assert self._open is not None
        before, refused = self._open.sent - run.length, self._open.refused - run.refused
        noise = refused / max(before, 1)
        stated_s = max((call.again for call in self._recent if call.refused), default=now) - now
        known = refused < 2 or noise <= self.noise + 0.05
        self.block = Block(now, stated_s if stated_s > 0 else self._first_wait_s, None if known else noise)
        self.block.until = now + stated_s if stated_s > 0 else self._probe_at(now, self.block)

    def _reopen(self, now: float, block: Block) -> None:
        """Go on at the rate that was kept up since the server last took calls again, this block included."""
        assert self._open is not None
        span_s, rate = max(now - self._open.since, 1e-3), self._open.taken_a_second(now)
        most, held = max(most_at_once(self._recent), 1), in_flight_at(self._recent, block.since)
        full = held >= _FULL * most and not block.of_time
        as_before = 0.75 < self._kept_up / rate < 1.33 and not full
        measured = block.of_time or now - block.since >= _LONG_S or as_before
        self._kept_up = rate
        self._round_s = min(max(span_s, 1.0), _WINDOWS_S[-1]) if measured else 1.0
        self._at_once.put(min(self._at_once.value, held if full else most))
        self.block = self._trial = None
        self._open = Count(now)
        if block.noise is not None and not block.of_time:
            self._trial = _Trial(rate, max(block.noise, 0.1))
        elif measured:
            self._limit(rate)
        elif held < self._at_once.value:
            self._rate = Level(rate, step=1.0)
        self._begin_round(now)

    def _limit(self, rate: float) -> None:
        self._rate = self._rate or Level(rate)
        self._rate.put(rate)

    def _begin_round(self, now: float) -> None:
        self._round, self._crowded, self._next = Count(now), False, max(self._next, now)

    def _look(self, now: float) -> None:
        """See whether a trial is decided, or a round over."""
        seen = self._round
        if self._trial is not None:
            self._judge(now, self._trial)
            return
        if seen.sent < _LEAST_CALLS:
            return
        spread = math.sqrt(seen.sent * max(self.noise, _TOLERATED) * (1 - self.noise))
        if seen.refused > (self.noise + _TOLERATED) * seen.sent + 3 * spread:
            if not self._put_back():
                self._trial = _Trial(_BELOW * seen.taken_a_second(now), seen.share)
            self._begin_round(now)
        elif seen.sent >= _ROUND_CALLS and now - seen.since >= self._round_s:
            self._end_round(now)

    def _put_back(self) -> bool:
        """Go back to what was good, where more has been tried since."""
        fewer = self._crowded and self._at_once.put_back()
        slower = self._rate is not None and self._rate.put_back()
        return fewer or slower

    def _judge(self, now: float, trial: _Trial) -> None:
        """Decide a trial as soon as it can be.

        Only calls that were sent some time ago count: of the others only the refusals are known.
        """
        calls = [call for call in self._recent if self._round.since <= call.sent <= now - _SETTLED_S]
        evidence = noise_evidence(calls, trial.share, self.noise)
        if abs(evidence) < _DECIDED:
            return
        if evidence > 0:
            self.noise = (trial.share + sum(call.refused for call in calls) / len(calls)) / 2
        else:
            self._limit(trial.rate)
        self._trial = None
        self._begin_round(now)

    def _end_round(self, now: float) -> None:
        """Raise what met no trouble."""
        seen = self._round
        excess = seen.share - self.noise
        unnoticed = _UNNOTICED + 1.5 * math.sqrt(self.noise * (1 - self.noise) / seen.sent)
        if self._rate is None or excess < 0:
            self.noise += min(seen.sent / _MEMORY, 0.5) * excess
        if self._rate is not None:
            if excess > unnoticed:
                if not self._put_back():
                    self._rate.put(self._rate.value * (1 - excess))
            elif seen.taken_a_second(now) < self._rate.value / 2:
                self._rate = None
            else:
                self._rate.quiet()
        if self._crowded and excess <= unnoticed:
            self._at_once.quiet()
        self._begin_round(now)


def _slack_s(rate: float) -> float:
    """Return by how many seconds calls may be behind and catch up: threads wake late."""
    return min(1.0, 2 / rate)
