"""What an item was answered before a fault, or a kill, is given to it again, and nothing else is."""

import asyncio
import errno
import json
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import RunnableLambda

from chains.models.reply_fields import read_usage
from chains.models.specs import load_chat_model
from data.common.errors import ConfigurationError
from data.common.line_file import SyncedFile
from data.types import Prediction
from eval.cli.parser import main
from eval.execution.attempt_calls import AttemptCalls
from eval.execution.budget import spent_before
from eval.execution.call_ledger import FREE, CallLedger, ItemLedger, Key, as_data, ledger_path, read_ledger
from eval.execution.rate_limits import Window
from eval.execution.replay import KnownReplies
from eval.execution.retry import Calls, Clock, ItemStop
from eval.measures.prices import Price, PriceTable, price
from eval.plan.settings.call_policy import CallPolicy
from eval.plan.system import System
from eval.rundir.journal import read_records
from tests.support.chat_endpoint import ChatEndpoint, serve_chat
from tests.support.described import described
from tests.support.runs_over_server import journal_of
from tests.support.scripted import ScriptedChatModel


def said(text: str) -> AIMessage:
    return AIMessage(text, usage_metadata={"input_tokens": 5, "output_tokens": 1, "total_tokens": 6})


def ledger_at(path: Path, item_ids: list[str]) -> CallLedger:
    return CallLedger(path, item_ids, pytest.fail)


def take(ledger: ItemLedger, request: str, trial: int = 0) -> AIMessage | None:
    return ledger.take(Key(request, trial))


def keep(ledger: ItemLedger, request: str, message: AIMessage, seconds: float = 1, *, trial: int = 0) -> None:
    call = uuid4().hex
    assert ledger.write(Key(request, trial), call, most={"input_tokens": 99, "output_tokens": 9})
    ledger.write(Key(request, trial), call, usage=read_usage(message), seconds=seconds, reply=as_data(message))


def test_replies_come_back_in_their_order_also_in_another_process(tmp_path: Path) -> None:
    path = tmp_path / "run" / "system" / "calls.jsonl"
    with ledger_at(path, ["a", "b"]) as ledgers:
        first = ledgers.of("a")
        for text in ("one", "two \ud83d"):  # half a character
            assert take(first, "same") is None
            keep(first, "same", said(text), 1.5)
        keep(ledgers.of("b"), "same", said("another item's"))
    with ledger_at(path, ["a"]) as ledgers:
        again = ledgers.of("a")
        for _ in range(2):
            again.rewind()
            assert [take(again, "other"), take(again, "same"), take(again, "same"), take(again, "same")] == [
                None,
                said("one"),
                said("two \ud83d"),
                None,
            ]
            assert again.replayed_s == 3.0
        assert take(ledgers.of("b"), "same") is None, "it was not among the items to ask"


def test_a_torn_line_is_cut_and_a_damaged_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    with ledger_at(path, ["a"]) as ledgers:
        keep(ledgers.of("a"), "r", said("one"))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    with ledger_at(path, ["a"]) as ledgers:
        assert take(ledgers.of("a"), "r") == said("one")
    assert path.read_bytes() == whole
    for damaged in (
        b"{}",
        b"[]",
        b"{",
        b'{"usage":{"input_tokens":1}}',
        b'{"most":{}}',
        b'{"usage":{"input_tokens":-1,"output_tokens":1}}',
    ):
        path.write_bytes(damaged + b"\n" + whole)
        with pytest.raises(
            ConfigurationError, match=r"line 1 is none of a call ledger; restore it, or delete the file"
        ):
            ledger_at(path, ["a"])
    path.write_bytes(whole.replace(b'"content":"one"', b'"content":3'))
    with pytest.raises(ConfigurationError, match=r"the reply of call \w{32} cannot be read; restore it"):
        ledger_at(path, ["a"])


def test_a_key_that_a_server_repeats_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key-0123456789")
    with ledger_at(tmp_path / "calls.jsonl", ["a"]) as ledgers:
        keep(ledgers.of("a"), "r", said("your key planted-key-0123456789"))
    assert b"planted" not in (tmp_path / "calls.jsonl").read_bytes()


AGENT = ["run", "kice", "--split", "sample", "--limit", "3", "--chain", "kice-agent", "--retriever", "bm25"]


