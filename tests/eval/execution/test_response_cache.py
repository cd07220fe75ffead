"""The response cache: what it answers costs nothing, and it answers nothing that a model might answer otherwise."""

import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import SecretStr

from chains.models.reply_fields import SAVED_USAGE
from chains.models.specs import load_chat_model
from data.common.errors import ConfigurationError
from data.types import TRIAL, Record
from eval.cli.parser import main
from eval.execution.attempt_calls import AttemptCalls
from eval.execution.call_ledger import Entry, ItemLedger, Key, ledger_path, read_ledger
from eval.execution.replay import KnownReplies
from eval.execution.response_cache import ResponseCache
from eval.execution.retry import Calls, Clock, ItemStop
from eval.plan.settings.call_policy import CallPolicy
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest
from tests.support.chat_endpoint import serve_chat
from tests.support.exam_file import exam, write_exam
from tests.support.fault_server import USAGE, Faults, FaultServer, serve_faults
from tests.support.scripted import ScriptedChatModel

ITEMS = 20


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(folder))
    return folder


def asking(folder: Path, server: FaultServer, out: str, *more: str) -> list[str]:
    path = folder / "2030_11_KICE.json"
    if not path.exists():
        write_exam(folder, exam(ITEMS // 5, 5))
    model = ["--chain", "kice-prompt", "--model", f"endpoint:m@{server.base_url}", "--retries", "2"]
    return ["run", "kice", "--data", str(path), *model, "--out", str(folder / out), *more]


def records(run_dir: Path) -> list[Record]:
    (name,) = read_manifest(run_dir).systems
    return list(read_records(records_path(run_dir, name)))


def ledger_of(run_dir: Path) -> Iterator[Entry]:
    (name,) = read_manifest(run_dir).systems
    return read_ledger(ledger_path(run_dir, name))


def scores(run_dir: Path) -> dict[str, Any]:
    summary = json.loads((run_dir / "summary.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = summary["evaluations"][0]["systems"][0]
    return found


def test_a_second_run_asks_nothing_and_says_the_same(tmp_path: Path) -> None:
    with serve_faults() as server:
        assert main(asking(tmp_path, server, "one", "--cache")) == 0
        assert main(asking(tmp_path, server, "two", "--cache", "--timeout", "9", "--max-concurrency", "3")) == 0
        assert sum(server.attempts.values()) == ITEMS
    one, two = records(tmp_path / "one"), records(tmp_path / "two")
    assert {record.cache_hits for record in one} == {0} and {record.cache_hits for record in two} == {1}
    for paid, free in zip(one, two, strict=True):
        assert paid.messages == free.messages
        assert paid.prediction is not None and free.prediction is not None
        assert paid.prediction.usage == {"input_tokens": 50, "output_tokens": 4}
        usage = {"input_tokens": 0, "output_tokens": 0, "saved_input_tokens": 50, "saved_output_tokens": 4}
        assert free.prediction == paid.prediction.model_copy(update={"usage": usage})
    shown = scores(tmp_path / "two")["scores"]
    assert shown["accuracy"] == scores(tmp_path / "one")["scores"]["accuracy"]
    assert shown["usage"]["input_tokens"] == 0


def test_without_the_option_nothing_is_kept_or_taken(tmp_path: Path, cache_folder: Path) -> None:
    with serve_faults() as server:
        for out in ("one", "two"):
            assert main(asking(tmp_path, server, out)) == 0
        assert sum(server.attempts.values()) == 2 * ITEMS
    assert not list(cache_folder.glob("responses*"))


def test_a_hit_costs_nothing_and_waits_for_no_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_faults() as server:
        prices = tmp_path / "prices.yaml"
        spec = f"endpoint:m@{server.base_url}"
        prices.write_text(f'as_of: "2026"\nsource: made up\nmodels:\n  "{spec}": {{input: 10, output: 10}}\n')
        monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(prices))
        more = ("--max-tokens", "8", "--cache")
        assert main(asking(tmp_path, server, "one", *more)) == 0
        assert main(asking(tmp_path, server, "two", *more, "--max-cost", "0.000001", "--rpm", "1", "--tpm", "1")) == 0
        assert sum(server.attempts.values()) == ITEMS
        usd = (USAGE["prompt_tokens"] + USAGE["completion_tokens"]) * 10 / 1e6
        costs = [scores(tmp_path / out)["cost"]["usd_per_query"] for out in ("one", "two")]
    assert costs == [pytest.approx(usd)] * 2, "what a query costs is not what this run saved"
    assert (scores(tmp_path / "one")["cached"], scores(tmp_path / "two")["cached"]) == (0, ITEMS)
    assert scores(tmp_path / "two")["scores"]["latency_p50_s"] is None
    assert f"{ITEMS} answers of" in (tmp_path / "two" / "report.md").read_text(encoding="utf-8")
    assert list(ledger_of(tmp_path / "two")) == [], "no call was made"
    capsys.readouterr()
    assert main(["show", str(tmp_path / "two"), "kice/2030-11/q01"]) == 0
    assert "from the response cache" in capsys.readouterr().out


def test_sampled_replies_are_kept_only_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_faults() as server:
        more = ("--temperature", "0.7")
        for out in ("one", "two"):
            assert main(asking(tmp_path, server, out, *more, "--cache")) == 0
        assert sum(server.attempts.values()) == 2 * ITEMS
        assert capsys.readouterr().err.count("sampled, and not kept") == 2
        for out in ("three", "four"):
            assert main(asking(tmp_path, server, out, *more, "--cache-sampled")) == 0
        assert sum(server.attempts.values()) == 3 * ITEMS


def test_each_vote_is_a_reply_of_its_own(tmp_path: Path) -> None:
    with serve_faults() as server:
        more = ("--temperature", "0.7", "--votes", "3")
        assert main(asking(tmp_path, server, "one", *more, "--cache")) == 0
        assert sum(server.attempts.values()) == 3 * ITEMS
        assert main(asking(tmp_path, server, "two", *more, "--cache-sampled")) == 0
        assert sum(server.attempts.values()) == 6 * ITEMS, "no vote is another's reply"
        assert main(asking(tmp_path, server, "three", *more, "--cache-sampled")) == 0
        assert sum(server.attempts.values()) == 6 * ITEMS
    assert {record.cache_hits for record in records(tmp_path / "three")} == {3}


def test_another_server_s_model_of_the_same_name_is_another(tmp_path: Path) -> None:
    with serve_faults() as one, serve_faults() as other:
        assert main(asking(tmp_path, one, "one", "--cache")) == 0
        assert main(asking(tmp_path, other, "two", "--cache")) == 0
        assert sum(other.attempts.values()) == ITEMS


def test_errors_are_not_kept(tmp_path: Path) -> None:
    refused = ("물음 1-", 400, {"message": "flagged", "code": "content_filter"})
    with serve_faults(Faults(refuse_marked=refused)) as server:
        assert main(asking(tmp_path, server, "one", "--cache")) == 1
    assert ResponseCache().stats().replies == {"m": ITEMS - 5}


# The key, and what is kept under it.


def model(**changes: Any) -> BaseChatModel:
    settings: dict[str, Any] = {"max_tokens": 8, "seed": 1, "timeout": 5, "max_retries": 0}
    return load_chat_model(changes.pop("spec", "endpoint:m@http://localhost:1/v1"), **(settings | changes))


def key_of(asked: BaseChatModel, text: str = "hello", *, votes: bool = False, asking: int = 0, **call: Any) -> Key:
    parameters = asked._get_invocation_params(**call)  # what LangChain tells callbacks
    key = cached_under(asked, [HumanMessage(text)], parameters, votes=votes, trial=asking)
    assert key is not None
    return key


def cached_under(
    asked: BaseChatModel,
    messages: list[BaseMessage],
    parameters: dict[str, Any],
    *,
    votes: bool = False,
    trial: int = 0,
) -> Key | None:
    known = KnownReplies(asked, ResponseCache(sampled=True), votes=votes)
    metadata = {**(known.of(asked).metadata or {}), TRIAL: trial}
    call = known.find(messages, parameters, metadata, ItemLedger())
    return None if call is None else call.cached


def test_what_can_change_a_reply_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    hot = model(temperature=0.5)
    keys = [
        key_of(model()),
        key_of(model(), "hello "),
        key_of(model(spec="endpoint:n@http://localhost:1/v1")),
        key_of(model(spec="endpoint:m@http://localhost:2/v1")),
        key_of(model(spec="endpoint:qwen3@http://localhost:1/v1")),
        key_of(model(max_tokens=9)),
        key_of(model(seed=2)),
        key_of(model(temperature=0.5)),
        key_of(hot, asking=1),
        key_of(model(), votes=True, asking=1),
        key_of(model(top_p=0.5)),
        key_of(model(extra_body={"top_k": 5})),
        key_of(model(), stop=["\n"]),
        key_of(model(), tools=[{"type": "function", "function": {"name": "search"}}]),
        key_of(model(), tool_choice="none"),
        key_of(model(), response_format={"type": "json_object"}),
        key_of(model(), logprobs=True),
        key_of(model(spec="openai:gpt-4o-mini")),
        key_of(model(spec="openai:gpt-4o")),
        key_of(model(spec="openai:gpt-4o", base_url="http://localhost:3/v1")),
    ]
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:4/v1")
    keys.append(key_of(model(spec="openai:gpt-4o")))
    assert len(set(keys)) == len(keys)


def test_what_can_change_no_reply_does_not_change_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINT_API_KEY", "first-key-1")
    first = key_of(model())
    monkeypatch.setenv("ENDPOINT_API_KEY", "second-key-2")
    same = [
        key_of(model()),
        key_of(model(timeout=50)),
        key_of(model(max_retries=3)),
        key_of(model(tags=["a"], metadata={"b": 1})),
        key_of(model(), asking=3),  # greedy: which asking it is does not matter
    ]
    assert set(same) == {first}
    assert key_of(model(), "hello") == first


def reply(text: str = "3", **fields: Any) -> AIMessage:
    usage = {"input_tokens": 5, "output_tokens": 1, "total_tokens": 6}
    return AIMessage(text, usage_metadata=usage, **fields)


def kept(said: AIMessage) -> bool:
    """Say whether a reply comes back from the cache through a model that LangChain asks."""
    scripted = ScriptedChatModel(reply=lambda messages: said)
    known = KnownReplies(model(), ResponseCache())
    scripted = known.of(scripted)
    question = [HumanMessage("?")]
    for _ in range(2):
        calls = Calls(CallPolicy())
        attempt = AttemptCalls(calls, Clock(), ItemStop(calls.stop), known=known)
        answer = scripted.invoke(question, {"callbacks": [attempt]}, temperature=0)
        assert answer.text == said.text
    hit = attempt.cache_hits == 1
    if hit:
        assert answer.usage_metadata is not None and answer.usage_metadata["input_tokens"] == 0
        assert answer.response_metadata[SAVED_USAGE] == {"input_tokens": 5, "output_tokens": 1}
    return hit


def test_a_model_that_cannot_be_told_from_others_is_not_served(capsys: pytest.CaptureFixture[str]) -> None:
    assert KnownReplies(model(extra_body={"sent": object()}), ResponseCache()).cache is None
    assert "keeps no replies of FamilyChatModel: a object has no stable text" in capsys.readouterr().err


class _OwnChatModel(BaseChatOpenAI):
    """Its fields do not tell what its code makes of a request."""


def test_code_of_the_user_s_own_is_not_served(capsys: pytest.CaptureFixture[str]) -> None:
    own = _OwnChatModel(model="m", base_url="http://localhost:1/v1", api_key=SecretStr("none"))
    assert KnownReplies(own, ResponseCache()).cache is None
    assert f"keeps no replies of _OwnChatModel: it is code of your own, {__name__}" in capsys.readouterr().err
    theirs = BaseChatOpenAI(model="m", base_url="http://localhost:1/v1", api_key=SecretStr("none"))
    assert KnownReplies(theirs, ResponseCache()).cache is not None


OWN = BaseChatOpenAI(model="m", api_key=SecretStr("none"), temperature=0, max_retries=0)


def test_the_user_s_object_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_faults() as server:
        monkeypatch.setattr(OWN, "root_client", OWN.root_client.with_options(base_url=server.base_url))
        monkeypatch.setattr(OWN, "client", OWN.root_client.chat.completions)
        asked = asking(tmp_path, server, "one", "--cache")
        asked[asked.index("--model") + 1] = f"{__name__}:OWN"
        assert main(asked) == 0
    assert OWN.cache is None
    assert ResponseCache().stats().replies == {"m": ITEMS}


def test_ollama_s_address_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    class ChatOllama(FakeListChatModel):
        base_url: str | None = None

    ChatOllama.__module__ = "langchain_ollama.chat_models"
    keys = []
    for host in ("one:11434", "two:11434"):
        monkeypatch.setenv("OLLAMA_HOST", host)
        keys.append(key_of(ChatOllama(responses=["3"])))
        keys.append(key_of(ChatOllama(responses=["3"], base_url="http://three:1")))
    assert keys[0] != keys[2] and keys[1] == keys[3]


def test_only_whole_replies_are_kept() -> None:
    call = {"name": "search", "args": {"query": "별"}, "id": "1", "type": "tool_call"}
    for said in (
        reply(""),
        reply(" \n"),
        reply("half", response_metadata={"finish_reason": "content_filter"}),
        reply("", additional_kwargs={"refusal": "no"}),
    ):
        assert not kept(said)
    assert kept(reply("cut", response_metadata={"finish_reason": "length"})), "the limit is part of the key"
    ResponseCache().clear()
    assert kept(reply("", tool_calls=[call]))
    ResponseCache().clear()
    assert kept(reply("정답: 3번", response_metadata={"finish_reason": "stop", "logprobs": {"content": []}}))


def test_half_a_character_costs_no_reply() -> None:
    call = {"name": "search", "args": {"query": "별 \udfff"}, "id": "1", "type": "tool_call"}
    assert kept(reply("정답: 3번 \ud83d"))
    ResponseCache().clear()
    assert kept(reply("", tool_calls=[call]))


@pytest.mark.parametrize("whole_head", [True, False])
@pytest.mark.parametrize("damaged", ["{", "[]", "{}", '{"content": {}}', '{"type": "ai"}'])
def test_a_damaged_line_is_asked_anew(damaged: str, whole_head: bool) -> None:
    said = reply("3")
    assert kept(said)
    path = ResponseCache().path
    head, _, _ = path.read_bytes().partition(b',"reply":')
    path.write_bytes((head + b',"reply":' if whole_head else b"{") + damaged.encode() + b"}\n")
    assert kept(said), "it is a miss first, and then replaced"
    assert Entry.of_line(path.read_bytes().splitlines()[-1]).message().content == "3"
    assert kept(said) and len(path.read_bytes().splitlines()) == 2, "and then it is there"


def _searches_once(messages: list[dict[str, Any]]) -> dict[str, Any]:
    if any(message["role"] == "tool" for message in messages):
        return {"content": "정답: 3번"}
    arguments = json.dumps({"query": "지문"})
    called = {"id": f"call_{uuid4()}", "type": "function", "function": {"name": "search", "arguments": arguments}}
    return {"content": None, "tool_calls": [called]}


def test_every_turn_of_an_agent_is_kept(tmp_path: Path) -> None:
    with serve_chat(lambda body: _searches_once(body["messages"])) as server:
        asked = ["run", "kice", "--split", "sample", "--limit", "3", "--chain", "kice-agent", "--retriever", "bm25"]
        asked += ["--model", f"endpoint:m@{server.base_url}", "--cache"]
        assert main([*asked, "--out", str(tmp_path / "one")]) == 0
        assert len(server.requests) == 6
        assert main([*asked, "--out", str(tmp_path / "two")]) == 0
        assert len(server.requests) == 6
    one, two = records(tmp_path / "one"), records(tmp_path / "two")
    assert [record.cache_hits for record in two] == [2, 2, 2]
    for paid, free in zip(one, two, strict=True):
        assert paid.prediction is not None and free.prediction is not None
        assert (paid.prediction.choice, paid.messages) == (free.prediction.choice, free.messages)
        assert free.prediction.usage["saved_input_tokens"] == paid.prediction.usage["input_tokens"] > 0


def test_turns_are_told_apart_by_what_a_model_sees_of_them() -> None:
    def conversation(id: str = "a", query: str = "별", found: str = "시", **said: Any) -> Key | None:
        call = {"name": "search", "args": {"query": query}, "id": id, "type": "tool_call"}
        turns = [HumanMessage("?"), AIMessage("", tool_calls=[call], **said), ToolMessage(found, tool_call_id=id)]
        return cached_under(model(), turns, {"temperature": 0})

    usage = {"input_tokens": 5, "output_tokens": 1, "total_tokens": 6}
    first = conversation()
    assert first is not None
    assert {conversation("b"), conversation(usage_metadata=usage, response_metadata={"id": "x"}, id="run-1")} == {first}
    assert len({first, conversation(query="달"), conversation(found="소설")}) == 3


def test_a_secret_in_a_reply_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "planted-secret-9")
    cache = ResponseCache()
    cache.put(Key("k", 0), "m", reply("it is planted-secret-9"))
    files = b"".join(path.read_bytes() for path in cache.path.parent.iterdir())
    assert b"planted-secret" not in files and b"redacted" in files


def _fill(path: Path, start: int) -> None:
    cache = ResponseCache(path)
    for number in range(start, start + 200):
        cache.put(Key(f"k{number}", 0), "m", reply(str(number)))


def test_threads_and_processes_share_it(tmp_path: Path) -> None:
    path = tmp_path / "shared.jsonl"
    processes = [multiprocessing.get_context("spawn").Process(target=_fill, args=(path, n)) for n in (0, 100)]
    for process in processes:
        process.start()
    cache = ResponseCache(path)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: cache.put(Key(f"k{n}", 0), "m", reply(str(n))), range(250, 450)))
        for process in processes:
            process.join()
            assert process.exitcode == 0
        found = threads.map(lambda n: cache.get(Key(f"k{n}", 0)), range(450))
        assert [one.text for one in found if one] == [str(n) for n in range(450)]
    assert len(path.read_bytes().splitlines()) == 450, "the first reply under a key stays"
    assert ResponseCache(path).stats().replies == {"m": 450}


