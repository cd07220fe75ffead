"""Which label a model's text states: label words, and for NLI their usual synonyms, in English and Korean.

The statements are those of `chains.reading.statements`, with labels in the place of choices; where nothing is stated,
mentions count. A letter counts by its position, a number only where the text or the prompt numbers the labels.
"""

import re
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import chain, groupby
from operator import attrgetter
from threading import Lock
from typing import NamedTuple

from chains.reading import label_words
from chains.reading.cues import CONCLUSION, FINAL, LABEL, SO
from chains.reading.extraction import Extraction, read_parts, refuses, settled
from chains.reading.references import canonical, list_at
from chains.reading.statements import Statement, revision_places, standing, stated_after
from data.common.text import normalised

_DENIES = re.compile(r"(?i)[\"' ]{0,2}(?:not|neither|no)\b")
_SHORT = 100  # characters: replies that say little more than a label come again and again
_REFERENCE = re.compile(r"[\d⟦]|(?<![A-Za-z])[A-Za-z](?![A-Za-z])")
_NLI = frozenset(label_words.NLI_WORDS)
# The first replies of a run come together: without it, each of their threads would compile the same patterns.
_COMPILING = Lock()


class _Mention(NamedTuple):
    """A label word in the text: where, which label (1-based), if it is denied, and where its joined words begin."""

    start: int
    end: int
    label: int
    denied: bool
    run: int


class _Words(NamedTuple):
    """The words for the labels of a question: those that count anywhere, and those that count in an answer's place."""

    anywhere: re.Pattern[str]
    answer: re.Pattern[str]
    polar: re.Pattern[str]  # "answer", and "yes" and "no" too
    names: tuple[str, ...]  # (n_labels,)
    numbering: dict[str, int]  # which label, 1-based, a number or a letter stands for, where text or prompt says so
    neutral: int | None  # the label, 1-based, that "neither … nor …" leaves over


def extract_label(text: str, labels: Sequence[str], *, truncated: bool = False, prompt: str = "") -> Extraction:
    """Read the one label that a model's text states.

    "Not entailment" alone is no answer; "neither entailed nor contradicted" leaves neutral, where that is a label.

    Args:
        text: The raw output, reasoning blocks included.
        labels: The label names, (n_labels,), in target order.
        truncated: The model stopped at its length limit.
        prompt: What the model was shown, where that is known: if it numbers the labels, so do answers.

    Raises:
        ValueError: `labels` is empty or holds a name twice.
    """
    names = tuple(normalised(label).casefold().strip() for label in labels)
    if not names or len(set(names)) != len(names):
        raise ValueError(f"labels must be distinct names, not {list(labels)}")
    if len(text) <= _SHORT and (known := _read_in_words(text, truncated, names)) is not None:
        return known
    words = _words(names)
    shown = _numbering(canonical(normalised(prompt)), words)
    return read_parts(text, truncated, partial(_read, words=words._replace(numbering=shown)))


@lru_cache(maxsize=256)
def _read_in_words(text: str, truncated: bool, names: tuple[str, ...]) -> Extraction | None:
    """Read a text that holds no number and no letter; None where it does: the prompt may say what they stand for."""
    if _REFERENCE.search(canonical(normalised(text))):
        return None
    return read_parts(text, truncated, partial(_read, words=_words(names)))


def _exact(name: str) -> str:
    """Return the pattern of a label's name: "_", "-" and a space are the same, and "no evidence" does not say "no"."""
    if name in label_words.DETERMINERS or re.fullmatch("[가-힣]", name):
        return name + (label_words.DETERMINES_NOTHING if name.isascii() else label_words.SYLLABLE_END)
    form = re.sub(r"(?:\\[ /-]|[ _/-])+", " ?[ _/-]? ?", re.escape(name))
    if form.isdigit():
        return rf"(?<!\d)(?<!out of )(?<!/){form}(?!\d)"
    return "[/·]?".join(form) if re.fullmatch("[가-힣A-Za-z]+", form) and not form.isascii() else form


@lru_cache(maxsize=64)
def _words(names: tuple[str, ...]) -> _Words:
    """Return the patterns of the labels; only a thread that does not find them here waits for the lock."""
    with _COMPILING:
        return _compiled(names)


