"""A name that is given twice is refused with its line: whoever wrote it meant both, and one would silently be lost."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.prompt_files import load_prompt
from data.common.errors import ConfigurationError
from data.common.parsing import RepeatedNameError, parse_json, read_yaml
from data.kice_check import faults
from data.registry import load_items, retrieval_set
from data.rows import read_rows
from eval.cli.parser import main
from eval.plan.suite import load_suite
from finetune.card import CARD_FILE, read_card
from finetune.config import parse_overrides

SUITE = """\
name: twice
evaluations:
  - benchmark: kice
    systems: [{name: a, baseline: always-1}]
evaluations:
  - benchmark: mnli
    systems: [{name: b, baseline: chance}]
"""
PAIR = '{"premise": "a", "hypothesis": "b", "label": 0}\n'
TWICE = '{"premise": "a", "hypothesis": "b", "label": "neutral", "label": "entailment"}\n'


@pytest.mark.parametrize(
    ("text", "read", "message"),
    [
        (SUITE, load_suite, r"x.yaml, line 5: .*'evaluations' is given twice, first in line 2; give it once"),
        (
            SUITE.replace("name: a,", "name: a, name: c,").partition("evaluations:\n  - benchmark: mnli")[0],
            load_suite,
            r"line 4: .*'name' is given twice, first in line 4",
        ),
        (
            "technique: t\nuser: a\nanswer: {form: number}\nuser: b\n",
            lambda path: load_prompt(path, variables=[]),
            r"x.yaml, line 4: .*'user' is given twice, first in line 2",
        ),
        (
            "a: 1\nb: {yes: 1, true: 2}\n",
            lambda path: read_yaml(Path(path), kind="x"),
            r"line 2: .*True is given twice",
        ),
    ],
)
def test_a_yaml_file_gives_each_name_once(tmp_path: Path, text: str, read: Callable[[str], Any], message: str) -> None:
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message) as caught:
        read(str(tmp_path / "x.yaml"))
    assert "\n" not in str(caught.value)


def test_a_price_of_two_lines_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        "as_of: today\nsource: here\nmodels:\n  m: {input: 1, output: 1}\n  n: {input: 1, output: 1}\n"
        "  m: {input: 9, output: 9}\n"
    )
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(prices))
    assert main(["run", "kice", "--split", "sample", "--baseline", "always-1", "--out", str(tmp_path / "run")]) == 2
    assert "line 6: not YAML: 'm' is given twice, first in line 4" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_is_merged_into_a_mapping_is_not_given_twice(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "deep: {within: &b {<<: &a {x: 1, y: 1}, x: 2}}\nused: {<<: *b, y: 3}\nalso: *b\nboth: {<<: [*a, *b], z: 1}\n",
        encoding="utf-8",
    )
    assert read_yaml(path, kind="x").content == {
        "deep": {"within": {"x": 2, "y": 1}},
        "used": {"x": 2, "y": 3},
        "also": {"x": 2, "y": 1},
        "both": {"x": 1, "y": 1, "z": 1},
    }
    path.write_text("", encoding="utf-8")
    assert read_yaml(path, kind="x").content is None


def test_rows_of_json_give_each_name_once(tmp_path: Path) -> None:
    lines = tmp_path / "pairs.jsonl"
    lines.write_text(PAIR + "\n" + TWICE, encoding="utf-8")
    with pytest.raises(
        ConfigurationError, match=r"pairs.jsonl, line 3: .*line 3: 'label' is given twice; give it once"
    ):
        load_items("mnli", path=lines)
    (tmp_path / "list.json").write_text(f"[{PAIR},{TWICE}]", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"list.json: not usable JSON: line 2: 'label' is given twice"):
        list(read_rows(tmp_path / "list.json"))
    for name in ("queries", "passages", "qrels"):
        (tmp_path / f"{name}.jsonl").write_text('{"id": "1",\n', encoding="utf-8")
    (tmp_path / "qrels.jsonl").write_text('{"query": "q", "passage": "p", "query": "q2"}', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"qrels.jsonl, line 1: .*'query' is given twice"):
        retrieval_set("jsonl", tmp_path)


def test_an_exam_gives_each_name_once(tmp_path: Path) -> None:
    problem = '{"question": "?",\n "choices": ["1", "2", "3", "4", "5"], "answer": 1,\n "score": 100, "answer": 2}'
    path = tmp_path / "exam.json"
    path.write_text(f'[{{"id": "1", "paragraph": "x",\n "problems": [{problem}]}}]', encoding="utf-8")
    assert faults(path) == ["exam: not usable JSON: line 4: 'answer' is given twice, first in line 3; give it once"]
    with pytest.raises(ConfigurationError, match="'answer' is given twice"):
        load_items("kice", path=path)


def test_a_squad_file_a_card_and_a_setting_give_each_name_once(tmp_path: Path) -> None:
    squad = tmp_path / "squad.json"
    squad.write_text('{"data": [],\n"data": []}', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"squad.json: .*line 2: 'data' is given twice, first in line 1"):
        retrieval_set("korquad", squad)
    (tmp_path / CARD_FILE).write_text('{"labels": ["a"], "labels": ["b"]}', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"'labels' is given twice"):
        read_card(tmp_path)
    with pytest.raises(ConfigurationError, match=r"--set x: .*'a' is given twice"):
        parse_overrides(['x={"a": 1, "a": 2}'])
    assert parse_overrides(['x={"a": 1}', "y=cosine"]) == {"x": {"a": 1}, "y": "cosine"}


names = st.sampled_from(["a", "b", 'c"', "d\\", "{", "[e]", "f:"])
values = st.recursive(
    st.one_of(st.none(), st.integers(), st.text('ab"\\{}[]:,\n ', max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.lists(st.tuples(names, inner), max_size=4)),
)


def written(value: Any) -> str:
    """JSON in which a list of pairs is an object that may give a name twice."""
    if isinstance(value, list) and value and all(isinstance(part, tuple) for part in value):
        return "{" + ",\n".join(f"{json.dumps(name)}: {written(part)}" for name, part in value) + "}"
    return "[" + ", ".join(map(written, value)) + "]" if isinstance(value, list) else json.dumps(value)


@given(values)
def test_json_is_refused_exactly_where_an_object_gives_a_name_twice(value: Any) -> None:
    text, repeats = written(value), []

    def counted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        repeats.extend({name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1})
        return dict(pairs)

    plain = json.loads(text, object_pairs_hook=counted)
    if not repeats:
        assert parse_json(text) == plain
        return
    with pytest.raises(RepeatedNameError) as caught:
        parse_json(text)
    assert any(f"{name!r} is given twice" in str(caught.value) for name in repeats)
