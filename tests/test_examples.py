"""Every script and every notebook under examples/ runs as it stands, on the packaged weights."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from data.common.packaged import is_installed
from eval.cli.parser import main
from tests.support.folders import ROOT
from tests.support.trace_server import serve_traces

pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(not is_installed("smollm2"), reason="the packaged weights are not installed"),
]


# A notebook's test takes fewer items than the notebook.
SHORTER = {"week4": {"N_TRAIN = 2400": "N_TRAIN = 240"}, "own_csv": {"PER_LABEL = 40": "PER_LABEL = 12"}}


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


@pytest.mark.parametrize("name", sorted(SHORTER))
def test_notebook(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # the kernel's own folder is another
    notebook = nbformat.read(ROOT / "examples" / f"{name}.ipynb", as_version=4)
    for said, shorter in SHORTER[name].items():
        assert said in notebook.cells[1].source
        notebook.cells[1].source = notebook.cells[1].source.replace(said, shorter)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": tmp_path}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    printed = "".join(str(output.get("text", output.get("data"))) for output in shown)
    expected = {
        "week4": ("[CLS]", "attention_mask", "group_by_length", "roc_auc", "is right on", "image/png"),
        "own_csv": ("Verdict on tickets", "p (Holm)", "prompted", "['"),
    }
    assert [words for words in expected[name] if words not in printed] == []


def test_every_example_has_a_test() -> None:
    assert {path.stem for path in (ROOT / "examples").glob("*.ipynb")} == set(SHORTER)
    scripts = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert {f"test_{name}" for name in scripts} <= set(globals())
