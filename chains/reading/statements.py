"""The statements that commit a text to an answer, read from canonical text (see `chains.reading.references`).

Each function returns every statement of its kind in order, as `Statement(start, choices, rule)`: `choices` are 1-based,
empty where the text says that no choice is right. Which kind counts before which, `chains.reading.choices` decides.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from chains.reading import cues
from chains.reading.references import ITEM, list_at, value


class Statement(NamedTuple):
    """One committed answer: where it stands, the 1-based choices it names, and the rule that read it."""

    start: int
    choices: tuple[int, ...]
    rule: str


_SENTENCE_END = re.compile(r"[.!?;…](?=\s|$)|\n")
_LAST_COUNTS = frozenset(cues.FINAL) | {"is-also", "changed", "ranking"}
_FILLER = re.compile(r"(?: ?[\"'][^\n⟦]{0,200}[\"'])?[^.!?\n⟦]{0,80}(?=⟦)")
_POINT = re.compile(r"⟦\d+⟧ ?[:.)-]")
_NEXT = re.compile(r"[^.!?\n⟦]{0,60}(?=⟦)|[^.!?\n⟦]{0,20}?(?=(?<![A-Za-z\d])[A-H1-9](?![A-Za-z\d]))")
_PLACE = r"(?:⟦\d+⟧|\[?\b(?:\d{1,2}|[A-H])\b\]?)"
_ORDERED = re.compile(rf"{_PLACE}(?: ?[>≥»≻] ?{_PLACE}){{1,9}}")


def choice_at(text: str, start: int, *, filler: bool = False) -> tuple[int, ...] | None:
    """Read the choices behind a cue, None where nothing readable is."""
    if cues.NUMBERED_STEPS.match(text, start):
        return None
    denied = cues.NOT.match(text, start)
    found = list_at(text, denied.end() if denied else start)
    if found and denied:
        turn = cues.BUT.match(text, found[1])
        return choice_at(text, turn.end()) if turn else None
    if found is None and filler and not denied and (gap := _FILLER.match(text, start)):
        found = list_at(text, gap.end())
        if found and not (cues.COMMITTED.match(text, found[1]) or cues.WITHDRAWN.match(text, found[1])):
            return None
    return _kept(text, found)


def _kept(text: str, found: tuple[tuple[int, ...], int] | None) -> tuple[int, ...] | None:
    """Return the choices found, or where they are taken back those that replace them: "3번이 아니라 4번"."""
    for _ in range(6):  # as many as a sentence takes back: "1번도 2번도 … 아닌 4번"
        withdrawn = cues.WITHDRAWN.match(text, found[1]) if found else None
        if not withdrawn:
            return found[0] if found else None
        following = _NEXT.match(text, withdrawn.end())
        found = list_at(text, following.end()) if following else None
    return None


def stated_after(text: str, before: cues.Cues) -> list[Statement]:
    """Read every statement whose cue stands before the answer."""
    statements = []
    for rule, patterns in before.items():
        for cue in chain.from_iterable(re.finditer(pattern, text) for pattern in patterns):
            filler = rule not in ("boxed", "chosen", "ranking") and cue[0][-1:] in "은는이s:"
            found = choice_at(text, cue.end(), filler=filler)
            if found is not None and not is_aside(text, cue.start(), cue[0]):
                statements.append(Statement(cue.start(), found, rule))
    return sorted(statements)


def _sentence_before(text: str, start: int) -> str:
    """Return what its sentence says before a place, as far as 100 characters back."""
    return _SENTENCE_END.split(text[max(0, start - 100) : start])[-1]


def is_aside(text: str, start: int, cue: str) -> bool:
    """Tell whether a cue ("" for a reference) at a place tells of an answer that the text does not give as its own."""
    before = _sentence_before(text, start)
    names_answer = cue.startswith(("정답", "답", "최종"))
    return bool(
        (cues.NOT_GIVEN.search(before) or cues.NOT_GIVEN.search(cue))
        or ((names_answer or not cue) and cues.PEOPLE_SUBJECT_KO.search(before))
        or (cues.SUPPOSED_EN.search(cue) and cues.IF_EN.search(before))
    )


def revision_places(text: str) -> list[int]:
    """Return where the text turns back on itself ("wait", "다시 보니"), in order."""
    return [turn.start() for turn in cues.REVISED.finditer(text)]


def standing(text: str, statements: list[Statement]) -> Statement:
    """Return the one that counts among statements in order.

    A later one replaces an earlier one, since models think aloud. But where the earlier one opens the text or draws a
    conclusion, what follows explains it: then only a revision, a conclusion or a sentence of its own replaces it.
    """
    turns = revision_places(text)
    stands = statements[0]
    for later in statements[1:]:
        if later.choices == stands.choices:  # it only repeats
            continue
        turned = bisect_left(turns, stands.start) < bisect_left(turns, later.start)
        if turned or later.rule in _LAST_COUNTS or not _is_firm(text, stands) or _replaces(text, later):
            stands = later
    return stands


def _is_firm(text: str, statement: Statement) -> bool:
    """Tell whether a statement opens the text or concludes, and does not hedge."""
    start = statement.start
    opens = start < 200 and _SENTENCE_END.search(text[:start]) is None
    hedges = cues.HEDGED.search(_SENTENCE_END.split(text[start : start + 60])[0])
    return not hedges and (opens or cues.CONCLUDES.search(_sentence_before(text, start)) is not None)


def _replaces(text: str, later: Statement) -> bool:
    """Tell whether a statement has a sentence of its own, or concludes, and is no point in a discussion of choices."""
    before = _sentence_before(text, later.start)
    concludes = cues.CONCLUDES.search(before) or cues.CONCLUDES.match(text, later.start)
    is_point = _POINT.match(text, text.rfind("\n", 0, later.start) + 1, later.start)
    return not is_point and (concludes or cues.OPENS_SENTENCE.fullmatch(before)) is not None


def _references(text: str) -> Iterator[tuple[int, tuple[int, ...], int]]:
    """Yield (start, choices, end) for every list of canonical references."""
    end = 0
    for token in re.finditer(r"⟦", text):
        if token.start() >= end and (found := list_at(text, token.start())):
            yield token.start(), *found
            end = found[1]
    for weak in cues.LONE_SUBJECT.finditer(text):
        named = [int(sign) if sign.isdigit() else ord(sign) - 64 for sign in weak.groups() if sign]
        yield weak.start(), tuple(named), weak.end()


def stated_before(text: str) -> list[Statement]:
    """Read every statement that names the choice first: "③이 정답이다", "3번을 선택합니다", "(C) is the answer"."""
    statements: list[Statement] = []
    references = list(_references(text))
    for start, choices, end in references:
        if cues.WITHDRAWN.match(text, end) or is_aside(text, start, ""):
            continue
        is_it = cues.COPULA_END.match(text, end)  # "3번입니다" alone is only said of something
        quoted = is_it and cues.QUOTED_BEFORE.search(text[max(0, start - 4) : start])
        if quoted or cues.CALLED_THE_ANSWER.match(text, end):
            changed = "changed" if cues.CHANGED.match(text, end) else "is-answer"
            statements.append(Statement(start, choices, "is-also" if cues.ALSO.match(text, end) else changed))
        elif cues.CONCLUDING.search(text[max(0, start - 20) : start]):
            singled = cues.SINGLED_OUT.match(text, end)
            is_right = singled and not cues.WRONG_EN.search(singled[0])
            statements += [Statement(start, choices, "concluded")] if is_it or is_right else []
    for turn in cues.NAMED_BEFORE.finditer(text):
        before = [one[:2] for one in references if turn.start() - 150 < one[0] < turn.start()]
        statements += [Statement(turn.start(), max(before)[1], "is-answer")] if before else []
    return sorted(statements)


def pointed(text: str) -> list[Statement]:
    """Read every sentence whose subject is said to be one choice: "나머지와 다른 하나는 네 번째 것이다"."""
    found = ((text.rfind(" ", 0, match.start()) + 1, match) for match in cues.POINTED.finditer(text))
    held = (
        (start, one) for start, one in found if not is_aside(text, start, f"답 {text[max(0, start - 12) : one.end()]}")
    )
    return [Statement(start, (int(one[1] or one[2] or ord(one[3]) - 64),), "pointed") for start, one in held]


def conclusions(text: str) -> list[Statement]:
    """Read every concluding statement, in order; "5번도 정답이다" adds to the statement before it."""
    statements = sorted(stated_after(text, cues.CONCLUSION) + stated_before(text))
    for i, (start, choices, rule) in enumerate(statements):
        also = statements[i - 1].choices if rule == "is-also" and i else ()
        statements[i] = Statement(start, tuple(dict.fromkeys(also + choices)), rule)
    return statements


def verdicts(text: str, n_choices: int) -> list[Statement]:
    """Read what is judged, where that singles one choice out: "3번이 가장 적절하다", "(C) is correct"."""
    references = list(_references(text))
    found = []
    for start, choices, end in references:
        before = text[max(0, start - 20) : start]
        is_left = cues.CONCLUDING.search(before) or cues.CONTRASTED.search(_sentence_before(text, start))
        is_last = len(references) == 1 and is_left  # otherwise "3번은 적절하지 않다" only judges one of five
        judged = cues.SINGLED_OUT.match(text, end) or (is_last and cues.JUDGED.match(text, end))
        if judged and not cues.WITHDRAWN.match(text, end):
            rule = "verdict-against" if cues.WRONG_EN.search(judged[0]) else "verdict"
            found.append(Statement(start, choices, rule))
    in_favour = sorted(one for one in found if one.rule == "verdict")
    walks = [one.choices for one in sorted(found)[:2]] == [(1,), (2,)]  # a discussion of every choice from the first on
    if walks and len(in_favour) == 1 and len(found) == n_choices:
        return in_favour
    kept = in_favour if in_favour and not walks else sorted(found)
    return kept if len({one.choices for one in kept}) == 1 else []


def rankings(text: str, n_choices: int) -> list[Statement]:
    """Read the first place of every ranking from the best: "3 > 1 > 2 …", "1위: ③", "순위: 3, 1, 2"."""
    if cues.WORST_FIRST.search(text):
        return []
    statements = [s._replace(choices=s.choices[:1]) for s in stated_after(text, cues.RANKED_FIRST)]
    for order in _ORDERED.finditer(text):
        first, places = ITEM.match(text, order.start()), re.findall(r"\d+|[A-H]", order[0])
        if first and len(set(places)) == len(places) == n_choices:
            statements.append(Statement(order.start(), (value(first),), "ranking"))
    return sorted(statements)
