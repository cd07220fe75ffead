"""The calls that were sent to a server of late, and what the refusals among them are evidence of."""

import math
from collections.abc import Iterable
from typing import NamedTuple

_NEARLY_ALL = 0.9  # the share of refusals under a limit that is reached
_LEAST_NOISE = 0.15  # up to this share refusals may be noise, whatever is known
_BLOCKED = 8.0  # log-likelihood ratio: five refusals in a row, or more among other answers


class Call:
    """A call at the server.

    Attributes:
        sent: Seconds of the clock.
        ended: The same; None: it goes on.
        refused: The server would have it come back later.
        again: When the server would have it come back.
        limited: It was refused because of a limit, not by chance.
    """

    __slots__ = ("again", "ended", "limited", "refused", "sent")

    def __init__(self, sent: float) -> None:
        self.sent = self.again = sent
        self.ended: float | None = None
        self.refused = self.limited = False


class Count:
    """Calls since a moment, and how many of them were refused."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.sent = self.refused = 0

    def refuse(self, call: Call) -> None:
        self.refused += call.sent >= self.since

    @property
    def share(self) -> float:
        return self.refused / max(self.sent, 1)

    def taken_a_second(self, now: float) -> float:
        return max(self.sent - self.refused, 1) / max(now - self.since, 1e-3)


class Run(NamedTuple):
    """Calls one after the other, and the evidence (a log-likelihood ratio) that the server refuses nearly all."""

    length: int = 0
    refused: int = 0
    evidence: float = 0.0

    def with_call(self, call: Call, evidence: float) -> "Run":
        evidence += self.evidence
        return Run(self.length + 1, self.refused + call.refused, evidence) if evidence > 0 else Run()


def run_of_refusals(calls: Iterable[Call], noise: float) -> Run | None:
    """Return the calls up to the latest refusal that are under a limit which is reached; None: there are none.

    A call that goes on, though one that was sent later has been refused, was taken: refusals come at once.
    Source: Page, "Continuous inspection schemes", 1954.

    Args:
        calls: The calls in the order in which they were sent.
        noise: The share of calls that is refused anyway.
    """
    noise = min(max(_LEAST_NOISE, 1.5 * noise), _NEARLY_ALL / 2)
    up, down = math.log(_NEARLY_ALL / noise), math.log((1 - _NEARLY_ALL) / (1 - noise))
    run, found = Run(), Run()
    for call in calls:
        run = run.with_call(call, up if call.refused else down)
        found = run if call.refused else found
    return found if found.evidence >= _BLOCKED else None


def noise_evidence(calls: Iterable[Call], share: float, noise: float) -> float:
    """Return the log-likelihood ratio that of calls which are made less often a share is refused as before.

    Source: Wald, "Sequential tests of statistical hypotheses", 1945.

    Args:
        calls: The calls of which it is known whether they were refused.
        share: The share of refusals before.
        noise: The share of calls that is refused anyway; the other hypothesis is little more than that.
    """
    few = noise + 0.1 * max(share - noise, 0.01)
    refused, taken = math.log(share / few), math.log((1 - share) / (1 - few))
    return sum(refused if call.refused else taken for call in calls)


def most_at_once(calls: Iterable[Call]) -> int:
    """Return how many of the calls that were taken were in flight at once."""
    taken = [call for call in calls if not call.refused]
    changes = [(call.sent, 1) for call in taken]
    changes += [(call.ended, -1) for call in taken if call.ended is not None]
    at_once = most = 0
    for _, change in sorted(changes):
        at_once += change
        most = max(most, at_once)
    return most


def in_flight_at(calls: Iterable[Call], moment: float) -> int:
    """Return how many of the calls that were taken were in flight at a moment."""
    taken = (call for call in calls if call.sent <= moment and not call.refused)
    return sum(call.ended is None or call.ended > moment for call in taken)
