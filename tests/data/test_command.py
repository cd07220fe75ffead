"""`python -m data`, and the registry behind it: what is printed where, and with which exit code."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data.__main__ import main
from data.common.errors import ConfigurationError, MissingResourceError
from data.kice import DATA_DIR
from data.registry import BENCHMARKS, benchmark, fingerprint, load_items, retrieval_set
from data.types import Benchmark
from tests.support.folders import ROOT


def write_exam(path: Path, *, answer: int = 1, score: int = 50) -> Path:
    problem = {"question": "?", "choices": list("abcde"), "answer": answer, "score": score}
    exam = [{"id": "1-2", "paragraph": "text", "problems": [problem, {**problem, "score": 50}]}]
    path.write_text(json.dumps(exam), encoding="utf-8")
    return path


def test_check_of_a_good_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(write_exam(tmp_path / "exam.json"))]) == 0
    assert "no faults in 1 paragraphs, 2 problems, 100 points" in capsys.readouterr().out


def test_check_lists_every_fault_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(write_exam(tmp_path / "exam.json", answer=7, score=49))]) == 2
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "paragraph 1 (1-2), question 1: answer is 7, expected a number from 1 to 5",
        "paragraph 1 (1-2), question 2: answer is 7, expected a number from 1 to 5",
        "exam: the points sum to 99, expected 100",
    ]
    assert printed.err.endswith("exam.json: 3 faults\n")


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["check", "nowhere.json"], 3, "error: there is no exam file nowhere.json\n"),
        (["fetch", "kice-1999"], 2, "error: unknown data to fetch 'kice-1999'"),
    ],
)
def test_an_error_is_one_line(arguments: list[str], code: int, error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(error)
    assert printed.err.count("\n") == 1


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(ConfigurationError):
        main(["fetch", "kice-1999", "--debug"])
    with pytest.raises(MissingResourceError):
        main(["check", "nowhere.json", "--debug"])


def test_check_of_a_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = f"error: {tmp_path} is a folder that holds"
    assert main(["check", str(tmp_path)]) == 3
    expected = "nothing; no exam is in it; an exam is JSON, a list of paragraphs with their problems"
    assert capsys.readouterr() == ("", f"{said} {expected}\n")
    for name in ("2023_11_KICE.json", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    assert main(["check", str(tmp_path)]) == 3
    expected = "2023_11_KICE.json, more/, notes.txt; name one exam file in it"
    assert capsys.readouterr() == ("", f"{said} {expected}\n")


def test_json_is_one_object_for_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from data import commands as command

    def printed() -> Any:
        return json.loads(capsys.readouterr().out)

    good, bad = write_exam(tmp_path / "good.json"), write_exam(tmp_path / "bad.json", answer=7)
    assert main(["check", str(good), "--json"]) == 0
    assert printed() == {"file": str(good), "faults": [], "paragraphs": 1, "problems": 2, "points": 100}
    assert main(["check", str(bad), "--json"]) == 2
    assert [fault.split(": ")[1] for fault in printed()["faults"]] == ["answer is 7, expected a number from 1 to 5"] * 2
    assert main(["list", "--json"]) == 0
    listed = printed()
    assert [entry["name"] for entry in listed["benchmarks"]] == [*BENCHMARKS]
    assert set(listed) == {"benchmarks", "exams_fetched", "retrieval_sets"}
    monkeypatch.setattr(command, "fetch", lambda name, to: iter([to / f"{name}.json"]))
    assert main(["fetch", "kice-2023", "--to", str(tmp_path), "--json"]) == 0
    assert printed() == {"paths": [str(tmp_path / "kice-2023.json")]}


@pytest.mark.parametrize("arguments", [[], ["check"], ["frobnicate"]])
def test_misuse_of_the_command_line_exits_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_fetch_prints_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from data import commands as command

    monkeypatch.setattr(command, "fetch", lambda name, to: iter([to / f"{name}.json"]))
    assert main(["fetch", "kice-2023", "--to", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'kice-2023.json'}\n"


def test_an_interrupted_fetch_exits_130(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from data import commands as command

    def interrupted(name: str, to: Path) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "fetch", interrupted)
    assert main(["fetch", "kice-2023"]) == 130
    assert "to resume" in capsys.readouterr().err


def test_list_names_benchmarks_and_retrieval_sets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    for name in (*BENCHMARKS, "korquad", "validation_mismatched", "exams fetched"):
        assert name in printed


def test_the_module_runs_without_heavy_imports() -> None:
    program = (
        "import sys; from data.__main__ import main; main(['list']);"
        "sys.exit(sorted({'torch', 'datasets', 'langchain_core', 'numpy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_keeps_the_contract(name: str) -> None:
    metadata = benchmark(name)
    assert metadata.name == name
    assert {metadata.default_split, metadata.sample_split} <= set(metadata.splits)
    assert {*metadata.train_splits, *metadata.train_splits.values()} <= set(metadata.splits)
    items = load_items(name, split=metadata.sample_split)
    assert all(item.id.startswith(f"{name}/{metadata.sample_split}/") for item in items)
    assert all(item.choices == metadata.labels for item in items if metadata.labels)


def test_a_benchmark_of_ones_own_is_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_benchmark.py").write_text(
        "from data.types import Benchmark, Item\n"
        "BENCHMARK = Benchmark(name='mine', title='', language='en', labels=None, splits=('all',),\n"
        "                      default_split='all', sample_split='all', source='', licence='', citation='')\n"
        "def load(split, path):\n"
        "    ids = path.read_text().split()\n"
        "    return [Item(id=i, inputs={}, choices=('a', 'b'), target=0, group=i) for i in ids]\n",
        encoding="utf-8",
    )
    (tmp_path / "broken_benchmark.py").write_text("import nothing_of_that_name\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    ids = tmp_path / "ids"
    ids.write_text("x y z", encoding="utf-8")
    assert isinstance(benchmark("my_benchmark"), Benchmark)
    assert [item.id for item in load_items("my_benchmark", path=ids)] == ["x", "y", "z"]
    with pytest.raises(ConfigurationError, match="unknown split of my_benchmark 'one'"):
        load_items("my_benchmark", split="one", path=ids)
    ids.write_text("x y x y", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="2 item ids occur more than once, first 'x'"):
        load_items("my_benchmark", path=ids)
    ids.write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="holds no items"):
        load_items("my_benchmark", path=ids)
    with pytest.raises(ConfigurationError, match=r"broken_benchmark. cannot be loaded: .*nothing_of_that_name"):
        benchmark("broken_benchmark")


@pytest.mark.parametrize("name", ["mnil", "json", "no.such.module", ""])
def test_an_unknown_benchmark_lists_those_there_are(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown benchmark .*Allowed: banking77-sample, kice, mnli"):
        benchmark(name)


@pytest.mark.parametrize(
    ("context", "fault"),
    [
        (r'"\ud800"', "half of a surrogate pair"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 500 + "]" * 500, "not in the SQuAD 1.1 format"),
    ],
)
def test_a_retrieval_set_of_unusable_text_is_refused(tmp_path: Path, context: str, fault: str) -> None:
    path = tmp_path / "squad.json"
    qas = '"qas": [{"id": "1", "question": "?"}]'
    path.write_text(f'{{"data": [{{"paragraphs": [{{{qas}, "context": {context}}}]}}]}}', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=fault) as caught:
        retrieval_set("korquad", path)
    assert len(str(caught.value)) < 400
    (tmp_path / "queries.jsonl").write_text(f'{{"id": "q1", "text": {context}}}', encoding="utf-8")
    (tmp_path / "passages.jsonl").touch()
    (tmp_path / "qrels.jsonl").touch()
    with pytest.raises(ConfigurationError, match=r"queries.jsonl, line 1: "):
        retrieval_set("jsonl", tmp_path)


def test_limit_takes_the_first_or_a_seeded_sample_in_order() -> None:
    every = load_items("kice", split="sample")
    assert load_items("kice", split="sample", limit=3) == every[:3]
    assert load_items("kice", split="sample", limit=len(every) + 1, seed=1) == every
    sampled = load_items("kice", split="sample", limit=5, seed=1)
    assert sampled == load_items("kice", split="sample", limit=5, seed=1)
    assert sampled != load_items("kice", split="sample", limit=5, seed=2)
    assert [item for item in every if item in sampled] == sampled
    with pytest.raises(ConfigurationError, match="limit 0 leaves no items"):
        load_items("kice", split="sample", limit=0)


def test_the_fingerprint_tells_items_apart(tmp_path: Path) -> None:
    items = load_items("kice", path=write_exam(tmp_path / "exam.json"))
    assert fingerprint(items) == fingerprint(load_items("kice", path=tmp_path / "exam.json"))
    assert len(fingerprint(items)) == 64
    others = [items[::-1], items[:1], [items[0].model_copy(update={"target": 3}), items[1]]]
    assert len({fingerprint(other) for other in [items, *others]}) == 4
    # Pinned: a change here means that no earlier run can be compared any more.
    assert fingerprint(items).startswith("f79366e18882494d")


def test_no_exam_lies_in_the_repository_as_it_is_committed() -> None:
    tracked = subprocess.run(["git", "ls-files", "data"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    assert not [line for line in tracked.stdout.splitlines() if line.endswith("_KICE.json")]
    assert (DATA_DIR / "samples" / "kice_sample.json").is_file()
