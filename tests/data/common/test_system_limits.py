"""What the operating system refuses, and files that never end: one line says it, and nothing is left half made."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.__main__ import main as data_main
from data.common.errors import NO_THREAD, ConfigurationError, shortened, system_fault
from data.common.parsing import read_yaml
from data.registry import load_items
from eval.__main__ import main
from tests.support.chat_endpoint import serve_chat
from tests.support.folders import ROOT

BASELINE = ["run", "kice", "--split", "sample", "--limit", "2", "--baseline", "chance"]
LONG = "x" * 5_000
ENDLESS = Path("/dev/zero")


def said_in_one_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1 and said.err.startswith("error: ")
    return said.err


@pytest.mark.parametrize("place", [LONG, "/".join(["d" * 200] * 25)])
def test_a_path_that_is_too_long_is_one_readable_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    commands = [
        [*BASELINE, "--out", str(tmp_path / "runs" / place)],
        ["run", "kice", "--data", str(tmp_path / place), "--baseline", "chance", "--out", str(tmp_path / "out")],
        ["run", str(tmp_path / f"{place}.yaml"), "--out", str(tmp_path / "out")],
        ["report", str(tmp_path / place)],
        ["import", str(tmp_path / f"{place}.jsonl"), "--benchmark", "kice", "--out", str(tmp_path / "out")],
    ]
    for command in commands:
        assert main(command) in (2, 3)
        said = said_in_one_line(capsys)
        assert len(said) < 600
    assert data_main(["check", str(tmp_path / place)]) == 3
    assert len(said_in_one_line(capsys)) < 600
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("manifest.json"))


@pytest.mark.parametrize("name", ["n" * 300, "국" * 100])
def test_a_name_that_is_too_long_for_a_folder_leaves_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    systems = [{"name": "short", "baseline": "chance"}, {"name": name, "baseline": "chance"}]
    suite = {"name": "s", "evaluations": [{"benchmark": "kice", "split": "sample", "systems": systems}]}
    (tmp_path / "suite.yaml").write_text(json.dumps(suite), encoding="utf-8")
    assert main(["run", str(tmp_path / "suite.yaml"), "--out", str(tmp_path / "out")]) == 2
    assert "bytes, more than 200" in said_in_one_line(capsys)
    assert not (tmp_path / "out").exists()


def test_a_deleted_folder_is_named(tmp_path: Path) -> None:
    """Also where nothing is read from it or written to it, a command works."""
    for arguments, code in ((BASELINE, 2), (["list", "systems"], 0), ([*BASELINE, "--out", str(tmp_path / "o")], 0)):
        folder = tmp_path / "gone"
        folder.mkdir()
        program = f"import os; os.rmdir({str(folder)!r}); from eval.__main__ import main; raise SystemExit(main())"
        there = {**os.environ, "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=folder, env=there, capture_output=True, text=True
        )
        assert ended.returncode == code, ended.stderr
        assert "Traceback" not in ended.stderr
        if code:
            assert ended.stderr.count("\n") == 1 and "not there any more" in ended.stderr


@pytest.mark.parametrize("text", ["[" * 20_000 + "]" * 20_000, "\n".join(" " * level + "a:" for level in range(1_500))])
def test_yaml_that_is_nested_without_end_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="nested too deeply") as caught:
        read_yaml(path, kind="suite")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not ENDLESS.exists(), reason="this system has no such device")
@pytest.mark.parametrize("suffix", ["", ".jsonl", ".json", ".tsv"])
@pytest.mark.parametrize("about", ["kice", "mnli"])
def test_a_device_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], about: str, suffix: str) -> None:
    """A reading of one would end when all memory is taken, and with it other programs."""
    path = tmp_path / f"endless{suffix}"
    path.symlink_to(ENDLESS)
    arguments = ["run", about, "--data", str(path), "--baseline", "chance", "--out", str(tmp_path / "out")]
    assert main(arguments) in (2, 3)
    said = said_in_one_line(capsys)
    assert "it is a device, not a file" in said or f"cannot read '{suffix}' files" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not ENDLESS.exists(), reason="this system has no such device")
def test_devices_are_no_files_wherever_one_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for suffix in ("yaml", "jsonl", "json", "txt"):
        (tmp_path / f"endless.{suffix}").symlink_to(ENDLESS)
    out = ["--out", str(tmp_path / "out")]
    commands = [
        ["run", str(tmp_path / "endless.yaml"), *out],
        ["import", str(tmp_path / "endless.jsonl"), "--benchmark", "kice", "--split", "sample", *out],
        ["retrieval", "korquad", "--retriever", "bm25", "--data", str(tmp_path / "endless.json")],
    ]
    for command in commands:
        assert main(command) in (2, 3)
        assert "it is a device, not a file" in said_in_one_line(capsys)


def test_a_pipe_is_read(tmp_path: Path) -> None:
    """As a shell gives one in the place of a file: `--data <(zcat items.jsonl.gz)`."""
    sample = [item.model_dump(mode="json") for item in load_items("mnli", split="sample", limit=3)]
    assert len(sample) == 3
    pipe = tmp_path / "rows.jsonl"
    os.mkfifo(pipe)
    rows = [{"premise": "A man sleeps.", "hypothesis": f"He is {word}.", "label": 0} for word in ("ill", "well")]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    writer = threading.Thread(target=pipe.write_text, args=(text,))
    writer.start()
    assert len(load_items("mnli", path=pipe)) == 2
    writer.join()


FEW_THREADS = """
import sys, threading
left, start = int(sys.argv.pop(1)), threading._start_new_thread
def few(*arguments):
    global left
    if left <= 0:
        raise RuntimeError("can't start new thread")
    left -= 1
    return start(*arguments)
