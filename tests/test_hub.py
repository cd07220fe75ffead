"""The hub's ways, for real: the client libraries against a hub on loopback, through the commands that a user types."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.card import read_card
from data.mnli import HUB_CONFIG, HUB_ID, REVISION
from tests.support import hub_content
from tests.support.folders import ROOT
from tests.support.hub_commands import Commands, Done, commands
from tests.support.hub_repository import Fault
from tests.support.hub_server import Hub, serve_hub
from tests.support.tiny_encoder import LABELS, make_encoder

MNLI = f"hf:{HUB_ID}:{HUB_CONFIG}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def hub(home: Path) -> Iterator[Hub]:
    with serve_hub() as hub:
        hub_content.add_glue(hub)
        hub_content.add_encoder(hub, home / "encoder")
        yield hub


@pytest.fixture(scope="module")
def command(hub: Hub, home: Path) -> Iterator[Commands]:
    with commands(hub=hub.url, home=home / "hf") as command:
        yield command


def start_offline(hub: Hub, home: Path, folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a command that is told not to ask the hub: its libraries read that when they are imported."""
    env = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home / "hf"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=env,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def one_error(done: Done, code: int) -> str:
    """Return the line that a command ended with, which is all that it said of an error."""
    assert done.code == code, done.err
    assert done.out == ""
    *before, last = done.err.splitlines()
    assert last.startswith("error: ") and not [line for line in before if line.startswith(("error", "Traceback", " "))]
    return last


def test_training_with_its_defaults_then_from_the_cache(
    command: Commands, hub: Hub, home: Path, tmp_path: Path
) -> None:
    done = command("finetune.__main__", "train", "--out", "first", folder=tmp_path)
    assert done.code == 0, done.err
    card = json.loads((tmp_path / "first" / "training_card.json").read_text())
    assert card["base_model"] == hub_content.ENCODER_ALIAS
    assert card["base_commit"] in hub.repositories["models", hub_content.ENCODER].commits
    assert card["data"]["eval"]["n"] == hub_content.MNLI["validation_matched"]
    paths = [request.path for request in hub.requests]
    assert any(f"/datasets/{HUB_ID}/resolve/{REVISION}/mnli/train" in path for path in paths)
    assert not any("sst2/" in path for path in paths), "other configurations were fetched"

    with start_offline(hub, home, tmp_path, "finetune", "train", "--out", "offline") as offline:
        with hub.taken_down():
            gone = command("finetune.__main__", "train", "--out", "gone", folder=tmp_path)
        assert gone.code == 0, gone.err
        _, said = offline.communicate(timeout=200)
    assert offline.returncode == 0, said
    assert len(hub.requests) == len(paths)
    weights = {(tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "offline", "gone")}
    assert len(weights) == 1


def test_a_checkpoint_by_its_name_on_the_hub_is_what_it_is_in_its_folder(
    command: Commands, hub: Hub, tmp_path: Path
) -> None:
    folder = make_encoder(tmp_path / "checkpoint", labels=LABELS)
    (folder / "README.md").write_text("# A checkpoint\n")
    hub.add("models", "team/nli").commit(hub_content.folder_files(folder))
    run = ("eval.cli.parser", "run", "mnli", "--any-label-order")
    by_name, by_folder = command.together(
        [
            (*run, "--checkpoint", "team/nli", "--out", "by-name"),
            (*run, "--checkpoint", folder, "--out", "by-folder"),
        ],
        folder=tmp_path,
    )
    assert (by_name.code, by_folder.code) == (0, 0), by_name.err + by_folder.err
    with hub.taken_down():
        again = command(*run, "--checkpoint", "team/nli", "--out", "again", folder=tmp_path)
    assert again.code == 0, again.err
    found = []
    for name in ("by-name", "by-folder", "again"):
        (records,) = (tmp_path / name).glob("*/records.jsonl")
        answers = [json.loads(line)["prediction"]["probs"] for line in records.read_text().splitlines()]
        manifest = json.loads((tmp_path / name / "manifest.json").read_text())
        (system,) = re.findall(r'"checkpoint_sha256": "(\w+)"', json.dumps(manifest))
        found.append((answers, system))
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) == hub_content.MNLI["validation_matched"]


