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
from eval.execution.rate_limits import Window
from eval.execution.replay import KnownReplies
from eval.execution.reply_journal import ReplyJournal, read_replies, replies_path
from eval.execution.retry import Calls, Clock, ItemStop
from eval.measures.prices import Price, PriceTable, price
from eval.plan.call_policy import CallPolicy
from eval.plan.systems import System
from eval.rundir.journal import read_records
from tests.support.chat_endpoint import ChatEndpoint, serve_chat
from tests.support.described import described
from tests.support.runs_over_server import journal_of
from tests.support.scripted import ScriptedChatModel


def said(text: str) -> AIMessage:
    return AIMessage(text, usage_metadata={"input_tokens": 5, "output_tokens": 1, "total_tokens": 6})


def journal_at(path: Path, item_ids: list[str]) -> ReplyJournal:
    return ReplyJournal(path, item_ids, pytest.fail)


def test_replies_come_back_in_their_order_also_in_another_process(tmp_path: Path) -> None:
    path = tmp_path / "run" / "system" / "replies.jsonl"
    with journal_at(path, ["a", "b"]) as journal:
        first = journal.of("a")
        for text in ("one", "two \ud83d"):  # half a character
            assert first.take("same") is None
            first.keep("same", said(text), 1.5)
        journal.of("b").keep("same", said("another item's"), 1)
    with journal_at(path, ["a"]) as journal:
        again = journal.of("a")
        for _ in range(2):
            again.rewind()
            assert [again.take("other"), again.take("same"), again.take("same"), again.take("same")] == [
                None,
                said("one"),
                said("two \ud83d"),
                None,
            ]
            assert again.replayed_s == 3.0
        assert journal.of("b").take("same") is None, "it was not among the items to ask"


def test_a_torn_line_is_cut_and_a_damaged_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    with journal_at(path, ["a"]) as journal:
        journal.of("a").keep("r", said("one"), 1)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    with journal_at(path, ["a"]) as journal:
        assert journal.of("a").take("r") == said("one")
    assert path.read_bytes() == whole
    path.write_bytes(b"{}\n" + whole)
    with pytest.raises(ConfigurationError, match="line 1: not a reply; restore it, or delete the file to pay"):
        journal_at(path, ["a"])


def test_a_key_that_a_server_repeats_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key-0123456789")
    with journal_at(tmp_path / "replies.jsonl", ["a"]) as journal:
        journal.of("a").keep("r", said("your key planted-key-0123456789"), 1)
    assert b"planted" not in (tmp_path / "replies.jsonl").read_bytes()


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
    assert not journal_of(out).with_name("replies.jsonl").exists()


def test_a_failed_agent_is_resumed_at_the_turn_that_failed(tmp_path: Path) -> None:
    out, agent = tmp_path / "out", _Agent(500)
    with serve_chat(agent) as server:
        asked = [*AGENT, "--model", f"endpoint:m@{server.base_url}"]
        assert main([*asked, "--retries", "0", "--out", str(out)]) == 1
        assert len(journal_of(out).with_name("replies.jsonl").read_text().splitlines()) == 3
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
    with journal_at(tmp_path / "replies.jsonl", ["a"]) as journal:
        replies, given = journal.of("a"), said("one")
        replies.keep("r", given, 1)
        for _ in range(2):
            given.content = "changed"
            replies.rewind()
            given = replies.take("r") or given
            assert given == said("one")


def test_what_has_no_text_is_kept_in_memory(tmp_path: Path) -> None:
    held = AIMessage("one", response_metadata={"raw": object(), "lock": threading.Lock(), "bytes": b"\xff"})
    with journal_at(tmp_path / "replies.jsonl", ["a"]) as journal:
        replies = journal.of("a")
        replies.keep("r", held, 1)
        replies.rewind()
        again = replies.take("r")
        assert again is not None and again.text == "one"
    assert (tmp_path / "replies.jsonl").read_bytes() == b""


def test_only_the_asking_that_a_fault_followed_from_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    with journal_at(path, ["a"]) as journal:
        replies = journal.of("a")
        for trial, request in enumerate(("first", "second")):
            replies.keep(request, said(request), 1, trial=trial)
        replies.forget(1)
        replies.rewind()
        assert (replies.take("first"), replies.take("second")) == (said("first"), None)
    with journal_at(path, ["a"]) as journal:
        replies = journal.of("a")
        assert (replies.take("first"), replies.take("second")) == (said("first"), None)


