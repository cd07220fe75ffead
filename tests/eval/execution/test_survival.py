"""A run that is killed, interrupted or out of disk loses nothing that was answered, and ends as if it had not been.

The runs are processes of their own, started from one that has imported everything, so that they start at once.
"""

import errno
import json
import os
import random
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from data.common.files import sole_writer
from data.common.line_file import SyncedFile
from data.kice import load
from data.types import Record
from eval.cli.parser import main
from eval.measures.prices import price
from eval.rundir.journal import read_outcomes, read_records
from tests.support.command_process import start, wait_for
from tests.support.exam_file import exam, write_exam
from tests.support.fault_server import USAGE, Faults, serve_faults
from tests.support.runs_over_server import CONCURRENCY, ITEMS, journal_of, run_arguments

KILLS = 20
CHAOS = Faults(
    too_many=0.10,
    server_error=0.05,
    hang=0.02,
    reset=0.02,
    broken_json=0.02,
    latency_s=0.02,
    hang_s=5,
    window=(100, 0.5),
)
MODEL = "tests.support.scripted_models:third"


def without_times(run_dir: Path) -> tuple[list[Record], str]:
    """Return a run's records and summary without what the clock, and luck with the server, decide."""
    records = [r.model_copy(update={"latency_s": 0, "attempts": 1}) for r in read_records(journal_of(run_dir))]
    return records, json.dumps(_timeless(json.loads((run_dir / "summary.json").read_text(encoding="utf-8"))))


def _timeless(content: Any) -> Any:
    if isinstance(content, dict):
        timed = ("latency", "seconds", "started_utc")
        return {key: _timeless(value) for key, value in content.items() if not any(word in key for word in timed)}
    return [_timeless(entry) for entry in content] if isinstance(content, list) else content


@pytest.mark.timeout(1200)  # for FAULT_ITEMS=2000
@pytest.mark.parametrize("times", [1, 5])
def test_twenty_kills_lose_nothing_and_ask_nothing_again(tmp_path: Path, times: int) -> None:
    """Nor are the askings of an item paid for again that were answered before the others were."""
    moments = random.Random(7)
    goals = sorted(moments.sample(range(1, int(0.95 * ITEMS)), KILLS))
    out, undisturbed = tmp_path / "out", tmp_path / "undisturbed"
    with serve_faults(CHAOS) as server:
        arguments = run_arguments(
            tmp_path, server, *(["--permute", "cyclic"] if times > 1 else []), items=ITEMS // times
        )
        items = {item.inputs["question"]: item.id for item in load("test", tmp_path / "2030_11_KICE.json")}
        journaled: list[tuple[set[str], dict[str, int]]] = []  # at each kill: the items, and the requests of each
        for number, goal in enumerate(goals):
            process = start([*arguments, "--resume" if number else "--out", str(out)])
            wait_for(lambda: len(server.paid_items()) >= goal, process)  # noqa: B023  # called in this round
            time.sleep(moments.uniform(0, 0.05))
            process.kill()
            process.join()
            assert process.exitcode == -9
            done = set(read_outcomes(journal_of(out))) if (out / "manifest.json").exists() else set()
            journaled.append((done, dict(server.attempts)))
        assert main([*arguments, "--resume", str(out)]) == 0
        attempts, paid = server.attempts.copy(), server.paid.copy()
        assert main([*arguments, "--out", str(undisturbed)]) == 0
    by_item = {prompt: next(i for q, i in items.items() if q in prompt) for prompt in attempts}
    for done, before in journaled:
        assert not [prompt for prompt, count in attempts.items() if by_item[prompt] in done and count > before[prompt]]
    assert len(by_item) == ITEMS and min(paid[prompt] for prompt in by_item) == 1
    assert sum(paid.values()) - ITEMS <= KILLS * CONCURRENCY, "only what was in flight is paid for again"
    assert len({sum(before.values()) for _, before in journaled}) > KILLS // 2, "the kills must fall into the asking"
    assert without_times(out) == without_times(undisturbed)
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]


