"""The choices of a question that stand in one cell: a list, an object, or a text that is meant as one.

A cell in; out come its choices, with the names that an answer may call them by where it has some.
"""

import ast
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from data.common.parsing import parse_json
from data.common.text import normalised

_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_ARRAY = re.compile(r"array\((?=\[)|(?<=\])\s*,\s*dtype=\w+\)")  # what NumPy writes around a list
_BETWEEN = re.compile(r"[\s,\[\]]*")
_SEPARATORS = ("\n", "|", ";")
_DECIMALS = re.compile(r"(?<=\d)\.0+$")  # of a whole number, as pandas writes it beside empty cells


class ChoiceList(NamedTuple):
    """The choices of one cell.

    Attributes:
        texts: As they are written.
        names: What an answer may call them, in their order; empty where they have no names.
    """

    texts: list[Any]
    names: list[str]


def choice_list(cell: Any) -> ChoiceList | None:
    """Return the choices that a cell holds; None where it holds none.

    A cell may hold a list of texts or of objects with a text and a label, an object of texts and labels, or one of
    texts by their names, each also as a text of JSON, Python or NumPy; or texts that line breaks, bars or semicolons
    part.
    """
    value = _value(cell.strip()) if isinstance(cell, str) else cell
    if isinstance(value, dict):
        if isinstance(value.get("text"), list):
            return ChoiceList(value["text"], list(map(str, value.get("label") or ())))
        return ChoiceList(list(value.values()), list(map(str, value))) if value else None
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(choice, dict) for choice in value):
        names = [str(choice["label"]) for choice in value if "label" in choice]
        return ChoiceList([choice.get("text") for choice in value], names)
    return ChoiceList(value, [])


def choices_of(row: Mapping[str, Any], columns: Sequence[str]) -> ChoiceList:
    """Return the choices of a row, from one cell or from one each; none where its one cell of them holds none."""
    if len(columns) > 1:
        return ChoiceList([row.get(column) for column in columns], [])
    return choice_list(row.get(columns[0])) or ChoiceList([], [])


def said_of(cell: object) -> str:
    """Return a cell as it is read: as text, a whole number without its decimals."""
    text = normalised(str(cell)).strip() if cell is not None else ""
    return _DECIMALS.sub("", text)


def number_of(cell: object) -> int | None:
    """Return the number that an answer is; None where it is none. A circled one is a number, too."""
    said = said_of(cell).strip("().")
    if len(said) == 1 and not said.isascii():
        return unicodedata.digit(said, None)
    return int(said) if said.isdecimal() else None


def may_answer(cell: object, choices: ChoiceList) -> bool:
    """Say whether a cell may be meant to name a choice: by a letter, its number, its name or its text."""
    said, number = said_of(cell), number_of(cell)
    is_letter = re.fullmatch(r"\(?[A-J][).]?", said.upper()) is not None
    is_number = number is not None and 0 <= number <= len(choices.texts)
    return is_letter or is_number or said in choices.names or said in map(said_of, choices.texts)


def _value(text: str) -> Any:
    """Return what a text stands for: a list or an object; None for any other text."""
    if text.startswith(("[", "{")):
        try:
            return parse_json(text)
        except ValueError:
            return _list_of_quoted(text) if text.startswith("[") else _object(text)
    for separator in _SEPARATORS:
        parts = [part.strip() for part in text.split(separator) if part.strip()]
        if len(parts) > 1:
            return parts
    return None


def _list_of_quoted(text: str) -> list[str] | None:
    """Return the texts of a list as Python or NumPy writes it, which sets no commas between them."""
    if not _BETWEEN.fullmatch(_QUOTED.sub("", text)):
        return None
    return [_unquoted(found) for found in _QUOTED.findall(text)]


def _unquoted(quoted: str) -> str:
    try:
        return str(ast.literal_eval(quoted))
    except (ValueError, SyntaxError):  # a line break or an escape that Python does not write
        return quoted[1:-1]


def _object(text: str) -> Any:
    try:
        return ast.literal_eval(_ARRAY.sub("", text))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
