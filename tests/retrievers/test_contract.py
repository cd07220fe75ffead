"""Every registered retriever, alone and with every step, passes LangChain's own tests and the project's contract.

A line added to `RETRIEVERS` or `STEPS` is tested here without another word.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tracers.context import collect_runs
from langchain_tests.integration_tests import RetrieversIntegrationTests

import retrievers
from data.common.errors import ConfigurationError
from data.types import Passage
from retrievers import RETRIEVERS, STEPS, build_retriever
from retrievers.registry import Plan, parse_name, uses_embeddings
from tests.support.folders import ROOT

QUERY = "등대가 있는 바다"
PASSAGES = [
    Passage(id="kice/1", text="등대는 밤바다를 비춘다. 바다는 넓다."),
    Passage(id="kice/2", text="바다에 등대가 서 있다. 배가 지나간다."),
    Passage(id="kice/3", text="바다의 물고기는 등대를 모른다."),
    Passage(id="kice/4", text="학교에서는 국어를 배운다."),
]


VALUES = {"rerank": "rerank=tests.support.toy_cross_encoder:SharedLetters"}
STEP_NAMES = [f"+{VALUES.get(step, step)}" for step in STEPS]
NAMES = [
    *RETRIEVERS,
    *(f"{base}{step}" for base in ("bm25", "hybrid") for step in STEP_NAMES),
    f"dense{''.join(STEP_NAMES)}",
]


def embeddings_for(name: str) -> str | None:
    return "tests.support.toy_embeddings:LetterEmbeddings" if uses_embeddings(name) else None


def build(name: str, passages: list[Passage] = PASSAGES, **settings: Any) -> BaseRetriever:
    return build_retriever(name, passages, embeddings=embeddings_for(name), **settings)


class TestStandard(RetrieversIntegrationTests):
    """langchain-tests' suite, once for each name, in memory and over an index that was kept."""

    @pytest.fixture(autouse=True, params=NAMES)
    def name(self, request: pytest.FixtureRequest) -> None:
        self._name = request.param

    @pytest.fixture(autouse=True, params=["in memory", "kept"])
    def index_dir(
        self, name: None, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._index_dir = None
        if request.param == "kept":
            monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "cache"))
            self._index_dir = tmp_path / "indexes"
            build(self._name, index_dir=self._index_dir)

    @property
    def retriever_constructor(self) -> Any:
        return lambda **settings: build(self._name, index_dir=self._index_dir, **settings)

    @property
    def retriever_query_example(self) -> str:
        return QUERY


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_found_documents_say_where_they_come_from(name) -> None:
    found = build(name, k=3).invoke(QUERY)
    texts = {passage.id: passage.text for passage in PASSAGES}
    assert len(found) == 3
    for document in found:
        at = document.metadata
        assert set(at) == {"passage_id", "chunk_id", "start", "end", "order", "gap", "score"}
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
    in_chunks = build(name, [long, PASSAGES[3]], k=50).invoke(QUERY)
    assert len(in_chunks) > 2 or in_chunks[0].id == "long#0-3"  # neighbours are put together again


