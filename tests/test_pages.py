"""The tutorial is run from top to bottom, and no page names a command or a flag that is not there."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from data.common.packaged import is_installed
from eval.cli.parser import main, parser
from tests.support.folders import ROOT
from tests.support.page_commands import Block, arguments_of, blocks_of, commands_of

README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
# The test takes less time than the page: for models to answer in, and one training fewer.
SHORTER = {"--minutes 0.5": "--minutes 0.2", "--sizes 50,200,671": "--sizes 50,200"}

with_weights = pytest.mark.skipif(
    not all(map(is_installed, ("smollm2", "minilm"))), reason="the packaged weights are not installed"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_command_is_one_that_its_parser_takes(page: Path) -> None:
    """Nothing is run: most of these commands need a key, the hub, or an hour."""
    words = [words for block in blocks_of(page) for words in commands_of(block)]
    commands = [found for found in map(arguments_of, words) if found is not None]
    assert commands or page.stem not in ("README", "tutorial", "own-data", "fine-tuning", "retrieval", "installing")
    for arguments in commands:
        if "…" not in arguments:  # the page leaves something out
            parser(installed=True).parse_args(arguments)


@pytest.mark.weights
@with_weights
@pytest.mark.timeout(1500)
def test_the_tutorial_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks_of(TUTORIAL):
        if block.kind == "python":
            exec(compile(block.text, str(TUTORIAL), "exec"), names)
        for words in commands_of(_shorter(block)):
            if words[0] == "cp":
                shutil.copy(ROOT / words[1], words[2])
            else:
                assert main(arguments_of(words), installed=True) == 0, words
    assert names["labels"] == ["card_payment_fee_charged", "cash_withdrawal_charge"]
    assert not [shorter for shorter in SHORTER if shorter not in TUTORIAL.read_text(encoding="utf-8")]


def _shorter(block: Block) -> Block:
    text = block.text
    for said, shorter in SHORTER.items():
        text = text.replace(said, shorter)
    return block._replace(text=text)


@pytest.mark.weights
@with_weights
def test_the_code_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.prompts import ChatPromptTemplate

    monkeypatch.chdir(tmp_path)
    blocks = [block for block in blocks_of(README) if block.kind == "python"]
    assert len(blocks) == 2
    for block in blocks:  # the first pipes a prompt into a model of the reader's own
        prompt = ChatPromptTemplate.from_template("{premise} {hypothesis}")
        names: dict[str, Any] = {"prompt": prompt, "model": FakeListChatModel(responses=["neutral"])}
        exec(compile(block.text, str(README), "exec"), names)
    assert names["prediction"].status == "ok"
