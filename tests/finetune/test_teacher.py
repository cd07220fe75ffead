"""Distillation: a student that learns what a system of a run answered, with teachers whose mistakes are known."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.common.errors import ConfigurationError
from data.types import Item, Record
from finetune.__main__ import main
from finetune.classifier import load_classifier
from finetune.teacher import soft_labels, taught
from tests.support.journaled_runs import answer, failure, right_where, write_run
from tests.support.tiny_encoder import LABELS, make_encoder, toy_items, write_nli
from tests.support.trainings import train_toy

ITEMS, TESTED = toy_items(240, seed=1), toy_items(60, seed=2)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nli(tmp_path_factory.mktemp("nli"), train=(240, 1), validation_matched=(60, 2))


def right(item: Item, **fields: object) -> Record:
    return answer(item, "teacher", item.target, **fields)


def noisy(share: float, seed: int = 3) -> Callable[[Item], Record]:
    """A teacher that mistakes each label for the next one in a share of the items, whatever their texts say."""
    draw = random.Random(seed)
    return lambda item: answer(item, "teacher", right_where(item, draw.random() >= share))


def sure(prob: float) -> Callable[[Item], Record]:
    """A teacher that is always right, and says that it is not surer than this."""
    rest = (1 - prob) / 2
    return lambda item: right(
        item, probs=tuple(prob if place == item.target else rest for place in range(3)), probs_source="softmax"
    )


def run_of(folder: Path, teacher: Callable[[Item], Record | None], items: list[Item] = ITEMS) -> Path:
    return write_run(folder, [("mnli", items, {"teacher": teacher})]) / "teacher"


def train_command(encoder: Path, data: Path, out: Path, *more: str) -> int:
    plain = ["--data", str(data), "--model", str(encoder), "--max-length", "48", "--batch-size", "16", "--epochs", "6"]
    return main(["train", *plain, "--learning-rate", "3e-3", "--bf16", "off", "--out", str(out), *more])


def card_of(folder: Path) -> dict:
    return json.loads((folder / "training_card.json").read_text())


@pytest.mark.parametrize("teacher", [right, sure(1.0)], ids=["labels", "probabilities of 0 and 1"])
def test_a_teacher_without_mistakes_is_as_good_as_human_labels_to_the_bit(
    encoder: Path, data: Path, tmp_path: Path, teacher: Callable[[Item], Record]
) -> None:
    path = run_of(tmp_path / "run", teacher)
    assert train_command(encoder, data, tmp_path / "human", "--epochs", "1") == 0
    assert train_command(encoder, data, tmp_path / "student", "--epochs", "1", "--labels-from", str(path)) == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("human", "student")]
    assert weights[0] == weights[1]
    assert "labels_from" not in card_of(tmp_path / "human")


def test_a_student_of_noise_alone_beats_its_teacher(encoder: Path, data: Path, tmp_path: Path) -> None:
    path = run_of(tmp_path / "run", noisy(0.3))
    assert train_command(encoder, data, tmp_path / "student", "--labels-from", str(path)) == 0
    of_teacher = np.mean([noisy(0.3, seed=4)(item).prediction.choice == item.target for item in TESTED])
    assert card_of(tmp_path / "student")["metrics"]["final"]["accuracy"] > of_teacher + 0.1


def test_what_was_not_answered_is_left_out_and_counted(
    encoder: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def gives_up(item: Item) -> Record | None:
        place = ITEMS.index(item)
        if place < 10:
            return failure(item, "teacher") if place % 2 else answer(item, "teacher", None)
        return None if place < 14 else right(item)

    path = run_of(tmp_path / "run", gives_up)
    assert train_command(encoder, data, tmp_path / "student", "--epochs", "1", "--labels-from", str(path)) == 0
    said = "10 that it gave no answer to are left out, 4 that it was not asked are left out; 100.0% of its labels"
    assert said in capsys.readouterr().err
    card = card_of(tmp_path / "student")
    assert card["data"]["train"]["n"] == 226
    expected = {"n": 226, "soft": False, "with_probs": 0, "unanswered": 10, "not_asked": 4}
    assert card["labels_from"] == {"teacher": str(path), **expected}


def test_a_student_learns_how_sure_its_teacher_was(encoder: Path, tmp_path: Path) -> None:
    inputs = [item.to_input() for item in TESTED]

    def mean_confidence(prob: float) -> float:
        found = taught(ITEMS, map(sure(prob), ITEMS), teacher="teacher")
        out = train_toy(encoder, tmp_path / f"{prob}", train_items=found.items, options={"teacher": found}, epochs=10)
        predictions = load_classifier(out, labels=LABELS, bf16="off").batch(inputs)
        assert np.mean([one.choice == item.target for one, item in zip(predictions, TESTED, strict=True)]) > 0.8
        return float(np.mean([max(one.probs) for one in predictions]))

    assert mean_confidence(0.75) == pytest.approx(0.75, abs=0.07)
    assert mean_confidence(1.0) > 0.85


def test_held_out_items_are_watched_by_their_labels(encoder: Path, data: Path, tmp_path: Path) -> None:
    path = run_of(tmp_path / "run", sure(0.7))
    more = ("--patience", "2", "--probe", "--labels-from", str(path))
    assert train_command(encoder, data, tmp_path / "student", *more) == 0
    assert card_of(tmp_path / "student")["labels_from"]["soft"]


def test_labels_in_another_order_are_found_by_name() -> None:
    item = ITEMS[0]
    asked = item.model_copy(update={"choices": item.choices[::-1], "target": 2 - item.target})
    record = answer(asked, "teacher", 0, probs=(0.5, 0.3, 0.2))  # contradiction, neutral, entailment
    found = taught([item], [record], teacher="teacher")
    assert found.items[0].choices[found.items[0].target] == "contradiction"
    assert found.probs[item.id] == (0.2, 0.3, 0.5)
    assert soft_labels(item, found.probs[item.id], ("neutral", "Contradiction", "entailment")) == [0.3, 0.5, 0.2]


def test_an_answer_is_kept_where_a_later_one_failed() -> None:
    found = taught(ITEMS[:2], [right(ITEMS[0]), failure(ITEMS[0], "t"), failure(ITEMS[1], "t")], teacher="teacher")
    assert (len(found.items), found.unanswered, found.not_asked) == (1, 1, 0)


def other_labels(item: Item) -> Item:
    return item.model_copy(update={"choices": ("yes", "no", "maybe")})


@pytest.mark.parametrize(
    ("items", "teacher", "words"),
    [
        (TESTED, right, "its run is of other items, such as 'toy/train/0'; ask it these"),
        ([other_labels(item) for item in ITEMS], right, "answers with other labels (yes, no, maybe)"),
        (ITEMS, lambda item: None, "has answered nothing yet"),
        (ITEMS, lambda item: failure(item, "teacher"), "no usable answer to any of the 240 items"),
    ],
    ids=["other items", "other labels", "no journal", "errors alone"],
)
def test_a_teacher_that_cannot_teach_is_one_line(
    encoder: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    items: list[Item],
    teacher: Callable[[Item], Record | None],
    words: str,
) -> None:
    path = run_of(tmp_path / "run", teacher, items)
    assert train_command(encoder, data, tmp_path / "student", "--labels-from", str(path)) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert words in last
    assert not (tmp_path / "student").exists()


def test_a_teacher_that_is_not_there_is_one_line(
    encoder: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run_of(tmp_path / "run", right)
    for given, code, words in (
        (path.parent, 2, f"name a system of it as {path.parent}/SYSTEM"),
        (path.parent / "taecher", 2, "Did you mean 'teacher'"),
        (tmp_path / "none" / "teacher", 3, "is not a run"),
    ):
        assert train_command(encoder, data, tmp_path / "student", "--labels-from", str(given)) == code
        assert words in capsys.readouterr().err


def test_a_state_of_other_probabilities_is_not_taken_up(encoder: Path, tmp_path: Path) -> None:
    """A training that stops after its first saved state, and goes on with another teacher of the same labels."""

    class StoppedError(Exception):
        pass

    calls = []

    def stops(targets: object, probs: np.ndarray) -> dict[str, float]:
        calls.append(1)
        if len(calls) > 5:
            raise StoppedError
        return {"accuracy": 0.5}

    first, second = (taught(ITEMS, map(sure(prob), ITEMS), teacher="teacher") for prob in (0.6, 0.7))
    options = {"teacher": first, "compute_metrics": stops}
    with pytest.raises(StoppedError):
        train_toy(encoder, tmp_path / "out", train_items=first.items, options=options)
    with pytest.raises(ConfigurationError, match="with other the teacher's probabilities"):
        train_toy(encoder, tmp_path / "out", train_items=second.items, options={"teacher": second, "resume": True})


def curve_command(encoder: Path, data: Path, out: Path, *more: str) -> int:
    plain = ["--data", str(data), "--model", str(encoder), "--max-length", "48", "--batch-size", "16", "--epochs", "3"]
    sizes = ["--sizes", "60,240", "--min-steps", "0"]
    return main(["curve", *plain, *sizes, "--learning-rate", "3e-3", "--bf16", "off", "--out", str(out), *more])


def test_a_curve_of_a_teacher_without_mistakes_is_that_of_human_labels(
    encoder: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run_of(tmp_path / "run", lambda item: None if item == ITEMS[0] else right(item), [*ITEMS])
    out = tmp_path / "curve"
    assert curve_command(encoder, data, out, "--sizes", "60,239", "--labels-from", str(path)) == 0
    printed = capsys.readouterr()
    assert "1 that it was not asked are left out" in printed.err
    curve = json.loads((out / "curve.json").read_text())
    found = curve["taught"]
    assert [point["accuracy"] for point in found["points"]] == [point["accuracy"] for point in curve["points"]]
    assert found["teacher_accuracy"] is None and "has no line" in printed.err
    assert found["difference_intervals"][0][0] <= 0 <= found["difference_intervals"][0][1]
    assert (out / "n-239-seed-0-taught").is_dir() and (out / "curve.png").is_file()
    assert "239 of its labels are worth about 240 of people's" in printed.out


def test_a_curve_says_what_a_teachers_labels_are_worth_beside_its_line(
    encoder: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = tmp_path / "prices.yaml"
    models = "models: {openai:known: {input: 1, output: 2}}\n"
    prices.write_text(f"as_of: '2026-01-01'\nsource: here\nlabels_usd: 0.5\n{models}")
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(prices))
    said = noisy(0.5)
    usage = {"input_tokens": 1000, "output_tokens": 0}

    def counted(item: Item) -> Record:
        return answer(item, "teacher", said(item).prediction.choice, usage=usage)

    api = {"kind": "chain", "chain": "mnli", "model": {"spec": "openai:known"}}
    run = write_run(tmp_path / "run", [("mnli", TESTED, {"teacher": counted})], descriptions={"teacher": api})
    with (run / "teacher" / "unlabelled.jsonl").open("w") as file:
        file.writelines(record.model_dump_json() + "\n" for record in map(counted, ITEMS))
    options = ("--split", "train", "--run", str(run), "--labels-from", str(run / "teacher"))
    assert curve_command(encoder, data, tmp_path / "curve", *options) == 0
    found = json.loads((tmp_path / "curve" / "curve.json").read_text())
    right_share = found["taught"]["teacher_accuracy"]
    assert right_share == found["systems"][0]["accuracy"] and 0.3 < right_share < 0.7
    assert found["taught"]["points"][-1]["accuracy"] < found["points"][-1]["accuracy"]
    assert "240 of its labels ($0.24) are worth" in capsys.readouterr().out
    # The same command again trains nothing, and a teacher that says something else is another curve.
    assert curve_command(encoder, data, tmp_path / "curve", *options) == 0
    assert "is there: not trained again" in capsys.readouterr().err
    with (run / "teacher" / "unlabelled.jsonl").open("w") as file:
        file.writelines(right(item).model_dump_json() + "\n" for item in ITEMS)
    assert curve_command(encoder, data, tmp_path / "curve", *options) == 2
    assert "has a curve with other labels of the teacher" in capsys.readouterr().err
