"""A run that was edited or damaged by hand is refused in one line, by every command that reads it; nothing is taken."""

import json
import tracemalloc
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from data.common.errors import ConfigurationError
from data.registry import fingerprint, fingerprint_line
from data.types import Item, Record
from eval.cli.parser import main
from eval.rundir.journal import records_path
from eval.rundir.manifest import read_manifest
from eval.rundir.run_check import check_journals, read_run
from tests.support.journaled_runs import answer, failure, pair_item, right_where, write_demo, write_run

Edit = Callable[[dict[str, Any]], object]


def edit(run_dir: Path, system: str, change: Edit, *, line: int = 3) -> None:
    """Change one line of a journal, as somebody with an editor would."""
    path = records_path(run_dir, system)
    lines = path.read_text(encoding="utf-8").splitlines()
    record = json.loads(lines[line - 1])
    change(record)
    lines[line - 1] = json.dumps(record, ensure_ascii=False)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def inside(*path: str, value: object) -> Edit:
    """Return an edit that sets a field of a record."""

    def change(record: dict[str, Any]) -> None:
        for name in path[:-1]:
            record = record[name]
        record[path[-1]] = value

    return change


NO_RECORD = {
    "a target beyond the choices": (inside("item", "target", value=3), "target 3 is outside its 3 choices"),
    "a target before them": (inside("item", "target", value=-1), "item.target"),
    "a target as text": (inside("item", "target", value="1"), "item.target: Input should be a valid integer"),
    "a target that is true": (inside("item", "target", value=True), "item.target"),
    "one choice": (inside("item", "choices", value=["entailment"]), "item.choices"),
    "a choice beyond": (inside("prediction", "choice", value=3), "choice 3 is none of the item's 3"),
    "a choice before": (inside("prediction", "choice", value=-1), "choice -1 is none of the item's 3"),
    "probabilities of 7": (inside("prediction", "probs", value=[3.0, 2.0, 2.0]), "its probabilities sum to 7"),
    "probabilities of less": (inside("prediction", "probs", value=[0.5, 0.2, 0.1]), "its probabilities sum to 0.8"),
    "NaN": (inside("prediction", "probs", value=[float("nan"), 0.5, 0.5]), "nan is no probability"),
    "infinity": (inside("prediction", "probs", value=[float("inf"), 0.0, 0.0]), "inf is no probability"),
    "a negative probability": (inside("prediction", "probs", value=[1.5, -0.5, 0.0]), "-0.5 is no probability"),
    "two probabilities": (inside("prediction", "probs", value=[0.5, 0.5]), "2 probabilities for 3 choices"),
    "usage below nothing": (inside("prediction", "usage", value={"input_tokens": -5}), "-5 input_tokens is no count"),
    "usage without end": (inside("prediction", "usage", value={"input_tokens": 10**30}), "input_tokens is no count"),
    "usage in words": (inside("prediction", "usage", value={"input_tokens": "many"}), "prediction.usage.input_tokens"),
    "usage as a list": (inside("prediction", "usage", value=[1, 2]), "prediction.usage"),
    "a weight without end": (inside("item", "weight", value=1e308), "item.weight"),
    "a weight of NaN": (inside("item", "weight", value=float("nan")), "item.weight"),
    "seconds of NaN": (inside("latency_s", value=float("nan")), "latency_s"),
    "seconds without end": (inside("latency_s", value=1e308), "latency_s"),
    "an asking of other choices": (
        inside("prediction", "asks", value=[{"order": [0, 1, 5], "choice": 0, "status": "ok"}]),
        r"\[0, 1, 5\] is no order of the item's 3 choices",
    ),
    "an asking that says two things": (
        inside("prediction", "asks", value=[{"order": [0, 1, 2], "choice": None, "status": "ok"}]),
        "an answer with status 'ok' cannot have choice None",
    ),
    "an asking's probabilities": (
        inside("prediction", "asks", value=[{"order": [0, 1, 2], "choice": 0, "status": "ok", "probs": [1, 1, 1]}]),
        "its probabilities sum to 3",
    ),
    "neither answer nor error": (inside("prediction", value=None), "either a prediction or an error"),
    "an answer and an error": (inside("error", value="TimeoutError: slow"), "either a prediction or an error"),
    "a field of nobody's": (inside("verdict", value="right"), "verdict: Extra inputs are not permitted"),
    "text in the place of an item": (inside("item", value="mnli/made-up/2"), "item: Input should be an object"),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_RECORD)
