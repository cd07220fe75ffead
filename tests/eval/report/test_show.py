"""The items to which two systems give other answers, as `eval show RUN --disagree A B` lists them."""

import json
from pathlib import Path

import pytest

from eval.cli.parser import main
from tests.support.journaled_runs import answer, failure, pair_item, write_run


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Ten pairs: of the last five, one is right and the other chose the next label; on item 0 one has failed."""
    pairs = [pair_item(number) for number in range(10)]

    def one(item):
        return failure(item, "one") if item.id.endswith("/0") else answer(item, "one", item.target)

    def other(item):
        late = int(item.id.rsplit("/", 1)[1]) >= 5
        return answer(item, "other", None if item.id.endswith("/9") else (item.target + late) % 3)

    return write_run(tmp_path / "run", [("mnli", pairs, {"one": one, "other": other})])


def test_the_first_items_are_listed_and_all_are_counted(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(run_dir), "--disagree", "one", "other", "--limit", "2"]) == 0
    said = capsys.readouterr().out
    assert "5 of 9 items have other answers; the first 2 are shown, --limit shows more" in said
    rows = [line for line in said.splitlines() if line.startswith("mnli/")]
    assert [row.split()[0] for row in rows] == ["mnli/made-up/5", "mnli/made-up/6"]
    assert all("✓" in row and "✗" in row and "boats left early" in row for row in rows)


def test_programs_are_told_what_each_chose(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(run_dir), "--disagree", "other", "one", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["shared"], told["differing"], len(told["items"])) == (9, 5, 5)
    last = told["items"][-1]
    assert last["answers"] == [None, last["key"]]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--disagree", "one", "nobody"], "unknown system 'nobody'"),
        (["5", "--disagree", "one", "other"], "leave 5 out"),
    ],
)
def test_what_is_not_there_is_one_line(
    run_dir: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert main(["show", str(run_dir), *more]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
