"""Recall, MRR and nDCG by hand and by scikit-learn; chunks count for their passage; KorQuAD keeps its bar."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from pydantic import Field
from scipy.stats import permutation_test
from sklearn.metrics import ndcg_score

from data.korquad import load_retrieval
from data.registry import load_items
from data.retrieval_sets import Query, RetrievalSet
from data.types import Passage
from eval.cli.parser import main
from eval.measures.retrieval_metrics import (
    compare_retrievers,
    evaluate_retriever,
    rank_passages,
    render_json,
    render_table,
    score_ranking,
)
from eval.measures.stats import paired_difference_interval
from retrievers import build_retriever, embeddings, korean
from retrievers.base import PassageRetriever, with_score
from retrievers.index_files import cached_indexes
from tests.support.counted_kiwi import Counted
from tests.support.exam_file import write_exam
from tests.support.toy_embeddings import CountingModel


class Scripted(PassageRetriever):
    """Finds the passages that the script lists for a query, by chunk id "PASSAGE#ORDER"."""

    script: dict[str, list[str]]
    depths: list[int] = Field(default_factory=list)

    def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        self.depths.append(k)
        return [[self._hit(chunk) for chunk in self.script[query][:k]] for query in queries]

    def _hit(self, chunk: str) -> Document:
        return with_score(Document(id=chunk, page_content="", metadata={"passage_id": chunk.split("#")[0]}), 1.0)


def retrieval_set(relevant: dict[str, set[str]], pool: str = "abcdef") -> RetrievalSet:
    return RetrievalSet(
        name="toy",
        queries=tuple(Query(id=text, text=text, relevant=frozenset(ids)) for text, ids in relevant.items()),
        passages=tuple(Passage(id=name, text=name) for name in pool),
    )


def test_one_ranking_by_hand() -> None:
    scores = score_ranking(["x", "a", "y", "b"], frozenset("abc"), k=4)
    gain = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert scores == pytest.approx((0.0, 2 / 3, 0.5, gain / ideal))
    assert score_ranking(["a", "b"], frozenset("ab"), k=1) == pytest.approx((0.5, 0.5, 1.0, 1.0))
    assert score_ranking([], frozenset("a"), k=10) == (0.0, 0.0, 0.0, 0.0)
    assert score_ranking(["x", "a"], frozenset("a"), k=1) == (0.0, 0.0, 0.0, 0.0)


@given(
    order=st.permutations("abcdefgh"), relevant=st.sets(st.sampled_from("abcdefgh"), min_size=1), k=st.integers(1, 8)
)
def test_ndcg_is_scikit_learn_s(order, relevant, k) -> None:
    truth = np.array([[name in relevant for name in "abcdefgh"]], dtype=float)
    guess = np.array([[-order.index(name) for name in "abcdefgh"]], dtype=float)
    assert score_ranking(order, frozenset(relevant), k=k).ndcg_at_k == pytest.approx(ndcg_score(truth, guess, k=k))


def test_means_are_over_all_queries() -> None:
    script = {"q1": ["a#0", "b#0"], "q2": ["b#0", "c#0", "a#0"], "q3": []}
    scores = evaluate_retriever(Scripted(script=script), retrieval_set({"q1": {"a"}, "q2": {"a"}, "q3": {"a"}}), k=3)
    assert (scores.n_queries, scores.n_passages, scores.k) == (3, 6, 3)
    assert scores.recall_at_1 == pytest.approx(1 / 3)
    assert scores.recall_at_k == pytest.approx(2 / 3)
    assert scores.mrr_at_k == pytest.approx((1 + 1 / 3) / 3)
    assert scores.ndcg_at_k == pytest.approx((1 + 1 / math.log2(4)) / 3)
    assert [query.mrr_at_k for query in scores.per_query] == pytest.approx([1, 1 / 3, 0])
    assert scores.seconds_per_query > 0


def test_chunks_count_for_their_passage_and_more_are_asked_for_where_they_crowd() -> None:
    retriever = Scripted(script={"crowded": ["a#0", "a#1", "a#2", "a#3", "b#0", "a#4", "c#0"], "short": ["a#0"]})
    assert rank_passages(retriever, ["crowded", "short"], k=3) == [["a", "b", "c"], ["a"]]
    assert retriever.depths == [3, 6, 12]


def test_what_a_deeper_search_finds_comes_behind_what_was_found_first() -> None:
    """A retriever such as MMR orders the first k anew when asked for more; in use it is asked for k."""

    class Reordered(Scripted):
        def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
            order = ["a#0", "a#1", "b#0"] if k == 3 else ["c#0", "b#0", "a#0", "d#0"]
            return [[self._hit(chunk) for chunk in order] for _ in queries]

    assert rank_passages(Reordered(script={}), ["q"], k=3) == [["a", "b", "c"]]


def test_the_passage_with_the_query_s_own_id_is_no_hit_where_the_set_says_so() -> None:
    """As in BEIR's ArguAna, where a query is a passage of the pool; what is left out leaves k others."""
    script = {text: ["a#0", "a#1", "b#0", "c#0", "d#0", "e#0", "f#0"] for text in "abcx"}
    questions = retrieval_set({"a": {"b"}, "b": {"b"}, "c": {"d"}, "x": {"b"}})
    counted = evaluate_retriever(Scripted(script=script), questions, k=2, name="all")
    assert counted.own_hits == 0
    assert [query.mrr_at_k for query in counted.per_query] == [0.5, 0.5, 0.0, 0.5]
    without = questions.model_copy(update={"own_hits": False})
    scores = evaluate_retriever(Scripted(script=script), without, k=3, name="others")
    assert [query.mrr_at_k for query in scores.per_query] == [1.0, 0.5, 1 / 3, 0.5]  # b answers b: it stays
    assert scores.own_hits == 2
    said = "queries with such a hit, by retriever: others: 2 of 4."
    assert said in render_table([scores])
    assert "own id" not in render_table([counted])
    assert json.loads(render_json([scores]))["retrievers"][0]["own_hits"] == 2


