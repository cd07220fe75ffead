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

from chains.cues import CALLED_BY_TEXT, CONCLUSION, FINAL, LABEL, Cues
from chains.extraction import Extraction, before_next_question, unanswered, visible_text
from chains.label_parsing import extract_label
from chains.lines import bold_reference, last_line, leading_line, marked_line
from chains.references import canonical
from chains.statements import (
    Statement,
    conclusions,
    found_cues,
    is_aside,
    rankings,
    revision_places,
    standing,
    stated_after,
    verdicts,
)

__all__ = ["Extraction", "extract_choice", "extract_label"]

_SQUASH = re.compile(r"[\s\"'“”‘’「」『』<>()\[\]{}.,!?:;·*_`\-–—]+")
_NUMBERING = re.compile(r"^\s*(?:⟦\d+⟧|[A-H1-9][.):])[\s:.\-–—]*")
# "17. ②", "3번 문제: ②": the question that is answered, before its answer.
_QUESTION_NUMBER = re.compile(
    r"^\[?(?:문항|문제|Question|Q)? ?(?:⟦(?P<reference>\d{1,2})⟧"
    r"|(?P<number>\d{1,2}))번?\]? ?(?P<question>(?:문제|문항)의?)?[\].):]?"
    r" ?(?=⟦|정답|답)"
)
_LONG_ENOUGH = 10  # characters: a shorter choice may stand in a text by chance


def extract_choice(
    text: str, n_choices: int, *, choices: Sequence[str] | None = None, truncated: bool = False
) -> Extraction:
    """Read the one choice that a model's text states as its answer.

    Args:
        text: The raw output, reasoning blocks included.
        n_choices: How many choices the question has; a number beyond is no answer.
        choices: The texts of the choices, (n_choices,), where known: then a choice's own text counts too.
        truncated: The model stopped at its length limit, so what stands last may be half a line.

    Raises:
        ValueError: `n_choices` is not positive, or disagrees with `choices`.
    """
    if n_choices < 1 or (choices is not None and len(choices) != n_choices):
        raise ValueError(f"n_choices is {n_choices}, and {len(choices or ())} choices were given")
    visible, cut = visible_text(text)
    own_part = before_next_question(visible)
    for part in (own_part, visible):
        read = _read(part, n_choices, choices, truncated and part is visible) if part else None
        if read is not None and (read.status != "none" or part is visible):
            return read
    return unanswered(visible, truncated=truncated or cut)


def _read(text: str, n_choices: int, choices: Sequence[str] | None, truncated: bool) -> Extraction | None:
    """Apply the rules in order; None when none of them says anything."""
    reading = _without_question_number(canonical(text), n_choices)
    rules: tuple[Callable[[], list[Statement]], ...] = (
        lambda: _whole_choice(text, choices),
        lambda: stated_after(reading, FINAL) or _cued_choice(reading, FINAL, choices),
        lambda: stated_after(reading, LABEL) or _cued_choice(reading, LABEL, choices),
        lambda: marked_line(reading),
        lambda: _leading(reading, truncated),
        lambda: conclusions(reading) or _cued_choice(reading, CONCLUSION, choices) or _called_choice(reading, choices),
        lambda: _single(verdicts(reading), n_choices),
        lambda: rankings(reading, n_choices),
        lambda: last_line(reading, truncated=truncated),
        lambda: bold_reference(text),
        lambda: [] if truncated else _contained_choice(reading, choices),
    )
    for rule in rules:
        if statements := rule():
            return _settle(standing(reading, statements), n_choices)
    return None


def _settle(statement: Statement, n_choices: int) -> Extraction:
    """Turn the statement that counts into an extraction."""
    if len(statement.choices) > 1:
        return Extraction(None, "multiple", statement.rule)
    if not statement.choices or not 1 <= statement.choices[0] <= n_choices:
        return Extraction(None, "none", statement.rule)
    return Extraction(statement.choices[0] - 1, "ok", statement.rule)


def _leading(reading: str, truncated: bool) -> list[Statement]:
    """Read the answer that a text opens with, and the conclusions that revise it."""
    opening = leading_line(reading, truncated=truncated)
    turns = revision_places(reading) if opening else []
    return opening + [s for s in conclusions(reading) if s.start > turns[0]] if turns else opening


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


def _squash(text: str) -> str:
    return _SQUASH.sub("", text).casefold()


def _squashed(choices: Sequence[str] | None) -> list[str]:
    """Return the choices' texts without numbering, spaces and punctuation, in order."""
    return [_squash(_NUMBERING.sub("", canonical(choice))) for choice in choices or ()]


def _named(said: str, squashed: list[str]) -> list[Statement]:
    """Return the one choice whose text `said` is or, for a long one, begins with."""
    endings = [said.removesuffix(end) for end in ("", "입니다", "이다", "이에요", "임")]
    exact = [i for i, choice in enumerate(squashed, 1) if choice and choice in endings]
    begun = [i for i, choice in enumerate(squashed, 1) if len(choice) >= _LONG_ENOUGH and said.startswith(choice)]
    found = exact or begun
    return [Statement(0, (found[0],), "choice-text")] if len(found) == 1 else []


def _whole_choice(text: str, choices: Sequence[str] | None) -> list[Statement]:
    """Read a text that is one choice's text and nothing else, whatever numbers that text holds."""
    said = _squash(text)
    same = [i for i, choice in enumerate(choices or (), 1) if _squash(choice) == said]
    return [Statement(0, (same[0],), "choice-text")] if len(said) >= _LONG_ENOUGH and len(same) == 1 else []


def _cued_choice(text: str, before: Cues, choices: Sequence[str] | None) -> list[Statement]:
    """Read a choice's text where its number is expected: "정답: <text>"."""
    if choices is None:
        return []
    squashed = _squashed(choices)
    found = [
        statement._replace(start=cue.start())
        for _, cue in found_cues(text, before)
        for statement in _named(_squash(text[cue.end() : cue.end() + 600].lstrip().split("\n", 1)[0]), squashed)
        if not is_aside(text, cue.start(), cue[0])
    ]
    return sorted(found)


def _called_choice(text: str, choices: Sequence[str] | None) -> list[Statement]:
    """Read a choice's text that is called the answer: "'<text>'가 정답이다", "<text> is the answer"."""
    squashed = _squashed(choices)
    return [
        statement._replace(start=called.start())
        for called in CALLED_BY_TEXT.finditer(text)
        for statement in _named(_squash(called[1]), squashed)
    ]


def _contained_choice(text: str, choices: Sequence[str] | None) -> list[Statement]:
    """Read a text that is, or shortly quotes, the text of exactly one choice."""
    squashed, said = _squashed(choices), _squash(text)
    quoted = [i for i, choice in enumerate(squashed, 1) if len(choice) >= _LONG_ENOUGH and choice in said]
    quoted = [i for i in quoted if not any(squashed[i - 1] in squashed[j - 1] for j in quoted if j != i)]
    if len(quoted) > 1:
        return []
    lines = text.split("\n")
    for whole in (said, _squash(lines[0]), _squash(lines[-1])):
        if found := _named(whole, squashed):
            return found
    if quoted and len(said) <= 2 * len(squashed[quoted[0] - 1]) + 40:
        return [Statement(0, (quoted[0],), "choice-text")]
    return []