@pytest.mark.timeout(600)
def test_kills_never_let_a_run_cross_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was in flight at a kill was paid for, and no reply says so: it counts at the most that it can have cost."""
    out, moments, kills = tmp_path / "out", random.Random(3), 5
    with serve_faults(CHAOS) as server:
        spec = f"endpoint:m@{server.base_url}"
        prices = {"as_of": "2026-01-01", "source": "here", "models": {spec: {"input": 0.01, "output": 50}}}
        (tmp_path / "prices.yaml").write_text(json.dumps(prices), encoding="utf-8")
        given = {"TUNE_OR_PROMPT_PRICES": str(tmp_path / "prices.yaml")}
        monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", given["TUNE_OR_PROMPT_PRICES"])
        more = ["--permute", "cyclic", "--max-tokens", "8", "--max-cost", "0.08"]
        arguments = run_arguments(tmp_path, server, *more, items=100)
        for number in range(kills):
            process = start([*arguments, "--resume" if number else "--out", str(out)], **given)
            wait_for(lambda: sum(server.paid.values()) >= 20 * (number + 1), process)  # noqa: B023  # called in this round
            time.sleep(moments.uniform(0, 0.05))
            process.kill()
            process.join()
            assert process.exitcode == -9
        assert main([*arguments, "--resume", str(out)]) == 1
        usage = {"input_tokens": USAGE["prompt_tokens"], "output_tokens": USAGE["completion_tokens"]}
        assert 0.03 < sum(server.paid.values()) * (price(usage, spec) or 0) <= 0.08
        assert "stopped before --max-cost" in error_of(capsys)
        arguments[arguments.index("0.08")] = "5"
        assert main([*arguments, "--resume", str(out)]) == 0
    assert sum(server.paid.values()) - 500 <= kills * CONCURRENCY, "only what was in flight is paid for again"


def test_a_second_process_is_refused_and_reading_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    with serve_faults(Faults(latency_s=0.1)) as server:
        arguments = run_arguments(tmp_path, server, items=200)
        process = start([*arguments, "--max-concurrency", "2", "--out", str(out)])
        wait_for(lambda: len(server.paid_items()) > 5, process)
        for how in ("--resume", "--out"):
            capsys.readouterr()
            assert main([*arguments, how, str(out)]) == 2
            (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
            assert f"{out} is in use" in line or (how == "--out" and f"{out} is not empty" in line)
        assert main(["rescore", str(out)]) == 2
        assert f"{out} is in use" in capsys.readouterr().err
        assert process.is_alive() and len(server.attempts) < 100
        assert main(["report", str(out)]) == 0
        assert main(["show", str(out), "kice/2030-11/q01"]) == 0
        process.kill()
        process.join()
        before = len(read_outcomes(journal_of(out)))
        assert main([*arguments, "--resume", str(out)]) == 0
    assert before < 200 == len(list(read_records(journal_of(out))))


def test_a_run_killed_before_its_manifest_was_there_is_begun_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ".lock").touch()
    (out / ".manifest.json.123.tmp").write_text("{")
    assert main(scripted(tmp_path, "--out", str(out))) == 0


def test_a_run_of_an_older_version_is_read_and_not_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There what was paid for stood in other files, so that going on might pay again, or cross --max-cost."""
    out = tmp_path / "out"
    assert main(scripted(tmp_path, "--out", str(out))) == 0
    manifest = out / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"schema_version": 2', '"schema_version": 1'))
    before = journal_of(out).read_bytes()
    assert main(["report", str(out)]) == 0
    capsys.readouterr()
    assert main(scripted(tmp_path, "--resume", str(out))) == 2
    assert f"{out} cannot be resumed: an older version of this program began it" in error_of(capsys)
    assert journal_of(out).read_bytes() == before


