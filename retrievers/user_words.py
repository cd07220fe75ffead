"""A user's own words for Kiwi: names and terms that its dictionary would cut into pieces.

In comes a file or a list, out comes one canonical tuple, which is part of the identity of every analysis made with it.
The file is in the format of Kiwi's own user dictionaries: a word a line, after a tab its tag (NNP where there is none)
and after another its score (0), with comments after "#":

    밤편지
    국어 영역<TAB>NNG
    갤럭시탭<TAB>NNP<TAB>3.5
"""

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.regular_file import read_text
from data.common.text import normalised

# The Sejong corpus' tags of words that say what a text is about: BM25 counts them and no others.
TAGS = ("NNP", "NNG", "NNB", "NR", "NP", "VV", "VA", "MAG", "XR", "SL", "SH", "SN")


class UserWord(NamedTuple):
    """A word as Kiwi is to know it.

    Attributes:
        word: May have spaces within.
        tag: One of `TAGS`; NNP is a name.
        score: Added to what speaks for the word where the text could be read otherwise too.
    """

    word: str
    tag: str = "NNP"
    score: float = 0.0


UserWords = tuple[UserWord, ...]


def user_words(given: Path | str | Sequence[str | UserWord] | None) -> UserWords:
    """Return words in one order without repeats, however they were given.

    Args:
        given: The path of a file, lines as in a file, words as they are returned here, or None for no words.

    Raises:
        ConfigurationError: A line is malformed, or a word is given in two ways; the message names the place.
        MissingResourceError: The file cannot be read.
    """
    if given is None:
        return ()
    place = str(given) if isinstance(given, (Path, str)) else "user words"
    lines = _read(Path(given)) if isinstance(given, (Path, str)) else given
    words: dict[tuple[str, str], UserWord] = {}
    for number, line in enumerate(lines, start=1):
        cells = line.split("#", 1)[0].split("\t") if isinstance(line, str) else [str(cell) for cell in line]
        if not any(cell.strip() for cell in cells):
            continue
        word = _word(cells, f"{place}, line {number}")
        if words.setdefault((word.word, word.tag), word) != word:
            raise ConfigurationError(f"{place}, line {number}: '{word.word}' has another score above; give it once")
    return tuple(sorted(words.values()))


def words_sha256(words: UserWords) -> str:
    """Return what identifies words, as `user_words` returns them: the same for the same words from any source."""
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def _read(path: Path) -> list[str]:
    try:
        return read_text(path).splitlines()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise MissingResourceError(f"cannot read the user words {path}: {error.strerror}") from error


def _word(cells: Sequence[str], place: str) -> UserWord:
    word, tag, score, *more = [*(" ".join(normalised(cell).split()) for cell in cells), "", ""][: max(3, len(cells))]
    tag = tag or UserWord._field_defaults["tag"]
    if not word or more or tag not in TAGS:
        raise ConfigurationError(
            f"{place}: {' '.join(cells)!r} is no WORD, TAG and SCORE, apart by tabs (the last two may be left out), "
            f"with a tag of {', '.join(TAGS)}"
        )
    try:
        value = float(score or 0)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigurationError(f"{place}: score '{score}' is no number")
    return UserWord(word, tag, value)
