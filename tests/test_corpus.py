"""Chunks are whole sentences, know where they come from, and together lose no character."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import ConfigurationError
from data.types import Item, Passage
from retrievers.corpus import chunk_passages, passages_from_items, whole_passages
from retrievers.korean import sentence_spans

EXAM = (
    "학생 1: 발표를 맡은 ○○○입니다. (자료를 가리키며) ㉠이 자료를 보셨나요? 네, 그렇습니다. "
    "[A] 그는 “나는 간다.”라고 말했다. "
    "물가가 3.5% 올랐다! <보기>를 읽고 답하시오. 良心이란 무엇인가? 그것은 마음의 소리이다."
)
POEM = (
    "나 보기가 역겨워\n가실 때에는\n말없이 고이 보내 드리오리다\n\n"
    "영변에 약산\n진달래꽃\n아름 따다 가실 길에 뿌리오리다"
)

texts = st.text(
    alphabet=st.one_of(st.sampled_from("가나다라 한국어. ?!\n“”㉠[A](<보기>),良😀\0"), st.characters()), max_size=200
)


def item(name: str, *, group: str, passage: str | None) -> Item:
    inputs = {"question": "?"} if passage is None else {"passage": passage, "question": "?"}
    return Item(id=name, inputs=inputs, choices=("1", "2"), target=0, group=group)


@settings(max_examples=60, deadline=None)
@given(text=texts, max_chars=st.integers(1, 60), overlap=st.integers(0, 3))
def test_chunks_cover_the_passage_and_show_it_as_it_is(text: str, max_chars: int, overlap: int) -> None:
    chunks = chunk_passages([Passage(id="p", text=text)], max_chars=max_chars, overlap_sentences=overlap)
    covered = set()
    for chunk in chunks:
        start, end = chunk.metadata["start"], chunk.metadata["end"]
        assert chunk.page_content == text[start:end]
        assert chunk.page_content == chunk.page_content.strip()
        assert 0 < end - start <= max_chars
        covered.update(range(start, end))
    assert all(place in covered or char.isspace() for place, char in enumerate(text))
    assert [chunk.metadata["start"] for chunk in chunks] == sorted(chunk.metadata["start"] for chunk in chunks)


@pytest.mark.parametrize("text", [EXAM, POEM, EXAM * 20], ids=["exam", "poem", "long"])
def test_chunks_end_where_sentences_end(text: str) -> None:
    ends = {len(text[:end].rstrip()) for _, end in sentence_spans([text])[0]}
    chunks = chunk_passages([Passage(id="p", text=text)], max_chars=120)
    assert all(chunk.metadata["end"] in ends for chunk in chunks)


def test_sentences_end_between_words_only() -> None:
    spans = sentence_spans([EXAM])[0]
    sentences = [EXAM[start:end].strip() for start, end in spans]
    assert "[A] 그는 “나는 간다.”라고 말했다." in sentences
    assert "물가가 3.5% 올랐다!" in sentences
    assert any(sentence.startswith("<보기>를 읽고") for sentence in sentences)
    assert "".join(EXAM[start:end] for start, end in spans) == EXAM


def test_ids_and_metadata_are_stable() -> None:
    passages = [Passage(id="a", text=EXAM), Passage(id="b", text=POEM)]
    chunks = chunk_passages(passages, max_chars=80)
    assert chunks == chunk_passages(passages, max_chars=80)
    assert [chunk.id for chunk in chunks if chunk.metadata["passage_id"] == "a"][:2] == ["a#0", "a#1"]
    assert set(chunks[0].metadata) == {"passage_id", "chunk_id", "start", "end", "order"}
    assert len({chunk.id for chunk in chunks}) == len(chunks)


def test_a_chunk_repeats_the_last_sentence_of_the_one_before() -> None:
    text = "첫 문장이다. 둘째 문장이다. 셋째 문장이다. 넷째 문장이다."
    spread = [chunk.page_content for chunk in chunk_passages([Passage(id="p", text=text)], max_chars=18)]
    assert spread == ["첫 문장이다. 둘째 문장이다.", "둘째 문장이다. 셋째 문장이다.", "셋째 문장이다. 넷째 문장이다."]
    apart = chunk_passages([Passage(id="p", text=text)], max_chars=18, overlap_sentences=0)
    assert [chunk.page_content for chunk in apart] == ["첫 문장이다. 둘째 문장이다.", "셋째 문장이다. 넷째 문장이다."]


def test_a_long_sentence_is_cut_between_clauses_then_words() -> None:
    clauses = "비가 오는 날이면 언제나 그러했듯이, 바람이 몹시 부는 날에도 그는 늘 같은 길을 걸어갔다"
    chunks = chunk_passages([Passage(id="p", text=clauses)], max_chars=30, overlap_sentences=0)
    assert chunks[0].page_content == "비가 오는 날이면 언제나 그러했듯이,"
    hard = chunk_passages([Passage(id="p", text="가" * 25)], max_chars=10)
    assert [len(chunk.page_content) for chunk in hard] == [10, 10, 5]


def test_a_passage_of_one_chunk_is_that_chunk() -> None:
    (chunk,) = chunk_passages([Passage(id="p", text=f"  {POEM}\n")])
    assert chunk.page_content == POEM
    assert (chunk.metadata["start"], chunk.metadata["end"]) == (2, 2 + len(POEM))


@pytest.mark.parametrize("cut", [chunk_passages, whole_passages])
def test_blank_passages_give_nothing_and_repeated_ids_are_refused(cut) -> None:
    assert cut([Passage(id="p", text=" \n"), Passage(id="q", text="")]) == []
    with pytest.raises(ConfigurationError, match="two passages have the id 'p'"):
        cut([Passage(id="p", text="하나"), Passage(id="p", text="둘")])


def test_impossible_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="max_chars"):
        chunk_passages([], max_chars=0)
    with pytest.raises(ValueError, match="overlap_sentences"):
        chunk_passages([], overlap_sentences=-1)


def test_passages_from_items_are_unique_and_in_order() -> None:
    items = [
        item("1", group="g1", passage="가"),
        item("2", group="g1", passage="가"),
        item("3", group="g3", passage=""),
        item("4", group="g2", passage="나"),
        item("5", group="g4", passage=None),
    ]
    assert passages_from_items(items) == [Passage(id="g1", text="가"), Passage(id="g2", text="나")]
    with pytest.raises(ValueError, match="g1"):
        passages_from_items([*items, item("6", group="g1", passage="다")])
