"""The BM25 index on disk: the same bits as in memory, opened again, brought up to date, and never read wrongly."""

import json
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document

from data.common.errors import ConfigurationError
from retrievers import bm25, disk_cache, index_files, korean
from retrievers.bm25 import Bm25Retriever
from retrievers.bm25_index import build_index
from retrievers.disk_cache import AnalysisCache
from retrievers.stored_documents import texts_fingerprint

TEXTS = [
    "학생들은 아침마다 학교에서 국어를 공부하였다.",
    "바닷가의 등대는 밤새 바다를 비추었다.",
    "2023년 물가가 3.5% 올랐고 중앙은행은 금리를 인상했다.",
    "맹자는 良心을 사람의 본성이라고 보았다.",
    "…",
]
QUERIES = ["바다와 학교와 바다", "금리는 2023년에 어떻게 되었나", "良心", "고양이"]


def corpus(texts: list[str] = TEXTS) -> list[Document]:
    return [Document(id=str(n), page_content=text, metadata={"passage_id": str(n)}) for n, text in enumerate(texts)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def analysed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that went through Kiwi."""
    seen: list[str] = []
    content_tokens = bm25.content_tokens

    def counted(texts: list[str], **words: Any) -> list[list[str]]:
        seen.extend(texts)
        return content_tokens(texts, **words)

    monkeypatch.setattr(bm25, "content_tokens", counted)
    return seen


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An entry for each index that was built."""
    calls: list[int] = []
    monkeypatch.setattr(bm25, "build_index", lambda *a, **k: calls.append(1) or build_index(*a, **k))
    return calls


def folder_of(root: Path) -> Path:
    (folder,) = root.glob("bm25-*")
    return folder


def is_mapped(array: Any) -> bool:
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


token_lists = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=12), min_size=1, max_size=12).filter(any)


@settings(max_examples=100, deadline=None)
@given(tokens=token_lists, k1=st.sampled_from([0.0, 0.9, 1.2, 1.5, 3.0]), b=st.sampled_from([0.0, 0.4, 0.75, 1.0]))
def test_the_weights_are_bm25s_to_the_bit(tokens: list[list[str]], k1: float, b: float) -> None:
    theirs = bm25s.BM25(method="lucene", k1=k1, b=b)
    theirs.index(tokens, show_progress=False)
    data, documents, starts = (theirs.scores[name] for name in ("data", "indices", "indptr"))
    ours = build_index(tokens, k1=k1, b=b)
    assert ours.rows.keys() == theirs.vocab_dict.keys() - {""}
    for token, row in ours.rows.items():
        at = slice(*starts[theirs.vocab_dict[token] :][:2])
        own = slice(*ours.weights.indptr[row : row + 2])
        np.testing.assert_array_equal(ours.weights.data[own], data[at])
        np.testing.assert_array_equal(ours.weights.indices[own], documents[at])


def test_what_is_kept_finds_the_same_with_the_same_scores(tmp_path: Path, built: list[int]) -> None:
    in_memory = Bm25Retriever(documents=corpus(), k=3)
    first = Bm25Retriever(documents=corpus(), k=3, index_dir=tmp_path)
    again = Bm25Retriever(documents=corpus(), k=3, index_dir=tmp_path)
    assert len(built) == 2  # in memory, and on disk once
    assert first.batch(QUERIES) == again.batch(QUERIES) == in_memory.batch(QUERIES)
    assert all(is_mapped(part) for part in (again._index.weights.data, again._index.weights.indices))
    assert not list(tmp_path.rglob("*.pkl")) and not list(tmp_path.rglob("*.part"))


def test_without_a_folder_nothing_is_written(tmp_path: Path, cache: Path) -> None:
    Bm25Retriever(documents=corpus())
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_of_punctuation_can_be_kept(tmp_path: Path) -> None:
    for _ in range(2):
        assert Bm25Retriever(documents=corpus(["…", "?!"]), index_dir=tmp_path).batch(QUERIES) == [[]] * len(QUERIES)


def test_only_new_texts_are_analysed(tmp_path: Path, analysed: list[str]) -> None:
    Bm25Retriever(documents=corpus(), index_dir=tmp_path)
    assert analysed == TEXTS
    analysed.clear()
    grown = [*TEXTS, "고양이가 잔다.", TEXTS[0]]
    retriever = Bm25Retriever(documents=corpus(grown), index_dir=tmp_path)
    assert analysed == ["고양이가 잔다."]
    analysed.clear()
    Bm25Retriever(documents=corpus(), k1=0.9, index_dir=tmp_path / "other")
    assert analysed == []
    assert retriever.batch(QUERIES) == Bm25Retriever(documents=corpus(grown)).batch(QUERIES)


def test_texts_in_blocks_are_the_same_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Bm25Retriever(documents=corpus()).batch(QUERIES)
    monkeypatch.setattr(bm25, "_ANALYSED_AT_ONCE", 2)
    assert Bm25Retriever(documents=corpus()).batch(QUERIES) == whole
    assert Bm25Retriever(documents=corpus(), index_dir=tmp_path).batch(QUERIES) == whole


