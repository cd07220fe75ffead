"""Whatever stands in a run's files, each command reads it or refuses it in one line: no traceback, no path outside."""

import io
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.cli.parser import main
from tests.support import journaled_runs
from tests.support.any_json import VALUES, with_something_else
from tests.support.journaled_runs import exam_item, pair_item, write_run

MACHINE: dict[str, object] = {"cpu": "AMD EPYC", "cpus": 2, "gpus": []}
DESCRIPTIONS = {
    **journaled_runs.DEMO_SYSTEMS,
    "rag": {**journaled_runs.DEMO_SYSTEMS["rag"], "answer_form": "number", "votes": None},
    "tuned": {**journaled_runs.DEMO_SYSTEMS["tuned"], "training": {"wall_s": 3.0, "hardware": MACHINE, "n": 90}},
}
COMMANDS = [
    ["report", "RUN"], ["report", "RUN", "--format", "csv"], ["report", "RUN", "--lang", "ko", "--format", "html"],
    ["compare", "RUN"], ["compare", "WHOLE", "RUN"], ["rescore", "RUN"], ["show", "RUN", "mnli/made-up/0"],
    ["show", "RUN", "mnli/made-up/0", "--json"], ["calibrate", "RUN", "--fit", "WHOLE"],
]  # fmt: skip


class Place(NamedTuple):
    folder: Path
    run: Path
    whole: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A run of few items, and a copy that stays as it is."""
    folder = tmp_path_factory.mktemp("any")
    exam = [exam_item(number) for number in range(1, 5)]
    pairs = [pair_item(number) for number in range(6)]
    kice = {
        "always-3": journaled_runs._always_3,
        "closed-book": journaled_runs._closed_book,
        "rag": journaled_runs._rag,
    }
    mnli = {"majority": journaled_runs._majority, "tuned": journaled_runs._tuned}
    parts = [("kice", exam, kice), ("mnli", pairs, mnli)]
    run = write_run(folder / "run", parts, descriptions=DESCRIPTIONS, hardware=MACHINE)
    return Place(folder, run, Path(shutil.copytree(run, folder / "whole")))


def check(place: Place, command: list[str]) -> None:
    """Run a command over the run, and restore it."""
    names = {"RUN": str(place.run), "WHOLE": str(place.whole)}
    outside = {path: path.read_bytes() for path in place.whole.rglob("*") if path.is_file()}
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as said:
        code = main([names.get(word, word) for word in command])
    assert code in (0, 2, 3)
    lines = [line for line in said.getvalue().splitlines() if not line.endswith("was cut short and is dropped")]
    assert code == 0 or (len(lines) == 1 and lines[0].startswith("error: "))
    found = {path: path.read_bytes() for path in place.whole.rglob("*") if path.is_file()}
    assert {path: found[path] for path in outside} == outside
    assert {path.name for path in place.folder.iterdir()} == {"run", "whole"}
    assert {path.name for path in place.run.iterdir() if path.is_dir()} == {
        path.name for path in place.run.glob("[!.]*/")
    }
    shutil.rmtree(place.run)
    shutil.copytree(place.whole, place.run)


@settings(max_examples=60)
@given(
    st.sampled_from(["systems", "systems", "evaluations", "hardware", "suite", "name", ""]),
    st.sampled_from(COMMANDS),
    st.data(),
)
def test_any_manifest_is_read_or_refused(place: Place, part: str, command: list[str], data: st.DataObject) -> None:
    path = place.run / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    changed: Any = data.draw(with_something_else(manifest[part] if part else manifest))
    path.write_text(json.dumps({**manifest, part: changed} if part else changed), encoding="utf-8")
    check(place, command)


@settings(max_examples=60)
@given(
    st.sampled_from(["always-3", "closed-book", "rag", "tuned"]),
    st.sampled_from(["prediction", "item", "passages", "messages", "system", "latency_s", "error", ""]),
    st.sampled_from(COMMANDS),
    st.data(),
)
def test_any_line_of_a_journal_is_read_or_refused(
    place: Place, system: str, part: str, command: list[str], data: st.DataObject
) -> None:
    path = place.run / system / "records.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    record = json.loads(lines[1])
    changed: Any = data.draw(with_something_else(record[part] if part else record))
    lines[1] = json.dumps({**record, part: changed} if part else changed)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    check(place, command)


@settings(max_examples=40)
@given(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()), st.sampled_from(COMMANDS))
@pytest.mark.parametrize("name", ["manifest.json", "rag/records.jsonl"])
def test_a_file_of_anything_is_read_or_refused(place: Place, name: str, content: bytes, command: list[str]) -> None:
    (place.run / name).write_bytes(content)
    check(place, command)