def test_a_lock_is_given_back_and_its_file_removed(tmp_path: Path) -> None:
    for _ in range(2):
        with sole_writer(tmp_path / "run"):
            assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]
        assert list((tmp_path / "run").iterdir()) == []


def test_failed_items_are_left_as_they_are_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    context_length = ("물음 1-", 400, {"message": "maximum context length", "code": "context_length_exceeded"})
    with serve_faults(Faults(refuse_marked=context_length)) as server:
        arguments = run_arguments(tmp_path, server, items=20)
        assert main([*arguments, "--out", str(out)]) == 1
        asked = sum(server.attempts.values())
        assert main([*arguments, "--no-retry-errors", "--resume", str(out)]) == 1
        assert sum(server.attempts.values()) == asked == 20
        assert "5 items failed" in capsys.readouterr().err
        lines = journal_of(out).read_bytes().splitlines(keepends=True)
        journal_of(out).write_bytes(b"".join(lines[:-2]))
        assert main([*arguments, "--no-retry-errors", "--resume", str(out)]) == 1
        assert sum(server.attempts.values()) == asked + 2
        assert main([*arguments, "--retry-errors", "--resume", str(out)]) == 1
        assert sum(server.attempts.values()) == asked + 2 + 5
    assert len(list(read_records(journal_of(out)))) == 20


def test_a_share_of_errors_ends_a_hopeless_run_early_and_a_good_one_never(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    too_long = {"message": "maximum context length", "code": "context_length_exceeded"}
    with serve_faults(Faults(refuse_marked=("물음", 400, too_long))) as server:
        arguments = run_arguments(tmp_path, server, "--max-errors", "5%", items=200)
        assert main([*arguments, "--out", str(tmp_path / "hopeless")]) == 1
        assert 10 < sum(server.attempts.values()) <= 11 + CONCURRENCY
    assert "more items failed than --max-errors allows" in capsys.readouterr().err
    with serve_faults(Faults(refuse_marked=("물음 1-", 400, too_long))) as server:
        for limit, code in (("3%", 0), ("5", 0), ("2%", 1), ("4", 1)):
            arguments = run_arguments(tmp_path, server, "--max-errors", limit)
            assert main([*arguments, "--out", str(tmp_path / limit.strip("%"))]) == code


@pytest.mark.parametrize("written", ["-1", "-1%", "ten", "5.5", "101%", "%", "nan%"])
def test_a_limit_on_errors_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], written: str
) -> None:
    write_exam(tmp_path)
    data = ["--data", str(tmp_path / "2030_11_KICE.json"), "--out", str(tmp_path / "out")]
    assert main(["run", "kice", *data, "--chain", "kice-prompt", "--model", MODEL, f"--max-errors={written}"]) == 2
    assert f"--max-errors {written} is" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_attempts_are_counted_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    with serve_faults(Faults(server_error=0.5)) as server:
        assert main([*run_arguments(tmp_path, server, items=5), "--out", str(out)]) == 0
    counts = {record.item.id: record.attempts for record in read_records(journal_of(out))}
    assert sum(counts.values()) == sum(server.attempts.values()) > 5
    most = max(counts, key=counts.__getitem__)
    capsys.readouterr()
    assert main(["show", str(out), most]) == 0
    assert f"attempts: {counts[most]}" in capsys.readouterr().out


# Full disks and folders that cannot be written.


