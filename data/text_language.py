"""Which language texts are in, as far as the project must know: Korean, English, or another.

Texts in, a BCP 47 code out: it decides which packaged weights and which prompts fit.
"""

import re
from collections.abc import Iterable

# Words that hardly any English text of some length is without, and hardly any other has.
_ENGLISH = frozenset(
    (
        "the",
        "a",
        "is",
        "are",
        "was",
        "to",
        "of",
        "and",
        "my",
        "i",
        "you",
        "it",
        "this",
        "that",
        "for",
        "with",
        "have",
        "not",
    )
)
_HANGUL = re.compile(r"[가-힣]")


def language_of(texts: Iterable[str]) -> str:
    """Return "ko", "en", or "und" for any other language.

    Texts of ASCII letters alone count as English: nothing speaks against it.
    """
    whole = " ".join(texts)
    letters = [letter for letter in whole if letter.isalpha()]
    if len(_HANGUL.findall(whole)) > 0.3 * max(len(letters), 1):
        return "ko"
    words = whole.casefold().split()
    usual = sum(word in _ENGLISH for word in words) / max(len(words), 1)
    foreign = sum(not letter.isascii() for letter in letters) / max(len(letters), 1)
    return "und" if foreign > 0.005 and usual < 0.05 else "en"
