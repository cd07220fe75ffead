"""BM25 against rank-bm25 and the formula on paper; Korean is matched by morpheme; batches are real and traced."""

import asyncio
import gc
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda
from numpy.typing import NDArray
from rank_bm25 import BM25Okapi

from data.common.errors import ConfigurationError
from retrievers import bm25, bm25_index
from retrievers.base import collection_paused
from retrievers.bm25 import Bm25Retriever
from retrievers.bm25_index import Bm25Index, bm25_scores, build_index, top_rows
from retrievers.korean import content_tokens

TEXTS = {
    "school": "학생들은 아침마다 학교에서 국어를 공부하였다.",
    "sea": "바닷가의 등대는 밤새 바다를 비추었다.",
    "economy": "2023년 물가가 3.5% 올랐고 중앙은행은 금리를 인상했다.",
    "virtue": "맹자는 良心을 사람의 본성이라고 보았다.",
    "model": "The Transformer model reads every token of a sentence at once.",
}
DOCUMENTS = [Document(id=name, page_content=text, metadata={"passage_id": name}) for name, text in TEXTS.items()]


@pytest.fixture(scope="module")
def retriever() -> Bm25Retriever:
    return Bm25Retriever(documents=DOCUMENTS, k=2)


class Runs(BaseCallbackHandler):
    """Keeps what retriever runs start and end with."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str | None]] = []
        self.ended = 0
        self.failed = 0

    def on_retriever_start(self, serialized, query, *, tags=None, name=None, **_) -> None:
        self.started.append((query, ",".join(tags or [])))

    def on_retriever_end(self, documents, **_) -> None:
        self.ended += 1

    def on_retriever_error(self, error, **_) -> None:
        self.failed += 1


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("학교를 다니는 학생은 무엇을 공부했는가?", "school"),
        ("바다가 보이는 등대", "sea"),
        ("2023년에 금리는 어떻게 되었나", "economy"),
        ("良心", "virtue"),
        ("TRANSFORMER", "model"),
    ],
)
def test_the_document_with_the_query_s_morphemes_is_first(retriever, query, name) -> None:
    assert retriever.invoke(query)[0].id == name


def test_content_tokens_leave_particles_and_endings_out() -> None:
    assert content_tokens(["학교에서 밥을 먹었다."]) == [["학교", "밥", "먹"]]
    assert content_tokens(["GPT-4와 2023년의 良心"]) == [["gpt", "4", "2023", "년", "良心"]]
    assert content_tokens(["", "그러나", "\ud800\0 학교"]) == [[], ["그러나"], ["학교"]]


def test_decomposed_hangul_is_the_same_text() -> None:
    import unicodedata

    assert content_tokens([unicodedata.normalize("NFD", "학교에서")]) == [["학교"]]


def test_scores_are_in_the_metadata_and_the_corpus_stays_as_it_was(retriever) -> None:
    first, *rest = retriever.invoke("학교와 바다와 등대", k=5)
    scores = [document.metadata["score"] for document in (first, *rest)]
    assert scores == sorted(scores, reverse=True)
    assert all(isinstance(score, float) and score > 0 for score in scores)
    assert first.metadata["passage_id"] == first.id
    assert all("score" not in document.metadata for document in DOCUMENTS)


def test_only_documents_that_match_are_found(retriever) -> None:
    assert len(retriever.invoke("바다", k=100)) == 1
    assert retriever.invoke("고양이") == []
    assert len(retriever.invoke("학교 바다 금리 良心 token", k=100)) == len(DOCUMENTS)


@pytest.mark.parametrize("query", ["", "  \n", "?!"])
def test_a_query_without_content_finds_nothing(retriever, query) -> None:
    assert retriever.invoke(query) == []
    assert retriever.batch([query, "바다"])[0] == []


def test_impossible_settings_are_refused(retriever) -> None:
    with pytest.raises(ConfigurationError, match="corpus is empty"):
        Bm25Retriever(documents=[])
    with pytest.raises(ConfigurationError, match="k is 0"):
        Bm25Retriever(documents=DOCUMENTS, k=0)
    with pytest.raises(ConfigurationError, match="k is -1"):
        retriever.invoke("바다", k=-1)
    with pytest.raises(ConfigurationError, match="k is 0"):
        retriever.batch(["바다", "학교"], k=0)
    with pytest.raises(ConfigurationError, match="'bm25' uses no embeddings"):
        bm25.build(DOCUMENTS, k=1, embeddings="e5-small")


def test_a_corpus_of_punctuation_can_be_asked() -> None:
    assert (
        Bm25Retriever(documents=[Document(id="1", page_content="…"), Document(id="2", page_content="?!")]).invoke(
            "바다"
        )
        == []
    )


def test_batch_is_invoke_in_one_pass(retriever, monkeypatch) -> None:
    passes = []
    search = Bm25Retriever.search
    monkeypatch.setattr(Bm25Retriever, "search", lambda self, q, k: passes.append((list(q), k)) or search(self, q, k))
    queries = ["바다", "학교", "바다", "", "금리"]
    batched = retriever.batch(queries, k=1)
    assert passes == [(["바다", "학교", "금리"], 1)]
    assert batched == [retriever.invoke(query, k=1) for query in queries]
    assert asyncio.run(retriever.abatch(queries, k=1)) == batched
    assert asyncio.run(retriever.ainvoke("바다", k=1)) == batched[0]
    assert retriever.batch([]) == []


def test_every_query_of_a_batch_is_a_run_with_its_own_config(retriever) -> None:
    runs = [Runs(), Runs()]
    configs = [{"callbacks": [run], "tags": [f"tag{place}"]} for place, run in enumerate(runs)]
    retriever.batch(["바다", "학교"], configs)
    assert [run.started for run in runs] == [[("바다", "tag0")], [("학교", "tag1")]]
    assert [run.ended for run in runs] == [1, 1]
    asyncio.run(retriever.abatch(["바다", "학교"], configs))
    assert [run.ended for run in runs] == [2, 2]


def test_a_batch_needs_a_config_for_each_query(retriever) -> None:
    with pytest.raises(ValueError, match="2 inputs"):
        retriever.batch(["바다", "학교"], [])


def test_one_bad_query_does_not_sink_the_batch(retriever) -> None:
    run = Runs()
    found, error = retriever.batch(["바다", 7], {"callbacks": [run]}, return_exceptions=True)
    assert found[0].id == "sea"
    assert isinstance(error, TypeError)
    assert (run.ended, run.failed) == (1, 1)
    with pytest.raises(TypeError, match="a query is a string"):
        retriever.batch(["바다", 7])


def test_a_failed_pass_fails_every_run_of_the_batch(retriever, monkeypatch) -> None:
    def broken(self, queries, k):
        raise ConnectionError("gone")

    monkeypatch.setattr(Bm25Retriever, "search", broken)
    run = Runs()
    outcomes = retriever.batch(["바다", "학교"], {"callbacks": [run]}, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["gone", "gone"]
    assert run.failed == 2


def test_it_composes_like_any_runnable(retriever) -> None:
    chain = retriever.bind(k=1) | RunnableLambda(lambda documents: [document.id for document in documents])
    assert chain.batch(["바다", "학교"]) == [["sea"], ["school"]]


def test_threads_agree(retriever) -> None:
    queries = ["바다", "학교", "금리", "良心"] * 10
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(retriever.invoke, queries)) == [retriever.invoke(query) for query in queries]


def one_query_s_scores(index: Bm25Index, tokens: list[str]) -> NDArray[np.float32]:
    (scores,) = bm25_scores(index, [tokens])
    return scores


token_lists = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=12), min_size=2, max_size=12)


@settings(max_examples=100, deadline=None)
@given(corpus=token_lists.filter(any), query=st.lists(st.sampled_from("abcdefghz"), min_size=1, max_size=6))
def test_scores_are_lucene_s_formula(corpus, query) -> None:
    k1, b = 1.5, 0.75
    mean_length = sum(map(len, corpus)) / len(corpus)
    expected = [
        sum(
            math.log(1 + (len(corpus) - n + 0.5) / (n + 0.5))
            * tokens.count(term)
            / (tokens.count(term) + k1 * (1 - b + b * len(tokens) / mean_length))
            for term in query
            if (n := sum(term in other for other in corpus))
        )
        for tokens in corpus
    ]
    np.testing.assert_allclose(
        one_query_s_scores(build_index(corpus, k1=k1, b=b), query), expected, rtol=1e-4, atol=1e-6
    )


@settings(max_examples=100, deadline=None)
@given(corpus=token_lists.filter(all), term=st.sampled_from("abcdefgh"))
def test_one_term_ranks_as_rank_bm25_does(corpus, term) -> None:
    # The variants differ in their idf, a factor of each term: with one term they must agree up to that factor.
    oracle = BM25Okapi(corpus, k1=1.5, b=0.75)
    oracle.idf = dict.fromkeys(oracle.idf, 1.0)
    theirs = np.array(oracle.get_scores([term]))
    ours = one_query_s_scores(build_index(corpus, k1=1.5, b=0.75), [term])
    if theirs.max() == 0:
        assert not ours.any()
    else:
        np.testing.assert_allclose(ours / ours.max(), theirs / theirs.max(), rtol=1e-4)


def test_real_text_ranks_as_rank_bm25_does_with_lucene_s_idf() -> None:
    corpus = content_tokens(list(TEXTS.values()))
    oracle = BM25Okapi(corpus, k1=1.5, b=0.75)
    counts = {term: sum(term in tokens for tokens in corpus) for term in oracle.idf}
    oracle.idf = {term: math.log(1 + (len(corpus) - n + 0.5) / (n + 0.5)) for term, n in counts.items()}
    index = build_index(corpus, k1=1.5, b=0.75)
    for query in content_tokens(["학교에서 바다를 보는 학생", "물가와 금리", "사람의 본성과 token"]):
        # rank-bm25 keeps the constant factor (k1 + 1) that Lucene leaves out.
        np.testing.assert_allclose(one_query_s_scores(index, query) * 2.5, oracle.get_scores(query), rtol=1e-4)


@pytest.mark.parametrize("at_once", [1, 11, 1000])
def test_scores_do_not_depend_on_how_many_queries_share_a_product(at_once, monkeypatch) -> None:
    index = build_index([["a", "b"], [], ["b", "c", "c"], ["a"], ["d"]], k1=1.5, b=0.75)
    queries = [["a", "b", "a"], [], ["z"], ["c", "z", "b"], ["d"]]
    alone = [one_query_s_scores(index, query) for query in queries]
    monkeypatch.setattr(bm25_index, "_SCORES_AT_ONCE", at_once)
    np.testing.assert_array_equal(list(bm25_scores(index, queries)), alone)
    assert list(bm25_scores(index, [])) == []


def test_the_garbage_collector_is_as_it_was(retriever, monkeypatch) -> None:
    retriever.batch(["바다", "학교"])
    assert gc.isenabled()
    monkeypatch.setattr(bm25, "top_rows", lambda scores, k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        retriever.invoke("바다")
    assert gc.isenabled()
    gc.disable()
    try:
        with collection_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@given(scores=st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), max_size=30), k=st.integers(1, 40))
def test_top_rows_are_a_stable_sort_cut_at_k(scores, k) -> None:
    expected = [row for row in sorted(range(len(scores)), key=lambda row: -scores[row]) if scores[row] > 0][:k]
    assert top_rows(np.array(scores, dtype=np.float32), k).tolist() == expected
