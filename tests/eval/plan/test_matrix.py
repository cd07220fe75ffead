"""Matrices of a suite: which systems an entry stands for, how they are called, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from data.common.errors import ConfigurationError
from eval.api import Item, evaluate
from eval.cli.parser import main
from eval.plan.matrix import place_as_written, written_out
from eval.plan.settings.specs import Suite
from eval.plan.suite import load_suite
from eval.rundir.manifest import read_manifest
from tests.support.exam_file import exam, write_exam

MODELS = "tests.support.scripted_models"


def suite_of(folder: Path, *systems: dict[str, Any], data: Path | None = None) -> str:
    evaluation = {"benchmark": "kice", **({"data": str(data)} if data else {}), "systems": list(systems)}
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump({"name": "s", "evaluations": [evaluation]}, sort_keys=False), encoding="utf-8")
    return str(path)


def systems_of(path: str) -> dict[str, Any]:
    (evaluation,) = load_suite(path).evaluations
    return {system.name: system for system in evaluation.systems}


def test_an_entry_stands_for_a_system_for_each_combination(tmp_path: Path) -> None:
    matrix = {
        "model": ["gpt", "endpoint:qwen3@http://localhost:8000/v1"],
        "prompt": ["kice/minimal", "my/프롬프트.yaml"],
    }
    entry = {"name": "ask", "chain": "kice-prompt", "matrix": matrix, "note": "n"}
    systems = systems_of(suite_of(tmp_path, {"name": "third", "baseline": "always-3"}, entry))
    assert list(systems) == [
        "third",
        "ask.gpt.minimal",
        "ask.gpt.프롬프트",
        "ask.endpoint-qwen3.minimal",
        "ask.endpoint-qwen3.프롬프트",
    ]
    asked = systems["ask.endpoint-qwen3.프롬프트"]
    assert (asked.model, asked.prompt) == (matrix["model"][1], matrix["prompt"][1])
    assert (asked.chain, asked.note) == ("kice-prompt", "n")


def test_values_may_have_names_and_nothing_leaves_a_setting_out(tmp_path: Path) -> None:
    few = {"select": "random", "n": 2}
    entry = {"name": "a", "chain": "classify", "model": "gpt", "matrix": {"examples": {"none": None, "few": few}}}
    systems = systems_of(suite_of(tmp_path, entry))
    assert systems["a.none"].examples is None and systems["a.few"].examples.n == 2
    numbers = {"name": "b", "chain": "kice-rag", "model": "gpt", "retriever": "bm25", "matrix": {"k": [2, 4]}}
    assert [system.k for system in systems_of(suite_of(tmp_path, numbers)).values()] == [2, 4]


def test_several_wordings_are_a_matrix_of_prompts_behind_what_else_is_crossed(tmp_path: Path) -> None:
    entry = {"name": "ask", "chain": "classify", "model": "gpt", "prompts": ["zero-shot", "my/own.yaml"]}
    systems = systems_of(suite_of(tmp_path, entry))
    assert {name: system.prompt for name, system in systems.items()} == {
        "ask.zero-shot": "zero-shot",
        "ask.own": "my/own.yaml",
    }
    del entry["model"]
    _, crossed = written_out([{**entry, "matrix": {"model": ["gpt", "qwen"]}}])
    assert crossed["ask"]["ask.qwen.own"] == {"model": "qwen", "prompt": "own"}


def test_a_matrix_is_the_same_suite_as_its_systems_written_out(tmp_path: Path) -> None:
    matrix = {"name": "a", "chain": "kice-prompt", "matrix": {"model": ["gpt", "qwen"]}}
    written = [{"name": f"a.{model}", "chain": "kice-prompt", "model": model} for model in ("gpt", "qwen")]
    crossed, plain = (
        load_suite(suite_of(tmp_path, *systems)).model_dump(mode="json") for systems in ([matrix], written)
    )
    assert crossed == plain


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"matrix": {"model": ["a", "b"]}, "model": "c"}, "model stands in its matrix and beside it"),
        ({"matrix": {"name": ["a", "b"]}}, "name stands in its matrix"),
        ({"matrix": {}}, "a matrix is a mapping"),
        ({"matrix": ["a"]}, "a matrix is a mapping"),
        ({"matrix": {"model": "a"}}, "model in its matrix is a list"),
        ({"matrix": {"model": []}}, "model in its matrix is a list"),
        ({"matrix": {"prompt": ["x/a", "y/a"]}}, r"two values of prompt .* would have one name \(a\)"),
        ({"matrix": {"examples": [{"select": "random"}]}}, "examples in its matrix has no name"),
        ({"matrix": {"model": {"..": "gpt"}}, "name": "x/y"}, "cannot be a folder's name"),
        ({"matrix": {"modle": ["a", "b"]}}, "modle"),
        ({"matrix": {"k": [0]}}, "line 8: .*k"),
        ({"matrix": {"model": ["a"]}, "name": "ok"}, "two systems are named 'ok.a'"),
        ({"prompts": ["one"]}, "prompts are two wordings or more"),
        ({"prompts": "one"}, "prompts are two wordings or more"),
        ({"prompts": ["a", "b"], "prompt": "c"}, "prompt stands in its matrix and beside it"),
        ({"prompts": ["a", "b"], "matrix": {"prompt": ["c"]}}, "leave prompt out of it"),
        ({"prompts": ["x/a", "y/a"]}, r"two values of prompt .* would have one name \(a\)"),
    ],
)
def test_what_cannot_be_crossed_is_refused_in_one_line(tmp_path: Path, entry: dict[str, Any], message: str) -> None:
    good = {"name": "ok", "chain": "kice-prompt", "matrix": {"model": ["a", "b", "c"]}}
    bad = {"name": "bad", "chain": "kice-prompt"} | entry
    lines = ["name: s", "evaluations:", "  - benchmark: kice", "    systems:", f"      - {good}"]
    lines += ["      - {name: x, baseline: always-3}", "", f"      - {bad}", ""]
    (tmp_path / "suite.yaml").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message) as refused:
        load_suite(str(tmp_path / "suite.yaml"))
    assert "\n" not in str(refused.value)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_a_fault_is_found_where_it_is_written(sizes: list[int]) -> None:
    """0 stands for an entry without a matrix."""
    entries = [
        {"name": f"s{n}", "matrix": {"k": list(range(size))}} if size else {"name": f"s{n}"}
        for n, size in enumerate(sizes)
    ]
    systems, crossed = written_out(entries)
    for place, system in enumerate(systems):
        assert system["name"].startswith(f"s{place_as_written(entries, place)}")
    assert crossed.keys() == {f"s{n}" for n, size in enumerate(sizes) if size}


def test_a_run_of_a_matrix_is_reported_by_setting_and_can_be_resumed(tmp_path: Path) -> None:
    write_exam(tmp_path, exam(4))
    models = {"first": f"{MODELS}:first", "third": f"{MODELS}:third"}
    entry = {"name": "ask", "matrix": {"model": models, "chain": ["kice-prompt", "kice-closed-book"]}}
    suite = suite_of(tmp_path, entry, data=tmp_path / "2030_11_KICE.json")
    out = tmp_path / "out"
    assert main(["run", suite, "--out", str(out)]) == 0
    assert main(["run", suite, "--resume", str(out)]) == 0
    manifest = read_manifest(out)
    assert manifest.evaluations[0].crossed["ask"]["ask.third.kice-prompt"] == {"model": "third", "chain": "kice-prompt"}
    assert "crossed" not in manifest.suite["evaluations"][0]
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "What each setting of ask is worth" in report
    assert "Over the other settings of ask, model" in report
    Suite.model_validate(manifest.suite)


def test_a_script_crosses_settings_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.rundir.names.RUNS_DIR", tmp_path / "runs")
    items = [
        Item(id=f"i{n}", inputs={"text": f"t{n}"}, choices=("a", "b"), target=n % 2, group=f"g{n}") for n in range(8)
    ]
    run = evaluate(items, {"fixed": {"matrix": {"baseline": ["always-1", "always-2"]}}})
    (matrix,) = run.summary.evaluations[0].matrices
    assert [level.name for level in matrix.factors[0].levels] == ["always-1", "always-2"]
