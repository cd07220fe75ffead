"""Baselines: each is what its name says, and answers like any other predictor."""

import pytest

from data.common.errors import ConfigurationError
from data.types import Item, Prediction
from eval.plan.baselines import BASELINES, Parts, build_baseline, check_baseline

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
    items = TRAIN if BASELINES[name].learns else [EXAM]
    predictor = build_baseline(name, Parts(TRAIN, 0))
    inputs = [item.to_input() for item in items[:5]]
    together = predictor.batch(inputs)
    alone = [predictor.invoke(entry) for entry in inputs]
    assert [one.choice for one in together] == [one.choice for one in alone]
    for one, other in zip(together, alone, strict=True):  # bf16 rounds by the batch
        assert one.probs == pytest.approx(other.probs, abs=0.02 if name == "nearest" else 1e-12)
    for prediction in together:
        assert isinstance(prediction, Prediction)
        assert prediction.probs is not None and sum(prediction.probs) == pytest.approx(1)


def test_always_three_is_the_third_choice() -> None:
    assert build_baseline("always-3", Parts([], 0)).invoke(EXAM.to_input()).choice == 2


def test_chance_depends_on_the_item_and_the_seed_alone() -> None:
    items = [EXAM.model_copy(update={"id": f"q{i}"}) for i in range(1000)]
    choices = [build_baseline("chance", Parts([], 0)).invoke(item.to_input()).choice for item in items]
    assert choices == [build_baseline("chance", Parts([], 0)).invoke(item.to_input()).choice for item in items]
    counts = [choices.count(choice) for choice in range(5)]
    assert min(counts) > 150 and max(counts) < 250


def test_majority_is_the_training_items_and_its_probabilities_their_shares() -> None:
    prediction = build_baseline("majority", Parts(TRAIN, 0)).invoke(TRAIN[0].to_input())
    assert prediction.choice == 0
    assert prediction.probs == pytest.approx([sum(item.target == i for item in TRAIN) / len(TRAIN) for i in range(3)])


def test_majority_answers_items_with_fewer_and_more_choices_than_others() -> None:
    def question(number: int, n_choices: int, target: int) -> Item:
        choices = tuple("abcde"[:n_choices])
        return Item(id=f"m{number}", inputs={"question": "q"}, choices=choices, target=target, group=f"g{number}")

    learnt = [question(0, 3, 1), question(1, 5, 4), question(2, 5, 4), question(3, 4, 1), question(4, 5, 4)]
    predictor = build_baseline("majority", Parts(learnt, 0))
    three, five = predictor.batch([question(9, n, 0).to_input() for n in (3, 5)])
    assert (three.choice, five.choice) == (1, 4)
    assert three.probs == (0, 1, 0) and five.probs == pytest.approx((0, 0.4, 0, 0, 0.6))


def test_lexical_overlap_finds_the_copied_choice() -> None:
    assert build_baseline("lexical-overlap", Parts([], 0)).invoke(EXAM.to_input()).choice == 2


def test_tfidf_learns_what_words_give_away() -> None:
    predictor = build_baseline("tfidf", Parts(TRAIN, 0))
    answers = predictor.batch([item.to_input() for item in TRAIN[6:]])
    assert [answer.choice for answer in answers] == [item.target for item in TRAIN[6:]]


def foreign(number: int, text: str, target: int) -> Item:
    inputs = {"제목": "문의", "내용": f"{text} {number}"}
    return Item(id=f"f{number}", inputs=inputs, choices=("배송", "환불"), target=target, group=f"g{number}")


@pytest.mark.parametrize("name", ["tfidf", "nearest"])
def test_learners_read_every_text_whatever_it_is_called(name: str) -> None:
    words = ["택배가 아직 안 와요", "돈을 돌려받고 싶어요"]
    learnt = [foreign(number, words[number % 2], number % 2) for number in range(20)]
    predictor = build_baseline(name, Parts(learnt, 0, "e5-small"))
    asked = [foreign(99, "택배는 언제 오나요", 0), foreign(98, "돈 돌려주세요", 1)]
    assert [answer.choice for answer in predictor.batch([item.to_input() for item in asked])] == [0, 1]


def test_nearest_knows_what_is_meant_where_no_word_is_shared() -> None:
    texts = ["The parcel has not arrived yet", "I want my money back", "My delivery is late", "Please give me a refund"]
    learnt = [
        Item(id=f"{n}", inputs={"t": f"{texts[n % 4]} {n}"}, choices=("a", "b"), target=n % 2, group=f"{n}")
        for n in range(16)
    ]
    predictor = build_baseline("nearest", Parts(learnt, 0))
    asked = ["Where does my package stay?", "Could you reimburse us?"]
    answers = predictor.batch([{"id": text, "t": text, "choices": ["a", "b"]} for text in asked])
    assert [answer.choice for answer in answers] == [0, 1]


def test_learners_of_items_with_choices_of_their_own_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="share their labels"):
        check_baseline("nearest", [TRAIN[0], EXAM])


def test_tfidf_refuses_one_class() -> None:
    with pytest.raises(ConfigurationError, match="at least two classes"):
        check_baseline("tfidf", [item for item in TRAIN if item.target == 0])


def test_an_unknown_baseline_names_the_known() -> None:
    with pytest.raises(ConfigurationError, match="unknown baseline 'always-9'"):
        check_baseline("always-9", TRAIN)
