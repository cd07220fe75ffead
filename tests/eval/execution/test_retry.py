"""Calls that fail: what is asked again, what stops the run, what is one item's own; and the limits that calls keep to.

Everything goes through the OpenAI client to a real server on loopback, where it is counted.
"""

import json
import os
import re
import ssl
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from shutil import which
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableLambda

from chains.models.specs import load_chat_model
from data.common.errors import ConfigurationError
from data.types import Prediction, Record
from eval.cli.parser import main
from eval.execution.attempt_calls import AttemptCalls
from eval.execution.call_history import Call
from eval.execution.faults import describe, judge, may_be_billed, retry_after_s, status_of
from eval.execution.open_system import answered
from eval.execution.rate_limits import Allowance, Halt, Stop, Window
from eval.execution.retry import Calls, Clock, ItemStop
from eval.execution.runner import Outcome, run
from eval.execution.throttle import Throttle
from eval.plan.settings.call_policy import CallPolicy
from eval.rundir.journal import read_records, records_path
from tests.support.exam_file import exam, write_exam
from tests.support.fault_server import ODD_ANSWERS, Faults, FaultServer, serve_faults
from tests.support.runs_by_hand import item, planned
from tests.support.runs_over_server import QUICK, plan_over

# FAULT_ITEMS=2000 for the whole of it: a minute and a half.
ITEMS = int(os.environ.get("FAULT_ITEMS", "200"))
CHAOS = Faults(too_many=0.10, server_error=0.05, hang=0.02, reset=0.02, broken_json=0.02)


def asked(
    folder: Path, server: FaultServer, *, policy: CallPolicy = QUICK, concurrency: int = 8, **more: Any
) -> Outcome:
    return run(
        plan_over(folder, server, policy=policy, **more), folder / "run", max_concurrency=concurrency, policy=policy
    )


def command(folder: Path, server: FaultServer, *more: str) -> list[str]:
    """The same as a command over 50 items; its run is the folder's `out`."""
    write_exam(folder, exam(10, 5))
    model = ["--chain", "kice-prompt", "--model", f"endpoint:m@{server.base_url}"]
    return ["run", "kice", "--data", str(folder / "2030_11_KICE.json"), *model, *more, "--out", str(folder / "out")]


def journaled(folder: Path) -> list[Record]:
    return list(read_records(records_path(folder / "run", "asked")))


def test_every_item_is_answered_whatever_fails_and_paid_for_once(tmp_path: Path) -> None:
    with serve_faults(CHAOS._replace(retry_after="seconds", window=(20, 0.25))) as server:
        outcome = asked(tmp_path, server, items=ITEMS, concurrency=16, policy=QUICK._replace(retries=12))
        records = journaled(tmp_path)
    assert (outcome.asked, outcome.errors) == (ITEMS, 0)
    assert [record.prediction and record.prediction.choice for record in records] == [2] * ITEMS
    assert [server.paid[item] for item in server.attempts] == [1] * ITEMS
    assert {"too_many", "server_error", "hang", "reset", "broken_json"} <= server.kinds.keys()
    assert server.shed, "the real window must have refused something"


