"""A suite's `finetune` entry: what is held out for its curves, and that its faults are found while it is built."""

import json
from pathlib import Path

import pytest

from data.common.errors import ConfigurationError, MissingResourceError
from data.registry import benchmark, load_items
from data.splits import hold_out
from data.types import Item
from eval.plan.build_system import build_system
from eval.plan.context import Context
from eval.plan.settings.specs import EvaluationSpec, SystemSpec
from eval.plan.system import System
from tests.support.tiny_encoder import LABELS, MAX_POSITIONS, make_encoder, toy_items


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


def write_split(folder: Path, split: str, items: list[Item]) -> None:
    rows = [item.inputs | {"label": item.choices[item.target]} for item in items]
    (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def build(folder: Path, train_items: list[Item], finetune: dict) -> System:
    write_split(folder, "train", train_items)
    write_split(folder, "validation_matched", toy_items(9, seed=2))
    spec = EvaluationSpec(
        benchmark="mnli", data=folder, systems=(SystemSpec(name="encoder", finetune={"bf16": "off", **finetune}),)
    )
    items = load_items("mnli", path=folder)
    return build_system(spec.systems[0], Context(benchmark=benchmark("mnli"), spec=spec, items=items, seed=3))


def grouped(sizes: list[int]) -> list[Item]:
    items = iter(toy_items(sum(sizes), seed=1))
    return [next(items).model_copy(update={"group": f"g{g}"}) for g, size in enumerate(sizes) for _ in range(size)]


def test_the_held_out_part_is_whole_groups_drawn_by_the_seed() -> None:
    items = grouped([3] * 40)
    learnt, held_out = hold_out(items, seed=0)
    assert len(held_out) == 6
    assert sorted([*learnt, *held_out], key=items.index) == items
    assert not {item.group for item in learnt} & {item.group for item in held_out}
    assert hold_out(items, seed=0)[1] == held_out
    assert len({tuple(item.id for item in hold_out(items, seed=seed)[1]) for seed in range(5)}) > 1


def test_a_large_group_is_learnt_from_and_the_smallest_held_out() -> None:
    learnt, held_out = hold_out(grouped([50, 4, 30]), seed=0)
    assert {item.group for item in held_out} == {"g1"}
    assert len(learnt) == 80


@pytest.mark.parametrize(
    ("finetune", "error", "words"),
    [
        ({"model": "nope/none"}, MissingResourceError, "nope/none"),
        ({"max_length": 4000}, ConfigurationError, f"--max-length {MAX_POSITIONS}"),
        ({"extra": {"no_such_field": 1}}, ConfigurationError, "no such field"),
        ({"extra": {"max_steps": "abc"}}, ConfigurationError, "max_steps='abc'"),
        ({"text_fields": ["premise", "question"]}, ConfigurationError, "no text 'question'"),
    ],
)
def test_a_bad_entry_is_found_while_it_is_built(encoder, tmp_path, finetune, error, words) -> None:
    with pytest.raises(error, match=r"^[^\n]*$") as caught:
        build(tmp_path, toy_items(30, seed=1), {"model": str(encoder), "max_length": 48} | finetune)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("train_items", "words"),
    [
        ([item for item in toy_items(60, seed=1) if item.target == 0], "at least two labels"),
        (
            [item.model_copy(update={"inputs": item.inputs | {"premise": "a dog"}}) for item in toy_items(9, seed=1)],
            "share one group",
        ),
        (toy_items(1, seed=1), "share one group"),
        (toy_items(9, seed=2), "every training item (9) is an evaluated item"),
    ],
)
def test_items_that_cannot_be_learnt_from_are_found_while_it_is_built(encoder, tmp_path, train_items, words) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build(tmp_path, train_items, {"model": str(encoder), "max_length": 48})
    assert words in str(caught.value)


def test_the_manifest_says_what_was_learnt_from_and_the_checkpoint_answers(encoder, tmp_path, capsys) -> None:
    train_items = [*toy_items(60, seed=1), *toy_items(3, seed=2)]
    settings = {"model": str(encoder), "max_length": 48, "batch_size": 16, "epochs": 1}
    system = build(tmp_path, train_items, settings)
    assert "3 training items of mnli are also evaluated" in capsys.readouterr().err
    assert (system.description.train_items, system.description.held_out) == (57, 3)
    predictor = system.open(tmp_path / "run")
    card = json.loads((tmp_path / "run" / "checkpoint" / "training_card.json").read_text())
    assert (card["data"]["train"]["n"], card["data"]["eval"]["n"]) == (57, 3)
    assert card["data"]["train"]["fingerprint"] == system.description.train_fingerprint
    answers = predictor.batch([item.to_input() for item in toy_items(4, seed=9)])
    assert all(len(answer.probs) == len(LABELS) for answer in answers)


def test_a_baseline_with_nothing_left_to_learn_from_is_refused(tmp_path: Path) -> None:
    write_split(tmp_path, "train", toy_items(9, seed=1))
    spec = EvaluationSpec(
        benchmark="mnli",
        split="train",
        train_split="train",
        data=tmp_path,
        systems=(SystemSpec(name="majority", baseline="majority"),),
    )
    items = load_items("mnli", split="train", path=tmp_path)
    with pytest.raises(ConfigurationError, match=r"every training item \(9\) is an evaluated item"):
        build_system(spec.systems[0], Context(benchmark=benchmark("mnli"), spec=spec, items=items, seed=0))
