"""Every script under examples/ runs as its first lines say, on the packaged weights."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from data.common.packaged import is_installed
from eval.cli.parser import main
from tests.support.folders import ROOT
from tests.support.trace_server import serve_traces

pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(not is_installed("smollm2"), reason="the packaged weights are not installed"),
]


def run_script(name: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_chain_in_a_script() -> None:
    assert "predicted" in run_script("chain_in_a_script.py")


def test_watch_a_trace() -> None:
    printed = run_script("watch_a_trace.py")
    assert "prompt: prompt" in printed
    assert "llm: " in printed
    assert "[user] Premise: " in printed


def test_fine_tune_and_compare(tmp_path: Path) -> None:
    printed = run_script("fine_tune_and_compare.py", str(tmp_path / "mine"))
    assert "prompted" in printed
    assert "tuned" in printed
    assert (tmp_path / "mine" / "report.html").is_file()


def test_own_chain(tmp_path: Path) -> None:
    options = ["--split", "sample", "--limit", "3", "--chain", "examples.own_chain:cautious", "--model", "smollm2"]
    assert main(["run", "mnli", *options, "--out", str(tmp_path / "own")]) == 0


def test_langsmith_evaluate() -> None:
    with serve_traces() as server:
        langsmith = {
            "LANGSMITH_ENDPOINT": server.address,
            "LANGSMITH_API_KEY": "of-nobody",
            "LANGSMITH_TRACING": "true",
        }
        printed = run_script("langsmith_evaluate.py", **langsmith)
    assert "of 5 right, in the experiment zero-shot-" in printed
    assert len(server.examples) == len(server.feedback) == 5
    names = [run["name"] for run in server.runs.values()]
    assert names.count("prompt") == names.count("model") == 5


def test_every_example_has_a_test() -> None:
    scripts = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert {f"test_{name}" for name in scripts} <= set(globals())
