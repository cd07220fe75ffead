"""Writes a model as JSON that can be read back: without secrets, and without what no file can hold.

A model in; out come the text that is written, and the model as whoever reads that text will have it.
"""

import json
from collections.abc import Callable

from data.common.parsing import whole_strings
from data.common.text import whole_characters
from data.types import Model


def readable_json(model: Model, redact: Callable[[str], str], *, indent: int | None = None) -> tuple[Model, str]:
    """Return what is read back of a model, and the text that it is written as.

    Args:
        model: Whose fields may hold anything: half a character, an object of no JSON, a value that is part of itself.
        redact: Strikes secrets out, as `data.common.secrets.make_redactor` makes it.
        indent: Spaces for each level; None: all on one line.

    Raises:
        ValueError: Its fields hold what its class does not allow, and so could not be read back.
    """
    kind = type(model)
    try:
        text = redact(model.model_dump_json(indent=indent, warnings="error"))
        return kind.model_validate_json(text, strict=True), text
    except (ValueError, TypeError, RecursionError):
        # Text by text: struck out of the whole, a secret that is an ordinary word takes the name of a field with it.
        content = whole_strings(model, clean=lambda part: redact(whole_characters(part)))
    text = json.dumps(content, ensure_ascii=False, indent=indent, separators=None if indent else (",", ":"))
    return kind.model_validate_json(text, strict=True), text
