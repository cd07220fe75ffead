"""The command line end to end, with scripted models: exit codes, one-line errors, and that a refusal writes nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eval.cli.parser import main, parser
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest
from tests.support.chat_endpoint import serve_chat
from tests.support.exam_file import exam, write_exam
from tests.support.folders import GOLDEN_FOLDER

MODEL = "tests.support.scripted_models:third"
GOLDEN = GOLDEN_FOLDER


@pytest.fixture(autouse=True)
def runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.rundir.names.RUNS_DIR", tmp_path / "runs")


def kice(tmp_path: Path, *more: str, chain: str = "kice-prompt", model: str = MODEL) -> list[str]:
    exam_path = tmp_path / "2030_11_KICE.json"
    if not exam_path.exists():
        write_exam(tmp_path)
    return ["run", "kice", "--data", str(exam_path), "--chain", chain, "--model", model, *more]


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_run_leaves_manifest_records_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(kice(tmp_path, "--out", str(out), "--json")) == 0
    summary = printed(capsys)
    (system,) = summary["evaluations"][0]["systems"]
    assert system["scores"]["n"] == 10
    assert system["scores"]["points"] == pytest.approx(20)
    manifest = read_manifest(out)
    assert manifest.evaluations[0].n_items == 10
    (name,) = manifest.systems
    assert manifest.systems[name].prompt == "kice/minimal"
    records = list(read_records(records_path(out, name)))
    assert [record.item.id for record in records] == [f"kice/2030-11/q{i:02}" for i in range(1, 11)]
    assert all(record.messages and "지문이다" in record.messages[-1].content for record in records)
    assert {path.name for path in out.iterdir()} == {"manifest.json", "summary.json", "report.md", "report.html", name}


def test_rag_keeps_what_it_retrieved(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("--retriever", "bm25", "-k", "1", "--out", str(out))
    assert main(kice(tmp_path, *arguments, chain="kice-rag")) == 0
    (name,) = read_manifest(out).systems
    for record in read_records(records_path(out, name)):
        assert record.prediction is not None
        assert len(record.passages) == 1
        assert record.passages[0].chunk_id == record.prediction.document_ids[0]


def test_a_run_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(kice(tmp_path)) == 0
    assert main(kice(tmp_path)) == 0
    assert len(list((tmp_path / "runs").iterdir())) == 2
    used = next((tmp_path / "runs").iterdir())
    assert main(kice(tmp_path, "--out", str(used))) == 2
    assert "is not empty" in capsys.readouterr().err


def test_errors_end_with_one_and_are_asked_again_on_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setenv("TEST_FAIL", "물음 1-2")
    arguments = kice(tmp_path, "--retries", "0", model="tests.support.scripted_models:failing")
    assert main([*arguments, "--out", str(out)]) == 1
    assert "1 items failed" in capsys.readouterr().err
    monkeypatch.delenv("TEST_FAIL")
    assert main([*arguments, "--resume", str(out), "--json"]) == 0
    scores = printed(capsys)["evaluations"][0]["systems"][0]["scores"]
    assert (scores["n"], scores["errors"]) == (10, 0)
    undisturbed = tmp_path / "undisturbed"
    assert main([*arguments, "--out", str(undisturbed)]) == 0
    (name,) = read_manifest(out).systems
    once, twice = (
        [r.model_copy(update={"latency_s": 0}) for r in read_records(records_path(d, name))] for d in (undisturbed, out)
    )
    assert once == twice


def test_max_errors_stops_a_hopeless_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_FAIL", "물음")
    out = tmp_path / "out"
    arguments = kice(tmp_path, "--max-errors", "2", "--max-concurrency", "1", "--retries", "0", "--out", str(out))
    assert main([a.replace("third", "failing") for a in arguments]) == 1
    assert f"--resume {out}" in capsys.readouterr().err
    (name,) = read_manifest(out).systems
    assert len(list(read_records(records_path(out, name)))) == 3


def test_an_interruption_keeps_what_was_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_exam(tmp_path, exam(4, 5))
    out = tmp_path / "out"
    arguments = kice(
        tmp_path, "--max-concurrency", "1", "--out", str(out), model="tests.support.scripted_models:interrupted"
    )
    assert main(arguments) == 130
    assert "--resume" in capsys.readouterr().err
    (name,) = read_manifest(out).systems
    kept = len(list(read_records(records_path(out, name))))
    assert kept >= 9
    assert main([a if a != "--out" else "--resume" for a in arguments]) == 0
    assert len(list(read_records(records_path(out, name)))) == 20


@pytest.mark.parametrize("moment", ["eval.plan.planning.plan", "eval.execution.runner.begin_run"])
def test_an_interruption_before_anything_was_written_names_no_folder(
    moment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(moment, interrupt)
    assert main(kice(tmp_path, "--out", str(tmp_path / "out"))) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted"
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_another_suite_s_run_is_not_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(kice(tmp_path, "--out", str(out))) == 0
    assert main(kice(tmp_path, "--resume", str(out), chain="kice-closed-book")) == 2
    assert "cannot be resumed: its suite" in capsys.readouterr().err


def test_no_key_reaches_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-123")
    monkeypatch.setenv("TEST_FAIL", "물음 0-1")
    out = tmp_path / "out"
    assert main(kice(tmp_path, "--retries", "0", "--out", str(out), model="tests.support.scripted_models:failing")) == 1
    written = "".join(path.read_text(encoding="utf-8") for path in out.rglob("*") if path.is_file())
    assert "reset by peer" in written
    assert "sk-test" not in written


def test_a_dry_run_writes_nothing_and_needs_no_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(kice(tmp_path, "--dry-run", model="openai:gpt-4o-mini")) == 0
    text = capsys.readouterr().out
    assert "물음 0-0" in text and "at most about $" in text and "nothing was asked" in text
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("option", [("--answering", "score-pmi"), ("--too-long", "truncate-passage")])
@pytest.mark.parametrize("model", ["gpt", "endpoint:qwen3@http://localhost:1/v1"])
def test_a_dry_run_refuses_what_only_a_local_model_can_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str], model: str
) -> None:
    assert main(kice(tmp_path, "--dry-run", *option, model=model)) == 2
    assert f"'{option[1]}' needs a model in this process (smollm2, hf:…); '{model}' runs" in capsys.readouterr().err


def test_an_unknown_price_is_said_in_a_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(kice(tmp_path, "--dry-run", "--json", model="smollm2")) == 0
    assert printed(capsys)["estimates"][0]["usd"] is None


def test_rescore_reads_old_replies_with_new_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(kice(tmp_path, "--out", str(out))) == 0
    (name,) = read_manifest(out).systems
    path = records_path(out, name)
    path.write_text(path.read_text(encoding="utf-8").replace("정답: 3번", "정답: 5번"), encoding="utf-8")
    capsys.readouterr()
    assert main(["rescore", str(out), "--json"]) == 0
    changes = printed(capsys)["changes"]
    assert len(changes) == 10
    assert {(change["before"], change["after"]) for change in changes} == {(2, 4)}
    assert {r.prediction.choice for r in read_records(path) if r.prediction} == {4}
    assert main(["rescore", str(out), "--json"]) == 0
    assert printed(capsys) == {"changes": []}


def test_compare_report_and_show_read_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    assert main(kice(tmp_path, "--out", str(one))) == 0
    baseline = ["run", "kice", "--data", str(tmp_path / "2030_11_KICE.json"), "--baseline", "always-1"]
    assert main([*baseline, "--out", str(other)]) == 0
    capsys.readouterr()
    assert main(["compare", str(one), str(other), "--json"]) == 0
    assert "kice/2030-11/q01" in capsys.readouterr().out
    assert main(["report", str(one), "--format", "md"]) == 0
    assert capsys.readouterr().out == (one / "report.md").read_text(encoding="utf-8")
    assert main(["show", str(one), "kice/2030-11/q01"]) == 0
    assert "물음 0-0" in capsys.readouterr().out


def test_a_suite_s_options_are_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "demo", "--chain", "kice-rag"]) == 2
    assert "--chain goes with a benchmark" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "nosuch"], 2, "unknown benchmark or suite 'nosuch'. Allowed: kice, mnli, demo"),
        (["run", "kice"], 2, "say who answers with --chain, --checkpoint or --baseline"),
        (["run", "kice", "--split", "sample", "--chain", "nosuch", "--model", MODEL], 2, "unknown chain 'nosuch'"),
        (["run", "kice", "--split", "sample", "--chain", "kice-prompt"], 2, "needs a model"),
        (["run", "kice", "--split", "sample", "--chain", "kice-prompt", "--model", "nosuch"], 2, "unknown model"),
        (["run", "kice", "--split", "sample", "--chain", "kice-rag", "--model", MODEL], 2, "needs a retriever"),
        (
            ["run", "kice", "--split", "sample", "--chain", "kice-rag", "--model", MODEL, "--retriever", "nosuch"],
            2,
            "unknown retriever 'nosuch'",
        ),
        (
            ["run", "kice", "--split", "sample", "--chain", "kice-prompt", "--model", MODEL, "--retriever", "bm25"],
            2,
            "takes no retriever",
        ),
        (
            ["run", "kice", "--split", "sample", "--chain", "kice-prompt", "--model", MODEL, "--prompt", "nosuch"],
            2,
            "unknown prompt 'nosuch'",
        ),
        (["run", "kice", "--split", "sample", "--chain", "mnli-zero-shot", "--model", MODEL], 2, "answers mnli"),
        (["run", "kice", "--split", "1999", "--baseline", "always-1"], 2, "unknown split"),
        (["run", "kice", "--split", "sample", "--baseline", "always-9"], 2, "unknown baseline"),
        (["run", "kice", "--split", "sample", "--baseline", "majority"], 2, "no training split"),
        (["run", "mnli", "--split", "sample", "--checkpoint", "nosuch/folder/here"], 3, "nosuch/folder/here"),
        (["run", "kice", "--split", "sample", "--checkpoint", "x"], 2, "a classifier needs fixed labels"),
        (["run", "kice", "--data", "nosuch.json", "--baseline", "chance"], 3, "nosuch.json"),
        (["run", "kice", "--split", "sample", "--baseline", "chance", "--limit", "0"], 2, "--limit 0"),
        (["run", "kice", "--split", "sample", "--chain", "kice-prompt", "--model", "gpt"], 3, "OPENAI_API_KEY"),
        (["run", "kice", "--split", "sample", "--chain", "kice-prompt", "--model", "hf:nosuch/model"], 3, "hub"),
        (
            [
                "run",
                "kice",
                "--split",
                "sample",
                "--chain",
                "kice-prompt",
                "--model",
                "endpoint:x@http://127.0.0.1:9/v1",
            ],
            3,
            "127.0.0.1:9",
        ),
        (["run", "nosuch.yaml"], 2, "cannot be read"),
        (["compare", "nosuch"], 3, "is not a run"),
        (["report", "nosuch"], 3, "is not a run"),
        (["rescore", "nosuch"], 3, "is not a run"),
        (["show", "nosuch", "x"], 3, "is not a run"),
        (["retrieval", "nosuch", "--retriever", "bm25"], 2, "unknown retrieval set"),
        (["retrieval", "korquad", "--retriever", "bm25", "--data", "nosuch.json"], 3, "nosuch.json"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    arguments: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main([*arguments, *(["--out", str(out)] if arguments[0] == "run" else [])]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    assert line.startswith("error: ") and said in line
    assert not out.exists()
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{not json", "line 1"),
        ([{"id": "p", "paragraph": "글", "problems": [{"question": "?", "answer": 1, "score": 2}]}], "choices"),
        (
            [
                {
                    "id": "p",
                    "paragraph": "글",
                    "problems": [{"question": "?", "choices": list("가나다라마"), "answer": 7, "score": 2}],
                }
            ],
            "7",
        ),
    ],
)
def test_a_faulty_exam_is_said(content: Any, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "exam.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    assert main(["run", "kice", "--data", str(path), "--baseline", "chance"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "exam.json" in line and said in line


def test_an_unwritable_out_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    assert main(kice(tmp_path, "--out", str(blocker / "run"))) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(Exception, match="unknown benchmark"):
        main(["run", "nosuch", "--debug"])


def test_help_is_as_documented(update_golden: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    golden = GOLDEN / "help.txt"
    text = parser().format_help()
    if update_golden:
        golden.write_text(text)
    assert text == golden.read_text()


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, eval.cli.parser; eval.cli.parser.parser().format_help(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "langchain_core", "pydantic", "numpy"} & set(done.stdout.split())


def test_importing_chains_loads_no_torch() -> None:
    code = "import sys, chains, retrievers; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "langchain_core"} & set(done.stdout.split())


def test_a_run_over_an_api_with_its_reports_imports_no_library_that_it_does_not_need(tmp_path: Path) -> None:
    """Each of these takes longer to import than the report of 1,000 items to write."""
    rows = [{"premise": f"Premise {number}.", "hypothesis": "It is so.", "label": "neutral"} for number in range(120)]
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    code = (
        "import sys; from eval.cli.parser import main; code = main(sys.argv[1:]); print(*sys.modules); sys.exit(code)"
    )
    with serve_chat(lambda body: ["neutral", "entailment"][len(str(body)) % 2]) as endpoint:
        who = ["--chain", "mnli-zero-shot", "--model", f"endpoint:served@{endpoint.base_url}"]
        run = ["run", "mnli", "--data", str(pairs), *who, "--out", str(tmp_path / "out")]
        done = subprocess.run([sys.executable, "-c", code, *run], capture_output=True, text=True, check=True)
    imported = set(done.stdout.splitlines()[-1].split())
    assert {"langchain_openai", "numpy", "eval.report"} <= imported
    heavy = {"torch", "transformers", "tokenizers", "datasets", "scipy", "sklearn", "pandas", "pyarrow", "langchain"}
    own = {"finetune", "data.task", "data.kice", "data.polarity", "chains.local.chat_model", "retrievers.base"}
    assert imported & (heavy | own) == set()


def test_every_kind_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    listed = printed(capsys)
    assert {"kice", "mnli"} <= listed["benchmarks"].keys()
    assert all(listed.values())
