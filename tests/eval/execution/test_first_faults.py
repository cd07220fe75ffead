"""What the first faults of a run mean: one item's own, or every item's. Real servers on loopback, whole commands."""

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.types import Record
from eval.cli.parser import main
from eval.execution.faults import describe, judge
from eval.execution.server_words import sentence_of
from eval.rundir.journal import read_records
from tests.support.chat_endpoint import serve_chat
from tests.support.exam_file import exam, write_exam
from tests.support.fault_server import Faults, serve_faults

RISK = {"message": "Content Exists Risk", "type": "invalid_request_error", "param": None}
SSE = 'data: {"id": "c", "choices": [{"index": 0, "delta": {"content": "3"}}]}\n\ndata: [DONE]\n\n'
UNKNOWN_FIELD = 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'


def command(folder: Path, base_url: str, *more: str, items: int = 20) -> list[str]:
    write_exam(folder, exam(items // 5, 5))
    data = ["--data", str(folder / "2030_11_KICE.json"), "--out", str(folder / "out")]
    return ["run", "kice", *data, "--chain", "kice-prompt", "--model", f"endpoint:m@{base_url}", *more]


def records(folder: Path) -> list[Record]:
    (path,) = (folder / "out").glob("*/records.jsonl")
    return list(read_records(path))


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in said
    return line


@pytest.mark.parametrize("concurrency", ["1", "4", "8", "32"])
@pytest.mark.parametrize(("refused", "count"), [("물음 0-0", 1), ("물음 0-", 5)])
@pytest.mark.parametrize(
    ("status", "error"), [(400, RISK), (422, RISK), (403, RISK), (403, "<html>Request blocked</html>")]
)
def test_a_refusal_of_contents_is_the_item_s_also_where_it_is_the_first_answer(
    tmp_path: Path, concurrency: str, refused: str, count: int, status: int, error: dict[str, Any] | str
) -> None:
    with serve_faults(Faults(refuse_marked=(refused, status, error))) as server:
        assert main(command(tmp_path, server.base_url, "--max-concurrency", concurrency)) == 1
        assert set(server.attempts.values()) == {1} and len(server.attempts) == 20
    found = records(tmp_path)
    assert [record.error is not None for record in found] == [True] * count + [False] * (20 - count)
    said = "Content Exists Risk" if error is RISK else "Request blocked"
    assert all(said in record.error for record in found if record.error)


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_what_every_item_is_refused_with_stops_the_run_after_a_few(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], concurrency: int
) -> None:
    with serve_faults(Faults(refuse=(400, RISK))) as server:
        assert main(command(tmp_path, server.base_url, "--max-concurrency", str(concurrency), items=100)) == 2
        assert sum(server.attempts.values()) == concurrency + 3
    assert "answered 400: Content Exists Risk; 100 answers are missing" in error_line(capsys)


@pytest.mark.parametrize("words", ["Content Exists Risk", "Forbidden", "Your request was blocked"])
def test_a_way_in_that_is_closed_in_mid_run_stops_it_whatever_the_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    """One text may be forbidden, or a few in a row; not all of them from one moment on."""
    asked: list[str] = []

    def reply(body: dict[str, Any]) -> str | tuple[int, dict[str, Any]]:
        asked.append(body["messages"][-1]["content"])
        return "정답: 3번" if len(asked) <= 30 and len(asked) % 6 else (403, {"error": {"message": words}})

    with serve_chat(reply) as server:
        assert main(command(tmp_path, server.base_url, "--max-concurrency", "4", items=100)) == 2
    assert 50 <= len(asked) <= 54
    assert f"answered 403: {words}" in error_line(capsys)
    assert sum(record.error is None for record in records(tmp_path)) == 25


@pytest.mark.parametrize(
    "words",
    [
        "Your API key was revoked",
        "You do not have access to model m",
        "Country, region, or territory not supported",
        "This project is not permitted: missing permission",
    ],
)
def test_a_refusal_of_who_asks_stops_the_run_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    with serve_faults(Faults(refuse=(403, {"message": words}))) as server:
        assert main(command(tmp_path, server.base_url, "--max-concurrency", "2", items=100)) == 2
        assert sum(server.attempts.values()) <= 2
    assert f"answered 403: {words}" in error_line(capsys)


def test_a_run_whose_first_items_were_all_refused_goes_on(tmp_path: Path) -> None:
    """Nothing of it was journaled; the filter has been turned off since."""
    with serve_faults(Faults(refuse=(400, RISK))) as server:
        arguments = command(tmp_path, server.base_url)
        assert main(arguments) == 2
        server.faults = Faults(refuse_marked=("물음 0-0", 400, RISK))
        arguments[arguments.index("--out")] = "--resume"
        assert main(arguments) == 1
    assert [record.error is None for record in records(tmp_path)] == [False] + [True] * 19


@pytest.mark.parametrize("concurrency", ["1", "4"])
@pytest.mark.parametrize("words", ["never seen before", "Unsupported value: 'temperature'"])
def test_calls_in_flight_are_waited_for_before_a_bad_request_stops_a_run(
    tmp_path: Path, words: str, concurrency: str
) -> None:
    def reply(body: dict[str, Any]) -> str | tuple[int, dict[str, Any]]:
        if "물음 0-0" in body["messages"][-1]["content"]:
            return 400, {"error": {"message": words}}
        time.sleep(0.1)
        return "정답: 3번"

    with serve_chat(reply) as server:
        assert main(command(tmp_path, server.base_url, "--max-concurrency", concurrency)) == 1
        assert len(server.requests) == 20
    assert [record.error is None for record in records(tmp_path)] == [False] + [True] * 19


@pytest.mark.parametrize("status", [429, 500])
@pytest.mark.parametrize("concurrency", ["1", "4"])
def test_a_refusal_is_held_back_while_others_wait_to_be_asked_again(
    tmp_path: Path, concurrency: str, status: int
) -> None:
    """Nothing is in flight meanwhile: whoever waits may yet be answered, and so says whose fault it was."""
    asked: Counter[str] = Counter()

    def reply(body: dict[str, Any]) -> str | tuple[int, dict[str, Any]]:
        question = body["messages"][-1]["content"]
        asked[question] += 1
        if "물음 0-1" in question:
            return 400, {"error": RISK}
        return (status, {"error": {"message": "later"}}) if asked[question] == 1 else "정답: 3번"

    with serve_chat(reply) as server:
        assert main(command(tmp_path, server.base_url, "--max-concurrency", concurrency)) == 1
    assert sorted(asked.values()) == [1] + [2] * 19
    assert sum(record.error is not None for record in records(tmp_path)) == 1


@pytest.mark.parametrize("concurrency", [1, 2, 8])
def test_a_fault_of_the_request_itself_stops_a_run_without_asking_further(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], concurrency: int
) -> None:
    body = json.dumps([{"error": {"code": 400, "message": UNKNOWN_FIELD, "status": "INVALID_ARGUMENT"}}])
    with serve_faults(Faults(refuse=(400, body))) as server:
        assert main(command(tmp_path, server.base_url, "--max-concurrency", str(concurrency))) == 2
        assert sum(server.attempts.values()) == max(concurrency, 4)
    assert f"answered 400: {UNKNOWN_FIELD}; 20 answers are missing" in error_line(capsys)


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("body", [SSE, "<html>Log in</html>", '{"id": "c", "choices": [{"ind'])
def test_the_same_unreadable_reply_to_every_item_stops_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], concurrency: int, body: str
) -> None:
    with serve_faults(Faults(refuse=(200, body))) as server:
        assert main(command(tmp_path, server.base_url, "--max-concurrency", str(concurrency), items=100)) == 2
        assert 4 < sum(server.attempts.values()) <= 2 * (concurrency + 3)
        assert len(server.attempts) >= 4
    line = error_line(capsys)
    assert "answers, but with nothing that can be read: " in line and "100 answers are missing" in line
    assert body[:20].split("\n")[0] in line


