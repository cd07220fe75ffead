"""What a hit shows of its text: the stretch where the query's words are, and where in it they are.

In come a query and the texts it found; out come snippets with offsets, free of characters that would steer a terminal.
Words are matched as BM25 matches them, by morpheme: "먹" is marked in "먹었다" and not in "먹구름".
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from retrievers.korean import UserWords, content_tokens

Span = tuple[int, int]
Analyse = Callable[[Sequence[str]], list[list[str]]]  # texts → the tokens of each

LENGTH = 240  # characters of a snippet: about three lines of a terminal, Korean characters being two columns wide
_LEAD = 40  # characters before the first marked word: what it is said of
_ELLIPSIS = "…"
_HIDDEN = ("Cf", "Cs")  # marks of direction and the like, half characters
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


class Snippet(NamedTuple):
    """A stretch of a text.

    Attributes:
        text: One line.
        marks: (start, end) in `text` of what the query's words are in, rising and apart.
    """

    text: str
    marks: tuple[Span, ...]


def snippets(query: str, texts: Sequence[str], *, user_words: UserWords = ()) -> list[Snippet]:
    """Return of each text the stretch with most of the query's words, or its start where it has none.

    Args:
        query: What the texts were found by.
        texts: Those to be shown, of any length; they are analysed.
        user_words: The words that they were found with.
    """
    analyse = partial(content_tokens, user_words=user_words)
    (asked,) = analyse([query])
    return [_snippet(set(asked), one_line(text), analyse) for text in texts]


def one_line(text: str) -> str:
    """Return a text without control characters and marks of direction, its white space single spaces."""
    shown = (" " if unicodedata.category(c) == "Cc" else c for c in text if unicodedata.category(c) not in _HIDDEN)
    return " ".join("".join(shown).split())


def highlighted(snippet: Snippet, *, bold: bool) -> str:
    """Return a snippet's text, its marks in a terminal's bold letters where that is wanted."""
    if not bold:
        return snippet.text
    shown, end_of_last = [], 0
    for start, end in snippet.marks:
        shown += [snippet.text[end_of_last:start], _BOLD, snippet.text[start:end], _PLAIN]
        end_of_last = end
    return "".join([*shown, snippet.text[end_of_last:]])


def _snippet(asked: set[str], text: str, analyse: Analyse) -> Snippet:
    marks = _marks(asked, text, analyse)
    start, end = _window(text, marks)
    before, after = _ELLIPSIS if start else "", _ELLIPSIS if end < len(text) else ""
    shift = len(before) - start
    within = tuple((s + shift, e + shift) for s, e in marks if start <= s and e <= end)
    return Snippet(f"{before}{text[start:end]}{after}", within)


def _marks(asked: set[str], text: str, analyse: Analyse) -> list[Span]:
    words = [match.span() for match in re.finditer(r"\S+", text)]
    if not words:
        return []
    matched = asked.intersection(*analyse([text]))  # in their context, as the index has them
    analysed = analyse([text[slice(*word)] for word in words])
    marks = [
        mark for word, tokens in zip(words, analysed, strict=True) for mark in _in_word(text, word, matched & {*tokens})
    ]
    return _joined(sorted(marks))


def _in_word(text: str, word: Span, tokens: set[str]) -> Iterator[Span]:
    lowered = text[slice(*word)].lower()
    same_length = len(lowered) == word[1] - word[0]
    for token in tokens:
        at = lowered.find(token) if same_length else -1
        # A form that is not in the word as it is written ("걷" in "걸어서") marks all of the word.
        yield (word[0] + at, word[0] + at + len(token)) if at >= 0 else word


def _joined(marks: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in marks:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _window(text: str, marks: Sequence[Span]) -> Span:
    """Return where the snippet starts and ends: most different marks, then the earliest."""
    if len(text) <= LENGTH:
        return 0, len(text)
    starts = [max(0, min(start - _LEAD, len(text) - LENGTH)) for start, _ in marks] or [0]

    def distinct(start: int) -> int:
        return len({text[s:e] for s, e in marks if start <= s and e <= start + LENGTH})

    start = max(starts, key=distinct)
    if start:
        start = text.find(" ", start, start + _LEAD) + 1 or start  # at a word's start, where one is near
    return start, start + LENGTH if start + LENGTH < len(text) else len(text)