def test_what_another_process_does_to_it_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "shared.jsonl"
    one, other = ResponseCache(path), ResponseCache(path)
    first, second = Key("k", 0), Key("l", 1)
    one.put(first, "m", reply("1"))
    assert other.get(first) is not None and other.get(second) is None
    other.forget(first)
    assert (one.get(first), other.get(first)) == (None, None) and one.stats().replies == {}
    one.put(first, "m", reply("2"))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"request":"l","tr')  # the other process was killed as it wrote
    assert (found := other.get(first)) is not None and found.text == "2" and other.get(second) is None
    other.put(second, "m", reply("3"))
    assert path.read_bytes().startswith(whole + b'{"trial":1,"request":"l"'), "no line begins in another one"
    assert other.clear() == 2 and (one.get(first), one.get(second)) == (None, None)
    one.put(second, "m", reply("4"))
    assert other.stats().replies == {"m": 1}


def test_a_file_that_is_no_cache_is_said(cache_folder: Path) -> None:
    cache_folder.mkdir()
    (cache_folder / "responses.jsonl").write_bytes(b"no ledger at all" * 100)
    with pytest.raises(ConfigurationError, match=r"responses\.jsonl cannot be used: it is no call ledger; remove"):
        ResponseCache()
    assert (cache_folder / "responses.jsonl").read_bytes() == b"no ledger at all" * 100


