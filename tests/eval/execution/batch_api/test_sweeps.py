"""Runs by a provider's batch API, against servers that fail, lose connections and forget nothing that they were paid.

BATCH_ITEMS=5000 BATCH_KILLS=20 for the whole of it.
"""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from data.common.errors import ConfigurationError, MissingResourceError
from data.kice import load
from data.types import Record
from eval.cli.parser import main
from eval.execution.batch_api.sweeps import PendingError
from eval.execution.budget import MaxCostError
from eval.execution.call_ledger import ledger_path, read_ledger
from eval.execution.runner import Outcome, run
from eval.measures.prices import price
from eval.plan.planning import plan
from eval.plan.settings.call_policy import CallPolicy
from eval.plan.settings.specs import EvaluationSpec, Suite, SystemSpec
from eval.rundir.journal import read_records, records_path
from tests.support.batch_server import USAGE, BatchFaults, BatchServer, reply_to, serve_batches
from tests.support.command_process import start
from tests.support.exam_file import exam, write_exam

ITEMS, KILLS = int(os.environ.get("BATCH_ITEMS", "400")), int(os.environ.get("BATCH_KILLS", "2"))
KILLED_ITEMS = ITEMS if KILLS > 3 else 100
FAULTS = BatchFaults(error=0.02, expired=0.03, looks=1)
QUICK = CallPolicy(batch_api=True, wait=True, first_wait_s=0.01)
OPENAI, ANTHROPIC = "openai:gpt-4o-mini", "anthropic:claude-3-5-haiku-latest"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ENDPOINT_API_KEY"):
        monkeypatch.setenv(name, "key-1")


