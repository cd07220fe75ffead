"""Texts that look alike are one text, wherever they enter: items, tags, chunks and hits do not tell them apart."""

import json
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from transformers import PretrainedConfig

from data.common.text import normalised
from data.labels import label_ids
from data.registry import fingerprint, load_items, retrieval_set
from data.retrieval_sets import Query
from data.types import Benchmark, Item, Passage
from finetune.encoders import label_names
from retrievers.bm25 import Bm25Retriever
from retrievers.corpus import chunk_passages
from retrievers.dense import DenseRetriever
from retrievers.korean import user_words
from retrievers.sources import read_passages
from tests.support.exam_file import write_exam
from tests.support.toy_embeddings import LetterEmbeddings

EVERY = [chr(code) for code in range(sys.maxunicode + 1)]
SPACES = [c for c in EVERY if unicodedata.category(c) == "Zs"]
INVISIBLE = [c for c in EVERY if unicodedata.category(c) == "Cf" and normalised(f"가{c}나") == "가나"]
PASSAGE = "음운 변동은 두 음운이 만날 때 일어난다. 국물은 [궁물]로 소리 난다. 등대는 밤바다를 비춘다. 물가가 오른다."
QUERY = "등대가 비추는 것은?"
FORMS = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def forms(draw: st.DrawFn, text: str) -> str:
    """Draw a text that looks like `text`: other spaces and line breaks, invisible characters, letters for syllables."""
    written = "".join(draw(st.sampled_from(SPACES)) if c == " " else c for c in text)
    written = unicodedata.normalize(draw(st.sampled_from(["NFC", "NFD"])), written)
    for place in sorted(draw(st.sets(st.integers(0, len(written)), max_size=6)), reverse=True):
        written = written[:place] + draw(st.sampled_from(INVISIBLE)) + written[place:]
    return written.replace("\n", draw(st.sampled_from(["\n", "\r\n", "\r", "\u2028", "\u2029", "\x85"])))


def exam() -> list[dict[str, Any]]:
    problem = {"choices": ["가 나", "다 라", "마 바", "사 아", "자 차"], "answer": 2, "score": 50}
    return [
        {
            "id": "1-2",
            "paragraph": PASSAGE,
            "problems": [
                {**problem, "question": "윗글의 내용과 일치하지 않는 것은? [3점]", "question_plus": "보기\n둘째 줄"},
                {**problem, "question": "윗글에 대한 설명으로 가장 적절한 것은?"},
            ],
        }
    ]


def written_otherwise(value: Any, data: st.DataObject) -> Any:
    if isinstance(value, str):
        return data.draw(forms(value))
    if isinstance(value, list):
        return [written_otherwise(part, data) for part in value]
    return {name: written_otherwise(part, data) for name, part in value.items()} if isinstance(value, dict) else value


@FORMS
@given(data=st.data())
def test_an_exam_gives_the_same_items_and_tags_in_any_form(tmp_path: Path, data: st.DataObject) -> None:
    plain = load_items("kice", path=write_exam(tmp_path, exam()))
    other = load_items("kice", path=write_exam(tmp_path, written_otherwise(exam(), data)))
    assert other == plain
    assert fingerprint(other) == fingerprint(plain)
    assert plain[0].tags == ("negative", "보기")


@FORMS
@given(data=st.data())
def test_pairs_of_any_form_are_the_same_items_in_the_same_cluster(tmp_path: Path, data: st.DataObject) -> None:
    pair = {"premise": "A man\nsleeps é.", "hypothesis": "A man rests.", "label": "entailment", "genre": "tele phone"}
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(pair) + "\n" + json.dumps(written_otherwise(pair, data)) + "\n", encoding="utf-8")
    first, second = load_items("mnli", path=path)
    assert second == first.model_copy(update={"id": second.id})


@given(data=st.data())
def test_items_passages_and_queries_made_in_code_pass_the_same_door(data: st.DataObject) -> None:
    def made(write: Any) -> Any:
        inputs = {"question": write(QUERY)}
        return (
            Item(
                id="i",
                inputs=inputs,
                choices=(write("네 그래"), write("아니")),
                target=0,
                group="g",
                tags=(write("태 그"),),
            ),
            Passage(id="p", text=write(PASSAGE)),
            Query(id="q", text=write(QUERY), relevant=frozenset({"p"})),
        )

    assert made(lambda text: data.draw(forms(text))) == made(str)


