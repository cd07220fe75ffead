"""Terminals that are narrow or lack characters, and streams that are closed, full or read by nobody: nothing stops."""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.common.table import display_width
from data.common.text import encodable, plain_json
from eval.cli.parser import main as eval_main
from eval.rundir.journal import read_outcomes
from tests.support.exam_file import exam, write_exam
from tests.support.fault_server import Faults, serve_faults
from tests.support.folders import ROOT
from tests.support.runs_over_server import journal_of, run_arguments
from tests.support.tiny_encoder import make_encoder, write_nli

ENCODINGS = ["ascii", "latin-1", "cp949", "cp1252"]
COMMANDS = {
    "eval": "list run rescore import compare report show calibrate cache retrieval",
    "finetune": "eda train curve evaluate export",
    "retrievers": "index search",
    "data": "fetch check list",
}
EVERY_HELP = [[name, *more] for name, commands in COMMANDS.items() for more in ([], *([c] for c in commands.split()))]
ERASE = "\x1b[K"


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def command(*arguments: str, **more: str) -> "subprocess.CompletedProcess[bytes]":
    program = [sys.executable, "-m", *arguments]
    return subprocess.run(program, env=environment(**more), capture_output=True, timeout=120)


def shell(line: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as `$@` of a shell's line, which says where its streams go."""
    program = ["bash", "-c", line, "bash", sys.executable, "-m", *arguments]
    return subprocess.run(program, env=environment(), capture_output=True, text=True, timeout=120)


def scripted_run(folder: Path, *more: str, items: int = 50) -> list[str]:
    path = write_exam(folder, exam(items // 5, 5))
    asked = ["--chain", "kice-prompt", "--model", "tests.support.scripted_models:third"]
    return ["run", "kice", "--data", str(path), *asked, "--out", str(folder / "out"), *more]


def losing_run(folder: Path) -> list[str]:
    """A run of which the third item fails."""
    arguments = [*scripted_run(folder), "--max-concurrency", "1", "--retries", "0"]
    return [argument.replace("third", "losing") for argument in arguments]


def on_terminal(arguments: list[str], *, columns: int, package: str = "eval", both: bool = False, **more: str) -> str:
    """Return what a command writes for its user on a terminal of so many columns; with `both`, its output too."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    program = [sys.executable, "-m", package, *arguments]
    process = subprocess.Popen(
        program, stderr=theirs, stdout=theirs if both else subprocess.DEVNULL, env=environment(**more)
    )
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 120)[0]:
        try:
            shown += os.read(ours, 1 << 16)
        except OSError:  # the terminal's other side has closed
            break
    os.close(ours)
    assert process.wait(timeout=60) == 0, shown
    return shown.decode()


@pytest.mark.parametrize("columns", [80, 37, 160])
def test_a_bar_is_one_row_as_wide_as_the_terminal(tmp_path: Path, columns: int) -> None:
    suite = tmp_path / "suite.yaml"
    system = {"name": "kice-prompt.a-model-with-a-long-name.and-more", "chain": "kice-prompt"}
    system |= {"model": "tests.support.scripted_models:third"}
    evaluation = {"benchmark": "kice", "data": str(write_exam(tmp_path, exam(240, 5))), "systems": [system]}
    suite.write_text(json.dumps({"name": "bar", "evaluations": [evaluation]}), encoding="utf-8")
    shown = on_terminal(["run", str(suite), "--out", str(tmp_path / "out")], columns=columns, TERM="xterm")
    drawn = re.findall(r"\r([^\r\n]*)\x1b\[K", shown)
    assert 2 <= len(drawn) < 1200 / 2, "not at every item"
    assert max(map(display_width, drawn)) <= columns, "it would leave a row behind whenever it is drawn"
    assert drawn[-1].startswith("kice-prompt") and "1200/1200 items" in drawn[-1]
    if columns == 160:
        assert "] 1200/1200 items" in drawn[-1] and display_width(drawn[-1]) == columns - 2
    assert len([line for line in shown.split("\n") if "1200 items" in line]) == 1


def test_what_is_said_beside_the_bar_stands_on_lines_of_its_own(tmp_path: Path) -> None:
    shown = on_terminal([*losing_run(tmp_path), "--max-errors", "1"], columns=100, TERM="xterm")
    (said,) = [line for line in shown.split("\n") if "reset by peer" in line]
    assert re.match(r"kice-prompt\S+: kice/", said.rpartition(f"\r{ERASE}")[2]), "the bar makes room"


def test_a_dumb_terminal_gets_lines(tmp_path: Path) -> None:
    shown = on_terminal(scripted_run(tmp_path), columns=80, TERM="dumb")
    assert "\x1b" not in shown and "50/50 items" in shown


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_training_is_one_live_line_on_a_terminal_and_few_lines_elsewhere(tmp_path: Path, term: str) -> None:
    data = write_nli(tmp_path, train=(480, 1), validation_matched=(30, 2))
    small = ["--max-length", "48", "--batch-size", "8", "--epochs", "1", "--bf16", "off", "--logging-steps", "1"]
    model = ["--model", str(make_encoder(tmp_path / "tiny")), "--data", str(data), "--out", str(tmp_path / "out")]
    shown = on_terminal(["train", *model, *small], columns=60, package="finetune", TERM=term)
    drawn = re.findall(r"\r([^\r\n]*)\x1b\[K", shown)
    if term == "xterm":
        steps = [line for line in drawn if " step  loss" in line]
        assert len(steps) > 40 and max(map(display_width, drawn)) <= 60
    stood = [line for line in re.sub(r"\r[^\r\n]*\x1b\[K", "", shown).splitlines() if " step  loss" in line]
    assert (len(stood) <= 3) if term == "dumb" else not stood
    assert "evaluation  loss" in shown


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_run_and_its_reports_fit_the_terminal_s_encoding(tmp_path: Path, encoding: str) -> None:
    done = command("eval", *scripted_run(tmp_path), PYTHONIOENCODING=encoding)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    run = str(tmp_path / "out")
    for arguments in (
        ["report", run, "--lang", "ko"],
        ["report", run, "--format", "md"],
        ["compare", run, "--lang", "ko"],
        ["show", run, "kice/p0/1"],
        ["list"],
    ):
        ended = command("eval", *arguments, PYTHONIOENCODING=encoding)
        assert b"Traceback" not in ended.stderr, (arguments, ended.stderr)
        (ended.stdout + ended.stderr).decode(encoding)
    for form in (["--json"], ["--format", "json"]):
        told = json.loads(command("eval", "report", run, *form, PYTHONIOENCODING=encoding).stdout.decode(encoding))
        assert told == json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    page = command("eval", "report", run, "--format", "html", PYTHONIOENCODING=encoding).stdout
    assert page.decode("utf-8").strip() == (tmp_path / "out" / "report.html").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("encoding", ["ascii", "cp949"])
def test_a_decision_about_korean_texts_fits_the_terminal_s_encoding(tmp_path: Path, encoding: str) -> None:
    """“따옴표” and €, which cp949 lacks, are in the texts; the verdict is said in Korean."""
    rows = [
        f"{name} 번호 {n}의 값은 “{n}€”?,{name},물,공기,불,A" for n, name in enumerate(["철", "금", "은", "납"] * 9)
    ]
    rows += [f"마시는 것은? {n},흙,물,돌,쇠,B" for n in range(24)]
    path = tmp_path / "물음.csv"
    path.write_text("question,A,B,C,D,answer\n" + "\n".join(rows), encoding="utf-8")
    asked = ["decide", str(path), "--model", "tests.support.scripted_models:third", "--yes", "--lang", "ko"]
    for arguments in (["data", "check", str(path)], ["eval", *asked, "--out", str(tmp_path / "out")]):
        done = command(*arguments, PYTHONIOENCODING=encoding)
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
        said = (done.stdout + done.stderr).decode(encoding)
    assert "lexical-overlap" in said and ("결론" in said or encoding == "ascii")


def test_a_quiet_run_says_its_verdict_and_its_errors_alone(tmp_path: Path) -> None:
    suite = tmp_path / "two.yaml"
    systems = "[{name: a, baseline: always-3}, {name: b, baseline: always-1}]"
    suite.write_text(f"name: two\nevaluations: [{{benchmark: kice, split: sample, systems: {systems}}}]\n")
    done = command("eval", "run", str(suite), "--out", str(tmp_path / "two"), "--quiet")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"Verdict on kice (") and b"accuracy (95%)" not in done.stdout
    again = command("eval", "run", str(suite), "--resume", str(tmp_path / "two"), "--quiet")
    assert (again.stdout, again.stderr) == (done.stdout, b"")
    failed = command("eval", *losing_run(tmp_path), "--quiet")  # one system: there is no verdict
    assert failed.stderr.startswith(b"incomplete: 1 items failed") and failed.stderr.count(b"\n") == 1
    assert failed.stdout.startswith(b"kice, ")
    assert command("eval", "run", "nosuch", "--quiet").stderr.startswith(b"error: unknown benchmark")


@pytest.mark.parametrize(("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_the_verdict_stands_last_and_in_colour_on_a_terminal_that_takes_it(
    tmp_path: Path, more: dict[str, str], coloured: bool
) -> None:
    suite = tmp_path / "two.yaml"
    systems = "[{name: a, baseline: always-3}, {name: b, baseline: always-1}]"
    suite.write_text(f"name: two\nevaluations: [{{benchmark: kice, split: sample, systems: {systems}}}]\n")
    arguments = ["run", str(suite), "--out", str(tmp_path / "out")]
    shown = on_terminal(arguments, columns=90, both=True, **{"TERM": "xterm", **more})
    last = shown.rstrip().split("\r\n\r\n")[-1]
    assert "Verdict on kice" in last and "report.html" not in last
    assert last.startswith("\x1b[1;33mVerdict") if coloured else last.startswith("Verdict")
    assert ("\x1b[1" in shown) is coloured


@pytest.mark.parametrize("arguments", EVERY_HELP, ids=" ".join)
def test_every_help_is_said_in_ascii(arguments: list[str]) -> None:
    done = command(*arguments, "--help", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii() and b"?? " not in done.stdout.replace(b'"??? ?? ??"', b"")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_standard_output_that_is_full_or_closed_is_one_line(name: str) -> None:
    for line, why in (('"$@" > /dev/full', "No space left on device"), ('"$@" >&-', "it is closed")):
        done = shell(line, name, "--help")
        assert (done.returncode, done.stderr) == (2, f"error: standard output cannot be written: {why}\n")
    assert shell('"$@" 2>/dev/full', name, "--help").returncode == 0
    for line in ('"$@" 2>/dev/full', '"$@" 2>&-', '"$@" 2>&- >&-'):
        done = shell(line, name, "no-such-command")
        assert (done.returncode, done.stdout) == (2, ""), "a usage error"
    done = shell('"$@" | true; echo ${PIPESTATUS[0]}', name, "--help")
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize(
    ("streams", "code", "said"),
    [
        ("2>/dev/full", 0, ""),
        ("2>&-", 0, ""),
        ("2> >(exit)", 0, ""),
        ("2>&- >&- <&-", 2, ""),
        (">/dev/full", 2, "error: standard output cannot be written: No space left on device"),
        (">&-", 2, "error: standard output cannot be written: it is closed"),
        ("| true; exit ${PIPESTATUS[0]}", 0, ""),
    ],
)
def test_asking_goes_on_whatever_becomes_of_the_streams(tmp_path: Path, streams: str, code: int, said: str) -> None:
    done = shell(f'"$@" {streams}', "eval", *scripted_run(tmp_path))
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert said in done.stderr.splitlines()[-1:] or not said
    assert sum(read_outcomes(journal_of(tmp_path / "out")).values()) == 50
    assert (tmp_path / "out" / "report.html").is_file()


def test_items_that_fail_are_the_exit_code_also_where_nobody_reads_the_report(tmp_path: Path) -> None:
    assert shell('"$@" | true; exit ${PIPESTATUS[0]}', "eval", *losing_run(tmp_path)).returncode == 1


def test_a_table_of_answers_stops_with_its_reader(tmp_path: Path) -> None:
    assert eval_main(scripted_run(tmp_path, items=1000)) == 0
    done = shell('"$@" | head -2', "eval", "report", str(tmp_path / "out"), "--format", "csv")
    assert (len(done.stdout.splitlines()), done.stderr) == (2, "")


@pytest.mark.parametrize(
    ("faults", "limits", "awaited"),
    [
        (Faults(latency_s=40), [], "await answers"),
        (Faults(), ["--rpm", "3"], "await --rpm"),
        (Faults(too_many=1.0, retry_after="seconds", retry_after_s=60), [], "await a retry"),
        (
            Faults(too_many=1.0, retry_after="seconds", retry_after_s=60),
            ["--max-concurrency", "5"],
            "the server's limit",
        ),
    ],
    ids=["server", "limit", "refusal", "server's limit"],
)
def test_a_run_that_waits_says_for_what(tmp_path: Path, faults: Faults, limits: list[str], awaited: str) -> None:
    with serve_faults(faults) as server:
        arguments = run_arguments(tmp_path, server, *limits, "--timeout", "60", items=10)
        program = [sys.executable, "-m", "eval", *arguments, "--out", str(tmp_path / "out")]
        process = subprocess.Popen(program, stdout=-3, stderr=-1, env=environment(), text=True)
        assert process.stderr
        waiting = []
        for line in process.stderr:
            waiting += [line] if " await " in line else []
            if awaited in line:
                break
        process.kill()
        process.wait()
    assert waiting and awaited in waiting[-1], waiting
    first = r"kice-prompt\S+ \d/10 items, 1\d s(, [\d.]+/s, \d+ s left)?; (none for \d+ s: )?\d+ await "
    assert re.match(first, waiting[0]), waiting


@given(st.text(), st.sampled_from([*ENCODINGS, "utf-8", "shift_jis"]))
def test_any_text_can_be_shown_in_any_encoding(text: str, encoding: str) -> None:
    encodable(text, encoding).encode(encoding)
    for only_ascii in (True, False):
        shown = plain_json(json.dumps(text, ensure_ascii=False), only_ascii=only_ascii)
        assert json.loads(shown) == text and (shown.isascii() or not only_ascii)


def test_what_stands_for_a_character_says_the_same() -> None:
    said = "1–2 … a → b, −3 ≤ 4×10⁻⁶ “so” ‘it’ é · 점"
    assert encodable(said, "ascii") == "1-2 ... a -> b, -3 <= 4x10^-6 \"so\" 'it' e . ?"
    assert encodable(said, "cp949") == "1-2 … a → b, -3 ≤ 4×10^-6 “so” ‘it’ e · 점"
    assert encodable(said, "utf-8") == said
