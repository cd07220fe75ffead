"""JSON that a person or another tool wrote: parsed, or refused in one line.

In comes text; out comes its value. What `json` lets through or fails over in ways of its own (nesting, long
numbers, half characters) is named here, so that every reader of a file refuses it alike.
"""

import json
import re
import sys
from typing import Any

# A pair of surrogate escapes is one character, which json joins; what is left over is half of one.
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


def parse_json(text: str, *, line: int = 1) -> Any:
    """Return the value that a JSON text stands for.

    Args:
        text: One whole JSON value.
        line: The line of its file that it starts on.

    Raises:
        ValueError: It is not JSON, is nested too deeply or holds a number of too many digits; one line that says
            which, with the place where json knows it.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {line + error.lineno - 1}, column {error.colno}"
        raise ValueError(f"not JSON at {place}: {error.msg}") from error
    except RecursionError:
        raise ValueError("not usable JSON: it is nested too deeply") from None
    except ValueError as error:  # what is left is Python's own limit
        limit = sys.get_int_max_str_digits()
        raise ValueError(f"not usable JSON: it holds a number of more than {limit} digits") from error


def character_fault(text: str) -> str | None:
    r"""Say which half of a character (a lone surrogate, such as "\ud800") a text holds; None where it holds none.

    Such a text can be neither hashed, written nor sent, for UTF-8 has no bytes for it.
    """
    found = _LONE_SURROGATE.search(text)
    return f"holds {found[0]!a}, half of a surrogate pair and no character" if found else None


def whole_characters(text: str) -> str:
    """Return a text with U+FFFD in the place of each half of a character, so that it can be written.

    What a server answers as JSON may hold some; a reply is not lost for it.
    """
    return _LONE_SURROGATE.sub("\ufffd", text)


def whole_strings(value: Any) -> Any:
    """Return a JSON value with `whole_characters` of every string and every name in it."""
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, dict):
        return {whole_strings(name): whole_strings(held) for name, held in value.items()}
    return [whole_strings(held) for held in value] if isinstance(value, list | tuple) else value
