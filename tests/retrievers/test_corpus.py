"""Chunks are whole sentences, know where they come from, and together lose no character."""

from pathlib import Path

import pytest
import tokenizers
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document

from data.common.errors import ConfigurationError, MissingResourceError
from data.kice import load_retrieval
from data.types import Item, Passage
from retrievers.corpus import chunk_passages, find_tokens, passages_from_items, whole_passages
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


def assert_nothing_is_lost(text: str, chunks: list[Document]) -> None:
    """Put the chunks together by their offsets and gaps; white space at the passage's end alone may be missing."""
    together = ""
    for order, chunk in enumerate(chunks):
        start, end = chunk.metadata["start"], chunk.metadata["end"]
        assert chunk.page_content == text[start:end] == chunk.page_content.strip() != ""
        assert (chunk.metadata["order"], chunk.id) == (order, f"p#{order}")
        assert end > len(together)  # each adds something
        together += chunk.metadata["gap"] + chunk.page_content[max(0, len(together) - start) :]
        assert together == text[:end]
    assert text[len(together) :].strip() == ""


@settings(max_examples=60, deadline=None)
@given(text=texts, max_tokens=st.integers(1, 40), overlap=st.integers(0, 20), tokens=st.sampled_from(["kiwi", "chars"]))
def test_chunks_cover_the_passage_and_show_it_as_it_is(text: str, max_tokens: int, overlap: int, tokens: str) -> None:
    passage = Passage(id="p", text=text)
    text = passage.text  # in the form in which all text is read
    chunks = chunk_passages([passage], max_tokens=max_tokens, overlap_tokens=overlap, tokens=tokens)
    assert_nothing_is_lost(text, chunks)
    starts = [start for start, _ in find_tokens(tokens)([text])[0]]
    for last, chunk in zip([None, *chunks], chunks, strict=False):
        at = chunk.metadata
        assert sum(at["start"] <= start < at["end"] for start in starts) <= max_tokens or at["end"] - at["start"] == 1
        assert not last or sum(at["start"] <= start < last.metadata["end"] for start in starts) <= overlap


@pytest.mark.parametrize("text", [EXAM, POEM, EXAM * 20], ids=["exam", "poem", "long"])
def test_chunks_end_where_sentences_end(text: str) -> None:
    ends = {len(text[:end].rstrip()) for _, end in sentence_spans([text])[0]}
    chunks = chunk_passages([Passage(id="p", text=text)], max_tokens=120, tokens="chars")
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
    chunks = chunk_passages(passages, max_tokens=40)
    assert chunks == chunk_passages(passages, max_tokens=40)
    assert [chunk.id for chunk in chunks if chunk.metadata["passage_id"] == "a"][:2] == ["a#0", "a#1"]
    assert set(chunks[0].metadata) == {"passage_id", "chunk_id", "start", "end", "order", "gap"}
    assert len({chunk.id for chunk in chunks}) == len(chunks)


def cut(text: str, max_tokens: int, overlap_tokens: int = 0, tokens: str = "chars") -> list[str]:
    passages = [Passage(id="p", text=text)]
    chunks = chunk_passages(passages, max_tokens=max_tokens, overlap_tokens=overlap_tokens, tokens=tokens)
    assert_nothing_is_lost(text, chunks)
    return [chunk.page_content for chunk in chunks]


def test_a_chunk_repeats_whole_sentences_of_the_one_before_as_far_as_they_fit() -> None:
    text = "첫 문장이다. 둘째 문장이다. 셋째 문장이다. 넷째 문장이다."
    apart = ["첫 문장이다. 둘째 문장이다.", "셋째 문장이다. 넷째 문장이다."]
    spread = ["첫 문장이다. 둘째 문장이다.", "둘째 문장이다. 셋째 문장이다.", "셋째 문장이다. 넷째 문장이다."]
    assert cut(text, 18) == cut(text, 18, 8) == apart
    assert cut(text, 18, 9) == cut(text, 18, 17) == spread
    assert cut(text, 10, 10, tokens="kiwi") == cut(text, 10, 5, tokens="kiwi") == spread  # five morphemes a sentence
    assert cut(text, 10, 4, tokens="kiwi") == apart


def test_a_long_sentence_is_cut_between_stanzas_lines_clauses_then_words() -> None:
    clauses = "비가 오는 날이면 언제나 그러했듯이, 바람이 몹시 부는 날에도 그는 늘 같은 길을 걸어갔다"
    assert cut(clauses, 30)[0] == "비가 오는 날이면 언제나 그러했듯이,"
    assert cut("가 나 다\n라 마\n\n바 사\n아 자", 14) == ["가 나 다\n라 마", "바 사\n아 자"]
    assert cut("가 나 다 라\n마 바 사 아 자", 14) == ["가 나 다 라", "마 바 사 아 자"]
    assert [len(text) for text in cut("가" * 25, 10)] == [10, 10, 5]


def every_second(texts: list[str]) -> list[list[tuple[int, int]]]:
    return [[(at, at + 2) for at in range(0, len(text), 2)] for text in texts]