@pytest.mark.parametrize("retries", ["0", "6"])
def test_an_unreadable_reply_to_some_items_is_theirs_and_they_are_asked_as_often_as_others(
    tmp_path: Path, retries: str
) -> None:
    with serve_faults(Faults(refuse_marked=("물음 0-", 200, SSE))) as server:
        assert main(command(tmp_path, server.base_url, "--max-concurrency", "5", "--retries", retries)) == 1
        server_s = {item: count for item, count in server.paid.items() if "물음 0-" in item}
        asked = server.attempts
    assert len(server_s) == 5
    assert sum(record.error is not None for record in records(tmp_path)) == 5
    most = int(retries) + 1
    assert all(most <= asked[item] <= most + 2 for item in server_s), "two more, while nothing was known of others"


def test_a_quota_of_a_day_stops_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day"
    with serve_faults(Faults(refuse=(429, {"message": said, "code": 429}))) as server:
        assert main(command(tmp_path, server.base_url, "--max-concurrency", "4")) == 2
        assert sum(server.attempts.values()) <= 4
    line = error_line(capsys)
    assert "429: Rate limit exceeded: free-models-per-day" in line and "until its quota is renewed" in line


class Fault(Exception):
    def __init__(self, message: str = "", **attributes: Any) -> None:
        super().__init__(message)
        self.__dict__.update(attributes)


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        ("Rate limit reached on requests per day (RPD): Limit 200, Used 200", "stop"),
        ("Rate limit reached on tokens per day (TPD): Limit 100000, Used 99800", "stop"),
        ("You have exceeded your daily request quota", "stop"),
        ("Quota exceeded for quota metric GenerateRequestsPerDayPerProjectPerModel-FreeTier", "stop"),
        ("Your monthly usage limit is reached", "stop"),
        ("Rate limit reached on tokens per min (TPM): Limit 30000. Try again in 2s", "again"),
        ("At most 15 requests per minute and 1500 requests per day; slow down to 15 per minute", "again"),
        ("Too many requests. Have a nice day", "again"),
    ],
)
def test_a_quota_that_outlasts_every_wait_is_told_from_one_that_does_not(message: str, verdict: str) -> None:
    assert judge(Fault(status_code=429, body={"message": message})) == verdict


