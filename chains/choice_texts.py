"""The texts of a question's choices, for answers that are given by a text and not by a number.

Texts in; a `Choices` out, which tells which one choice something said is the text of.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from chains.references import canonical
from data.plain_text import normalised

# Points and signs of a number stay: "2.5" is not "25", nor "-1" the same as "1".
_SQUASH = re.compile(r"(?:[\s\"'“”‘’「」『』<>()\[\]{},!?:;·*_`–—]|\.(?!\d)|(?<!\d)\.|-(?!\d))+")
_ARTICLE = re.compile(r"(?i)\A\W*(?:the|an?) ")
_NUMBERING = re.compile(r"^\s*(?:⟦\d+⟧|[A-Z][.):]|[1-9][.):](?!\d))[\s:.\-–—]*")
_ENDINGS = ("", "입니다", "이다", "이에요", "예요", "임", "です", "である")
_PART_END = re.compile(r"[.!?;,](?=\s)|\s(?=\()")
_DENIED = re.compile(r"(?i)\bnot\b|n't\b|아니|않|없|\?")
_LONG = 10  # characters: a shorter choice may stand in a text by chance
_SHORT = 300  # characters of a text that says one thing


def squash(text: str) -> str:
    """Return a text without its article, spaces, quotation marks and punctuation, in one case."""
    return _SQUASH.sub("", _ARTICLE.sub("", text)).casefold()


class Choices(NamedTuple):
    """The choices of one question; the methods return 1-based numbers, () for none.

    Attributes:
        n: How many there are.
        texts: (n,) their texts in canonical form, without numbering; () where they are not known.
        squashed: (n,) the same, squashed.
    """

    n: int
    texts: tuple[str, ...] = ()
    squashed: tuple[str, ...] = ()

    @property
    def longest(self) -> int:
        """Characters within which any choice's text has been said, with what stands around it."""
        return 2 * max(map(len, self.texts), default=0) + 20

    def named(self, said: str) -> tuple[int, ...]:
        """Return the one choice whose text, or its first sentence, is said, unless that is a choice's number."""
        for part in (said, _PART_END.split(said, maxsplit=1)[0]) if self.texts else ():
            text = squash(part)
            endings = [text.removesuffix(end) for end in _ENDINGS]
            found = tuple(place for place, choice in enumerate(self.squashed, 1) if choice and choice in endings)
            if len(found) == 1 and not (re.fullmatch(r"[1-9]\d?", text) and int(text) <= self.n):
                return found
        return ()

    def begun(self, said: str) -> tuple[int, ...]:
        """Return the one choice with a long text that something said begins with."""
        found = tuple(place for place, choice in self._long() if squash(said).startswith(choice))
        return found if len(found) == 1 else ()

    def whole(self, text: str) -> tuple[int, ...]:
        """Return the one choice whose long text is all that a text says, whatever numbers it holds."""
        found = tuple(place for place, choice in self._long() if squash(text) == choice)
        return found if len(found) == 1 else ()

    def contained(self, text: str) -> tuple[int, ...]:
        """Return the one choice that a text, its first or its last line is, that it quotes, or that ends a sentence."""
        said, lines = squash(text), text.split("\n")
        quoted = [(place, choice) for place, choice in self._long() if choice in said]
        quoted = [(i, one) for i, one in quoted if not any(one in other for j, other in quoted if i != j)]
        if len(quoted) > 1:
            return ()
        for whole in (text, lines[0], lines[-1]):
            if found := self.named(whole) or self.begun(whole):
                return found
        if quoted and len(said) <= 2 * len(quoted[0][1]) + 40 and not self._denied(text, quoted[0][0]):
            return (quoted[0][0],)
        words = [
            (place, rf"(?<![A-Za-z\d]){re.escape(one)}(?![A-Za-z\d])")
            for place, one in enumerate(self.texts, 1)
            if len(one) > 1
        ]
        met = [(place, word) for place, word in words if len(text) <= _SHORT and re.search(word, text, re.IGNORECASE)]
        ends = r"(?:이다|입니다|임)?[.!]?(?:$|\n| \()" if len(met) == 1 else r"(?:이다|입니다|です)[.!]?$"
        found = tuple(place for place, word in met if re.search(word + ends, text, re.IGNORECASE)) or tuple(
            place for place, one in enumerate(self.texts, 1) if one and _said_to_be(one).search(text[-_SHORT:])
        )
        return found if len(found) == 1 and not self._denied(text[-_SHORT:], found[0]) else ()

    def _denied(self, text: str, place: int) -> bool:
        return _DENIED.search(text) is not None and not _DENIED.search(self.texts[place - 1])

    def _long(self) -> list[tuple[int, str]]:
        return [(place, choice) for place, choice in enumerate(self.squashed, 1) if len(choice) >= _LONG]


def _said_to_be(words: str) -> re.Pattern[str]:
    """Return the pattern of a sentence that says something to be a text: "…은 1443년입니다", "a = 5"."""
    return re.compile(
        rf"(?:[은는면] ?|は|是|= ?|\b(?:is|are|be) )[\"'“‘]?{re.escape(words)}[\"'”’)]?(?:입니다|이다|임|이에요|예요"
        rf"|です|[.,!](?= |$|\n)|$|\n)|[은는을를] [\"'“‘]?{re.escape(words)}[\"'”’]?(?:으)?로 (?:바꾸|표현)",
        re.IGNORECASE,
    )


def choices_of(n: int, texts: Sequence[str] | None) -> Choices:
    """Make the choices of a question from their number and, where they are known, their texts."""
    plain = tuple(_NUMBERING.sub("", canonical(normalised(text))) for text in texts or ())
    return Choices(n, plain, tuple(map(squash, plain)))