class _Agent:
    """Searches once and answers; its answer fails the first time that it is asked of it."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.turns: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()

    def __call__(self, body: dict[str, Any]) -> dict[str, Any] | int:
        messages = body["messages"]
        turn = messages[1]["content"], len(messages)
        with self._lock:
            self.turns[turn] += 1
            asked = self.turns[turn]
        if messages[-1]["role"] == "tool":
            return self.status if asked == 1 else {"content": "정답: 3번"}
        call = {"name": "search", "arguments": json.dumps({"query": "지문"})}
        return {"content": None, "tool_calls": [{"id": "c", "type": "function", "function": call}]}

    def times_asked(self) -> list[int]:
        return sorted(self.turns.values())


def test_an_agent_goes_on_at_the_turn_that_failed(tmp_path: Path) -> None:
    out, agent = tmp_path / "out", _Agent(500)
    with serve_chat(agent) as server:
        assert main([*AGENT, "--model", f"endpoint:m@{server.base_url}", "--out", str(out)]) == 0
    assert agent.times_asked() == [1, 1, 1, 2, 2, 2]
    records = list(read_records(journal_of(out)))
    usages = [record.prediction.usage for record in records if record.prediction]
    assert [usage["input_tokens"] for usage in usages] == [14, 14, 14], "both turns were paid for"
    assert [record.cache_hits for record in records] == [0, 0, 0]
    assert len(replies_in(journal_of(out).with_name("calls.jsonl"))) == 6


def replies_in(path: Path) -> list[AIMessage]:
    return [entry.message() for entry in read_ledger(path) if entry.reply]


def test_a_failed_agent_is_resumed_at_the_turn_that_failed(tmp_path: Path) -> None:
    out, agent = tmp_path / "out", _Agent(500)
    with serve_chat(agent) as server:
        asked = [*AGENT, "--model", f"endpoint:m@{server.base_url}"]
        assert main([*asked, "--retries", "0", "--out", str(out)]) == 1
        assert len(replies_in(journal_of(out).with_name("calls.jsonl"))) == 3
        assert main([*asked, "--resume", str(out)]) == 0
    assert agent.times_asked() == [1, 1, 1, 2, 2, 2]


def reads_a_number(model: Any) -> Any:
    asked = RunnableLambda(lambda entry: entry["question"])
    return asked | model | (lambda reply: Prediction(choice=int(reply.text) - 1, status="ok"))


def test_a_reply_that_led_to_a_fault_is_asked_for_anew(tmp_path: Path) -> None:
    """Else the item would fail with every --resume."""
    out, replies = tmp_path / "out", iter(["no number", *["3"] * 9])
    with serve_chat(lambda body: next(replies)) as server:
        asked = ["run", "kice", "--split", "sample", "--limit", "2", "--max-concurrency", "1"]
        asked += ["--chain", f"{__name__}:reads_a_number", "--model", f"endpoint:m@{server.base_url}"]
        assert main([*asked, "--out", str(out)]) == 1
        assert main([*asked, "--resume", str(out)]) == 0
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("counted", "usage"),
    [
        (None, {}),
        ({"total_cost": 0}, {}),  # LangChain's, of a reply from a cache
        ({"input_tokens": -5, "output_tokens": 1, "total_tokens": -4}, {}),  # no run gets money back
        ({"input_tokens": float("inf"), "output_tokens": 1}, {}),
        ({"input_tokens": 10**400, "output_tokens": 1}, {}),
        ({"input_tokens": 5.5, "output_tokens": 1}, {}),
        ({"input_tokens": True, "output_tokens": 1}, {}),
        ({"input_tokens": 5, "output_tokens": 0, "total_tokens": 5}, {"input_tokens": 5, "output_tokens": 0}),
        (
            {"input_tokens": 5, "output_tokens": 1, "output_token_details": {"reasoning": "many"}},
            {"input_tokens": 5, "output_tokens": 1},
        ),
    ],
)
def test_only_a_sound_count_is_a_usage(counted: Any, usage: dict[str, int]) -> None:
    assert read_usage(AIMessage("3").model_copy(update={"usage_metadata": counted})) == usage


def test_a_chain_that_changes_what_it_was_given_changes_no_reply(tmp_path: Path) -> None:
    with ledger_at(tmp_path / "calls.jsonl", ["a"]) as ledgers:
        ledger, given = ledgers.of("a"), said("one")
        keep(ledger, "r", given)
        for _ in range(2):
            given.content = "changed"
            ledger.rewind()
            given = take(ledger, "r") or given
            assert given == said("one")


def test_what_is_no_json_in_a_reply_costs_no_reply(tmp_path: Path) -> None:
    held = AIMessage("one", response_metadata={"raw": object(), "lock": threading.Lock(), "bytes": b"\xff"})
    for process in range(2):
        with ledger_at(tmp_path / "calls.jsonl", ["a"]) as ledgers:
            ledger = ledgers.of("a")
            if process == 0:
                keep(ledger, "r", held)
                ledger.rewind()
            again = take(ledger, "r")
            assert again is not None and again.text == "one"


def test_only_the_asking_that_a_fault_followed_from_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    with ledger_at(path, ["a"]) as ledgers:
        ledger = ledgers.of("a")
        for trial in range(2):
            keep(ledger, "same", said(f"{trial}"), trial=trial)
        ledger.forget(Key("same", 1))
        ledger.rewind()
        assert (take(ledger, "same", 0), take(ledger, "same", 1)) == (said("0"), None)
    with ledger_at(path, ["a"]) as ledgers:
        ledger = ledgers.of("a")
        assert (take(ledger, "same", 0), take(ledger, "same", 1)) == (said("0"), None)


def test_a_reply_after_the_end_is_nobody_s(tmp_path: Path) -> None:
    with ledger_at(tmp_path / "calls.jsonl", ["a"]) as ledgers:
        ledger = ledgers.of("a")
        assert ledger.write(Key("r", 0), "c", most=FREE)
    before = (tmp_path / "calls.jsonl").read_bytes()
    ledger.write(Key("r", 0), "c", usage=FREE, reply=as_data(said("late")))
    ledger.forget(Key("r", 0))
    assert (tmp_path / "calls.jsonl").read_bytes() == before
    assert not ledger.write(Key("r", 0), "d", most=FREE), "a call that cannot be written down is not to be sent"


# What a chain does beside asking the model that it is handed.

SAMPLE = ["run", "kice", "--split", "sample", "--limit", "2", "--max-concurrency", "1"]


def choice_of(reply: AIMessage) -> Prediction:
    return Prediction(choice=int(reply.text[-1]) - 1, status="ok")


class Scripted:
    """Answers by what the prompt says, and fails where `fails` says so of how often it was asked that."""

    def __init__(self, fails: Callable[[str, int], bool]) -> None:
        self.fails = fails
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, body: dict[str, Any]) -> str | int:
        prompt = body["messages"][-1]["content"]
        with self._lock:
            self.asked[prompt] += 1
            return 500 if self.fails(prompt, self.asked[prompt]) else "3"

    def times(self, word: str) -> list[int]:
        return sorted(times for prompt, times in self.asked.items() if word in prompt)


def run_chain(chain: str, server: ChatEndpoint, out: Path, *more: str) -> int:
    asked = [*SAMPLE, "--chain", f"{__name__}:{chain}", "--model", f"endpoint:m@{server.base_url}", *more]
    return main([*asked, *(["--resume", str(out)] if out.exists() else ["--out", str(out)])])


def asks_at_once(model: Any) -> Any:
    """Two questions beside each other, and then a third."""

    async def ask(entry: dict[str, Any]) -> Prediction:
        await asyncio.gather(*(model.ainvoke(f"{word} {entry['id']}") for word in ("left", "right")))
        return choice_of(await model.ainvoke(f"then {entry['id']}"))

    return RunnableLambda(lambda entry: asyncio.run(ask(entry)))


@pytest.mark.parametrize("cache", [[], ["--cache"]])
def test_calls_made_at_once_are_each_kept(tmp_path: Path, cache: list[str]) -> None:
    script = Scripted(lambda prompt, times: prompt.startswith("then") and times == 1)
    with serve_chat(script) as server:
        assert run_chain("asks_at_once", server, tmp_path / "out", *cache) == 0
        assert script.times("left") == script.times("right") == [1, 1] and script.times("then") == [2, 2]
        if cache:
            assert run_chain("asks_at_once", server, tmp_path / "again", *cache) == 0
            assert len(server.requests) == 8, "everything is in the cache"


OTHER_URL = "TEST_OTHER_URL"


def asks_another_first(model: Any) -> Any:
    def ask(entry: dict[str, Any]) -> Prediction:
        other = load_chat_model(f"endpoint:m@{os.environ[OTHER_URL]}", max_tokens=8, max_retries=0)
        other.invoke(f"same {entry['id']}")
        model.invoke(f"same {entry['id']}")
        return choice_of(model.invoke(f"then {entry['id']}"))

    return RunnableLambda(ask)


def test_another_model_s_calls_are_neither_answered_nor_left_uncounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Scripted(lambda prompt, times: prompt.startswith("then") and times == 1)
    other = Scripted(lambda prompt, times: False)
    with serve_chat(own) as server, serve_chat(other) as beside:
        monkeypatch.setenv(OTHER_URL, beside.base_url)
        assert run_chain("asks_another_first", server, tmp_path / "out") == 0
    assert own.times("same") == [1, 1] and own.times("then") == [2, 2]
    assert other.times("same") == [2, 2], "it is not ours to remember"


def test_retries_end_also_where_replies_cannot_be_given_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another model's calls are answered in each attempt, which is no progress."""
    own, other = Scripted(lambda prompt, times: True), Scripted(lambda prompt, times: False)
    with serve_chat(own) as server, serve_chat(other) as beside:
        monkeypatch.setenv(OTHER_URL, beside.base_url)
        assert run_chain("asks_another_first", server, tmp_path / "out", "--retries", "2") == 1
    assert other.times("same") == [3, 3]


