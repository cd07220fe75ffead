"""Shards of a run, killed and resumed and merged: the run that one machine makes, or one line about what is amiss."""

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from data.types import Item, Record
from eval.cli.parser import main
from eval.execution.call_ledger import ledger_path, read_ledger
from eval.plan.shards import places_of
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest
from eval.rundir.shard import ShardNumber, as_ranges, from_ranges
from tests.support.command_process import start, wait_for
from tests.support.exam_file import exam, write_exam
from tests.support.fault_server import Faults, serve_faults

SHARDS, PASSAGES = 7, 16
SYSTEMS = ("asked", "shuffled", "always-3")


def write_suite(folder: Path, server: str, **more: object) -> Path:
    write_exam(folder, exam(PASSAGES, 5))
    model = {"model": f"endpoint:m@{server}"}
    systems = [
        {"name": "asked", "chain": "kice-prompt", **model},
        {"name": "shuffled", "chain": "kice-shuffled", **model},
        {"name": "always-3", "baseline": "always-3"},
    ]
    evaluation = {"benchmark": "kice", "data": str(folder / "2030_11_KICE.json"), "systems": systems}
    path = folder / "sharded.yaml"
    path.write_text(yaml.safe_dump({"name": "sharded", "evaluations": [evaluation], **more}), encoding="utf-8")
    return path


