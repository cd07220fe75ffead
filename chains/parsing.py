"""What a model's text states as its answer to a closed-set question: the ordered rules of extraction.

Text in, `Extraction(choice, status, rule)` out. The order is: explicit final markers, labelled answers, a marked line,
a leading answer line, concluding statements, verdicts, rankings, lone references, the text of a choice. The first kind
that says something decides; within a kind `statements.standing` tells a revision from an aside. Forms of a reference
("3번", "③", "option C") are in `chains.references`, words around it in `chains.cues`, statements in
`chains.statements`.
Pure functions over the text: no model, no I/O.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial

from chains.choice_texts import Choices, choices_of
from chains.cues import CALLED_BY_TEXT, FINAL, JUDGED_RIGHT, JUDGED_WRONG, LABEL
from chains.extraction import Extraction, read_parts, settled
from chains.label_parsing import extract_label
from chains.lines import bold_reference, keyed_line, last_line, leading_line, marked_line
from chains.references import canonical
from chains.statements import (
    Statement,
    conclusions,
    pointed,
    rankings,
    standing,
    stated_after,
    verdicts,
)

__all__ = ["Extraction", "extract_choice", "extract_label"]

# "17. ②", "3번 문제: ②": the question that is answered, before its answer.
_QUESTION_NUMBER = re.compile(
    r"^\[?(?:문항|문제|Question|Q)? ?(?:⟦(?P<reference>\d{1,2})⟧"
    r"|(?P<number>\d{1,2}))번?\]? ?(?P<question>(?:문제|문항)(?:의|에 대한)?)?[\].):]?"
    r" ?(?=⟦|정답|답)"
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
    reading = _without_question_number(canonical(text, choices.n), choices.n)
    rules: tuple[Callable[[], list[Statement]], ...] = (
        lambda: _by_text(choices.whole(text)),
        lambda: _commitments(reading, choices, truncated),
        lambda: _single(verdicts(reading), choices.n),
        lambda: pointed(reading),
        lambda: rankings(reading, choices),
        lambda: last_line(reading, truncated=truncated),
        lambda: bold_reference(text),
        lambda: _stands_out(reading, choices.n, negative),
        lambda: [] if truncated else _by_text(choices.contained(reading)) or keyed_line(reading),
    )
    for rule in rules:
        if statements := rule():
            return _settle(reading, standing(reading, statements), choices)
    return None


def _commitments(reading: str, choices: Choices, truncated: bool) -> list[Statement]:
    """Return what a text commits to, in order: after a cue, in a marked line, in its opening, in a conclusion."""
    return sorted(
        stated_after(reading, FINAL, choices)
        + stated_after(reading, LABEL, choices)
        + marked_line(reading)
        + leading_line(reading, truncated=truncated)
        + conclusions(reading, choices)
        + [
            Statement(called.start(), named, "choice-text")
            for called in CALLED_BY_TEXT.finditer(reading)
            if (named := choices.named(called[1]))
        ]
    )


def _settle(reading: str, statement: Statement, choices: Choices) -> Extraction:
    """Turn the statement that counts into an extraction; a number beyond the choices may be the text of one."""
    first = statement.choices[:1]
    text = choices.squashed[first[0] - 1] if first and 0 < first[0] <= len(choices.squashed) else ""
    if any(str(other) != text for other in statement.choices[1:]):  # "②번, 4입니다" names one choice twice
        return settled(statement.choices, statement.rule)
    number = first[0] if first else 0
    by_text = [place for place, text in enumerate(choices.squashed, 1) if text == str(number)]
    if not 1 <= number <= choices.n:
        return settled(by_text if len(by_text) == 1 else (), "choice-text" if len(by_text) == 1 else statement.rule)
    bare = re.compile(rf"(?<![\d⟦.]){number}(?![\d⟧]| ?번)")
    if by_text in ([], [number]) or not bare.search(reading, statement.start, statement.start + 80):
        return settled((number,), statement.rule)
    computed = re.search(rf"(?:[=≈]|\bequals) ?{number}(?!\d|\.\d)", reading)
    return settled(by_text[:1] if computed else (number,), "number-or-text")


def _without_question_number(reading: str, n_choices: int) -> str:
    """Drop the number of the question at the start: one beyond the choices, or one that is called a question's."""
    found = _QUESTION_NUMBER.match(reading)
    if found and (found["question"] or int(found["reference"] or found["number"]) > n_choices):
        return reading[found.end() :]
    return reading


def _single(statements: list[Statement], n_choices: int) -> list[Statement]:
    """Keep verdicts only where one choice is singled out.

    From choice 1 on they are a discussion, which singles one out only where it judges all and finds no other right.
    """
    in_favour = [s for s in statements if s.rule == "verdict"]
    walks = [s.choices for s in statements[:2]] == [(1,), (2,)]
    if walks and len(in_favour) == 1 and len(statements) == n_choices:
        return in_favour
    kept = in_favour if in_favour and not walks else statements
    return kept if len({s.choices for s in kept}) == 1 else []


def _by_text(named: tuple[int, ...]) -> list[Statement]:
    return [Statement(0, named, "choice-text")] if named else []


def _stands_out(reading: str, n_choices: int, negative: bool | None) -> list[Statement]:
    """Read a text that judges every choice once, where the question tells which judgement is the answer."""
    places = list(re.finditer(r"⟦(\d+)⟧", reading))
    if negative is None or [int(place[1]) for place in places] != list(range(1, n_choices + 1)):
        return []
    ends = [*(place.start() for place in places[1:]), len(reading)]
    said = [reading[place.end() : end] for place, end in zip(places, ends, strict=True)]
    wrong = [JUDGED_WRONG.search(one) is not None for one in said]
    found = [number for number, is_wrong in enumerate(wrong, 1) if is_wrong == negative]
    judged = all(is_wrong or JUDGED_RIGHT.search(one) for is_wrong, one in zip(wrong, said, strict=True))
    return [Statement(0, (found[0],), "stands-out")] if judged and len(found) == 1 else []