def looks_up_after(model: Any) -> Any:
    def look_up(reply: AIMessage) -> AIMessage:
        if not Path(os.environ["TEST_STORE"]).exists():
            raise ConnectionError("the store is away")
        return reply

    return RunnableLambda(lambda entry: entry["question"]) | model | look_up | choice_of


def test_a_fault_that_follows_from_no_reply_forgets_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_STORE", str(tmp_path / "store"))
    script = Scripted(lambda prompt, times: False)
    with serve_chat(script) as server:
        assert run_chain("looks_up_after", server, tmp_path / "out", "--retries", "1") == 1
        (tmp_path / "store").touch()
        assert run_chain("looks_up_after", server, tmp_path / "out") == 0
        assert len(server.requests) == 2


@pytest.mark.parametrize(("line", "sent"), [(b'"most":', 0), (b'"reply":', 1)])
def test_a_disk_that_is_full_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, line: bytes, sent: int
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")

    class Full(SyncedFile):
        def append(self, written: bytes) -> None:
            if line in written:
                raise full
            super().append(written)

    monkeypatch.setattr("data.common.line_file.SyncedFile", Full)
    script = Scripted(lambda prompt, times: False)
    with serve_chat(script) as server:
        asked = ["run", "kice", "--split", "sample", "--max-concurrency", "1", "--chain", "kice-prompt"]
        asked += ["--permute", "cyclic", "--model", f"endpoint:m@{server.base_url}"]
        assert main([*asked, "--out", str(tmp_path / "out")]) == 2
        assert len(server.requests) == sent, "nothing more is paid for that would be lost"
    assert "calls.jsonl cannot be written: No space left on device; 20 answers are missing" in capsys.readouterr().err


