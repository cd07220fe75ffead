"""What a report says of its pairs and of the user's two questions: what the data supports, and no more."""

import pytest

from eval.report.summary import summarize
from tests.support.journaled_runs import answer, pair_item, right_where, write_run

ITEMS = [pair_item(number) for number in range(60)]
KINDS = {
    "tuned": {"kind": "finetune"},
    "chat": {"kind": "chain", "model": {"spec": "openai:a"}},
    "chat-2": {"kind": "chain", "model": {"spec": "openai:b"}},
    "found": {"kind": "chain", "model": {"spec": "openai:a"}, "retriever": {"name": "bm25", "k": 4}},
    "chance": {"kind": "baseline"},
}


def conclusion(tmp_path, right, lang="en"):
    """Conclude on systems that are right on their first n items."""

    def responder(name, n):
        return lambda item: answer(item, name, right_where(item, int(item.id.rsplit("/", 1)[1]) < n))

    systems = {name: responder(name, n) for name, n in right.items()}
    return summarize(write_run(tmp_path / "run", [("own", ITEMS, systems)], descriptions=KINDS), lang=lang).conclusion


def question(sentences, start):
    return [sentence for sentence in sentences if sentence.startswith(start)]


def test_fine_tuned_or_prompted_is_answered_where_the_tests_agree(tmp_path):
    said = conclusion(tmp_path, {"chat": 20, "tuned": 55})
    assert question(said, "Fine-tuned") == [
        "Fine-tuned or prompted? On these items, tuned is ahead of chat beyond chance."
    ]


def test_the_prompted_one_may_be_ahead(tmp_path):
    said = conclusion(tmp_path, {"tuned": 20, "chat": 55})
    assert "chat is ahead of tuned beyond chance" in question(said, "Fine-tuned")[0]


def test_no_answer_is_given_where_the_items_do_not_tell(tmp_path):
    said = conclusion(tmp_path, {"tuned": 30, "chat": 31})
    assert "chat and tuned are not distinguishable" in question(said, "Fine-tuned")[0]
    assert "ahead" not in " ".join(said)


def test_retrieval_is_set_beside_the_same_model_alone(tmp_path):
    said = conclusion(tmp_path, {"chat": 20, "chat-2": 50, "found": 55})
    assert question(said, "With retrieval") == [
        "With retrieval or by prompt alone? On these items, found is ahead of chat beyond chance."
    ]


@pytest.mark.parametrize("systems", [{"chance": 20, "tuned": 55}, {"chat": 20, "chat-2": 55}, {"tuned": 9}])
def test_a_question_that_no_pair_bears_on_is_not_asked(tmp_path, systems):
    said = conclusion(tmp_path, systems)
    assert not question(said, "Fine-tuned")
    assert not question(said, "With retrieval")


def test_every_pair_has_its_sentence(tmp_path):
    said = " ".join(conclusion(tmp_path, {"chat": 20, "tuned": 55, "chance": 21}))
    for pair in (
        "tuned is right more often than chat",
        "tuned is right more often than chance",
        "chance and chat are not",
    ):
        assert pair in said


def test_the_questions_are_asked_in_korean_too(tmp_path):
    said = conclusion(tmp_path, {"chat": 20, "tuned": 55, "found": 22}, lang="ko")
    assert question(said, "미세조정인가, 프롬프트인가?")
    assert question(said, "검색 증강(RAG)인가, 프롬프트")


def test_a_pair_that_did_not_both_answer_all_items_says_how_many_it_is_about(tmp_path):
    systems = {
        "chat": lambda item: answer(item, "chat", right_where(item, False)),
        "tuned": lambda item: answer(item, "tuned", item.target) if int(item.id.rsplit("/", 1)[1]) < 20 else None,
    }
    run = write_run(tmp_path / "run", [("own", ITEMS, systems)], descriptions=KINDS)
    (finding,) = (one for one in summarize(run).conclusion if "is right more often" in one)
    assert finding.startswith("On own, tuned is right more often than chat")
    assert finding.endswith("(Over the 20 items that both answered.)")
    assert "60 items" not in finding


def test_an_agent_is_set_beside_the_prompt_where_a_ladder_speaks_of_another_system(tmp_path):
    reader = {"kind": "chain", "model": {"spec": "openai:a"}, "prompt": "kice/minimal"}
    search = {"retriever": {"name": "bm25", "k": 4}}
    descriptions = {
        "alone": {**reader, "chain": "kice-choices-only"},
        "whole": {**reader, "chain": "kice-prompt"},
        "rag": {**reader, **search, "chain": "kice-rag"},
        "agent": {**reader, **search, "chain": "kice-agent", "prompt": "kice/agent"},
    }
    right = {"alone": 10, "whole": 20, "rag": 30, "agent": 55}

    def responder(name):
        return lambda item: answer(item, name, right_where(item, int(item.id.rsplit("/", 1)[1]) < right[name]))

    systems = {name: responder(name) for name in descriptions}
    run = write_run(tmp_path / "run", [("own", ITEMS, systems)], descriptions=descriptions)
    (against_own, agents) = question(summarize(run).conclusion, "With retrieval")[::-1]
    assert agents == "With retrieval or by prompt alone? On these items, agent is ahead of whole beyond chance."
    assert "Against the own passage in the prompt (whole): rag" in against_own
