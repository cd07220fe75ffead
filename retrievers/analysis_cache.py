"""Kiwi's analysis of texts kept on disk: it is nearly all of the time that indexing takes, and a text's never changes.

In come texts and the function that analyses them; out come their analyses, of which only those of new texts were
computed. So a corpus that grows, a k1 that changes or a run that was interrupted costs what is new in it. There is one
file per version of the analysis: see `retrievers.disk_cache`.
"""

import json
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from data.common.packaged import cache_dir
from retrievers.disk_cache import KeyValueFile, identified_file, text_key
from retrievers.korean import CONTENT_TAGS
from retrievers.user_words import UserWords, words_sha256

logger = logging.getLogger(__name__)

# Part of the name of the file: raise it when what `retrievers.korean` makes of Kiwi's analysis changes.
ANALYSIS = 3

_CREATE = "CREATE TABLE IF NOT EXISTS analyses (key BLOB PRIMARY KEY, analysis BLOB NOT NULL)"
_ANALYSED_AT_ONCE = 1000  # texts that are kept together; enough to keep all cores busy

Analysis = list[Any]  # of a text: its tokens, or the (start, end) of its sentences
Analyse = Callable[[Sequence[str]], list[Any]]


def analysis_identity(user_words: UserWords = ()) -> str:
    """Return what a text's analysis depends on: Kiwi, its model, the tags that are kept, a user's words, our code."""
    packages = " ".join(f"{package}-{version(package)}" for package in ("kiwipiepy", "kiwipiepy_model"))
    own = f" words {words_sha256(user_words)}" if user_words else ""
    return f"{packages} tags {','.join(CONTENT_TAGS)} analysis {ANALYSIS}{own}"


class AnalysisCache:
    """The analyses of texts, by kind and text.

    A cache must never stop a run: where the file cannot be read or written, it says so once and keeps nothing.

    Args:
        path: Of the file; None: the one in the project's cache for this analysis.
        user_words: That texts are analysed with.
    """

    def __init__(self, path: Path | None = None, *, user_words: UserWords = ()) -> None:
        path = path or identified_file(cache_dir() / "analysis", analysis_identity(user_words))
        self._file = KeyValueFile(path, create=_CREATE, table="analyses", column="analysis")
        self._warned = False

    def look_up(self, kind: str, texts: Sequence[str], analyse: Analyse) -> list[Analysis]:
        """Return each text's analysis, computing and keeping those that are not there.

        Args:
            kind: What `analyse` returns, such as "tokens": the same text has an analysis of each kind.
            texts: Any texts; an interruption loses the analyses of the last thousand.
            analyse: Returns one JSON list for each text.
        """
        found: list[Analysis] = []
        for start in range(0, len(texts), _ANALYSED_AT_ONCE):
            found += self._look_up(kind, texts[start : start + _ANALYSED_AT_ONCE], analyse)
        return found

    def _look_up(self, kind: str, texts: Sequence[str], analyse: Analyse) -> list[Analysis]:
        keys = [text_key(kind, text) for text in texts]
        known = self._get(list(dict.fromkeys(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            fresh = dict(zip(missing, analyse(list(missing.values())), strict=True))
            self._put(fresh)
            known |= fresh
        return [known[key] for key in keys]

    def _get(self, keys: Sequence[bytes]) -> dict[bytes, Analysis]:
        try:
            return {key: json.loads(analysis) for key, analysis in self._file.get(keys).items()}
        except (OSError, sqlite3.Error, ValueError) as error:
            self._warn("read", error)
            return {}

    def _put(self, analyses: Mapping[bytes, Analysis]) -> None:
        try:
            self._file.put({key: _as_json(analysis) for key, analysis in analyses.items()})
        except (OSError, sqlite3.Error) as error:
            self._warn("written", error)

    def _warn(self, action: str, error: Exception) -> None:
        if not self._warned:
            logger.warning("the cache of analysed texts %s cannot be %s (%s); going on", self._file.path, action, error)
        self._warned = True


def _as_json(analysis: Analysis) -> bytes:
    return json.dumps(analysis, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def kept(kind: str, analyse: Analyse) -> Analyse:
    """Return a function that does as `analyse` does, but only for texts that were never analysed before.

    Args:
        kind: As for `AnalysisCache.look_up`.
        analyse: Of Kiwi without a user's words.
    """
    return partial(AnalysisCache().look_up, kind, analyse=analyse)