def test_kept_replies_are_spent_money(tmp_path: Path) -> None:
    """What unfinished items have had is known also of a run that was begun without a limit."""
    with ledger_at(ledger_path(tmp_path, "s"), []) as ledgers:
        for item_id in ("a", "a", "b"):
            keep(ledgers.of(item_id), "r", said("3"))
    system = System("s", described({"model": {"spec": "openai:gpt-4o-mini"}}), None, lambda _: None, reply_tokens=8)
    each = price({"input_tokens": 5, "output_tokens": 1}, "openai:gpt-4o-mini")
    assert each is not None and spent_before(tmp_path, [system]) == pytest.approx(3 * each)


def test_the_time_of_a_reply_is_not_that_of_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Window.__init__, "__kwdefaults__", {"per_s": 1.0})
    script = Scripted(lambda prompt, times: prompt.startswith("then") and times == 1)
    with serve_chat(script) as server:
        assert run_chain("asks_at_once", server, tmp_path / "out", "--rpm", "1") == 0
    assert max(record.latency_s or 9 for record in read_records(journal_of(tmp_path / "out"))) < 0.8


def asks_twice_then_reads(model: Any) -> Any:
    def ask(entry: dict[str, Any]) -> Prediction:
        replies = [model.invoke(f"{word} {entry['id']}") for word in ("left", "right")]
        return Prediction(choice=max(int(reply.text) for reply in replies) - 1, status="ok")

    return RunnableLambda(ask)


@pytest.mark.parametrize("bad", ["no number", "9"])  # an exception, and no choice of the item's
@pytest.mark.parametrize("cache", [[], ["--cache"]])
def test_an_earlier_reply_that_is_of_no_use_is_asked_for_anew(tmp_path: Path, bad: str, cache: list[str]) -> None:
    script = iter([bad, "3", *["3"] * 9])
    with serve_chat(lambda body: next(script)) as server:
        more = ["--limit", "1", *cache]
        assert run_chain("asks_twice_then_reads", server, tmp_path / "out", *more) == 1
        assert run_chain("asks_twice_then_reads", server, tmp_path / "out", *more) == 0
        assert len(server.requests) == 4


def reads_a_number_of_five(model: Any) -> Any:
    return RunnableLambda(lambda entry: entry["question"]) | model | choice_of


