"""Every fault of an exam file, listed at once, so that a person mends the file in one go.

In comes a JSON file in the format of NomaDamas/KICE_slayer_AI_Korean; out come its faults, each with
the place it is at. `data.kice` reads an exam through `read_exam`, so a file that loads has passed here.
"""

import math
import reprlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.files import read_text
from data.common.parsing import JsonObject, normalise_strings, parse_json
from data.common.text import character_fault
from data.formats import (
    DAMAGED,
    EXAM_PARAGRAPHS,
    binary_kind,
    described,
    described_json,
    folder_contents,
    folder_kind,
    object_kind,
)
from data.standalone import Paragraph, standing_alone

EXPECTED = "an exam is JSON, a list of paragraphs with their problems"
CHOICES_PER_PROBLEM = 5
POINTS_PER_EXAM = 100
MOST_POINTS_PER_PROBLEM = 1000  # other exams have other sums, but a longer number is a slip of the keyboard
SECTION_TYPES = (0, 1, 2, 3)
REQUIRED_OF_PARAGRAPH = ("id", "paragraph", "problems")
REQUIRED_OF_PROBLEM = ("question", "choices", "answer", "score")
KEYS_OF_PARAGRAPH = {*REQUIRED_OF_PARAGRAPH, "type"}
KEYS_OF_PROBLEM = {*REQUIRED_OF_PROBLEM, "question_plus", "no_paragraph", "type"}


class Fault(NamedTuple):
    """One thing that is wrong with an exam file.

    Attributes:
        place: Where: the file, a paragraph or a question, counted from 1.
        what: What is wrong there, and what was expected.
        blocks: Whether items cannot be made of it; False for what is odd but can be asked.
    """

    place: str
    what: str
    blocks: bool = True

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


def faults(path: Path) -> list[str]:
    """List every fault of an exam file, in the order of the file; an empty list means none.

    Raises:
        MissingResourceError: There is no such file, or it is a folder.
    """
    return [str(fault) for fault in listed_faults(path)]


def listed_faults(path: Path) -> list[Fault]:
    """List every fault as `faults` does, each with whether it blocks."""
    exam, found = _parse(path)
    return found or exam_faults(exam)


def read_exam(path: Path) -> list[Paragraph]:
    """Return the paragraphs of an exam file that items can be made of.

    Raises:
        ConfigurationError: The file has faults that block; names the first and counts the others.
        MissingResourceError: There is no such file, or it is a folder.
    """
    exam, found = _parse(path)
    blocking = [fault for fault in (found or exam_faults(exam)) if fault.blocks]
    if blocking:
        more = f" (and {len(blocking) - 1} more)" if len(blocking) > 1 else ""
        raise ConfigurationError(f"{path}: {blocking[0]}{more}; for all of them: python -m data check {path}")
    paragraphs: list[Paragraph] = exam
    return paragraphs


def exam_faults(exam: object) -> list[Fault]:
    """List the faults of a parsed exam, those of its parts first, those of the whole last."""
    if not isinstance(exam, list):
        return [Fault("exam", f"is {_kind(exam)}, expected a list of paragraphs; it is {described_json(exam)}")]
    if exam and object_kind(exam[0]) not in (None, EXAM_PARAGRAPHS):
        return [Fault("exam", f"is {described_json(exam)}, expected a list of paragraphs")]
    if not exam:
        return [Fault("exam", "has no paragraphs")]
    found: list[Fault] = []
    number = 0  # questions are numbered over the whole exam, as on the paper
    for position, paragraph in enumerate(exam, start=1):
        place = f"paragraph {position}"
        if not isinstance(paragraph, dict):
            found.append(Fault(place, f"is {_kind(paragraph)}, expected an object"))
            continue
        place += f" ({_shown(paragraph['id'])})" if "id" in paragraph else ""
        found += _paragraph_faults(paragraph, place)
        problems = paragraph.get("problems")
        for problem in problems if isinstance(problems, list) else []:
            number += 1
            found += _problem_faults(problem, f"{place}, question {number}")
    if not any(fault.blocks for fault in found):
        found += _passage_faults(exam)
    return found + _duplicate_ids(exam) + _point_faults(exam)


