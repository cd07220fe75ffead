"""One row of a multiple-choice table as an item, however its choices and its answer are written.

The layouts of MMLU and KMMLU (a column for each choice), CLIcK and HellaSwag (a list), and ARC (an object of texts and
labels) need no setting of their own.
"""

import reprlib
from collections.abc import Iterable
from typing import Any

from data.columns import Roles
from data.common.errors import ConfigurationError
from data.common.text import normalised
from data.splits import cluster_of, fold
from data.types import Item


def question_item(row: dict[str, Any], roles: Roles, *, item_id: str, where: str, answers_from: int | None) -> Item:
    """Return a row as an item.

    Args:
        row: The cells by column.
        roles: What the columns are.
        item_id: The item's id.
        where: What a message about the row begins with.
        answers_from: Whether an answer that is a number counts from 0 or from 1; None: as it can only be meant.

    Raises:
        ConfigurationError: A text, the choices or the answer cannot be used.
    """
    question = row.get(str(roles.question))
    choices, names = _choices(row, roles, where)
    inputs = {"question": cell_text(question, where=where, column="question")}
    for field, column in roles.texts.items():
        inputs[field] = cell_text(row.get(column), where=where, column=column)
    if roles.context is not None and row.get(roles.context):
        inputs["passage"] = cell_text(row[roles.context], where=where, column=roles.context)
    target = _target(row.get(roles.label), choices, names, where, answers_from)
    shared = inputs.get("passage") or inputs["question"]
    group = f"{item_id.split('/')[0]}/{cluster_of(fold(shared))}"
    return Item(id=item_id, inputs=inputs, choices=tuple(choices), target=target, group=group)


def answers_count_from(answers: Iterable[Any], *, n_choices: int) -> int | None:
    """Return what a column of answers that are numbers counts from, where they can only be meant in one way.

    Args:
        answers: The cells of the column.
        n_choices: How many choices every row has; 0 where they differ.

    Returns:
        0 or 1; None where the cells are no numbers, or may be meant in both ways.
    """
    said = [normalised(str(answer)).strip() for answer in answers]
    if not said or not all(answer.isdecimal() for answer in said):
        return None
    numbers = set(map(int, said))
    if 0 in numbers:
        return 0
    return 1 if n_choices and n_choices in numbers else None


def _choices(row: dict[str, Any], roles: Roles, where: str) -> tuple[list[str], list[str]]:
    """Return the texts of the choices, and the names that the answer may call them by where the row has its own."""
    found: Any = [row.get(column) for column in roles.choices]
    names: list[str] = []
    if len(found) == 1:
        found = found[0]
        if isinstance(found, dict) and isinstance(found.get("text"), list):
            names, found = list(map(str, found.get("label") or ())), found["text"]
        elif isinstance(found, list) and found and all(isinstance(choice, dict) for choice in found):
            names = [str(choice["label"]) for choice in found if "label" in choice]
            found = [choice.get("text") for choice in found]
    if not isinstance(found, list):
        raise ConfigurationError(f"{where}: choices are {reprlib.repr(found)}, expected a list")
    texts = [normalised(str(choice)).strip() for choice in found if choice is not None and str(choice).strip()]
    if len(texts) < 2 or len(set(texts)) < len(texts):
        raise ConfigurationError(f"{where}: two or more different choices are needed, found {reprlib.repr(found)}")
    return texts, names if len(names) == len(texts) else []


def _target(answer: Any, choices: list[str], names: list[str], where: str, answers_from: int | None) -> int:
    """Return the 0-based index of the right choice, which a name, a text, a letter or a number may say."""
    said = normalised(str(answer)).strip() if answer is not None else ""
    if said in names:
        return names.index(said)
    texts = [fold(choice) for choice in choices]
    if texts.count(fold(said)) == 1 and not said.isdecimal():
        return texts.index(fold(said))
    letter = said.upper().strip("().")
    if len(letter) == 1 and "A" <= letter < chr(ord("A") + len(choices)):
        return ord(letter) - ord("A")
    if said.isdecimal() or isinstance(answer, int):
        number = int(said)
        if answers_from is None:
            raise ConfigurationError(f"{where}: answer {number} may count from 0 or from 1; say --answers-from 0 or 1")
        if 0 <= number - answers_from < len(choices):
            return number - answers_from
    raise ConfigurationError(
        f"{where}: answer {reprlib.repr(answer)} is none of its {len(choices)} choices; allowed: a letter, a number or "
        "the choice's text"
    )


def cell_text(value: object, *, where: str, column: str) -> str:
    """Return a cell as a text.

    Raises:
        ConfigurationError: It is empty or holds no text.
    """
    text = normalised(value).strip() if isinstance(value, str) else ""
    if not text:
        raise ConfigurationError(f"{where}: {column} is {reprlib.repr(value)}, expected a text; mend it or take it out")
    return text
