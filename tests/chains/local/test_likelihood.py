"""What is compared of the labels: their whole likelihood, its mean per token, or what the prompt adds to it."""

import math

import pytest
from langchain_core.messages import HumanMessage

from chains.local.likelihood import label_probs
from chains.mnli import mnli_zero_shot
from chains.models.wrappers import Qwen
from data.common.errors import ConfigurationError
from tests.support.scripted import ScriptedChatModel
from tests.support.tiny_models import THINKING, make_tiny_model, tiny_chat_models

LABELS = ["1", "neutral answer", " 3번 글"]
QUESTIONS = [[HumanMessage("where is the guitar?")], [HumanMessage("no one was there")]]
ITEM = {
    "premise": "A man plays the guitar.",
    "hypothesis": "A man is asleep.",
    "choices": ["entailment", "neutral", "contradiction"],
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_chat_models(tmp_path_factory.mktemp("tiny"))


def softmax(values):
    weights = [math.exp(value - max(values)) for value in values]
    return pytest.approx([weight / sum(weights) for weight in weights], abs=1e-5)


def test_a_long_label_wins_by_its_mean_and_an_unlikely_one_by_what_the_prompt_adds():
    logprobs = [-2.0, -3.0, -4.0]
    compare = {"n_tokens": [1, 3, 1], "unconditional": [-1.0, -2.5, -9.0]}
    assert label_probs(logprobs, "sum", **compare) == softmax([-2.0, -3.0, -4.0])
    assert label_probs(logprobs, "mean", **compare) == softmax([-2.0, -1.0, -4.0])
    assert label_probs(logprobs, "pmi", **compare) == softmax([-1.0, -0.5, 5.0])


def test_pmi_without_what_it_compares_with_is_refused():
    with pytest.raises(ValueError, match="needs the labels' log-likelihoods behind an empty message"):
        label_probs([-1.0], "pmi", n_tokens=[1], unconditional=None)


def test_a_model_compares_what_it_is_asked_to(tiny):
    model = tiny()
    plain = model.score(QUESTIONS, [LABELS] * 2)
    (alone,) = model.score([[HumanMessage("")]], [LABELS])
    n_tokens = [len(model.load().tokenizer.encode(label, add_special_tokens=False)) for label in LABELS]
    assert len(set(n_tokens)) > 1
    for one, mean, pmi in zip(
        plain,
        model.score(QUESTIONS, [LABELS] * 2, likelihood="mean"),
        model.score(QUESTIONS, [LABELS] * 2, likelihood="pmi"),
        strict=True,
    ):
        assert mean.logprobs == pytest.approx(one.logprobs, abs=1e-4)
        assert pmi.logprobs == pytest.approx(one.logprobs, abs=1e-4)
        assert mean.probs == softmax([logprob / n for logprob, n in zip(one.logprobs, n_tokens, strict=True)])
        assert pmi.probs == softmax([a - b for a, b in zip(one.logprobs, alone.logprobs, strict=True)])


def test_an_empty_block_of_thoughts_is_no_part_of_the_labels(tmp_path):
    model = Qwen(str(make_tiny_model(tmp_path / "thinking", chat_template=THINKING)), dtype="float32", device="cpu")
    quiet, opening = model.for_scoring()
    assert opening
    (score,) = model.score(QUESTIONS[:1], [LABELS], likelihood="mean")
    n_tokens = [len(quiet.load().tokenizer.encode(label, add_special_tokens=False)) for label in LABELS]
    assert score.probs == softmax([logprob / n for logprob, n in zip(score.logprobs, n_tokens, strict=True)])


@pytest.mark.parametrize("answering", ["score", "score-mean", "score-pmi"])
def test_a_chain_answers_with_what_is_compared(tiny, answering):
    model = tiny()
    prediction = mnli_zero_shot(model, answering=answering).invoke(ITEM)
    likelihood = {"score": "sum", "score-mean": "mean", "score-pmi": "pmi"}[answering]
    seen = []
    score = type(model).score
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "score", lambda *args, **kwargs: seen.append(kwargs) or score(*args, **kwargs))
        again = mnli_zero_shot(model, answering=answering).invoke(ITEM)
    assert [call["likelihood"] for call in seen] == [likelihood]
    assert prediction.probs == pytest.approx(again.probs)
    assert prediction.choice == max(range(3), key=prediction.probs.__getitem__)


@pytest.mark.parametrize("answering", ["score-mean", "score-pmi"])
def test_a_model_without_likelihoods_is_refused_in_the_words_of_the_option(answering):
    with pytest.raises(ConfigurationError, match=rf"^answering '{answering}' is not possible: the model gives no"):
        mnli_zero_shot(ScriptedChatModel(reply=lambda messages: ""), answering=answering)
