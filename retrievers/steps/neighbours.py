"""Neighbour expansion: a hit is returned with the chunks before and after it, as one stretch of its passage.

A small chunk is found more surely, a large one is read more surely: what "그는" or "㉠" stands for is often in the
chunk before. Stretches of one passage that touch become one, in the passage's order, so nothing is shown twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field, PrivateAttr

from data.common.errors import ConfigurationError
from retrievers.base import PassageRetriever, score_of, search_in, with_score

Stretch = tuple[int, int]  # the orders of the first and the last chunk

_PLACE = ("passage_id", "order", "start", "end")


class NeighboursRetriever(PassageRetriever):
    """Returns the stretches around another retriever's `k` hits: at most `k` documents, as hits may be neighbours.

    Attributes:
        retriever: Over the same chunks.
        documents: All chunks, as `retrievers.corpus.chunk_passages` makes them.
        beside: How many chunks to add on each side.
    """

    retriever: BaseRetriever
    documents: Sequence[Document] = Field(repr=False)
    beside: int = Field(default=1, ge=1)
    _rows: dict[tuple[str, int], int] = PrivateAttr()  # (passage, order) → the row of the chunk

    def model_post_init(self, context: object, /) -> None:
        """Note where each chunk is.

        Raises:
            ValueError: A document does not say of which passage it is, or where in it.
        """
        self._rows = {}
        for row, document in enumerate(self.documents):
            if missing := [key for key in _PLACE if key not in document.metadata]:
                raise ValueError(f"document {document.id} has no {missing[0]} in its metadata, so no neighbours")
            self._rows[document.metadata["passage_id"], document.metadata["order"]] = row

    def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        """Find each query's stretches; one has the score of its best hit, and they are in the order of these."""
        return [self._stretches(hits[:k]) for hits in search_in(self.retriever, queries, k)]

    def _stretches(self, hits: Sequence[Document]) -> list[Document]:
        around: dict[str, list[Stretch]] = {}
        for hit in hits:
            passage, order = hit.metadata["passage_id"], hit.metadata["order"]
            around.setdefault(passage, []).append((order - self.beside, order + self.beside))
        joined = {passage: list(_joined(stretches)) for passage, stretches in around.items()}
        best: dict[tuple[str, Stretch], float] = {}
        for hit in hits:
            passage, order = hit.metadata["passage_id"], hit.metadata["order"]
            stretch = next(stretch for stretch in joined[passage] if stretch[0] <= order <= stretch[1])
            best.setdefault((passage, stretch), score_of(hit))
        return [with_score(self._put_together(*where), score) for where, score in best.items()]

    def _put_together(self, passage: str, stretch: Stretch) -> Document:
        rows = (self._rows.get((passage, order)) for order in range(stretch[0], stretch[1] + 1))
        chunks = [self.documents[row] for row in rows if row is not None]
        return chunks[0] if len(chunks) == 1 else _merged(chunks)


def _joined(stretches: Sequence[Stretch]) -> Iterator[Stretch]:
    """Join those that overlap or follow one another."""
    first, last = min(stretches)
    for start, end in sorted(stretches):
        if start > last + 1:
            yield first, last
            first = start
        last = end
    yield first, last


def _merged(chunks: Sequence[Document]) -> Document:
    text = chunks[0].page_content
    for before, chunk in pairwise(chunks):
        overlap = max(0, before.metadata["end"] - chunk.metadata["start"])
        text += _gap(before.metadata, chunk.metadata) + chunk.page_content[overlap:]
    first, last = chunks[0].metadata, chunks[-1].metadata
    name = f"{first['passage_id']}#{first['order']}-{last['order']}"
    return Document(id=name, page_content=text, metadata={**first, "chunk_id": name, "end": last["end"]})


def _gap(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    # Indexes of older versions did not keep the white space between two chunks.
    return str(after.get("gap", " ")) if int(str(after["start"])) > int(str(before["end"])) else ""


def build(retriever: BaseRetriever, documents: Sequence[Document], *, k: int, value: str | None) -> NeighboursRetriever:
    """Build the registry's step "neighbours".

    Raises:
        ConfigurationError: The value is no number of chunks.
    """
    beside = 1 if value is None else int(value) if value.isdecimal() else 0
    if beside < 1:
        raise ConfigurationError(
            f"retriever step 'neighbours={value}' needs a number of chunks from 1, as neighbours=2"
        )
    return NeighboursRetriever(retriever=retriever, documents=documents, beside=beside, k=k)
