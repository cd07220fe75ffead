"""BM25 against other libraries: `python -m benches bm25 [--items N]` on KorQuAD's dev questions.

The first table is against langchain-community's BM25Retriever. Both sides index the same paragraphs and answer the same
questions through LangChain's `batch`, in turns. Three rows:
the same tokenizer on both sides (ours, one text a call for the peer, which takes no lists); each side with its own
default, which for the peer is words split at spaces; and ranking alone, with every text's tokens looked up.

BM25Retriever scores by rank-bm25's Okapi variant and returns documents without their scores; ours by Lucene's.

The second table is against bm25s, without documents and LangChain: both sides get the same tokens, weigh them by the
same formula, and return the rows and the scores of the k best documents. It says why our index is not bm25s's.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any, NamedTuple
from unittest.mock import patch

from benches.items import data_folder
from benches.table import RUNS, Timed, count, in_turns, markdown_table, median_seconds, timed, versions_line
from data.common.errors import MissingResourceError
from data.registry import retrieval_set
from data.retrieval_sets import RetrievalSet

K = 10
Tokenize = Callable[[Sequence[str]], list[list[str]]]


class Search(NamedTuple):
    """What a side does in one run: index, then answer; `index_s` of the run's seconds go to the index."""

    index_s: float
    mrr: float


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table."""
    from retrievers.korean import content_tokens

    options = _options(arguments)
    questions = korquad(options.items)
    ready = looked_up(content_tokens, questions)
    content_tokens(["첫 호출은 모델을 읽는다."])
    rows = [
        _compare("same tokenizer: morphemes", questions, content_tokens, content_tokens, options.runs),
        _compare("own defaults: morphemes, words", questions, content_tokens, None, options.runs),
        _compare("ranking alone: tokens looked up", questions, ready, ready, options.runs),
    ]
    print(
        f"KorQuAD 1.0 dev, {len(questions.queries)} questions, {len(questions.passages)} paragraphs, k = {K}; ", end=""
    )
    packages = ["kiwipiepy", "langchain-community", "rank-bm25", "langchain-core"]
    print(f"median of {options.runs}; {versions_line(packages)}\n")
    columns = ["tokens", "ours, queries/s", "BM25Retriever, queries/s", "ratio", "ours, index s", "theirs, index s"]
    print(markdown_table([*columns, f"ours, MRR@{K}", f"theirs, MRR@{K}"], rows))
    passages = ready([passage.text for passage in questions.passages])
    queries = ready([query.text for query in questions.queries])
    print(f"\n{versions_line(['bm25s', 'scipy', 'numpy'])}\n")
    rows = _against_bm25s(passages, queries, options.runs)
    print(markdown_table(["index and ranking alone", "ours", "bm25s", "ratio"], rows))


def korquad(limit: int | None) -> RetrievalSet:
    """Return all paragraphs with the first questions.

    Raises:
        MissingResourceError: TUNE_OR_PROMPT_DATA names no folder of data.
    """
    folder = data_folder()
    if folder is None:
        raise MissingResourceError(
            "this bench reads korquad/KorQuAD_v1.0_dev.json in the folder that TUNE_OR_PROMPT_DATA names; set it"
        )
    whole = retrieval_set("korquad", folder / "korquad" / "KorQuAD_v1.0_dev.json")
    return whole.model_copy(update={"queries": whole.queries[:limit]})


def looked_up(tokenize: Tokenize, questions: RetrievalSet) -> Tokenize:
    """Return a tokenizer that knows the set's texts already."""
    texts = [passage.text for passage in questions.passages] + [query.text for query in questions.queries]
    known = dict(zip(texts, tokenize(texts), strict=True))
    return lambda asked: [known[text] for text in asked]


def run_ours(questions: RetrievalSet, tokenize: Tokenize) -> Timed[Search]:
    """Index and answer with our retriever, whose tokenizer is replaced by the one given."""
    from eval.measures.retrieval_metrics import evaluate_retriever
    from retrievers.bm25 import Bm25Retriever
    from retrievers.corpus import whole_passages

    documents = whole_passages(questions.passages)
    with _tokenizer(tokenize):
        index = timed(lambda: Bm25Retriever(documents=documents, k=K))
        scores = evaluate_retriever(index.answer, questions, k=K)
    return Timed(scores.seconds_per_query * scores.n_queries, Search(index.seconds, scores.mrr_at_k))