def test_a_file_of_an_older_version_is_read(tmp_path: Path) -> None:
    """There a trial was called an asking."""
    path = tmp_path / "replies.jsonl"
    with journal_at(path, ["a"]) as journal:
        journal.of("a").keep("r", said("one"), 1, trial=2)
    path.write_text(path.read_text().replace('"trial"', '"asking"'))
    with journal_at(path, ["a"]) as journal:
        replies = journal.of("a")
        replies.forget(2)
        replies.rewind()
        assert replies.take("r") is None


def test_a_reply_after_the_end_is_nobody_s(tmp_path: Path) -> None:
    with journal_at(tmp_path / "replies.jsonl", ["a"]) as journal:
        replies = journal.of("a")
    replies.keep("r", said("late"), 1)
    replies.forget(0)
    assert (tmp_path / "replies.jsonl").read_bytes() == b""


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


def test_a_disk_that_is_full_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")

    class Full(SyncedFile):
        def append(self, line: bytes) -> None:
            raise full

    monkeypatch.setattr("data.common.line_file.SyncedFile", Full)
    script = Scripted(lambda prompt, times: False)
    with serve_chat(script) as server:
        asked = ["run", "kice", "--split", "sample", "--max-concurrency", "1", "--chain", "kice-prompt"]
        asked += ["--permute", "cyclic", "--model", f"endpoint:m@{server.base_url}"]
        assert main([*asked, "--out", str(tmp_path / "out")]) == 2
        assert len(server.requests) == 1, "nothing more is paid for that would be lost"
    assert "replies.jsonl cannot be written: No space left on device; 20 answers are missing" in capsys.readouterr().err


def test_kept_replies_are_spent_money(tmp_path: Path) -> None:
    """Of a run without a limit there is no spending log: what unfinished items have had is known all the same."""
    replies = replies_path(tmp_path, "s")
    with ReplyJournal(replies, [], pytest.fail) as journal:
        for item_id in ("a", "a", "b"):
            journal.of(item_id).keep("r", said("3"), 1)
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
    known, own = KnownReplies(), journal_at(tmp_path / "replies.jsonl", ["a"]).of("a")
    reply = AIMessageChunk("3", usage_metadata={"input_tokens": 5, "output_tokens": 1, "total_tokens": 6})
    model = known.of(ScriptedChatModel(reply=lambda messages: reply))
    calls = Calls(CallPolicy())
    attempt = AttemptCalls(calls, Clock(), ItemStop(calls.stop), known=known, replies=own)
    model.invoke("?", {"callbacks": [attempt]})
    ((kept,),) = read_replies(tmp_path / "replies.jsonl", lambda item_id: True).values()
    assert type(kept.message) is AIMessage and read_usage(kept.message) == {"input_tokens": 5, "output_tokens": 1}


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
    """What the log says of a run that fails is what it can have cost at most, and resuming it adds nothing."""
    script = iter(["1", "1", 502, *["1"] * 9])
    with serve_chat(lambda body: next(script)) as server:
        model = Price(input=1e6, output=1e6)
        table = PriceTable(as_of="today", source="here", models={f"endpoint:m@{server.base_url}": model})
        (tmp_path / "prices.yaml").write_text(table.model_dump_json(), encoding="utf-8")
        monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(tmp_path / "prices.yaml"))
        more = ["--limit", "1", "--permute", "cyclic", "--retries", "0", "--max-tokens", "8", "--max-cost", "1e6"]
        assert run_chain("reads_a_number_of_five", server, tmp_path / "out", *more) == 1
        before = (tmp_path / "out" / "spending.log").read_text()
        assert run_chain("reads_a_number_of_five", server, tmp_path / "out", *more) == 0
    assert "-0 " not in (tmp_path / "out" / "spending.log").read_text().removeprefix(before)


def test_waits_at_once_are_one_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 10.0, 15.0, 22.0])  # made, paused, going on, asked
    monkeypatch.setattr("eval.execution.retry.time", SimpleNamespace(monotonic=lambda: next(moments)))
    clock = Clock()
    with clock.paused(), clock.paused():
        pass
    assert (clock.elapsed_s(), clock.waited_s) == (17.0, 5.0)