@pytest.mark.parametrize("kind", ["too_many", "server_error", "hang", "reset", "broken_json", "odd"])
def test_each_fault_that_passes_is_asked_again(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    with serve_faults(Faults(**{kind: 0.3})) as server:
        policy = QUICK._replace(timeout_s=3, retries=20)  # a busy machine answers late, not never
        assert asked(tmp_path, server, items=10, concurrency=10, policy=policy).errors == 0
    assert server.kinds[kind] > 0
    assert server.kinds["answer"] == sum(server.paid.values()) == 10
    assert f"asked again {server.kinds[kind]} times" in capsys.readouterr().err


@pytest.mark.parametrize("how", [{}, {"permute": "cyclic"}])
def test_an_answer_that_is_no_completion_is_asked_for_again_and_said(tmp_path: Path, how: dict[str, Any]) -> None:
    """What a client makes of one, "list index out of range", tells nobody what happened."""
    with serve_faults(Faults(odd=1)) as server:
        policy = QUICK._replace(retries=1, first_wait_s=0.001)
        outcome = asked(tmp_path, server, items=20, concurrency=1, policy=policy, **how)
    assert outcome.errors == 20
    assert set(server.attempts.values()) == {2}
    assert server.kinds["odd"] > len(ODD_ANSWERS)
    said = {(record.error or "").partition(": ")[0] for record in journaled(tmp_path)}
    assert said <= {"UnreadableReplyError", "JSONDecodeError"}


def test_the_latency_is_the_answering_call_s(tmp_path: Path) -> None:
    with serve_faults(Faults(too_many=0.5, retry_after="seconds", retry_after_s=0.4)) as server:
        asked(tmp_path, server, items=10, concurrency=4)
    assert 0 < sum(record.latency_s or 0 for record in journaled(tmp_path)) < 0.4 * server.kinds["too_many"]


def test_no_client_asks_again_by_itself(tmp_path: Path) -> None:
    """Its waits would be hidden, and doubled."""
    with serve_faults(Faults(server_error=1)) as server:
        outcome = asked(tmp_path, server, items=5, policy=QUICK._replace(retries=0))
    assert outcome.errors == 5
    assert sum(server.attempts.values()) == 5
    assert all((record.error or "").startswith("OpenAIAPIError") for record in journaled(tmp_path))


def test_a_provider_s_client_is_told_not_to_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    assert load_chat_model("openai:gpt-4o-mini", max_retries=0).max_retries == 0  # type: ignore[attr-defined]
    assert load_chat_model("openai:gpt-4o-mini").max_retries is None  # type: ignore[attr-defined]


def test_retries_end(tmp_path: Path) -> None:
    with serve_faults(Faults(server_error=1)) as server:
        outcome = asked(tmp_path, server, items=5, policy=QUICK._replace(retries=3))
    assert outcome.errors == 5
    assert set(server.attempts.values()) == {4}


@pytest.mark.parametrize(
    ("status", "message", "remedy"),
    [
        (401, "Incorrect API key provided", "correct the key"),
        (403, "You are not allowed to sample from this model", "allowed"),
        (404, "The model `m` does not exist", "correct the model's name"),
        (400, "Unsupported value: 'temperature'", "correct what it names"),
        (422, "field required", "correct what it names"),
        (429, "You exceeded your current quota", "mend the account"),
    ],
)
def test_what_every_item_would_get_stops_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, message: str, remedy: str
) -> None:
    code = "insufficient_quota" if status == 429 else None
    with serve_faults(Faults(refuse=(status, {"message": message, "code": code}))) as server:
        assert main(command(tmp_path, server, "--max-concurrency", "4")) == 2
    assert sum(server.attempts.values()) <= 4
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    for part in (f"{status}: {message}", remedy, "50 answers are missing", f"--resume {tmp_path / 'out'}"):
        assert part in line


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, '{"detail": "The model `m` does not exist"}', "404: The model `m` does not exist"),
        (401, '{"error": "Your key has expired"}', "401: Your key has expired"),
        (400, "<html>model not loaded</html>", "400: <html>model not loaded</html>"),
        (410, '{"message": "This model was retired"}', "410: This model was retired"),
        (302, "moved to another house", "302: moved to another house"),
    ],
)
def test_the_server_s_words_are_said_whatever_their_form(tmp_path: Path, status: int, body: str, said: str) -> None:
    with (
        serve_faults(Faults(refuse=(status, body))) as server,
        pytest.raises(ConfigurationError, match=re.escape(f"answered {said}")),
    ):
        asked(tmp_path, server, items=10)


def test_a_record_has_the_server_s_words_too(tmp_path: Path) -> None:
    with serve_faults(Faults(refuse=(500, '{"detail": "CUDA out of memory"}'))) as server:
        assert asked(tmp_path, server, items=5, policy=QUICK._replace(retries=0)).errors == 5
    for record in journaled(tmp_path):
        assert "Error code: 500" in str(record.error) and "CUDA out of memory" in str(record.error)


