"""What a page of the documentation tells its readers to type: its fenced blocks, and the commands in them."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STARTS = ("python -m ", "torchrun ", "tune-or-prompt ", "cp ", "make ")
_PLACE = re.compile(r"^(\.venv/|~/tune-or-prompt/)bin/", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a page; `kind` is what stands behind the fence, such as python, and empty of commands."""

    kind: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    return [Block(*found) for found in _BLOCK.findall(page.read_text(encoding="utf-8"))]


def commands_of(block: Block) -> list[list[str]]:
    """Return the words of each command of a block, without comments, and without the environment it is typed in."""
    lines = _PLACE.sub("", block.text.replace("\\\n", " ")).splitlines() if not block.kind else []
    return [shlex.split(line, comments=True) for line in lines if line.startswith(_STARTS)]


def arguments_of(words: list[str]) -> list[str] | None:
    """Return a command of the project as the arguments that `tune-or-prompt` takes for it; None of any other."""
    words = words[: words.index(">")] if ">" in words else words
    if words[0] == "tune-or-prompt":
        return words[1:]
    if "-m" not in words:
        return None
    package, *arguments = words[words.index("-m") + 1 :]
    return arguments if package == "eval" else [package, *arguments]
