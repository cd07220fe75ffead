"""Code of the user's own, named as `module:attr`: it runs where it is sound, and a fault in it is one line."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.cli.parser import main
from eval.rundir.journal import read_records
from eval.rundir.manifest import read_manifest
from tests.support.fault_server import Faults, serve_faults

SOUND = """
from langchain_core.runnables import RunnableLambda
from data.types import Benchmark, Item, Prediction

BENCHMARK = Benchmark(
    name="mine", title="mine", language="en", labels=("yes", "no"), splits=("test",), default_split="test",
    sample_split="test", source="me", licence="MIT", citation="me",
)

def load(split, path):
    return [Item(id=f"mine/{i}", inputs={"text": str(i)}, choices=("yes", "no"), target=i % 2, group=str(i))
            for i in range(6)]

def first():
    return RunnableLambda(lambda entry: Prediction(choice=0, status="ok"))

def asks(model):
    return RunnableLambda(lambda entry: Prediction(choice=0, status="ok"))

def raises():
    raise RuntimeError("not today")

number = 3
"""


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda name, text: (tmp_path / f"{name}.py").write_text(text) and None


def test_a_benchmark_and_a_chain_of_ones_own(own_module: Callable[[str, str], None], tmp_path: Path) -> None:
    own_module("own_sound", SOUND)
    out = tmp_path / "out"
    assert main(["run", "own_sound", "--chain", "own_sound:first", "--out", str(out)]) == 0
    assert read_manifest(out).evaluations[0].n_items == 6
    assert main(["run", "own_sound:BENCHMARK", "--chain", "own_sound:first", "--dry-run"]) == 0


def test_a_chain_that_fails_over_an_empty_reply_fails_a_dry_run_in_one_line(
    own_module: Callable[[str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    reads = """
def reads(model):
    def read(entry):
        return Prediction(choice=int(model.invoke(entry["text"]).text), status="ok")
    return RunnableLambda(read)
"""
    own_module("own_reads", SOUND + reads)
    asked = ["run", "own_reads", "--chain", "own_reads:reads", "--model", "gpt", "--dry-run"]
    assert main(asked) == 2
    error = capsys.readouterr().err
    assert "chain 'own_reads:reads' fails at item mine/0 (ValueError: " in error and "empty reply" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("option", [("--retries", "-1"), ("--rpm", "0"), ("--max-errors", "many")])
def test_a_dry_run_refuses_what_a_run_would_refuse(
    own_module: Callable[[str, str], None], capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    own_module("own_refused", SOUND)
    assert main(["run", "own_refused", "--chain", "own_refused:first", "--dry-run", *option]) == 2
    assert option[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "chain", "said"),
    [
        ("own_syntax", "def (", "own_syntax:first", "SyntaxError"),
        ("own_zero", "1 / 0", "own_zero:first", "ZeroDivisionError"),
        ("own_attr", SOUND, "own_attr:nosuch", "has no 'nosuch'"),
        ("own_number", SOUND, "own_number:number", "is no factory"),
        ("own_raises", SOUND, "own_raises:raises", "RuntimeError: not today"),
        ("own_none", SOUND, ":first", "cannot be loaded"),
        ("own_needs", SOUND, "own_needs:asks", "needs a model"),
    ],
)
def test_a_fault_in_it_is_one_line(
    name: str,
    text: str,
    chain: str,
    said: str,
    own_module: Callable[[str, str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    own_module(name, text)
    assert main(["run", "kice", "--split", "sample", "--chain", chain]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line


def test_an_option_that_it_does_not_take_is_refused(
    own_module: Callable[[str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    own_module("own_options", SOUND)
    options = ["--chain", "own_options:first", "--prompt", "kice/minimal"]
    assert main(["run", "kice", "--split", "sample", *options]) == 2
    assert "takes no prompt" in capsys.readouterr().err


def test_a_chain_that_makes_its_model_itself_is_asked_as_others_are(
    own_module: Callable[[str, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails is asked again, never more at once than was said, and each answer is on disk before the next."""
    chain = """
import os
from langchain_openai import ChatOpenAI

def asks_a_server():
    model = ChatOpenAI(model="m", base_url=os.environ["OWN_URL"], api_key="none", max_retries=0)
    return RunnableLambda(lambda entry: entry["text"]) | model | (lambda reply: Prediction(choice=0, status="ok"))
"""
    own_module("own_model", SOUND + chain)
    with serve_faults(Faults(server_error=0.4, latency_s=0.02)) as server:
        monkeypatch.setenv("OWN_URL", server.base_url)
        limits = ["--max-concurrency", "2", "--retries", "20"]
        assert main(["run", "own_model", "--chain", "own_model:asks_a_server", *limits, "--out", "out"]) == 0
    assert server.kinds["server_error"]
    assert list(server.paid.values()) == [1] * 6
    assert server.most_in_flight <= 2


def test_what_a_chain_looks_for_itself_and_does_not_find_is_one_item_s(
    own_module: Callable[[str, str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No model was called: nothing is asked again, and the other items are."""
    chain = """
import json

class NotFound(Exception):
    status_code = 404

def looks_up():
    def look(entry):
        if entry["text"] == "1":
            raise NotFound("no such page")
        if entry["text"] == "2":
            json.loads("no JSON")
        return Prediction(choice=0, status="ok")
    return RunnableLambda(look)
"""
    own_module("own_lookup", SOUND + chain)
    out = tmp_path / "out"
    assert main(["run", "own_lookup", "--chain", "own_lookup:looks_up", "--out", str(out)]) == 1
    (journal,) = out.glob("*/records.jsonl")
    assert {record.item.id: record.attempts for record in read_records(journal)} == {f"mine/{i}": 1 for i in range(6)}
    assert "6/6 items, 2 errors" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("load", "said"),
    [
        ("raise RuntimeError('not today')", "benchmark 'own_load' cannot be loaded: RuntimeError: not today"),
        ("sys.exit('bye')", "benchmark 'own_load' cannot be loaded: SystemExit: bye"),
        ("raise Mute()", "benchmark 'own_load' cannot be loaded: Mute: <Mute>"),
        ("return None", "benchmark 'own_load' cannot be loaded: TypeError: "),
        ("return [{'id': 'a'}]", "its load returned a dict as item 1"),
        ("return [Item(id='a', inputs={'x\\ud800': ''}, choices=('yes', 'no'), target=0, group='g')]", "item 1 holds"),
        (
            "return [Item(id='a', inputs={}, choices=('yes', 'no\\udfff'), target=0, group='g')]",
            "item 1 holds '\\udfff'",
        ),
        ("return [Item(id='a', inputs={}, choices=('yes', 'no'), target=2, group='g')]", "target 2 is outside its 2"),
        (
            "return [Item(id='a', inputs={}, choices=('yes', 'no'), target=0, group='g', weight=1e308)]",
            "ValidationError",
        ),
    ],
)
def test_a_fault_in_a_benchmark_of_ones_own_is_one_line(
    own_module: Callable[[str, str], None], capsys: pytest.CaptureFixture[str], load: str, said: str
) -> None:
    mute = """
import sys

class Mute(Exception):
    def __str__(self):
        raise RuntimeError
"""
    sound = SOUND.partition("def load(split, path):")[0]
    own_module("own_load", f"{sound}{mute}\ndef load(split, path):\n    {load}\n")
    sys.modules.pop("own_load", None)
    assert main(["run", "own_load", "--baseline", "uniform"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line
