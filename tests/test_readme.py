"""README in English and Korean: the twins tell a reader to type the same things, in the same order."""

import re
from pathlib import Path

from tests.support.folders import ROOT

FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def commands(path: Path) -> list[str]:
    """Return a page's commands in their order, without what is said beside them."""
    blocks = [text for language, text in FENCE.findall(path.read_text(encoding="utf-8")) if not language]
    lines = [line.split(" #")[0].strip() for text in blocks for line in text.splitlines()]
    return [line.replace(" --lang ko", "") for line in lines if line.startswith((".venv/", "make ", "cp "))]


def code(path: Path) -> list[str]:
    """Return the statements of a page's Python blocks, comments and layout apart."""
    blocks = [text for language, text in FENCE.findall(path.read_text(encoding="utf-8")) if language == "python"]
    return [re.sub(r"\s+", " ", re.sub(r"  #.*", "", text)) for text in blocks]


def links(path: Path) -> set[str]:
    return set(re.findall(r"\]\((?!http)([^)#]+)", path.read_text(encoding="utf-8"))) - {"README.md", "README.ko.md"}


def test_the_twins_have_the_same_commands_code_and_links() -> None:
    english, korean = ROOT / "README.md", ROOT / "README.ko.md"
    assert commands(english) == commands(korean) and len(commands(english)) > 20
    assert code(english) == code(korean) and len(code(english)) == 2
    assert links(english) == links(korean)


def test_every_link_leads_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "README.ko.md"):
        assert [link for link in links(page) if not (ROOT / link).exists()] == []