def _parse(path: Path) -> tuple[Any, list[Fault]]:
    text = ""
    try:
        text = read_text(path)
        exam = parse_json(text)
        normalise_strings(exam)  # before anything is told from them: tags, equal choices
        return exam, []
    except UnicodeDecodeError as error:
        kind = binary_kind(error.object)
        return None, [Fault("exam", _another(kind) if kind else f"not UTF-8 text at byte {error.start}")]
    except ValueError as error:
        kind = described(path)
        is_json = text.lstrip().startswith("[") or kind == DAMAGED
        return None, [Fault("exam", str(error) if is_json else _another(kind))]
    except FileNotFoundError:
        raise MissingResourceError(f"there is no exam file {path}") from None
    except IsADirectoryError:
        kind = folder_kind(path)
        exams = [file.name for file in path.glob("*.json")] if kind is None else []
        remedy = "name one exam file in it" if exams else f"no exam is in it; {EXPECTED}"
        said = f"{kind}; {EXPECTED}" if kind else f"a folder that holds {folder_contents(path)}; {remedy}"
        raise MissingResourceError(f"{path} is {said}") from None
    except OSError as error:
        raise MissingResourceError(f"cannot read the exam file {path}: {error.strerror}") from error


def _another(kind: str) -> str:
    return f"the file is {kind}; {EXPECTED}"


def _passage_faults(exam: Sequence[Paragraph]) -> list[Fault]:
    """List the questions of a readable exam that stand alone under a passage, and are not marked so."""
    numbers = set(standing_alone(exam))
    filed = (
        f"paragraph {position} ({_shown(paragraph['id'])})"
        for position, paragraph in enumerate(exam, start=1)
        for _ in paragraph["problems"]
    )
    what = (
        'is not about this passage, by its words, and is asked without it; mark it "no_paragraph": 1, or 0 to have it'
    )
    return [
        Fault(f"{place}, question {number}", what, blocks=False)
        for number, place in enumerate(filed, start=1)
        if number in numbers
    ]


def _paragraph_faults(paragraph: JsonObject, place: str) -> Iterator[Fault]:
    yield from _key_faults(paragraph, place, required=REQUIRED_OF_PARAGRAPH, known=KEYS_OF_PARAGRAPH)
    if "id" in paragraph and not _is_text(paragraph["id"]):
        yield Fault(place, "id is empty or not text")
    problems = paragraph.get("problems", [{}])
    if not isinstance(problems, list) or not problems:
        yield Fault(place, "problems is not a list with at least one problem")
        return
    text = paragraph.get("paragraph", "")
    is_needed = any(isinstance(problem, dict) and not problem.get("no_paragraph") for problem in problems)
    if not isinstance(text, str):
        yield Fault(place, f"paragraph is {_kind(text)}, expected text")
    elif "paragraph" in paragraph and not text.strip() and is_needed:
        yield Fault(place, 'paragraph is empty; a problem without a passage is marked "no_paragraph": 1')
    yield from _type_faults(paragraph, place)
    yield from _character_faults(paragraph, place)


def _problem_faults(problem: object, place: str) -> Iterator[Fault]:
    if not isinstance(problem, dict):
        yield Fault(place, f"is {_kind(problem)}, expected an object")
        return
    yield from _key_faults(problem, place, required=REQUIRED_OF_PROBLEM, known=KEYS_OF_PROBLEM)
    if "question" in problem and not _is_text(problem["question"]):
        yield Fault(place, "question is empty or not text")
    if "choices" in problem:
        yield from _choice_faults(problem["choices"], place)
    answer = problem.get("answer", 1)
    if not _is_number(answer) or answer not in range(1, CHOICES_PER_PROBLEM + 1):
        yield Fault(place, f"answer is {reprlib.repr(answer)}, expected a number from 1 to {CHOICES_PER_PROBLEM}")
    score = problem.get("score", 1)
    if not _is_points(score):
        most = MOST_POINTS_PER_PROBLEM
        yield Fault(place, f"score is {reprlib.repr(score)}, expected a positive number of points, at most {most}")
    yield from _extra_faults(problem, place)
    if problem.get("no_paragraph", 0) not in (0, 1):
        yield Fault(place, f"no_paragraph is {reprlib.repr(problem['no_paragraph'])}, expected 0 or 1")
    yield from _type_faults(problem, place)
    yield from _character_faults(problem, place)


