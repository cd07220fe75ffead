"""Which columns of a table hold what: texts and a label, or a question with its choices and their answer.

In comes a table with what its user said of it; out go the columns' roles, with a note on each that was guessed.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Literal, NamedTuple

from data.choice_lists import choice_list, choices_of, may_answer
from data.column_names import (
    ANSWERS,
    CHOICES,
    CONTEXTS,
    LABELS,
    ONE_CHOICE,
    PAIRS,
    QUESTIONS,
    TEXTS,
    by_name,
    plain_name,
)
from data.common.errors import ConfigurationError, unknown_name
from data.common.text import normalised
from data.table_types import Table, is_number

Kind = Literal["classification", "multiple-choice"]

_LOOKED_AT = 20_000  # rows
_FIRST = 200  # rows


class Roles(NamedTuple):
    """What the columns of a table are.

    Attributes:
        texts: The name that each text has in an item, and its column; of a question, only other texts beside it.
        label: The column of the label; of a question, of its answer.
        question: The column of the question; None in classification.
        choices: The columns of the choices: one that holds lists, or one for each choice.
        context: The column of what is read before the question.
        notes: What was guessed, a sentence each.
    """

    kind: Kind
    texts: Mapping[str, str]
    label: str
    question: str | None = None
    choices: tuple[str, ...] = ()
    context: str | None = None
    notes: tuple[str, ...] = ()


class Said(NamedTuple):
    """What the user said of the columns; what is None or empty is guessed."""

    text: Sequence[str] | Mapping[str, str] = ()
    label: str | None = None
    question: str | None = None
    choices: Sequence[str] = ()
    answer: str | None = None
    context: str | None = None


def roles_of(table: Table, said: Said = Said()) -> Roles:  # noqa: B008  # immutable
    """Return what the columns of a table are.

    Raises:
        ConfigurationError: A column that the user named is not there, or none can be the text, the label, the question
            or the choices.
    """
    texts = said.text if isinstance(said.text, Mapping) else {name: name for name in said.text}
    named = [*texts.values(), *said.choices, *filter(None, (said.label, said.question, said.answer, said.context))]
    for name in named:
        if name not in table.columns:
            raise unknown_name("column", name, table.columns)
    if said.choices or said.question or (not said.text and not said.label and _is_multiple_choice(table)):
        return _question_roles(table, said, texts)
    return _text_roles(table, said, texts)


def _is_multiple_choice(table: Table) -> bool:
    """Say whether a table has choices, and beside them a question and an answer."""
    choices = _choices(table)
    question, answer, _ = _question(table, Said(choices=choices)) if choices else (None, None, None)
    if question is None or answer is None:
        return False
    rows = [row for _, row in table.rows[:_FIRST]]
    fit = sum(may_answer(row.get(answer), choices_of(row, choices)) for row in rows)
    # Columns called 0, 1, 2 or a, b, c may hold features, too: numbers, beside which nothing is called a question.
    bare = all(len(plain_name(name)) <= 2 for name in choices) and plain_name(question) not in QUESTIONS
    features = bare and all(_length(table, name) == 0 for name in choices)
    return 2 * fit > len(rows) and not features


def _text_roles(table: Table, said: Said, texts: Mapping[str, str]) -> Roles:
    notes = []
    label = said.label or _label(table, taken=set(texts.values()))
    if label is None:
        raise ConfigurationError(
            f"none of the columns {', '.join(table.columns[:12])} can be the label; name it with --label"
        )
    if not texts:
        texts = {name: name for name in _texts(table, label)}
        if not texts:
            raise ConfigurationError(f"beside the label '{label}' no column holds text; name it with --text")
        notes.append(f"text: {', '.join(texts)} (--text names others)")
    if said.label is None:
        notes.append(f"label: {label} (--label names another)")
    fields = {_field(name): column for name, column in texts.items()}
    if len(fields) < len(texts):
        raise ConfigurationError(
            f"the columns {', '.join(texts)} would have one name in a prompt; name them with --text NAME=COLUMN"
        )
    return Roles("classification", fields, label, notes=tuple(notes))


def _label(table: Table, *, taken: set[str]) -> str | None:
    found = by_name(table.columns, LABELS, taken, ends=True)
    if found is not None:
        return found
    counts = {name: _distinct(table, name) for name in table.columns if name not in taken}
    few = {name: n for name, (n, rows) in counts.items() if 1 < n <= max(rows // 2, 2)}
    return min(few, key=lambda name: few[name], default=None)


def _texts(table: Table, label: str) -> Sequence[str]:
    plain = {plain_name(name): name for name in table.columns if name != label}
    pair = next((pair for pair in PAIRS if all(name in plain and _length(table, plain[name]) for name in pair)), None)
    if pair is not None:
        return [plain[name] for name in pair]
    one = by_name(table.columns, TEXTS, {label})
    if one is not None:
        return [one]
    others = [name for name in table.columns if name != label]
    if _has_no_header(table) and len(sentences := [name for name in others if _holds_sentences(table, name)]) == 2:
        return sentences  # a pair: without names, nothing else tells that both are meant
    longest = _longest(table, others)
    return [longest] if longest is not None else []


def _holds_sentences(table: Table, column: str) -> bool:
    """Say whether most cells of a column are texts of several words, and most of them differ."""
    values = [str(row.get(column)) for _, row in islice(table.rows, _LOOKED_AT)]
    several = sum(" " in value.strip() for value in values)
    return 2 * several > len(values) and 2 * len(set(values)) > len(values)


def _longest(table: Table, columns: Sequence[str]) -> str | None:
    """Return the column with the longest texts; None where none holds texts."""
    lengths = {name: _length(table, name) for name in columns}
    longest = max(lengths, key=lambda name: lengths[name], default=None)
    return longest if longest is not None and lengths[longest] > 0 else None


def _question_roles(table: Table, said: Said, texts: Mapping[str, str]) -> Roles:
    choices = tuple(said.choices) or _choices(table)
    question, label, context = _question(table, said._replace(choices=choices))
    missing = {"question": question, "choices": choices, "answer": label}
    if lacking := [name for name, value in missing.items() if not value]:
        raise ConfigurationError(
            f"none of the columns {', '.join(table.columns[:12])} can be the {lacking[0]}; name it with --{lacking[0]}"
        )
    given = {"question": said.question, "choices": said.choices, "answer": said.answer or said.label}
    guessed = {"question": question, "choices": ", ".join(choices), "answer": label}
    notes = [f"{name}: {guessed[name]} (--{name} names another)" for name, value in given.items() if not value]
    if context and not said.context:
        notes.append(f"context: {context} (--context names another)")
    fields = {_field(name): column for name, column in texts.items()}
    return Roles("multiple-choice", fields, str(label), question, choices, context, tuple(notes))


def _question(table: Table, said: Said) -> tuple[str | None, str | None, str | None]:
    """Return the columns of the question, its answer and its context, beside the choices.

    Without a column that is called a question, it is what is to be gone on with (the context), or the longest text.
    """
    choices = set(said.choices)
    question = said.question or by_name(table.columns, QUESTIONS, choices)
    answer = said.answer or said.label or _answer(table, choices | {question or ""})
    taken = choices | {question or "", answer or ""}
    context = said.context or by_name(table.columns, CONTEXTS, taken)
    if question is None and context is not None and said.context is None:
        question, context = context, None
    elif question is None:
        question = _longest(table, [name for name in table.columns if name not in taken])
    return question, answer, context


def _answer(table: Table, taken: set[str]) -> str | None:
    """Return the column of the answer; in a table without a header, the last one, if it holds letters of choices."""
    named = by_name(table.columns, ANSWERS, taken)
    if named is None and _has_no_header(table) and len(table.columns) > 3:
        return table.columns[-1]
    return named


def _choices(table: Table) -> tuple[str, ...]:
    """Return the columns of the choices: one that holds lists, or those named A, B, C or choice1, choice2 and so on."""
    one = by_name(table.columns, CHOICES, set())
    if one is not None and all(choice_list(row.get(one)) for _, row in table.rows[:5]):
        return (one,)
    numbered = {match[1]: name for name in table.columns if (match := ONE_CHOICE.fullmatch(plain_name(name)))}
    runs = []
    for first in ("a", "0", "1"):
        run: list[str] = []
        while (key := _after(first, len(run))) in numbered:
            run.append(numbered[key])
        runs.append(tuple(run))
    longest = max(runs, key=len)
    return longest if len(longest) >= 2 else _unnamed_choices(table)


def _unnamed_choices(table: Table) -> tuple[str, ...]:
    """Return the columns of the choices of a table without a header that is laid out as MMLU is published.

    The question comes first, the letter of the answer last, and between them a column for each letter.
    """
    letters = {str(row.get(table.columns[-1])).strip() for _, row in table.rows[:_LOOKED_AT]}
    between = table.columns[1:-1]
    possible = {chr(ord("A") + place) for place in range(len(between))}
    fits = _has_no_header(table) and len(between) > 2 and letters <= possible and len(letters) > 1
    return between if fits and {max(possible)} & letters else ()


def _has_no_header(table: Table) -> bool:
    return bool(table.columns) and table.columns == tuple(f"column{n}" for n in range(1, len(table.columns) + 1))


def _after(first: str, steps: int) -> str:
    return chr(ord(first) + steps) if first.isalpha() else str(int(first) + steps)


def _field(name: str) -> str:
    """Return a column's name as that of an item's text: without what a prompt's variable cannot hold."""
    name = re.sub(r"[.\[\]{}!:\s]+", "_", normalised(name).strip()).strip("_") or "text"
    return f"{name}_text" if name in ("id", "group", "choices", "documents") else name


def _distinct(table: Table, column: str) -> tuple[int, int]:
    """Return how many values a column has, and how many rows were looked at; none of lists and long texts."""
    values = [row.get(column) for _, row in islice(table.rows, _LOOKED_AT)]
    if any(isinstance(value, list | dict) or len(str(value)) > 200 for value in values):
        return 0, len(values)
    return len({str(value).strip() for value in values}), len(values)


def _length(table: Table, column: str) -> float:
    """Return the mean length of a column's texts in characters; 0 where they are numbers or none."""
    values: list[Any] = [row.get(column) for _, row in islice(table.rows, _LOOKED_AT)]
    texts = [value for value in values if isinstance(value, str) and not is_number(value)]
    return sum(map(len, texts)) / len(values) if values and len(texts) > len(values) / 2 else 0.0
