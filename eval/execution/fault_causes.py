"""What a fault carries: a status, a body, headers, the names of its classes, through every `__cause__`.

So no provider's package is imported, and every provider's faults are read alike.
"""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from data.common.parsing import JsonObject


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield a fault, what it was raised from, and so on: the first cause comes last."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__


def statuses(error: BaseException) -> Iterator[int]:
    """Yield what one exception carries as HTTP statuses of faults."""
    response = getattr(error, "response", None)
    metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}  # boto's
    candidates = [
        getattr(error, "status_code", None),
        getattr(response, "status_code", None),
        metadata.get("HTTPStatusCode"),
        getattr(error, "code", None),  # Google's
        error_object(error).get("code"),
    ]
    for value in candidates:
        if isinstance(value, int) and 300 <= value <= 599:
            yield int(value)


def raw_body(error: BaseException) -> Any:
    """Return what the server said of the fault; LangChain hands an error beside status 200 on as a ValueError's."""
    body = getattr(error, "body", None)
    if body is None and error.args and isinstance(error.args[0], dict | list):
        return error.args[0]
    return body


def error_object(error: BaseException) -> JsonObject:
    """Return the object that describes the fault: the one named "error", else the whole body; {} where it is none."""
    body = raw_body(error)
    while isinstance(body, list) and body:
        body = body[0]
    inner = (body.get("error") or body) if isinstance(body, dict) else {}
    return inner if isinstance(inner, dict) else {}


def is_a_page(error: BaseException) -> bool:
    """Say whether the answer is a page for people: something on the way to the API, such as a firewall, wrote it."""
    bodies = [getattr(cause, "body", None) for cause in causes(error)]
    return any(isinstance(body, str) and body.lstrip().startswith("<") for body in bodies)


def headers_of(error: BaseException) -> Iterator[Mapping[str, str]]:
    """Yield the headers of each response that a fault carries."""
    for cause in causes(error):
        headers = getattr(getattr(cause, "response", None), "headers", None)
        if isinstance(headers, Mapping):
            yield headers


def asked_wait_s(error: BaseException) -> float | None:
    """Return the seconds that the server asks to wait, as its headers say; None where they say nothing."""
    for headers in headers_of(error):
        milliseconds, given = headers.get("retry-after-ms"), headers.get("retry-after")
        seconds = _number(milliseconds, 1000) if milliseconds else None
        if seconds is None and given:
            seconds = _number(given, 1)
            seconds = _seconds_until(given) if seconds is None else seconds
        if seconds is not None:
            return seconds
    return None


def is_named(error: BaseException, pattern: re.Pattern[str]) -> bool:
    """Say whether a class of the fault, or of one of its causes, has a name with the pattern in it."""
    return any(pattern.search(kind.__name__) for cause in causes(error) for kind in type(cause).__mro__)


def _number(text: str, divisor: float) -> float | None:
    try:
        number = float(text) / divisor
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _seconds_until(http_date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(http_date)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()
