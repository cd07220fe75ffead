"""The site builds without a warning, and the page of how-tos does what it says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data.common.packaged import is_installed
from eval.cli.parser import main
from tests.support.folders import ROOT
from tests.support.page_commands import arguments_of, blocks_of, commands_of

HOW_TO = ROOT / "docs" / "how-to.md"
NEEDS_A_KEY = "gpt"


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    def page(name: str) -> str:
        return (tmp_path / "site" / name / "index.html").read_text(encoding="utf-8")

    reference = page("reference")
    assert [
        name
        for name in ("evaluate", "load_run", "kice_rag", "load_chat_model", "build_retriever")
        if name not in reference
    ] == []
    commands = page("commands")
    assert (
        "tune-or-prompt decide" in commands and "--max-cost" in commands and "tune-or-prompt finetune eda" in commands
    )
    assert 'href="two-questions/"' in page("")  # README's link to docs/two-questions.md
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert pages <= {path.parent.name for path in (tmp_path / "site").glob("*/index.html")}
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [name for name in pages if f"{name}.md" not in navigation] == []


@pytest.mark.weights
@pytest.mark.skipif(not is_installed("smollm2"), reason="the packaged weights are not installed")
def test_the_how_tos_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "data" / "samples", tmp_path / "data" / "samples")  # where a reader types the commands
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT)
    for block in blocks_of(HOW_TO):
        if block.kind == "python":
            names: dict[str, Any] = {}
            exec(compile(block.text, str(HOW_TO), "exec"), names)
        for words in commands_of(block):
            if NEEDS_A_KEY not in words:
                assert main(arguments_of(words), installed=True) == 0, words