def timeless(run_dir: Path, system: str) -> list[Record]:
    records = read_records(records_path(run_dir, system))
    return [record.model_copy(update={"latency_s": 0, "attempts": 1}) for record in records]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the whole run, and with all shards of another, of which two were killed and resumed."""
    folder = tmp_path_factory.mktemp("sharded")
    moments = random.Random(5)
    with serve_faults(Faults(latency_s=0.02)) as server:
        suite = str(write_suite(folder, server.base_url))
        assert main(["run", suite, "--out", str(folder / "whole")]) == 0
        for number in range(1, SHARDS + 1):
            out = folder / f"shard-{number}"
            arguments = ["run", suite, "--shard", f"{number}/{SHARDS}", "--max-concurrency", "2"]
            if number in (2, 5):
                before = len(server.paid_items()), sum(server.paid.values())
                process = start([*arguments, "--out", str(out)])
                goal = before[1] + moments.randint(2, 8)
                wait_for(lambda: sum(server.paid.values()) >= goal, process)  # noqa: B023  # called in this round
                process.kill()
                process.join()
            where = "--resume" if out.exists() else "--out"
            assert main([*arguments, where, str(out)]) == 0
        # Each shard alone asked its own items: all of them together are asked once more, but for what the kills cost.
        assert sum(server.paid.values()) <= 4 * 5 * PASSAGES + 2 * 2
        yield folder


def folders(shards: Path) -> list[str]:
    return [str(shards / f"shard-{number}") for number in range(SHARDS, 0, -1)]  # in any order


def test_merged_shards_are_the_run_of_one_machine(shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "merged"
    assert main(["merge", *folders(shards), "--out", str(out)]) == 0
    whole, merged = read_manifest(shards / "whole"), read_manifest(out)
    assert whole.differences(merged) == [] and merged.shard is None
    for system in SYSTEMS:
        assert timeless(out, system) == timeless(shards / "whole", system)
    calls = {system: list(read_ledger(ledger_path(out, system))) for system in SYSTEMS}
    assert {entry.item for entry in calls["asked"]} == {record.item.id for record in timeless(out, "asked")}
    first, second = (json.loads((run / "summary.json").read_text(encoding="utf-8")) for run in (shards / "whole", out))
    for one in (first, second):
        one["started_utc"] = one["evaluations"][0].pop("break_even")
        for system in one["evaluations"][0]["systems"]:
            for name in [name for name in system["scores"] if name.startswith("latency")]:
                del system["scores"][name]
            system.pop("cost")
        one["evaluations"][0].pop("verdict"), one["evaluations"][0].pop("verdict_sentences")
    assert first == second
    assert {path.name for path in tmp_path.iterdir()} == {"merged"}


def test_a_shard_holds_whole_groups_and_says_that_it_is_one(shards: Path) -> None:
    held = [timeless(shards / f"shard-{number}", "asked") for number in range(1, SHARDS + 1)]
    groups = [{record.item.group for record in records} for records in held]
    assert sum(map(len, groups)) == len(set().union(*groups)) == PASSAGES
    assert max(map(len, held)) - min(map(len, held)) <= 5
    report = (shards / "shard-3" / "report.md").read_text(encoding="utf-8")
    assert f"shard 3/{SHARDS} alone" in report


def damaged(shards: Path, tmp_path: Path, number: int) -> Path:
    """A copy of a shard, to take something away from."""
    return Path(shutil.copytree(shards / f"shard-{number}", tmp_path / f"copy-{number}"))


def test_what_cannot_be_merged_is_one_line(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some, out = folders(shards), tmp_path / "merged"
    torn = damaged(shards, tmp_path, 3)
    journal = records_path(torn, "asked")
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-2]))
    swapped = damaged(shards, tmp_path, 4)
    journal = records_path(swapped, "shuffled")
    journal.write_bytes(b"".join(reversed(journal.read_bytes().splitlines(keepends=True))))
    with serve_faults(Faults()) as server:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        other = str(write_suite(elsewhere, server.base_url, seed=3))
        assert main(["run", other, "--shard", f"1/{SHARDS}", "--out", str(elsewhere / "shard-1")]) == 0
    capsys.readouterr()
    cases = {
        "these are missing: 4, 6": [folder for folder in some if folder[-1] not in "46"],
        "are both shard 2; name one": [*some, str(shards / "shard-2")],
        "is a whole run, not a shard": [*some[1:], str(shards / "whole")],
        "is a shard of another run": [*some[:-1], str(elsewhere / "shard-1")],
        f"shard 3 is not finished: 2 of {len(timeless(shards / 'shard-3', 'asked'))} answers": [
            folder if folder[-1] != "3" else str(torn) for folder in some
        ],
        "is not in the order of the items": [folder if folder[-1] != "4" else str(swapped) for folder in some],
    }
    for said, named in cases.items():
        assert main(["merge", *named, "--out", str(out)]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1, error
        assert not out.exists()
    assert main(["merge", *some, "--out", str(shards)]) == 2
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--shard", "8/7"], "--shard 8/7 is none"),
        (["--shard", "0/7"], "--shard 0/7 is none"),
        (["--shard", "half"], "--shard half is none"),
        (["--shard", "1/17"], "has 16 groups of items"),
        (["--shard", "1/7", "--until-decided"], "goes without --until-decided"),
    ],
)
def test_what_cannot_be_a_shard_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    with serve_faults(Faults()) as server:
        suite = str(write_suite(tmp_path, server.base_url))
        assert main(["run", suite, *more, "--out", str(tmp_path / "out")]) == 2
    assert not server.paid
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_shard_goes_on_as_itself_alone(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied = damaged(shards, tmp_path, 2)
    suite = str(shards / "sharded.yaml")
    assert main(["run", suite, "--shard", f"3/{SHARDS}", "--resume", str(copied)]) == 2
    assert "shard differ" in capsys.readouterr().err


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(1, 9), st.integers(0, 3))
def test_every_item_is_in_one_shard_and_groups_are_whole(groups: list[int], of: int, seed: int) -> None:
    items = [
        Item(id=f"i{place}", inputs={"text": "x"}, choices=("a", "b"), target=0, group=f"g{group}")
        for place, group in enumerate(groups)
    ]
    of = min(of, len(set(groups)))
    found = [
        places_of(items, ShardNumber(number=number, of=of), seed=seed, benchmark="b") for number in range(1, of + 1)
    ]
    assert sorted(place for places in found for place in places) == list(range(len(items)))
    assert len({(groups[place], shard) for shard, places in enumerate(found) for place in places}) == len(set(groups))
    assert all(places == from_ranges(as_ranges(places)) for places in found)