def test_what_cannot_be_a_record_is_named_with_its_line(tmp_path: Path, case: str) -> None:
    change, message = NO_RECORD[case]
    edit(write_demo(tmp_path / "run"), "tuned", change)
    with pytest.raises(ConfigurationError, match=rf"tuned/records.jsonl, line 3: not a record \(.*{message}") as caught:
        read_run(tmp_path / "run")
    assert str(caught.value).endswith("; restore or delete it") and "\n" not in str(caught.value)


OF_ANOTHER_RUN = {
    "another target": (inside("item", "target", value=1), "item 'mnli/made-up/2' is another one than elsewhere"),
    "another choice": (inside("item", "choices", value=["entailment", "neutral", "no"]), "another one than elsewhere"),
    "another text": (inside("item", "inputs", value={"premise": "?", "hypothesis": "?"}), "another one than elsewhere"),
    "another weight": (inside("item", "weight", value=100.0), "another one than elsewhere"),
    "another id": (inside("item", "id", value="mnli/made-up/2000"), "'mnli/made-up/2000' is not one of the run's 60"),
    "another system": (inside("system", value="majority"), "a record of system 'majority' is in the folder of 'tuned'"),
}


@pytest.mark.parametrize("case", OF_ANOTHER_RUN)
def test_what_another_journal_contradicts_is_named_with_its_line(tmp_path: Path, case: str) -> None:
    change, message = OF_ANOTHER_RUN[case]
    edit(write_demo(tmp_path / "run"), "tuned", change)
    with pytest.raises(ConfigurationError, match=rf"tuned/records.jsonl, line 3: .*{message}"):
        read_run(tmp_path / "run")


def test_a_name_that_a_line_gives_twice_is_named(tmp_path: Path) -> None:
    run_dir = write_demo(tmp_path / "run")
    path = records_path(run_dir, "tuned")
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[2] = lines[2].replace('"choice":', '"choice":0,"choice":', 1)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"tuned/records.jsonl, line 3: .*'choice' is given twice"):
        read_run(run_dir)


def test_a_run_of_an_older_version_is_read_whose_texts_had_another_form(tmp_path: Path) -> None:
    """Their fingerprint is of what was asked then: spaces and letters as the data had them."""
    run_dir = write_one(tmp_path / "run", right)
    path, manifest = records_path(run_dir, "only"), run_dir / "manifest.json"
    older = path.read_text(encoding="utf-8").replace("boats left", "boats\u00a0left")
    path.write_text(older, encoding="utf-8")
    digest = sha256()
    for line in older.splitlines():
        digest.update(fingerprint_line(json.loads(line)["item"]))
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["evaluations"][0]["fingerprint"] = digest.hexdigest()
    manifest.write_text(json.dumps(content), encoding="utf-8")
    read_run(run_dir)


def both(change: Edit) -> Callable[[Path], None]:
    def apply(run_dir: Path) -> None:
        for system in ("majority", "tuned"):
            edit(run_dir, system, change)

    return apply


@pytest.mark.parametrize(
    "change",
    [
        both(inside("item", "target", value=1)),
        both(inside("item", "choices", value=["entailment", "neutral", "no"])),
        both(inside("item", "id", value="mnli/made-up/2000")),
        both(inside("item", "tags", value=[])),
    ],
)
def test_items_that_all_journals_hold_alike_are_held_against_the_fingerprint(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    change(write_demo(tmp_path / "run"))
    with pytest.raises(ConfigurationError, match=r"majority/records.jsonl: its items are not those that were asked"):
        read_run(tmp_path / "run")


def write_one(run_dir: Path, respond: Callable[[Item], Record | None]) -> Path:
    return write_run(run_dir, [("mnli", [pair_item(number) for number in range(20)], {"only": respond})])


def right(item: Item) -> Record:
    return answer(item, "only", right_where(item, True))


def test_the_only_journal_of_a_run_is_held_against_the_fingerprint(tmp_path: Path) -> None:
    edit(write_one(tmp_path / "run", right), "only", inside("item", "target", value=0))
    with pytest.raises(ConfigurationError, match="fingerprint"):
        read_run(tmp_path / "run")


def test_a_journal_that_is_not_complete_is_read_and_held_against_the_items_where_they_are(tmp_path: Path) -> None:
    run_dir = write_one(tmp_path / "run", lambda item: None if item.id.endswith("7") else right(item))
    items = [pair_item(number) for number in range(20)]
    check_journals(run_dir, read_run(run_dir), [items])
    edit(run_dir, "only", inside("item", "target", value=0))
    read_run(run_dir)  # there is nothing to compare it with
    with pytest.raises(ConfigurationError, match="line 3: item 'mnli/made-up/2' is another one"):
        check_journals(run_dir, read_manifest(run_dir), [items])


def test_what_a_run_may_hold_is_let_pass(tmp_path: Path) -> None:
    """An item that was asked again, one that failed, rounded probabilities, a torn last line, no journal at all."""

    def respond(item: Item) -> Record | None:
        if item.id.endswith("3"):
            return failure(item, "only")
        return answer(item, "only", 0, probs=(0.33, 0.33, 0.33))

    run_dir = write_one(tmp_path / "run", respond)
    path = records_path(run_dir, "only")
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n" + '{"item": {"id": "mn')
    read_run(run_dir)
    path.unlink()
    read_run(run_dir)


def test_a_key_that_was_struck_out_of_an_item_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "boats left early")
    run_dir = write_one(tmp_path / "run", right)
    assert "boats left early" not in records_path(run_dir, "only").read_text()
    items = [pair_item(number) for number in range(20)]
    assert read_manifest(run_dir).evaluations[0].fingerprint == fingerprint(items)
    check_journals(run_dir, read_run(run_dir), [items])


