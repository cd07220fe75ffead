"""The texts of a question's choices, for answers that are given by a text and not by a number."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chains.reading.references import IS_KO, canonical
from data.common.text import normalised

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


def _only(places: Iterable[int]) -> tuple[int, ...]:
    found = tuple(places)
    return found if len(found) == 1 else ()


class Choices(NamedTuple):
    """The choices of one question; the methods return the one choice that they find, 1-based, or () for none.

    Attributes:
        n: How many there are.
        texts: (n,) their texts in canonical form, without numbering; () where they are not known.
        squashed: (n,) the same, squashed.
    """

    n: int
    texts: tuple[str, ...] = ()
    squashed: tuple[str, ...] = ()

    def named(self, said: str) -> tuple[int, ...]:
        """Return the choice whose text, or its first sentence, is said, unless that is a choice's number."""
        for part in (said, _PART_END.split(said, maxsplit=1)[0]) if self.texts else ():
            text = squash(part)
            endings = {text.removesuffix(end) for end in _ENDINGS}
            found = _only(place for place, choice in enumerate(self.squashed, 1) if choice and choice in endings)
            if found and not any(re.fullmatch(r"[1-9]\d?", one) and int(one) <= self.n for one in endings):
                parts = (other for other in re.split(r", ?|·|와 |과 | and ", said[len(part) :]) if other.strip())
                others = set(map(squash, parts))
                return found + tuple(i for i, choice in enumerate(self.squashed, 1) if choice in others)
        return ()

    def begun(self, said: str) -> tuple[int, ...]:
        """Return the choice with a long text that something said begins with."""
        return _only(place for place, choice in self._long() if squash(said).startswith(choice))

    def whole(self, text: str) -> tuple[int, ...]:
        """Return the choice whose long text is all that a text says, whatever numbers it holds."""
        return _only(place for place, choice in self._long() if squash(text) == choice)

    def contained(self, text: str) -> tuple[int, ...]:
        """Return the choice that a text, its first or its last line is, that it quotes, or that ends a sentence."""
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
        return self._ending(text)

    def _ending(self, text: str) -> tuple[int, ...]:
        """Return the choice whose text ends a short text or one of its sentences, or that something is said to be."""
        texts, end = [(place, one) for place, one in enumerate(self.texts, 1) if one], text[-_SHORT:]
        words = [(i, rf"(?i)(?<![A-Za-z\d]){re.escape(one)}(?![A-Za-z\d])") for i, one in texts if len(one) > 1]
        met = [(place, word) for place, word in words if len(text) <= _SHORT and re.search(word, text)]
        stops = rf"(?:{IS_KO}|です)[.!]?$" if len(met) > 1 else rf"{IS_KO}?[.!]?(?:$|\n| \()"
        ended = [place for place, word in met if re.search(word + stops, text)]
        found = _only(ended or (place for place, one in texts if re.search(_said_to_be(one), end)))
        return found if found and not self._denied(end, found[0]) else ()

    def _denied(self, text: str, place: int) -> bool:
        return _DENIED.search(text) is not None and not _DENIED.search(self.texts[place - 1])

    def _long(self) -> list[tuple[int, str]]:
        return [(place, choice) for place, choice in enumerate(self.squashed, 1) if len(choice) >= _LONG]


def _said_to_be(words: str) -> str:
    """Return the pattern of a sentence that says something to be a text: "…은 1443년입니다", "a = 5"."""
    one = rf"[\"']?{re.escape(words)}[\"']?"
    return (
        rf"(?i)(?:[은는면] ?|は|是|= ?|\b(?:is|are|be) ){one}\)?(?:{IS_KO}|です|[.,!](?= |$|\n)|$|\n)"
        rf"|[은는을를] {one}으?로 (?:바꾸|표현)"
    )


def choices_of(n: int, texts: Sequence[str] | None) -> Choices:
    """Make the choices of a question from their number and, where they are known, their texts."""
    plain = tuple(_NUMBERING.sub("", canonical(normalised(text))) for text in texts or ())
    return Choices(n, plain, tuple(map(squash, plain)))
