"""The client that makes datasets and experiments: the first request that fails ends it, in a few words."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from langsmith.utils import LangSmithConflictError, LangSmithError, LangSmithNotFoundError

from data.common.errors import MissingResourceError, ProjectError
from data.common.text import mentioned
from eval.execution.langsmith_client import NO_KEY, RedactingClient, sdk_heard, unusable, what_happened

_LOOK_S = 1.0
_IDLE_S = 30.0  # after which nothing more is sent, though something is left and no request is on its way


class ExperimentClient(RedactingClient):
    """Sends until a request fails, and nothing after that.

    Args:
        timeout_s: Seconds to wait for an answer; None: as long as the SDK waits.
        sends_runs: It is to send runs and feedback too, which takes threads of the SDK.

    Attributes:
        fault: What went wrong, in a few words; None: nothing has.
        asked_at: When the request that is on its way was sent, in seconds of the monotonic clock; None: none is.
        longest_s: Seconds that the slowest answer took.

    Raises:
        ConfigurationError: A variable that the SDK reads has no usable value.
        MissingResourceError: There is no key.
    """

    def __init__(self, *, timeout_s: float | None = None, sends_runs: bool = True) -> None:
        self.fault: str | None = None
        self.asked_at: float | None = None
        self.longest_s = 0.0
        limits = {} if timeout_s is None else {"timeout_ms": (int(timeout_s * 1000),) * 2}
        try:
            super().__init__(tracing_sampling_rate=1.0, auto_batch_tracing=sends_runs, **limits)
        except (LangSmithError, ValueError) as error:
            raise unusable(error) from error
        if self.lacks_key:
            raise MissingResourceError(f"{NO_KEY}; set it in .env")

    def request_with_retries(self, method: Any, pathname: str, **request: Any) -> requests.Response:
        """Send a request, unless one has failed before."""
        if self.fault is not None:
            raise LangSmithError(self.fault)
        self.asked_at = started = time.monotonic()
        try:
            return super().request_with_retries(method, pathname, **request)
        except (LangSmithConflictError, LangSmithNotFoundError):
            raise  # it is there already; or the SDK, or who asked whether it is there, goes on in another way
        except Exception as error:
            self.fault = f"LangSmith at {self.api_url} {what_happened(error)}"
            raise LangSmithError(self.fault) from error
        finally:
            self.longest_s = max(self.longest_s, time.monotonic() - started)
            self.asked_at = None

    def heard(self, message: str) -> None:
        """Take what the SDK logs of a request in its own threads as what went wrong."""
        self.fault = self.fault or f"LangSmith at {self.api_url} failed ({mentioned(message)})"

    def sent(self) -> None:
        """Wait until all is sent.

        Raises:
            LangSmithError: Something was not.
        """
        left, since = self._left, time.monotonic()
        while left and self.fault is None:
            self.flush(timeout=_LOOK_S)
            if self._left < left or self.asked_at is not None:
                left, since = self._left, time.monotonic()
            elif time.monotonic() - since > _IDLE_S:  # the SDK's thread has ended
                self.fault = f"LangSmith at {self.api_url} says of itself what the SDK cannot read"
        if self.fault is not None:
            raise LangSmithError(self.fault)

    @property
    def _left(self) -> int:
        """How many runs and scores are still to be sent."""
        return self.tracing_queue.unfinished_tasks if self.tracing_queue is not None else 0


def said_fault(client: ExperimentClient, error: Exception) -> str:
    """Say in a few words what a request failed with."""
    if isinstance(error, ProjectError):
        return str(error)
    return client.fault or f"LangSmith at {client.api_url} {what_happened(error)}"


@contextmanager
def faults_in_one_line(client: ExperimentClient) -> Iterator[None]:
    """Turn what the SDK raises inside, or only logs, into one line.

    Raises:
        MissingResourceError: A request failed, or was answered with what the SDK cannot read.
    """
    try:
        with sdk_heard(client.heard):
            yield
    except (LangSmithError, ValueError) as error:
        raise MissingResourceError(said_fault(client, error)) from error
