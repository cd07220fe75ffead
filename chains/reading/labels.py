"""Which label a model's text states: label words, and for NLI their usual synonyms, in English and Korean.

Label words become references (see `chains.reading.references`), which the rules for choices read; where nothing is
stated, mentions count. A letter counts by its position, a number only where the text or the prompt numbers the labels.
"""

import re
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import chain
from threading import Lock
from typing import NamedTuple

from chains.reading import label_words
from chains.reading.cues import FINAL, LABEL, SO, WITHDRAWN
from chains.reading.extraction import Extraction, read_parts, refuses, settled
from chains.reading.lines import last_line, leading_line
from chains.reading.references import canonical, list_at, without_offers
from chains.reading.statements import Statement, conclusions, revision_places, standing, stated_after
from data.common.text import normalised

_SHORT = 100  # characters: replies that say little more than a label come again and again
_REFERENCE = re.compile(r"[\d⟦]|(?<![A-Za-z])[A-Za-z](?![A-Za-z])")
_MARK = re.compile(r"⟦~?(\d+)⟧")
_DIGITS = re.compile(r"(?<![⟦~\d])\d+")  # of a text that names labels; they are no references
_NLI = frozenset(label_words.NLI_WORDS)
# The first replies of a run come together: without it, each of their threads would compile the same patterns.
_COMPILING = Lock()


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
    shown = _numbering(_named(canonical(normalised(prompt)), words))
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


def _inflected(name: str) -> str | None:
    """Return an English name in its other number: "feature request" for "feature requests"; None where it has none."""
    if not re.search("[a-z]{5}$", name) or re.search("(?:ss|us|is|x|z|ch|sh|y)$", name):
        return None
    return name.removesuffix("s") if name.endswith("s") else f"{name}s"


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
    others = {name: _exact(other) for name in names if (other := _inflected(name)) and other not in names}
    # Of one word, its other number may be any word of the text; of several, it is hardly one by chance.
    phrases = {name: other for name, other in others.items() if re.search("[ _/-]", name)}
    for more in synonyms if set(names) <= _NLI else (phrases, others, {}):
        forms = [f"{form}|{more[name]}" if name in more else form for form, name in zip(forms, names, strict=True)]
        groups = "|".join(f"(?P<label{i + 1}>{forms[i]})" for i in order)
        patterns.append(re.compile(rf"(?i)(?<![A-Za-z_가-힣⟦~])(?<![A-Za-z]-)(?:{groups})(?![A-Za-z_])"))
    anywhere, answer, polar = patterns
    return _Words(anywhere, answer, polar, names, {}, names.index("neutral") + 1 if set(names) == _NLI else None)


def _named(text: str, words: _Words) -> str:
    """Rewrite every label's name as `⟦n⟧`, or as `⟦~n⟧` where it only counts in an answer's place."""
    text = label_words.REFERENCE.sub(lambda one: f"({one[2] or chr(64 + int(one[1]))})", text)
    return words.anywhere.sub(lambda word: f"⟦{'' if _is_named(word, words) else '~'}{str(word.lastgroup)[5:]}⟧", text)


def _answered(named: str, words: _Words, numbering: dict[str, int]) -> str:
    """Rewrite what else means a label in an answer's place as `⟦~n⟧`: other words, numbers, letters."""

    def mark(word: re.Match[str], end: re.Pattern[str]) -> str:
        return f"⟦~{str(word.lastgroup)[5:]}⟧" if end.match(word.string, word.end()) else word[0]

    text = words.answer.sub(partial(mark, end=label_words.NAMED_AFTER), named)
    text = text if "⟦" in named else words.polar.sub(partial(mark, end=label_words.POLAR_END), text)
    text = label_words.BRACKETED.sub(lambda one: "" if _numbering(one[0]) else one[0], text).strip()
    text = label_words.BESIDE.sub(lambda one: one["mark"], text)
    for sign, label in numbering.items():
        text = re.sub(rf"(?<![\w.⟦~]){sign}(?![\w%⟧']|\.\d| ?[:=])", f"⟦~{label}⟧", text)
    return _DIGITS.sub("#", without_offers(text))


def _numbering(named: str) -> dict[str, int]:
    """Return the label that each number or letter stands before, where a text lists labels so."""
    for pattern in (label_words.NUMBERED, label_words.NUMBER_BEHIND):
        signs = [(one["sign"], int(one["label"])) for one in pattern.finditer(named)]
        if len(signs) > 1 and len(dict(signs)) == len({label for _, label in signs}) == len(signs):
            return dict(signs)
    return {}


