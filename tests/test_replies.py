"""What an item was answered before a fault, or a kill, is given to it again, and nothing else is."""

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from chains.predictor import read_usage
from data.errors import ConfigurationError
from data.types import Prediction
from eval.asking.replies import ReplyJournal
from eval.cli import main
from eval.journal import read_records
from tests.chat_endpoint import serve_chat
from tests.test_survival import journal_of


def said(text: str) -> AIMessage:
    return AIMessage(text, usage_metadata={"input_tokens": 5, "output_tokens": 1, "total_tokens": 6})


def test_replies_come_back_in_their_order_also_in_another_process(tmp_path: Path) -> None:
    path = tmp_path / "run" / "system" / "replies.jsonl"
    with ReplyJournal(path, ["a", "b"]) as journal:
        first = journal.of("a")
        for text in ("one", "two \ud83d"):  # half a character
            assert first.take("same") is None
            first.keep("same", said(text), 1.5)
        journal.of("b").keep("same", said("another item's"), 1)
    with ReplyJournal(path, ["a"]) as journal:
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
    with ReplyJournal(path, ["a"]) as journal:
        journal.of("a").keep("r", said("one"), 1)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    with ReplyJournal(path, ["a"]) as journal:
        assert journal.of("a").take("r") == said("one")
    assert path.read_bytes() == whole
    path.write_bytes(b"{}\n" + whole)
    with pytest.raises(ConfigurationError, match="line 1: not a reply; restore it, or delete the file to ask again"):
        ReplyJournal(path, ["a"])


def test_a_key_that_a_server_repeats_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key-0123456789")
    with ReplyJournal(tmp_path / "replies.jsonl", ["a"]) as journal:
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
        ({"input_tokens": 5, "output_tokens": 0, "total_tokens": 5}, {"input_tokens": 5, "output_tokens": 0}),
    ],
)
def test_only_a_sound_count_is_a_usage(counted: Any, usage: dict[str, int]) -> None:
    assert read_usage(AIMessage("3").model_copy(update={"usage_metadata": counted})) == usage
