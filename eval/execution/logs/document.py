"""An item out of named values: a log's document, the variables of a prompt, or an example's inputs.

What is the question, its context and its choices is found by the rules for labelled files of one's own, `data.columns`.
"""

import ast
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from data.columns import Roles, Said, roles_of
from data.common.errors import ConfigurationError
from data.common.parsing import parse_json
from data.common.text import normalised
from data.question_rows import row_choices
from data.splits import fold
from data.table_types import Table

_ANSWER = "answer\0"  # no column that anybody names


class Document(NamedTuple):
    """The item that some values make.

    Attributes:
        texts: What it shows, by name.
        choices: Its own choices; empty where it has none.
        names: What its answer may call them; empty where nothing says so.
    """

    texts: dict[str, str]
    choices: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def read_document(
    fields: Mapping[str, Any], *, answer: str = "", shown: str = "", hidden: Collection[str] = ()
) -> Document:
    """Return the item that some values make, apart from what is right.

    Args:
        fields: Texts, lists and objects by name; what holds the right answer is left out by the caller.
        answer: What is right; "" where that is not known. It is no part of the question.
        shown: What the model was shown; "" where that is not known. Of values without choices, the texts count that
            are in it.
        hidden: Other texts that are no part of the question, such as choices.
    """
    table = Table("", (*fields, _ANSWER), [("", {**fields, _ANSWER: answer or "A"})], [], [])
    roles = _roles(table, Said(answer=_ANSWER))
    if roles is not None and roles.kind == "multiple-choice":
        columns = {"question": str(roles.question), **({"passage": roles.context} if roles.context else {})}
        try:
            choices, names = row_choices(dict(fields), roles, "")
            return Document(_texts(fields, columns), tuple(choices), tuple(names))
        except ConfigurationError:
            return Document(_texts(fields, columns))
    texts = _shown_texts(fields, shown, {answer, *hidden})
    if not texts and (roles := _roles(table, Said(label=_ANSWER))) is not None:
        texts = _texts(fields, roles.texts)
    return Document(texts)


def _roles(table: Table, said: Said) -> Roles | None:
    try:
        return roles_of(table, said)
    except ConfigurationError:
        return None


def _texts(fields: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, str]:
    found = {name: fields.get(column) for name, column in columns.items()}
    return {name: text.strip() for name, text in found.items() if isinstance(text, str) and text.strip()}


def _shown_texts(fields: Mapping[str, Any], shown: str, hidden: Collection[str]) -> dict[str, str]:
    """Return the texts among some values that a prompt shows; of two of which one holds the other, the longer."""
    prompt = fold(normalised(shown))
    left_out = {fold(normalised(text)) for text in hidden}
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    folded = {name: own for name, text in texts.items() if (own := fold(normalised(text))) and own not in left_out}
    kept = {name: own for name, own in folded.items() if own in prompt}
    longest = {
        name
        for name, own in kept.items()
        if not any(own in other and (len(own), name) < (len(other), there) for there, other in kept.items())
    }
    return {name: texts[name].strip() for name in kept if name in longest}


def parsed_cell(value: str) -> object:
    """Return the list or object that a cell of a table holds as JSON or as Python writes it; else the cell itself."""
    text = value.strip()
    if text[:1] not in ("[", "{"):
        return value
    for parse in (parse_json, ast.literal_eval):
        try:
            parsed: object = parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        return parsed
    return value