def _read(text: str, truncated: bool, *, words: _Words) -> Extraction | None:
    """Read what the text states; where it states nothing, what it mentions."""
    named = _named(canonical(text), words)
    text = _answered(named, words, _numbering(named) or words.numbering)
    turns = revision_places(text)
    stated = stated_after(text, FINAL | LABEL) + _after_keys(text, words, turns)
    if not stated and (found := _sheet(named, words)) is not None:
        return settled(found, "sheet")
    # Of a text that was cut off, the first sentence alone: the rest was on its way to an answer.
    end = re.search(r"[.!?:](?=\s)|\n", text) if truncated else None
    whole = text[: end.end()] if end else "" if truncated else text
    called = (one for one in _MARK.finditer(whole) if _is_called(one))
    said = conclusions(whole) + [Statement(one.start(), (int(one[1]),), "called") for one in called]
    stated += [one for one in said if not label_words.DENIED_BEFORE.search(text[max(0, one.start - 80) : one.start])]
    stated += leading_line(text, truncated=truncated, by_name=True)
    stated += last_line(text, truncated=False, by_name=True) if "\n" in text and not truncated else []
    stated = [one for one in stated if all(0 < label <= len(words.names) for label in one.choices)]
    if not stated:
        mentioned = not refuses(text) and (not truncated or SO.search(text) or turns)
        return _from_mentions(text, words) if mentioned else None
    stands = standing(text, sorted(stated))
    revised = _from_mentions(text[turns[-1] :], words) if turns and turns[-1] > stands.start else None
    return revised if revised and revised.status == "ok" else settled(stands.choices, stands.rule)


def _after_keys(text: str, words: _Words, turns: list[int]) -> list[Statement]:
    """Read the labels that stand under the first name of a field or a line that gives one: "Category: refund"."""
    given: list[tuple[str, Statement]] = []
    for key in label_words.KEY.finditer(text):
        found = None if label_words.NO_ANSWER_KEY.search(key[1]) else list_at(text, key.end())
        # A list of all the labels is a question.
        if found and label_words.VALUE_END.match(text, found[1]) and len(found[0]) < max(len(words.names), 3):
            given.append((key[1].rstrip(" #").casefold(), Statement(key.start(1), found[0], "key")))
    same = [one for name, one in given if name == given[0][0]]
    if turns or not same:
        return same
    return [Statement(same[0].start, tuple(dict.fromkeys(chain(*(one.choices for one in same)))), "key")]


def _sheet(text: str, words: _Words) -> tuple[int, ...] | None:
    """Read a sheet that gives every label a yes or no, or a probability; None where the text is no such sheet."""
    sheet_value = label_words.SHEET_VALUE.match
    said = {int(one[1]): value for one in _MARK.finditer(text) if (value := sheet_value(text, one.end()))}
    shares = {label: float(value["number"]) for label, value in said.items() if value["number"]}
    if len(said) < 2 or 0 < len(shares) < len(said):
        return None
    if shares:
        whole = 0.97 <= sum(shares.values()) <= 1.03 or 97 <= sum(shares.values()) <= 103
        most = tuple(label for label, share in shares.items() if share == max(shares.values()))
        return most if whole or all(value["of"] for value in said.values()) else None
    left = (words.neutral,) if words.neutral and words.neutral not in said else ()
    return tuple(label for label, value in said.items() if value["yes"]) or left


def _is_called(match: re.Match[str]) -> bool:
    """Tell whether something is said to be a label: "환불로 분류합니다", but not "좋은 예입니다"."""
    text, start = match.string, match.start()
    described = label_words.DESCRIBED.search(text[max(0, start - 40) : start])
    return label_words.CALLED.match(text, match.end()) is not None and not described


def _is_named(match: re.Match[str], words: _Words) -> bool:
    """Tell whether a word stands as a label: one that is a word of the language may also only be one of the text's."""
    text, start = match.string, match.start()
    if set(words.names) <= _NLI or "_" in match[0] or _is_called(match):
        return True
    before = label_words.NAMED_BEFORE.search(text[max(0, start - 50) : start])
    return bool(before and label_words.NAMED_AFTER.match(text, match.end()))


def _mentions(text: str, words: _Words) -> list[tuple[int, tuple[int, ...], bool]]:
    """Find what a text asserts or denies: (start, labels, denied); a list of all the labels is a question."""
    found, end = [], 0
    for mark in _MARK.finditer(text):
        start = mark.start()
        if start < end or "~" in mark[0] or not (listed := list_at(text, start)):
            continue
        labels, end = listed
        before, after = text[max(0, start - 90) : start], text[end : end + 90]
        denied = label_words.DENIED_BEFORE.search(before) or WITHDRAWN.match(after)
        if (denied or len(labels) < len(words.names)) and not label_words.NOT_ASSERTED.search(f"{before}⟦⟧{after}"):
            found.append((start, labels, denied is not None))
    return found


def _from_mentions(text: str, words: _Words) -> Extraction | None:
    """Read a text by its mentions: the concluding sentence where there is one, else the only label asserted."""
    mentions = _mentions(text, words)
    if len({label for _, labels, denied in mentions for label in labels if not denied}) > 1:
        starts = [c.start() for c in SO.finditer(text)] + revision_places(text)
        start = max(starts, default=len(text) - len(re.split(r"(?<=[.!?])\s|\n", text)[-1]))
        mentions = [one for one in mentions if one[0] >= start] or mentions
    asserted = {label for _, labels, denied in mentions for label in labels if not denied}
    denied = {label for _, labels, denied in mentions for label in labels if denied}
    if not asserted and words.neutral and len(denied) == 2 and words.neutral not in denied:
        return settled((words.neutral,), "neither")
    return settled(asserted, "mention") if mentions else None
