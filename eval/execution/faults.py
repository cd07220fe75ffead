"""What a failed call means: ask again, stop the run, or write it down as this item's error.

A fault is known by what it carries (status, code, headers, the names of its classes), through every `__cause__`, so
that no provider's package is imported and every provider's faults are judged alike.
"""

import re
from json import JSONDecodeError
from traceback import walk_tb
from typing import Literal

from data.common.text import mentioned
from eval.execution.fault_causes import asked_wait_s, causes, error_object, is_a_page, is_named, raw_body, statuses
from eval.execution.server_words import sentence_of

Verdict = Literal["again", "stop", "item", "doubt"]

LONGEST_WAIT_S = 60.0  # whatever a server asks for: it is asked again after that
# Asked as it was, an item gets another answer: timeout, conflict, too early, too many requests.
_PASSING = frozenset({408, 409, 425, 429})
# Every item would get the same answer: another address, bad request, key, money, permission, model, method, gone.
_LASTING = frozenset({*range(300, 400), 400, 401, 402, 403, 404, 405, 410, 422})
_BAD_REQUEST = frozenset({400, 422})  # of every item, or of one: those that others are given tell
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
# A quota that is renewed in another day, week or month; where a server also names a minute's, that one may be meant.
_LONG_QUOTA = re.compile(
    r"(request|token|model|limit|quota|usage|credit|call)s?[^.;]{0,40}(per[-_ ]?(day|week|month)|daily|weekly|monthly)|"
    r"\b(daily|weekly|monthly)\W+(\w+\W+){0,2}(limit|quota|request|token|usage|cap|credit)",
    re.I,
)
_SHORT_QUOTA = re.compile(r"per[-_ ]?(sec|min|hour)", re.I)
_LONG_WAIT_S = 3600.0  # for which no run waits
_OF_THE_ITEM = re.compile(
    r"context[_ ]?(length|window|size)|maximum context|too[_ ]long|above_max_length|too many (input )?tokens|"
    r"exceeds? the (maximum|limit|context)|tokens exceed|content[_ ]?(filter|policy|management)|responsible ?ai|"
    r"invalid_prompt|flagged|moderation|safety|usage polic",
    re.I,
)
# It finds fault with who asks, not with what is asked.
_OF_THE_CALLER = re.compile(
    r"\bkeys?\b|permission|access|authori[sz]|authenti|credential|revoked|account|organi[sz]ation|project|workspace|"
    r"region|country|territor|location|\bips?\b|subscri|billing|credit|payment|\bplans?\b|quota|licen[cs]e|"
    r"\byou (are|do|have|may|can)(n't| ?not| no)\b",
    re.I,
)
# It finds fault with what is sent with every item, in words that no filter of contents would choose.
_FIELD, _AMISS = (
    r"(param(eter)?|argument|field|property|value|key|name)s?",
    r"(required|missing|unsupported|unknown|unrecogni[sz]ed|unexpected|not (supported|recogni[sz]ed))",
)
_OF_THE_REQUEST = re.compile(
    rf"\b{_FIELD}\b.{{0,60}}\b{_AMISS}\b|\b{_AMISS}\b.{{0,60}}\b{_FIELD}\b|extra (inputs|fields|forbidden)|"
    r"\b(temperature|top_p|top_k|seed|max(_\w+)?_tokens|(top_)?logprobs|logit_bias|\w+_penalty|response_format|"
    r"tool_choice|parallel_tool_calls|reasoning_effort)\b.{0,60}\b(not|must|too|cannot|invalid|only)\b",
    re.I,
)
_CONNECTION = re.compile(r"Timeout|Connect(ion)?Error|TransportError|NetworkError|ProtocolError|IncompleteRead|Chunked")
_NEVER_SENT = re.compile(r"^(ConnectError|ConnectTimeout|ConnectionRefusedError|PoolTimeout|gaierror)$")
# Of a connection: no server that is asked again will have another certificate, or address.
_ILLEGAL_HEADER = re.compile(r"illegal header", re.I)
_ASTRAY = re.compile(
    rf"CERTIFICATE_VERIFY_FAILED|redirects|protocol is missing|unsupported protocol|{_ILLEGAL_HEADER.pattern}", re.I
)
_EXCERPT = 80  # characters of what is no JSON
_TOLD = re.compile(r"[^\d'\"`{\[<]*")
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
            stops, is this item's; and its address, its certificate and the headers are right.

    Returns:
        "doubt" where every item may get the same: only what others get tells.
    """
    status = status_of(error)
    if status is None:
        return _judge_unanswered(error, called=called, answered=answered, proven=proven)
    if proven and may_be_one_item_s(error):
        return "item"
    if status in (_LASTING if called else _NO_ACCESS) and not answered:
        return _judge_refusal(error, status)
    if status == 429 and _is_used_up(error):
        return "stop"
    return "again" if status in _PASSING or status >= 500 else "item"


def _judge_unanswered(error: BaseException, *, called: bool, answered: bool, proven: bool) -> Verdict:
    astray = is_named(error, _CONNECTION) and _ASTRAY.search(_said(error))
    if not proven and (astray or (called and not answered and _header_fault(error))):
        return "stop"
    passing = is_named(error, _CONNECTION) or (called and not answered and is_unreadable(error))
    return "again" if passing else "item"


def _judge_refusal(error: BaseException, status: int) -> Verdict:
    if status not in _NOBODY_S_ITEM and _OF_THE_ITEM.search(_said(error)):
        return "item"
    return "doubt" if may_be_one_item_s(error) and not _OF_THE_REQUEST.search(_sentence(error)) else "stop"


def _is_used_up(error: BaseException) -> bool:
    """Say whether a server asks for more than patience: for money, or for another day."""
    said = _said(error)
    another_day = _LONG_QUOTA.search(said) and not _SHORT_QUOTA.search(said)
    return bool(_NO_MONEY.search(said) or another_day) or (asked_wait_s(error) or 0.0) > _LONG_WAIT_S


def may_be_one_item_s(error: BaseException) -> bool:
    """Say whether a refusal may be of what one item says: a bad request, or a text that is forbidden."""
    return status_of(error) in _BAD_REQUEST or is_forbidden_text(error)


def is_forbidden_text(error: BaseException) -> bool:
    """Say whether a 403 may be of a text: a firewall's page, or the API's own filter in whatever words."""
    return status_of(error) == 403 and (is_a_page(error) or not _OF_THE_CALLER.search(_said(error)))


def is_unreadable(error: BaseException) -> bool:
    """Say whether a server sent something that no client can read."""
    return status_of(error) is None and is_named(error, _BROKEN_JSON)


def are_alike(one: BaseException, other: BaseException) -> bool:
    """Say whether two faults are in the same words, up to what they quote or count."""
    return _TOLD.match(recorded(one))[0] == _TOLD.match(recorded(other))[0]  # type: ignore[index]  # it matches ""


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
    return not any(_NEVER_SENT.match(type(cause).__name__) for cause in causes(error))


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status of a fault, 300 to 599; None where it has none."""
    return next((status for cause in causes(error) for status in statuses(cause)), None)