def test_a_cache_that_fails_costs_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    cache = ResponseCache()
    cache.put(Key("k", 0), "m", reply())
    cache.path.unlink()
    cache.path.mkdir()
    assert cache.get(Key("k", 0)) is None
    cache.put(Key("l", 0), "m", reply())
    assert capsys.readouterr().err.count("going on without it") == 1


@pytest.mark.parametrize("action", ["stats", "clear"])
def test_what_cannot_be_counted_or_removed_is_said(
    action: str, cache_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cache_folder / "responses.jsonl").mkdir(parents=True)
    assert main(["cache", action]) == 2
    said = capsys.readouterr()
    assert "cannot be used" in said.err and said.err.count("\n") == 1 and not said.out


def test_stats_and_clear(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve_faults() as server:
        assert main(asking(tmp_path, server, "one", "--cache")) == 0
    capsys.readouterr()
    assert main(["cache", "stats"]) == 0
    assert f"{ITEMS} replies" in capsys.readouterr().out
    assert main(["cache", "stats", "--json"]) == 0
    stats = json.loads(capsys.readouterr().out)
    assert (stats["replies"], stats["models"]) == (ITEMS, {"m": ITEMS}) and stats["bytes"] > 0
    assert main(["cache", "clear"]) == 0
    assert f"{ITEMS} replies removed" in capsys.readouterr().out
    assert main(["cache", "stats", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["replies"] == 0
