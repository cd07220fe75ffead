"""Classification of any texts: what is shown, which examples may be, and how candidates are mapped back."""

import pytest
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage

from chains.classify import candidate_places, classify
from chains.examples import FindExamples, choose_fixed, example_passages, item_text
from data.common.errors import ConfigurationError
from data.types import Item
from retrievers.registry import build_retriever
from tests.support.scripted import ScriptedChatModel

LABELS = ("refund", "card", "other")
WORDS = ("refund my money please", "my card is lost somewhere", "what is the weather like")


def item(number: int, *, text: str = "", group: str = "") -> Item:
    kind = number % 3
    return Item(
        id=f"t/{number}",
        inputs={"Betreff": text or f"{WORDS[kind]} number {number}"},
        choices=LABELS,
        target=kind,
        group=group or f"g{number}",
    )


TRAIN = [item(number) for number in range(30)]


def similar(n: int = 4, train: list[Item] = TRAIN) -> FindExamples:
    retriever = build_retriever("bm25", example_passages(train), k=n, chunk=False)
    return FindExamples(items={one.id: one for one in train}, n=n, retriever=retriever)


def shown(messages: list[BaseMessage]) -> str:
    return messages[-1].text


def test_labels_with_their_meanings_and_the_text_are_shown() -> None:
    model = ScriptedChatModel(reply=lambda messages: "card")
    chain = classify(model, meanings={"refund": "wants money back"})
    assert chain.invoke(item(1).to_input()).choice == 1
    assert "- refund: wants money back\n- card\n- other" in shown(model.calls[0])
    assert "Text: my card is lost somewhere number 1" in shown(model.calls[0])


def test_several_texts_are_shown_by_name() -> None:
    two = item(0).model_copy(update={"inputs": {"Subject": "hello", "Body": "refund"}})
    assert item_text(two.to_input()) == "Subject: hello\nBody: refund"


def copies_its_nearest(messages: list[BaseMessage]) -> str:
    """Answer as the example does that stands next to the text."""
    return messages[-2].text


def test_a_model_that_copies_its_nearest_example_is_the_nearest_neighbour() -> None:
    chain = classify(ScriptedChatModel(reply=copies_its_nearest), prompt="classify/examples", examples=similar())
    asked = [item(number + 90, text=f"{WORDS[number % 3]} indeed") for number in range(9)]
    answers = chain.batch([one.to_input() for one in asked])
    assert [answer.choice for answer in answers] == [one.target for one in asked]
    assert all(len(answer.document_ids) == 4 for answer in answers)


def test_the_item_s_own_text_and_group_are_never_shown() -> None:
    twin = item(99, text="Refund  MY money please number 0")  # an item that is learnt from, but for case and spaces
    of_group = item(98, text="refund my money please number 3", group="g6")
    find = similar(n=30)
    for asked, barred in ((twin, {"t/0"}), (of_group, {"t/6", "t/3"}), (TRAIN[0], {"t/0"})):
        (found,) = find.batch([asked.to_input()])
        assert found and not barred & {document.id for document in found}


def test_candidates_come_from_more_neighbours_than_are_shown() -> None:
    fruits = [
        "apple",
        "pear",
        "plum",
        "grape",
        "lemon",
        "cherry",
        "peach",
        "mango",
        "banana",
        "orange",
        "melon",
        "papaya",
    ]
    labels = tuple(f"about {fruit}" for fruit in fruits)
    train = [
        Item(id=f"t{n}", inputs={"text": f"money {fruits[n % 12]}"}, choices=labels, target=n % 12, group=f"g{n}")
        for n in range(120)
    ]
    model = ScriptedChatModel(reply=lambda messages: "about mango")
    chain = classify(model, prompt="classify/examples", examples=similar(2, train), candidates=6)
    (answer,) = chain.batch([{"id": "x", "text": "mango money please", "choices": list(labels), "group": "x"}])
    assert answer.choice == 7 and len(answer.candidates) == 6 and len(answer.document_ids) == 2
    assert [message.type for message in model.calls[0]] == ["system", *["human", "ai"] * 2, "human"]


def test_examples_are_turns_before_the_text_the_most_similar_one_last() -> None:
    model = ScriptedChatModel(reply=lambda messages: "card")
    classify(model, prompt="classify/examples", examples=similar(2)).invoke(item(91, text="my card is lost").to_input())
    assert [message.type for message in model.calls[0]] == ["system", *["human", "ai"] * 2, "human"]
    assert model.calls[0][-2].text == "card" and shown(model.calls[0]) == "Text: my card is lost"


def test_a_prompt_that_cannot_show_examples_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has no 'example'"):
        classify(ScriptedChatModel(reply=lambda messages: "card"), examples=similar())


@pytest.mark.parametrize("select", ["random", "balanced"])
def test_fixed_examples_are_drawn_by_the_seed(select: str) -> None:
    drawn = [choose_fixed(TRAIN, select=select, n=6, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    if select == "balanced":
        by_id = {one.id: one.target for one in TRAIN}
        assert sorted(by_id[one] for one in drawn[0][:6]) == [0, 0, 1, 1, 2, 2]
    find = FindExamples(items={one.id: one for one in TRAIN}, n=6, fixed=drawn[0])
    (found,) = find.batch([item(91).to_input()])
    assert [document.id for document in found] == list(drawn[0][:6])


def test_candidates_are_the_examples_labels_and_answers_are_of_all_labels() -> None:
    documents = [Document(page_content="", metadata={"label": label}) for label in ("other", "card", "other")]
    assert candidate_places(LABELS, documents, 2) == [1, 2]
    model = ScriptedChatModel(reply=lambda messages: "other")
    chain = classify(model, prompt="classify/examples", examples=similar(), candidates=2)
    answer = chain.invoke(item(92, text="what is the weather like my card").to_input())
    assert answer.choice == 2
    assert model.calls[0][0].text.count("\n- ") == 2
