"""From passages to the documents that retrievers index: whole passages, or chunks of whole sentences.

Exam paragraphs have no line breaks, so a splitter that looks for them cuts in mid-sentence; here Kiwi finds the
sentences. A chunk knows its passage, its order and its offsets, so that evidence can be shown in place.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from langchain_core.documents import Document

from data.errors import ConfigurationError
from data.types import Item, Passage
from retrievers.korean import sentence_spans

Span = tuple[int, int]

# Where a sentence that is too long may be cut, best first: at a line's end, after a clause, between words.
_CUTS = (re.compile(r"\n"), re.compile(r"[,;:·—…)\]}>」』”’]\s"), re.compile(r"\s"))


def passages_from_items(items: Iterable[Item]) -> list[Passage]:
    """Return the passages that items ask about, each once, in the order of their first item.

    Items without a passage (a KICE problem that stands alone, an MNLI pair) add none.

    Raises:
        ValueError: Two items of one group show different passages.
    """
    texts: dict[str, str] = {}
    for item in items:
        text = item.inputs.get("passage", "")
        if text.strip() and texts.setdefault(item.group, text) != text:
            raise ValueError(f"items of group '{item.group}' show different passages")
    return [Passage(id=group, text=text) for group, text in texts.items()]


def whole_passages(passages: Sequence[Passage]) -> list[Document]:
    """Return one document per passage that is not blank, for corpora whose passages are the unit of search.

    Raises:
        ConfigurationError: Two passages have the same id.
    """
    _check_ids(passages)
    return [_chunk(passage, 0, (0, len(passage.text))) for passage in passages if passage.text.strip()]


def chunk_passages(
    passages: Sequence[Passage],
    *,
    max_chars: int = 500,
    overlap_sentences: int = 1,
    find_sentences: Callable[[Sequence[str]], Sequence[Sequence[Span]]] = sentence_spans,
) -> list[Document]:
    """Cut passages into windows of whole sentences; `passage.text[start:end]` is the chunk's text.

    No character but white space at a chunk's edges is lost. A sentence longer than `max_chars` is cut at a line's end,
    after a clause or between words, whichever comes first in this order.

    Args:
        passages: With unique ids; blank ones give no chunk.
        max_chars: Most characters of a chunk. 500 Korean characters are about 300 tokens of multilingual-e5, which
            reads 512.
        overlap_sentences: Sentences that a chunk repeats from the one before, as far as they fit, because an answer's
            sentence often leans on the one before it.
        find_sentences: Returns each text's sentences as (start, end); a caller may keep them from run to run.

    Returns:
        Documents with `id` = "PASSAGE#ORDER" and metadata passage_id, chunk_id, start, end, order.

    Raises:
        ValueError: `max_chars` < 1 or `overlap_sentences` < 0.
        ConfigurationError: Two passages have the same id.
    """
    if max_chars < 1 or overlap_sentences < 0:
        raise ValueError(f"max_chars must be ≥ 1 and overlap_sentences ≥ 0, not {max_chars} and {overlap_sentences}")
    _check_ids(passages)
    chunks: list[Document] = []
    for passage, sentences in zip(passages, find_sentences([passage.text for passage in passages]), strict=True):
        pieces = [piece for sentence in sentences for piece in _cut(passage.text, sentence, max_chars)]
        windows = [window for window in _windows(pieces, max_chars, overlap_sentences) if _has_text(passage, window)]
        chunks += [_chunk(passage, order, window) for order, window in enumerate(windows)]
    return chunks


def _check_ids(passages: Sequence[Passage]) -> None:
    seen: set[str] = set()
    for passage in passages:
        if passage.id in seen:
            raise ConfigurationError(f"two passages have the id '{passage.id}'; give each passage its own id")
        seen.add(passage.id)


def _cut(text: str, sentence: Span, max_chars: int) -> Iterator[Span]:
    start, end = sentence
    while end - start > max_chars:
        cut = _cut_point(text, start, start + max_chars)
        yield start, cut
        start = cut
    if start < end:
        yield start, end


def _cut_point(text: str, start: int, limit: int) -> int:
    # The first half is left alone, so that a cut does not leave a crumb.
    for pattern in _CUTS:
        ends = [match.end() for match in pattern.finditer(text, start + (limit - start) // 2, limit)]
        if ends:
            return ends[-1]
    return limit


def _windows(pieces: list[Span], max_chars: int, overlap: int) -> Iterator[Span]:
    first = last = 0  # the window is pieces[first:last]
    while last < len(pieces):
        first = max(first, last - overlap) if last else 0
        while pieces[last][1] - pieces[first][0] > max_chars:
            first += 1  # ends at first == last at the latest, for every piece fits alone
        while last < len(pieces) and pieces[last][1] - pieces[first][0] <= max_chars:
            last += 1
        yield pieces[first][0], pieces[last - 1][1]


def _has_text(passage: Passage, window: Span) -> bool:
    return bool(passage.text[slice(*window)].strip())


def _chunk(passage: Passage, order: int, window: Span) -> Document:
    raw = passage.text[slice(*window)]
    start = window[0] + len(raw) - len(raw.lstrip())
    text = raw.strip()
    chunk_id = f"{passage.id}#{order}"
    metadata = {
        "passage_id": passage.id,
        "chunk_id": chunk_id,
        "start": start,
        "end": start + len(text),
        "order": order,
    }
    return Document(id=chunk_id, page_content=text, metadata=metadata)
