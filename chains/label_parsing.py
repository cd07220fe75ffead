"""Which label a model's text states: label words, and for NLI their usual synonyms, in English and Korean.

Words decide; a letter or number counts only in an answer's place, and only where no word stands beside it, since a
prompt may list its options in another order. For labels other than NLI's, only the exact label words count (in any
case, whole words; "_", "-" and a space are the same). Pure functions over the text: no model, no I/O.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from chains import label_words
from chains.cues import CONCLUSION, FINAL, LABEL, REVISED, Cues
from chains.extraction import Extraction, before_next_question, unanswered, visible_text
from chains.references import canonical, list_at
from chains.statements import found_cues, is_aside

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
    neutral: int | None  # the label that "neither … nor …" leaves over


def extract_label(text: str, labels: Sequence[str], *, truncated: bool = False) -> Extraction:
    """Read the one label that a model's text states.

    "Not entailment" alone is no answer. Where entailment and contradiction are both denied, nothing else is said and
    "neutral" is a label, the answer is neutral: it is what NLI's three-way scheme leaves. Numbers count from 1.

    Args:
        text: The raw output, reasoning blocks included.
        labels: The label names, (n_labels,), in target order.
        truncated: The model stopped at its length limit.

    Raises:
        ValueError: `labels` is empty or holds a name twice.
    """
    if not labels or len({label.casefold() for label in labels}) != len(labels):
        raise ValueError(f"labels must be distinct names, not {list(labels)}")
    words = _words(labels)
    visible, cut = visible_text(text)
    own_part = before_next_question(visible)
    for part in (own_part, visible):
        read = _read(canonical(part.replace("’", "'")), len(labels), words) if part else None
        if read is not None and (read.status != "none" or part is visible):
            return read
    return unanswered(visible, truncated=truncated or cut)


def _words(labels: Sequence[str]) -> _Words:
    """Build the patterns of the labels; group i + 1 is label i."""
    names = [label.casefold().strip() for label in labels]
    exact = [re.sub(r"[ _-]+", "[ _-]?", re.escape(name).replace(r"\ ", " ").replace(r"\-", "-")) for name in names]
    synonyms = [label_words.NLI_WORDS.get(name, "") if set(names) <= _NLI else "" for name in names]
    answers = [label_words.NLI_ANSWERS.get(name, "") if set(names) <= _NLI else "" for name in names]
    polar = [label_words.NLI_POLAR.get(name, "") if set(names) <= _NLI else "" for name in names]
    neutral = names.index("neutral") if set(names) == _NLI else None
    anywhere = ["|".join(filter(None, forms)) for forms in zip(exact, synonyms, strict=True)]
    in_place = ["|".join(filter(None, forms)) for forms in zip(anywhere, answers, strict=True)]
    with_polar = ["|".join(filter(None, forms)) for forms in zip(in_place, polar, strict=True)]
    return _Words(_pattern(anywhere, names), _pattern(in_place, names), _pattern(with_polar, names), neutral)


def _pattern(forms: list[str], names: list[str]) -> re.Pattern[str]:
    """Join the forms, longest name first so that "not_entailment" is not read as "entailment"."""
    order = sorted(range(len(names)), key=lambda i: -len(names[i]))
    return re.compile("(?i)" + _EDGE.format("|".join(f"(?P<label{i}>{forms[i]})" for i in order)))


def _label(match: re.Match[str]) -> int:
    return int(str(match.lastgroup).removeprefix("label"))


def _read(text: str, n_labels: int, words: _Words) -> Extraction | None:
    """Apply the rules in order: final marker, label line, sheet, lone lines, conclusion, mentions."""
    if words.anywhere.search(text):
        words = words._replace(polar=words.answer)
    for rule, cues in (("final", FINAL), ("label", LABEL)):
        if (found := _after_cues(text, cues, n_labels, words)) is not None:
            return _settle(found, rule)
    if (found := _sheet(text, words)) is not None:
        return _settle(found, "sheet")
    lines = text.split("\n")
    if (found := _lone_lines(text, lines, words)) is not None:
        return _settle(found, "lone-lines")
    for rule, line in (("leading", lines[0]), ("last-line", lines[-1])):
        if found := _line(line, n_labels, words):
            return _settle(found, rule)
    if (found := _after_cues(text, CONCLUSION, n_labels, words)) is not None:
        return _settle(found, "answer-is")
    if (found := _after_relation(text, words)) is not None:
        return _settle(found, "relation")
    return _from_mentions(text, words)


def _settle(found: set[int], rule: str) -> Extraction:
    if len(found) == 1:
        return Extraction(next(iter(found)), "ok", rule)
    return Extraction(None, "multiple" if found else "none", rule)


def _words_at(text: str, start: int, words: _Words) -> set[int] | None:
    """Read the label word or the joined label words at a place; None where none stands there."""
    opened = label_words.ANSWER_OPEN.match(text, start)
    place = opened.end() if opened else start
    match = words.answer.match(text, place)
    if match is None:
        match = words.polar.match(text, place)
        return {_label(match)} if match and label_words.NOTHING_MORE.match(text, match.end()) else None
    if label_words.DENIED_AFTER.match(text, match.end()) and not match[0].endswith("수 없"):
        return None
    found = {_label(match)}
    while (joined := label_words.JOINED.match(text, match.end())) and joined.end() > match.end():
        following = words.anywhere.match(text, joined.end())
        if following is None or "(" in joined[0]:
            break
        found.add(_label(following))
        match = following
    return found


def _after_cues(text: str, before: Cues, n_labels: int, words: _Words) -> set[int] | None:
    """Return what the last readable cue names: words first, then a letter or a number."""
    last: tuple[int, set[int]] | None = None
    for _, cue in found_cues(text, before):
        end = cue.end()
        found = _words_at(text, end, words)
        if found is None:
            found = _denied_words(text, end, words)
        if found is None and (listed := list_at(text, end)):
            found = {choice - 1 for choice in listed[0] if 1 <= choice <= n_labels}
        if found is not None and (last is None or end > last[0]) and not is_aside(text, cue.start(), cue[0]):
            last = (end, found)
    return last[1] if last else None


def _denied_words(text: str, start: int, words: _Words) -> set[int] | None:
    """Read an answer that begins with a denial: "not entailment but neutral", "neither entailed nor …"."""
    clause = re.split(r"[.\n]", text[start : start + 200].lstrip(" :"), maxsplit=1)[0]
    if words.anywhere.search(clause) is None:
        return None
    if not re.match(r"(?i)[\"' ]{0,2}(?:not|neither|no)\b", clause) and not label_words.DENIED_AFTER.search(clause):
        return None
    read = _from_mentions(clause, words, inside=True)
    return None if read is None or read.choice is None else {read.choice}


def _sheet(text: str, words: _Words) -> set[int] | None:
    """Read a sheet that gives every label a yes or no, or a probability; None where the text is no such sheet."""
    said: dict[int, re.Match[str]] = {}
    for match in words.anywhere.finditer(text):
        if value := label_words.SHEET_VALUE.match(text, match.end()):
            said[_label(match)] = value
    if len(said) < 2:
        return None
    if all(value["number"] for value in said.values()):
        shares = {label: float(value["number"]) for label, value in said.items()}
        whole = sum(shares.values())
        are_probabilities = 0.97 <= whole <= 1.03 or 97 <= whole <= 103
        return (
            {label for label, share in shares.items() if share == max(shares.values())} if are_probabilities else None
        )
    if any(value["number"] for value in said.values()):
        return None
    affirmed = {label for label, value in said.items() if value["yes"]}
    if not affirmed and words.neutral is not None and words.neutral not in said:
        return {words.neutral}
    return affirmed


def _lone_lines(text: str, lines: list[str], words: _Words) -> set[int] | None:
    """Read differing labels that stand alone on lines, the last line too; a revision leaves only the last one."""
    found = [
        match for line in lines if (match := words.answer.match(line)) and label_words.ALONE.match(line, match.end())
    ]
    labels = {_label(match) for match in found}
    if len(labels) < 2 or found[-1].string != lines[-1]:
        return None
    return {_label(found[-1])} if REVISED.search(text) else labels


def _line(line: str, n_labels: int, words: _Words) -> set[int] | None:
    """Read a line that is a label, a letter or a number and nothing else, or a label followed by its reason."""
    found = _words_at(line, 0, words)
    opened = label_words.ANSWER_OPEN.match(line)
    start = opened.end() if opened else 0
    match = words.answer.match(line, start) or words.polar.match(line, start)
    if match and (found or label_words.REASONED.match(line, match.end())):
        found = found or {_label(match)}
        rest = line[match.end() :]
        is_core = words.anywhere.fullmatch(match[0]) is not None
        if len(found) > 1 or label_words.ALONE.match(rest) or (is_core and re.match(r"[\"')\]]{0,2} ?[-–—:.,(]", rest)):
            return found
        if re.match(r"[,.:;] ", rest):  # "No, the premise says otherwise."
            return found
        return None
    listed = list_at(line, 0)
    if listed and len(line) - listed[1] <= 2:
        return {choice - 1 for choice in listed[0] if 1 <= choice <= n_labels}
    return None


def _after_relation(text: str, words: _Words) -> set[int] | None:
    """Return what the last "the relationship is …", "the hypothesis is …" names."""
    strict = words._replace(answer=words.anywhere)
    found = [
        (cue.end(), read)
        for cues, counting in ((label_words.RELATION_IS, words), (label_words.THIS_IS, strict))
        for cue in cues.finditer(text)
        if (read := _words_at(text, cue.end(), counting)) is not None
    ]
    return max(found, key=lambda place: place[0])[1] if found else None


def _mentions(text: str, words: _Words) -> list[_Mention]:
    """Find every label word that counts anywhere, and whether it is denied; a list of all the labels is a question."""
    found: list[_Mention] = []
    supposed: set[int] = set()
    previous: _Mention | None = None
    for match in words.anywhere.finditer(text):
        before, after = text[max(0, match.start() - 70) : match.start()], match.end()
        denied = bool(
            label_words.DENIED_BEFORE.search(before)
            or label_words.DENIED_AFTER.match(text, after)
            or label_words.DENIED_AFTER_EN.match(text, after)
        )
        between = text[previous.end : match.start()] if previous else ""
        if previous and previous.denied and len(between) < 30 and label_words.ALTERNATIVE.search(between):
            denied = True
        previous = _Mention(match.start(), match.end(), _label(match), denied)
        found.append(previous)
        if label_words.SUPPOSED_BEFORE.search(before) or label_words.SUPPOSED_AFTER.match(text, after):
            supposed.add(previous.start)
    for i in range(len(found) - 1, 0, -1):
        if found[i].denied and label_words.SHARES_DENIAL.fullmatch(text, found[i - 1].end, found[i].start):
            found[i - 1] = found[i - 1]._replace(denied=True)
    found = [mention for mention in found if mention.start not in supposed] or found
    return _without_lists(text, found, words.anywhere.groups)


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
        tail = [m for m in mentions if m.start >= start]
        if tail:
            mentions = tail
    asserted = {m.label for m in mentions if not m.denied}
    denied = {m.label for m in mentions if m.denied}
    if not asserted and words.neutral is not None and len(denied) == 2 and words.neutral not in denied:
        return Extraction(words.neutral, "ok", "neither")
    return _settle(asserted, "mention")
