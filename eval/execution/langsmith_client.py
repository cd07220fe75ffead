"""LangSmith's client as this project uses it: it strikes secrets out, never waits long, and its faults are one line.

What the SDK would print of a failed request is a page of the request; here it comes out as a few words.
"""

import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from langsmith import Client
from langsmith.utils import LangSmithMissingAPIKeyWarning
from urllib3.util import Retry

from data.common.errors import ConfigurationError
from data.common.secrets import make_redactor
from data.common.text import mentioned

# Two more tries in the background, but none after an answer that did not come in time.
_RETRY = Retry(
    total=2,
    read=0,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,
    backoff_factor=0.2,
    raise_on_status=False,
    respect_retry_after_header=False,
)
_HOSTED = ".langchain.com"  # where LangSmith's own service is, which takes nothing without a key
NO_KEY = "LANGSMITH_API_KEY is not set"


class RedactingClient(Client):
    """Strikes secrets out of the runs that it sends, and tries a request that was refused twice more.

    Args:
        options: As the SDK's client takes them.

    Attributes:
        lacks_key: LangSmith's own service is asked, and there is no key for it.
    """

    def __init__(self, **options: Any) -> None:
        # Threads that the end of the process does not wait for: those of the SDK's queue, not its pool for compression.
        os.environ.setdefault("LANGSMITH_USE_DAEMON", "true")
        os.environ.setdefault("LANGSMITH_DISABLE_RUN_COMPRESSION", "true")
        redact = make_redactor()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LangSmithMissingAPIKeyWarning)  # it is said in our own words
            super().__init__(
                retry_config=_RETRY,
                anonymizer=lambda content: json.loads(redact(json.dumps(content, ensure_ascii=False))),
                **options,
            )
        host = urlsplit(self.api_url).hostname or ""
        self.lacks_key = not self.api_key and f".{host}".endswith(_HOSTED)


def unusable(error: Exception) -> ConfigurationError:
    """Return the error of variables of which no client can be made."""
    fix = "correct the LANGSMITH_ variables, or set LANGSMITH_TRACING=false"
    return ConfigurationError(f"LangSmith's client cannot be made: {mentioned(str(error))}; {fix}")


def what_happened(error: BaseException | None) -> str:
    """Say in a few words why a request failed; the SDK's own words hold a page of the request."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, requests.Response):
            return f"answered {response.status_code} {mentioned(response.reason or '')}".rstrip()
        if isinstance(error, requests.Timeout):
            return "does not answer in time"
        if isinstance(error, requests.ConnectionError):
            return "does not answer"
        cause, last = error.__cause__ or error.__context__, error
        error = cause
    return f"failed ({mentioned(f'{type(last).__name__}: {last}')})"


class _Heard(logging.Handler):
    """Takes the SDK's warnings to a function."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        self._hear(record.getMessage())


@contextmanager
def sdk_heard(hear: Callable[[str], None], *, is_quiet: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Have what the SDK logs inside told to a function, and printed nowhere.

    Args:
        hear: Takes a warning's text.
        is_quiet: Says afterwards whether the SDK's threads have ended what they were doing: else they may still
            complain, and stay listened to.
    """
    logger, handler = logging.getLogger("langsmith"), _Heard(hear)
    propagate = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        if is_quiet():
            logger.removeHandler(handler)
            logger.propagate = propagate
