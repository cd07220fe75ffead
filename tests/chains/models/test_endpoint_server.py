"""`endpoint:` specs against a real OpenAI-compatible server: llama.cpp with the packaged SmolLM2 weights."""

from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from chains.models.specs import check_ready, describe_model, load_chat_model, supports_scoring
from tests.support.llama_server import llama_server

__all__ = ["llama_server"]
pytestmark = [pytest.mark.server, pytest.mark.weights]

ASKED = [SystemMessage("You answer with one word."), HumanMessage("What is the capital of France?")]


@pytest.fixture
def model(llama_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # no `.env`
    return load_chat_model(f"endpoint:smollm2@{llama_server}", max_tokens=12, seed=0)


def test_a_served_model_answers_and_counts_its_tokens(model, llama_server):
    check_ready(model)
    reply = model.invoke(ASKED)
    assert "Paris" in reply.content
    assert 0 < reply.usage_metadata["output_tokens"] <= 12
    assert reply.usage_metadata["input_tokens"] > 20
    assert reply.response_metadata["finish_reason"] in ("stop", "length")
    assert describe_model(model)["base_url"] == llama_server
    assert not supports_scoring(model)


def test_max_tokens_is_kept_and_said(model):
    reply = model.invoke([HumanMessage("Write a long story about a fox.")])
    assert reply.response_metadata["finish_reason"] == "length"
    assert reply.usage_metadata["output_tokens"] == 12


def test_a_batch_keeps_the_order_of_its_questions(model):
    lengths = (40, 10, 30, 20)
    questions = [[HumanMessage("Is this a long text? " + "word " * length)] for length in lengths]
    counted = [reply.usage_metadata["input_tokens"] for reply in model.batch(questions, {"max_concurrency": 2})]
    assert [count - counted[1] for count in counted] == [30, 0, 20, 10]


def test_a_stream_says_what_an_answer_says(model):
    assert "".join(chunk.content for chunk in model.stream(ASKED)) == model.invoke(ASKED).content


def test_a_chain_makes_the_same_records_of_a_served_and_a_local_model(model):
    from chains.mnli import mnli_zero_shot
    from data.types import Item, Prediction

    item = Item(
        id="mnli/one",
        inputs={"premise": "A man plays the guitar.", "hypothesis": "Somebody makes music."},
        choices=("entailment", "neutral", "contradiction"),
        target=0,
        group="mnli/one",
    )
    local = load_chat_model("smollm2", max_tokens=12)
    predictions = [
        mnli_zero_shot(model=asked, answering="generate").batch([item.to_input()] * 2) for asked in (model, local)
    ]
    for prediction in [*predictions[0], *predictions[1]]:
        assert isinstance(prediction, Prediction)
        assert prediction.raw
        assert {"input_tokens", "output_tokens"} <= set(prediction.usage)
