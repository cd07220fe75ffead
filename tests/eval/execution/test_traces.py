"""Traces by the real LangSmith SDK to a loopback server that takes them, is slow, refuses or is not there."""

import json
import time
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableLambda
from langsmith import tracing_context

from eval.execution.trace_client import TraceClient
from eval.rundir.journal import read_records
from tests.support.fault_server import serve_faults
from tests.support.runs_over_server import journal_of, run_arguments
from tests.support.trace_server import Mood, serve_traces
from tests.support.traced_runs import NOBODY, STEADY, command, run_of, traced_to


def test_each_attempt_at_an_item_is_a_trace_of_its_own_that_can_be_found(tmp_path: Path) -> None:
    with serve_faults(STEADY._replace(too_many=0.3, retry_after="seconds")) as server, serve_traces() as traces:
        ended = run_of(tmp_path / "out", server, traced_to(traces.address), items=50)
    assert ended.said == []
    records = {record.item.id: record for record in read_records(journal_of(tmp_path / "out"))}
    system = next(iter(records.values())).system
    attempts: dict[str, list[int]] = {}
    for root in traces.roots:
        about = root["extra"]["metadata"]
        attempts.setdefault(about["item_id"], []).append(about["attempt"])
        assert root["name"] == f"{system} {about['item_id']}"
        assert {"out", system, "kice", about["item_id"], *records[about["item_id"]].item.tags} <= set(root["tags"])
        assert root.get("error") or root["outputs"], "it has ended"
    assert attempts == {item: [*range(1, record.attempts + 1)] for item, record in records.items()}
    assert max(map(len, attempts.values())) > 1, "some were asked again"


@pytest.mark.parametrize(
    ("mood", "first"),
    [
        (None, f"traces are not sent: LangSmith at {NOBODY} does not answer; going on"),
        (Mood(status=401), "answered 401 Unauthorized; going on"),
        (Mood(status=429), "answered 429 Too Many Requests; going on"),
        (Mood(status=404), "answered 404 Not Found; going on"),
        (Mood(latency_s=5), ""),
    ],
    ids=["down", "401", "429", "404", "slow"],
)
def test_a_run_does_not_wait_for_langsmith(tmp_path: Path, mood: Mood | None, first: str) -> None:
    waited = []
    for attempt in range(3):  # what else runs on the machine may slow any of the runs
        with serve_faults(STEADY) as server, serve_traces() as healthy, serve_traces(mood or Mood()) as traces:
            usual = run_of(tmp_path / f"usual-{attempt}" / "out", server, traced_to(healthy.address))
            address = traces.address if mood else NOBODY
            beside = run_of(tmp_path / f"beside-{attempt}" / "out", server, traced_to(address))
        assert usual.said == [] and len(healthy.roots) == 300
        assert len(beside.said) == 1 + bool(first)
        assert first in beside.said[0]
        assert "of 300 traces were not sent" in beside.said[-1]
        assert traces.attempts <= 10, "it is left alone for a while"
        waited.append(beside.wall_s - (1.05 * usual.wall_s + 3))
        if waited[-1] <= 0:
            break
    assert min(waited) <= 0


def test_traces_without_a_key_are_not_tried(tmp_path: Path) -> None:
    hosted = traced_to("") | {"LANGSMITH_API_KEY": ""}
    with serve_faults(STEADY) as server:
        ended = run_of(tmp_path / "out", server, hosted, items=10)
    assert ended.said == [
        "traces are not sent: LANGSMITH_API_KEY is not set; going on",
        "10 of 10 traces were not sent",
    ]


def test_a_variable_that_the_sdk_cannot_read_is_one_line(tmp_path: Path) -> None:
    with serve_faults() as server:
        odd = traced_to(NOBODY) | {"LANGSMITH_TRACING_SAMPLING_RATE": "7"}
        ended = command([*run_arguments(tmp_path, server, items=10), "--out", str(tmp_path / "out")], odd)
    assert (ended.code, len(ended.said)) == (2, 1)
    assert "LANGSMITH_TRACING=false" in ended.said[0]
    assert not (tmp_path / "out").exists()


def test_retrieval_goes_on_without_langsmith_too(tmp_path: Path) -> None:
    passages = [{"id": f"p{n}", "text": f"문서 {n}번은 바다 이야기이다."} for n in range(4)]
    queries = [{"id": f"q{n}", "text": f"문서 {n}번"} for n in range(4)]
    qrels = [{"query": f"q{n}", "passage": f"p{n}"} for n in range(4)]
    for name, rows in (("passages", passages), ("queries", queries), ("qrels", qrels)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["retrieval", "jsonl", "--data", str(tmp_path), "--retriever", "bm25"]
    ended = command(arguments, traced_to(NOBODY))
    assert ended.code == 0
    assert ended.said == [
        f"traces are not sent: LangSmith at {NOBODY} does not answer; going on",
        "8 of 8 traces were not sent",
    ]


def test_traces_are_sent_again_when_langsmith_is_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = RunnableLambda(lambda number: number)
    with serve_traces(Mood(status=503)) as traces:
        for name, value in {**traced_to(traces.address), "LANGSMITH_API_KEY": "of-nobody"}.items():
            monkeypatch.setenv(name, value)
        client = TraceClient(closed_s=0.3)
        with tracing_context(enabled=True, client=client):
            chain.invoke(1)
            while not capsys.readouterr().err:
                time.sleep(0.01)
            chain.invoke(2)  # while the way is closed
            traces.mood = Mood()
            time.sleep(0.4)
            chain.invoke(3)
            client.finish()
    assert [root["inputs"] for root in traces.roots] == [{"input": 3}]
    assert capsys.readouterr().err == "2 of 3 traces were not sent\n"
