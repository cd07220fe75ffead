"""From passages to the documents that retrievers index: whole passages, or chunks of whole sentences.

Exam paragraphs have no line breaks, so a splitter that looks for them cuts in mid-sentence; here Kiwi finds the
sentences. A chunk knows its passage, its order and its offsets, so that evidence can be shown in place. Chunks and
their ids follow from the text and the settings alone: every run makes the same ones.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

from langchain_core.documents import Document

from data.common.attributes import load_attribute
from data.common.errors import ConfigurationError, MissingResourceError, unknown_name
from data.splits import fold
from data.types import Item, Passage
from retrievers.korean import morpheme_spans, sentence_spans

Span = tuple[int, int]
FindSpans = Callable[[Sequence[str]], Sequence[Sequence[Span]]]  # of each text (start, end), in the order of the text

# About 500 Korean characters, some 300 tokens of multilingual-e5, which reads 512.
MAX_TOKENS = 256
OVERLAP_TOKENS = 64

# Where a sentence that is too long may be cut, best first: after a stanza, at a line's end, after a clause, between
# words.
_CUTS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"[,;:·—…)\]}>」』”’]\s"), re.compile(r"\s"))


def passages_from_items(items: Iterable[Item]) -> list[Passage]:
    """Return the passages that items ask about, each once, in the order of their first item.

    Items without a passage (a KICE problem that stands alone, an MNLI pair) add none.

    Raises:
        ConfigurationError: Two items of one group show different passages, but for case and white space.
    """
    texts: dict[str, str] = {}
    for item in items:
        text = item.inputs.get("passage", "")
        if text.strip() and (known := texts.setdefault(item.group, text)) != text and fold(known) != fold(text):
            raise ConfigurationError(
                f"items of group '{item.group}' show different passages, and a passage is looked up under its group; "
                "leave --group out, or name --passages"
            )
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
    max_tokens: int = MAX_TOKENS,
    overlap_tokens: int = OVERLAP_TOKENS,
    tokens: str | FindSpans = "kiwi",
    find_sentences: FindSpans = sentence_spans,
) -> list[Document]:
    """Cut passages into windows of whole sentences; `passage.text[start:end]` is the chunk's text.

    No character but white space at a chunk's edges is lost, and that before a chunk is in its metadata. A sentence of
    more than `max_tokens` is cut after a stanza, at a line's end, after a clause or between words, whichever comes
    first in this order.

    Args:
        passages: What is searched; ids are unique, and blank ones give no chunk.
        max_tokens: Most tokens of a chunk, as they are counted in the passage. One character is never cut, however
            many tokens it has.
        overlap_tokens: Most tokens that a chunk repeats from the end of the one before, in whole sentences, because
            an answer's sentence often leans on the one before it.
        tokens: What is counted: a tokenizer's name (see `find_tokens`), or a function that
            returns each text's tokens as (start, end).
        find_sentences: Returns each text's sentences as (start, end); a caller may keep them from run to run.

    Returns:
        Documents with `id` = "PASSAGE#ORDER" and metadata passage_id, chunk_id, start, end, order, and gap: the white
        space between the end of the chunk before and this one, by which neighbours can be put together again.

    Raises:
        ValueError: `max_tokens` < 1 or `overlap_tokens` < 0.
        ConfigurationError: Two passages have the same id, or there is no such tokenizer.
        MissingResourceError: The tokenizer's files are not there.
    """
    if max_tokens < 1 or overlap_tokens < 0:
        raise ValueError(f"max_tokens must be ≥ 1 and overlap_tokens ≥ 0, not {max_tokens} and {overlap_tokens}")
    _check_ids(passages)
    texts = [passage.text for passage in passages]
    found = (find_tokens(tokens) if isinstance(tokens, str) else tokens)(texts)
    cut = zip(passages, find_sentences(texts), found, strict=True)
    return [chunk for one in cut for chunk in _cut_passage(*one, max_tokens=max_tokens, overlap=overlap_tokens)]


def _cut_passage(
    passage: Passage, sentences: Sequence[Span], spans: Sequence[Span], *, max_tokens: int, overlap: int
) -> Iterator[Document]:
    starts = sorted(start for start, _ in spans)
    pieces = [piece for sentence in sentences for piece in _cut(passage.text, sentence, starts, max_tokens)]
    return _chunks(passage, _windows(pieces, starts, max_tokens, overlap))


def _check_ids(passages: Sequence[Passage]) -> None:
    seen: set[str] = set()
    for passage in passages:
        if passage.id in seen:
            raise ConfigurationError(f"two passages have the id '{passage.id}'; give each passage its own id")
        seen.add(passage.id)


def _n_tokens(starts: Sequence[int], start: int, end: int) -> int:
    return bisect_left(starts, end) - bisect_left(starts, start)


def _cut(text: str, sentence: Span, starts: Sequence[int], max_tokens: int) -> Iterator[Span]:
    start, end = sentence
    while _n_tokens(starts, start, end) > max_tokens:
        # The first token that is too many starts here; a character that has several tokens stays whole.
        limit = max(starts[bisect_left(starts, start) + max_tokens], start + 1)
        if limit >= end:
            break
        cut = _cut_point(text, start, limit)
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


def _windows(pieces: Sequence[Span], starts: Sequence[int], max_tokens: int, overlap: int) -> Iterator[Span]:
    first = last = 0  # the window is pieces[first:last]
    while last < len(pieces):
        end = pieces[last - 1][1] if last else 0
        while first < last and _n_tokens(starts, pieces[first][0], end) > overlap:
            first += 1
        while first < last and _n_tokens(starts, pieces[first][0], pieces[last][1]) > max_tokens:
            first += 1
        last += 1  # even a piece of one character with more tokens than are allowed
        while last < len(pieces) and _n_tokens(starts, pieces[first][0], pieces[last][1]) <= max_tokens:
            last += 1
        yield pieces[first][0], pieces[last - 1][1]


def _chunks(passage: Passage, windows: Iterable[Span]) -> Iterator[Document]:
    order = end_of_last = 0
    for window in windows:
        if passage.text[slice(*window)].strip():
            chunk = _chunk(passage, order, window, end_of_last=end_of_last)
            order, end_of_last = order + 1, chunk.metadata["end"]
            yield chunk


def _chunk(passage: Passage, order: int, window: Span, *, end_of_last: int = 0) -> Document:
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
        "gap": passage.text[end_of_last:start],  # "" where the chunks overlap
    }
    return Document(id=chunk_id, page_content=text, metadata=metadata)


def find_tokens(tokenizer: str) -> FindSpans:
    """Return the function that finds texts' tokens, which chunks are measured in.

    Kiwi's morphemes are the default, and not the embedding model's tokens: a chunk's id must not change with the model
    that embeds it, or retrievers could not be compared over the same chunks. They need no weights either, for Kiwi is
    there for the sentences already. Whoever has to fill a model's context to the brim names that model's tokenizer.

    Args:
        tokenizer: "kiwi" (morphemes), "chars", "hf:NAME_OR_DIR" (a transformers tokenizer; its special tokens are not
            counted), or "module:attr", a function of your own.

    Raises:
        ConfigurationError: The name is unknown, or the tokenizer does not tell where its tokens are.
        MissingResourceError: The tokenizer is not there.
    """
    scheme, _, name = tokenizer.partition(":")
    if tokenizer == "kiwi":
        return morpheme_spans
    if tokenizer == "chars":
        return _characters
    if scheme == "hf" and name:
        return _of_transformers(name)
    if not name:
        raise unknown_name("tokenizer", tokenizer, ["kiwi", "chars", "hf:NAME_OR_DIR", "module:attr"])
    own = load_attribute(tokenizer, kind="tokenizer")
    if not callable(own):
        raise ConfigurationError(f"tokenizer '{tokenizer}' is no function from texts to lists of (start, end)")
    find: FindSpans = own
    return find


def _characters(texts: Sequence[str]) -> list[list[Span]]:
    return [[(place, place + 1) for place in range(len(text))] for text in texts]


def _of_transformers(name: str) -> FindSpans:
    from transformers import AutoTokenizer

    from retrievers.embeddings import TOKENIZER_FILES, model_folder

    folder = model_folder(name, kind="tokenizer", instead="'kiwi'", files=TOKENIZER_FILES)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise MissingResourceError(f"{folder} holds no tokenizer; name a model's folder, or use 'kiwi'") from error
    if not tokenizer.is_fast:
        raise ConfigurationError(f"tokenizer 'hf:{name}' does not tell where its tokens are; name one that is 'fast'")

    def find(texts: Sequence[str]) -> list[list[Span]]:
        if not texts:
            return []
        encoded = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return [[(start, end) for start, end in spans] for spans in encoded["offset_mapping"]]

    return find
