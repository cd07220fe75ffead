"""How many labels match a prompted system: sizes, subsets, crossings, and a whole curve against a run."""

import json
import math
import random
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from data.common.errors import ConfigurationError
from data.types import Item
from eval.cli.parser import main as evaluate
from eval.measures.stats import share_interval
from finetune.__main__ import main
from finetune.config import TrainSettings
from finetune.data_curve import figure as data_curve_figure
from finetune.data_curve.crossings import (
    ONE_DRAW,
    CurvePoint,
    above_from,
    default_sizes,
    find_crossing,
    format_crossing,
    format_curve,
    nested_order,
    parse_sizes,
    settings_for,
    subset,
)
from finetune.data_curve.figure import spread
from finetune.data_curve.folder import open_curve_folder
from tests.support.journaled_runs import answer, failure, right_where, write_run
from tests.support.tickets import tickets
from tests.support.tiny_encoder import LABELS, make_encoder, toy_items, write_nli


def points(*pairs: tuple[int, float]) -> list[CurvePoint]:
    rest = {"epochs": 1, "steps": 1, "interval": None, "seed_accuracies": (), "wall_s": 1}
    return [CurvePoint(n=n, accuracy=accuracy, **rest) for n, accuracy in pairs]


@pytest.mark.parametrize(
    ("n", "sizes"),
    [
        (40, (40,)),
        (100, (100,)),
        (101, (101,)),
        (124, (124,)),
        (125, (100, 125)),
        (3000, (100, 300, 1000, 3000)),
        (3749, (100, 300, 1000, 3749)),
        (49_160, (100, 300, 1000, 3000, 10_000, 30_000, 49_160)),
    ],
)
def test_default_sizes(n: int, sizes: tuple[int, ...]) -> None:
    assert default_sizes(n) == sizes