def test_a_server_that_asks_to_wait_for_hours_stops_the_run() -> None:
    class Response:
        status_code = 429

        def __init__(self, seconds: str) -> None:
            self.headers = {"retry-after": seconds}

    assert judge(Fault(response=Response("40000"))) == "stop"
    assert judge(Fault(response=Response("60"))) == "again"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([{"error": {"code": 400, "message": UNKNOWN_FIELD}}], UNKNOWN_FIELD),
        ({"error": {"error": {"message": "deep down"}}}, "deep down"),
        ({"errors": [{"message": "one of them"}, {"message": "another one"}]}, "one of them: another one"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]},
         "body.seed: Extra inputs are not permitted"),
        ({"error": {"message": "Provider returned error", "metadata": {"raw": json.dumps({"error": RISK})}}},
         "Provider returned error: Content Exists Risk"),
        ({"fault": {"faultstring": "Quota violated", "detail": {"errorcode": "policies.Quota"}}}, "Quota violated"),
        ({"base_resp": {"status_code": 1026, "status_msg": "input new_sensitive"}}, "input new_sensitive"),
        ({"errorMessage": "in camel case"}, "in camel case"),
        ({"code": "x", "hint": "nobody calls this a message"}, "nobody calls this a message"),
        ("<html>a page</html>", "<html>a page</html>"),
        ({}, ""),
        (None, ""),
    ],
)  # fmt: skip
def test_the_sentence_is_found_wherever_a_server_puts_it(body: Any, said: str) -> None:
    assert sentence_of(body) == said
    if said:
        assert describe(Fault("Error code: 400", status_code=400, body=body)) == f"400: {said}"


@pytest.mark.parametrize("nested", [lambda body: [body], lambda body: {"error": body}, json.dumps])
def test_no_depth_of_a_body_is_too_much(nested: Callable[[Any], Any]) -> None:
    body: Any = "at the bottom"
    for _ in range(12):
        body = nested(body)
    assert sentence_of(body) in ("", "at the bottom") or isinstance(body, str)
