"""Korean text analysis by Kiwi: sentences for chunking, content morphemes for BM25.

In come texts and a user's own words; out come tokens, or the places of sentences. Korean glues particles and endings
to words ("학교에서", "학교를"), so words split at spaces rarely match; morphemes do. One Kiwi model serves the process,
and one more each set of a user's own words: it takes seconds and some 100 MB to load.

A file of a user's words is in the format of Kiwi's own user dictionaries: a word a line, after a tab its tag (NNP where
there is none) and after another its score (0), with comments after "#":

    밤편지
    국어 영역<TAB>NNG
    갤럭시탭<TAB>NNP<TAB>3.5

Source: Kiwi (https://github.com/bab2min/Kiwi), LGPL-2.1-or-later; tags are those of the Sejong corpus.
"""

import hashlib
import json
import math
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.files import read_text
from data.common.text import normalised

if TYPE_CHECKING:
    from kiwipiepy import Kiwi, Token

# Nouns, numerals and pronouns, verbs, adjectives and general adverbs, roots; then Latin, hanja, numbers, mails and
# links, and what Kiwi does not know. Particles, endings, the copula and auxiliary verbs say how, not what.
CONTENT_TAGS = ("NN", "NR", "NP", "VV", "VA", "MAG", "XR", "SL", "SH", "SN", "W_", "UN")

# The Sejong corpus' tags of words that say what a text is about: BM25 counts them and no others.
USER_TAGS = ("NNP", "NNG", "NNB", "NR", "NP", "VV", "VA", "MAG", "XR", "SL", "SH", "SN")
# Part of an analysis' identity: raise it when what is made of Kiwi's analysis here changes.
ANALYSIS = 3

# Kiwi refuses half of a surrogate pair and reads NUL as an end; both become one other character, so offsets hold.
_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_SENTENCE_ENDS = ".!?…。！？"
_MARK_AT_END = re.compile(rf"[{_SENTENCE_ENDS}”’]\s+(?P<mark>\[[A-Z]\]|\([가-하]\)|<보기>|[㉠-㉻ⓐ-ⓩ①-⑳])\s*$")
_MARK_REACH = 12  # characters: the longest mark, white space and the end of the sentence before

_lock = threading.Lock()


class UserWord(NamedTuple):
    """A word as Kiwi is to know it.

    Attributes:
        word: May have spaces within.
        tag: One of `USER_TAGS`; NNP is a name.
        score: Added to what speaks for the word where the text could be read otherwise too.
    """

    word: str
    tag: str = "NNP"
    score: float = 0.0


UserWords = tuple[UserWord, ...]


@lru_cache(maxsize=4)
def _load_kiwi(user_words: UserWords) -> "Kiwi":
    from kiwipiepy import Kiwi

    kiwi = Kiwi()
    for word in user_words:
        kiwi.add_user_word(*word)
    return kiwi


@contextmanager
def _kiwi(user_words: UserWords = ()) -> Iterator["Kiwi"]:
    """Lend the process's Kiwi to one thread at a time; a list of texts is spread over the cores by Kiwi itself."""
    with _lock:
        yield _load_kiwi(user_words)


def content_tokens(texts: Sequence[str], *, user_words: UserWords = ()) -> list[list[str]]:
    """Return each text's content morphemes in the order of the text.

    Latin letters are lowercased and numbers lose the commas between their thousands. A text in which Kiwi sees no
    content at all falls back to its lowercased words.

    Args:
        texts: Any texts; a list is analysed on all cores.
        user_words: Words that are to be known besides those of Kiwi's dictionary.
    """
    readable = [normalised(_UNREADABLE.sub(" ", text)) for text in texts]
    with _kiwi(user_words) as kiwi:
        analysed = [[_term(token) for token in tokens if _is_content(token)] for tokens in kiwi.tokenize(readable)]
    return [tokens or re.findall(r"\w+", text.lower()) for tokens, text in zip(analysed, readable, strict=True)]


def _term(token: "Token") -> str:
    form: str = token.form
    return form.replace(",", "") if token.tag == "SN" else form.lower()


def _is_content(token: "Token") -> bool:
    # Kiwi tags letters of other scripts (Cyrillic, kana) as symbols.
    return bool(token.tag.startswith(CONTENT_TAGS) or (token.tag == "SW" and token.form.isalpha()))


def morpheme_spans(texts: Sequence[str]) -> list[list[tuple[int, int]]]:
    """Return where each text's morphemes are, all of them, as (start, end) in the order of the text.

    Morphemes that are contracted into one syllable ("갔": "가", "었") are at the same place.

    Args:
        texts: Any texts; a list is analysed on all cores.
    """
    readable = [_UNREADABLE.sub(" ", text) for text in texts]
    with _kiwi() as kiwi:
        return [[(token.start, token.end) for token in tokens] for tokens in kiwi.tokenize(readable)]


def sentence_spans(texts: Sequence[str]) -> list[list[tuple[int, int]]]:
    """Return each text's sentences as (start, end) offsets that join up and cover all of the text.

    A sentence owns the white space that follows it.

    Args:
        texts: Any texts; a list is analysed on all cores.
    """
    readable = [_UNREADABLE.sub(" ", text) for text in texts]
    with _kiwi() as kiwi:
        split = [[sentence.start for sentence in sentences] for sentences in kiwi.split_into_sents(readable)]
    return [_cover(text, starts) for text, starts in zip(readable, split, strict=True)]


def _cover(text: str, starts: list[int]) -> list[tuple[int, int]]:
    own = {_before_mark(text, start) for start in starts[1:]}
    bounds = [0, *sorted(start for start in own if _can_start_a_sentence(text, start)), len(text)]
    return list(pairwise(bounds))


def _before_mark(text: str, start: int) -> int:
    # Kiwi leaves an exam's mark with the sentence before it: "… 그렇다. [A]" + "그는 …".
    mark = _MARK_AT_END.search(text, max(0, start - _MARK_REACH), start)
    return mark.start("mark") if mark else start


def _can_start_a_sentence(text: str, start: int) -> bool:
    # Kiwi may end a sentence inside a word: "<보기>" + "를 읽고 …".
    return start > 0 and (text[start - 1].isspace() or text[start - 1] in _SENTENCE_ENDS)


def analysis_identity(user_words: UserWords = ()) -> str:
    """Return what a text's analysis depends on: Kiwi, its model, the tags that are kept, a user's words, our code."""
    packages = " ".join(f"{package}-{version(package)}" for package in ("kiwipiepy", "kiwipiepy_model"))
    own = f" words {words_sha256(user_words)}" if user_words else ""
    return f"{packages} tags {','.join(CONTENT_TAGS)} analysis {ANALYSIS}{own}"


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
    lines = _read_words(Path(given)) if isinstance(given, (Path, str)) else given
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


def _read_words(path: Path) -> list[str]:
    try:
        return read_text(path).splitlines()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise MissingResourceError(f"cannot read the user words {path}: {error.strerror}") from error


def _word(cells: Sequence[str], place: str) -> UserWord:
    word, tag, score, *more = [*(" ".join(normalised(cell).split()) for cell in cells), "", ""][: max(3, len(cells))]
    tag = tag or UserWord._field_defaults["tag"]
    if not word or more or tag not in USER_TAGS:
        raise ConfigurationError(
            f"{place}: {' '.join(cells)!r} is no WORD, TAG and SCORE, apart by tabs (the last two may be left out), "
            f"with a tag of {', '.join(USER_TAGS)}"
        )
    try:
        value = float(score or 0)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigurationError(f"{place}: score '{score}' is no number")
    return UserWord(word, tag, value)
