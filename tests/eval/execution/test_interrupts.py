"""A real Ctrl-C or signal to end, at any moment: what was sent is written down, nothing more is sent, it can go on."""

import fcntl
import os
import pty
import random
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from eval.cli.parser import main
from eval.execution.call_ledger import read_ledger
from eval.execution.interrupts import noted_interrupts
from eval.execution.runner import run
from eval.rundir.journal import read_outcomes, read_records
from tests.support.command_process import start, wait_for
from tests.support.fault_server import Faults, serve_faults
from tests.support.folders import ROOT
from tests.support.runs_over_server import journal_of, plan_over, run_arguments

STEADY = Faults(latency_s=0.05)
PATIENT = ("--timeout", "60")  # what a busy machine answers late would be asked, and paid, again


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("seed", range(3))
def test_an_interrupted_run_keeps_what_it_sent_and_goes_on(tmp_path: Path, seed: int, number: int) -> None:
    out = tmp_path / "out"
    moment = random.Random(seed)
    with serve_faults(STEADY) as server:
        arguments = run_arguments(tmp_path, server, *PATIENT, items=100)
        process = start([*arguments, "--max-concurrency", "4", "--out", str(out)])
        wait_for(lambda: len(server.paid_items()) > moment.randrange(5, 40), process)
        time.sleep(moment.uniform(0, 0.05))
        os.kill(process.pid or 0, number)
        process.join(timeout=30)
        assert process.exitcode == 130
        assert len(read_outcomes(journal_of(out))) == len(server.paid_items()) < 100
        assert main([*arguments, "--resume", str(out)]) == 0
        assert sorted(server.paid.values()) == [1] * 100


def test_a_second_interrupt_does_not_wait(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with serve_faults(Faults(latency_s=60)) as server:
        process = start([*run_arguments(tmp_path, server, items=100), "--timeout", "90", "--out", str(out)])
        wait_for(lambda: len(server.attempts) >= 8, process)
        os.kill(process.pid or 0, signal.SIGINT)
        time.sleep(0.5)
        assert process.is_alive(), "the first waits for what is in flight"
        os.kill(process.pid or 0, signal.SIGINT)
        process.join(timeout=20)
        assert process.exitcode == 130


def test_only_inside_is_an_interrupt_noted() -> None:
    woken: list[bool] = []
    with noted_interrupts(lambda: woken.append(True)) as interrupts:
        signal.raise_signal(signal.SIGINT)
        assert interrupts.noted and woken
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_program_that_handles_the_signal_itself_keeps_it() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with noted_interrupts(lambda: None) as interrupts:
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen and not interrupts.noted


def test_the_askings_of_an_item_that_is_not_finished_are_not_paid_for_again(tmp_path: Path) -> None:
    """A record holds all of them or none; the others are kept apart until it does."""
    out = tmp_path / "out"
    with serve_faults(Faults(latency_s=0.1, too_many=0.1)) as server:
        askings = ["--permute", "cyclic", "--max-concurrency", "3"]
        arguments = run_arguments(tmp_path, server, *PATIENT, *askings, items=20)
        process = start([*arguments, "--out", str(out)])
        wait_for(lambda: any(file.stat().st_size for file in out.glob("*/records.jsonl")), process)
        os.kill(process.pid or 0, signal.SIGINT)
        process.join(timeout=30)
        assert process.exitcode == 130
        replies = [entry for entry in read_ledger(journal_of(out).with_name("calls.jsonl")) if entry.reply]
        assert len(replies) == sum(server.paid.values())
        assert len(list(read_records(journal_of(out)))) < 20
        assert main([*arguments, "--resume", str(out)]) == 0
        assert set(server.paid.values()) == {1}, "nothing is paid for twice"


def test_the_first_interrupt_says_what_is_waited_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serve_faults(Faults(latency_s=1)) as server:
        plan = plan_over(tmp_path, server, items=10)

        def interrupt() -> None:
            while len(server.arrivals) < 3:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            run(plan, tmp_path / "run", max_concurrency=3)
    said = [line for line in capfd.readouterr().err.splitlines() if "waiting" in line]
    assert said == ["waiting for 3 calls in flight; Ctrl-C again to drop them"]


def command(name: str, *arguments: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-m", name, *arguments]
    return subprocess.Popen(program, env=environment, stdout=-3, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_whoever_sends_a_signal_is_not_kept_waiting_by_a_server_that_hangs(tmp_path: Path, number: int) -> None:
    name = signal.Signals(number).name
    with serve_faults(Faults(latency_s=600)) as server:
        arguments = [*run_arguments(tmp_path, server, items=100), "--timeout", "600", "--max-concurrency", "8"]
        process = command("eval", *arguments, "--out", str(tmp_path / "out"))
        while len(server.arrivals) < 8:
            time.sleep(0.01)
        process.send_signal(number)
        process.send_signal(number)  # a terminal that closes sends several
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    lines = [line for line in said.splitlines() if "in flight" in line]
    assert lines == [
        f"{name}: waiting for 8 calls in flight, 7 s at most",
        "8 calls in flight are dropped: they did not end within 7 s",
    ]
    assert f"go on with --resume {tmp_path / 'out'}" in said


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("eval", ["run", "mnli", "--baseline", "majority", "--data", "PIPE"], "interrupted"),
        ("retrievers", ["index", "PIPE"], "interrupted; what was analysed so far is kept"),
        ("finetune", ["train", "--out", "checkpoint", "--data", "PIPE"], "interrupted"),
        ("data", ["check", "PIPE"], "interrupted; run it again to resume"),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_command_line_ends_by_a_signal_as_by_ctrl_c(
    tmp_path: Path, name: str, arguments: list[str], said: str, number: int
) -> None:
    """Each reads a pipe into which nothing is written, as a slow disk would have it wait."""
    pipe = tmp_path / "pairs.jsonl"
    os.mkfifo(pipe)
    process = command(name, *(argument.replace("PIPE", str(pipe)) for argument in arguments))
    writer = os.open(pipe, os.O_WRONLY)  # waits until the command reads
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    os.close(writer)
    assert (process.returncode, errors) == (130, f"{said}\n")


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """As `nohup` has it."""
    with serve_faults(Faults(latency_s=0.3)) as server:
        arguments = [*run_arguments(tmp_path, server, *PATIENT, items=20), "--max-concurrency", "2"]
        ignoring = "import signal, sys; from eval.cli.parser import main; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
        program = [sys.executable, "-c", f"{ignoring}; sys.exit(main())", *arguments, "--out", str(tmp_path / "out")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(program, env=environment, stdout=-3, stderr=-3)
        while len(server.arrivals) < 3:
            time.sleep(0.01)
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=60) == 0
    assert len(read_outcomes(journal_of(tmp_path / "out"))) == 20


def test_a_run_whose_terminal_is_closed_keeps_what_it_sent(tmp_path: Path) -> None:
    """The kernel sends SIGHUP, and nothing that is written to the terminal arrives any more."""
    out = tmp_path / "out"
    with serve_faults(STEADY) as server:
        arguments = run_arguments(tmp_path, server, *PATIENT, items=100)
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "eval", *arguments, "--max-concurrency", "4", "--out", str(out)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        while len(server.paid_items()) < 10:
            os.read(ours, 1 << 16)
        os.close(ours)
        assert process.wait(timeout=60) == 130
        assert 10 <= len(read_outcomes(journal_of(out))) == len(server.paid_items()) < 100
