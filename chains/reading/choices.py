"""What a model's text states as its answer to a closed-set question: the ordered rules of extraction.

Text in, `Extraction(choice, status, rule)` out. The first kind of statement that says something decides; within a kind
`statements.standing` tells a revision from an aside. Pure functions over the text: no model, no I/O.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial

from chains.reading import cues, lines, statements
from chains.reading.choice_texts import Choices, choices_of
from chains.reading.extraction import Extraction, read_parts, settled
from chains.reading.labels import extract_label
from chains.reading.references import canonical
from chains.reading.statements import Statement

__all__ = ["Extraction", "extract_choice", "extract_label"]

# "17. ②", "3번 문제: ②": the question that is answered, before its answer, where it is called one or is no choice.
_QUESTION_NUMBER = re.compile(
    r"^\[?(?:문항|문제|Question|Q)? ?(?:⟦(?P<reference>\d{1,2})⟧|(?P<number>\d{1,2}))번?\]?"
    r" ?(?P<question>(?:문제|문항)(?:의|에 대한)?)?[\].):]? ?(?=⟦|정?답)"
)


def extract_choice(
    text: str,
    n_choices: int,
    *,
    choices: Sequence[str] | None = None,
    truncated: bool = False,
    negative: bool | None = None,
) -> Extraction:
    """Read the one choice that a model's text states as its answer.

    Args:
        text: The raw output, reasoning blocks included.
        n_choices: How many choices the question has; a number beyond is no answer.
        choices: The texts of the choices, (n_choices,), where known: then a choice's own text counts too.
        truncated: The model stopped at its length limit, so what stands last may be half a line.
        negative: Whether the question asks for the wrong one among right choices; None where that is not known. Then
            a text that only judges every choice is no answer.

    Raises:
        ValueError: `n_choices` is not positive, or disagrees with `choices`.
    """
    if n_choices < 1 or (choices is not None and len(choices) != n_choices):
        raise ValueError(f"n_choices is {n_choices}, and {len(choices or ())} choices were given")
    return read_parts(text, truncated, partial(_read, choices=choices_of(n_choices, choices), negative=negative))


def _read(text: str, truncated: bool, *, choices: Choices, negative: bool | None) -> Extraction | None:
    """Apply the rules in order; None when none of them says anything."""
    reading = canonical(text, choices.n)
    question = _QUESTION_NUMBER.match(reading)
    if question and (question["question"] or int(question["reference"] or question["number"]) > choices.n):
        reading = reading[question.end() :]
    reading = choices.marked(reading)
    rules: tuple[Callable[[], list[Statement]], ...] = (
        # What a text commits to: after a cue, in a marked line, in its opening, in a conclusion.
        lambda: sorted(
            statements.stated_after(reading, cues.FINAL | cues.LABEL)
            + lines.marked_line(reading)
            + lines.leading_line(reading, truncated=truncated)
            + statements.conclusions(reading)
        ),
        lambda: statements.verdicts(reading, choices.n),
        lambda: statements.pointed(reading),
        lambda: statements.rankings(reading, choices.n),
        lambda: lines.last_line(reading, truncated=truncated),
        lambda: _stands_out(reading, choices.n, negative),
        lambda: [] if truncated else choices.stated(reading) or lines.keyed_line(reading),
    )
    stated = next(filter(None, (rule() for rule in rules)), None)
    return _settle(reading, statements.standing(reading, stated), choices) if stated else None


def _settle(reading: str, statement: Statement, choices: Choices) -> Extraction:
    """Turn the statement that counts into an extraction; a number may also be the text of another choice."""
    number = statement.choices[0] if statement.choices else 0
    by_text = [place for place, text in enumerate(choices.squashed, 1) if text == str(number)]
    same = choices.squashed[number - 1] if 0 < number <= len(choices.squashed) else ""
    if any(str(other) != same for other in statement.choices[1:]):  # "②번, 4입니다" names one choice twice
        return settled(statement.choices, statement.rule)
    bare = re.compile(rf"(?<![\d⟦.]){number}(?![\d⟧]| ?번)")
    is_text = by_text not in ([], [number]) and bare.search(reading, statement.start, statement.start + 80)
    if not 1 <= number <= choices.n or not is_text:
        return settled((number,) if 1 <= number <= choices.n else (), statement.rule)
    computed = re.search(rf"(?:[=≈]|\bequals) ?{number}(?!\d|\.\d)", reading)
    return settled(by_text[:1] if computed else (number,), "number-or-text")


def _stands_out(reading: str, n_choices: int, negative: bool | None) -> list[Statement]:
    """Read a text that judges every choice once, where the question tells which judgement is the answer."""
    wrong, excepted, rest = dict[int, bool](), set[int](), None
    for part in cues.EACH_JUDGED.finditer(reading) if negative is not None else ():
        named = {int(sign) if sign.isdigit() else ord(sign) - 64 for sign in re.findall(r"\d+|[A-J]", part["choices"])}
        is_wrong = cues.JUDGED_WRONG.search(part["said"]) is not None
        is_judged = is_wrong or cues.JUDGED_RIGHT.search(part["said"]) is not None
        is_excepted = cues.EXCEPTED.match(part["said"]) is not None
        if not (is_judged or is_excepted) or any(wrong.get(one, is_wrong) != is_wrong for one in named):
            return []
        excepted |= named if is_excepted else set()
        wrong |= {} if is_excepted else dict.fromkeys(named, is_wrong)
        rest = is_wrong if is_judged and (is_excepted or not named) else rest
    if rest is not None:
        wrong = dict.fromkeys(range(1, n_choices + 1), rest) | wrong | dict.fromkeys(excepted, not rest)
    answers = tuple(choice for choice, is_wrong in wrong.items() if is_wrong == negative)
    return [Statement(0, answers, "stands-out")] if len(wrong) == n_choices and len(answers) == 1 else []