def test_a_data_set_is_checked_and_its_card_names_the_commit(
    command: Commands, hub: Hub, home: Path, tmp_path: Path
) -> None:
    done = command("data.__main__", "check", MNLI, folder=tmp_path)
    assert done.code == 0, done.err
    assert f"{MNLI}: its revision main is commit {REVISION}" in done.err
    assert "learnt from is the split 'train', measured is 'validation_matched' (--test" in done.err
    assert "of its splits, these are not read: validation_mismatched" in done.err
    assert "its split 'test_matched' has no labels, and is left out" in done.err
    for label in LABELS:
        assert re.search(rf"^{label} +\d+ +8$", done.out, re.MULTILINE), done.out
    card = read_card(tmp_path / "glue-mnli.card.yaml")
    assert card.train == f"{MNLI}@{REVISION}" and card.text == ("premise", "hypothesis")

    asked = len(hub.requests)
    with start_offline(hub, home, tmp_path, "data", "check", MNLI) as offline:
        with hub.taken_down():
            run = ("eval.cli.parser", "run", "glue-mnli.card.yaml", "--baseline", "majority")
            by_card, by_branch = command.together([run, ("data.__main__", "check", MNLI)], folder=tmp_path)
        assert by_card.code == 0, by_card.err
        assert by_branch.code == 0 and "the hub cannot be reached" in by_branch.err, by_branch.err
        out, said = offline.communicate(timeout=100)
    assert offline.returncode == 0 and "HF_HUB_OFFLINE" in said, said
    assert out == by_branch.out == done.out
    assert len(hub.requests) == asked


def test_a_branch_that_moves_changes_no_run_and_a_split_is_named(command: Commands, hub: Hub, tmp_path: Path) -> None:
    repository = hub.add("datasets", "team/tickets")
    first = repository.commit({"train.csv": hub_content.tickets_csv(40), "test.csv": hub_content.tickets_csv(10)})
    run = ("eval.cli.parser", "run", "hf:team/tickets", "--baseline", "majority")
    assert command(*run, "--out", "run", folder=tmp_path).code == 0
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["suite"]["evaluations"][0]["benchmark"] == f"hf:team/tickets:default@{first}"
    second = repository.commit({"train.csv": hub_content.tickets_csv(60), "test.csv": hub_content.tickets_csv(20)})
    pinned = ("eval.cli.parser", "run", f"hf:team/tickets:default@{first}", "--baseline", "majority")
    moved, same, named = command.together(
        [
            (*run, "--resume", "run"),
            (*pinned, "--resume", "run"),
            ("data.__main__", "check", "--json", f"hf:team/tickets@{second}#train"),
        ],
        folder=tmp_path,
    )
    assert "another" in one_error(moved, 2) or "differ" in one_error(moved, 2)
    assert same.code == 0, same.err
    found = json.loads(named.out)
    assert found["card"]["train"] == f"hf:team/tickets:default@{second}#train"
    assert found["train"] + found["test"] == 60


def test_questions_on_the_hub_are_decided_and_the_card_can_be_run_again(
    command: Commands, hub: Hub, tmp_path: Path
) -> None:
    sha = hub.add("datasets", "team/quiz", alias="quiz").commit(hub_content.quiz())
    decide = ("eval.cli.parser", "decide", "hf:quiz#test", "--yes", "--out", "out", "--model")
    done = command(*decide, "tests.support.scripted_models:first", folder=tmp_path)
    assert done.code == 0, done.err
    assert "Verdict on quiz" in done.out
    card = read_card(tmp_path / "out.card.yaml")
    assert card.train == f"hf:team/quiz:all@{sha}#test" and card.answer == "answer"
    with hub.taken_down():
        again = command("eval.cli.parser", "run", "out.suite.yaml", "--out", "again", folder=tmp_path)
    assert again.code == 0, again.err


# What is wrong with a name, a repository or a hub, the exit code, and what the one line says.
REFUSED = [
    ("hf:nobody/nothing", 3, "the hub has no data set 'nobody/nothing' that you may read"),
    (f"hf:{HUB_ID}", 2, f"has 2 configurations; name one as hf:{HUB_ID}:CONFIG: mnli, sst2"),
    (f"hf:{HUB_ID}:mnly", 2, f"unknown configuration of hf:{HUB_ID} 'mnly'. Did you mean 'mnli'? Allowed: mnli, sst2"),
    (f"{MNLI}@never", 3, f"the hub's data set '{HUB_ID}' has no revision 'never'"),
    (f"{MNLI}#dev", 2, "unknown split of"),
    ("hf:team/gated", 3, "the hub's data set 'team/gated' is gated: accept its terms on its page, and set HF_TOKEN"),
    ("hf:team/script", 2, "is made by a script, which is not run"),
    ("hf:team/pictures", 3, "cannot be had from the hub"),
    ("hf:team/unlabelled", 2, "has no row with a label"),
    ("hf:not a name", 2, "names no data set on the hub; write hf:ORG/NAME"),
]


