"""The texts of a question's choices, rewritten as references where an answer gives a text and not a number."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from chains.reading.references import IS_KO, canonical
from chains.reading.statements import Statement
from data.common.text import normalised

# Points and signs of a number stay: "2.5" is not "25", nor "-1" the same as "1".
_SQUASH = re.compile(r"(?:[\s\"'“”‘’「」『』<>()\[\]{},!?:;·*_`–—]|\.(?!\d)|(?<!\d)\.|-(?!\d))+")
_ARTICLE = re.compile(r"(?i)\A\W*(?:the|an?) ")
_NUMBERING = re.compile(r"^\s*(?:⟦\d+⟧|[A-Z][.):]|[1-9][.):](?!\d))[\s:.\-–—]*")
_DENIED = re.compile(r"(?i)\bnot\b|n't\b|아니|않|없|\?")
_LONG = 10  # characters: a shorter choice may stand in a text by chance
_SHORT = 300  # characters of a text that says one thing
_NAME = r"[\"']?⟦~(\d+)⟧[\"')]{0,2}"
_OPENS = re.compile(
    rf"(?:\A|\n(?=[^\n]*\Z))\W*{_NAME}{IS_KO}?(?:[.!?;,](?=\s)|[.!]?[\"')]?(?:\Z|\n|<| \(|[이가은는] ))"
)
_ENDS = re.compile(rf"{_NAME}(?:{IS_KO}|です)?[.!]?(?:$|\n| \()")
_IS_SAID = re.compile(
    rf"(?i)(?:[은는면] ?|は|是|= ?|\b(?:is|are|be) ){_NAME}(?:{IS_KO}|です|이?라고"
    rf"|[.,!](?= |$|\n)|$|\n)|[은는을를] {_NAME}으?로 (?:바꾸|표현)"
)


class Choices(NamedTuple):
    """The choices of one question.

    Attributes:
        n: How many there are.
        texts: (n,) their texts in canonical form, without numbering; () where they are not known.
        squashed: (n,) the same without article, spaces, quotation marks and punctuation, in one case.
    """

    n: int
    texts: tuple[str, ...] = ()
    squashed: tuple[str, ...] = ()

    def marked(self, text: str) -> str:
        """Rewrite the text of every choice as `⟦~n⟧`, the longest first; a text that is a choice's number stays."""
        for place in sorted(range(1, len(self.texts) + 1), key=lambda place: -len(self.texts[place - 1])):
            words = list(filter(None, _SQUASH.split(_ARTICLE.sub("", self.texts[place - 1]))))
            if not words or self.squashed[place - 1] in {*map(str, range(1, self.n + 1))} - {str(place)}:
                continue
            name = f"(?:{_SQUASH.pattern})?".join(map(re.escape, words))
            form = rf"(?i)(?<![A-Za-z\d~⟦])(?<!\d\.)(?:(?:the|an?) )?{name}(?![A-Za-z\d]|\.\d)"
            text = re.sub(form, f"⟦~{place}⟧", text)
        return re.sub(r"⟦(\d+)⟧((?: ?[:.)–—-]+ ?)?)[\s\"'(]{0,2}⟦~\1⟧[\"')]{0,2}", r"⟦\1⟧\2", text)

    def stated(self, text: str) -> list[Statement]:
        """Read the choice that opens or ends a marked text or a sentence of it, or that something is said to be."""
        if sum(len(one) >= _LONG and f"⟦~{place}⟧" in text for place, one in enumerate(self.squashed, 1)) > 1:
            return []
        short = text if len(text) <= _SHORT else ""
        for pattern, part in ((_OPENS, text), (_ENDS, short), (_IS_SAID, text[-_SHORT:])):
            found = {int(one[one.lastindex or 0]) for one in pattern.finditer(part)}
            if len(found) == 1:
                denied = (
                    pattern is not _OPENS and _DENIED.search(part) and not _DENIED.search(self.texts[min(found) - 1])
                )
                return [] if denied else [Statement(0, tuple(found), "choice-text")]
        return []


def choices_of(n: int, texts: Sequence[str] | None) -> Choices:
    """Make the choices of a question from their number and, where they are known, their texts."""
    plain = tuple(_NUMBERING.sub("", canonical(normalised(text))) for text in texts or ())
    return Choices(n, plain, tuple(_SQUASH.sub("", _ARTICLE.sub("", text)).casefold() for text in plain))
