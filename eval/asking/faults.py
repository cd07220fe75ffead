"""What a failed call means: ask again, stop the run, or write it down as this item's error.

A fault is known by what it carries (status, code, headers, the names of its classes), through every `__cause__`, so
that no provider's package is imported and every provider's faults are judged alike.
"""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from traceback import walk_tb
from typing import Any, Literal

from data.plain_text import mentioned

Verdict = Literal["again", "stop", "item"]

LONGEST_WAIT_S = 60.0  # whatever a server asks for: it is asked again after that
# Asked as it was, an item gets another answer: timeout, conflict, too early, too many requests.
_PASSING = frozenset({408, 409, 425, 429})
# Every item would get the same answer: another address, bad request, key, money, permission, model, method, gone.
_LASTING = frozenset({*range(300, 400), 400, 401, 402, 403, 404, 405, 410, 422})
_BAD_REQUEST = frozenset({400, 422})  # of every item, or of one: the first that are sent tell
_NOBODY_S_ITEM = frozenset({401, 402})
_NO_ACCESS = _NOBODY_S_ITEM | {403}  # stops a run whoever refuses it, also somebody whom the chain asks itself
# A gateway gave up on a server that may have gone on, and then asks for its pay.
_PERHAPS_ANSWERED = frozenset({408, 502, 504, 524})
# What a record's error says of a call that nobody is paid for.
NEVER_BILLED = re.compile(
    r"^(?!UnreadableReply)[\s\S]*?Error code: (3\d\d|40[0-7]|409|410|413|422|425|429|50[0135])\b|"
    r"^\w*(RateLimit|Authentication|Permission|NotFound|BadRequest|InvalidRequest|ContextOverflow)\w*:|"
    r"^(ConnectError|ConnectTimeout|ConnectionRefusedError):"
)
_NO_MONEY = re.compile(r"insufficient_quota|billing_(hard_limit|not_active)|access_terminated|credit balance", re.I)
_OF_THE_ITEM = re.compile(
    r"context[_ ]?(length|window|size)|maximum context|too[_ ]long|above_max_length|too many (input )?tokens|"
    r"exceeds? the (maximum|limit|context)|tokens exceed|content[_ ]?(filter|policy|management)|responsible ?ai|"
    r"invalid_prompt|flagged|moderation|safety|usage polic",
    re.I,
)
_CONNECTION = re.compile(r"Timeout|Connect(ion)?Error|TransportError|NetworkError|ProtocolError|IncompleteRead|Chunked")
_NEVER_SENT = re.compile(r"^(ConnectError|ConnectTimeout|ConnectionRefusedError|PoolTimeout|gaierror)$")
# Of a connection: no server that is asked again will have another certificate, or address.
_ILLEGAL_HEADER = re.compile(r"illegal header", re.I)
_ASTRAY = re.compile(
    rf"CERTIFICATE_VERIFY_FAILED|redirects|protocol is missing|unsupported protocol|{_ILLEGAL_HEADER.pattern}", re.I
)
_BROKEN_JSON = re.compile(r"^(JSONDecodeError|UnicodeDecodeError|APIResponseValidationError|UnreadableReplyError)$")
# Where LangChain's packages make messages of what a server sent.
_READERS = frozenset({"_create_chat_result"})


class UnreadableReplyError(Exception):
    """What a server sent, without a word of failure, is no chat model's reply."""


def judge(error: BaseException, *, called: bool = True, answered: bool = False, proven: bool = False) -> Verdict:
    """Say what is to be done about a failed attempt at an item.

    Args:
        error: What the predictor raised.
        called: A model had been called. Else what is not found, or no JSON, is something that the chain itself looked
            for.
        answered: The model had answered, and the fault came after it: it is none of the server's, so that it stops
            no run, and JSON that cannot be read is what the model wrote.
        proven: The server has answered other items of the system, so that a request it finds bad, or that a firewall
            stops, is this item's; and its address and certificate are right.
    """
    status = status_of(error)
    if status is None:
        if not proven and _is_named(error, _CONNECTION) and _ASTRAY.search(_said(error)):
            return "stop"
        passing = _is_named(error, _CONNECTION) or (called and not answered and _is_named(error, _BROKEN_JSON))
        return "again" if passing else "item"
    if proven and (status in _BAD_REQUEST or (status == 403 and _is_a_page(error))):
        return "item"
    if status in (_LASTING if called else _NO_ACCESS) and not answered:
        return "item" if status not in _NOBODY_S_ITEM and _OF_THE_ITEM.search(_said(error)) else "stop"
    if status == 429 and _NO_MONEY.search(_said(error)):
        return "stop"
    return "again" if status in _PASSING or status >= 500 else "item"


