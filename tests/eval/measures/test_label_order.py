"""The label-order sentinel: it finds exchanged names, leaves honest and guessing classifiers alone, and stops a run."""

import json
import shutil
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from data.common.errors import ConfigurationError
from data.registry import benchmark, load_items
from eval.cli import parser as cli
from eval.execution.label_check import check_labels
from eval.measures.label_order import best_label_order, check_label_order, exchange_words, find_exchange
from eval.plan.build_system import build_system
from eval.plan.context import Context
from eval.plan.settings.specs import EvaluationSpec, SystemSpec
from eval.plan.system import System
from eval.report.summary import summarize
from eval.rundir.journal import latest_records, records_path
from eval.rundir.manifest import read_manifest
from finetune.__main__ import main as finetune
from tests.support.described import described
from tests.support.journaled_runs import answer, pair_item, write_run
from tests.support.tiny_encoder import LABELS, make_encoder, write_nli

SWAPPED, ROTATED = (1, 0, 2), (1, 2, 0)


def stopped(targets, choices, labels=LABELS) -> str:
    try:
        check_label_order(targets, choices, labels=labels, where="the checkpoint 'c'", remedy="mend it")
    except ConfigurationError as error:
        return str(error)
    return ""


def answered(n: int, accuracy: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    targets = rng.integers(0, 3, n)
    wrong = (targets + rng.integers(1, 3, n)) % 3
    return targets, np.where(rng.random(n) < accuracy, targets, wrong)


@pytest.mark.parametrize("n_classes", [2, 3, 4, 5])
def test_the_best_order_is_the_best_of_all_permutations(n_classes):
    rng = np.random.default_rng(n_classes)
    for n in (1, 7, 40, 300):
        targets = rng.integers(0, n_classes, n)
        choices = rng.integers(-1, n_classes, n)
        order = best_label_order(targets, choices, n_classes=n_classes)
        assert sorted(order) == list(range(n_classes))
        right = {p: int((np.array([*p, -1])[choices] == targets).sum()) for p in permutations(range(n_classes))}
        assert right[tuple(order)] == max(right.values())
        if right[tuple(range(n_classes))] == max(right.values()):
            assert order == list(range(n_classes))


def test_among_equals_the_most_names_are_kept():
    targets, choices = np.array([0, 0, 0]), np.array([1, 1, 1])
    assert best_label_order(targets, choices, n_classes=4) == [1, 0, 2, 3]


@pytest.mark.parametrize("n", [10, 30, 100, 300, 1000])
def test_guesses_practically_never_stop(n):
    rng = np.random.default_rng(n)
    assert sum(bool(stopped(rng.integers(0, 3, n), rng.integers(0, 3, n))) for _ in range(400)) <= 4


@pytest.mark.parametrize("order", [SWAPPED, ROTATED])
@pytest.mark.parametrize(
    ("accuracy", "n", "found"), [(1.0, 30, 1.0), (0.9, 30, 0.9), (0.75, 60, 0.85), (0.6, 150, 0.9), (0.6, 300, 0.98)]
)
def test_exchanged_names_stop(order, accuracy, n, found):
    rng = np.random.default_rng(1)
    runs = [answered(n, accuracy, rng) for _ in range(100)]
    assert np.mean([bool(stopped(targets, np.array(order)[choices])) for targets, choices in runs]) >= found
    assert not any(stopped(targets, choices) for targets, choices in runs)  # the same classifiers, named rightly


def test_a_gain_must_exceed_ten_points():
    # 1000 items of two classes, all right but so many of the first: the exchange gains the difference
    targets = np.repeat([0, 1], 500)
    for right, gains in ((450, 10), (449, 10.2)):
        choices = np.concatenate([np.repeat([0, 1], [right, 500 - right]), np.repeat([1, 0], [0, 500])])
        assert bool(stopped(targets, choices, LABELS[:2])) is (gains > 10)


def test_no_answer_is_wrong_under_every_order():
    targets = np.arange(90) % 3
    choices = np.array(ROTATED)[targets]
    choices[:30] = -1
    assert "0.0% of 90 items are right as declared, but 66.7%" in stopped(targets, choices)
    assert stopped(targets, np.full(90, -1)) == ""
    assert stopped([], []) == ""


def test_the_line_says_what_is_exchanged_and_how_to_mend_it():
    targets = np.arange(90) % 3
    line = stopped(targets, np.array(SWAPPED)[targets])
    assert line.startswith("the checkpoint 'c' names its labels wrongly, it seems: 33.3% of 90 items are right as")
    assert line.endswith(
        "but 100.0% if what it calls entailment is neutral, what it calls neutral is entailment; mend it"
    )
    assert "\n" not in line


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nli(tmp_path_factory.mktemp("data"), train=(360, 1), validation_matched=(60, 2))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    encoder, out = make_encoder(folder / "encoder"), folder / "checkpoint"
    plain = ["--model", str(encoder), "--max-length", "48", "--batch-size", "16", "--epochs", "5"]
    options = [*plain, "--learning-rate", "3e-3", "--bf16", "off", "--out", str(out)]
    assert finetune(["train", "--data", str(data), *options]) == 0
    return out


@pytest.fixture
def rotated(trained: Path, tmp_path: Path) -> Path:
    """The trained checkpoint with its names in a wrong order, as other checkpoints of the same task have them."""
    folder = Path(shutil.copytree(trained, tmp_path / "rotated"))
    config = json.loads((folder / "config.json").read_text())
    names = [LABELS[place] for place in ROTATED]
    config |= {"id2label": dict(enumerate(names)), "label2id": {name: place for place, name in enumerate(names)}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    assert printed.err.endswith(line + "\n")
    return line


def test_evaluate_stops_at_a_checkpoint_with_exchanged_names(trained, rotated, data, capsys):
    capsys.readouterr()
    assert finetune(["evaluate", "--checkpoint", str(rotated), "--data", str(data)]) == 2
    line = error_line(capsys)
    assert f"the checkpoint '{rotated}' names its labels wrongly" in line
    assert "correct id2label in its config.json" in line and "--any-label-order" in line
    options = ["--data", str(data), "--json"]
    assert finetune(["evaluate", "--checkpoint", str(rotated), *options, "--any-label-order"]) == 0
    wrong = json.loads(capsys.readouterr().out)["metrics"]
    assert finetune(["evaluate", "--checkpoint", str(trained), *options]) == 0
    right = json.loads(capsys.readouterr().out)["metrics"]
    assert wrong["accuracy"] < 0.3 < 0.7 < right["accuracy"]
    # the same answers under other names
    assert [row[ROTATED[0]] for row in wrong["confusion"]] == [row[0] for row in right["confusion"]]


def test_evaluate_prints_the_report(trained, data, capsys):
    assert finetune(["evaluate", "--checkpoint", str(trained), "--data", str(data)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=2) == ["metric", "value", "95 % interval"]
    assert any(line.startswith("target \\ choice") for line in lines)
    assert lines[-1].startswith("60 items, ")


def run_options(checkpoint: Path, data: Path, *more: str) -> list[str]:
    return ["run", "mnli", "--data", str(data), "--checkpoint", str(checkpoint), *more]


def test_a_run_stops_keeps_its_answers_and_goes_on_with_the_option(rotated, data, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(run_options(rotated, data, "--out", str(out))) == 2
    line = error_line(capsys)
    (name,) = read_manifest(out).systems
    journal = records_path(out, name)
    assert f"the checkpoint '{rotated}' names its labels wrongly" in line and f"journaled in {journal}" in line
    assert len(latest_records(journal)) == 60
    assert {path.name for path in out.iterdir()} == {"manifest.json", name}

    before = journal.read_bytes()
    assert cli.main(run_options(rotated, data, "--resume", str(out))) == 2
    assert "names its labels wrongly" in error_line(capsys)

    assert cli.main(run_options(rotated, data, "--resume", str(out), "--any-label-order")) == 0
    assert (out / "report.md").exists()
    assert journal.read_bytes() == before  # nothing was asked again


def test_a_run_of_a_rightly_named_checkpoint_goes_through(trained, data, tmp_path, capsys):
    assert cli.main(run_options(trained, data, "--out", str(tmp_path / "out"))) == 0
    assert "any_label_order" not in (tmp_path / "out" / "manifest.json").read_text()


def test_a_suite_says_it_for_each_system(rotated, data, tmp_path, capsys):
    suite = tmp_path / "suite.yaml"
    entry = "{{name: encoder, checkpoint: {}{}}}"
    text = "name: mine\nevaluations:\n  - benchmark: mnli\n    data: {}\n    systems:\n      - {}\n"
    suite.write_text(text.format(data, entry.format(rotated, "")))
    assert cli.main(["run", str(suite), "--out", str(tmp_path / "out")]) == 2
    assert "any_label_order: true" in error_line(capsys)
    suite.write_text(text.format(data, entry.format(rotated, ", any_label_order: true")))
    assert cli.main(["run", str(suite), "--resume", str(tmp_path / "out")]) == 0


def test_a_system_trained_in_the_run_is_checked_too(trained, data):
    settings = {"model": str(trained.parent / "encoder"), "max_length": 48}
    for any_order, labels in ((False, LABELS), (True, None)):
        spec = SystemSpec(name="encoder", finetune=settings, any_label_order=any_order)
        evaluation = EvaluationSpec(benchmark="mnli", data=data, systems=(spec,))
        items = load_items("mnli", path=data)
        context = Context(benchmark=benchmark("mnli"), spec=evaluation, items=items, seed=0)
        assert build_system(spec, context).labels == labels


@pytest.mark.parametrize("system", [{"baseline": "chance"}, {"chain": "mnli-zero-shot", "model": "smollm2"}])
def test_the_option_goes_with_classifiers_only(system):
    with pytest.raises(ValueError, match=r"any_label_order goes with a checkpoint or finetune, not a (baseline|chain)"):
        SystemSpec(name="x", any_label_order=True, **system)
    assert SystemSpec(name="x", finetune={}, any_label_order=True).any_label_order


def test_the_command_line_refuses_it_for_others_in_one_line(tmp_path, capsys):
    options = ["run", "mnli", "--split", "sample", "--baseline", "chance", "--any-label-order"]
    assert cli.main([*options, "--out", str(tmp_path / "out")]) == 2
    assert "any_label_order goes with a checkpoint" in error_line(capsys)
    assert not (tmp_path / "out").exists()


def drawn(shares, n, recalls, rng):
    """Items with their labels in these percentages, answered rightly so often, else by another label at random."""
    targets = np.repeat(np.arange(len(shares)), [share * n // 100 for share in shares])
    others = (targets + rng.integers(1, len(shares), len(targets))) % len(shares)
    return targets, np.where(rng.random(len(targets)) < np.array(recalls)[targets], targets, others)


def test_a_classifier_that_learnt_nothing_has_no_order_to_be_wrong():
    targets = [0] * 20 + [1] * 30 + [2] * 50
    assert stopped(targets, [0] * 100) == ""
    assert stopped(targets, [0] * 25 + [1] + [0] * 74) == ""  # all the same but one
    assert stopped([0] * 100, [1] * 100) == ""  # one label only: nothing tells the two apart
    assert stopped([0] * 50 + [1] * 50, [2] * 100) == ""


@pytest.mark.parametrize(
    ("shares", "noise", "sizes"),
    [
        ((20, 30, 50), 0.05, (100, 300, 1000)),
        ((20, 30, 50), 0.3, (100, 300, 1000)),
        ((30, 70), 0.02, (100, 300, 1000)),
        ((30, 70), 0.3, (100, 300, 1000)),
        ((5, 5, 90), 0.05, (100,)),
        ((5, 5, 90), 0.3, (100, 300)),
        ((50, 50, 0), 0.05, (100, 1000)),
    ],
)
def test_one_label_with_some_noise_does_not_stop(shares, noise, sizes):
    rng = np.random.default_rng(5)
    for n in sizes:
        found = 0
        for draw in range(200):
            targets = np.repeat(np.arange(len(shares)), [share * n // 100 for share in shares])
            guesses = rng.integers(0, len(shares), len(targets))
            choices = np.where(rng.random(len(targets)) < noise, guesses, draw % len(shares))
            found += bool(stopped(targets, choices, LABELS[: len(shares)]))
        assert found <= 2, (n, found)


@pytest.mark.parametrize(
    ("shares", "recalls", "order", "n"),
    [
        ((80, 10, 10), (0.78, 0.74, 0.78), (0, 2, 1), 1000),  # the rare ones: fewer right than by the commonest alone
        ((80, 10, 10), (0.78, 0.74, 0.78), (1, 0, 2), 300),
        ((90, 10), (0.8, 0.8), (1, 0), 200),
    ],
)
def test_exchanged_names_stop_on_unbalanced_items(shares, recalls, order, n):
    rng = np.random.default_rng(6)
    runs = [drawn(shares, n, recalls, rng) for _ in range(100)]
    labels = LABELS[: len(shares)]
    assert sum(bool(stopped(targets, np.array(order)[choices], labels)) for targets, choices in runs) >= 98
    assert not any(stopped(targets, choices, labels) for targets, choices in runs)


def test_many_labels_are_no_trouble():
    targets = np.arange(2000) % 200
    labels = [str(label) for label in range(200)]
    assert stopped(targets, targets, labels) == ""
    assert "what it calls 0 is 199" in stopped(targets, (targets + 1) % 200, labels)


def test_the_report_says_it_whoever_makes_it_and_whatever_the_run_was_told(tmp_path):
    items = [pair_item(number) for number in range(60)]

    def rotated(item):
        return answer(item, "s", ROTATED[item.target])

    descriptions = {"encoder": {"kind": "checkpoint", "checkpoint": "c"}, "prompted": {"kind": "chain", "chain": "x"}}
    systems = dict.fromkeys(descriptions, rotated)
    summary = summarize(write_run(tmp_path / "run", [("mnli", items, systems)], descriptions=descriptions))
    said = [
        sentence for sentence in summary.conclusion if "names its labels" in sentence or "name its labels" in sentence
    ]
    found = find_exchange(*_indices(items), labels=LABELS)
    assert said == [f"encoder seems to name its labels wrongly: {exchange_words(found)}."]
    assert "0.0% of 60 items are right as declared, but 100.0% if what it calls entailment is contradiction" in said[0]
    named = {system.name: bool(system.exchanged) for system in summary.evaluations[0].systems}
    assert named == {"encoder": True, "prompted": False}


def _indices(items):
    targets = [item.target for item in items]
    return targets, [ROTATED[target] for target in targets]


def test_training_says_it_where_the_items_name_their_labels_differently(trained, data, tmp_path, capsys):
    rows = [json.loads(line) for line in (data / "validation_matched.jsonl").read_text().splitlines()]
    renamed = {name: LABELS[place] for name, place in zip(LABELS, ROTATED, strict=True)}
    rows = [row | {"label": renamed[row["label"]]} for row in rows]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "validation_matched.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plain = ["--model", str(trained.parent / "encoder"), "--max-length", "48", "--batch-size", "16", "--epochs", "5"]
    options = [*plain, "--learning-rate", "3e-3", "--bf16", "off", "--out", str(tmp_path / "out")]
    assert finetune(["train", "--data", str(data), "--eval-data", str(tmp_path / "other"), *options]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "names its labels wrongly, it seems" in line
    assert "the training items and the evaluated ones seem to name their labels differently" in line
    assert "config.json" not in line and "--any-label-order" not in line
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_a_system_trained_in_the_run_is_told_to_look_at_its_data(tmp_path):
    items = [pair_item(number) for number in range(60)]
    path = records_path(
        write_run(tmp_path / "run", [("mnli", items, {"s": lambda i: answer(i, "s", ROTATED[i.target])})]), "s"
    )
    system = System("s", described({"kind": "finetune"}), 64, lambda _: None, LABELS)
    with pytest.raises(
        ConfigurationError, match="the system 's', trained in this run, names its labels wrongly"
    ) as caught:
        check_labels(system, path)
    assert "any_label_order: true in the suite" in str(caught.value)
    assert "config.json" not in str(caught.value) and "\n" not in str(caught.value)
