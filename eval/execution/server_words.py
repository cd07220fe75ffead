"""The sentence in which a server says what is wrong, out of an error's body, wherever the server puts it.

A body in (an object, a list, a text, JSON written into a text), one line's text out; "" where nobody says anything.
"""

import json
import re
from collections.abc import Iterator

# What servers call the sentence; the parts of such a name are apart by "_" or a capital letter.
_SAYS = re.compile(
    r"(^|_)(message|msg|detail|details|description|reason|fault|faultstring|error|errors|title|raw)$", re.I
)
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_DEEPEST = 10
_MOST = 3  # sentences that are passed on: a gateway's own, then the one it was given


def sentence_of(body: object) -> str:
    """Return what a body says: the texts under names such as "message", else its longest text."""
    named = list(dict.fromkeys(text for name, text in _texts(body, "", _DEEPEST) if _SAYS.search(name)))
    if named:
        said = [text for text in named if not any(text != other and text in other for other in named)]
        sentences = [text for text in said if " " in text] or said
        return ": ".join(sentences[:_MOST])
    return max((text for _, text in _texts(body, "", _DEEPEST)), key=len, default="")


def _texts(body: object, name: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield (its name, text) for each text of a body; one in a list has the list's name."""
    if isinstance(body, str) and depth == _DEEPEST:
        name = "message"
    if isinstance(body, str) and body.strip():
        held = _json(body)
        if held is None:
            yield _CAPITAL.sub("_", name), body.strip()
        else:
            yield from _texts(held, name, depth - 1)
    elif isinstance(body, dict) and depth:
        place = body.get("loc")  # of FastAPI's: which field of the request is at fault
        before = ".".join(map(str, place)) + ": " if isinstance(place, list) else ""
        for key, held in body.items():
            for inner, text in _texts(held, str(key), depth - 1):
                yield inner, (before + text if key == "msg" else text)
    elif isinstance(body, list) and depth:
        for held in body:
            yield from _texts(held, name, depth - 1)


def _json(text: str) -> object:
    """Return the object or list that a text is written as; None for any other text."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