def _choice_faults(choices: object, place: str) -> Iterator[Fault]:
    if not isinstance(choices, list):
        yield Fault(place, f"choices is {_kind(choices)}, expected a list of {CHOICES_PER_PROBLEM} texts")
        return
    if len(choices) != CHOICES_PER_PROBLEM:
        yield Fault(place, f"has {len(choices)} choices, expected {CHOICES_PER_PROBLEM}")
    first_seen: dict[str, int] = {}
    for position, choice in enumerate(choices, start=1):
        if not _is_text(choice):
            yield Fault(place, f"choice {position} is empty or not text")
        elif first_seen.setdefault(choice.strip(), position) != position:
            yield Fault(place, f"choices {first_seen[choice.strip()]} and {position} are the same")


def _extra_faults(problem: JsonObject, place: str) -> Iterator[Fault]:
    extra = problem.get("question_plus")
    if extra is None:
        return
    parts = extra if isinstance(extra, list) else [extra]
    if not all(isinstance(part, str) for part in parts):
        yield Fault(place, "question_plus is neither text nor a list of texts")
    elif not parts or not all(part.strip() for part in parts):
        yield Fault(place, "question_plus is empty", blocks=False)


def _type_faults(record: JsonObject, place: str) -> Iterator[Fault]:
    kind = record.get("type", 0)
    if not _is_number(kind) or kind not in SECTION_TYPES:
        yield Fault(place, f"type is {reprlib.repr(kind)}, expected one of {', '.join(map(str, SECTION_TYPES))}")


def _character_faults(record: JsonObject, place: str) -> Iterator[Fault]:
    for key, value in record.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and (fault := character_fault(text)):
                yield Fault(place, f"{_shown(key)} {fault}")


def _key_faults(record: JsonObject, place: str, *, required: tuple[str, ...], known: set[str]) -> Iterator[Fault]:
    missing = [key for key in required if key not in record]
    if missing:
        yield Fault(place, f"lacks {', '.join(missing)}")
    unknown = sorted(set(record) - known)
    if unknown:
        named = ", ".join(map(_shown, unknown))
        yield Fault(place, f"has unknown keys {named}; known: {', '.join(sorted(known))}", blocks=False)


def _duplicate_ids(exam: list[Any]) -> list[Fault]:
    found = []
    first_seen: dict[str, int] = {}
    for position, paragraph in enumerate(exam, start=1):
        name = paragraph.get("id") if isinstance(paragraph, dict) else None
        if isinstance(name, str) and first_seen.setdefault(name, position) != position:
            place = f"paragraph {position} ({_shown(name)})"
            found.append(Fault(place, f"has the id of paragraph {first_seen[name]}", blocks=False))
    return found


def _point_faults(exam: list[Any]) -> list[Fault]:
    """Compare the sum of points with 100, unless some points are faulty and the sum would mean nothing."""
    lists = [paragraph.get("problems") for paragraph in exam if isinstance(paragraph, dict)]
    problems = [problem for listed in lists if isinstance(listed, list) for problem in listed]
    points = [problem.get("score") if isinstance(problem, dict) else None for problem in problems]
    if not points or not all(_is_points(score) for score in points):
        return []
    total = math.fsum(score for score in points if score is not None)
    if math.isclose(total, POINTS_PER_EXAM):
        return []
    return [Fault("exam", f"the points sum to {total:g}, expected {POINTS_PER_EXAM}", blocks=False)]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_points(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MOST_POINTS_PER_PROBLEM


def _shown(name: object) -> str:
    """Show an id or a key as it is written, but never more than one short, printable line."""
    return name if isinstance(name, str) and name.isprintable() else reprlib.repr(name)


def _kind(value: object) -> str:
    """Name a JSON value's kind as a person who writes JSON would."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