def test_tokens_are_a_tokenizer_s_by_name(tmp_path: Path) -> None:
    assert cut("가나다라마바", 2, tokens=f"{__name__}:every_second") == ["가나다라", "마바"]
    folder = tmp_path / "tokenizer"
    words = {"[UNK]": 0, "가": 1, "나": 2}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, "[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]").save_pretrained(folder)
    assert cut("가 나 가나 가", 2, tokens=f"hf:{folder}") == ["가 나", "가나 가"]
    for name, fault, message in [
        ("kiwy", ConfigurationError, "Did you mean 'kiwi'"),
        ("pathlib:sep", ConfigurationError, "cannot be loaded"),
        ("string:digits", ConfigurationError, "is no function"),
        (f"hf:{tmp_path}/no", MissingResourceError, "is no folder here"),
        (f"hf:{tmp_path}", MissingResourceError, "holds no tokenizer"),
    ]:
        with pytest.raises(fault, match=message):
            find_tokens(name)


REAL = {
    "poem": (
        "(가)\n산등성이 너머로 해가 지면\n어머니는 마당에 멍석을 펴고\n별을 기다리셨다\n\n㉠별은 오지 않고\n"
        "개구리 울음만 논둑을 넘어왔다\n\n\n[A]\n아가, 별은 늦게 오는 손님이란다\n그 말씀만 ㉡밤이슬처럼 내렸다\n"
    ),
    "dialogue": (
        "“아니, 이 밤중에 어디를 가신단 말이오?”\n“물 건너 마을에요. 아이가 앓는다지 않소.” 노인은 [B]대답도 듣지 않고 "
        "나섰다. “허허, 고집도…….” 그는 ‘저러다 큰일 나지.’ 하고 생각했다.\n\n학생 1: 그럼 ⓐ이 부분부터 볼까? "
        "(자료를 가리키며) 여기, 3.5% 올랐지?\n학생 2: 응. <보기>의 ㉢과 비교하면 다르네!"
    ),
    "exam": (
        "다음을 읽고 물음에 답하시오. <보기> ㄱ. 良心(양심)은 타고난다. ㄴ. 그것은 길러진다. </보기> [A] 맹자는 "
        "사단(四端)을 말했다. ㉠그는 “사람은 누구나 착하다.”라고 하였다. [가] 이에 순자는 "
        "①예(禮)를 내세웠다. 2,300년 전의 일이다. "
    ),
}


@pytest.mark.parametrize("max_tokens", [5, 12, 30, 256])
@pytest.mark.parametrize("name", REAL)
def test_poems_dialogue_and_marks_survive(name: str, max_tokens: int) -> None:
    chunks = cut(REAL[name], max_tokens, max_tokens // 3, tokens="kiwi")
    assert max_tokens < 256 or len(chunks) == 1
    for mark in ("㉠별", "㉡밤", "ⓐ이", "㉠그", "①예", "[B]대"):  # a mark stays with what it marks
        assert mark not in REAL[name] or any(mark in chunk for chunk in chunks)
    for mark in ("<보기>", "[A]", "(가)", "[가]", "</보기>"):  # and is never cut
        assert mark not in REAL[name] or any(mark in chunk for chunk in chunks)


@pytest.mark.shared_data
def test_no_character_of_a_real_exam_is_lost(shared_data: Path) -> None:
    texts = [passage.text for passage in load_retrieval(shared_data / "kice").passages]
    assert len(texts) > 50
    for max_tokens, overlap in ((256, 64), (60, 20)):
        chunks = chunk_passages(
            [Passage(id=f"{row}", text=text) for row, text in enumerate(texts)],
            max_tokens=max_tokens,
            overlap_tokens=overlap,
        )
        for row, text in enumerate(texts):
            own = [chunk for chunk in chunks if chunk.metadata["passage_id"] == str(row)]
            renamed = [chunk.model_copy(update={"id": chunk.id.replace(f"{row}#", "p#")}) for chunk in own]
            assert_nothing_is_lost(text, renamed)


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
    with pytest.raises(ValueError, match="max_tokens"):
        chunk_passages([], max_tokens=0)
    with pytest.raises(ValueError, match="overlap_tokens"):
        chunk_passages([], overlap_tokens=-1)


def test_passages_from_items_are_unique_and_in_order() -> None:
    items = [
        item("1", group="g1", passage="가"),
        item("2", group="g1", passage="가"),
        item("3", group="g3", passage=""),
        item("4", group="g2", passage="나"),
        item("5", group="g4", passage=None),
    ]
    assert passages_from_items(items) == [Passage(id="g1", text="가"), Passage(id="g2", text="나")]
    assert passages_from_items([item("1", group="g", passage="A b"), item("2", group="g", passage="a  B")]) == [
        Passage(id="g", text="A b")
    ]
    with pytest.raises(ConfigurationError, match="g1"):
        passages_from_items([*items, item("6", group="g1", passage="다")])
