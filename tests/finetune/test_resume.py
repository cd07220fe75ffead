"""An interrupted training goes on as if nothing had happened: same losses, same weights, whatever the moment."""

import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from data.common.errors import ConfigurationError
from finetune.card import read_card
from finetune.working_folder import last_saved, open_working_folder, working_folder
from tests.support.tiny_encoder import accuracy, make_encoder, toy_items
from tests.support.trainings import log_of, train_command, train_toy

STEPS = 72  # of a toy training: 192 items, batches of 16, 6 epochs


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


def kill_at(step: int, arguments: list[str], out: Path) -> None:
    """Start a training into a folder and SIGKILL it as soon as it has logged this step or a later one."""
    log = working_folder(out) / "training_log.jsonl"
    before = log.stat().st_mtime_ns if log.is_file() else 0
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and last_logged(log, since=before) < step:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def last_logged(log: Path, *, since: int) -> int:
    """Return the last step that stands in a log whole; -1 where it was not written since that time (ns)."""
    if not log.is_file() or log.stat().st_mtime_ns <= since:
        return -1
    lines = log.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
    return int(json.loads(lines[-1])["step"]) if lines else -1


def without_times(events: list[dict]) -> list[dict]:
    return [{name: value for name, value in event.items() if name != "wall_s"} for event in events]


def same_outcome(a: Path, b: Path) -> None:
    assert without_times(log_of(a)) == without_times(log_of(b))
    weights_a, weights_b = load_file(a / "model.safetensors"), load_file(b / "model.safetensors")
    assert weights_a.keys() == weights_b.keys()
    assert all(weights_a[name].equal(weights_b[name]) for name in weights_a)
    card_a, card_b = read_card(a), read_card(b)
    for name in ("report", "metrics", "steps", "best_step", "data"):
        assert card_a[name] == card_b[name], name


def test_killed_at_random_steps_it_ends_where_it_would_have(encoder: Path, data: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(train_command(encoder, data, whole), check=True, capture_output=True)
    steps = sorted(random.sample(range(1, STEPS), 2))
    for step in steps:
        kill_at(step, train_command(encoder, data, killed, "--resume"), killed)
        assert not killed.exists()
    done = subprocess.run(train_command(encoder, data, killed, "--resume"), check=True, capture_output=True, text=True)
    assert "accuracy" in done.stdout
    same_outcome(whole, killed)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "whole"], steps


def interrupt(encoder: Path, out: Path, *, evaluation: int, **changes) -> None:
    """Train until Ctrl-C comes in the evaluation of this number, the initial one being 0."""
    seen = []

    def interrupted(targets, probs):
        seen.append(len(targets))
        if seen.count(60) > evaluation:
            raise KeyboardInterrupt
        return accuracy(targets, probs)

    with pytest.raises(KeyboardInterrupt):
        train_toy(encoder, out, options={"compute_metrics": interrupted}, **changes)


