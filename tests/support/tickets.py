"""A labelled file as a user brings it: tickets whose words give their department away, and a model that reads them."""

import csv
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage

from tests.support.scripted import ScriptedChatModel

MODEL = f"{__name__}:reads_words"
WORDS = {"refund": "money back please", "card": "card lost in town", "weather": "rain and sun today"}


def tickets(path: Path, n: int = 90) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\r\n")
        rows.writerow(["Message", "Department"])
        for number in range(n):
            label = list(WORDS)[number % 3]
            rows.writerow([f'{WORDS[label]}, "number" {number}', label])
    return path


def reads_words() -> Any:
    """Make a model that answers with the department whose words the last message holds."""

    def reply(messages: list[BaseMessage]) -> str:
        return next((label for label, words in WORDS.items() if words in messages[-1].text), "none")

    return ScriptedChatModel(reply=reply)
