"""What a reply says beside its text, in the words of every provider, and which replies hold no text at all."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from chains.models.reply_fields import read_finish_reason, read_reasoning
from chains.models.specs import load_chat_model
from chains.predictor import read_reply
from chains.prompt_files import AnswerForm
from data.types import NO_TEXT, Prediction, Trial
from tests.support.chat_endpoint import ChatEndpoint, serve_chat


def predicted(reply: AIMessage) -> Prediction:
    return read_reply(AnswerForm(form="number", max_tokens=8), {"choices": ["가", "나", "다"], "reply": reply})


@pytest.mark.parametrize(
    ("reply", "reasoning"),
    [
        (AIMessage("1", additional_kwargs={"reasoning_content": "3?"}), "3?"),
        (AIMessage("1", additional_kwargs={"reasoning": {"id": "r", "summary": [{"text": "3?"}]}}), "3?"),
        (AIMessage("1", additional_kwargs={"reasoning": "3?", "reasoning_content": " 3?\n"}), "3?"),
        (AIMessage([{"type": "thinking", "thinking": "3?", "signature": "x"}, {"type": "text", "text": "1"}]), "3?"),
        (AIMessage([{"type": "thinking", "thinking": [{"type": "text", "text": "3?"}]}, "1"]), "3?"),
        (AIMessage([{"type": "reasoning", "reasoning": "3?"}, {"type": "text", "text": "1"}]), "3?"),
        (AIMessage([{"type": "reasoning_content", "reasoning_content": {"text": "3?"}}, "1"]), "3?"),
        (AIMessage([{"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "3?"}]}, "1"]), "3?"),
        (AIMessage("1", additional_kwargs={"reasoning_content": "3 \ud800"}), "3 \ufffd"),
        (AIMessage("1", additional_kwargs={"reasoning_content": None, "reasoning": ["", 3, {"id": "r"}]}), ""),
        (AIMessage("1", additional_kwargs={"reasoning_details": [{"type": "reasoning.text", "text": "3?"}]}), "3?"),
        (
            AIMessage("1", additional_kwargs={"reasoning": "3?", "reasoning_details": [{"text": "3"}, {"text": "?"}]}),
            "3?",
        ),
        (AIMessage("1"), ""),
    ],
)
def test_reasoning_is_kept_wherever_a_provider_puts_it(reply: AIMessage, reasoning: str) -> None:
    assert read_reasoning(reply) == reasoning
    one = predicted(reply)
    assert (one.choice, one.raw, one.reasoning) == (0, "1", reasoning)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"finish_reason": "length"}, "length"),
        ({"stop_reason": "max_tokens"}, "length"),
        ({"finish_reason": "MAX_TOKENS"}, "length"),
        ({"done_reason": "stop"}, "stop"),
        ({"finish_reason": "SAFETY"}, "content_filter"),
        ({"stop_reason": "guardrail_intervened"}, "content_filter"),
        ({"finish_reason": None}, ""),
    ],
)
def test_why_a_reply_ended_has_one_word_for_all_providers(said: dict[str, Any], reason: str) -> None:
    assert read_finish_reason(AIMessage("", response_metadata=said)) == reason


@pytest.mark.parametrize("text", ["", "  \n", "\u200b\ufeff", "<think>\n정답은 2번", "정답은 2번\n</think>\n"])
@pytest.mark.parametrize("reason", ["stop", "length", ""])
def test_thoughts_that_nothing_follows_are_no_text(text: str, reason: str) -> None:
    one = predicted(AIMessage(text, response_metadata={"finish_reason": reason}))
    assert (one.choice, one.rule, one.is_blank) == (None, NO_TEXT, True)
    assert ("정답은 2번" in one.reasoning, one.raw.strip("\u200b\ufeff \n")) == ("정답" in text, "")


@pytest.mark.parametrize(
    "reply",
    [
        AIMessage("모르겠습니다.", response_metadata={"finish_reason": "stop"}),
        AIMessage("① 은 지문에서", response_metadata={"finish_reason": "length"}),
        AIMessage("", response_metadata={"finish_reason": "content_filter"}),
        AIMessage("", additional_kwargs={"refusal": "no"}),
        AIMessage("", response_metadata={"finish_reason": "tool_calls"}),
        AIMessage("2", response_metadata={"finish_reason": "length"}),
    ],
)
def test_what_was_said_refused_held_back_or_called_is_not_nothing(reply: AIMessage) -> None:
    assert not predicted(reply).is_blank


def test_a_predictor_that_keeps_no_text_is_not_said_to_have_been_silent() -> None:
    assert not Prediction(choice=None, status="none").is_blank
    assert not Prediction(choice=0, status="ok").is_blank
    asks = tuple(Trial(order=(0, 1), choice=None, status="none", finish_reason="stop", raw=raw) for raw in ("", "음"))
    assert not Prediction(choice=None, status="none", asks=asks).is_blank
    assert Prediction(choice=None, status="none", asks=asks[:1] * 2).is_blank


@pytest.fixture
def thinking_server() -> Iterator[ChatEndpoint]:
    with serve_chat(lambda body: {"reasoning_content": "2 or 3?", "content": "The answer is 3."}) as server:
        yield server


@pytest.mark.parametrize("name", ["anything", "qwen3:8b"])
def test_a_served_model_keeps_what_its_server_took_out_of_the_text(name: str, thinking_server: ChatEndpoint) -> None:
    model = load_chat_model(f"endpoint:{name}@{thinking_server.base_url}")
    for reply in (model.invoke("?"), *model.batch(["?"])):
        assert (reply.content, read_reasoning(reply)) == ("The answer is 3.", "2 or 3?")
    streamed = list(model.stream("?"))
    assert "".join(str(chunk.content) for chunk in streamed) == "The answer is 3."
    assert "".join(chunk.additional_kwargs.get("reasoning_content", "") for chunk in streamed) == "2 or 3?"


def test_thoughts_in_the_text_come_behind_those_that_the_server_took_out() -> None:
    said = {"reasoning_content": "2 or 3?", "content": "<think>3, surely.</think>3"}
    with serve_chat(lambda body: said) as server:
        reply = load_chat_model(f"endpoint:qwen3@{server.base_url}").invoke("?")
    assert (reply.content, read_reasoning(reply)) == ("3", "2 or 3?\n\n3, surely.")


@pytest.mark.parametrize("odd", [3, {"a": [1]}, ["2?"], True, ""])
def test_reasoning_of_an_odd_form_costs_no_reply(odd: object) -> None:
    with serve_chat(lambda body: {"reasoning_content": odd, "content": "<think>3?</think>3"}) as server:
        reply = load_chat_model(f"endpoint:qwen3@{server.base_url}").invoke("?")
    assert (reply.content, read_reasoning(reply)) == ("3", "3?")