COMMANDS = [
    ["report", "RUN"],
    ["report", "RUN", "--format", "csv"],
    ["report", "RUN", "--json"],
    ["compare", "RUN"],
    ["compare", "WHOLE", "RUN"],
    ["rescore", "RUN"],
    ["show", "RUN", "mnli/made-up/0"],
    ["calibrate", "RUN", "--fit", "WHOLE"],
    ["calibrate", "WHOLE", "--fit", "RUN"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "change",
    [
        inside("prediction", "probs", value=[3.0, 2.0, 2.0]),
        inside("item", "target", value=1),
        inside("system", value="other"),
    ],
)
def test_no_command_takes_anything_of_a_damaged_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], change: Edit
) -> None:
    run_dir, whole = write_demo(tmp_path / "run"), write_demo(tmp_path / "whole")
    edit(run_dir, "tuned", change)
    before = {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}
    names = {"RUN": str(run_dir), "WHOLE": str(whole)}
    assert main([names.get(word, word) for word in command]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert "tuned/records.jsonl, line 3: " in said.err
    assert {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()} == before


def test_a_damaged_run_is_not_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = tmp_path / "run"
    asked = ["run", "mnli", "--split", "sample", "--limit", "6", "--baseline", "majority"]
    assert main([*asked, "--out", str(run_dir)]) == 0
    path = records_path(run_dir, "majority")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:4]))
    whole = path.read_bytes()
    edit(run_dir, "majority", lambda record: record["item"].update(target=(record["item"]["target"] + 1) % 3))
    damaged = path.read_bytes()
    capsys.readouterr()
    assert main([*asked, "--resume", str(run_dir)]) == 2
    assert "majority/records.jsonl, line 3: item 'mnli/sample/" in capsys.readouterr().err
    assert path.read_bytes() == damaged
    path.write_bytes(whole)
    assert main([*asked, "--resume", str(run_dir)]) == 0


def test_checking_holds_little_more_than_the_ids(tmp_path: Path) -> None:
    n = 8_000
    items = [pair_item(number) for number in range(n)]
    run_dir = write_run(tmp_path / "run", [("mnli", items, {name: _chosen(name) for name in ("a", "b")})])
    manifest = read_manifest(run_dir)
    tracemalloc.start()
    check_journals(run_dir, manifest)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak / n < 250


def _chosen(system: str) -> Callable[[Item], Record]:
    return lambda item: answer(item, system, 0)


@pytest.mark.parametrize("emptied", ["systems", "evaluations", "both", "the evaluation's systems"])
def test_a_manifest_without_systems_is_refused(
    tmp_path: Path, emptied: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_demo(tmp_path / "run") / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    if emptied in ("systems", "both"):
        content["systems"] = {}
    if emptied in ("evaluations", "both"):
        content["evaluations"] = []
    if emptied == "the evaluation's systems":
        content["systems"], content["evaluations"][0]["systems"] = {}, []
    path.write_text(json.dumps(content), encoding="utf-8")
    for command in ("report", "rescore"):
        assert main([command, str(path.parent)]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"error: {path}: ") and said.count("\n") == 1


def test_a_name_that_a_manifest_gives_twice_is_named_with_its_line(tmp_path: Path) -> None:
    path = write_demo(tmp_path / "run") / "manifest.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"seed":', '"seed": 5,\n  "seed":', 1), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"manifest.json .*line \d+: 'seed' is given twice, first in line \d+"):
        read_manifest(path.parent)