def test_documents_without_passage_id_go_by_their_id() -> None:
    class ById(Scripted):
        def _hit(self, chunk: str) -> Document:
            return Document(id=chunk or None, page_content="")

    assert rank_passages(ById(script={"q": ["a", "b"]}), ["q"], k=2) == [["a", "b"]]
    with pytest.raises(ValueError, match="its passage is unknown"):
        rank_passages(ById(script={"q": [""]}), ["q"], k=2)


def test_the_table_and_the_json_say_the_same() -> None:
    scores = evaluate_retriever(Scripted(script={"q": ["a#0"]}), retrieval_set({"q": {"a"}}), k=5, name="scripted")
    table = render_table([scores])
    assert "| set | retriever | queries | passages | R@1 | R@5 | MRR@5 | nDCG@5 | ms a query |" in table
    assert "| toy | scripted | 1 | 6 | 1.000 | 1.000 | 1.000 | 1.000 |" in table
    (row,) = json.loads(render_json([scores]))["retrievers"]
    assert row["mrr_at_k"] == 1.0
    assert "per_query" not in row
    with pytest.raises(ValueError, match="one depth"):
        render_table([])
    with pytest.raises(ValueError, match="one depth"):
        render_table([scores, scores.model_copy(update={"k": 6})])


def test_retrievers_are_compared_query_by_query() -> None:
    """Queries about one passage are one cluster: the interval is that of the clusters' paired differences."""
    questions = retrieval_set({f"q{number}": {"abcdef"[number // 4]} for number in range(24)})
    right = {query.text: [f"{next(iter(query.relevant))}#0"] for query in questions.queries}
    worse = right | {query: [] for query in list(right)[:8]}  # all of two passages' queries
    good, bad = (
        evaluate_retriever(Scripted(script=script), questions, k=3, name=name)
        for name, script in (("good", right), ("bad", worse))
    )
    compared = compare_retrievers([good, bad])
    assert [one.measure for one in compared] == ["recall_at_1", "recall_at_k", "mrr_at_k", "ndcg_at_k"]
    assert {(one.a, one.b) for one in compared} == {("good", "bad")}
    recall, *_ = compared
    assert [one.difference for one in compared] == pytest.approx([1 / 3] * 4)
    of_clusters = paired_difference_interval(np.array([4.0, 4, 0, 0, 0, 0]), np.full(6, 4.0), list("abcdef"))
    assert recall.interval == pytest.approx(of_clusters)
    table = render_table([good, bad])
    for measure in ("R@1", "R@3", "MRR@3", "nDCG@3"):
        assert f"| good − bad | {measure} | +0.333 |" in table
    assert "adjusted by Holm for the 4 differences of this table; the intervals are not adjusted." in table
    assert json.loads(render_json([good, bad]))["differences"][0]["difference"] == pytest.approx(1 / 3)


def test_at_depth_1_the_same_recall_is_shown_and_counted_once() -> None:
    pool = "abcdefghijz"
    questions = retrieval_set({f"{name}{number}": {name, "z"} for name in "abcdefghij" for number in range(2)}, pool)
    right = {query.text: [f"{query.text[0]}#0"] for query in questions.queries}
    worse = right | {query: ["z#0"] if query[0] == "c" else [] for query in right if query[0] > "b"}
    scores = [
        evaluate_retriever(Scripted(script=script), questions, k=1, name=name)
        for name, script in (("good", right), ("bad", worse))
    ]
    table = render_table(scores)
    assert "| retriever | queries | passages | R@1 | MRR@1 | nDCG@1 | ms a query |" in table
    assert "| toy | good | 20 | 11 | 0.500 | 1.000 | 1.000 |" in table
    assert table.count("| good − bad | R@1 |") == 1
    assert "adjusted by Holm for the 3 differences of this table" in table
    assert {line.count("|") for line in table.split("\n\n")[0].splitlines()} == {9}
    three, deeper = (compare_retrievers([one.model_copy(update={"k": k}) for one in scores]) for k in (1, 3))
    assert [one.measure for one in three] == ["recall_at_1", "mrr_at_k", "ndcg_at_k"]
    assert three[0].p_holm / deeper[0].p_holm == pytest.approx(3 / 4)


@pytest.mark.parametrize("n_passages", [5, 9])
def test_p_is_the_sign_flip_test_over_passages_adjusted_by_holm(n_passages) -> None:
    """scipy's permutation test over the passages' summed differences; all four measures are the same here."""
    names = "abcdefghi"[:n_passages]
    questions = retrieval_set({f"{name}{number}": {name} for name in names for number in range(3)}, pool=names)
    right = {query.text: [f"{query.text[0]}#0"] for query in questions.queries}
    worse = {text: ([] if text[0] > "b" and text[1] != "2" else found) for text, found in right.items()}
    good, bad = (
        evaluate_retriever(Scripted(script=script), questions, k=2, name=name)
        for name, script in (("good", right), ("bad", worse))
    )
    sums = [sum(found != worse[text] for text, found in right.items() if text[0] == name) for name in names]
    exact = permutation_test((sums,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
    for one in compare_retrievers([good, bad]):
        assert one.p_holm == pytest.approx(min(1.0, 4 * exact), abs=0.02)


def test_several_retrievers_are_asked_for_at_once(tmp_path, capsys) -> None:
    texts = {"p1": "강물은 바다로 흐른다.", "p2": "산은 높고 들은 넓다."}
    for name, rows in {
        "passages": [{"id": name, "text": text} for name, text in texts.items()],
        "queries": [{"id": f"q{name}", "text": text} for name, text in texts.items()],
        "qrels": [{"query": f"q{name}", "passage": name} for name in texts],
    }.items():
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    own = f"{__name__}:build_last_first"
    command = ["retrieval", "jsonl", "--data", str(tmp_path), "--retriever", "bm25", own, "bm25", "--json"]
    assert main(command) == 0
    content = json.loads(capsys.readouterr().out)
    assert [row["retriever"].split(",")[0] for row in content["retrievers"]] == ["bm25", own]
    assert [row["recall_at_1"] for row in content["retrievers"]] == [1.0, 0.5]
    assert content["differences"][0]["difference"] == pytest.approx(0.5)


def test_a_second_run_analyses_and_embeds_none_of_the_passages(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("eval.rundir.names.RUNS_DIR", tmp_path / "runs")
    model, seen, load = CountingModel(), [], korean._load_kiwi
    monkeypatch.setattr(embeddings, "_packaged_e5", lambda: embeddings.EmbeddingModel("toy:1", model))
    monkeypatch.setattr(korean, "_load_kiwi", lambda words: Counted(load(words), seen))
    write_exam(tmp_path)
    exam = str(tmp_path / "2030_11_KICE.json")
    scripted = [
        "--chain",
        "kice-rag",
        "--model",
        "tests.support.scripted_models:third",
        "--retriever",
        "hybrid+neighbours",
    ]
    commands = (
        ["retrieval", "kice", "--data", exam, "--retriever", "bm25", "hybrid-rrf", "hybrid+multi-query", "--json"],
        ["run", "kice", "--data", exam, *scripted, "--json"],
    )
    shown = []
    for _ in range(2):
        for command in commands:
            seen.clear()
            model.asked.clear()
            assert main(command) == 0
            shown.append(json.loads(capsys.readouterr().out))
    passages = {text for item in load_items("kice", path=Path(exam)) if (text := item.inputs["passage"])}
    assert seen and not any(passage[:10] in text for passage in passages for text in seen)
    assert model.asked == []  # not even a query
    for first, second in zip(shown[0]["retrievers"], shown[2]["retrievers"], strict=True):
        assert {**first, "seconds_per_query": 0} == {**second, "seconds_per_query": 0}


@pytest.mark.parametrize("blocked", ["a file", "read-only"])
def test_a_cache_that_cannot_be_written_stops_no_run(blocked, tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "cache"))
    if blocked == "a file":
        (tmp_path / "cache").write_text("")
    else:
        monkeypatch.setattr("retrievers.index_files.os.access", lambda path, mode: False)  # root may write anywhere
    assert cached_indexes() is None
    assert "indexes cannot be kept" in caplog.text


def build_last_first(documents, *, k, embeddings):
    return Scripted(script={document.page_content: [documents[-1].metadata["passage_id"]] for document in documents})


@pytest.mark.shared_data
def test_bm25_finds_korquad_s_paragraphs(shared_data) -> None:
    korquad = load_retrieval(shared_data / "korquad" / "KorQuAD_v1.0_dev.json")
    retriever = build_retriever("bm25", korquad.passages, chunk=False)
    scores = evaluate_retriever(retriever, korquad, k=10, name="bm25")
    assert scores.n_queries == 5774
    assert scores.mrr_at_k >= 0.935
    assert scores.recall_at_1 >= 0.90