@lru_cache(maxsize=64)
def _compiled(names: tuple[str, ...]) -> _Words:
    """Build the patterns of the labels; group `label3` is label 3. They take longer than all else about a reply."""
    synonyms = (label_words.NLI_WORDS, label_words.NLI_ANSWERS, label_words.NLI_POLAR)
    order = sorted(range(len(names)), key=lambda i: -len(names[i]))  # "not_entailment" is not read as "entailment"
    patterns, forms = [], [_exact(name) for name in names]
    for more in synonyms if set(names) <= _NLI else ({},) * 3:
        forms = [f"{form}|{more[name]}" if name in more else form for form, name in zip(forms, names, strict=True)]
        groups = "|".join(f"(?P<label{i}>{forms[i]})" for i in order)
        patterns.append(re.compile(rf"(?i)(?<![A-Za-z_가-힣])(?<![A-Za-z]-)(?:{groups})(?![A-Za-z_])"))
    anywhere, answer, polar = patterns
    return _Words(anywhere, answer, polar, names, {}, names.index("neutral") + 1 if set(names) == _NLI else None)


def _label(match: re.Match[str]) -> int:
    return int(str(match.lastgroup).removeprefix("label")) + 1


def _numbering(text: str, words: _Words) -> dict[str, int]:
    """Return the label that each number or letter stands before, where a text lists labels so."""
    signs = ((one[1] or one[2], words.anywhere.match(text, one.end())) for one in label_words.NUMBERED.finditer(text))
    listed = {sign: _label(match) for sign, match in signs if match}
    behind = ((label_words.NUMBER_BEHIND.match(text, one.end()), one) for one in words.anywhere.finditer(text))
    listed = listed if len(listed) > 1 else {sign[1] or sign[2]: _label(match) for sign, match in behind if sign}
    return listed if len(set(listed.values())) == len(listed) > 1 else {}


def _read(text: str, truncated: bool, *, words: _Words) -> Extraction | None:
    """Read what the text states; where it states nothing, what it mentions."""
    text = canonical(text)
    if words.anywhere.search(text):
        words = words._replace(polar=words.answer)
    words = words._replace(numbering=_numbering(text, words) or words.numbering)
    text = label_words.BRACKETED.sub(lambda one: "" if _numbering(one[0], words) else one[0], text).strip()
    read = partial(_label_at, words=words)
    lines, turns = text.split("\n"), revision_places(text)
    stated = stated_after(text, FINAL | LABEL, read) + _after_keys(text, words, turns)
    if not stated and (found := _sheet(text, words)) is not None:
        return settled(found, "sheet")
    # Of a text that was cut off, the first sentence alone: the rest was on its way to an answer.
    end = re.search(r"[.!?:](?=\s)|\n", text) if truncated else None
    whole = text[: end.end()] if end else "" if truncated else text
    stated += stated_after(text, CONCLUSION, read) + _relations(whole, words)
    heading = truncated and re.match(r"\d+[.)] ", lines[0])  # the first of the points on the way to an answer
    if (opening := _line(lines[0], words)) and not heading and not _numbering(lines[0], words):
        stated.append(Statement(0, opening, "leading"))
    alone = [] if truncated or len(lines) == 1 else [_line(line, words, is_last=True) or () for line in lines]
    if alone and alone[-1]:  # differing labels on lines of their own are no single answer, unless the text turns back
        ending = alone[-1] if turns else tuple(dict.fromkeys(label for line in alone for label in line))
        stated.append(Statement(len(text) - len(lines[-1]), ending, "last-line"))
    if not stated:
        mentioned = not refuses(text) and (not truncated or SO.search(text) or turns)
        return _from_mentions(text, words) if mentioned else None
    stands = standing(text, sorted(stated))
    revised = _from_mentions(text[turns[-1] :], words) if turns and turns[-1] > stands.start else None
    return revised if revised and revised.status == "ok" else settled(stands.choices, stands.rule)


def _words_at(text: str, start: int, words: _Words) -> tuple[tuple[int, ...], int] | None:
    """Read the label word or the joined label words at a place, as 1-based numbers, and where they end."""
    opened = label_words.ANSWER_OPEN.match(text, start)
    place = opened.end() if opened else start
    match = words.answer.match(text, place)
    if match is None:
        polar = words.polar.match(text, place)
        return ((_label(polar),), polar.end()) if polar and label_words.POLAR_END.match(text, polar.end()) else None
    denied = label_words.DENIED_AFTER.match(text, match.end()) and not match[0].endswith("수 없")
    if denied or label_words.SUPPOSED_AFTER.match(text, match.end()):
        return None
    found = [_label(match)]
    while (joined := label_words.JOINED.match(text, match.end())) and joined.end() > match.end():
        following = words.anywhere.match(text, joined.end())
        if following is None or "(" in joined[0] or (match[0].isdigit() and "/" in joined[0]):
            break
        found = [*(found if not re.search("[>→]", joined[0]) else ()), _label(following)]
        match = following
    return tuple(dict.fromkeys(found)), match.end()