threading._start_new_thread = few
from eval.__main__ import main
raise SystemExit(main())
"""


@pytest.mark.parametrize("allowed", [0, 1, 2, 3, 5])
def test_fewer_threads_are_enough_and_none_is_one_line(tmp_path: Path, allowed: int) -> None:
    """A system that is full starts no more threads: what started does the work."""
    out = tmp_path / "out"
    with serve_chat(lambda body: "3") as server:
        model = ["--chain", "kice-prompt", "--model", f"endpoint:m@{server.base_url}", "--max-concurrency", "8"]
        arguments = ["run", "kice", "--split", "sample", "--limit", "2", *model, "--out", str(out)]
        ended = subprocess.run(
            [sys.executable, "-c", FEW_THREADS, str(allowed), *arguments], capture_output=True, text=True, timeout=60
        )
        assert "Traceback" not in ended.stderr
        if ended.returncode:
            assert ended.returncode == 2 and "starts no more threads" in ended.stderr
            assert not out.exists() or main([*arguments[:-2], "--resume", str(out)]) == 0
        assert len(server.requests) == (2 if out.exists() else 0)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--temperature", "inf"], "a finite number"),
        (["--temperature", "nan"], "a finite number"),
        (["--max-cost", "inf"], "--max-cost inf is no limit"),
        (["--item-timeout", "nan"], "--item-timeout nan is no limit"),
        (["--max-errors", "nan%"], "--max-errors nan% is no number"),
    ],
)
def test_what_is_no_number_is_said_to_be_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: list[str], message: str
) -> None:
    model = ["--chain", "kice-prompt", "--model", "endpoint:m@http://127.0.0.1:9/v1"]
    arguments = ["run", "kice", "--split", "sample", "--limit", "2", *model, *option, "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert message in said_in_one_line(capsys)
    assert not (tmp_path / "out").exists()


@given(st.text(), st.integers(min_value=1, max_value=6_000))
def test_a_message_is_shortened_only_in_words_without_end(text: str, length: int) -> None:
    short = shortened(text + " " + "w" * length)
    assert len(short) <= len(text) + 242
    if length < 200 and all(len(word) < 40 for word in text.split()):
        assert short == text + " " + "w" * length


def test_what_is_the_program_s_own_fault_is_no_refusal_of_the_system() -> None:
    assert system_fault(RuntimeError("dictionary changed size during iteration")) is None
    assert system_fault(ValueError("x")) is None
    assert system_fault(RuntimeError("can't start new thread")) == NO_THREAD
    assert "memory" in str(system_fault(MemoryError()))
