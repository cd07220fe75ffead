"""Suites: the ones that ship are sound, and a faulty one says the line."""

from pathlib import Path

import pytest

from data.common.errors import ConfigurationError
from eval.plan.suite import list_suites, load_suite

VALID = """name: mine
evaluations:
  - benchmark: kice
    systems:
      - {name: third, baseline: always-3}
      - name: rag
        chain: kice-rag
        model: smollm2
        retriever: bm25
"""


@pytest.mark.parametrize("name", list_suites())
def test_every_suite_that_ships_is_sound(name: str) -> None:
    suite = load_suite(name)
    assert suite.name == name
    assert f"python -m eval run {name}" in list_suites()[name].read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: mine", "name: [mine", "line [0-9]+: not YAML"),
        ("benchmark: kice", "benchmrk: kice", "line 3: .*benchmark"),
        ("baseline: always-3}", "baseline: always-3, chain: kice-rag}", "line 5: .*exactly one of"),
        ("retriever: bm25", "retreiver: bm25", "line 9: .*retreiver"),
        ("name: rag", "name: ../rag", "line 6: .*name"),
        ("name: rag", "name: third", "two systems are named 'third'"),
        ("model: smollm2", "k: 0", "line 8: .*k"),
        ("name: third", "name: report.md", "line 5: .*take the place"),
        ("name: third", "name: RAG", "two systems are named 'rag'"),
        ("baseline: always-3}", "baseline: always-3, temperature: 0.5}", "line 5: .*temperature goes with a chain"),
        ("name: mine", "name: 2020-13-45", "not YAML"),
    ],
)
def test_a_faulty_suite_says_the_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(VALID.replace(old, new))
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_suite(str(path))
    assert "\n" not in str(caught.value)


def test_a_suite_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(VALID)
    (evaluation,) = load_suite(str(path)).evaluations
    assert [system.kind for system in evaluation.systems] == ["baseline", "chain"]


@pytest.mark.parametrize("name", ["nosuch", "nosuch.yaml"])
def test_an_unknown_suite_is_said(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown suite|cannot be read"):
        load_suite(name)


def test_a_file_that_is_not_utf_8_is_said(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_bytes(b"name: caf\xe9\n")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_suite(str(path))


def test_an_empty_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text("")
    with pytest.raises(ConfigurationError, match="line 1"):
        load_suite(str(path))
