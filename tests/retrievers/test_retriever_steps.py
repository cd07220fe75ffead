"""The steps by hand: lines fused by rank, a cross-encoder's order, marginal relevance, and neighbours put together."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from langchain_core.documents import Document
from pydantic import Field

from data.common.errors import ConfigurationError, MissingResourceError
from data.types import Passage
from retrievers import Bm25Retriever, build_retriever, chunk_passages
from retrievers.base import PassageRetriever, with_score
from retrievers.steps import rerank
from retrievers.steps.mmr import MmrRetriever, marginal_relevance
from retrievers.steps.multi_query import MultiQueryRetriever, lines_of
from retrievers.steps.neighbours import NeighboursRetriever
from retrievers.steps.rerank import RerankRetriever, load_cross_encoder
from tests.support.toy_cross_encoder import SharedLetters
from tests.support.toy_embeddings import LetterEmbeddings


class Scripted(PassageRetriever):
    """Finds what the script lists for a query, with scores that fall by one, and keeps what it was asked."""

    script: dict[str, list[Document]]
    asked: list[tuple[tuple[str, ...], int]] = Field(default_factory=list)

    def search(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        self.asked.append((tuple(queries), k))
        hits = [self.script.get(query, []) for query in queries]
        return [[with_score(hit, len(found) - row) for row, hit in enumerate(found[:k])] for found in hits]


def documents(texts: str) -> list[Document]:
    return [Document(id=text, page_content=text) for text in texts.split()]


def ids(found: Sequence[Document]) -> list[str | None]:
    return [document.id for document in found]


def scores(found: Sequence[Document]) -> list[float]:
    return [document.metadata["score"] for document in found]


def test_the_lines_of_a_query_are_looked_up_by_themselves_and_fused_by_rank() -> None:
    query = "질문\n\n 하나 \n둘\n하나"
    inner = Scripted(script={query: documents("a b"), "하나": documents("c b"), "둘": documents("b"), "질문": []})
    retriever = MultiQueryRetriever(retriever=inner, k=2)
    first, second = retriever.batch([query, "둘"])
    assert inner.asked == [((query, "둘", "질문", "하나"), 50)]  # one pass, each line once
    assert ids(first) == ["b", "a"]  # "b" by its best line, not by both
    assert scores(first) == pytest.approx([1 / 62 + 1 / 61, 1 / 61])
    assert ids(second) == ["b"]
    assert lines_of("가\r\n나\n가\u2028") == ["가", "나"]


def test_a_cross_encoder_decides_the_order() -> None:
    encoder = SharedLetters()
    inner = Scripted(script={"가나다": documents("마바 가나 가마 가나다라"), "바": documents("바")})
    retriever = RerankRetriever(retriever=inner, cross_encoder=encoder, k=2)
    first, second, nothing = retriever.batch(["가나다", "바", "없음"])
    assert (ids(first), ids(second), nothing) == (["가나다라", "가나"], ["바"], [])
    assert scores(first) == pytest.approx([1, 2 / 3])
    assert inner.asked[0][1] == 20 and retriever.invoke("가나다", k=30) and inner.asked[-1][1] == 60
    assert encoder.asked[:2] == [("가나다", "마바"), ("가나다", "가나")]


def tiny_cross_encoder(folder: Path, *, labels: int = 1) -> Path:
    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"가나다라마바사"])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, "[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", model_max_length=16
    )
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = transformers.BertConfig(vocab_size=len(words), num_labels=labels, initializer_range=1.0, **sizes)
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("labels", [1, 2])
def test_pairs_are_scored_in_batches_as_alone(labels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_cross_encoder(tmp_path / "tiny", labels=labels)
    encoder = load_cross_encoder(f"hf:{folder}")
    pairs = [("가나", "다"), ("가", "나다라마바사" * 5), ("마바사" * 9, "가"), ("", "가"), ("가나", "다")]
    monkeypatch.setattr(rerank, "_BATCH", 2)
    together = encoder.score(pairs)
    assert together == pytest.approx([encoder.score([pair])[0] for pair in pairs], abs=1e-5)
    assert len({round(score, 4) for score in together}) == 4
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        logits = model(**tokenizer("가나", "다", return_tensors="pt")).logits[0]
    assert together[0] == pytest.approx(float(logits[-1] - (logits[0] if labels == 2 else 0)), abs=1e-5)
    assert encoder.score([]) == []


def test_a_model_s_folder_is_named_in_the_step(tmp_path: Path) -> None:
    name = f"bm25+rerank=hf:{tiny_cross_encoder(tmp_path / 'tiny')}"
    passages = [Passage(id=text, text=text) for text in ("바다. 가", "바다. 나 나", "바다. 사라 사라")]
    found = build_retriever(name, passages).invoke("바다")
    encoder = load_cross_encoder(name.partition("=")[2])
    best = sorted(passages, key=lambda passage: -encoder.score([("바다", passage.text)])[0])
    assert [hit.metadata["passage_id"] for hit in found] == [passage.id for passage in best]


@pytest.mark.parametrize(
    ("spec", "fault", "message"),
    [
        ("hf:no-such-org/no-such-model", MissingResourceError, "'hf:no-such-org/no-such-model' is no folder here"),
        ("hf:{folder}", MissingResourceError, "cannot be loaded"),
        ("hf:{folder}/three", ConfigurationError, "has 3 outputs"),
        ("bge", ConfigurationError, "unknown cross-encoder 'bge'"),
        ("hf:", ConfigurationError, "unknown cross-encoder 'hf:'"),
    ],
)
def test_a_cross_encoder_that_cannot_be_had_is_named(spec: str, fault: Any, message: str, tmp_path: Path) -> None:
    if "three" in spec:
        tiny_cross_encoder(tmp_path / "three", labels=3)
    with pytest.raises(fault) as raised:
        load_cross_encoder(spec.format(folder=tmp_path))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


square = st.integers(1, 6).flatmap(
    lambda n: st.tuples(
        arrays.arrays(float, n, elements=st.floats(0, 1)), arrays.arrays(float, (n, n), elements=st.floats(0, 1))
    )
)


@given(given=square, lambda_=st.floats(0, 1), k=st.integers(1, 8))
def test_marginal_relevance_is_the_paper_s_formula(given: Any, lambda_: float, k: int) -> None:
    relevance, likeness = given
    chosen = marginal_relevance(relevance, likeness, lambda_=lambda_, k=k)
    rows = [row for row, _ in chosen]
    assert len(set(rows)) == len(rows) == min(k, len(relevance))
    for place, (row, value) in enumerate(chosen):
        left = set(range(len(relevance))) - set(rows[:place])
        by_formula = {
            other: lambda_ * relevance[other]
            - (1 - lambda_) * max((likeness[before][other] for before in rows[:place]), default=0)
            for other in left
        }
        assert value == pytest.approx(by_formula[row]) == pytest.approx(max(by_formula.values()))
    assert all(one >= other for (_, one), (_, other) in itertools.pairwise(chosen))


@pytest.mark.parametrize("embeddings", [None, LetterEmbeddings()], ids=["morphemes", "vectors"])
def test_hits_that_repeat_each_other_make_room(embeddings: Any) -> None:
    texts = ["등대는 바다를 비춘다.", "등대는 바다를 비춘다!", "등대지기는 섬에 산다.", "학교에서 국어를 배운다."]
    inner = Scripted(script={"등대": [Document(id=str(n), page_content=text) for n, text in enumerate(texts)]})

    def found(lambda_: float, k: int = 2) -> list[str | None]:
        return ids(MmrRetriever(retriever=inner, lambda_=lambda_, embeddings=embeddings, k=k).invoke("등대"))

    assert found(1.0) == ["0", "1"]
    assert found(0.5) == ["0", "2"]
    assert sorted(found(0.5, k=9)) == ["0", "1", "2", "3"]
    assert MmrRetriever(retriever=inner).invoke("없음") == []


def test_likeness_is_by_the_vectors_that_the_retriever_before_it_has() -> None:
    passages = [Passage(id="1", text="바다"), Passage(id="2", text="등대")]
    toy = "tests.support.toy_embeddings:LetterEmbeddings"
    assert isinstance(build_retriever("hybrid+multi-query+mmr", passages, embeddings=toy).embeddings, LetterEmbeddings)
    assert isinstance(build_retriever("dense+mmr=0.2", passages, embeddings=toy).embeddings, LetterEmbeddings)
    by_morphemes = build_retriever("bm25+mmr=0.2", passages)
    assert (by_morphemes.embeddings, by_morphemes.lambda_) == (None, 0.2)


POEM = (
    "산에는 꽃이 피네.\n꽃이 피네.\n\n갈 봄 여름 없이\n꽃이 피네.\n산에 우는 작은 새는\n"
    "꽃이 좋아 산에서 사노라네.\n끝이다."
)


@pytest.mark.parametrize(("max_tokens", "overlap"), [(8, 0), (12, 6), (10, 0)])
@pytest.mark.parametrize("reach", [1, 2, 9])
def test_a_hit_comes_with_the_chunks_beside_it_as_the_passage_has_them(
    max_tokens: int, overlap: int, reach: int
) -> None:
    passages = [Passage(id="poem", text=POEM), Passage(id="other", text="바다의 등대. 학교의 국어.")]
    chunks = chunk_passages(passages, max_tokens=max_tokens, overlap_tokens=overlap)
    of_poem = [chunk for chunk in chunks if chunk.metadata["passage_id"] == "poem"]
    assert len(of_poem) > 3
    for chunk in of_poem:
        inner = Scripted(script={"?": [chunk]})
        (found,) = NeighboursRetriever(retriever=inner, documents=chunks, beside=reach).invoke("?")
        at = found.metadata
        order = chunk.metadata["order"]
        first, last = max(0, order - reach), min(len(of_poem) - 1, order + reach)
        assert found.id == at["chunk_id"] == f"poem#{first}-{last}"
        assert (at["start"], at["end"]) == (of_poem[first].metadata["start"], of_poem[last].metadata["end"])
        assert found.page_content == POEM[at["start"] : at["end"]]


def test_stretches_that_touch_are_one_in_the_order_of_the_passage() -> None:
    passages = [Passage(id=name, text=" ".join(f"{name} 문장 {n}이다." for n in range(12))) for name in "ab"]
    chunks = chunk_passages(passages, max_tokens=8, overlap_tokens=0)
    by_id = {chunk.id: chunk for chunk in chunks}
    inner = Scripted(script={"?": [by_id[name] for name in ("a#7", "b#0", "a#2", "a#5", "a#11")]})
    retriever = NeighboursRetriever(retriever=inner, documents=chunks, k=5)
    found = retriever.invoke("?")
    assert ids(found) == ["a#1-8", "b#0-1", "a#10-11"]
    assert scores(found) == [5, 4, 1]
    assert found[0].page_content == passages[0].text[found[0].metadata["start"] : found[0].metadata["end"]]
    assert ids(retriever.invoke("?", k=2)) == ["a#6-8", "b#0-1"]
    older = [chunk.model_copy(update={"metadata": {**chunk.metadata}}) for chunk in chunks]
    for chunk in older:
        del chunk.metadata["gap"]  # as an index of an older version has them
    assert (
        NeighboursRetriever(retriever=inner, documents=older, k=5).invoke("?")[0].page_content == found[0].page_content
    )


def test_documents_that_are_no_chunks_have_no_neighbours() -> None:
    document = Document(id="1", page_content="바다")
    with pytest.raises(ValueError, match="no passage_id in its metadata"):
        NeighboursRetriever(retriever=Bm25Retriever(documents=[document]), documents=[document])


def test_steps_over_an_empty_answer_find_nothing() -> None:
    passages = [Passage(id="1", text="바다")]
    for step in ("multi-query", "mmr", "neighbours", "rerank=tests.support.toy_cross_encoder:SharedLetters"):
        assert build_retriever(f"bm25+{step}", passages).batch(["고양이", "", " \n"]) == [[], [], []]


def test_scores_are_numbers_of_python() -> None:
    passages = [Passage(id=str(n), text=f"바다 {n}") for n in range(4)]
    for step in ("multi-query", "mmr", "neighbours", "rerank=tests.support.toy_cross_encoder:SharedLetters"):
        found = build_retriever(f"bm25+{step}", passages).invoke("바다")
        assert found and all(type(score) is float and np.isfinite(score) for score in scores(found))
