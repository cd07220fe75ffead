"""Text that somebody else wrote (data, a model, a server), made fit to stand on a terminal or a page.

In comes any text; out comes one that cannot move the cursor, set colours, reverse what is read or break an encoding.
"""

import re

_LONGEST = 300  # characters of what is only mentioned
# Control characters but for tab and line feed, halves of characters, and the marks that set the reading direction.
_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def plain(text: str, *, one_line: bool = False) -> str:
    """Drop control characters and marks that reverse the reading direction; line breaks and tabs may stay."""
    return _UNFIT.sub("", " ".join(text.split()) if one_line else text)


def mentioned(text: str) -> str:
    """Return a text as one line of bounded length, as a message may repeat it."""
    # What is cut off here could not make up for what is shortened below: a text may be many megabytes of white space.
    line = plain(text[: 10 * _LONGEST], one_line=True)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def plain_json(text: str) -> str:
    """Return a JSON text with escapes in the place of what `plain` drops: the same value, fit for a terminal.

    Args:
        text: As `json.dumps` writes it: such characters are only in its strings.
    """
    return _UNFIT.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