def test_other_settings_texts_and_versions_are_other_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def keep(texts: list[str] = TEXTS, **options: Any) -> None:
        Bm25Retriever(documents=corpus(texts), index_dir=tmp_path, **options)

    keep()
    keep(k1=1.2)
    keep(b=0.5)
    keep(TEXTS[::-1])
    keep(["".join(TEXTS)])
    monkeypatch.setattr(korean, "CONTENT_TAGS", ("NN",))
    keep()
    monkeypatch.setattr(korean, "version", lambda package: "99")
    keep()
    assert len(list(tmp_path.glob("bm25-*"))) == 7
    keep()
    assert len(list(tmp_path.glob("bm25-*"))) == 7


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def one_bit_other(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[-1] ^= 1
    path.write_bytes(body)


@pytest.mark.parametrize("damage", [Path.unlink, cut_short, one_bit_other, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("name", ["weights.npy", "documents.npy", "starts.npy", "vocabulary.json", "index.json"])
def test_a_damaged_index_is_built_again_and_said_so(
    name: str, damage: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, analysed: list[str]
) -> None:
    before = Bm25Retriever(documents=corpus(), index_dir=tmp_path).batch(QUERIES)
    analysed.clear()
    damage(folder_of(tmp_path) / name)
    if name == "index.json" and damage is one_bit_other:
        (folder_of(tmp_path) / name).write_text(json.dumps({"settings": {}, "sha256": {}}))
    with caplog.at_level(logging.WARNING):
        assert Bm25Retriever(documents=corpus(), index_dir=tmp_path).batch(QUERIES) == before
    assert [record.getMessage().count("\n") for record in caplog.records] == [0]
    assert "is damaged" in caplog.text and "building it again" in caplog.text
    assert not set(TEXTS) & set(analysed)
    caplog.clear()
    Bm25Retriever(documents=corpus(), index_dir=tmp_path)
    assert caplog.records == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"file.* cannot be written: .*for the index"):
        Bm25Retriever(documents=corpus(), index_dir=tmp_path / "file")


def test_a_cache_that_cannot_be_used_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "file"))
    kept = Bm25Retriever(documents=corpus(), index_dir=tmp_path / "ix")
    assert kept.invoke("바다")[0].id == "1"
    assert len(caplog.records) == 1
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"no database" * 1000)
    assert AnalysisCache(broken).look_up("tokens", ["가"], lambda texts: [["나"] for _ in texts]) == [["나"]]


def test_kinds_of_analysis_are_kept_apart_and_repeats_analysed_once() -> None:
    cache, asked = AnalysisCache(), []

    def analyse(texts: Any) -> list[list[str]]:
        asked.extend(texts)
        return [[text] for text in texts]

    assert cache.look_up("tokens", ["가", "가", "\ud800"], analyse) == [["가"], ["가"], ["\ud800"]]
    assert asked == ["가", "\ud800"]
    assert cache.look_up("sentences", ["가"], lambda texts: [[0, 1] for _ in texts]) == [[0, 1]]
    assert cache.look_up("tokens", ["가", "\ud800"], analyse) == [["가"], ["\ud800"]]
    assert len(asked) == 2


def test_an_interrupted_analysis_keeps_what_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_cache, "_ANALYSED_AT_ONCE", 2)

    def interrupted(texts: Any) -> list[list[str]]:
        if "다" in texts:
            raise KeyboardInterrupt
        return [[text] for text in texts]

    with pytest.raises(KeyboardInterrupt):
        AnalysisCache().look_up("tokens", ["가", "나", "다"], interrupted)
    asked: list[str] = []
    analyses = AnalysisCache().look_up("tokens", ["가", "나", "다"], lambda texts: asked.extend(texts) or [["다"]])
    assert (analyses, asked) == ([["가"], ["나"], ["다"]], ["다"])


def test_a_killed_build_leaves_no_index_and_the_next_one_works(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from langchain_core.documents import Document\n"
        "from retrievers import bm25, index_files\nfrom retrievers.bm25 import Bm25Retriever\n"
        "bm25.content_tokens = lambda texts, **_: [[text] for text in texts]\n"
        "write = index_files.np.save\n"
        "def die(path, *a, **k):\n    write(path, *a, **k); os._exit(9)\n"
        "index_files.np.save = die\n"
        "Bm25Retriever(documents=[Document(page_content='바다', id='1')], index_dir=Path(sys.argv[1]))"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path / "ix")], env={**os.environ}, check=False)
    assert killed.returncode == 9
    assert not list((tmp_path / "ix").glob("bm25-*")) and list((tmp_path / "ix").glob(".bm25-*.part"))
    documents = [Document(page_content="바다", id="1")]
    assert Bm25Retriever(documents=documents, index_dir=tmp_path / "ix").invoke("바다")[0].id == "1"
    assert not list((tmp_path / "ix").glob(".bm25-*.part"))


def test_threads_that_need_the_same_index_build_it_once(tmp_path: Path, built: list[int]) -> None:
    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(lambda _: Bm25Retriever(documents=corpus(), index_dir=tmp_path), range(4)))
    assert len(built) == 1
    assert all(retriever.batch(QUERIES) == kept[0].batch(QUERIES) for retriever in kept)


def test_indexes_of_a_corpus_are_removed_alone(tmp_path: Path) -> None:
    Bm25Retriever(documents=corpus(), index_dir=tmp_path)
    Bm25Retriever(documents=corpus(), index_dir=tmp_path, k1=1.2)
    stays = Bm25Retriever(documents=corpus(TEXTS[:2]), index_dir=tmp_path)
    index_files.remove_indexes(tmp_path, corpus=texts_fingerprint(corpus()))
    assert folder_of(tmp_path).is_dir()
    assert stays.invoke("바다")[0].id == "1"