def scripted(folder: Path, *more: str, items: int = 40) -> list[str]:
    path = folder / "2030_11_KICE.json"
    if not path.exists():
        write_exam(folder, exam(items // 5, 5))
    return ["run", "kice", "--data", str(path), "--chain", "kice-prompt", "--model", MODEL, *more]


@contextmanager
def largest_file(n_bytes: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes: writing more fails as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in said
    return line


def test_a_journal_that_can_grow_no_further_is_whole_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, undisturbed = tmp_path / "out", tmp_path / "undisturbed"
    assert main(scripted(tmp_path, "--out", str(undisturbed))) == 0
    capsys.readouterr()
    size = journal_of(undisturbed).stat().st_size
    with largest_file(size // 2):
        assert main(scripted(tmp_path, "--out", str(out))) == 2
    line = error_of(capsys)
    assert f"{journal_of(out)} cannot be written: File too large" in line and f"--resume {out}" in line
    assert journal_of(out).read_bytes().endswith(b"\n")
    kept = list(read_records(journal_of(out)))
    assert 10 < len(kept) < 30
    assert "cut short" not in capsys.readouterr().err
    assert main(scripted(tmp_path, "--resume", str(out))) == 0
    assert without_times(out) == without_times(undisturbed)


def test_a_report_that_cannot_be_written_leaves_the_old_one_and_the_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(scripted(tmp_path, "--out", str(out))) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    capsys.readouterr()
    with largest_file(1000):
        assert main(["report", str(out)]) == 2
    assert "cannot be written: File too large; free space" in error_of(capsys)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert main(["report", str(out)]) == 0


def test_a_run_that_cannot_begin_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    arguments = scripted(tmp_path, "--out", str(out))
    with largest_file(100):
        assert main(arguments) == 2
    assert f"{out / 'manifest.json'} cannot be written" in error_of(capsys)
    assert main(scripted(tmp_path, "--out", str(out))) == 0, "nothing is in the way"


def test_a_full_disk_is_said_and_the_run_goes_on_once_there_is_room(
    tmp_path: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = small_disk / "out"
    (small_disk / "ballast").write_bytes(b"x" * 30_000)
    assert main(scripted(tmp_path, "--out", str(out))) == 2
    line = error_of(capsys)
    assert f"{journal_of(out)} cannot be written: No space left on device; free space there" in line
    assert 0 < len(read_outcomes(journal_of(out))) < 40
    assert journal_of(out).read_bytes().endswith(b"\n")
    (small_disk / "ballast").unlink()
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert main(scripted(tmp_path, "--resume", str(out))) == 0
    assert len(list(read_records(journal_of(out)))) == 40


def test_a_read_only_disk_is_said(tmp_path: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = small_disk / "out"
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert main(scripted(tmp_path, "--out", str(out))) == 0
    before = journal_of(out).read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for arguments in (
        scripted(tmp_path, "--resume", str(out)),
        scripted(tmp_path, "--out", str(small_disk / "other")),
        ["report", str(out)],
    ):
        capsys.readouterr()
        assert main(arguments) == 2
        assert "cannot be written: Read-only file system; " in error_of(capsys)
    assert journal_of(out).read_bytes() == before
    assert main(["show", str(out), "kice/2030-11/q01"]) == 0


def test_no_call_is_sent_whose_cost_cannot_be_written_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, full = tmp_path / "out", OSError(errno.ENOSPC, "No space left on device")

    class Full(SyncedFile):
        def append(self, line: bytes) -> None:
            raise full

    monkeypatch.setattr("data.common.line_file.SyncedFile", Full)
    with serve_faults() as server:
        prices = tmp_path / "prices.yaml"
        spec = f"endpoint:m@{server.base_url}"
        prices.write_text(f'as_of: "2026"\nsource: made up\nmodels:\n  "{spec}": {{input: 1, output: 1}}\n')
        monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(prices))
        arguments = run_arguments(tmp_path, server, "--max-cost", "5", "--max-tokens", "8", items=20)
        assert main([*arguments, "--out", str(out)]) == 2
        assert "calls.jsonl cannot be written: No space left on device" in (line := error_of(capsys))
        assert "20 answers are missing: free space" in line and f"--resume {out}" in line
        assert line.startswith("error: stopped: ") and not server.attempts
        monkeypatch.undo()
        assert main([*run_arguments(tmp_path, server, "--max-tokens", "8"), "--resume", str(out)]) == 0


def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(scripted(tmp_path, "--out", str(tmp_path / "file" / "out"))) == 2
    assert "cannot be written: Not a directory; " in error_of(capsys)