def _reference_at(text: str, start: int, words: _Words) -> tuple[int, ...] | None:
    """Read the letters or numbers of labels at a place; a number only counts where somebody numbered the labels."""
    listed = list_at(text, start)
    if listed and re.search(r"⟦0|[A-Ha-h]", text[start : listed[1]]):
        by_letter = (words.numbering.get(chr(64 + number), number) for number in listed[0])
        return tuple(number for number in by_letter if 0 < number <= len(words.names))
    found = [words.numbering.get(str(number), 0) for number in listed[0]] if listed else [0]
    return tuple(found) if all(found) else None


def _label_at(text: str, start: int, filler: bool, *, words: _Words, by_word: bool = False) -> tuple[int, ...] | None:
    """Read what a cue commits to: words first, also after a denial ("not entailment but neutral"), then references."""
    found = _words_at(text, start, words)
    if found or by_word:
        return found[0] if found else None
    clause = re.split(r"[.\n]", text[start : start + 200].lstrip(" :"))[0]
    named = words.anywhere.search(clause)
    denies = named and (_DENIES.match(clause) or label_words.DENIED_AFTER.search(clause))
    read = _from_mentions(clause, words, inside=True) if denies else None
    return (read.choice + 1,) if read and read.choice is not None else _reference_at(text, start, words)


def _after_keys(text: str, words: _Words, turns: list[int]) -> list[Statement]:
    """Read every line or field that gives a label under a name: "Category: refund"; a name that comes twice, both."""
    stated: list[Statement] = []
    named: dict[str, dict[int, None]] = {}
    for key in label_words.KEY.finditer(text):
        if words.anywhere.search(key[1]) or label_words.NO_ANSWER_KEY.search(key[1]):
            continue
        found = _words_at(text, key.end(), words)
        value = found[0] if found and label_words.VALUE_END.match(text, found[1]) else ()
        if found is None and words.numbering:
            value = _reference_at(text, key.end(), words) or ()
        # A list of all the labels is a question, and what stands under a second name is about something else.
        name = key[1].rstrip(" #0123456789").casefold()
        is_other = bool(stated) and name not in named and not label_words.ANSWER_KEY.search(name)
        if 0 < len(value) < max(len(words.names), 3) and not is_other:
            if stated and any(stated[-1].start < place < key.start() for place in turns):  # it is revised
                named.clear()
            named[name] = named.get(name, {}) | dict.fromkeys(value)
            stated.append(Statement(key.start(1), tuple(named[name]), "key"))
    return stated


def _sheet(text: str, words: _Words) -> tuple[int, ...] | None:
    """Read a sheet that gives every label a yes or no, or a probability; None where the text is no such sheet."""
    sheet_value = label_words.SHEET_VALUE.match
    said = {_label(one): value for one in words.anywhere.finditer(text) if (value := sheet_value(text, one.end()))}
    shares = {label: float(value["number"]) for label, value in said.items() if value["number"]}
    if len(said) < 2 or 0 < len(shares) < len(said):
        return None
    if shares:
        whole = 0.97 <= sum(shares.values()) <= 1.03 or 97 <= sum(shares.values()) <= 103
        most = tuple(label for label, share in shares.items() if share == max(shares.values()))
        return most if whole or all(value["of"] for value in said.values()) else None
    left = (words.neutral,) if words.neutral and words.neutral not in said else ()
    return tuple(label for label, value in said.items() if value["yes"]) or left


def _line(line: str, words: _Words, *, is_last: bool = False) -> tuple[int, ...] | None:
    """Read a line that is a label, a letter or a number and nothing else, or a label followed by its reason."""
    if found := _words_at(line, 0, words):
        labels, end = found
        opened = label_words.ANSWER_OPEN.match(line)
        is_strong = words.anywhere.match(line, opened.end() if opened else 0)
        closed = r"[\"')\]]{0,2} ?[-–—:.,(]" if is_strong else r"[,.:;] "
        opens = not is_last and (len(labels) > 1 or re.match(closed, line[end:]))  # last, it is a heading or an example
        return labels if opens or (len(labels) == 1 and label_words.ALONE.match(line, end)) else None
    listed = list_at(line, 0)
    return _reference_at(line, 0, words) if listed and len(line) - listed[1] <= 2 else None


