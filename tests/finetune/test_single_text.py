"""The single-text baseline: it finds what a text gives away, and nothing where there is nothing."""

import random
from collections import Counter
from pathlib import Path

import pytest

from data.registry import load_items
from data.types import Item
from eval.measures.stats import share_interval
from finetune import single_text
from finetune.single_text import single_text_baselines
from tests.support.tiny_encoder import LABELS, NOISE, toy_items

FIELDS = ("premise", "hypothesis")


def baselines(items: list[Item]) -> dict:
    return single_text_baselines(items, labels=LABELS, text_fields=FIELDS, interval=share_interval)


def with_random_labels(items: list[Item], *, seed: int) -> list[Item]:
    targets = [item.target for item in items]
    random.Random(seed).shuffle(targets)
    return [item.model_copy(update={"target": target}) for item, target in zip(items, targets, strict=True)]


def test_a_hypothesis_that_decides_is_found_out() -> None:
    figures = baselines(toy_items(300, seed=1))
    hypothesis, premise = figures["fields"]["hypothesis"], figures["fields"]["premise"]
    assert hypothesis["accuracy"] > 0.97
    assert min(hypothesis["recall"].values()) > 0.95
    cues = [hypothesis["words"][label][0] for label in LABELS]
    assert cues == ["yes", "maybe", "no"]
    assert figures["majority"] == pytest.approx(1 / 3)
    assert premise["ci95"][0] <= 1 / 3 <= premise["ci95"][1]
    assert (figures["n"], figures["of"], figures["groups"], figures["folds"]) == (300, 300, 300, 5)
    assert figures == baselines(toy_items(300, seed=1))


def test_independent_labels_are_at_chance() -> None:
    covered = []
    for seed in range(12):
        fields = baselines(with_random_labels(toy_items(300, seed=seed), seed=seed))["fields"]
        covered += [row["ci95"][0] < 1 / 3 < row["ci95"][1] for row in fields.values()]
    assert sum(covered) >= 21  # of 24 intervals of 95 %


def test_copies_within_a_group_do_not_inflate() -> None:
    """Every text occurs four times with a word of its own and a random label: only a leak could tell it."""
    once = with_random_labels(toy_items(120, seed=4), seed=4)
    unique = [
        item.model_copy(update={"inputs": item.inputs | {"hypothesis": " ".join([f"w{row}"] * 5)}})
        for row, item in enumerate(once)
    ]
    copied = [item.model_copy(update={"id": f"{item.id}/{copy}"}) for item in unique for copy in range(4)]
    figures = baselines(copied)
    low, high = figures["fields"]["hypothesis"]["ci95"]
    assert figures["groups"] == 120
    assert figures["fields"]["hypothesis"]["accuracy"] < 0.45
    assert high - low > 0.1  # of 120 groups, not of 480 items
    leaking = [item.model_copy(update={"group": item.id}) for item in copied]
    assert baselines(leaking)["fields"]["hypothesis"]["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"group": "one"}, "groups: 1,"),
        ({"target": 0}, "same label"),
        ({"inputs": {"premise": "a man", "hypothesis": " ?! "}}, "no hypothesis has a word"),
    ],
)
def test_what_cannot_be_measured_has_a_reason(change: dict, reason: str) -> None:
    figures = baselines([item.model_copy(update=change) for item in toy_items(30, seed=1)])
    assert figures["fields"] == {}
    assert figures["folds"] is None
    assert reason in figures["reason"]


def test_few_items_and_two_labels() -> None:
    two = [item for item in toy_items(30, seed=2) if item.target != 1]
    figures = baselines(two)["fields"]["hypothesis"]
    assert figures["recall"]["neutral"] is None
    assert figures["words"]["neutral"] == []
    assert (figures["words"]["entailment"][0], figures["words"]["contradiction"][0]) == ("yes", "no")
    for n in range(1, 9):
        assert set(baselines(toy_items(n, seed=2))) == set(baselines(two))


def test_a_label_in_one_group_only_has_a_reason() -> None:
    items = [item.model_copy(update={"group": LABELS[item.target]}) for item in toy_items(30, seed=2) if item.target]
    assert "too few groups" in baselines(items)["reason"]


def test_many_items_are_sampled_by_whole_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_text, "MAX_ITEMS", 100)
    items = [item.model_copy(update={"group": f"g{row // 3}"}) for row, item in enumerate(toy_items(300, seed=3))]
    kept = single_text._whole_group_sample(items, 100)
    assert len(kept) == 99
    assert set(Counter(item.group for item in kept).values()) == {3}
    figures = baselines(items)
    assert (figures["n"], figures["of"], figures["groups"]) == (99, 300, 33)
    one = [item.model_copy(update={"group": "one"}) for item in items]
    assert baselines(one)["n"] == 300


def test_words_keep_their_apostrophes_and_single_letters() -> None:
    texts = [("he don't go", 2), ("a man", 0)] * 30
    items = [
        item.model_copy(update={"inputs": {"premise": NOISE[0], "hypothesis": text}, "target": target})
        for item, (text, target) in zip(toy_items(60, seed=1), texts, strict=True)
    ]
    words = baselines(items)["fields"]["hypothesis"]["words"]
    assert "don't" in words["contradiction"]
    assert "a" in words["entailment"]


@pytest.mark.shared_data
def test_mnli_hypotheses_give_their_labels_away(shared_data: Path) -> None:
    items = load_items("mnli", split="train", path=shared_data / "mnli", limit=5000, seed=1)
    figures = baselines(items)
    hypothesis = figures["fields"]["hypothesis"]
    assert hypothesis["ci95"][0] > figures["majority"] + 0.08
    assert {"no", "never", "not"} <= set(hypothesis["words"]["contradiction"])
    assert figures["fields"]["premise"]["ci95"][0] <= figures["majority"]