def retry_after_s(error: BaseException) -> float | None:
    """Return the seconds that the server asks to wait, at most `LONGEST_WAIT_S`; None where it says nothing."""
    asked_s = asked_wait_s(error)
    return None if asked_s is None else min(max(asked_s, 0.0), LONGEST_WAIT_S)


def describe(error: BaseException) -> str:
    """Return a fault in one line: its status, and what the server says."""
    said = mentioned(_message(error) or str(error)) or type(error).__name__
    status = status_of(error)
    return said if status is None else f"{status}: {said}"


def recorded(error: BaseException) -> str:
    """Return a fault as a record has it: what it is called, and what its client keeps to itself."""
    said, more = f"{type(error).__name__}: {error}", _message(error)
    is_said = more in said or repr(more)[1:-1] in said
    return said if is_said else f"{said.rstrip('.')}: {mentioned(more)}"


def _message(error: BaseException) -> str:
    """Return what the server says of a fault, or what a connection failed for; "" where nobody says."""
    sentence = next((text for cause in causes(error) if (text := sentence_of(raw_body(cause)))), "")
    if sentence:
        return sentence
    if fault := _header_fault(error):
        return f"a header, and so most likely the key, holds {fault}"
    *_, first = causes(error)
    if isinstance(first, JSONDecodeError) and first.doc:
        return f"it begins with {mentioned(first.doc[:_EXCERPT])}"
    return str(first) if first is not error and is_named(error, _CONNECTION) else ""


def _sentence(error: BaseException) -> str:
    return _message(error) or str(error)


def _header_fault(error: BaseException) -> str:
    """Say what a header holds that none may hold; "" where that is not the fault. The header is not repeated."""
    *_, first = causes(error)
    if isinstance(first, UnicodeEncodeError) and first.encoding in ("ascii", "latin-1"):  # bodies are UTF-8
        return f"U+{ord(first.object[first.start]):04X}"
    said = str(first)
    if not _ILLEGAL_HEADER.search(said):
        return ""
    return "a line break" if "\\n" in said or "\\r" in said else "a space at its end, or a control character"


def kind_of(error: BaseException) -> str:
    """Return what a fault is counted as: its status, or the name of its class."""
    return str(status_of(error) or type(error).__name__)


def _said(error: BaseException) -> str:
    """Return everything in words that a fault carries, to be searched."""
    parts = []
    for cause in causes(error):
        about = error_object(cause)
        parts += [
            str(cause),
            getattr(cause, "code", ""),
            sentence_of(raw_body(cause)),
            *map(about.get, ("code", "type")),
        ]
    return " ".join(map(str, parts))
