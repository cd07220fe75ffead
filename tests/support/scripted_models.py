"""Scripted models that a command line or a suite can name, as `tests.support.scripted_models:third`."""

import os
import random
import re
import threading
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from tests.support.scripted import ScriptedChatModel


def third() -> ScriptedChatModel:
    """Says the third choice, in the form that the prompt asks for."""

    def reply(messages: list[BaseMessage]) -> AIMessage:
        text = "contradiction" if "Premise:" in messages[-1].text else "정답: 3번"
        usage = {"input_tokens": 100, "output_tokens": 5, "total_tokens": 105}
        return AIMessage(text, usage_metadata=usage)  # type: ignore[arg-type]

    return ScriptedChatModel(reply=reply)


def first() -> ScriptedChatModel:
    """Says whatever choice is shown first."""

    def reply(messages: list[BaseMessage]) -> AIMessage:
        shown = re.search(r"Answer with one word: (\w+)", messages[-1].text)
        usage = {"input_tokens": 100, "output_tokens": 5, "total_tokens": 105}
        return AIMessage(shown[1] if shown else "정답: 1번", usage_metadata=usage)  # type: ignore[arg-type]

    return ScriptedChatModel(reply=reply)


def knowing() -> ScriptedChatModel:
    """Says the choice that TEST_KNOWN names, wherever it is shown."""

    def reply(messages: list[BaseMessage]) -> str:
        shown = re.search(rf"(\d)번: [^\n]*{re.escape(os.environ['TEST_KNOWN'])}", messages[-1].text)
        return f"정답: {shown[1]}번" if shown else "모르겠습니다."

    return ScriptedChatModel(reply=reply)


def _lose_the_third(messages: list[BaseMessage]) -> str:
    if len(LOSING.calls) == 3:
        raise ConnectionError("reset by peer")
    return "정답: 1번"


LOSING = ScriptedChatModel(reply=_lose_the_third)


def losing() -> ScriptedChatModel:
    """Says the first choice, and loses its third call."""
    return LOSING


class _Sampled(ScriptedChatModel):
    """Its reply is a function of its seed: what a server that keeps to the seed does."""

    seed: int | None = None
    temperature: float = 1.0

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        text = f"정답: {random.Random(self.seed).randint(1, 5)}번"
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])


def sampled() -> ScriptedChatModel:
    """Draws its answer by its seed."""
    return _Sampled(reply=lambda messages: "")


def reader() -> ScriptedChatModel:
    """Says what is shown as "N번 물음의 답은 …이다" to the question "물음 N", else the fifth choice."""

    def reply(messages: list[BaseMessage]) -> str:
        text = messages[-1].text
        asked = re.search(r"물음 (\d+)\.", text)
        read = asked and re.search(rf"{asked[1]}번 물음의 답은 (\d)이다", text)
        return f"정답: {read[1]}번" if read else "정답: 5번"

    return ScriptedChatModel(reply=reply)


def failing() -> ScriptedChatModel:
    """Fails on the items whose question holds the text that TEST_FAIL names, and tells its key while at it."""

    def reply(messages: list[BaseMessage]) -> str:
        if (marked := os.environ.get("TEST_FAIL")) and marked in messages[-1].text:
            raise ConnectionError(f"reset by peer, key {os.environ.get('OPENAI_API_KEY')}")
        return "3번"

    return ScriptedChatModel(reply=reply)


def interrupted() -> ScriptedChatModel:
    """Answers ten items, then behaves as if the user had pressed Ctrl-C."""
    answered = threading.Semaphore(10)

    def reply(messages: list[BaseMessage]) -> str:
        if not answered.acquire(blocking=False):
            raise KeyboardInterrupt
        return "2번"

    return ScriptedChatModel(reply=reply)