def test_of_several_askings_only_the_one_of_no_use_is_made_anew(tmp_path: Path) -> None:
    script = iter(["1", "9", *["1"] * 9])
    with serve_chat(lambda body: next(script)) as server:
        more = ["--limit", "1", "--permute", "cyclic"]
        assert run_chain("reads_a_number_of_five", server, tmp_path / "out", *more) == 1
        assert len(server.requests) == 2, "nothing is paid for after it"
        assert run_chain("reads_a_number_of_five", server, tmp_path / "out", *more) == 0
        assert len(server.requests) == 6


def streams(model: Any) -> Any:
    def ask(entry: dict[str, Any]) -> Prediction:
        text = "".join(chunk.text for chunk in model.stream(f"left {entry['id']}"))
        return Prediction(choice=int(text) - 1, status="ok")

    return RunnableLambda(ask)


def test_a_streamed_reply_is_known_like_any_other(tmp_path: Path) -> None:
    script = Scripted(lambda prompt, times: False)
    with serve_chat(script) as server:
        for out in ("one", "two"):
            assert run_chain("streams", server, tmp_path / out, "--cache") == 0
        assert len(server.requests) == 2
    assert [record.cache_hits for record in read_records(journal_of(tmp_path / "two"))] == [1, 1]


def test_a_reply_in_one_chunk_is_a_message(tmp_path: Path) -> None:
    reply = AIMessageChunk("3", usage_metadata={"input_tokens": 5, "output_tokens": 1, "total_tokens": 6})
    scripted = ScriptedChatModel(reply=lambda messages: reply)
    known, calls = KnownReplies(scripted), Calls(CallPolicy())
    with ledger_at(tmp_path / "calls.jsonl", ["a"]) as ledgers:
        attempt = AttemptCalls(calls, Clock(), ItemStop(calls.stop), known=known, ledger=ledgers.of("a"))
        known.of(scripted).invoke("?", {"callbacks": [attempt]})
    (kept,) = replies_in(tmp_path / "calls.jsonl")
    assert type(kept) is AIMessage and read_usage(kept) == {"input_tokens": 5, "output_tokens": 1}


def test_a_400_after_a_reply_is_the_item_s_also_when_it_is_resumed(tmp_path: Path) -> None:
    script = iter(["1", 500, 400, *["1"] * 9])
    with serve_chat(lambda body: next(script)) as server:
        more = ["--limit", "1", "--retries", "0"]
        assert run_chain("asks_twice_then_reads", server, tmp_path / "out", *more) == 1
        assert run_chain("asks_twice_then_reads", server, tmp_path / "out", *more) == 1
        assert run_chain("asks_twice_then_reads", server, tmp_path / "out", *more) == 0
        assert len(server.requests) == 4


def test_a_failed_call_is_no_reason_to_count_the_answered_ones_at_their_highest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the ledger says of a run that fails is what it can have cost at most, and resuming it adds nothing."""
    script = iter(["1", "1", 502, *["1"] * 9])
    with serve_chat(lambda body: next(script)) as server:
        model = Price(input=1e6, output=1e6)
        table = PriceTable(as_of="today", source="here", models={f"endpoint:m@{server.base_url}": model})
        (tmp_path / "prices.yaml").write_text(table.model_dump_json(), encoding="utf-8")
        monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(tmp_path / "prices.yaml"))
        more = ["--limit", "1", "--permute", "cyclic", "--retries", "0", "--max-tokens", "8", "--max-cost", "1e6"]
        assert run_chain("reads_a_number_of_five", server, tmp_path / "out", *more) == 1
        assert answered_and_not(tmp_path / "out") == (2, 1)
        assert run_chain("reads_a_number_of_five", server, tmp_path / "out", *more) == 0
    assert answered_and_not(tmp_path / "out") == (5, 1)


def answered_and_not(run_dir: Path) -> tuple[int, int]:
    """Return how many calls were answered with a count, and how many may have cost the most that they can."""
    entries = list(read_ledger(journal_of(run_dir).with_name("calls.jsonl")))
    answered = sum(bool(entry.usage) for entry in entries)
    return answered, sum(entry.most is not None for entry in entries) - answered


def test_waits_at_once_are_one_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 10.0, 15.0, 22.0])  # made, paused, going on, asked
    monkeypatch.setattr("eval.execution.retry.time", SimpleNamespace(monotonic=lambda: next(moments)))
    clock = Clock()
    with clock.paused(), clock.paused():
        pass
    assert (clock.elapsed_s(), clock.waited_s) == (17.0, 5.0)
