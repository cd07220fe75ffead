"""How far it is from the command line to the model: whoever reads a run reads so many functions of this project."""

import sys
import threading
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from eval.cli.parser import main
from tests.support.scripted import ScriptedChatModel

PROJECT = Path(__file__).parents[3]
MOST_FRAMES = 8


def ours(frame: FrameType | None) -> list[str]:
    """Return the functions of this project on a stack, the innermost first."""
    found = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(PROJECT) and path.relative_to(PROJECT).parts[0] not in ("tests", ".venv"):
            found.append(f"{path.relative_to(PROJECT)}:{frame.f_code.co_name}")
        frame = frame.f_back
    return found


def test_a_run_takes_few_frames_from_the_command_to_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: dict[int | None, list[str]] = {}  # by the thread, the frames of the one that began it
    stacks = []
    start = Thread.start

    def noted(thread: Thread) -> None:
        frames = ours(sys._getframe(1))
        start(thread)
        begun[thread.ident] = frames

    def reply(messages: Any) -> AIMessage:
        stacks.append(ours(sys._getframe(1)) + begun.get(threading.get_ident(), []))
        return AIMessage("1")

    monkeypatch.setattr(Thread, "start", noted)
    monkeypatch.setattr("chains.models.specs.load_chat_model", lambda *a, **k: ScriptedChatModel(reply=reply))
    chain = ["--chain", "kice-prompt", "--model", "gpt", "--max-concurrency", "2"]
    assert main(["run", "kice", "--split", "sample", "--limit", "4", *chain, "--out", str(tmp_path / "out")]) == 0
    assert len(stacks) == 4
    for stack in stacks:
        assert stack[-1] == "eval/cli/parser.py:main"
        assert len(stack) <= MOST_FRAMES, "\n".join(stack)
