"""Which label a model's text states: label words, and for NLI their usual synonyms, in English and Korean.

The statements are those of `chains.statements`, with labels in the place of choices: what stands after a cue or a key
("Category: refund"), in the opening and in the last line. Which one stands is decided there, too. Only where nothing is
stated do mentions count. Words decide; a letter counts by its position, and a number only where the text or the prompt
numbers the labels, since nobody else knows what it counts from. For labels other than NLI's, only the exact label words
count (in any case, whole words; "_", "-" and a space are the same). Pure functions over the text: no model, no I/O.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from chains import label_words
from chains.cues import CONCLUSION, FINAL, LABEL, REVISED, Cues
from chains.extraction import Extraction, read_parts, refuses, settled
from chains.references import canonical, list_at
from chains.statements import Statement, found_cues, is_aside, revision_places, standing
from data.plain_text import normalised

_FEW_CHARACTERS = 40  # of a text that says nothing but its label
_NLI = frozenset(label_words.NLI_WORDS)
_EDGE = r"(?<![A-Za-z_가-힣])(?:{})(?![A-Za-z_])"


class _Mention(NamedTuple):
    """A label word in the text: where, which label, and whether the text denies it."""

    start: int
    end: int
    label: int
    denied: bool


class _Words(NamedTuple):
    """The label words of a question: those that count anywhere, and those that count in an answer's place only."""

    anywhere: re.Pattern[str]
    answer: re.Pattern[str]
    polar: re.Pattern[str]  # "answer", and "yes" and "no" too
    names: tuple[str, ...]  # (n_labels,)
    numbering: dict[str, int]  # which label a number or a letter stands for, where the text or the prompt says so
    neutral: int | None  # the label that "neither … nor …" leaves over