def test_a_request_that_is_too_long_is_the_item_s_whatever_form_the_server_says_it_in(tmp_path: Path) -> None:
    refused = ("물음 0-0", 422, '{"error": "inputs tokens exceed the limit", "error_type": "validation"}')
    with serve_faults(Faults(refuse_marked=refused)) as server:
        assert asked(tmp_path, server, items=10, concurrency=1).errors == 1


def test_what_a_firewall_will_not_let_through_is_one_item_s(tmp_path: Path) -> None:
    """The others are answered, and there is a report."""
    with serve_faults(Faults(refuse_marked=("물음 1-1", 403, "<html>Blocked</html>"))) as server:
        assert asked(tmp_path, server, items=10, concurrency=1).errors == 1


@pytest.mark.parametrize("body", ['{"error": "the key was revoked"}', "the key was revoked"])
def test_a_key_that_is_refused_in_mid_run_stops_it(tmp_path: Path, body: str) -> None:
    with (
        serve_faults(Faults(refuse_marked=("물음 1-1", 403, body))) as server,
        pytest.raises(ConfigurationError, match="answered 403: the key was revoked"),
    ):
        asked(tmp_path, server, items=10, concurrency=1)
    assert len(journaled(tmp_path)) == 6


def test_an_empty_reply_proves_no_server(tmp_path: Path) -> None:
    from langchain_core.messages import HumanMessage

    calls = Calls(QUICK)
    attempt = AttemptCalls(calls, Clock(), ItemStop(calls.stop))
    call = uuid4()
    attempt.on_chat_model_start({}, [[HumanMessage("?")]], run_id=call)
    attempt.on_llm_end(LLMResult(generations=[[]]), run_id=call)
    assert attempt.empty and not attempt.answered and not attempt.proven


