"""Rows that nobody has labelled: every one comes out once, in order, with its label, whatever happens meanwhile."""

import csv
import json
import random
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import yaml

from eval.api import load_run
from eval.cli.parser import main
from tests.support.command_process import start, wait_for
from tests.support.fault_server import Faults, serve_faults
from tests.support.tickets import MODEL, WORDS, tickets

SYSTEMS = {
    "tfidf": {"baseline": "tfidf"},
    "asked": {"chain": "classify", "model": MODEL},
    "both": {"cascade": ["tfidf", "asked"], "defer": {"threshold": 0.6}},
}


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    return run_of(folder, SYSTEMS)


def run_of(folder: Path, systems: dict[str, dict[str, Any]]) -> Path:
    path = tickets(folder / "tickets.csv")
    entries = [{"name": name, **settings} for name, settings in systems.items()]
    suite = {"name": "labelled", "evaluations": [{"benchmark": str(path), "systems": entries}]}
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite), encoding="utf-8")
    assert main(["run", str(folder / "suite.yaml"), "--out", str(folder / "run")]) == 0
    return folder / "run"


def new_rows(n: int) -> list[dict[str, str]]:
    words = [*WORDS.values(), "nothing that is known"]
    return [{"id": f"n{number}", "Message": f'{words[number % 4]}\n"{number}"'} for number in range(n)]


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_row_has_the_label_that_the_system_gives(run_dir: Path, tmp_path: Path, system: str) -> None:
    rows = [*new_rows(150), {"id": "empty", "Message": "  "}]
    path = write_csv(tmp_path / "new.csv", rows)
    assert main(["label", str(path), "--system", str(run_dir / system), "--review-below", "0.5"]) == 0
    found = read_csv(tmp_path / "new.labelled.csv")
    assert [{name: row[name] for name in rows[0]} for row in found] == rows
    assert [row["predicted_label"] or None for row in found[:-1]] == load_run(run_dir).label(
        [row["Message"] for row in rows[:-1]], system=system
    )
    assert (found[-1]["predicted_label"], found[-1]["status"]) == ("", "no text")
    review = read_csv(tmp_path / "new.labelled.review.csv")
    assert review == [row for row in found if not row["confidence"] or float(row["confidence"]) < 0.5]
    assert {path.name for path in tmp_path.iterdir()} == {"new.csv", "new.labelled.csv", "new.labelled.review.csv"}


def test_drift_and_the_promise_are_said(run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_csv(tmp_path / "new.csv", [row for row in new_rows(80) if "rain" in row["Message"]])
    arguments = ["label", str(path), "--system", str(run_dir / "tfidf")]
    assert main([*arguments, "--json", "--out", str(tmp_path / "a.csv")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["labels"] == {"weather": 20} and told["rows"] == 20
    assert told["drift"]["most"][0] == "weather" and told["drift"]["moved"] == pytest.approx(2 / 3, abs=0.15)
    assert main([*arguments, "--lang", "ko", "--out", str(tmp_path / "b.csv")]) == 0
    out, error = capsys.readouterr()
    assert "20행에 레이블을 붙였다" in out and "weather" in out
    assert "95 of 100 right" in error


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_formats_keep_the_rows_own_columns(run_dir: Path, tmp_path: Path, suffix: str) -> None:
    rows = [{"status": number, "Message": f"card lost in town {number}", "tags": ["a", "b"]} for number in range(30)]
    (tmp_path / "in").mkdir()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows[:20]), tmp_path / "in" / "a.parquet")
    text = "\n".join(json.dumps(row) for row in rows[20:])
    (tmp_path / "in" / "b.jsonl").write_text(text, encoding="utf-8")
    out = tmp_path / f"out{suffix}"
    assert main(["label", str(tmp_path / "in"), "--system", str(run_dir / "tfidf"), "--out", str(out)]) == 0
    if suffix == ".parquet":
        found = pyarrow.parquet.read_table(out).to_pylist()
    elif suffix == ".jsonl":
        found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        assert [row["status"] for row in found] == list(range(30)) and found[0]["tags"] == ["a", "b"]
    else:
        with out.open(encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file, delimiter="\t" if suffix == ".tsv" else ","))
    assert [int(row["status"]) for row in found] == list(range(30))
    assert {row["predicted_label"] for row in found} == {"card"} and {row["status_2"] for row in found} == {"ok"}


