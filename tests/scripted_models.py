"""Scripted models that a command line or a suite can name, as `tests.scripted_models:third`."""

import os
import threading

from langchain_core.messages import AIMessage, BaseMessage

from tests.scripted import ScriptedChatModel


def third() -> ScriptedChatModel:
    """Says the third choice, in the form that the prompt asks for."""

    def reply(messages: list[BaseMessage]) -> AIMessage:
        text = "contradiction" if "Premise:" in messages[-1].text else "정답: 3번"
        usage = {"input_tokens": 100, "output_tokens": 5, "total_tokens": 105}
        return AIMessage(text, usage_metadata=usage)  # type: ignore[arg-type]

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