def test_what_cannot_be_had_is_one_line(command: Commands, hub: Hub, tmp_path: Path) -> None:
    hub.add("datasets", "team/gated").commit({"train.csv": hub_content.tickets_csv()})
    hub.repositories["datasets", "team/gated"].gated = 403
    hub.add("datasets", "team/script").commit({"script.py": b"raise SystemExit('it was run')", "README.md": b"# x\n"})
    hub.add("datasets", "team/pictures").commit({"README.md": b"# no files\n"})
    row = {"text": "a", "label": -1}
    hidden = hub_content.config("all", {"text": "string", "label": hub_content.classes("a", "b")}, {"train": [row] * 9})
    hub.add("datasets", "team/unlabelled").commit(hub_content.dataset(hidden))
    asked = [("data.__main__", "check", name) for name, _, _ in REFUSED]
    for done, (name, code, said) in zip(command.together(asked, folder=tmp_path), REFUSED, strict=True):
        line = one_error(done, code)
        assert said in line, (name, line)
    assert not [*tmp_path.glob("*.yaml")]


FAULTS: dict[Fault, str] = {
    "error": "in 3 tries",
    "cut": "in 3 tries",
    "other": "the hub sent another file",
    "shorter": "file should be of size",
    "slow": "the hub",  # it gave nothing in three tries, or, on a busy machine, did not answer in time before
    "slow-api": "the hub cannot be reached",
}


def test_a_hub_that_fails_half_way_is_one_line_and_a_second_try_works(
    command: Commands, hub: Hub, home: Path, tmp_path: Path
) -> None:
    checkpoint = hub_content.folder_files(make_encoder(home / "checkpoint", labels=LABELS))
    asked: dict[str, list[tuple[str, ...]]] = {}
    for fault in FAULTS:
        rows, model = hub.add("datasets", f"bad/{fault}"), hub.add("models", f"bad/{fault}")
        rows.commit({"train.csv": hub_content.tickets_csv(40)})
        model.commit(checkpoint)
        rows.fault = model.fault = fault
        run = ("eval.cli.parser", "run", "--limit", "3", "--out")
        asked[fault] = [
            (*run, f"rows-{fault}", f"hf:bad/{fault}", "--baseline", "majority"),
            (*run, f"model-{fault}", "mnli", "--any-label-order", "--checkpoint", f"bad/{fault}"),
        ]
    hasty = [fault for fault in FAULTS if not fault.startswith("slow")]
    done = command.together([one for fault in hasty for one in asked[fault]], folder=tmp_path)
    slow = [one for fault in FAULTS if fault not in hasty for one in asked[fault]]
    done += command.together(slow, folder=tmp_path, patience_s=1.0)
    for one, (fault, said) in zip(done, [pair for pair in FAULTS.items() for _ in range(2)], strict=True):
        line = one_error(one, 3)
        assert said in line and f"bad/{fault}" in line, line
    trained = command("finetune.__main__", "train", "--model", "bad/error", "--out", "trained", folder=tmp_path)
    assert "(the model 'bad/error')" in one_error(trained, 3)
    assert not [*tmp_path.iterdir()], "something was written"

    for repository in hub.repositories.values():
        repository.fault = None
    second = command.together([one for fault in FAULTS for one in asked[fault]], folder=tmp_path)
    assert [one.code for one in second] == [0] * len(second), second


def test_a_file_that_is_cut_off_once_is_asked_for_again(command: Commands, hub: Hub, tmp_path: Path) -> None:
    repository = hub.add("datasets", "bad/once")
    repository.commit({"train.csv": hub_content.tickets_csv(40)})
    repository.fault = "cut-once"
    asked = len(hub.requests)
    assert command("data.__main__", "check", "hf:bad/once", folder=tmp_path).code == 0
    assert sum(request.method == "GET" and "train.csv" in request.path for request in hub.requests[asked:]) == 2


def test_no_code_of_a_repository_is_run_and_nobody_is_asked(
    command: Commands, hub: Hub, home: Path, tmp_path: Path
) -> None:
    files = hub_content.folder_files(home / "encoder")
    about = json.loads(files["config.json"]) | {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"},
    }
    trap = f"open({str(tmp_path / 'run')!r}, 'w').close()\n".encode()
    hub.add("models", "team/own-code").commit({**files, "config.json": json.dumps(about).encode(), "own.py": trap})
    done = command("finetune.__main__", "train", "--out", "out", "--model", "team/own-code", folder=tmp_path)
    assert "custom code" in one_error(done, 3)
    assert not (tmp_path / "run").exists()
