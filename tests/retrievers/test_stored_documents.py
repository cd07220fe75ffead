"""Documents on disk: the same ones, made when asked for, replaced whole, and refused where they are damaged."""

import json
from pathlib import Path

import numpy as np
import pytest
from langchain_core.documents import Document

from data.common.errors import ConfigurationError
from retrievers.bm25 import Bm25Retriever
from retrievers.stored_documents import StoredDocuments, open_documents, texts_fingerprint, write_documents

TEXTS = ["학생들은 학교에서 국어를 공부하였다.", "바닷가의 등대는 밤새 바다를 비추었다.", "줄\n바꿈\r\u2028 끝", "…"]
QUERIES = ["바다와 학교", "고양이"]


def corpus(texts: list[str] = TEXTS) -> list[Document]:
    return [Document(id=str(n), page_content=text, metadata={"passage_id": str(n)}) for n, text in enumerate(texts)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path.with_name("cache")))


def test_stored_documents_are_a_sequence_of_the_same_documents(tmp_path: Path) -> None:
    documents = corpus()
    write_documents(tmp_path, documents)
    stored = open_documents(tmp_path)
    assert list(stored) == documents and len(stored) == len(documents)
    assert (stored[-1], stored[1:3], stored[np.int64(2)]) == (documents[-1], documents[1:3], documents[2])
    with pytest.raises(IndexError):
        stored[len(documents)]
    assert stored.fingerprint == texts_fingerprint(documents) == texts_fingerprint(stored)
    retriever = Bm25Retriever(documents=stored, index_dir=tmp_path)
    assert isinstance(retriever.documents, StoredDocuments)
    assert retriever.batch(QUERIES) == Bm25Retriever(documents=documents).batch(QUERIES)


def test_stored_documents_are_replaced_whole(tmp_path: Path) -> None:
    _, gone = write_documents(tmp_path, corpus())
    assert gone is None
    reader = open_documents(tmp_path)
    _, gone = write_documents(tmp_path, corpus(TEXTS[:1]))
    assert gone == texts_fingerprint(corpus())
    assert [len(reader), len(open_documents(tmp_path))] == [len(TEXTS), 1]
    assert list(reader) == corpus()
    assert len(list(tmp_path.glob("documents-*"))) == 1


def test_stored_documents_that_cannot_be_read_say_what_to_do(tmp_path: Path) -> None:
    write_documents(tmp_path, corpus())
    (path,) = tmp_path.glob("documents-*.jsonl")
    pointer = tmp_path / "documents.json"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ConfigurationError, match=r"damaged at documents-.* run `python -m retrievers index` again"):
        open_documents(tmp_path)
    write_documents(tmp_path, corpus())
    assert len(open_documents(tmp_path)) == len(TEXTS)
    path.unlink()
    with pytest.raises(ConfigurationError, match="damaged at documents-"):
        open_documents(tmp_path)
    pointer.write_text(json.dumps({"format": 99}))
    with pytest.raises(ConfigurationError, match="another version"):
        open_documents(tmp_path)
    for body in ("", "[]", "{}"):
        pointer.write_text(body)
        with pytest.raises(ConfigurationError, match=r"damaged at documents\.json"):
            open_documents(tmp_path)
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(ConfigurationError, match="exists and is no index"):
        write_documents(tmp_path, corpus())