def unreadable_reply(error: Exception, *, empty: bool) -> UnreadableReplyError | None:
    """Return what a model call's error stands for, where it only says at what its reader stumbled; else None.

    Args:
        error: What the predictor raised.
        empty: The last reply held no message.
    """
    reading = any(frame.f_code.co_name in _READERS for frame, _ in walk_tb(error.__traceback__))
    if status_of(error) is not None or not (empty or reading):
        return None
    stumbled = _message(error) or f"{type(error).__name__}: {error}"
    said = "it holds no message of an assistant" if empty else mentioned(stumbled)
    return UnreadableReplyError(f"the server sent no chat completion: {said}")


def is_throttled(error: BaseException) -> bool:
    """Say whether the server answered that it is asked too often."""
    return status_of(error) == 429


def may_be_billed(error: BaseException) -> bool:
    """Say whether a failed call may be paid for all the same: it reached a server that may have answered it."""
    status = status_of(error)
    if status is not None:
        return status in _PERHAPS_ANSWERED
    return not any(_NEVER_SENT.match(type(cause).__name__) for cause in _causes(error))


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status of a fault, 300 to 599; None where it has none."""
    return next((status for cause in _causes(error) for status in _statuses(cause)), None)


def retry_after_s(error: BaseException) -> float | None:
    """Return the seconds that the server asks to wait, at most `LONGEST_WAIT_S`; None where it says nothing."""
    for cause in _causes(error):
        headers = getattr(getattr(cause, "response", None), "headers", None)
        if not isinstance(headers, Mapping):
            continue
        milliseconds, given = headers.get("retry-after-ms"), headers.get("retry-after")
        seconds = _number(milliseconds, 1000) if milliseconds else None
        if seconds is None and given:
            seconds = _number(given, 1)
            seconds = _seconds_until(given) if seconds is None else seconds
        if seconds is not None:
            return min(max(seconds, 0.0), LONGEST_WAIT_S)
    return None


def describe(error: BaseException) -> str:
    """Return a fault in one line: its status, and what the server says."""
    said = mentioned(_message(error) or str(error)) or type(error).__name__
    status = status_of(error)
    return said if status is None else f"{status}: {said}"


def recorded(error: BaseException) -> str:
    """Return a fault as a record has it: what it is called, and what its client keeps to itself."""
    said, more = f"{type(error).__name__}: {error}", _message(error)
    told = more in said or repr(more)[1:-1] in said
    return said if told else f"{said.rstrip('.')}: {mentioned(more)}"


def _message(error: BaseException) -> str:
    """Return what the server says of a fault, or what a connection failed for; "" where nobody says."""
    told = next((str(text) for cause in _causes(error) if (text := _body(cause).get("message"))), "")
    if told or not _is_named(error, _CONNECTION):
        return told
    *_, first = _causes(error)
    if _ILLEGAL_HEADER.search(str(first)):
        return "a header, and so most likely the key, holds a line break"  # which is not repeated
    return "" if first is error else str(first)


def kind_of(error: BaseException) -> str:
    """Return what a fault is counted as: its status, or the name of its class."""
    return str(status_of(error) or type(error).__name__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__


def _statuses(error: BaseException) -> Iterator[int]:
    response = getattr(error, "response", None)
    metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}  # boto's
    candidates = [
        getattr(error, "status_code", None),
        getattr(response, "status_code", None),
        metadata.get("HTTPStatusCode"),
        getattr(error, "code", None),  # Google's
        _body(error).get("code"),
    ]
    for value in candidates:
        if isinstance(value, int) and 300 <= value <= 599:
            yield int(value)


def _body(error: BaseException) -> dict[str, Any]:
    """Return what the server said of the fault; LangChain hands an error beside status 200 on as a ValueError's."""
    body = getattr(error, "body", None)
    if body is None and error.args and isinstance(error.args[0], dict):
        body = error.args[0]
    inner = (body.get("error") or body) if isinstance(body, dict) else body
    if isinstance(inner, str):
        return {"message": inner}
    if not isinstance(inner, dict):
        return {}
    return {"message": inner["detail"], **inner} if "detail" in inner else inner


def _is_a_page(error: BaseException) -> bool:
    """Say whether the answer is a page for people: something on the way to the API, such as a firewall, wrote it."""
    bodies = [getattr(cause, "body", None) for cause in _causes(error)]
    return any(isinstance(body, str) and body.lstrip().startswith("<") for body in bodies)


def _said(error: BaseException) -> str:
    """Return everything in words that a fault carries, to be searched."""
    parts = []
    for cause in _causes(error):
        body = _body(cause)
        parts += [str(cause), getattr(cause, "code", ""), *(body.get(name, "") for name in ("message", "code", "type"))]
    return " ".join(map(str, parts))


def _is_named(error: BaseException, pattern: re.Pattern[str]) -> bool:
    return any(pattern.search(kind.__name__) for cause in _causes(error) for kind in type(cause).__mro__)


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