def test_a_parquet_file_keeps_its_types(run_dir: Path, tmp_path: Path) -> None:
    rows = [{"n": number, "Message": "rain and sun today", "at": None, "x": 0.5} for number in range(10)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "in.parquet")
    assert main(["label", str(tmp_path / "in.parquet"), "--system", str(run_dir / "tfidf")]) == 0
    schema = pyarrow.parquet.read_schema(tmp_path / "in.labelled.parquet")
    assert [str(schema.field(name).type) for name in ("n", "x", "confidence")] == ["int64", "double", "double"]


def test_kills_lose_no_row_and_pay_for_none_twice(tmp_path: Path) -> None:
    moments, kills, n = random.Random(3), 6, 400
    path = write_csv(tmp_path / "new.csv", new_rows(n))
    with serve_faults(Faults(latency_s=0.01)) as server:
        run = run_of(tmp_path, {"asked": {"chain": "classify", "model": f"endpoint:m@{server.base_url}"}})
        before = sum(server.paid.values())
        out = tmp_path / "out.csv"
        arguments = ["label", str(path), "--system", str(run / "asked"), "--out", str(out), "--max-concurrency", "4"]
        for goal in sorted(moments.sample(range(20, n - 20), kills)):
            process = start(arguments)
            wait_for(lambda: sum(server.paid.values()) - before >= goal, process)  # noqa: B023  # called in this round
            process.kill()
            process.join()
            assert process.exitcode == -9 and not out.exists()
        assert main(arguments) == 0
        paid = sum(server.paid.values()) - before
    assert n <= paid <= n + kills * 4, "only what was in flight is paid for again"
    assert [row["id"] for row in read_csv(out)] == [row["id"] for row in new_rows(n)]


def test_other_rows_do_not_go_on_with_what_was_begun(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_csv(tmp_path / "new.csv", new_rows(8))
    work = tmp_path / ".out.csv.labelling"
    work.mkdir()
    (work / "about.json").write_text(json.dumps({"rows": [["elsewhere.csv", "0"]]}), encoding="utf-8")
    assert main(["label", str(path), "--system", str(run_dir / "tfidf"), "--out", str(tmp_path / "out.csv")]) == 2
    assert "begun with other rows" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--system", "RUN/nobody"], "unknown system 'nobody'"),
        (["--system", "tfidf"], "names no run; give RUN/NAME"),
        ([], "say who labels"),
        (["--system", "RUN/tfidf", "--checkpoint", "x"], "say who labels"),
        (["--system", "RUN/tfidf", "--text", "Body"], "has no column 'Body'"),
        (["--system", "RUN/tfidf", "--out", "x.xlsx"], "cannot write such files"),
        (["--system", "RUN/tfidf", "--promise", "95"], "is no probability"),
        (["--suite", "SUITE"], "several systems; say which"),
        (["--suite", "SUITE", "--system", "both"], "is made in a run"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_nothing_is_written(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    path = write_csv(tmp_path / "new.csv", new_rows(8))
    named = [one.replace("RUN", str(run_dir)).replace("SUITE", str(run_dir.parent / "suite.yaml")) for one in more]
    capsys.readouterr()
    assert main(["label", str(path), *named]) in (2, 3)
    error = capsys.readouterr().err.splitlines()
    assert said in error[-1] and sum(line.startswith("error") for line in error) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,Message\n1,a\n2,b,c,d\n", "line 3: has 4 cells"),
        ("id,Message\n", "no rows to label"),
        ("", "holds no rows"),
    ],
)
def test_a_file_that_cannot_be_read_leaves_nothing_behind(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (tmp_path / "new.csv").write_text(text, encoding="utf-8")
    assert main(["label", str(tmp_path / "new.csv"), "--system", str(run_dir / "tfidf")]) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


def test_a_system_of_a_suite_labels_without_a_run(run_dir: Path, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "new.csv", new_rows(8))
    suite = str(run_dir.parent / "suite.yaml")
    assert main(["label", str(path), "--suite", suite, "--system", "asked"]) == 0
    labels = [row["predicted_label"] for row in read_csv(tmp_path / "new.labelled.csv")]
    assert labels == ["refund", "card", "weather", "", "refund", "card", "weather", ""]
