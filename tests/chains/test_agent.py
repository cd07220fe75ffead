"""The agent on KICE: a scripted model that calls tools, what it may do, and what a run keeps of it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage

from chains.agent import MAX_TOOL_CALLS, kice_agent
from data.common.errors import ConfigurationError
from data.registry import load_items
from data.types import Prediction
from eval.cli.parser import main
from eval.execution.tracing import sent_messages
from eval.rundir.journal import read_records, records_path
from eval.rundir.names import plain_name
from retrievers.corpus import passages_from_items
from retrievers.registry import build_retriever
from tests.support.scripted import ScriptedChatModel, ToolCallingModel

ITEMS = load_items("kice", split="sample")
PASSAGES = passages_from_items(ITEMS)
WITH_PASSAGE = next(item for item in ITEMS if item.inputs.get("passage"))


def call(name: str, **arguments: str) -> AIMessage:
    usage = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}
    return AIMessage("", tool_calls=[ToolCall(name=name, args=arguments, id=name)], usage_metadata=usage)  # type: ignore[arg-type]


def searches_then_reads(messages: list[BaseMessage]) -> AIMessage:
    """Looks the question up, reads the first passage that was found, and answers 2번."""
    read = [message for message in messages if isinstance(message, ToolMessage)]
    if not read:
        return call("search", query=messages[-1].text)
    if len(read) == 1:
        return call("read_passage", passage_id=read[0].text.split("]")[0].removeprefix("["))
    return AIMessage("지문에 따르면 …\n정답: 2번")


def always_searches(messages: list[BaseMessage]) -> AIMessage:
    return call("search", query="지문")


def agent_of(reply: Callable[[list[BaseMessage]], AIMessage], **settings: Any) -> tuple[ToolCallingModel, Any]:
    model = ToolCallingModel(reply=reply)
    return model, kice_agent(model, build_retriever("bm25", PASSAGES, k=2), PASSAGES, **settings)


def test_an_agent_searches_reads_and_answers() -> None:
    model, agent = agent_of(searches_then_reads)
    answer: Prediction = agent.invoke(WITH_PASSAGE.to_input())
    assert (answer.choice, answer.status) == (1, "ok")
    assert len(answer.document_ids) == 2
    assert answer.usage == {"input_tokens": 20, "output_tokens": 4}
    read = [message.text for message in model.calls[-1] if isinstance(message, ToolMessage)]
    assert read[1] in {passage.text for passage in PASSAGES}


def test_the_items_own_passage_and_answer_are_not_shown() -> None:
    model, agent = agent_of(lambda messages: AIMessage("정답: 1번"))
    agent.invoke(WITH_PASSAGE.to_input())
    sent = "\n".join(message.text for message in model.calls[0])
    assert WITH_PASSAGE.inputs["question"] in sent
    assert WITH_PASSAGE.inputs["passage"][:40] not in sent


def test_asynchronously_it_answers_the_same() -> None:
    _, agent = agent_of(searches_then_reads)
    assert asyncio.run(agent.ainvoke(WITH_PASSAGE.to_input())) == agent.invoke(WITH_PASSAGE.to_input())


def test_a_model_that_never_stops_is_bounded_and_has_no_answer() -> None:
    model, agent = agent_of(always_searches)
    answer = agent.invoke(WITH_PASSAGE.to_input())
    assert (answer.choice, answer.status) == (None, "none")
    assert len(model.calls) == MAX_TOOL_CALLS + 1
    assert [choice for _, choice in model.offered[-2:]] == [None, "none"]


def test_calls_at_once_count_one_by_one() -> None:
    def many(messages: list[BaseMessage]) -> AIMessage:
        if any(isinstance(message, ToolMessage) for message in messages):
            return AIMessage("정답: 4번")
        return AIMessage("", tool_calls=[ToolCall(name="search", args={"query": "시"}, id=f"{i}") for i in range(9)])

    model, agent = agent_of(many, max_tool_calls=3)
    assert agent.invoke(WITH_PASSAGE.to_input()).choice == 3
    assert sum(isinstance(message, ToolMessage) for message in model.calls[-1]) == 3


def test_an_unknown_passage_is_said_to_the_model() -> None:
    def guesses(messages: list[BaseMessage]) -> AIMessage:
        said = [message.text for message in messages if isinstance(message, ToolMessage)]
        return (
            AIMessage(f"정답: {'5' if '없습니다' in said[0] else '1'}번")
            if said
            else call("read_passage", passage_id="x")
        )

    _, agent = agent_of(guesses)
    assert agent.invoke(WITH_PASSAGE.to_input()).choice == 4


def test_a_model_without_tools_is_refused() -> None:
    model = ScriptedChatModel(reply=lambda messages: "1번")
    with pytest.raises(ConfigurationError, match="calls tools"):
        kice_agent(model, build_retriever("bm25", PASSAGES, k=1), PASSAGES)


def searching() -> ToolCallingModel:
    """What the command line below names."""
    return ToolCallingModel(reply=searches_then_reads)


def test_a_run_keeps_the_tool_calls_and_what_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    asked = [
        "run",
        "kice",
        "--split",
        "sample",
        "--chain",
        "kice-agent",
        "--model",
        "tests.chains.test_agent:searching",
        "--retriever",
        "bm25",
    ]
    assert main([*asked, "--limit", "3", "--out", str(out)]) == 0
    records = list(read_records(records_path(out, "kice-agent.tests.chains.test_agent-searching")))
    assert len(records) == 3
    for record in records:
        calls = [call.name for message in record.messages or () for call in message.tool_calls]
        assert calls == ["search", "read_passage"]
        assert [message.role for message in record.messages or ()][-4:] == ["assistant", "tool", "assistant", "tool"]
        assert {passage.chunk_id for passage in record.passages} == set((record.prediction or fail()).document_ids)
    capsys.readouterr()
    assert main(["show", str(out), records[0].item.id]) == 0
    assert '→ search {"query": ' in capsys.readouterr().out


def searching_for_half_a_character() -> ToolCallingModel:
    def reply(messages: list[BaseMessage]) -> AIMessage:
        if any(isinstance(message, ToolMessage) for message in messages):
            return AIMessage("정답: 2번")
        return AIMessage("찾기 \ud800", tool_calls=[ToolCall(name="search", args={"query": "시 \udfff"}, id="1")])

    return ToolCallingModel(reply=reply)


def test_half_a_character_in_a_call_ends_no_run(tmp_path: Path) -> None:
    out = tmp_path / "run"
    asked = ["run", "kice", "--split", "sample", "--chain", "kice-agent", "--retriever", "bm25", "--limit", "2"]
    model = "tests.chains.test_agent:searching_for_half_a_character"
    assert main([*asked, "--model", model, "--out", str(out)]) == 0
    kept = list(read_records(records_path(out, f"kice-agent.{plain_name(model)}")))
    assert len(kept) == 2
    for record in kept:
        said = next(message for message in record.messages or () if message.tool_calls)
        assert (said.content, said.tool_calls[0].arguments) == ("찾기 \ufffd", {"query": "시 \ufffd"})
        assert record.prediction is not None and record.prediction.choice == 1


def test_arguments_are_kept_whole_however_deep() -> None:
    deep = {"a\ud800": [{"b": "\udc00"}, 1, None]}
    said = AIMessage("x\ud800", tool_calls=[ToolCall(name="f", args=deep, id="1")])
    (kept,) = sent_messages([said])
    assert kept.model_dump_json()
    assert kept.tool_calls[0].arguments == {"a\ufffd": [{"b": "\ufffd"}, 1, None]}


def test_a_dry_run_counts_every_call_of_an_agent(capsys: pytest.CaptureFixture[str]) -> None:
    def tokens(*chain: str) -> int:
        assert (
            main(
                [
                    "run",
                    "kice",
                    "--split",
                    "sample",
                    "--retriever",
                    "bm25",
                    "--limit",
                    "1",
                    *chain,
                    "--model",
                    "gpt",
                    "--dry-run",
                ]
            )
            == 0
        )
        said = capsys.readouterr().out
        return int(said.split(" items, about ")[1].split(" input")[0].replace(",", ""))

    assert tokens("--chain", "kice-agent") > 3 * tokens("--chain", "kice-rag")


def fail() -> Prediction:
    raise AssertionError("an item has no prediction")


def test_the_last_turn_s_calls_are_no_silence() -> None:
    _, agent = agent_of(always_searches)
    answer: Prediction = agent.invoke(WITH_PASSAGE.to_input())
    assert answer.finish_reason == "tool_calls" and not answer.is_blank


def test_what_was_reasoned_in_every_turn_is_kept() -> None:
    def thinks(messages: list[BaseMessage]) -> AIMessage:
        reply = searches_then_reads(messages)
        return reply.model_copy(update={"additional_kwargs": {"reasoning_content": f"{len(messages)}?"}})

    _, agent = agent_of(thinks)
    assert agent.invoke(WITH_PASSAGE.to_input()).reasoning == "2?\n\n4?\n\n6?"
