"""Models behind a server that counts: each is right on a share of an exam's items, always the same ones."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support.chat_endpoint import ChatEndpoint
from tests.support.exam_file import exam, write_exam


def knows(model: str, prompt: str) -> bool:
    """Say whether a model knows an answer: `right-70` is right on about 70 % of the items."""
    drawn = int.from_bytes(hashlib.sha256(f"{model} {prompt}".encode()).digest()[:4], "big") / 2**32
    return drawn < int(model.rsplit("-", 1)[1]) / 100


def reply(body: dict[str, Any]) -> str:
    """Answer as the model of the request does, with the key of `tests.support.exam_file`."""
    prompt = body["messages"][-1]["content"]
    passage, number = prompt.split("물음 ")[1].split(".")[0].split("-")
    place = (int(passage) + int(number)) % 5
    return str((place if knows(body["model"], f"{passage}-{number}") else place + 1) % 5 + 1)


def asked(server: ChatEndpoint) -> Counter[str]:
    """Count the requests of each model."""
    return Counter(request.body["model"] for request in server.requests)


def write_suite(folder: Path, server: ChatEndpoint, models: list[str], *, items: int, **suite: Any) -> Path:
    """Write a suite that asks each model an exam of single items."""
    data = write_exam(folder, exam(items, 1))
    systems = [{"name": name, "chain": "kice-prompt", "model": f"endpoint:{name}@{server.base_url}"} for name in models]
    content = {"name": "early", "evaluations": [{"benchmark": "kice", "data": str(data), "systems": systems}], **suite}
    path = folder / "suite.yaml"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
