"""Which columns of a table hold what: texts and a label, or a question with its choices and their answer.

In comes a table with what its user said of it; out go the columns' roles, with a note on each that was guessed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, NamedTuple

from data.common.errors import ConfigurationError, unknown_name
from data.common.text import normalised
from data.table import Table

Kind = Literal["classification", "multiple-choice"]

# Names that tables give their columns, the likeliest first; case, spaces, "-" and "_" make no difference.
LABELS = (
    "label", "category", "class", "intent", "target", "gold", "goldlabel", "sentiment", "topic", "tag", "emotion",
    "labelname", "labeltext", "department", "type", "y", "라벨", "레이블", "분류", "카테고리", "유형", "의도", "감정",
)  # fmt: skip
TEXTS = (
    "text", "sentence", "utterance", "message", "query", "content", "review", "document", "comment", "question", "q",
    "description", "body", "title", "headline", "subject", "tweet", "input", "x", "문장", "텍스트", "본문", "내용",
    "질문", "문의", "리뷰", "제목", "발화",
)  # fmt: skip
PAIRS = (
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("texta", "textb"), ("text1", "text2"),
    ("question1", "question2"), ("subject", "body"), ("title", "body"), ("title", "text"), ("제목", "내용"),
    ("제목", "본문"),
)  # fmt: skip
QUESTIONS = ("question", "ctx", "query", "stem", "problem", "input", "문제", "질문")
CHOICES = ("choices", "options", "endings", "candidates", "선택지", "보기")
ANSWERS = ("answer", "answerkey", "answeridx", "correct", "label", "gold", "target", "정답", "답")
CONTEXTS = ("context", "passage", "paragraph", "article", "지문")
_ONE_CHOICE = re.compile(r"(?:choice|option|opt|answer|선택지|보기)?([a-j]|\d{1,2})")
_LOOKED_AT = 20_000  # rows


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
    if said.choices or said.question or (not said.text and not said.label and _choices(table)):
        return _question_roles(table, said, texts)
    return _text_roles(table, said, texts)


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
    return Roles("classification", {_field(name): column for name, column in texts.items()}, label, notes=tuple(notes))


def _label(table: Table, *, taken: set[str]) -> str | None:
    found = _by_name(table.columns, LABELS, taken)
    if found is not None:
        return found
    counts = {name: _distinct(table, name) for name in table.columns if name not in taken}
    few = {name: n for name, (n, rows) in counts.items() if 1 < n <= max(rows // 2, 2)}
    return min(few, key=lambda name: few[name], default=None)


def _texts(table: Table, label: str) -> Sequence[str]:
    plain = {_plain(name): name for name in table.columns if name != label}
    pair = next((pair for pair in PAIRS if all(name in plain for name in pair)), None)
    if pair is not None:
        return [plain[name] for name in pair]
    one = _by_name(table.columns, TEXTS, {label})
    if one is not None:
        return [one]
    lengths = {name: _length(table, name) for name in table.columns if name != label}
    longest = max(lengths, key=lambda name: lengths[name], default=None)
    return [longest] if longest is not None and lengths[longest] > 0 else []


def _question_roles(table: Table, said: Said, texts: Mapping[str, str]) -> Roles:
    choices = tuple(said.choices) or _choices(table)
    question = said.question or _by_name(table.columns, QUESTIONS, set(choices))
    label = said.answer or said.label or _by_name(table.columns, ANSWERS, {*choices, question or ""})
    missing = {"question": question, "choices": choices, "answer": label}
    if lacking := [name for name, value in missing.items() if not value]:
        raise ConfigurationError(
            f"none of the columns {', '.join(table.columns[:12])} can be the {lacking[0]}; name it with --{lacking[0]}"
        )
    context = said.context or _by_name(table.columns, CONTEXTS, {*choices, question or "", label or ""})
    given = {"question": said.question, "choices": said.choices, "answer": said.answer or said.label}
    guessed = {"question": question, "choices": ", ".join(choices), "answer": label}
    notes = [f"{name}: {guessed[name]} (--{name} names another)" for name, value in given.items() if not value]
    fields = {_field(name): column for name, column in texts.items()}
    return Roles("multiple-choice", fields, str(label), question, choices, context, tuple(notes))


def _choices(table: Table) -> tuple[str, ...]:
    """Return the columns of the choices: one that holds lists, or those named A, B, C or choice1, choice2 and so on."""
    one = _by_name(table.columns, CHOICES, set())
    if one is not None and table.rows and isinstance(table.rows[0][1].get(one), list | dict):
        return (one,)
    numbered = {match[1]: name for name in table.columns if (match := _ONE_CHOICE.fullmatch(_plain(name)))}
    for first in ("a", "1", "0"):
        run: list[str] = []
        while (key := _after(first, len(run))) in numbered:
            run.append(numbered[key])
        if len(run) >= 2:
            return tuple(run)
    return ()


def _after(first: str, steps: int) -> str:
    return chr(ord(first) + steps) if first.isalpha() else str(int(first) + steps)


def _by_name(columns: Iterable[str], names: Sequence[str], taken: set[str]) -> str | None:
    plain = {_plain(column): column for column in columns if column not in taken}
    return next((plain[name] for name in names if name in plain), None)


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", normalised(name)).casefold()


def _field(name: str) -> str:
    """Return a column's name as that of an item's text: without what a prompt's variable cannot hold."""
    name = re.sub(r"[.\[\]{}!:\s]+", "_", normalised(name).strip()).strip("_") or "text"
    return f"{name}_text" if name in ("id", "group", "choices") else name


def _distinct(table: Table, column: str) -> tuple[int, int]:
    """Return how many values a column has, and how many rows were looked at; none of lists and long texts."""
    values = [row.get(column) for _, row in islice(table.rows, _LOOKED_AT)]
    if any(isinstance(value, list | dict) or len(str(value)) > 200 for value in values):
        return 0, len(values)
    return len({str(value).strip() for value in values}), len(values)


def _length(table: Table, column: str) -> float:
    """Return the mean length of a column's texts in characters; 0 where they are numbers or none."""
    values: list[Any] = [row.get(column) for _, row in islice(table.rows, _LOOKED_AT)]
    texts = [value for value in values if isinstance(value, str) and not value.strip().lstrip("+-").isdigit()]
    return sum(map(len, texts)) / len(values) if values and len(texts) > len(values) / 2 else 0.0
