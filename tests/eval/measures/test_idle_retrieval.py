"""Systems that should retrieve and do not: an agent whose server ignores tools, a search that finds nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from eval.cli.parser import main
from eval.measures.causes import OPEN
from eval.report.summary import EvaluationSummary, summarize
from tests.support.chat_endpoint import serve_chat


def asked_of(reply: Callable[[dict[str, Any]], Any], out: Path, *more: str, limit: int = 4) -> EvaluationSummary:
    with serve_chat(reply) as server:
        asked = ["run", "kice", "--split", "sample", "--limit", str(limit), "--retriever", "bm25", *more]
        assert main([*asked, "--model", f"endpoint:m@{server.base_url}", "--out", str(out)]) == 0
    return summarize(out).evaluations[0]


RETRIEVAL_WORDS = ("put down", "With retrieval", "Against", "recovers", "gap")


def test_an_agent_that_never_searched_is_said_to_and_nothing_is_concluded_on_retrieval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    found = asked_of(lambda body: "정답: 1번", out, "--chain", "kice-agent")
    said = (
        "kice-agent.endpoint-m never searched: on 4 of 4 items its model called no tool, as where a server ignores "
        "tools. Nothing is concluded on retrieval."
    )
    assert said in found.warnings and said in found.conclusion
    assert not [one for one in found.conclusion if one != said and any(words in one for words in RETRIEVAL_WORDS)]
    (one,) = found.attributions
    assert (one.idle, one.not_searched, one.causes, one.wrong, one.found) == (True, 4, (), 0, None)
    assert f"warning: {said}" in capsys.readouterr().err.splitlines()
    for form in ("report.md", "report.html"):
        written = (out / form).read_text(encoding="utf-8")
        assert said in written
        assert "Why answers with retrieval" not in written and "How passages were found" not in written
    assert main(["show", str(out), "kice/sample/q01", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["causes"] == {}


def searches_some(body: dict[str, Any]) -> str | dict[str, Any]:
    """Searches the first passage for every question but the first, and answers 1번."""
    asked = json.dumps(body["messages"], ensure_ascii=False)
    if "윗글의 내용과 일치하지 않는 것은?" in asked or any(message["role"] == "tool" for message in body["messages"]):
        return "정답: 1번"
    arguments = json.dumps({"query": "파라핀과 염수화물"})
    call = {"id": "1", "type": "function", "function": {"name": "search", "arguments": arguments}}
    return {"content": None, "tool_calls": [call]}


def test_items_for_which_an_agent_did_not_search_are_not_put_down_to_retrieval(tmp_path: Path) -> None:
    found = asked_of(searches_some, tmp_path / "run", "--chain", "kice-agent", limit=8)
    said = "kice-agent.endpoint-m looked nothing up on 1 of 8 items: none of these is put down to retrieval."
    assert found.warnings[-1] == said
    (one,) = found.attributions
    assert (one.idle, one.not_searched, one.n) == (False, 1, 8)
    counts = {count.cause: count.n for count in one.causes}
    assert counts["not searched"] == 1
    assert one.found is not None and one.found.n_queries == 7
    wrong = sum(counts[cause] for cause in OPEN)
    assert f"At most {counts['missed and wrong']} of {wrong} wrong answers" in " ".join(found.conclusion)


class FindsNothing(BaseRetriever):
    """A search of an empty shelf."""

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        return []


def finds_nothing(documents: list[Document], **_: Any) -> FindsNothing:
    """What the command line below names."""
    return FindsNothing()


def test_a_chain_that_retrieved_nothing_is_said_to_have(tmp_path: Path) -> None:
    empty = ("--retriever", "tests.eval.measures.test_idle_retrieval:finds_nothing")
    found = asked_of(lambda body: "정답: 1번", tmp_path / "run", "--chain", "kice-rag", *empty)
    (said,) = [one for one in found.warnings if "retriev" in one]
    assert said.endswith("retrieved nothing for any of its 4 items. Nothing is concluded on retrieval.")
    assert not [one for one in found.conclusion if one != said and any(words in one for words in RETRIEVAL_WORDS)]
    assert found.attributions[0].idle and not found.attributions[0].not_searched
