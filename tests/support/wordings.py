"""Three wordings of one prompt, of which one is bad, and two models that read tickets (`tests.support.tickets`)."""

import re
from pathlib import Path
from typing import Any

import yaml
from langchain_core.messages import BaseMessage

from tests.support.scripted import ScriptedChatModel
from tests.support.tickets import WORDS

HEEDS = f"{__name__}:heeds_wording"
STEADY = f"{__name__}:steady"
SAID = {"plain": "Answer with one label.", "kind": "Kindly answer with one label.", "riddle": "Speak in riddles."}


def write_wordings(folder: Path) -> list[str]:
    """Write a prompt for each wording, and return their paths."""
    for name, system in SAID.items():
        prompt = {
            "id": name,
            "benchmark": "classify",
            "language": "en",
            "technique": "zero-shot",
            "source": "made up",
            "system": system,
            "user": "The labels are:\n{labels}\n\nText: {text}",
            "answer": {"form": "choice", "max_tokens": 16},
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(prompt), encoding="utf-8")
    return [str(folder / f"{name}.yaml") for name in SAID]


def read_ticket(messages: list[BaseMessage], *, wrong_every: int) -> str:
    """Return the ticket's department, or "refund" for every so manieth one."""
    text = messages[-1].text
    found = next(label for label, words in WORDS.items() if words in text)
    number = re.search(r'"number" (\d+)', text)
    assert number is not None
    return "refund" if int(number[1]) % wrong_every == 1 else found


def heeds_wording() -> Any:
    """Make a model that reads a ticket in ten wrong, and says "refund" to anything where it is to speak in riddles."""

    def reply(messages: list[BaseMessage]) -> str:
        return "refund" if SAID["riddle"] in messages[0].text else read_ticket(messages, wrong_every=10)

    return ScriptedChatModel(reply=reply)


def steady() -> Any:
    """Make a model that reads a ticket in five wrong, whatever the wording."""
    return ScriptedChatModel(reply=lambda messages: read_ticket(messages, wrong_every=5))
