"""One row of a multiple-choice table as an item, however its choices and its answer are written.

The layouts of MMLU and KMMLU (a column for each choice), CLIcK and HellaSwag (a list), and ARC (an object of texts and
labels) need no setting of their own.
"""

import reprlib
from collections.abc import Iterable
from typing import Any

from data.choice_lists import choices_of, number_of, said_of
from data.columns import Roles
from data.common.errors import ConfigurationError
from data.common.text import character_fault, normalised
from data.delimited import LONGEST_CELL
from data.splits import cluster_of, fold
from data.table_types import Row
from data.types import Item


def question_item(row: Row, roles: Roles, *, item_id: str, where: str, answers_from: int | None) -> Item:
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
    choices, names = row_choices(row, roles, where)
    inputs = {"question": cell_text(question, where=where, column="question")}
    for field, column in roles.texts.items():
        inputs[field] = cell_text(row.get(column), where=where, column=column)
    context = row.get(roles.context) if roles.context is not None else None
    if isinstance(context, str) and context.strip():
        inputs["passage"] = cell_text(context, where=where, column=str(roles.context))
    target = target_of(row.get(roles.label), choices, names, where, answers_from)
    # A question such as "Which is right?" is no context that items share.
    shared = inputs.get("passage") or "\n".join([inputs["question"], *sorted(choices)])
    group = f"{item_id.split('/')[0]}/{cluster_of(fold(shared))}"
    return Item(id=item_id, inputs=inputs, choices=tuple(choices), target=target, group=group)


def answers_count_from(rows: Iterable[Row], roles: Roles) -> int | None:
    """Return what a column of answers that are numbers counts from, where they can only be meant in one way.

    Returns:
        0 or 1; None where the cells are no numbers, are the texts of choices, or may be meant in both ways.
    """
    starts: set[int] = set()
    are_texts = True
    for row in rows:
        number = number_of(row.get(roles.label))
        if number is None:
            return None
        choices = choices_of(row, roles.choices).texts
        are_texts &= said_of(row.get(roles.label)) in {said_of(choice) for choice in choices}
        if number == 0:
            starts.add(0)
        if number == sum(not _is_blank(choice) for choice in choices):
            starts.add(1)
    return None if are_texts or len(starts) != 1 else starts.pop()


def _is_blank(choice: object) -> bool:
    return choice is None or not said_of(choice)


def row_choices(row: Row, roles: Roles, where: str) -> tuple[list[str], list[str]]:
    """Return the texts of the choices, and the names that the answer may call them by where the row has its own.

    Raises:
        ConfigurationError: There are no two different choices.
    """
    found, names = choices_of(row, roles.choices)
    if not found:
        cell = reprlib.repr(row.get(roles.choices[0]))
        raise ConfigurationError(f"{where}: choices are {cell}, expected a list, or a column for each choice")
    texts = ["" if _is_blank(choice) else normalised(str(choice)).strip() for choice in found]
    while texts and not texts[-1]:
        texts.pop()  # rows may have fewer choices than others
    if len(texts) < 2 or len(set(texts)) < len(texts) or "" in texts:
        raise ConfigurationError(f"{where}: two or more different choices are needed, found {reprlib.repr(found)}")
    if fault := next(filter(None, map(character_fault, texts)), None):
        raise ConfigurationError(f"{where}: a choice {fault}")
    return texts, names if len(names) == len(texts) else []


def target_of(answer: Any, choices: list[str], names: list[str], where: str, answers_from: int | None) -> int:
    """Return the 0-based index of the right choice, which a name, a text, a letter or a number may say.

    Raises:
        ConfigurationError: The answer is none of the choices, or a number that may count from 0 or from 1.
    """
    said, number = said_of(answer), number_of(answer)
    if said in names:
        return names.index(said)
    texts = [fold(said_of(choice)) for choice in choices]
    if texts.count(fold(said)) == 1 and (number is None or answers_from is None):
        return texts.index(fold(said))
    letter = said.upper().strip("().")
    if len(letter) == 1 and "A" <= letter < chr(ord("A") + len(choices)):
        return ord(letter) - ord("A")
    if number is not None:
        if answers_from is None:
            raise ConfigurationError(f"{where}: answer {number} may count from 0 or from 1; say --answers-from 0 or 1")
        if 0 <= number - answers_from < len(choices):
            return number - answers_from
    raise ConfigurationError(
        f"{where}: answer {reprlib.repr(answer)} is none of its {len(choices)} choices; allowed: a letter, a number or "
        "the choice's text"
    )


def cell_text(value: object, *, where: str, column: str) -> str:
    """Return a cell as a text; a number is one as it is written.

    Raises:
        ConfigurationError: It is empty, holds no text, or is far too long.
    """
    written = str(value) if isinstance(value, int | float) and value == value else value  # NaN is an empty cell
    text = normalised(written).strip() if isinstance(written, str) else ""
    if not text:
        raise ConfigurationError(f"{where}: {column} is {reprlib.repr(value)}, expected a text; mend it or take it out")
    if fault := character_fault(text):
        raise ConfigurationError(f"{where}: {column} {fault}")
    if len(text) > LONGEST_CELL:
        raise ConfigurationError(f"{where}: {column} is longer than {LONGEST_CELL:,} characters")
    return text