def extract_label(text: str, labels: Sequence[str], *, truncated: bool = False, prompt: str = "") -> Extraction:
    """Read the one label that a model's text states.

    "Not entailment" alone is no answer. Where entailment and contradiction are both denied, nothing else is said and
    "neutral" is a label, the answer is neutral: it is what NLI's three-way scheme leaves.

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
    words = _words(names)
    shown = _numbering(canonical(normalised(prompt)), words)
    return read_parts(text, truncated, partial(_read, words=words._replace(numbering=shown)))


def _words(names: tuple[str, ...]) -> _Words:
    """Build the patterns of the labels; group i + 1 is label i."""
    exact = [re.sub(r"(?:\\[ /-]|[ _/-])+", " ?[ _/-]? ?", re.escape(name)) for name in names]
    exact = [
        "[/·]?".join(form) if re.fullmatch("[가-힣A-Z]+", form, re.IGNORECASE) and not form.isascii() else form
        for form in exact
    ]
    exact = [rf"(?<!\d)(?<!out of )(?<!/){form}(?!\d)" if form.isdigit() else form for form in exact]
    synonyms = (
        (label_words.NLI_WORDS, label_words.NLI_ANSWERS, label_words.NLI_POLAR) if set(names) <= _NLI else ({},) * 3
    )
    order = sorted(range(len(names)), key=lambda i: -len(names[i]))  # "not_entailment" is not read as "entailment"
    patterns, forms = [], exact
    for more in synonyms:
        forms = [f"{form}|{more[name]}" if name in more else form for form, name in zip(forms, names, strict=True)]
        patterns.append(re.compile("(?i)" + _EDGE.format("|".join(f"(?P<label{i}>{forms[i]})" for i in order))))
    anywhere, answer, polar = patterns
    return _Words(anywhere, answer, polar, names, {}, names.index("neutral") if set(names) == _NLI else None)


def _label(match: re.Match[str]) -> int:
    return int(str(match.lastgroup).removeprefix("label"))


def _numbering(text: str, words: _Words) -> dict[str, int]:
    """Return the label that each number or letter stands before, where a text lists labels so."""
    markers = list(label_words.NUMBERED.finditer(text))
    labels = [(marker[1] or marker[2], words.anywhere.match(text, marker.end())) for marker in markers]
    listed = {sign: _label(match) for sign, match in labels if match}
    return listed if len(set(listed.values())) == len(listed) > 1 else {}


def _read(text: str, truncated: bool, *, words: _Words) -> Extraction | None:
    """Read what the text states; where it states nothing, what it mentions."""
    text = canonical(text.replace("’", "'"))
    if words.anywhere.search(text):
        words = words._replace(polar=words.answer)
    words = words._replace(numbering=_numbering(text, words) or words.numbering)
    stated = _after_cues(text, FINAL, words) + _after_cues(text, LABEL, words) + _after_keys(text, words)
    lines = text.split("\n")
    if not stated and (sheet := _sheet(text, words)) is not None:
        return settled(sheet, "sheet")
    if not stated and not truncated and (found := _lone_lines(text, lines, words)) is not None:
        return settled(found, "lone-lines")
    stated += _after_cues(text, CONCLUSION, words) + _relations(_whole_part(text, truncated), words)
    if (opening := _line(lines[0], words)) and not _numbering(lines[0], words):
        stated.append(Statement(0, opening, "leading"))
    if len(lines) > 1 and not truncated and (ending := _line(lines[-1], words, is_last=True)):
        stated.append(Statement(len(text) - len(lines[-1]), ending, "last-line"))
    if not stated:
        mentioned = not refuses(text) and (not truncated or label_words.CONCLUDING.search(text))
        return _from_mentions(text, words) if mentioned else None
    stands = standing(text, sorted(stated))
    turns = [place for place in revision_places(text) if place > stands.start]
    revised = _from_mentions(text[turns[-1] :], words) if turns else None
    return revised if revised and revised.status == "ok" else settled(stands.choices, stands.rule)


def _whole_part(text: str, truncated: bool) -> str:
    """Return, of a text that was cut off, the first sentence alone: the rest was on its way to an answer."""
    end = re.search(r"[.!?:](?=\s)|\n|$", text)
    return text[: end.end() if end and end[0] else 0] if truncated else text


def _words_at(text: str, start: int, words: _Words) -> tuple[tuple[int, ...], int] | None:
    """Read the label word or the joined label words at a place, as 1-based numbers, and where they end."""
    opened = label_words.ANSWER_OPEN.match(text, start)
    place = opened.end() if opened else start
    match = words.answer.match(text, place)
    if match is None:
        match = words.polar.match(text, place)
        alone = match and label_words.NOTHING_MORE.match(text, match.end())
        return ((_label(match) + 1,), match.end()) if match and alone else None
    if label_words.DENIED_AFTER.match(text, match.end()) and not match[0].endswith("수 없"):
        return None
    if label_words.SUPPOSED_AFTER.match(text, match.end()):
        return None
    found = [_label(match) + 1]
    while (joined := label_words.JOINED.match(text, match.end())) and joined.end() > match.end():
        following = words.anywhere.match(text, joined.end())
        if following is None or "(" in joined[0] or (match[0].isdigit() and "/" in joined[0]):
            break
        found = [*(found if not re.search("[>→]", joined[0]) else ()), _label(following) + 1]
        match = following
    return tuple(dict.fromkeys(found)), match.end()


def _reference_at(text: str, start: int, words: _Words) -> tuple[int, ...] | None:
    """Read the letters or numbers of labels at a place; a number only counts where somebody numbered the labels."""
    listed = list_at(text, start)
    if listed is None:
        return None
    is_letter = re.search(r"⟦0|[A-Ha-h]", text[start : listed[1]]) is not None
    found = []
    for number in listed[0]:
        named = words.numbering.get(chr(64 + number) if is_letter else str(number))
        by_position = number if is_letter and number <= len(words.names) else None
        found.append(by_position if named is None else named + 1)
    return tuple(number for number in found if number) if is_letter or None not in found else None


def _after_cues(text: str, before: Cues, words: _Words) -> list[Statement]:
    """Read what every cue commits to: words first, then a letter or a number."""
    stated = []
    for rule, cue in found_cues(text, before):
        listed = _words_at(text, cue.end(), words)
        found = listed[0] if listed else _denied_words(text, cue.end(), words) or _reference_at(text, cue.end(), words)
        if found is not None and not is_aside(text, cue.start(), cue[0]):
            stated.append(Statement(cue.start(), found, rule))
    return stated


def _after_keys(text: str, words: _Words) -> list[Statement]:
    """Read every line or field that gives a label under a name of its own: "Category: refund", `"topic": "World"`.

    A name that comes twice, as in "Label 1: …, Label 2: …", gives one answer of several labels.
    """
    stated: list[Statement] = []
    named: dict[str, dict[int, None]] = {}
    turns = revision_places(text)
    for key in label_words.KEY.finditer(text):
        if words.anywhere.search(key["name"]) or label_words.NO_ANSWER_KEY.search(key["name"]):
            continue
        found = _words_at(text, key.end(), words)
        value = found[0] if found and label_words.VALUE_END.match(text, found[1]) else None
        if found is None and words.numbering:
            value = _reference_at(text, key.end(), words)
        if value and len(value) < max(len(words.names), 3):  # a list of all the labels is a question
            name = key["name"].rstrip(" #0123456789").casefold()
            if stated and any(stated[-1].start < place < key.start() for place in turns):  # it is revised
                named.clear()
            named.setdefault(name, {}).update(dict.fromkeys(value))
            stated.append(Statement(key.start("name"), tuple(named[name]), "key"))
    return stated


def _denied_words(text: str, start: int, words: _Words) -> tuple[int, ...] | None:
    """Read an answer that begins with a denial: "not entailment but neutral", "neither entailed nor …"."""
    clause = re.split(r"[.\n]", text[start : start + 200].lstrip(" :"), maxsplit=1)[0]
    denies = re.match(r"(?i)[\"' ]{0,2}(?:not|neither|no)\b", clause) or label_words.DENIED_AFTER.search(clause)
    read = _from_mentions(clause, words, inside=True) if denies and words.anywhere.search(clause) else None
    return None if read is None or read.choice is None else (read.choice + 1,)


def _sheet(text: str, words: _Words) -> tuple[int, ...] | None:
    """Read a sheet that gives every label a yes or no, or a probability; None where the text is no such sheet."""
    values = [(match, label_words.SHEET_VALUE.match(text, match.end())) for match in words.anywhere.finditer(text)]
    said = {_label(match) + 1: value for match, value in values if value}
    if len(said) < 2:
        return None
    shares = {label: float(value["number"]) for label, value in said.items() if value["number"]}
    if len(shares) == len(said):
        whole = sum(shares.values())
        is_whole = 0.97 <= whole <= 1.03 or 97 <= whole <= 103 or all(value["of"] for value in said.values())
        return tuple(label for label, share in shares.items() if share == max(shares.values())) if is_whole else None
    affirmed = tuple(label for label, value in said.items() if value["yes"])
    if not affirmed and words.neutral is not None and words.neutral + 1 not in said:
        affirmed = (words.neutral + 1,)
    return None if shares else affirmed


def _lone_lines(text: str, lines: list[str], words: _Words) -> tuple[int, ...] | None:
    """Read differing labels that stand alone on lines, the last line too; a revision leaves only the last one."""
    alone = [(line, match) for line in lines if (match := words.answer.match(line))]
    found = [(line, _label(match) + 1) for line, match in alone if label_words.ALONE.match(line, match.end())]
    if len({label for _, label in found}) < 2 or found[-1][0] is not lines[-1]:
        return None
    return (found[-1][1],) if REVISED.search(text) else tuple({label for _, label in found})


def _line(line: str, words: _Words, *, is_last: bool = False) -> tuple[int, ...] | None:
    """Read a line that is a label, a letter or a number and nothing else, or a label followed by its reason."""
    found = _words_at(line, 0, words)
    opened = label_words.ANSWER_OPEN.match(line)
    start = opened.end() if opened else 0
    match = words.answer.match(line, start) or words.polar.match(line, start)
    if match and (found or label_words.REASONED.match(line, match.end())):
        labels = found[0] if found else (_label(match) + 1,)
        rest = line[found[1] if found and len(set(found[0])) == 1 else match.end() :]
        if is_last and not label_words.ALONE.match(rest):  # a heading or an example, not an answer
            return None
        closed = r"[\"')\]]{0,2} ?[-–—:.,(]" if words.anywhere.fullmatch(match[0]) else r"[,.:;] "
        return labels if len(labels) > 1 or label_words.ALONE.match(rest) or re.match(closed, rest) else None
    listed = list_at(line, 0)
    return _reference_at(line, 0, words) if listed and len(line) - listed[1] <= 2 else None


def _relations(text: str, words: _Words) -> list[Statement]:
    """Read what a label is said of, and what is said of a label: "the relationship is …", "… fits best"."""
    strict = words._replace(answer=words.anywhere)
    stated = []
    for pattern, counting in label_words.RELATIONS:
        for cue in pattern.finditer(text):
            found = _words_at(text, cue.end(), words if counting == "answer" else strict)
            before = text[max(0, cue.start() - 80) : cue.start()]
            supposed = label_words.WHETHER.search(before) or (
                "would" in cue[0] and label_words.CONDITION.search(before)
            )
            if found and not supposed and not _is_denied(text, cue.end()):
                stated.append(Statement(cue.start(), found[0], "relation"))
    for match in words.anywhere.finditer(text):
        whether = label_words.WHETHER.search(text[max(0, match.start() - 40) : match.start()])
        if label_words.CALLED.match(text, match.end()) and not whether and not _is_denied(text, match.start()):
            stated.append(Statement(match.start(), (_label(match) + 1,), "called"))
    return stated


def _is_denied(text: str, place: int) -> bool:
    return label_words.DENIED_BEFORE.search(text[max(0, place - 70) : place]) is not None


def _mentions(text: str, words: _Words) -> list[_Mention]:
    """Find every label word that counts anywhere, and whether it is denied; a list of all the labels is a question."""
    found: list[_Mention] = []
    supposed: set[int] = set()
    for match in words.anywhere.finditer(text):
        before, after = text[max(0, match.start() - 70) : match.start()], match.end()
        joined = bool(found) and label_words.JOINED.fullmatch(text, found[-1].end, match.start())
        if not joined and not _is_named(text, match, words):
            continue
        denied = _is_denied(text, match.start()) or bool(
            label_words.DENIED_AFTER.match(text, after) or label_words.DENIED_AFTER_EN.match(text, after)
        )
        between = text[found[-1].end : match.start()] if found and found[-1].denied else ""
        denied |= len(between) < 30 and label_words.ALTERNATIVE.search(between) is not None
        found.append(_Mention(match.start(), after, _label(match), denied))
        if label_words.SUPPOSED_BEFORE.search(before) or label_words.SUPPOSED_AFTER.match(text, after):
            supposed.add(match.start())
    for i in range(len(found) - 1, 0, -1):
        if found[i].denied and label_words.SHARES_DENIAL.fullmatch(text, found[i - 1].end, found[i].start):
            found[i - 1] = found[i - 1]._replace(denied=True)
    found = [mention for mention in found if mention.start not in supposed] or found
    return _without_lists(text, found, len(words.names))


def _is_named(text: str, match: re.Match[str], words: _Words) -> bool:
    """Tell whether a word stands as a label: one that is a plain word may also only be a word of the text's."""
    is_plain = match[0].isalpha() and match[0] == match[0].lower() and not set(words.names) <= _NLI
    short = len(text) <= _FEW_CHARACTERS
    before = label_words.NAMED_BEFORE.search(text[max(0, match.start() - 20) : match.start()])
    return not is_plain or short or bool(before or label_words.NAMED_AFTER.match(text, match.end()))


