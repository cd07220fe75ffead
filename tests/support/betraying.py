"""A chat model that remembers every text it is shown, in every one of its copies, and that can be reworded.

It reads tickets (`tests.support.tickets`), and is right only where its instruction says GOOD, which it proposes itself.
"""

from typing import Any

from langchain_core.messages import BaseMessage

from tests.support.scripted import ScriptedChatModel
from tests.support.tickets import WORDS

MODEL = f"{__name__}:remembering"
GOOD = "Name the department {that} owns the ticket."
SHOWN: list[list[str]] = []


def is_proposal(texts: list[str]) -> bool:
    """Say whether the model was asked to reword an instruction."""
    return "write a new instruction" in texts[-1]


def remembering() -> Any:
    """Make the model."""

    def reply(messages: list[BaseMessage]) -> str:
        texts = [message.text for message in messages]
        SHOWN.append(texts)
        if is_proposal(texts):
            return f"```\n{GOOD}\n```"
        found = next((label for label, words in WORDS.items() if words in texts[-1]), "none")
        return found if GOOD in texts[0] else "refund"

    return ScriptedChatModel(reply=reply)