def exam_of(folder: Path, n: int) -> Path:
    path = folder / "2030_11_KICE.json"
    return path if path.exists() else write_exam(folder, exam(n // 5, 5))


def batch_run(
    folder: Path, model: str | None, policy: CallPolicy = QUICK, *, n: int = 40, resume: bool = False, **more: Any
) -> Outcome:
    """Run the exam by batches; the system's name is `asked`."""
    system = SystemSpec(**{"name": "asked", "chain": "kice-prompt", "model": model, **more})
    evaluation = EvaluationSpec(benchmark="kice", data=exam_of(folder, n), systems=(system,))
    planned = plan(Suite(name="batch", evaluations=(evaluation,)), policy=policy)
    return run(planned, folder / "out", resume=resume, policy=policy)


def records_of(folder: Path, name: str = "asked") -> list[Record]:
    return list(read_records(records_path(folder / "out", name)))


def assert_answered_once(folder: Path, server: BatchServer, n: int, name: str = "asked") -> None:
    """See that every item has the answer to its own prompt, and that the server was paid for each one time."""
    records = records_of(folder, name)
    assert [record.item.id for record in records] == [item.id for item in load(None, exam_of(folder, n))]
    for record in records:
        assert record.prediction is not None, record.error
        assert record.messages is not None
        assert record.prediction.raw == reply_to(record.messages[-1].content)
        assert record.latency_s is None
    assert len(server.paid) == n
    assert set(server.paid.values()) == {1}


@pytest.fixture(params=["openai", "anthropic"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function from a server to the spec of a model there, in either form of batch API."""
    if request.param == "anthropic":
        pytest.importorskip("langchain_anthropic")

    def spec(server: BatchServer) -> str:
        monkeypatch.setenv("OPENAI_API_BASE", server.base_url)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.root_url)
        return OPENAI if request.param == "openai" else ANTHROPIC

    return spec


@pytest.mark.timeout(1200)  # for BATCH_ITEMS=5000
def test_failed_and_expired_requests_are_asked_again_and_nothing_is_paid_twice(tmp_path: Path, form: Any) -> None:
    with serve_batches(FAULTS) as server:
        outcome = batch_run(tmp_path, form(server), n=ITEMS)
    assert outcome.errors == 0
    assert_answered_once(tmp_path, server, ITEMS)
    assert sum(server.asked.values()) > ITEMS, "some must have failed"
    assert len(server.batches) > 1
    assert not list((tmp_path / "out" / "asked").glob("batch-*")), "what has been answered waits no more"


def test_a_connection_that_is_lost_at_every_step_costs_nothing(tmp_path: Path, form: Any) -> None:
    with serve_batches(BatchFaults(error=0.1, looks=1, lost=True)) as server:
        batch_run(tmp_path, form(server))
    assert_answered_once(tmp_path, server, 40)


def test_answers_that_are_cut_short_are_fetched_again(tmp_path: Path, form: Any) -> None:
    with serve_batches(BatchFaults(cut=2)) as server:
        batch_run(tmp_path, form(server))
        assert_answered_once(tmp_path, server, 40)


def test_answers_that_stay_cut_short_stop_the_run_and_are_there_later(tmp_path: Path, form: Any) -> None:
    with serve_batches(BatchFaults(cut=100)) as server:
        with pytest.raises(ConfigurationError, match=r"20 (of 40 lines|lines of 40); go on with --resume"):
            batch_run(tmp_path, form(server), QUICK._replace(retries=1))
        server.faults = BatchFaults()
        batch_run(tmp_path, form(server), resume=True)
    assert_answered_once(tmp_path, server, 40)


def test_half_is_paid_and_the_ledger_says_what_the_server_does(tmp_path: Path, form: Any) -> None:
    with serve_batches(FAULTS) as server:
        batch_run(tmp_path, form(server))
    taken = dict(zip(("input_tokens", "output_tokens"), USAGE, strict=True))
    batched = taken | {f"batch_{name}": count for name, count in taken.items()}
    assert all(record.prediction and record.prediction.usage == batched for record in records_of(tmp_path))
    ended = [entry.usage for entry in read_ledger(ledger_path(tmp_path / "out", "asked")) if entry.usage is not None]
    assert [usage for usage in ended if usage["input_tokens"]] == [batched] * sum(server.paid.values())
    assert price(batched, OPENAI) == pytest.approx((price(taken, OPENAI) or 0) / 2)


def test_a_run_that_does_not_wait_is_pending_until_it_is_resumed(tmp_path: Path, form: Any) -> None:
    once = QUICK._replace(wait=False)
    with serve_batches(BatchFaults(looks=2)) as server:
        model = form(server)
        for resume in (False, True, True):
            with pytest.raises(PendingError, match=r"pending: batch_0 .* --resume"):
                batch_run(tmp_path, model, once, resume=resume)
        with pytest.raises(ConfigurationError, match="requests of asked are in batches, and would be paid for twice"):
            batch_run(tmp_path, model, CallPolicy(), resume=True)
        assert batch_run(tmp_path, model, once, resume=True).errors == 0
    assert_answered_once(tmp_path, server, 40)


def test_what_is_refused_for_good_is_its_item_s_error(tmp_path: Path, form: Any) -> None:
    with serve_batches(BatchFaults(bad="물음 3-2")) as server:
        assert batch_run(tmp_path, form(server)).errors == 1
    (failed,) = [record for record in records_of(tmp_path) if record.error]
    assert "bad words" in str(failed.error)
    assert failed.messages is not None
    assert len(server.batches) == 1


def test_what_no_batch_answers_is_its_item_s_error_in_the_end(tmp_path: Path, form: Any) -> None:
    with serve_batches(BatchFaults(expired=1.0)) as server:
        outcome = batch_run(tmp_path, form(server), QUICK._replace(retries=1), n=10)
    assert outcome.errors == 10
    assert "asked 2 times in batches" in str(records_of(tmp_path)[0].error)
    assert len(server.batches) == 2


def test_what_a_batch_leaves_is_asked_live_where_that_is_wanted(tmp_path: Path, form: Any) -> None:
    if form.__closure__ and "anthropic" in str(form.__closure__[-1].cell_contents):
        pytest.skip("the server of the tests answers single calls in OpenAI's form")
    with serve_batches(BatchFaults(error=0.3)) as server:
        batch_run(tmp_path, form(server), QUICK._replace(then="live"))
    assert len(server.batches) == 1
    assert 0 < sum(server.live.values()) < 40
    assert set(server.paid.values()) == {1}
    records = records_of(tmp_path)
    assert {record.latency_s is None for record in records} == {True, False}
    asked_live = [record for record in records if record.latency_s is not None]
    assert all(record.prediction and "batch_input_tokens" not in record.prediction.usage for record in asked_live)


def test_a_batch_of_another_key_is_said_to_be_one(tmp_path: Path, form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_batches() as server:
        with pytest.raises(PendingError):
            batch_run(tmp_path, form(server), QUICK._replace(wait=False))
        for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
            monkeypatch.setenv(name, "key-2")
        with pytest.raises(ConfigurationError, match=r"batch_0 of asked is not there for this key .* use that key"):
            batch_run(tmp_path, form(server), resume=True)
        assert len(server.batches) == 1


def test_a_batch_that_the_provider_refuses_whole_stops_the_run_in_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_batches(BatchFaults(refuse="too long")) as server:
        monkeypatch.setenv("OPENAI_API_BASE", server.base_url)
        with pytest.raises(ConfigurationError, match="took no request of batch batch_0: line 1 is too long"):
            batch_run(tmp_path, OPENAI)
        server.faults = BatchFaults()
        batch_run(tmp_path, OPENAI, resume=True)
    assert_answered_once(tmp_path, server, 40)


def test_no_more_is_sent_than_may_be_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_batches() as server:
        model, table = f"endpoint:m@{server.base_url}", tmp_path / "prices.yaml"
        table.write_text(
            f'as_of: "2026-01-01"\nsource: here\nbatch: {{endpoint: 0.5}}\n'
            f'models: {{"{model}": {{input: 1, output: 1}}}}\n'
        )
        monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(table))
        limit = 0.002
        with pytest.raises(MaxCostError):
            batch_run(tmp_path, model, QUICK._replace(max_cost_usd=limit), max_tokens=100, n=150)
        assert 20 < sum(server.paid.values()) * sum(USAGE) / 2 / 1e6 / limit * 100 <= 100, "in hundredths of the limit"
        assert len(server.batches) > 1, "what ended batches did not take is spent on"
        batch_run(tmp_path, model, QUICK._replace(max_cost_usd=1.0), max_tokens=100, n=150, resume=True)
    assert_answered_once(tmp_path, server, 150)


@pytest.mark.timeout(1200)
def test_kills_at_any_moment_lose_nothing_and_pay_nothing_twice(tmp_path: Path, form: Any) -> None:
    moments = random.Random(5)
    with serve_batches(FAULTS._replace(lost=True)) as server:
        model = form(server)
        where = {"OPENAI_API_BASE": server.base_url, "ANTHROPIC_BASE_URL": server.root_url}
        keys = {"OPENAI_API_KEY": "key-1", "ANTHROPIC_API_KEY": "key-1"}
        asked = [
            "run",
            "kice",
            "--data",
            str(exam_of(tmp_path, KILLED_ITEMS)),
            "--chain",
            "kice-prompt",
            "--model",
            model,
        ]
        out = tmp_path / "out"
        for _ in range(KILLS):
            going = ["--resume" if (out / "manifest.json").exists() else "--out", str(out), "--batch-api", "--wait"]
            process = start([*asked, *going], **where, **keys)
            process.join(moments.uniform(0.2, 4.0 if KILLS > 3 else 2.0))
            process.kill()
            process.join()
        process = start([*asked, "--resume", str(out), "--batch-api", "--wait"], **where, **keys)
        process.join()
        assert process.exitcode == 0
    assert_answered_once(
        tmp_path, server, KILLED_ITEMS, name=next(path.name for path in out.iterdir() if path.is_dir())
    )


def test_ctrl_c_cancels_the_batch_and_what_it_has_answered_is_kept(tmp_path: Path) -> None:
    with serve_batches(BatchFaults(looks=10**6)) as server:
        path = exam_of(tmp_path, 40)
        asked = [
            "run",
            "kice",
            "--data",
            str(path),
            "--chain",
            "kice-prompt",
            "--model",
            f"endpoint:m@{server.base_url}",
        ]
        out = tmp_path / "out"
        process = start([*asked, "--out", str(out), "--batch-api", "--wait"])
        while not (server.batches and server.batches[0].looks):
            time.sleep(0.01)
            assert process.is_alive()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGINT)
        process.join()
        assert process.exitcode == 130
        assert server.batches[0].state == "cancelled"
        server.faults = BatchFaults()
        assert main([*asked, "--resume", str(out), "--batch-api", "--wait"]) == 0
    assert_answered_once(tmp_path, server, 40, name="kice-prompt.endpoint-m")
    assert [len(batch.requests) for batch in server.batches] == [40, 20]


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"votes": 3, "temperature": 0.5}, r"asks several times for an item \(--votes\); a batch takes single calls"),
        ({"permute": "cyclic"}, r"asks several times for an item \(--permute\)"),
        ({"chain": "kice-agent", "retriever": "bm25"}, "may call its model several times"),
        (
            {"model": "tests.support.scripted_models:third"},
            "no batch API of tests.support.scripted_models:third is known",
        ),
        (
            {"chain": None, "model": None, "baseline": "lexical-overlap"},
            "no system asks a model over a network; leave it out",
        ),
    ],
)
def test_what_cannot_be_put_into_a_batch_is_refused_in_a_line(
    tmp_path: Path, more: dict[str, Any], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises((ConfigurationError, MissingResourceError), match=fault):
        batch_run(tmp_path, **{"model": OPENAI, **more})
    assert not (tmp_path / "out").exists()


def test_flags_that_go_with_batches_alone_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = ["run", "kice", "--chain", "kice-prompt", "--model", "gpt", "--out", str(tmp_path / "out"), "--wait"]
    assert main(said) == 2
    assert "--wait goes with --batch-api" in capsys.readouterr().err
