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
_NAME = r"[\"']?⟦~(\d+)⟧[\"')]{0,2}"
_OPENS = re.compile(
    rf"(?:\A|\n(?=[^\n]*\Z))\W*(?:(?i:the|an?) )?{_NAME}{IS_KO}?"
    r"(?:[.!?;,](?=\s)|[.!]?[\"')]?(?:\Z|\n|<| \(|[이가은는] ))"
)
_ENDS = re.compile(rf"{_NAME}(?:{IS_KO}|です)?[.!]?(?:$|\n| \()")
_IS_SAID = re.compile(
    rf"(?i)(?:[은는면] ?|は|是|= ?|\b(?:is|are|be) (?:(?:an?|the) )?){_NAME}(?:{IS_KO}|です|이?라고"
    rf"|[.,!](?= |$|\n)|$|\n)|[은는을를] {_NAME}으?로 (?:바꾸|표현)"
)


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

    def stated(self, text: str) -> tuple[int, ...]:
        """Return the choice whose text opens or ends a text or a sentence of it, or that something is said to be."""
        marked, end = self._marked(text), self._marked(text[-_SHORT:])
        if (
            sum(len(self.squashed[place]) >= _LONG and f"⟦~{place + 1}⟧" in marked for place in range(len(self.texts)))
            > 1
        ):
            return ()
        short = marked if len(text) <= _SHORT else ""
        for pattern, part in ((_OPENS, marked), (_ENDS, short), (_IS_SAID, end)) if self.texts else ():
            if found := _only({int(one[one.lastindex or 0]) for one in pattern.finditer(part)}):
                denied = pattern is not _OPENS and _DENIED.search(part) and not _DENIED.search(self.texts[found[0] - 1])
                return () if denied else found
        return ()

    def _marked(self, text: str) -> str:
        """Rewrite the text of every choice as `⟦~n⟧`, the longest first."""
        for place in sorted(range(1, len(self.texts) + 1), key=lambda place: -len(self.texts[place - 1])):
            if words := list(filter(None, _SQUASH.split(_ARTICLE.sub("", self.texts[place - 1])))):
                name = f"(?:{_SQUASH.pattern})?".join(map(re.escape, words))
                text = re.sub(rf"(?i)(?<![A-Za-z\d~]){name}(?![A-Za-z\d])", f"⟦~{place}⟧", text)
        return text


def choices_of(n: int, texts: Sequence[str] | None) -> Choices:
    """Make the choices of a question from their number and, where they are known, their texts."""
    plain = tuple(_NUMBERING.sub("", canonical(normalised(text))) for text in texts or ())
    return Choices(n, plain, tuple(map(squash, plain)))
