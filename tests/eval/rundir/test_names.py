"""A name that a file of somebody else's holds is checked where it is read, before any path is made of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from pydantic import ValidationError

from data.common.errors import ConfigurationError
from eval.cli.parser import main
from eval.plan.suite import load_suite
from eval.report import write_report
from eval.report.summary import read_summary
from eval.rundir.manifest import read_manifest
from finetune.train import _state
from retrievers.stored_documents import open_documents, write_documents
from tests.support.journaled_runs import write_demo

HOSTILE = [
    "../victim/sys", "..", ".", "/tmp/sys", "a/b", "a\\b", "", " ",
    "a\n", "\nsys", "a\0", "~", "-rf", ".hidden", "a\ud800",
    "CON/..", "a\u202eb", "a" * 300, "manifest.json", "Report.HTML", "curve.svg",
]  # fmt: skip

Edit = Callable[[dict[str, Any], str], object]


def rewritten(path: Path, change: Edit, name: str) -> None:
    """Put a name into a JSON file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content, name)
    path.write_text(json.dumps(content), encoding="utf-8")


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def renamed(content: dict[str, Any], name: str) -> None:
    """Call the system "tuned" something else, everywhere in a manifest."""
    content["evaluations"][1]["systems"][1] = name
    content["systems"][name] = content["systems"].pop("tuned")


def in_an_evaluation(content: dict[str, Any], name: str) -> None:
    content["evaluations"][0]["systems"][0] = name


def in_the_descriptions(content: dict[str, Any], name: str) -> None:
    content["systems"][name] = content["systems"]["tuned"] | {"answer_form": "label"}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("change", [renamed, in_an_evaluation, in_the_descriptions])
def test_a_manifest_names_no_place_outside_its_run(tmp_path: Path, change: Edit, name: str) -> None:
    run_dir = write_demo(tmp_path / "run")
    rewritten(run_dir / "manifest.json", change, name)
    with pytest.raises(ConfigurationError, match=r"manifest.json") as caught:
        read_manifest(run_dir)
    assert "\n" not in str(caught.value)


COMMANDS = [
    ["report", "RUN"], ["report", "RUN", "--format", "csv"], ["compare", "RUN"], ["compare", "WHOLE", "RUN"],
    ["rescore", "RUN"], ["show", "RUN", "mnli/made-up/0"], ["calibrate", "RUN", "--fit", "WHOLE"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("absolute", [False, True])
def test_no_command_writes_where_such_a_name_leads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], absolute: bool
) -> None:
    """A rescore of such a run rewrote the records of another one."""
    victim, whole = write_demo(tmp_path / "victim"), write_demo(tmp_path / "whole")
    run_dir = write_demo(tmp_path / "run")
    name = str(victim / "tuned") if absolute else "../victim/tuned"
    rewritten(run_dir / "manifest.json", renamed, name)
    rewritten(run_dir / "manifest.json", lambda content, _: content["systems"][name].update(answer_form="label"), name)
    before = files(tmp_path)
    places = {"RUN": str(run_dir), "WHOLE": str(whole)}
    assert main([places.get(word, word) for word in command]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "cannot be a folder's name" in said.err
    assert files(tmp_path) == before


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_follows_a_link_out_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    victim, whole, run_dir = (write_demo(tmp_path / name) for name in ("victim", "whole", "run"))
    (run_dir / "tuned" / "records.jsonl").unlink()
    (run_dir / "tuned").rmdir()
    (run_dir / "tuned").symlink_to(victim / "tuned")
    before = files(tmp_path)
    places = {"RUN": str(run_dir), "WHOLE": str(whole)}
    assert main([places.get(word, word) for word in command]) == 2
    assert "tuned/records.jsonl leads out of the run" in capsys.readouterr().err
    assert files(tmp_path) == before


def test_a_run_that_is_itself_behind_a_link_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_demo(tmp_path / "run")
    (tmp_path / "link").symlink_to(tmp_path / "run")
    assert main(["report", str(tmp_path / "link")]) == 0


def test_two_systems_of_a_manifest_have_two_folders(tmp_path: Path) -> None:
    run_dir = write_demo(tmp_path / "run")
    rewritten(run_dir / "manifest.json", in_an_evaluation, "Tuned")
    with pytest.raises(ConfigurationError, match="two systems are named 'tuned'"):
        read_manifest(run_dir)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_summary_names_no_place_outside_its_run(tmp_path: Path, name: str) -> None:
    path = write_report(write_demo(tmp_path / "run")).summary
    rewritten(path, lambda content, name: content["evaluations"][0]["systems"][0].update(name=name), name)
    with pytest.raises(ValidationError):
        read_summary(path)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("place", ["suite", "system"])
def test_a_suite_names_no_place_outside_its_run(tmp_path: Path, place: str, name: str) -> None:
    if place == "suite" and "." in name[1:]:
        name = f"{name}/"  # a run may be named as a file of a run is
    names = {"suite": "good", "system": "good", place: name}
    suite = {
        "name": names["suite"],
        "evaluations": [{"benchmark": "kice", "systems": [{"name": names["system"], "baseline": "uniform"}]}],
    }
    path = tmp_path / "suite.yaml"
    path.write_text(json.dumps(suite), encoding="utf-8")  # which is YAML
    with pytest.raises(ConfigurationError, match=r"suite.yaml") as caught:
        load_suite(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [*HOSTILE, "documents.json", "documents-0.jsonl", "bm25-0/weights.npy"])
def test_an_index_names_no_file_but_its_own(tmp_path: Path, name: str) -> None:
    write_documents(tmp_path / "index", [Document(id="a", page_content="text")])
    rewritten(tmp_path / "index" / "documents.json", lambda content, name: content.update(file=name), name)
    with pytest.raises(ConfigurationError, match=r"is damaged at documents.json"):
        open_documents(tmp_path / "index")


@pytest.mark.parametrize("name", ["../victim/checkpoint-1", "/tmp/checkpoint-1", "..", "checkpoint-1/../../x/y", ""])
def test_a_saved_training_names_no_weights_but_its_own(tmp_path: Path, name: str) -> None:
    saved = tmp_path / ".out.training" / "checkpoint-2"
    saved.mkdir(parents=True)
    state = {"global_step": 2, "best_model_checkpoint": str(saved.parent / name) if name[:1] != "/" else name}
    (saved / "trainer_state.json").write_text(json.dumps(state))
    with pytest.raises(ConfigurationError, match="does not stand beside it"):
        _state(saved)
    state["best_model_checkpoint"] = str(saved.parent / "checkpoint-1")
    (saved / "trainer_state.json").write_text(json.dumps(state))
    assert _state(saved)["global_step"] == 2


@pytest.mark.parametrize("name", ["my replies", "..jsonl", "a" * 240])
def test_a_file_of_replies_names_no_other_place(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / f"{name}.jsonl").write_text('{"id": "x", "output": "y"}\n')
    asked = ["import", str(tmp_path / f"{name}.jsonl"), "--benchmark", "kice", "--split", "sample"]
    assert main([*asked, "--out", str(tmp_path / "run")]) == 2
    assert "cannot be a folder's name" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
