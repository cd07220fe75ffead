"""Every registered retriever passes LangChain's own retriever tests, and the project's contract.

A line added to `RETRIEVERS` is tested here without another word.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.retrievers import BaseRetriever
from langchain_core.tracers.context import collect_runs
from langchain_tests.integration_tests import RetrieversIntegrationTests

import retrievers
from data.errors import ConfigurationError
from data.types import Passage
from retrievers import RETRIEVERS, build_retriever

QUERY = "등대가 있는 바다"
PASSAGES = [
    Passage(id="kice/1", text="등대는 밤바다를 비춘다. 바다는 넓다."),
    Passage(id="kice/2", text="바다에 등대가 서 있다. 배가 지나간다."),
    Passage(id="kice/3", text="바다의 물고기는 등대를 모른다."),
    Passage(id="kice/4", text="학교에서는 국어를 배운다."),
]


def embeddings_for(name: str) -> str | None:
    return None if name == "bm25" else "toy_embeddings:LetterEmbeddings"


def build(name: str, passages: list[Passage] = PASSAGES, **settings: Any) -> BaseRetriever:
    return build_retriever(name, passages, embeddings=embeddings_for(name), **settings)


class TestStandard(RetrieversIntegrationTests):
    """langchain-tests' suite, once for each registered retriever."""

    @pytest.fixture(autouse=True, params=RETRIEVERS)
    def name(self, request: pytest.FixtureRequest) -> None:
        self._name = request.param

    @property
    def retriever_constructor(self) -> Any:
        return lambda **settings: build(self._name, **settings)

    @property
    def retriever_query_example(self) -> str:
        return QUERY


@pytest.fixture(params=RETRIEVERS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_found_documents_say_where_they_come_from(name) -> None:
    found = build(name, k=3).invoke(QUERY)
    texts = {passage.id: passage.text for passage in PASSAGES}
    assert len(found) == 3
    for document in found:
        at = document.metadata
        assert set(at) == {"passage_id", "chunk_id", "start", "end", "order", "score"}
        assert document.id == at["chunk_id"] == f"{at['passage_id']}#{at['order']}"
        assert texts[at["passage_id"]][at["start"] : at["end"]] == document.page_content
    scores = [document.metadata["score"] for document in found]
    assert scores == sorted(scores, reverse=True)


def test_batch_async_and_single_queries_agree(name) -> None:
    retriever = build(name, k=2)
    queries = [QUERY, "학교", "", QUERY]
    ids = [[document.id for document in retriever.invoke(query)] for query in queries]
    assert [[document.id for document in found] for found in retriever.batch(queries)] == ids
    assert [[document.id for document in found] for found in asyncio.run(retriever.abatch(queries))] == ids
    assert [len(found) for found in retriever.batch(queries, k=1)] == [1, 1, 0, 1]


def test_a_batch_is_one_retriever_run_a_query(name) -> None:
    with collect_runs() as collected:
        build(name).batch([QUERY, "학교"], {"tags": ["mine"], "run_name": "look up"})
    assert sorted(run.inputs["query"] for run in collected.traced_runs) == sorted([QUERY, "학교"])
    assert {(run.run_type, run.name) for run in collected.traced_runs} == {("retriever", "look up")}
    assert all("mine" in run.tags and run.outputs["documents"] for run in collected.traced_runs)


def test_bad_input_is_named(name) -> None:
    with pytest.raises(ConfigurationError, match="corpus is empty"):
        build(name, [])
    with pytest.raises(ConfigurationError, match="k is 0"):
        build(name, k=0)
    with pytest.raises(ConfigurationError, match="k is 0"):
        build(name).invoke(QUERY, k=0)
    with pytest.raises(ConfigurationError, match="two passages have the id"):
        build(name, [PASSAGES[0], PASSAGES[0]])


def test_blank_queries_find_nothing_and_a_large_k_finds_no_more_than_there_is(name) -> None:
    retriever = build(name)
    assert retriever.invoke(" ") == []
    assert 3 <= len(retriever.invoke(QUERY, k=1000)) <= len(PASSAGES)


def test_unchunked_passages_are_found_whole(name) -> None:
    long = Passage(id="long", text="바다와 등대. " * 200)
    (found,) = build(name, [long, PASSAGES[3]], chunk=False, k=1).invoke(QUERY)
    assert found.page_content == long.text.strip()
    assert len(build(name, [long, PASSAGES[3]], k=50).invoke(QUERY)) > 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bm52", "unknown retriever 'bm52'. Did you mean 'bm25'?"),
        ("no_such_module:build", "cannot be loaded"),
        ("toy_embeddings:DIMENSIONS", "is no factory"),
        ("test_retrievers_contract:not_a_retriever", "made a list"),
    ],
)
def test_names_that_give_no_retriever(name, message) -> None:
    with pytest.raises(ConfigurationError) as raised:
        build_retriever(name, PASSAGES)
    assert message in str(raised.value)


def not_a_retriever(documents, *, k, embeddings) -> list[str]:
    return []


def my_retriever(documents, *, k, embeddings) -> BaseRetriever:
    return retrievers.Bm25Retriever(documents=documents, k=k)


def test_a_retriever_of_one_s_own() -> None:
    assert build_retriever("test_retrievers_contract:my_retriever", PASSAGES, k=1).invoke(QUERY)


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = (
        "import sys, retrievers, retrievers.registry\n"
        "heavy = {'torch', 'langchain_core', 'numpy', 'kiwipiepy', 'faiss'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert all(getattr(retrievers, name) for name in retrievers.__all__)\n"
        "assert 'torch' not in sys.modules\n"
        "assert not hasattr(retrievers, 'nothing')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[1], timeout=60)
