"""Label scores against a plain forward pass: one prompt and one label at a time, no cache, no padding."""

import math
import random

import pytest
import torch
from langchain_core.messages import HumanMessage

from chains.local.chat_model import LocalChatModel
from chains.local.encoding import encode_labels, render
from chains.local.prefix_cache import keeps_everything
from chains.local.scoring import plan_prefixes, score_labels
from tests.support.tiny_models import KINDS, sentence, tiny_chat_models

LABELS = ["1", "2", "entailment", " 3번 글", "neutral answer", "not"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_chat_models(tmp_path_factory.mktemp("tiny"))


def exam(rng: random.Random, *, passages: int = 3, questions: int = 4):
    """Prompts that share an instruction, and in groups a passage; labels of one token and of several."""
    instruction = sentence(rng, 12)
    prompts = [
        f"{instruction} {passage} {sentence(rng, rng.randint(1, 12))}"
        for passage in [sentence(rng, rng.randint(15, 30)) for _ in range(passages)]
        for _ in range(questions)
    ]
    rng.shuffle(prompts)
    labels = [rng.sample(LABELS, rng.randint(1, len(LABELS))) for _ in prompts]
    return [[HumanMessage(prompt)] for prompt in prompts], labels


def one_at_a_time(model: LocalChatModel, messages, labels) -> list[float]:
    """Score labels the plain way: a forward pass of the whole text for each, no cache, no padding, no batch."""
    loaded = model.load()
    turns = [{"role": "user", "content": message.content} for message in messages]
    prompt = loaded.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    texts = [loaded.tokenizer.encode(prompt + label, add_special_tokens=False) for label in labels]
    bare = loaded.tokenizer.encode(prompt, add_special_tokens=False)
    boundary = next(k for k in range(len(bare) + 1) if k == len(bare) or any(ids[k] != bare[k] for ids in texts))
    logprobs = []
    for ids in texts:
        with torch.inference_mode():
            table = loaded.model(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(-1)
        logprobs.append(sum(table[k - 1, ids[k]].item() for k in range(boundary, len(ids))))
    return logprobs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("max_batch_tokens", [1, 300, 8192])
def test_scores_equal_a_plain_forward_pass(tiny, kind, max_batch_tokens):
    model = tiny(kind, max_batch_tokens=max_batch_tokens)
    conversations, labels = exam(random.Random(kind))
    scores = model.score(conversations, labels)
    for messages, names, score in zip(conversations, labels, scores, strict=True):
        assert score.logprobs == pytest.approx(one_at_a_time(model, messages, names), abs=1e-4)
        assert sum(score.probs) == pytest.approx(1)
        assert math.log(score.probs[0] / score.probs[-1]) == pytest.approx(score.logprobs[0] - score.logprobs[-1])


def test_scores_of_random_prompts_equal_a_plain_forward_pass(tiny):
    rng = random.Random(7)
    model = tiny()
    conversations = [[HumanMessage(sentence(rng, rng.randint(1, 60)))] for _ in range(200)]
    conversations += conversations[:5]
    labels = [[sentence(rng, rng.randint(1, 4)) for _ in range(rng.randint(1, 3))] for _ in conversations]
    for messages, names, score in zip(conversations, labels, model.score(conversations, labels), strict=True):
        assert score.logprobs == pytest.approx(one_at_a_time(model, messages, names), abs=1e-4)


def test_bfloat16_scores_are_near_and_do_not_tie(tiny):
    rng = random.Random(2)
    conversations = [[HumanMessage(sentence(rng, 20))] for _ in range(20)]
    labels = [["1", "2", "3", "4", "5"]] * 20
    exact = tiny().score(conversations, labels)
    half = tiny(dtype="bfloat16").score(conversations, labels)
    for one, other in zip(exact, half, strict=True):
        assert other.logprobs == pytest.approx(one.logprobs, abs=1.0)
        assert len(set(other.logprobs)) == 5


def test_a_window_shorter_than_the_prompts_turns_sharing_off(tiny):
    config = tiny("mistral-sliding").load().model.config
    assert keeps_everything(config, 24)
    assert not keeps_everything(config, 25)
    assert not keeps_everything(tiny("qwen2-half-sliding").load().model.config, 25)
    assert keeps_everything(tiny().load().model.config, 10**6)


@pytest.mark.parametrize("kind", ["llama-byte-level", "llama-metaspace"])
def test_labels_are_tokenized_where_they_stand(tiny, kind):
    """A prompt that ends in the middle of a word merges with the label: all labels then start at the same token."""
    loaded = tiny(kind).load()
    text, labels = "The answer is ent", ["ailment", "ree", " again"]
    bare = loaded.tokenizer.encode(text, add_special_tokens=False)
    prompt = encode_labels(loaded, text, labels)
    assert len(prompt.context) < len(bare) == prompt.input_tokens
    for label, continuation in zip(labels, prompt.continuations, strict=True):
        whole = loaded.tokenizer.encode(text + label, add_special_tokens=False)
        assert [*prompt.context, *continuation] == whole
    (scores,) = score_labels(loaded, [prompt], max_batch_tokens=8192)
    for ids, score in zip(prompt.continuations, scores, strict=True):
        with torch.inference_mode():
            table = loaded.model(input_ids=torch.tensor([[*prompt.context, *ids]])).logits[0].log_softmax(-1)
        start = len(prompt.context)
        assert score == pytest.approx(sum(table[start + k - 1, token].item() for k, token in enumerate(ids)), abs=1e-4)


def test_a_shared_passage_is_computed_once(tiny):
    model = tiny()
    conversations, labels = exam(random.Random(3), passages=2, questions=5)
    computed = []
    loaded = model.load()
    hook = loaded.model.model.register_forward_pre_hook(
        lambda _, args, kwargs: computed.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    try:
        model.score(conversations, [["1"]] * len(labels))
    finally:
        hook.remove()
    rendered = [loaded.tokenizer.encode(render(loaded, messages, {})) for messages in conversations]
    assert sum(computed) < 0.6 * sum(map(len, rendered))


def test_prefixes_hold_every_prompt_once_and_none_whole():
    rng = random.Random(1)
    instruction = [rng.randrange(9) for _ in range(20)]
    passages = [[rng.randrange(9) for _ in range(200)] for _ in range(3)]
    rows = [instruction + passage + [rng.randrange(9)] * rng.randint(1, 9) for passage in passages for _ in range(5)]
    rows += [instruction + passages[0], rows[0], instruction, [1]]
    rows += [[7] * k for k in range(1, 1200)]  # each begins the next: nothing may recurse once a row
    seen = []
    pending = [plan_prefixes(rows)]
    while pending:
        prefix = pending.pop()
        for row in prefix.rows:
            assert len(rows[row]) > prefix.end
            assert rows[row][: prefix.end] == rows[prefix.example][: prefix.end]
            seen.append(row)
        assert all(child.start == prefix.end < child.end for child in prefix.children)
        pending.extend(prefix.children)
    assert sorted(seen) == list(range(len(rows)))


def test_score_refuses_what_cannot_be_scored(tiny):
    model = tiny()
    with pytest.raises(ValueError, match="2 conversations, but labels for 1"):
        model.score([[HumanMessage("a")], [HumanMessage("b")]], [["1"]])
    with pytest.raises(ValueError, match="no labels"):
        model.score([[HumanMessage("a")]], [[]])
    with pytest.raises(ValueError, match="adds no token"):
        model.score([[HumanMessage("a")]], [["1", ""]])
    assert model.score([], []) == []


@pytest.mark.parametrize("kind", ["llama-byte-level", "qwen2-byte-level"])
def test_long_prefixes_pass_in_chunks(tiny, kind, monkeypatch):
    monkeypatch.setattr("chains.local.scoring.CHUNK_TOKENS", 16)
    monkeypatch.setattr("chains.local.scoring.BUSY_TOKENS", 40)
    model = tiny(kind)
    conversations, labels = exam(random.Random(11))
    for messages, names, score in zip(conversations, labels, model.score(conversations, labels), strict=True):
        assert score.logprobs == pytest.approx(one_at_a_time(model, messages, names), abs=1e-4)
