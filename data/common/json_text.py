"""JSON that a person or another tool wrote: parsed, or refused in one line.

In comes text; out comes its value. What `json` lets through or fails over in ways of its own (names given twice,
nesting, long numbers, half characters) is named here, so that every reader of a file refuses it alike.
"""

import json
import math
import re
import reprlib
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pydantic import BaseModel

from data.common.text import normalised

# What tells where the names of an object are: strings, and what opens, closes and parts.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:]', re.DOTALL)
# A pair of surrogate escapes is one character, which json joins; what is left over is half of one.
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_DEEPEST = 100  # levels; Pydantic reads no more than 200
_LARGEST = 10**300  # of whole numbers: not every reader takes more digits, and no float is much larger
_TOP: frozenset[int] = frozenset()


class RepeatedNameError(ValueError):
    """An object gives a name twice; the message is one line that says which, and where."""


def parse_json(text: str, *, line: int = 1) -> Any:
    """Return the value that a JSON text stands for.

    Args:
        text: One whole JSON value.
        line: The line of its file that it starts on.

    Raises:
        RepeatedNameError: An object gives a name twice, of which json would silently take the last.
        ValueError: It is not JSON, is nested too deeply or holds a number of too many digits; one line that says
            which, with the place where json knows it.
    """
    try:
        return _DECODER.decode(text)
    except RepeatedNameError:
        raise RepeatedNameError(_repeated_name(text, line)) from None
    except json.JSONDecodeError as error:
        place = f"line {line + error.lineno - 1}, column {error.colno}"
        raise ValueError(f"not JSON at {place}: {error.msg}") from error
    except RecursionError:
        raise ValueError("not usable JSON: it is nested too deeply") from None
    except ValueError as error:  # what is left is Python's own limit
        limit = sys.get_int_max_str_digits()
        raise ValueError(f"not usable JSON: it holds a number of more than {limit} digits") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RepeatedNameError
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _repeated_name(text: str, line: int) -> str:
    """Say which name is the first that an object gives twice; `text` is JSON as far as that."""
    objects: list[dict[str, int]] = []  # those that are open, of a list an empty one: name → where it is
    string = _TOKEN.match("")
    for token in _TOKEN.finditer(text):
        if token[0] in ("{", "["):
            objects.append({})
        elif token[0] in ("}", "]"):
            objects.pop()
        elif token[0] != ":":
            string = token
        elif string is not None:
            name = json.loads(string[0])
            first = objects[-1].setdefault(name, string.start())
            if first != string.start():
                before, here = (line + text.count("\n", 0, place) for place in (first, string.start()))
                earlier = f", first in line {before}" if before != here else ""
                return f"not usable JSON: line {here}: {reprlib.repr(name)} is given twice{earlier}; give it once"
    raise AssertionError("no object gives a name twice")


def character_fault(text: str) -> str | None:
    r"""Say which half of a character (a lone surrogate, such as "\ud800") a text holds; None where it holds none.

    Such a text can be neither hashed, written nor sent, for UTF-8 has no bytes for it.
    """
    found = None if text.isascii() else _LONE_SURROGATE.search(text)
    return f"holds {found[0]!a}, half of a surrogate pair and no character" if found else None


def whole_characters(text: str) -> str:
    """Return a text with U+FFFD in the place of each half of a character, so that it can be written.

    What a server answers as JSON may hold some; a reply is not lost for it.
    """
    return _LONE_SURROGATE.sub("\ufffd", text)


def normalise_strings(value: Any) -> None:
    """Put every string within a parsed JSON list or object into the form in which text is read, in place."""
    held = [value]
    while held:  # no recursion: what is parsed may be nested deeper than Python calls
        within = held.pop()
        parts = within.items() if isinstance(within, dict) else enumerate(within) if isinstance(within, list) else ()
        for key, part in list(parts):
            if isinstance(part, str):
                within[key] = normalised(part)
            else:
                held.append(part)


def text_of(value: object) -> str:
    """Return `str` of anything, in whole characters; where its own code fails at that, what it is."""
    try:
        return whole_characters(str(value))
    except Exception:  # noqa: BLE001  # whatever the code of somebody else's class raises
        return f"<{type(value).__name__}>"


def whole_strings(value: Any, *, clean: Callable[[str], str] = whole_characters, within: frozenset[int] = _TOP) -> Any:
    """Return what a JSON file can hold of a value, and every reader of one can read.

    A model of Pydantic's becomes an object, what is no value of JSON its text, and what no number can say null.

    Args:
        value: Anything.
        clean: Applied to every string, and every name that is not a model's field.
        within: The ids of the values that it is part of: what is part of itself, or too deep, is said to be so.
    """
    inside = partial(whole_strings, clean=clean, within=within | {id(value)})
    if isinstance(value, BaseModel | Mapping | list | tuple | set | frozenset):
        if id(value) in within or len(within) >= _DEEPEST:
            return "(nested too deeply)"
        if isinstance(value, BaseModel):
            return {name: inside(held) for name, held in value}
        if isinstance(value, Mapping):
            return {clean(text_of(name)): inside(held) for name, held in value.items()}
        return [inside(held) for held in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    is_json = value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < _LARGEST)
    return value if is_json else clean(text_of(value))