def _without_lists(text: str, found: list[_Mention], n_labels: int) -> list[_Mention]:
    """Drop the mentions that together list all the labels ("entailment, neutral or contradiction")."""
    kept: list[_Mention] = []
    run: list[_Mention] = []
    for mention in [*found, None]:
        if run and mention and label_words.JOINED.fullmatch(text, run[-1].end, mention.start):
            run.append(mention)
            continue
        if len({m.label for m in run}) < n_labels or any(m.denied for m in run):
            kept += run
        run = [mention] if mention else []
    return kept


def _from_mentions(text: str, words: _Words, *, inside: bool = False) -> Extraction | None:
    """Read a text by its mentions: the concluding sentence where there is one, else the only label asserted."""
    mentions = _mentions(text, words)
    if not mentions:
        return None
    if not inside and len({m.label for m in mentions if not m.denied}) > 1:
        last_sentence = re.split(r"(?<=[.!?])\s|\n", text)[-1]
        concluding = [c.start() for c in label_words.CONCLUDING.finditer(text)]
        start = concluding[-1] if concluding else len(text) - len(last_sentence)
        mentions = [m for m in mentions if m.start >= start] or mentions
    asserted = {m.label for m in mentions if not m.denied}
    denied = {m.label for m in mentions if m.denied}
    if not asserted and words.neutral is not None and len(denied) == 2 and words.neutral not in denied:
        return Extraction(words.neutral, "ok", "neither")
    return settled([label + 1 for label in asserted], "mention")