def test_sizes_of_the_user() -> None:
    assert parse_sizes("100, 300", 300) == (100, 300)
    for text, words in (
        ("300,100", "larger"),
        ("100,100", "larger"),
        ("1,5", "2 or more"),
        ("9,301", "300"),
        ("a", "a"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            parse_sizes(text, 300)


def test_subsets_are_nested_and_keep_the_shares_of_the_labels() -> None:
    items = toy_items(300, seed=1)
    items = [item for row, item in enumerate(items) if item.target != 0 or row % 2]  # 50, 100 and 100
    order = nested_order(items, seed=4)
    assert sorted(order) == list(range(250))
    assert order == nested_order(items, seed=4) != nested_order(items, seed=5)
    small, large = subset(items, order, 25), subset(items, order, 100)
    assert {item.id for item in small} < {item.id for item in large}
    assert sorted(Counter(item.target for item in small).values()) == [5, 10, 10]
    assert large == [item for item in items if item in large]  # as they stand in the whole
    assert subset(items, order, 250) == items


def test_a_subset_with_one_label_is_refused() -> None:
    items = toy_items(300, seed=1)
    items = [item for item in items if item.target == 0] + [item for item in items if item.target == 1][:1]
    order = nested_order(items, seed=0)
    with pytest.raises(ConfigurationError, match="label 'entailment' only"):
        subset(items, order, 10)
    assert len(subset(items, order, 60)) == 60  # half way: the one other label


def test_small_sizes_get_more_epochs() -> None:
    settings = TrainSettings(batch_size=64, epochs=3)
    small = settings_for(settings, 100, seed=7, min_steps=150)
    assert (small.epochs, small.eval_steps, small.seed) == (75, 150, 7)  # two steps an epoch
    large = settings_for(settings, 10_000, seed=0, min_steps=150)
    assert (large.epochs, large.eval_steps) == (3, 3 * 157)
    assert settings_for(settings, 100, seed=0, min_steps=0).epochs == 3


def test_crossing_lies_on_a_line_in_the_logarithm() -> None:
    crossing = find_crossing(points((100, 0.3), (1000, 0.5), (10_000, 0.7)), 0.4)
    assert crossing.matched_at == pytest.approx(100 * math.sqrt(10))  # half way between 2 and 3 powers of ten
    assert crossing.between == (100, 1000)
    assert find_crossing(points((100, 0.3), (1000, 0.5), (10_000, 0.7)), 0.65).matched_at == pytest.approx(10**3.75)
    assert find_crossing(points((100, 0.3), (1000, 0.5)), 0.5).matched_at == pytest.approx(1000)


def test_a_curve_that_falls_back_says_so() -> None:
    crossing = find_crossing(points((100, 0.3), (300, 0.5), (1000, 0.35), (3000, 0.6)), 0.4)
    assert crossing.between == (100, 300)
    assert crossing.below_again_at == (1000,)


def test_no_crossing() -> None:
    never = find_crossing(points((100, 0.3), (1000, 0.5)), 0.6)
    assert (never.matched_at, never.reason) == (None, "not reached by 1,000 training items")
    always = find_crossing(points((100, 0.3), (1000, 0.5)), 0.3)
    assert (always.matched_at, always.reason) == (None, "already matched at the smallest size, 100")


def test_above_beyond_chance_holds_to_the_end() -> None:
    sizes = (100, 300, 1000, 3000)
    assert above_from(sizes, (-0.1, 0.01, 0.1, 0.2)) == 300
    assert above_from(sizes, (0.1, -0.01, 0.1, 0.2)) == 1000
    assert above_from(sizes, (0.1, 0.1, 0.1, 0.0)) is None
    assert above_from(sizes, (None, None, None, None)) is None


def test_sentences() -> None:
    system = {"name": "zero-shot", "accuracy": 0.373, "reason": None, "matched_at": 412.3, "between": (300, 1000)}
    system |= {"below_again_at": (), "above_from": 1000}
    assert format_crossing(system) == (
        "zero-shot (37.3 %): matched at about 410 training items (between 300 and 1,000); "
        "above beyond chance from 1,000"
    )
    noisy = system | {"matched_at": 12_345.0, "below_again_at": (30_000,), "above_from": None}
    assert "about 12,000" in format_crossing(noisy)
    assert format_crossing(noisy).endswith("; below it again at 30,000; nowhere above beyond chance to the end")
    never = system | {"matched_at": None, "reason": "not reached by 900 training items", "above_from": None}
    assert format_crossing(never) == "zero-shot (37.3 %): not reached by 900 training items"


def test_names_are_moved_apart_around_where_they_belong() -> None:
    assert spread([0.5, 0.2, 0.51, 0.5], 0.1, low=0, high=1) == pytest.approx([0.40333333, 0.2, 0.60333333, 0.50333333])
    assert spread([0.5, 0.7], 0.1, low=0, high=1) == [0.5, 0.7]
    assert spread([0.99, 0.98], 0.1, low=0, high=1) == pytest.approx([1.0, 0.9])  # inside the axes
    assert spread([0.01, 0.0], 0.1, low=0, high=1) == pytest.approx([0.1, 0.0])
    assert spread([0.5, 0.5, 0.5], 0.6, low=0, high=1) == pytest.approx([0, 0.5, 1])  # no room for the gap


@pytest.mark.parametrize("seed", range(20))
def test_names_keep_their_order_their_gap_and_the_limits(seed: int) -> None:
    draw = random.Random(seed)
    values = [draw.random() ** 3 for _ in range(draw.randint(1, 12))]
    places = spread(values, 0.05, low=0.0, high=1.0)
    in_order = [places[index] for index in sorted(range(len(values)), key=values.__getitem__)]
    assert all(later - earlier >= 0.05 - 1e-9 for earlier, later in pairwise(in_order))
    assert in_order[0] >= -1e-9 and in_order[-1] <= 1 + 1e-9


def test_the_line_of_guessing_is_not_named_like_a_baseline() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    shared = {"interval": (0.3, 0.36), "matched_at": None}
    systems = [{"name": name, "kind": "baseline", "accuracy": 0.33, **shared} for name in ("chance", "majority")]
    data_curve_figure._draw_names(axes, {"systems": systems, "points": [], "labels": LABELS})
    assert [text.get_text() for text in axes.texts] == ["chance 33.0 %", "majority 33.0 %", "guessing 33.3 %"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nli(tmp_path_factory.mktemp("data"), train=(200, 1), validation_matched=(30, 2))


EVALUATED = toy_items(60, seed=3, split="evaluated")


def systems() -> dict[str, object]:
    """Half right, all wrong, one that failed once, and a fine-tuned one."""

    def answers(name: str, share: int):
        return lambda item: answer(item, name, right_where(item, number(item) % 10 < share))

    def number(item: Item) -> int:
        return int(item.id.rsplit("/", 1)[1])

    return {
        "zero-shot": answers("zero-shot", 6),
        "perfect": answers("perfect", 10),
        "hopeless": answers("hopeless", 0),
        "broken": lambda item: failure(item, "broken") if number(item) == 7 else answer(item, "broken", item.target),
        "tuned": answers("tuned", 9),
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kinds = {"zero-shot": "chain", "perfect": "chain", "hopeless": "baseline", "broken": "chain", "tuned": "finetune"}
    descriptions: dict[str, dict[str, object]] = {name: {"kind": kind} for name, kind in kinds.items()}
    folder = tmp_path_factory.mktemp("runs") / "run"
    return write_run(folder, [("mnli", EVALUATED, systems())], descriptions=descriptions)


def options(encoder: Path, data: Path, out: Path, *more: str) -> list[str]:
    plain = ["--data", str(data), "--split", "train", "--model", str(encoder), "--max-length", "48", "--epochs", "1"]
    rest = ["--batch-size", "16", "--learning-rate", "5e-3", "--bf16", "off", "--min-steps", "10", "--out", str(out)]
    return ["curve", *plain, *rest, *more]


def test_a_curve_against_a_run(encoder, data, run, tmp_path, capsys) -> None:
    out = tmp_path / "curve"
    given = options(encoder, data, out, "--run", str(run), "--sizes", "6,48,200", "--json")
    assert main(given) == 0
    printed = capsys.readouterr()
    curve = json.loads(printed.out)
    assert curve == json.loads((out / "curve.json").read_text())
    assert curve["caveat"] == ONE_DRAW
    printed_table = format_curve(curve)
    assert "broken is left out: it has answers to 59 of 60 items" in printed.err
    assert [point["n"] for point in curve["points"]] == [6, 48, 200]
    assert [point["steps"] for point in curve["points"]] == [10, 10, 13]  # ten at least, or one epoch
    assert curve["evaluated"]["n"] == 60  # the run's items, not the split's 30
    for name in ("curve.svg", "curve.png"):
        assert (out / name).stat().st_size > 5000
    kept = {"training_card.json", "README.md", "training_log.jsonl", "curves.svg", "curves.png", "roc.svg", "roc.png"}
    for folder in ("n-6-seed-0", "n-48-seed-0", "n-200-seed-0"):
        assert {path.name for path in (out / folder).iterdir()} == kept

    last = curve["points"][-1]
    card = json.loads((out / "n-200-seed-0" / "training_card.json").read_text())
    correct = [int(char) for char in card["report"]["correct"]]
    assert last["accuracy"] == pytest.approx(card["metrics"]["final"]["accuracy"]) == sum(correct) / 60
    import numpy as np

    span = share_interval(np.array(correct), np.ones(60), [item.group for item in EVALUATED])
    assert last["interval"] == list(span or ())

    by_name = {system["name"]: system for system in curve["systems"]}
    assert list(by_name) == ["zero-shot", "perfect", "hopeless"]
    assert by_name["zero-shot"]["accuracy"] == pytest.approx(0.6)
    assert by_name["hopeless"]["reason"] == "already matched at the smallest size, 6"
    assert by_name["hopeless"]["above_from"] == 6
    assert by_name["perfect"]["above_from"] is None

    # A run again trains nothing; another run's lines over the same items, another size or a seed add to the curve.
    before = {path: path.stat().st_mtime_ns for path in out.glob("n-*/*")}
    assert main(options(encoder, data, out, "--sizes", "6,48", "--seeds", "2", "--run", str(run))) == 0
    again = capsys.readouterr()
    assert "n-48-seed-0 is there: not trained again" in again.err
    assert "training on 6 items, seed 1" in again.err
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "over the seeds" in again.out
    assert "hopeless (0.0 %): already matched at the smallest size, 6; above beyond chance from 6" in again.out
    assert ONE_DRAW in printed_table and ONE_DRAW not in again.out
    both = json.loads((out / "curve.json").read_text())["points"][0]
    assert both["accuracy"] == pytest.approx(sum(both["seed_accuracies"]) / 2)

    for more, words in (
        (["--learning-rate", "1e-3"], "other learning_rate;"),
        (["--min-steps", "11"], "other min_steps;"),
        (["--limit", "100"], "other training items;"),
    ):
        assert main([*given, *more, "--sizes", "6"]) == 2
        assert words in capsys.readouterr().err


def test_an_interrupted_curve_goes_on(encoder, data, tmp_path, capsys, monkeypatch) -> None:
    from finetune import train as module

    out, train, calls = tmp_path / "curve", module.train, []

    def interrupted(settings, **given):
        calls.append(len(given["train_items"]))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(settings, **given)

    monkeypatch.setattr(module, "train", interrupted)
    given = options(encoder, data, out, "--sizes", "12,24", "--keep-checkpoints")
    assert main(given) == 130
    assert not (out / "curve.json").exists()
    assert main(given) == 0
    assert calls == [12, 24, 24]
    assert (out / "n-12-seed-0" / "model.safetensors").exists()
    curve = json.loads((out / "curve.json").read_text())
    assert (curve["systems"], curve["run"], curve["evaluated"]["n"]) == ([], None, 30)
    assert "24" in capsys.readouterr().out

    shutil.rmtree(out / "n-12-seed-0")
    shutil.copytree(out / "n-24-seed-0", out / "n-12-seed-0")
    assert main(given) == 2
    assert "was trained with other settings, training items, or its card" in capsys.readouterr().err


@pytest.fixture(scope="module")
def small_curve(encoder, data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("small") / "curve"
    assert main(options(encoder, data, out, "--sizes", "12")) == 0
    return out


DAMAGES = {
    "data": [1],
    "settings": "x",
    "report": {"correct": None},
    "steps": "abc",
    "wall_s": None,
}


@pytest.mark.parametrize("part", DAMAGES)
@pytest.mark.parametrize("missing", [True, False])
def test_a_damaged_card_is_one_line(small_curve, encoder, data, tmp_path, capsys, part, missing) -> None:
    out = Path(shutil.copytree(small_curve, tmp_path / "curve"))
    path = out / "n-12-seed-0" / "training_card.json"
    card = json.loads(path.read_text())
    card = {name: value for name, value in card.items() if name != part} if missing else card | {part: DAMAGES[part]}
    path.write_text(json.dumps(card))
    capsys.readouterr()
    assert main(options(encoder, data, out, "--sizes", "12")) == 2
    printed = capsys.readouterr()
    line = printed.err.splitlines()[-1]
    assert printed.out == "" and "Traceback" not in printed.err
    assert "was trained with other" in line and "or its card is damaged; remove it" in line
    assert {"data": "training items", "settings": "settings"}.get(part, part) in line


def test_a_curve_killed_before_its_plan_was_whole_can_be_begun(small_curve, encoder, data, tmp_path, capsys) -> None:
    out = tmp_path / "curve"
    out.mkdir()
    (out / ".plan.json.tmp").write_text('{"half')
    shutil.copytree(small_curve / "n-12-seed-0", tmp_path / "kept")
    open_curve_folder(out, json.loads((small_curve / "plan.json").read_text()))
    assert [path.name for path in out.iterdir()] == ["plan.json"]
    shutil.move(tmp_path / "kept", out / "n-12-seed-0")
    assert main(options(encoder, data, out, "--sizes", "12")) == 0


def test_faults_are_one_line_and_write_nothing(encoder, data, run, tmp_path, capsys) -> None:
    first, second = ({name: lambda item, name=name: failure(item, name)} for name in ("broken", "broken-too"))
    bare = write_run(tmp_path / "bare", [("mnli", EVALUATED[:3], first)])
    twice = write_run(tmp_path / "twice", [("mnli", EVALUATED[:3], first), ("mnli", EVALUATED[3:6], second)])
    other = write_run(tmp_path / "other", [("kice", EVALUATED[:3], first)])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    for more, code, words in (
        (["--sizes", "100,50"], 2, "larger than the one before"),
        (["--sizes", "100,201"], 2, "there are 200 training items"),
        (["--sizes", "some"], 2, "whole numbers"),
        (["--sizes", ""], 2, "whole numbers"),
        (["--seed", str(2**32 - 1), "--seeds", "2"], 2, "--seeds 2 from --seed 4294967295 on go beyond 4294967295"),
        (["--seeds", "0"], 2, "--seeds 0"),
        (["--min-steps", "-1"], 2, "--min-steps -1"),
        (["--model", "./nowhere"], 3, "there is no folder"),
        (["--run", str(tmp_path)], 3, "is not a run"),
        (["--run", str(other)], 2, "has no evaluation of 'mnli'; it has: kice made-up"),
        (["--run", str(twice)], 2, "has 2 evaluations of 'mnli'"),
        (["--run", str(run), "--eval-split", "nowhere"], 2, "no evaluation of 'mnli nowhere'"),
        (["--run", str(run), "--eval-limit", "5"], 2, "leave out --eval-data and --eval-limit"),
        (["--out", str(tmp_path / "full")], 2, "has no curve"),
        (["--out", str(tmp_path / "full" / "mine.txt")], 2, "mine.txt"),
    ):
        assert main(options(encoder, data, tmp_path / "out", *more)) == code, more
        printed = capsys.readouterr()
        assert (printed.out, printed.err.count("\n")) == ("", 1), printed.err
        assert words in printed.err
    assert main(options(encoder, data, tmp_path / "out", "--run", str(bare))) == 2
    assert "has no prompted system or baseline that answered all 3 items" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_of_one_s_own_whatever_its_text_is_called(encoder, tmp_path, capsys) -> None:
    path, run = str(tickets(tmp_path / "tickets.csv")), tmp_path / "run"
    assert evaluate(["run", path, "--baseline", "tfidf", "--out", str(run)]) == 0
    plain = ["--model", str(encoder), "--replace-head", "--max-length", "32", "--bf16", "off", "--min-steps", "2"]
    said = ["curve", "--benchmark", path, "--run", str(run), *plain, "--epochs", "1", "--sizes", "30"]
    assert main([*said, "--out", str(tmp_path / "curve")]) == 0
    curve = json.loads((tmp_path / "curve" / "curve.json").read_text())
    assert curve["settings"]["text_fields"] == ["Message"] and curve["evaluated"]["n"] == 18
    assert [system["name"] for system in curve["systems"]] == ["majority", "tfidf"]

    wide = tmp_path / "wide.csv"
    wide.write_text("a,b,c,label\n" + "".join(f"x{n},y{n},z{n},{'pq'[n % 2]}\n" for n in range(40)))
    card = tmp_path / "wide.yaml"
    card.write_text("train: wide.csv\ntext: [a, b, c]\nlabel: label\n")
    capsys.readouterr()
    assert main(["curve", "--benchmark", str(card), *plain, "--out", str(tmp_path / "no")]) == 2
    assert "reads one text or two, and the items have 3: a, b, c" in capsys.readouterr().err