def test_names_are_a_retriever_and_its_steps() -> None:
    assert parse_name("hybrid") == Plan("hybrid", ())
    steps = (("multi-query", None), ("rerank", "hf:my=folder"), ("mmr", "0.5"))
    assert parse_name("my:build+multi-query+rerank=hf:my=folder+mmr=0.5") == Plan("my:build", steps)
    made = build("hybrid+multi-query+neighbours=2", k=3)
    assert (type(made).__name__, made.k, made.beside) == ("NeighboursRetriever", 3, 2)
    assert type(made.retriever).__name__ == "MultiQueryRetriever"
    assert type(made.retriever.retriever).__name__ == "HybridRetriever"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bm52+mmr", "unknown retriever 'bm52'. Did you mean 'bm25'?"),
        ("hybrid+rernk", "unknown retriever step 'rernk'. Did you mean 'rerank'?"),
        ("hybrid+", "unknown retriever step ''"),
        ("rerank", "unknown retriever 'rerank'. Allowed: bm25, dense, hybrid, hybrid-rrf."),
        ("bm25+mmr=", "nothing follows 'mmr='"),
        ("bm25+mmr=1.5", "'mmr=1.5' needs a λ from 0 to 1"),
        ("bm25+mmr=x", "'mmr=x' needs a λ from 0 to 1"),
        ("bm25+neighbours=0", "'neighbours=0' needs a number of chunks"),
        ("bm25+neighbours=-1", "'neighbours=-1' needs a number of chunks"),
        ("bm25+multi-query=3", "'multi-query' takes no value"),
        ("bm25+rerank=bge", "unknown cross-encoder 'bge'"),
        (
            "bm25+rerank=tests.support.toy_embeddings:LetterEmbeddings",
            "is a LetterEmbeddings; name a langchain_core BaseCrossEncoder",
        ),
        ("bm25+no_such_module:step", "cannot be loaded"),
        (f"bm25+{__name__}:not_a_step", "made a list"),
        ("bm52", "unknown retriever 'bm52'. Did you mean 'bm25'?"),
        ("no_such_module:build", "cannot be loaded"),
        ("tests.support.toy_embeddings:DIMENSIONS", "is no factory"),
        (f"{__name__}:not_a_retriever", "made a list"),
    ],
)
def test_names_that_give_no_retriever(name, message) -> None:
    with pytest.raises(ConfigurationError) as raised:
        build_retriever(name, PASSAGES)
    assert message in str(raised.value)


def not_a_step(retriever, documents, *, k, value) -> list[str]:
    return []


def only_long(retriever, documents, *, k, value) -> BaseRetriever:
    long = [document for document in documents if len(document.page_content) > int(value)]
    return retrievers.Bm25Retriever(documents=long, k=k)


def plain_retriever(documents, *, k, embeddings) -> BaseRetriever:
    return Plain(documents=documents)


class Plain(BaseRetriever):
    """As any other package's: no `search`, no `k`, no scores."""

    documents: list[Document]

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return self.documents


def test_steps_of_one_s_own_and_steps_over_retrievers_of_others() -> None:
    (found,) = build_retriever(f"bm25+{__name__}:only_long=21", PASSAGES).invoke(QUERY)
    assert found.id == "kice/2#0"
    plain = f"{__name__}:plain_retriever"
    fused = build_retriever(f"{plain}+multi-query", PASSAGES, k=2).invoke("바다\n등대")
    assert [document.id for document in fused] == ["kice/1#0", "kice/2#0"]
    reranked = build_retriever(f"{plain}+{VALUES['rerank']}", PASSAGES, k=1)
    assert reranked.invoke("학교에서는 국어")[0].id == "kice/4#0"
    assert build_retriever(f"{plain}+mmr", PASSAGES, k=2).invoke(QUERY)[0].id == "kice/1#0", "the first has most to say"
    with pytest.raises(ConfigurationError, match="uses no user words"):
        build_retriever(plain, PASSAGES, user_words=["등대지기"])


def not_a_retriever(documents, *, k, embeddings) -> list[str]:
    return []


def my_retriever(documents, *, k, embeddings) -> BaseRetriever:
    return retrievers.Bm25Retriever(documents=documents, k=k)


def test_a_retriever_of_one_s_own() -> None:
    assert build_retriever(f"{__name__}:my_retriever", PASSAGES, k=1).invoke(QUERY)


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = (
        "import sys, retrievers, retrievers.registry\n"
        "heavy = {'torch', 'langchain_core', 'numpy', 'kiwipiepy', 'faiss'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert all(getattr(retrievers, name) for name in retrievers.__all__)\n"
        "assert 'torch' not in sys.modules\n"
        "assert not hasattr(retrievers, 'nothing')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, timeout=60)
