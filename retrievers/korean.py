"""Korean text analysis by Kiwi: sentences for chunking, content morphemes for BM25.

Korean glues particles and endings to words ("학교에서", "학교를"), so words split at spaces rarely match;
morphemes do. One Kiwi model serves the process, and one more each set of a user's own words: it takes seconds and some
100 MB to load.

Source: Kiwi (https://github.com/bab2min/Kiwi), LGPL-2.1-or-later; tags are those of the Sejong corpus.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from data.common.text import normalised
from retrievers.user_words import UserWords

if TYPE_CHECKING:
    from kiwipiepy import Kiwi, Token

# Nouns, numerals and pronouns, verbs, adjectives and general adverbs, roots; then Latin, hanja, numbers, mails and
# links, and what Kiwi does not know. Particles, endings, the copula and auxiliary verbs say how, not what.
CONTENT_TAGS = ("NN", "NR", "NP", "VV", "VA", "MAG", "XR", "SL", "SH", "SN", "W_", "UN")

# Kiwi refuses half of a surrogate pair and reads NUL as an end; both become one other character, so offsets hold.
_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_SENTENCE_ENDS = ".!?…。！？"
_MARK_AT_END = re.compile(rf"[{_SENTENCE_ENDS}”’]\s+(?P<mark>\[[A-Z]\]|\([가-하]\)|<보기>|[㉠-㉻ⓐ-ⓩ①-⑳])\s*$")
_MARK_REACH = 12  # characters: the longest mark, white space and the end of the sentence before

_lock = threading.Lock()


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
