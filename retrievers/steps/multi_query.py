"""Multi-query retrieval: a query is looked up whole and line by line, and what they find is fused by rank.

A retriever takes a string, and a chain puts what it has to look up on lines of their own: the question, the lines of
its 보기, each choice. One vector or one bag of words for all of them can drown the one choice that names its passage.
So a document scores by its rank for the whole query and by its best rank for a line. (The sum over all lines, which is
usual where the queries are paraphrases, is far worse here: most lines name nothing of their passage, and what they
find by chance adds up. Seen on five KICE exams.)

Source: Rackauckas 2024, "RAG-Fusion", arXiv:2402.03367; here the queries are the item's own parts, not a model's
paraphrases, so they cost nothing and are the same in every run.
"""

from collections.abc import Sequence

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from data.common.errors import ConfigurationError
from retrievers.base import PassageRetriever, id_of, search_in, with_score
from retrievers.hybrid import reciprocal_rank

_MIN_CANDIDATES = 50
_CANDIDATES_PER_K = 4


class MultiQueryRetriever(PassageRetriever):
    """Asks another retriever for a query and for each of its lines; the score is the sum of two reciprocal ranks.

    Attributes:
        retriever: Its documents must have ids.
    """

    retriever: BaseRetriever

    def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        """Look up all queries and their lines in one pass, and fuse each query's."""
        lines = [lines_of(query) for query in queries]
        asked = list(dict.fromkeys([*queries, *(line for of_query in lines for line in of_query)]))
        depth = max(_MIN_CANDIDATES, _CANDIDATES_PER_K * k)
        found = dict(zip(asked, search_in(self.retriever, asked, depth), strict=True))
        return [
            _fused(found[query], [found[line] for line in of_query], k)
            for query, of_query in zip(queries, lines, strict=True)
        ]


def lines_of(query: str) -> list[str]:
    """Return a query's lines that are not blank, each once, without white space around them."""
    return list(dict.fromkeys(line.strip() for line in query.splitlines() if line.strip()))


def _fused(whole: Sequence[Document], lines: Sequence[Sequence[Document]], k: int) -> list[Document]:
    documents = {id_of(document): document for hits in (*lines, whole) for document in hits}
    scores = _ranks(whole)
    best: dict[str, float] = {}
    for hits in lines:
        for name, score in _ranks(hits).items():
            best[name] = max(score, best.get(name, 0.0))
    for name, score in best.items():
        scores[name] = scores.get(name, 0.0) + score
    first = sorted(scores, key=lambda name: -scores[name])[:k]
    return [with_score(documents[name], scores[name]) for name in first]


def _ranks(hits: Sequence[Document]) -> dict[str, float]:
    return reciprocal_rank([{id_of(document): 0.0 for document in hits}])


def build(retriever: BaseRetriever, documents: Sequence[Document], *, k: int, value: str | None) -> MultiQueryRetriever:
    """Build the registry's step "multi-query".

    Raises:
        ConfigurationError: It was given a value.
    """
    if value is not None:
        raise ConfigurationError(f"retriever step 'multi-query' takes no value but '{value}' was given; drop it")
    return MultiQueryRetriever(retriever=retriever, k=k)
