"""LangSmith's client as a run needs it: the run never waits for LangSmith, and hears of its faults once.

The SDK queues what LangChain traces and sends it in threads of its own. Here a request that fails closes the way for a
while, so that nothing more is tried meanwhile; a trace that begins in that time is left out whole. When the run ends,
what is still to be sent is waited for only as long as LangSmith takes it quickly.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import requests
from langsmith.run_trees import configure
from langsmith.utils import LangSmithConflictError, LangSmithError, LangSmithNotFoundError, tracing_is_enabled

from data.common.progress import log
from data.common.text import mentioned
from eval.execution.langsmith_client import NO_KEY, RedactingClient, sdk_heard, unusable, what_happened

_QUICK_S = 1.0  # in which LangSmith answers when all is well
PATIENCE_S = 1.5  # at the end, since its last quick answer
_SLOW_S = 3.0  # since a request was sent: one that is refused at once, and tried twice more, has ended by then
_LONGEST_END_S = 15.0
_LOOK_S = 0.1
MOST_QUEUED = 4_000  # runs begun and ended that wait to be sent: the SDK would drop parts of traces from 10,000 on
_TRACE = re.compile(r"trace=([0-9a-f-]{36})")


class TraceClient(RedactingClient):
    """Sends traces without secrets for as long as LangSmith takes them.

    Args:
        closed_s: Seconds after a request that failed in which none is tried.

    Attributes:
        begun: How many traces began.
        lost: The traces that were begun and that LangSmith did not take; they are known once all is finished.
    """

    def __init__(self, *, closed_s: float = 15.0) -> None:
        self.begun = self._left_out = 0
        self._closed_s = closed_s
        self._closed_until = 0.0
        self._quick_at = 0.0  # when LangSmith last answered within _QUICK_S
        self._has_said = self._ended = False
        self._leaving_out: set[str] = set()  # traces that are under way
        self.lost: set[str] = set()
        self._in_flight: dict[int, tuple[float, set[str]]] = {}
        self._failed: set[str] = set()
        self._lock = Lock()
        super().__init__(info={})  # what LangSmith says of itself need not be waited for
        if self.lacks_key:
            self._closed_until = float("inf")
            self._say(NO_KEY)

    @property
    def _is_closed(self) -> bool:
        return self._ended or time.monotonic() < self._closed_until

    def create_run(self, *arguments: Any, **run: Any) -> None:
        trace = str(run.get("trace_id"))
        if str(run.get("id")) == trace:
            self._begin(trace)
        if trace not in self._leaving_out:
            super().create_run(*arguments, **run)

    def _begin(self, trace: str) -> None:
        is_full = self.tracing_queue is not None and self.tracing_queue.qsize() >= MOST_QUEUED
        with self._lock:
            self.begun += 1
            if self._is_closed or is_full:
                self._left_out += 1
                self._leaving_out.add(trace)

    def update_run(self, run_id: Any, *arguments: Any, **run: Any) -> None:
        trace = str(run.get("trace_id"))
        if trace not in self._leaving_out:
            super().update_run(run_id, *arguments, **run)
        elif str(run_id) == trace:  # its end
            self._leaving_out.discard(trace)

    def request_with_retries(self, method: Any, pathname: str, **request: Any) -> requests.Response:
        """Send a request, unless one has failed a moment ago."""
        traces = set(_TRACE.findall(request.get("_context", "")))
        if self._is_closed:
            self._failed.update(traces)
            raise LangSmithError("not sent: LangSmith has just failed")
        started = time.monotonic()
        self._in_flight[id(traces)] = (started, traces)
        try:
            response = super().request_with_retries(method, pathname, **request)
        except LangSmithConflictError:  # it has them already
            raise
        except Exception as error:
            if isinstance(error, LangSmithNotFoundError) and pathname.endswith("/multipart"):
                raise  # the SDK tries an older form next
            self._failed.update(traces)
            self._closed_until = time.monotonic() + self._closed_s
            self._say(f"LangSmith at {self.api_url} {what_happened(error)}")
            raise LangSmithError("not sent") from error
        finally:
            del self._in_flight[id(traces)]
        if time.monotonic() - started < _QUICK_S:
            self._quick_at = time.monotonic()
        return response

    def _say(self, reason: str) -> None:
        with self._lock:
            was_said, self._has_said = self._has_said, True
        if not was_said and not self._ended:
            log(f"traces are not sent: {reason}; going on")

    def heard(self, message: str) -> None:
        """Say what the SDK logs, unless that is only what was said before."""
        self._say(mentioned(message))

    def finish(self) -> None:
        """Wait for what is still to be sent while LangSmith takes it, and say how many traces it did not take."""
        started = time.monotonic()
        while self.unfinished and not self._is_closed:
            now = time.monotonic()
            oldest = min((since for since, _ in self._in_flight.copy().values()), default=now)
            is_slow = now - max(oldest, self._quick_at) >= _SLOW_S
            if is_slow or now - max(started, self._quick_at) >= PATIENCE_S or now - started >= _LONGEST_END_S:
                break
            self.flush(timeout=_LOOK_S)
        self._ended = True
        self.flush(timeout=_LOOK_S)  # what is queued is refused
        in_flight = [traces for _, traces in self._in_flight.copy().values()]
        self.lost = self._failed.union(*in_flight, self._queued)
        if self.lost or self._left_out:
            why = "" if self._has_said else f": LangSmith at {self.api_url} is slow"
            log(f"{self._left_out + len(self.lost)} of {self.begun} traces were not sent{why}")

    @property
    def unfinished(self) -> int:
        """How many runs the SDK has still to send."""
        return self.tracing_queue.unfinished_tasks if self.tracing_queue is not None else 0

    @property
    def _queued(self) -> set[str]:
        if self.tracing_queue is None:
            return set()
        with self.tracing_queue.mutex:
            return {str(entry.item.trace_id) for entry in self.tracing_queue.queue}


@contextmanager
def traces_sent(make: Callable[[], TraceClient] = TraceClient) -> Iterator[None]:
    """Have what LangChain traces inside sent to LangSmith, where the user has turned that on.

    Args:
        make: Makes the client that sends them.

    Raises:
        ConfigurationError: A variable that the SDK reads has no usable value.
    """
    if not tracing_is_enabled():
        yield
        return
    try:
        client = make()
    except (LangSmithError, ValueError) as error:
        raise unusable(error) from error
    with sdk_heard(client.heard, is_quiet=lambda: not client.unfinished):
        configure(client=client)
        try:
            yield
        finally:
            client.finish()
            configure(client=None)