def run_theirs(questions: RetrievalSet, tokenize: Tokenize | None) -> Timed[Search]:
    """Index and answer with BM25Retriever; without a tokenizer, with its own."""
    from langchain_community.retrievers import BM25Retriever

    from eval.measures.retrieval_metrics import evaluate_retriever
    from retrievers.corpus import whole_passages

    documents = whole_passages(questions.passages)
    settings: dict[str, Any] = {"preprocess_func": lambda text: tokenize([text])[0]} if tokenize else {}
    index = timed(lambda: BM25Retriever.from_documents(documents, k=K, **settings))
    scores = evaluate_retriever(index.answer, questions, k=K)
    return Timed(scores.seconds_per_query * scores.n_queries, Search(index.seconds, scores.mrr_at_k))


class Steps(NamedTuple):
    """Seconds of one run: to index, to answer all queries one by one, and all together; and what was found."""

    index_s: float
    single_s: float
    batch_s: float
    first: list[int]  # the best document of each query that has one


def _against_bm25s(passages: list[list[str]], queries: list[list[str]], runs: int) -> list[list[str]]:
    """Return a row for each step, in ms for one index or one query."""
    sides = in_turns(
        "index and ranking alone",
        lambda: timed(lambda: steps_of_ours(passages, queries)),
        lambda: timed(lambda: steps_of_bm25s(passages, queries)),
        runs=runs,
    )
    rows = []
    for name, step, calls in (
        ("index, ms", "index_s", 1),
        ("a query by itself, ms", "single_s", len(queries)),
        ("a query among all, ms", "batch_s", len(queries)),
    ):
        ours, theirs = (median(getattr(run.answer, step) for run in side) * 1000 / calls for side in sides)
        rows.append([name, f"{ours:.3g}", f"{theirs:.3g}", f"{theirs / ours:.2f} x"])
    first, others = (side[-1].answer.first for side in sides)
    same = sum(one == other for one, other in zip(first, others, strict=True))
    return [*rows, ["queries with the same best document", f"{same}", f"{len(queries)}", ""]]


def steps_of_ours(passages: list[list[str]], queries: list[list[str]]) -> Steps:
    """Index and answer with our index."""
    from retrievers.bm25_index import bm25_scores, build_index, top_rows

    def rank(asked: list[list[str]]) -> list[tuple[list[int], list[float]]]:
        best = ((top_rows(scores, K), scores) for scores in bm25_scores(index.answer, asked))
        return [(rows.tolist(), scores[rows].tolist()) for rows, scores in best]

    index = timed(lambda: build_index(passages, k1=0.9, b=0.4))
    single = timed(lambda: [rank([query])[0] for query in queries])
    batch = timed(lambda: rank(queries))
    return Steps(index.seconds, single.seconds, batch.seconds, [(rows or [-1])[0] for rows, _ in batch.answer])


def steps_of_bm25s(passages: list[list[str]], queries: list[list[str]]) -> Steps:
    """Index and answer with bm25s, as its documentation does: numpy alone, or numba where that is installed."""
    import bm25s

    found = bm25s.BM25(method="lucene", k1=0.9, b=0.4, backend="auto", csc_backend="auto")

    def rank(asked: list[list[str]]) -> Any:
        return found.retrieve(asked, k=K, show_progress=False, backend_selection="auto")

    index = timed(lambda: found.index(passages, show_progress=False))
    single = timed(lambda: [rank([query]) for query in queries])
    batch = timed(lambda: rank(queries))
    rows, scores = batch.answer
    best = zip(rows[:, 0].tolist(), scores[:, 0].tolist(), strict=True)
    return Steps(index.seconds, single.seconds, batch.seconds, [row if score > 0 else -1 for row, score in best])


@contextmanager
def _tokenizer(tokenize: Tokenize) -> Iterator[None]:
    # Which tokenizer it has is not an option of our retriever, and should not become one for a bench.
    with patch("retrievers.bm25.content_tokens", lambda texts, **_: tokenize(texts)):
        yield


def _compare(name: str, questions: RetrievalSet, ours: Tokenize, theirs: Tokenize | None, runs: int) -> list[str]:
    mine, other = in_turns(name, lambda: run_ours(questions, ours), lambda: run_theirs(questions, theirs), runs=runs)
    fast, slow = (len(questions.queries) / median_seconds(side) for side in (mine, other))
    return [
        name,
        f"{fast:.0f}",
        f"{slow:.0f}",
        f"{fast / slow:.1f} x",
        *(f"{median(run.answer.index_s for run in side):.2f}" for side in (mine, other)),
        *(f"{side[-1].answer.mrr:.3f}" for side in (mine, other)),
    ]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches bm25", description=str(__doc__).split("\n")[0])
    parser.add_argument("--items", type=count, help="first questions asked (default: all); paragraphs are all there")
    parser.add_argument("--runs", type=count, default=RUNS)
    return parser.parse_args(list(arguments))
