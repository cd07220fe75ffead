"""Baselines: each is what its name says, and answers like any other predictor."""

import pytest

from data.common.errors import ConfigurationError
from data.types import Item, Prediction
from eval.plan.baselines import BASELINES, build_baseline, needs_training

TRAIN = [
    Item(
        id=f"t{i}",
        inputs={"premise": "it is", "hypothesis": ["a yes indeed", "a no never", "a perhaps so"][i % 3]},
        choices=("entailment", "neutral", "contradiction"),
        target=0 if i < 4 else i % 3,
        group="g",
    )
    for i in range(30)
]
EXAM = Item(
    id="q1",
    inputs={"passage": "바람이 세게 불어 나뭇잎이 떨어졌다", "question": "무엇이 떨어졌는가?", "extra": ""},
    choices=("기차가 멈추었다", "눈이 쌓였다", "바람이 세게 불어 나뭇잎이 떨어졌다", "비가 왔다", "해가 떴다"),
    target=2,
    group="g",
)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_answers_in_batches_as_one_by_one(name: str) -> None:
    items = TRAIN if needs_training(name) else [EXAM]
    predictor = build_baseline(name, TRAIN, seed=0)
    inputs = [item.to_input() for item in items[:5]]
    together = predictor.batch(inputs)
    assert together == [predictor.invoke(entry) for entry in inputs]
    for prediction in together:
        assert isinstance(prediction, Prediction)
        assert prediction.probs is not None and sum(prediction.probs) == pytest.approx(1)


def test_always_three_is_the_third_choice() -> None:
    assert build_baseline("always-3", [], seed=0).invoke(EXAM.to_input()).choice == 2


def test_chance_depends_on_the_item_and_the_seed_alone() -> None:
    items = [EXAM.model_copy(update={"id": f"q{i}"}) for i in range(1000)]
    choices = [build_baseline("chance", [], seed=0).invoke(item.to_input()).choice for item in items]
    assert choices == [build_baseline("chance", [], seed=0).invoke(item.to_input()).choice for item in items]
    counts = [choices.count(choice) for choice in range(5)]
    assert min(counts) > 150 and max(counts) < 250


def test_majority_is_the_training_items_and_its_probabilities_their_shares() -> None:
    prediction = build_baseline("majority", TRAIN, seed=0).invoke(TRAIN[0].to_input())
    assert prediction.choice == 0
    assert prediction.probs == pytest.approx([sum(item.target == i for item in TRAIN) / len(TRAIN) for i in range(3)])


def test_lexical_overlap_finds_the_copied_choice() -> None:
    assert build_baseline("lexical-overlap", [], seed=0).invoke(EXAM.to_input()).choice == 2


def test_tfidf_learns_what_words_give_away() -> None:
    predictor = build_baseline("tfidf", TRAIN, seed=0)
    answers = predictor.batch([item.to_input() for item in TRAIN[6:]])
    assert [answer.choice for answer in answers] == [item.target for item in TRAIN[6:]]


def test_tfidf_refuses_one_class() -> None:
    with pytest.raises(ConfigurationError, match="at least two classes"):
        build_baseline("tfidf", [item for item in TRAIN if item.target == 0], seed=0)


def test_an_unknown_baseline_names_the_known() -> None:
    with pytest.raises(ConfigurationError, match="unknown baseline 'always-9'"):
        needs_training("always-9")
