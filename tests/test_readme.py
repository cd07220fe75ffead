"""README in English and Korean: the twins tell a reader to type the same things, in the same order."""

import re
from pathlib import Path

from tests.support.folders import ROOT
from tests.support.page_commands import blocks_of, commands_of

ENGLISH, KOREAN = ROOT / "README.md", ROOT / "README.ko.md"


def commands(path: Path) -> list[str]:
    """Return a page's commands in their order, but for the language that they ask for."""
    found = [" ".join(words) for block in blocks_of(path) for words in commands_of(block)]
    return [command.replace(" --lang ko", "") for command in found]


def code(path: Path) -> list[str]:
    """Return the statements of a page's Python blocks, comments and layout apart."""
    blocks = [block.text for block in blocks_of(path) if block.kind == "python"]
    return [re.sub(r"\s+", " ", re.sub(r"  #.*", "", text)) for text in blocks]


def links(path: Path) -> set[str]:
    return set(re.findall(r"\]\((?!http)([^)#]+)", path.read_text(encoding="utf-8"))) - {"README.md", "README.ko.md"}


def test_the_twins_have_the_same_commands_code_and_links() -> None:
    assert commands(ENGLISH) == commands(KOREAN) and len(commands(ENGLISH)) > 20
    assert code(ENGLISH) == code(KOREAN) and len(code(ENGLISH)) == 2
    assert links(ENGLISH) == {link.replace("-ko.png", ".png") for link in links(KOREAN)}


def test_every_link_leads_somewhere() -> None:
    for page in (ENGLISH, KOREAN):
        assert [link for link in links(page) if not (ROOT / link).exists()] == []


def test_sixty_words_are_read_until_the_first_answer() -> None:
    before, after = ENGLISH.read_text(encoding="utf-8").split("\nVerdict on ")
    answer = after[: after.index("right.")]
    assert "take " in answer and len(f"{before} Verdict on {answer}".split()) <= 60
