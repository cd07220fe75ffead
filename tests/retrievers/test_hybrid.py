"""Fusion by hand: reciprocal ranks and the convex combination, then both over real parts."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from pydantic import Field

from data.common.errors import ConfigurationError
from data.types import Passage
from retrievers import build_retriever
from retrievers.base import PassageRetriever, with_score
from retrievers.bm25 import Bm25Retriever
from retrievers.hybrid import (
    DENSE_WEIGHT,
    HybridRetriever,
    convex_combination,
    reciprocal_rank,
    scale_scores,
)


class Fixed(PassageRetriever):
    """Finds the same documents for every query and keeps the depths it was asked for."""

    scores: dict[str, float]
    depths: list[int] = Field(default_factory=list)

    def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        self.depths.append(k)
        hits = [with_score(Document(id=name, page_content=name), score) for name, score in self.scores.items()]
        return [hits[:k] for _ in queries]


ONE, OTHER = {"a": 9.0, "b": 5.0, "c": 1.0}, {"c": 0.9, "d": 0.5}


def test_reciprocal_ranks_add_up() -> None:
    assert reciprocal_rank([ONE, OTHER]) == pytest.approx({"a": 1 / 61, "b": 1 / 62, "c": 1 / 63 + 1 / 61, "d": 1 / 62})
    assert reciprocal_rank([{}, {}]) == {}


def test_a_convex_combination_scales_each_ranking() -> None:
    assert convex_combination([ONE, OTHER], (0.5, 0.5)) == pytest.approx({"a": 0.5, "b": 0.25, "c": 0.5, "d": 0.0})
    assert convex_combination([ONE, OTHER], (0.2, 0.8)) == pytest.approx({"a": 0.2, "b": 0.1, "c": 0.8, "d": 0.0})
    assert convex_combination([{"a": 3.0}, {}], (0.5, 0.5)) == {"a": 0.5}


def test_theoretical_floors_keep_how_near_the_best_a_score_is() -> None:
    assert scale_scores({"a": 8.0, "b": 6.0}, floor=0.0) == {"a": 1.0, "b": 0.75}
    assert scale_scores({"a": 0.5, "b": 0.2}, floor=-1.0) == pytest.approx({"a": 1.0, "b": 0.8})
    fused = convex_combination([ONE, OTHER], (0.5, 0.5), floors=(0.0, -1.0))
    assert fused == pytest.approx({"a": 0.5, "b": 0.5 * 5 / 9, "c": 0.5 * 1 / 9 + 0.5, "d": 0.5 * 1.5 / 1.9})
    assert convex_combination([ONE, OTHER], (0.5, 0.5), floors=(None, None)) == convex_combination(
        [ONE, OTHER], (0.5, 0.5)
    )


def test_what_a_cut_ranking_lacks_counts_as_its_worst() -> None:
    cut = {"a": 8.0, "b": 6.0}
    fused = convex_combination([cut, {"c": 1.0}], (0.5, 0.5), floors=(0.0, 0.0), depth=2)
    assert fused == pytest.approx({"a": 0.5, "b": 0.375, "c": 0.375 + 0.5})
    whole = convex_combination([cut, {"c": 1.0}], (0.5, 0.5), floors=(0.0, 0.0), depth=3)
    assert whole == pytest.approx({"a": 0.5, "b": 0.375, "c": 0.5})
    same_scores = {"a": 3.0, "b": 3.0}
    fused = convex_combination([same_scores, {"c": 1.0}], (0.5, 0.5), depth=2)
    assert fused == {"a": 0.5, "b": 0.5, "c": 0.5}


def test_equal_scores_all_count_as_the_best() -> None:
    assert convex_combination([{"a": 2.0, "b": 2.0}], (1.0,)) == {"a": 1.0, "b": 1.0}
    assert convex_combination([{"a": 0.0, "b": 0.0}], (1.0,), floors=(0.0,)) == {"a": 1.0, "b": 1.0}
    retriever = HybridRetriever(parts=[Fixed(scores={"a": 2.0, "b": 2.0})], k=2)
    assert [document.id for document in retriever.invoke("?")] == ["a", "b"]


@pytest.mark.parametrize("fusion", ["rrf", "convex"])
def test_one_part_may_find_nothing(fusion) -> None:
    retriever = HybridRetriever(parts=[Fixed(scores={}), Fixed(scores=OTHER)], fusion=fusion, k=4)
    assert [document.id for document in retriever.invoke("?")] == ["c", "d"]
    assert HybridRetriever(parts=[Fixed(scores={}), Fixed(scores={})], fusion=fusion).invoke("?") == []


@pytest.mark.parametrize("name", ["hybrid", "hybrid-rrf"])
def test_a_corpus_of_one_document(name) -> None:
    only = [Passage(id="p", text="바다의 등대")]
    retriever = build_retriever(name, only, embeddings="tests.support.toy_embeddings:LetterEmbeddings")
    for query in ("등대", "zzz"):
        assert [document.metadata["passage_id"] for document in retriever.invoke(query)] == ["p"]


def test_the_registry_builds_the_fusion_that_its_name_says() -> None:
    passages = [Passage(id=str(n), text=text) for n, text in enumerate(["바다의 등대", "학교의 국어"])]
    by_scores, by_ranks = (
        build_retriever(name, passages, embeddings="tests.support.toy_embeddings:LetterEmbeddings")
        for name in ("hybrid", "hybrid-rrf")
    )
    assert (by_scores.fusion, by_ranks.fusion) == ("convex", "rrf")
    assert by_scores.weights == (1 - DENSE_WEIGHT, DENSE_WEIGHT)
    assert by_ranks.invoke("등대")[0].metadata["score"] == pytest.approx(2 / 61)
    assert by_scores.invoke("등대")[0].metadata["score"] == pytest.approx(1.0)


scores = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-10, 10), max_size=8)


@given(rankings=st.lists(scores, min_size=1, max_size=3), scale=st.floats(0.5, 4), shift=st.floats(-5, 5))
def test_a_convex_combination_does_not_depend_on_a_part_s_units(rankings, scale, shift) -> None:
    moved = [{name: score * scale + shift for name, score in ranking.items()} for ranking in rankings]
    weights = [1 / len(rankings)] * len(rankings)
    if any(0 < max(ranking.values(), default=0) - min(ranking.values(), default=0) < 1e-3 for ranking in rankings):
        return  # differences below a float's reach at the new scale
    assert convex_combination(moved, weights) == pytest.approx(convex_combination(rankings, weights), abs=1e-6)


@pytest.mark.parametrize(("fusion", "expected"), [("rrf", ["c", "a", "b", "d"]), ("convex", ["a", "c", "b", "d"])])
def test_the_fused_ranking(fusion, expected) -> None:
    retriever = HybridRetriever(parts=[Fixed(scores=ONE), Fixed(scores=OTHER)], fusion=fusion, k=4)
    found = retriever.invoke("?")
    assert [document.id for document in found] == expected
    assert [document.metadata["score"] for document in found] == sorted(
        (document.metadata["score"] for document in found), reverse=True
    )
    assert [document.id for document in retriever.invoke("?", k=1)] == expected[:1]


def test_parts_are_asked_for_more_than_k() -> None:
    part = Fixed(scores=ONE)
    retriever = HybridRetriever(parts=[part], k=4)
    retriever.invoke("?")
    retriever.invoke("?", k=100)
    assert part.depths == [50, 400]


def test_parts_and_weights_must_fit() -> None:
    with pytest.raises(ValueError, match="at least one part"):
        HybridRetriever(parts=[])
    with pytest.raises(ValueError, match="one weight for each"):
        HybridRetriever(parts=[Fixed(scores=ONE)], weights=(0.5, 0.5))
    with pytest.raises(ValueError, match="one weight for each"):
        HybridRetriever(parts=[Fixed(scores=ONE)], weights=(1.0,), fusion="rrf")
    with pytest.raises(ValueError, match="one floor for each"):
        HybridRetriever(parts=[Fixed(scores=ONE)], floors=(0.0, -1.0))
    with pytest.raises(ValueError, match="none below 0"):
        HybridRetriever(parts=[Fixed(scores=ONE), Fixed(scores=ONE)], weights=(1.5, -0.5))
    without_ids = HybridRetriever(parts=[Bm25Retriever(documents=[Document(page_content="바다")])])
    with pytest.raises(ValueError, match="told apart by their ids"):
        without_ids.invoke("바다")


def test_it_finds_what_either_part_finds() -> None:
    passages = [Passage(id=str(n), text=text) for n, text in enumerate(["바다의 등대", "학교의 국어", "zzzzzz"])]
    retriever = build_retriever("hybrid", passages, k=3, embeddings="tests.support.toy_embeddings:LetterEmbeddings")
    assert {document.metadata["passage_id"] for document in retriever.invoke("등대")} == {"0", "1", "2"}
    assert retriever.invoke("학교 국어")[0].metadata["passage_id"] == "1"
    with pytest.raises(ConfigurationError, match="corpus is empty"):
        build_retriever("hybrid", [Passage(id="p", text=" ")])