@settings(max_examples=15)
@given(data=st.data())
def test_chunks_and_hits_are_the_same_in_any_form(data: st.DataObject) -> None:
    chunks = chunk_passages([Passage(id="p", text=PASSAGE)], max_tokens=12)
    other = chunk_passages([Passage(id="p", text=data.draw(forms(PASSAGE)))], max_tokens=12)
    assert other == chunks
    plain = Bm25Retriever(documents=chunks, k=3)
    hits = plain.invoke(QUERY)
    assert hits[0].page_content.startswith("등대는")
    asked = data.draw(forms(QUERY))
    assert plain.invoke(asked) == plain.batch([asked, QUERY])[0] == plain.search([asked], 3)[0] == hits


@settings(max_examples=15)
@given(data=st.data())
def test_documents_of_any_form_are_found_as_if_they_were_plain(data: st.DataObject) -> None:
    """Whoever gives documents to a retriever gets them back as they are, ranked as their plain texts would be."""
    texts = PASSAGE.split(". ")

    def scores(written: list[str], query: str) -> list[list[tuple[str | None, float]]]:
        documents = [Document(id=str(place), page_content=text) for place, text in enumerate(written)]
        made = (Bm25Retriever(documents=documents), DenseRetriever(documents=documents, embeddings=LetterEmbeddings()))
        found = [retriever.invoke(query, k=2) for retriever in made]
        assert all(written[int(hit.id or 0)] == hit.page_content for hits in found for hit in hits)
        return [[(hit.id, hit.metadata["score"]) for hit in hits] for hits in found]

    assert scores([data.draw(forms(text)) for text in texts], data.draw(forms(QUERY))) == scores(texts, QUERY)


def test_a_text_file_with_a_name_from_a_mac_is_the_passage_of_that_name(tmp_path: Path) -> None:
    (tmp_path / unicodedata.normalize("NFD", "밤편지.txt")).write_text("이\u00a0밤", encoding="utf-8")
    assert read_passages(tmp_path) == [Passage(id="밤편지", text="이 밤")]
    exam_file = write_exam(tmp_path, name=unicodedata.normalize("NFD", "모의고사.json"))
    assert load_items("kice", path=exam_file)[0].id == "kice/모의고사/q01"


def test_ids_of_a_retrieval_set_are_one_in_all_its_files(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "등대")
    for name, row in {
        "queries": {"id": "q", "text": QUERY},
        "passages": {"id": "등대", "text": PASSAGE},
        "qrels": {"query": "q", "passage": decomposed},
    }.items():
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row), encoding="utf-8")
    assert retrieval_set("jsonl", tmp_path).queries[0].relevant == {"등대"}


def test_squad_contexts_that_look_alike_are_one_passage(tmp_path: Path) -> None:
    paragraphs = [
        {"context": text, "qas": [{"id": str(number), "question": "?"}]}
        for number, text in enumerate(["등대 불빛", unicodedata.normalize("NFD", "등대\u3000불빛")])
    ]
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    assert [passage.text for passage in retrieval_set("korquad", path).passages] == ["등대 불빛"]


@pytest.mark.parametrize("label", ["불만\u00a0접수", "불만\u200b 접수", unicodedata.normalize("NFD", "불만 접수")])
def test_labels_are_one_form_on_either_side(label: str) -> None:
    items = [Item(id="i", inputs={}, choices=("불만 접수", "문의"), target=0, group="g")]
    assert label_ids(items, [label, "문의"]) == [0]
    about = {"name": "own", "title": "", "language": "ko", "splits": ("a",), "default_split": "a", "sample_split": "a"}
    made = Benchmark(**about, labels=(label, "문의"), source="", licence="", citation="")
    assert made.labels == ("불만 접수", "문의")

    assert label_names(PretrainedConfig(id2label={0: label, 1: "문의"})) == ["불만 접수", "문의"]


def test_user_words_are_one_form() -> None:
    assert user_words([unicodedata.normalize("NFD", "밤편지")]) == user_words(["밤편지"])