def _relations(text: str, words: _Words) -> list[Statement]:
    """Read what a label is said of, and what is said of a label: "the relationship is …", "… fits best"."""
    strict = words._replace(answer=words.anywhere)
    stated = stated_after(text, label_words.RELATIONS, partial(_label_at, words=words, by_word=True))
    stated += stated_after(text, label_words.REMARKS, partial(_label_at, words=strict, by_word=True))
    called = (one for one in words.anywhere.finditer(text) if label_words.CALLED.match(text, one.end()))
    stated += [Statement(one.start(), (_label(one),), "called") for one in called]
    said = ((one, text[max(0, one.start - 80) : one.start]) for one in stated)
    taken_back = (label_words.WHETHER.search, label_words.DENIED_BEFORE.search)
    return [one for one, before in said if not any(search(before) for search in taken_back)]


def _mentions(text: str, words: _Words) -> list[_Mention]:
    """Find the label words that a text asserts or denies; a list of all the labels is a question."""
    found: list[_Mention] = []
    for match in words.anywhere.finditer(text):
        start, end = match.span()
        joined = found and label_words.JOINED.fullmatch(text, found[-1].end, start)
        if joined or _is_named(text, match, words):
            before = label_words.DENIED_BEFORE.search(text[max(0, start - 80) : start])
            denied = (before or label_words.DENIED_AFTER.match(text, end)) is not None
            if found and found[-1].denied and start - found[-1].end < 30:
                denied |= label_words.ALTERNATIVE.search(text, found[-1].end, start) is not None
            found.append(_Mention(start, end, _label(match), denied, found[-1].run if joined else start))
    for i in range(len(found) - 1, 0, -1):
        if found[i].denied and label_words.SHARES_DENIAL.fullmatch(text, found[i - 1].end, found[i].start):
            found[i - 1] = found[i - 1]._replace(denied=True)
    held = [one for one in found if not label_words.SUPPOSED_BEFORE.search(text[max(0, one.start - 70) : one.start])]
    held = [one for one in held if not label_words.SUPPOSED_AFTER.match(text, one.end)] or found
    runs = [list(run) for _, run in groupby(held, attrgetter("run"))]
    runs = [run for run in runs if len({one.label for one in run}) < len(words.names) or any(one.denied for one in run)]
    kept = ((one, text[max(0, one.start - 90) : one.start], text[one.end : one.end + 90]) for one in chain(*runs))
    return [one for one, before, after in kept if not label_words.NOT_ASSERTED.search(f"{before}⟦⟧{after}")]


def _is_named(text: str, match: re.Match[str], words: _Words) -> bool:
    """Tell whether a word stands as a label: one that is a plain word may also only be a word of the text's."""
    if set(words.names) <= _NLI or not match[0].isalpha():
        return True
    if label_words.IN_A_SENTENCE.match(text, match.end()):
        return False
    if len(text.split(maxsplit=2)) <= 2 or match[0] != match[0].lower():  # a text that says little else, or a name
        return True
    before = label_words.NAMED_BEFORE.search(text[max(0, match.start() - 20) : match.start()])
    return bool(before or label_words.NAMED_AFTER.match(text, match.end()))


def _from_mentions(text: str, words: _Words, *, inside: bool = False) -> Extraction | None:
    """Read a text by its mentions: the concluding sentence where there is one, else the only label asserted."""
    mentions = _mentions(text, words)
    if not inside and len({m.label for m in mentions if not m.denied}) > 1:
        starts = [c.start() for c in SO.finditer(text)] + revision_places(text)
        start = max(starts, default=len(text) - len(re.split(r"(?<=[.!?])\s|\n", text)[-1]))
        mentions = [m for m in mentions if m.start >= start] or mentions
    asserted = {m.label for m in mentions if not m.denied}
    denied = {m.label for m in mentions if m.denied}
    if not asserted and words.neutral and len(denied) == 2 and words.neutral not in denied:
        return settled((words.neutral,), "neither")
    return settled(asserted, "mention") if mentions else None