@pytest.mark.skipif(not which("openssl"), reason="openssl makes the certificate")
def test_a_server_whose_certificate_is_not_trusted_is_asked_once(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    subject = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    files = [str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")]
    subprocess.run(["openssl", *subject, "-keyout", files[0], "-out", files[1]], check=True, capture_output=True)
    context.load_cert_chain(files[1], files[0])
    with (
        serve_faults(tls=context) as server,
        pytest.raises(ConfigurationError, match=r"cannot be asked: .*CERTIFICATE_VERIFY_FAILED"),
    ):
        asked(tmp_path, server, items=10, concurrency=1)


def test_a_connection_s_fault_is_recorded_with_its_cause(tmp_path: Path) -> None:
    with serve_faults() as server:
        entry = plan_over(tmp_path, server, items=5, policy=QUICK._replace(retries=0))
    outcome = run(entry, tmp_path / "run", policy=QUICK._replace(retries=0))
    assert outcome.errors == 5
    assert all("Connection refused" in str(record.error) for record in journaled(tmp_path))


def planted_key_is_nowhere(folder: Path, capsys: pytest.CaptureFixture[str], said: str) -> bool:
    """Say whether the key was printed nowhere and written into no file of a run that stopped."""
    printed = capsys.readouterr()
    assert said in printed.err
    files = [path for path in (folder / "out").rglob("*") if path.is_file()]
    written = "".join(path.read_text(encoding="utf-8") for path in files)
    return bool(files) and "planted" not in printed.err + printed.out + written


def test_a_key_that_the_server_repeats_is_told_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDPOINT_API_KEY", "planted-secret-1")
    with serve_faults(Faults(refuse=(401, {"message": "Incorrect key: planted-secret-1"}))) as server:
        assert main(command(tmp_path, server)) == 2
    assert planted_key_is_nowhere(tmp_path, capsys, "Incorrect key: [redacted]")


def test_a_key_with_a_line_break_is_told_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is that of a model of the user's own: the project's own models do not begin a run with one."""
    monkeypatch.setenv("ENDPOINT_API_KEY", "planted-0001\nplanted-0002\n")
    with serve_faults() as server:
        made = f"ChatOpenAI(model='m', base_url={server.base_url!r}, api_key=os.environ['ENDPOINT_API_KEY'])"
        (tmp_path / "keyed_model.py").write_text(
            f"import os\nfrom langchain_openai import ChatOpenAI\nmodel = {made}\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        arguments = command(tmp_path, server)
        arguments[arguments.index("--model") + 1] = "keyed_model:model"
        assert main(arguments) == 2
    assert planted_key_is_nowhere(tmp_path, capsys, "the key, holds a line break")


def test_what_was_in_flight_when_the_server_refused_is_kept(tmp_path: Path) -> None:
    refused = ("물음 2-0", 401, {"message": "the key was revoked"})
    with serve_faults(Faults(refuse_marked=refused, latency_s=0.2)) as server:
        with pytest.raises(ConfigurationError, match="the key was revoked"):
            asked(tmp_path, server, items=50, concurrency=4)
        kept = journaled(tmp_path)
        assert len(kept) == sum(server.paid.values()) > 5
        assert all(record.error is None for record in kept)
        assert len(kept) < 20


@pytest.mark.parametrize(
    "error",
    [
        {"message": "This model's maximum context length is 8192 tokens", "code": "context_length_exceeded"},
        {"message": "the request exceeds the available context size", "type": "exceed_context_size_error"},
        {"message": "The response was filtered due to the prompt", "code": "content_filter"},
    ],
)
def test_a_bad_request_about_the_item_is_the_item_s(tmp_path: Path, error: dict[str, str]) -> None:
    with serve_faults(Faults(refuse_marked=("물음 1-", 400, error))) as server:
        outcome = asked(tmp_path, server, items=15)
    assert outcome.errors == 5
    assert sum(server.attempts.values()) == 15
    assert all(error["message"] in record.error for record in journaled(tmp_path) if record.error)


def test_an_item_has_its_time_retries_included(tmp_path: Path) -> None:
    policy = QUICK._replace(item_timeout_s=2, timeout_s=60, retries=50)
    with serve_faults(Faults(hang=0.3, hang_s=40, server_error=0.1)) as server:
        started = time.monotonic()
        outcome = asked(tmp_path, server, items=20, concurrency=10, policy=policy)
        took = time.monotonic() - started
    assert 0 < outcome.errors < 15
    assert took < 30, "no call that hangs is waited for"
    assert all(record.error or record.prediction for record in journaled(tmp_path))
    assert {(record.error or "").partition(":")[0] for record in journaled(tmp_path)} <= {
        "",
        "TimeoutError",
        "OpenAITimeoutError",
        "OpenAIAPIError",
    }


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({}, None),
        ({"item_timeout_s": 30.0}, 30),
        ({"timeout_s": 90.0}, 90),
        ({"timeout_s": 9.0, "item_timeout_s": 5.0}, 5),
    ],
)
def test_a_client_gives_up_no_later_than_its_item_is(given: dict[str, float], seconds: float | None) -> None:
    assert CallPolicy(**given).call_timeout_s == seconds  # type: ignore[arg-type]  # None: as the model has it


def test_a_call_of_one_s_own_that_hangs_is_given_up(tmp_path: Path) -> None:
    """No client's timeout helps there; its thread is left behind, and its late answer is nobody's."""

    released = threading.Event()

    def answer(entry: dict[str, Any]) -> Prediction:
        if entry["id"] in ("i1", "i2"):
            released.wait(20)
        return Prediction(choice=0, status="ok")

    started = time.monotonic()
    policy = CallPolicy(item_timeout_s=0.3)
    items = planned([item(number) for number in range(12)], answer, None)
    outcome = run(items, tmp_path / "run", max_concurrency=3, policy=policy)
    took = time.monotonic() - started
    released.set()
    assert outcome.errors == 2 and took < 5
    errors = [record.error for record in read_records(records_path(tmp_path / "run", "s")) if record.error]
    assert errors == ["TimeoutError: no answer within the 0.3 s of --item-timeout"] * 2


def test_requests_a_minute_are_kept_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Window.__init__, "__kwdefaults__", {"per_s": 0.5})
    with serve_faults() as server:
        started = time.monotonic()
        assert asked(tmp_path, server, items=35, concurrency=16, policy=QUICK._replace(rpm=10)).errors == 0
    times = sorted(server.arrivals)
    assert len(times) == 35
    for windows in (1, 2, 3):
        assert times[10 * windows] - started >= 0.5 * windows
    latencies = sorted(record.latency_s or 9 for record in journaled(tmp_path))
    assert latencies[17] < 0.3, "waiting is no latency"


def test_waiting_for_the_run_s_own_limits_is_not_the_item_s_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Window.__init__, "__kwdefaults__", {"per_s": 0.8})
    with serve_faults() as server:
        policy = QUICK._replace(rpm=5, item_timeout_s=0.7)
        assert asked(tmp_path, server, items=15, concurrency=15, policy=policy).errors == 0


def test_a_window_counts_what_calls_really_took() -> None:
    window, stop = Window(100, per_s=30), threading.Event()
    entry = window.take(90, stop)
    window.correct(entry, 20)
    window.take(80, stop)  # there is room again
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(Halt):
        window.take(1, stop)
    assert Window(10).take(10_000, threading.Event())[1] == 10, "what never fits takes a whole window"


def test_a_server_that_is_asked_too_often_is_asked_less(tmp_path: Path) -> None:
    with serve_faults(Faults(window=(20, 0.4), latency_s=0.02)) as server:
        outcome = asked(tmp_path, server, items=150, concurrency=32, policy=QUICK._replace(retries=15))
    assert outcome.errors == 0
    assert server.most_in_flight <= 32
    assert server.shed < 150, "far fewer than if 32 threads had gone on asking"


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_refused_item_waits_as_long_as_it_is_told_to_and_others_are_asked_meanwhile(
    tmp_path: Path, concurrency: int
) -> None:
    faults = Faults(too_many=0.15, retry_after="seconds", retry_after_s=1, seed=3)
    with serve_faults(faults) as server:
        assert asked(tmp_path, server, items=40, concurrency=concurrency).errors == 0
    times: dict[str, list[float]] = {}
    for sent, moment in zip(server.asked, server.arrivals, strict=True):
        times.setdefault(sent, []).append(moment)
    again = {sent: moments for sent, moments in times.items() if len(moments) > 1}
    assert again and len(times) == 40
    assert all(later - earlier >= 1 for moments in again.values() for earlier, later in pairwise(moments))
    first = next(place for place, item in enumerate(server.asked) if item in again)
    assert server.asked[first] not in server.asked[first + 1 : first + 1 + concurrency], "its place was another's"


@pytest.mark.parametrize("concurrency", [1, 4])
def test_an_item_that_is_refused_while_others_are_answered_ends(tmp_path: Path, concurrency: int) -> None:
    """As one that is larger than the tokens a minute, which the server calls a limit that is used up."""
    used_up = (("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "10ms"))
    faults = Faults(refuse_marked=("물음 0-0", 429, {"message": "Request too large"}), marked_headers=used_up)
    with serve_faults(faults) as server:
        policy = QUICK._replace(retries=2, first_wait_s=0.01)
        assert asked(tmp_path, server, items=40, concurrency=concurrency, policy=policy).errors == 1
        (refused,) = (item for item in server.attempts if "물음 0-0" in item)
        attempts = server.attempts[refused]
    (record,) = (record for record in journaled(tmp_path) if record.error)
    assert record.error and "Request too large" in record.error
    assert record.attempts == attempts


def test_a_run_that_is_stopped_leaves_out_what_only_waited(tmp_path: Path) -> None:
    """Nobody said anything to those items, so they have no record, and are asked on resume."""
    faults = Faults(too_many=0.5, retry_after="seconds", retry_after_s=30, latency_s=1)
    with serve_faults(faults._replace(refuse_marked=("물음 0-0", 401, {"message": "no"}))) as server:
        started = time.monotonic()
        with pytest.raises(ConfigurationError):
            asked(tmp_path, server, items=20, concurrency=20)
        assert time.monotonic() - started < 10, "no wait outlasts the run"
    assert server.kinds["too_many"]
    assert {record.error for record in journaled(tmp_path)} <= {None}


class Fault(Exception):
    def __init__(self, message: str = "", **attributes: Any) -> None:
        super().__init__(message)
        self.__dict__.update(attributes)


class Response:
    def __init__(self, status_code: int, **headers: str) -> None:
        self.status_code = status_code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def caused_by(cause: Exception) -> Exception:
    error = RuntimeError("the chain failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (Fault(status_code=429), "again"),
        (Fault(response=Response(503)), "again"),
        (Fault(code=500), "again"),  # as Google's have it
        (caused_by(Fault(status_code=408)), "again"),
        (Fault(response={"ResponseMetadata": {"HTTPStatusCode": 429}}), "again"),  # boto
        (ValueError({"code": 502, "message": "the provider is down"}), "again"),  # an error beside status 200
        (ConnectionResetError("by peer"), "again"),
        (TimeoutError(), "again"),
        (json.JSONDecodeError("x", "y", 0), "again"),
        (Fault("Error", status_code=401), "stop"),
        (Fault("flagged by moderation", status_code=401), "stop"),
        (Fault("your input was flagged", status_code=403), "item"),
        (Fault(status_code=404), "stop"),
        (Fault("prompt is too long: 210000 tokens", status_code=400), "item"),
        (Fault("max_tokens is too large: 99999", status_code=400), "stop"),
        (Fault(status_code=413), "item"),
        (Fault("insufficient_quota", status_code=429), "stop"),
        (Fault(code="rate_limit"), "item"),
        (ValueError("7 is not a choice"), "item"),
        (ZeroDivisionError(), "item"),
    ],
)
def test_faults_are_judged_by_what_they_carry(error: Exception, verdict: str) -> None:
    assert judge(error) == verdict


def test_a_reply_that_is_no_json_is_the_item_s_and_not_paid_for_again(tmp_path: Path) -> None:
    parsed = OutputParserException("not JSON")
    parsed.__cause__ = json.JSONDecodeError("x", "y", 0)
    assert judge(parsed, answered=True) == "item"
    with serve_faults() as server:
        prepared = plan_over(tmp_path, server, items=5)
        (entry,) = prepared.evaluations
        (system,) = entry.systems
        predictor = system.open(tmp_path)
        broken = predictor | RunnableLambda(lambda prediction: json.loads(prediction.raw))
        read = prepared._replace(evaluations=[entry._replace(systems=[system._replace(open=lambda _: broken)])])
        outcome = run(read, tmp_path / "run", policy=QUICK)
    assert outcome.errors == 5
    assert set(server.paid.values()) == {1}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "2.5"}, 2.5),
        ({"retry_after": "2", "retry_after_ms": "150"}, 0.15),
        ({"retry_after": "86400"}, 60),
        ({"retry_after": "-3"}, 0),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_honoured_within_reason(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(caused_by(Fault(response=Response(429, **headers)))) == seconds


def test_retry_after_may_be_a_date() -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    assert retry_after_s(Fault(response=Response(503, retry_after=moment))) == pytest.approx(19.5, abs=1)


@pytest.mark.parametrize("said", ["nan", "soon", "Thu, 01 Jan 1970 00:00:00 +99999999999999999"])
def test_a_retry_after_that_says_nothing_is_none(said: str) -> None:
    assert retry_after_s(Fault(response=Response(429, retry_after=said))) is None


def test_what_may_be_billed() -> None:
    assert not may_be_billed(Fault(status_code=429)) and not may_be_billed(Fault(status_code=500))
    assert may_be_billed(Fault(status_code=504)) and may_be_billed(TimeoutError())
    assert may_be_billed(json.JSONDecodeError("x", "y", 0)) and may_be_billed(ConnectionResetError())
    assert not may_be_billed(caused_by(ConnectionRefusedError()))


def test_a_fault_is_told_in_one_line_without_control_characters() -> None:
    error = Fault(status_code=401, body={"message": "bad\n key\x1b[31m " + "x" * 1000})
    said = describe(error)
    assert said.startswith("401: bad key[31m x") and len(said) < 320 and said.isprintable()
    assert status_of(ValueError()) is None


def test_an_answer_that_came_in_time_is_kept_however_late_it_is_looked_at(tmp_path: Path) -> None:
    """A slow disk, or a burst of answers, must not turn answers into timeouts."""

    entry = planned([], lambda _: Prediction(choice=0, status="ok"), None).evaluations[0]
    items, limit_s = [item(number) for number in range(16)], 0.3
    records = []
    calls = Calls(CallPolicy(item_timeout_s=limit_s))
    with answered(entry.systems[0], items, tmp_path, "b", max_concurrency=8, calls=calls) as found:
        for record in found:
            if len(records) % 8 == 0:
                time.sleep(2 * limit_s)
            records.append(record)
    assert [record.error for record in records] == [None] * 16


def test_a_server_that_never_ends_an_answer_stops_the_run_and_not_for_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_faults(Faults(drip=1)) as server:
        assert main(command(tmp_path, server, "--max-concurrency", "2", "--item-timeout", "0.3")) == 2
        assert 2 < sum(server.attempts.values()) < 50
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    for part in (
        "calls of",
        "did not end after the 0.3 s of --item-timeout",
        "answers are missing",
        f"--resume {tmp_path / 'out'}",
    ):
        assert part in line


def test_a_few_answers_that_never_end_take_no_place_from_the_others(tmp_path: Path) -> None:
    with serve_faults(Faults(drip=0.2)) as server:
        policy = QUICK._replace(item_timeout_s=1.5, timeout_s=30, retries=0)
        outcome = asked(tmp_path, server, items=20, concurrency=2, policy=policy)
    assert outcome.asked == 20
    assert outcome.errors == server.kinds["drip"] > 2, "more than there are threads to begin with"
    assert sum(record.prediction is not None for record in journaled(tmp_path)) == server.kinds["answer"]


@pytest.mark.parametrize("status", [400, 422])
def test_a_bad_request_after_answers_is_the_item_s(tmp_path: Path, status: int) -> None:
    """Its words are unknown, but others were answered; and on resume the run does not stop at it again."""
    with serve_faults(Faults(refuse_marked=("물음 1-", status, {"message": "never seen before"}))) as server:
        outcome = asked(tmp_path, server, items=15, concurrency=1)
        assert (outcome.asked, outcome.errors) == (15, 5)
        policy = QUICK
        again = run(plan_over(tmp_path, server), tmp_path / "run", resume=True, max_concurrency=4, policy=policy)
        assert (again.asked, again.errors) == (5, 5)


def test_a_run_that_is_stopped_counts_no_repeats_that_were_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Taken(Throttle):
        def admit(self, allowance: Allowance, stop: Stop, *, alone: bool = True) -> Call:
            if server.arrivals:  # the run is stopped while items wait to be asked again
                calls.stop.set()
                raise Halt
            return super().admit(allowance, stop, alone=alone)

    monkeypatch.setattr("eval.execution.open_system.Throttle", Taken)
    faults = Faults(too_many=1, retry_after="seconds", retry_after_s=0.01)
    calls = Calls(QUICK._replace(first_wait_s=0.001, retries=50))
    with serve_faults(faults) as server:
        entry = plan_over(tmp_path, server, items=20).evaluations[0]
        how = {"max_concurrency": 8, "calls": calls}
        with answered(entry.systems[0], entry.items, tmp_path / "run", "kice", **how) as records:
            assert list(records) == []
        assert calls.repeats.keys() <= {"429"}


def test_nothing_more_is_sent_once_the_run_is_stopped_or_the_item_given_up() -> None:
    """Not even for an item that has had answers: they are kept."""
    for stopped in (True, False):
        calls = Calls(CallPolicy(rpm=100))
        stop = ItemStop(calls.stop)
        attempt = AttemptCalls(calls, Clock(), stop)
        first = uuid4()
        attempt.on_llm_start({}, ["?"], run_id=first)
        attempt.on_llm_end(LLMResult(generations=[[]]), run_id=first)
        if stopped:
            calls.stop.set()
        stop.given_up = not stopped
        with pytest.raises(Halt):
            attempt.on_llm_start({}, ["?"], run_id=uuid4())