@pytest.fixture(scope="module")
def uninterrupted(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_toy(encoder, tmp_path_factory.mktemp("uninterrupted") / "checkpoint")


def test_a_kill_while_a_state_is_written_costs_that_state_only(encoder, uninterrupted, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    interrupt(encoder, out, evaluation=2)  # at step 24, before it is saved
    assert "checkpoint-16 is saved: the same command with --resume goes on from it" in capsys.readouterr().err
    half = shutil.copytree(last_saved(working_folder(out)), working_folder(out) / "checkpoint-24")
    (half / "trainer_state.json").write_text((half / "trainer_state.json").read_text()[:100])
    with (working_folder(out) / "training_log.jsonl").open("a") as log:
        log.write('{"event": "step", "step": 2')
    train_toy(encoder, out, options={"resume": True})
    same_outcome(uninterrupted, out)


def test_interrupted_at_an_epochs_end_and_after_the_last_step(encoder, uninterrupted, tmp_path) -> None:
    def stop(*_: object) -> dict:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    interrupt(encoder, out, evaluation=3, save_steps=12)  # an epoch's end is saved, the next one is evaluated
    with pytest.raises(KeyboardInterrupt):  # while the finished model is measured
        train_toy(encoder, out, options={"resume": True, "report": stop}, save_steps=12)
    assert last_saved(working_folder(out)).name == "checkpoint-72"
    train_toy(encoder, out, options={"resume": True}, save_steps=12)
    assert load_file(out / "model.safetensors").keys() == load_file(uninterrupted / "model.safetensors").keys()
    same_outcome(train_toy(encoder, tmp_path / "again", save_steps=12), out)


def test_early_stopping_keeps_the_best_and_reports_other_items(encoder, tmp_path) -> None:
    held_out = toy_items(30, seed=5, split="held-out")
    early = {"patience": 1, "eval_steps": 6, "epochs": 20}
    whole = train_toy(encoder, tmp_path / "whole", options={"held_out": held_out}, **early)
    evaluations = [event for event in log_of(whole) if event["event"] == "evaluation"]
    best = max(evaluations[1:], key=lambda event: event["accuracy"])
    assert evaluations[-1]["step"] == best["step"] + 6 < 240
    card = read_card(whole)
    tested = [event for event in log_of(whole) if event["event"] == "test"]
    assert [event.get("best_step") for event in tested] == [None, best["step"]] == [None, card["best_step"]]
    assert card["metrics"]["final"]["accuracy"] == tested[1]["accuracy"]
    assert card["data"]["held_out"]["n"] == 30


def test_early_stopping_counts_on_where_it_was(encoder, tmp_path) -> None:
    def interrupted_at(evaluation: int):
        calls = []

        def measure(targets, probs):
            calls.append(len(targets))
            if calls.count(30) > evaluation:
                raise KeyboardInterrupt
            return accuracy(targets, probs)

        return measure

    held_out = toy_items(30, seed=5, split="held-out")
    early = {"patience": 3, "eval_steps": 6, "epochs": 20}
    whole = train_toy(encoder, tmp_path / "whole", options={"held_out": held_out}, **early)
    evaluations = [event for event in log_of(whole) if event["event"] == "evaluation"]
    assert read_card(whole)["best_step"] == evaluations[-1]["step"] - 18
    cut = tmp_path / "cut"
    cut.mkdir()  # an empty folder is no reason to lose a state
    options = {"held_out": held_out}
    with pytest.raises(KeyboardInterrupt):
        train_toy(encoder, cut, options=options | {"compute_metrics": interrupted_at(len(evaluations) - 1)}, **early)
    assert last_saved(working_folder(cut)) is not None
    train_toy(encoder, cut, options=options | {"resume": True}, **early)
    same_outcome(whole, cut)


def test_interrupted_after_early_stopping_it_ends_the_same(encoder, tmp_path) -> None:
    def stop(*_: object) -> dict:
        raise KeyboardInterrupt

    early = {"patience": 1, "eval_steps": 6, "epochs": 20}
    whole = train_toy(encoder, tmp_path / "whole", **early)
    assert read_card(whole)["metrics"]["final"]["accuracy"] == max(
        event["accuracy"] for event in log_of(whole) if event["event"] == "evaluation" and event["step"]
    )
    with pytest.raises(KeyboardInterrupt):
        train_toy(encoder, tmp_path / "cut", options={"report": stop}, **early)
    train_toy(encoder, tmp_path / "cut", options={"resume": True}, **early)
    same_outcome(whole, tmp_path / "cut")


def test_held_out_items_that_are_evaluated_are_not_looked_at(encoder, tmp_path) -> None:
    evaluated = toy_items(60, seed=2, split="validation")
    held_out = [*evaluated[:5], *toy_items(30, seed=5, split="held-out")]
    out = train_toy(encoder, tmp_path / "out", options={"held_out": held_out}, patience=1, epochs=0.2)
    assert read_card(out)["data"]["held_out"]["n"] == 30


def test_a_finished_training_that_was_killed_before_it_cleaned_up(encoder, tmp_path) -> None:
    out = train_toy(encoder, tmp_path / "out", epochs=0.1)
    (working_folder(out) / "checkpoint-2").mkdir(parents=True)
    (working_folder(out) / "finished").touch()
    with pytest.raises(ConfigurationError, match="is finished"):
        train_toy(encoder, out, options={"resume": True}, epochs=0.1)
    assert list(tmp_path.iterdir()) == [out]


def test_folders_that_cannot_become_a_checkpoint_are_refused_first(encoder, tmp_path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ConfigurationError, match="is a link"):
        train_toy(encoder, tmp_path / "link")
    with pytest.raises(ConfigurationError, match="cannot be a checkpoint's folder"):
        train_toy(encoder, Path("/"))


def test_a_state_is_taken_up_by_the_same_training_only(encoder, tmp_path) -> None:
    out = tmp_path / "out"
    interrupt(encoder, out, evaluation=2)
    for changes, options, words in (
        ({}, {}, "keeps the state (checkpoint-16) of an interrupted training: go on with --resume, or remove it"),
        ({"learning_rate": 1e-3}, {"resume": True}, "of a training with other learning_rate"),
        ({"train_items": toy_items(96, seed=8)}, {"resume": True}, "of a training with other items"),
    ):
        with pytest.raises(ConfigurationError, match=r"^[^\n]*$") as caught:
            train_toy(encoder, out, options=options, **changes)
        assert words in str(caught.value)
        assert last_saved(working_folder(out)).name == "checkpoint-16"


def test_resume_with_nothing_saved_starts_anew_and_a_finished_one_is_left_alone(encoder, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    interrupt(encoder, out, evaluation=0)
    assert list(tmp_path.iterdir()) == []
    train_toy(encoder, out, options={"resume": True}, epochs=0.1)
    assert "no saved state" in capsys.readouterr().err
    with pytest.raises(ConfigurationError, match="exists and is not empty"):
        train_toy(encoder, out, options={"resume": True}, epochs=0.1)


def test_two_trainings_do_not_share_a_folder(tmp_path) -> None:
    out = tmp_path / "out"
    with open_working_folder(out, {}, resume=False) as folder:
        with (
            pytest.raises(ConfigurationError, match="another training is writing"),
            open_working_folder(out, {}, resume=True),
        ):
            raise AssertionError
        (folder / "whole").mkdir()
    assert list(tmp_path.iterdir()) == [out]
