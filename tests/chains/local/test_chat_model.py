"""The local chat model against `generate` of transformers and LangChain's own `invoke`; its traces; its templates."""

import asyncio
import random
from pathlib import Path

import pytest
import torch
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers.context import collect_runs

from chains.local.chat_model import ContextLengthError, LabelScores, LocalChatModel
from chains.local.encoding import render
from data.common.errors import ConfigurationError
from tests.support.tiny_models import CHATML, KINDS, MISTRAL, THINKING, make_tiny_model, sentence, tiny_chat_models


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_chat_models(tmp_path_factory.mktemp("tiny"))


def test_a_conversation_beyond_the_context_sinks_no_other(tiny):
    model = tiny(max_tokens=4)
    short, long = [HumanMessage("Read the passage.")], [HumanMessage("guitar " * 600)]
    with pytest.raises(ContextLengthError, match=r"takes \d+ tokens and .* at most 512"):
        model.score([short, long], [["1"], ["1"]])
    scores = model.score([short, long, short], [["1", "2"]] * 3, return_exceptions=True)
    assert isinstance(scores[1], ContextLengthError)
    alone = model.score([short], [["1", "2"]])[0]
    for score in (scores[0], scores[2]):  # batches of another size add up their numbers in another order
        assert score.logprobs == pytest.approx(alone.logprobs, rel=1e-5)
    replies = model.batch([short, long], return_exceptions=True)
    assert isinstance(replies[0], AIMessage)
    assert isinstance(replies[1], ContextLengthError)
    with pytest.raises(ContextLengthError):
        model.batch([short, long])
    with pytest.raises(ContextLengthError):
        model.invoke(long)


def test_a_reply_ends_where_the_context_does(tiny):
    model = tiny(max_tokens=100_000)
    reply = model.invoke([HumanMessage("Read " * 80)])
    if reply.response_metadata["finish_reason"] == "length":
        assert reply.usage_metadata["total_tokens"] == 512


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_says_what_transformers_generates(tiny, kind):
    rng = random.Random(kind)
    prompts = [sentence(rng, rng.randint(1, 30)) for _ in range(12)]
    model = tiny(kind, max_tokens=24, max_batch_tokens=400)
    loaded = model.load()
    for prompt, reply in zip(prompts, model.batch(prompts), strict=True):
        ids = loaded.tokenizer.encode(render(loaded, [HumanMessage(prompt)], {}), add_special_tokens=False)
        generated = loaded.model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=24,
            do_sample=False,
            eos_token_id=sorted(loaded.stop_ids),
            pad_token_id=0,
        )[0, len(ids) :].tolist()
        ended = generated[-1] in loaded.stop_ids
        assert reply.content == loaded.tokenizer.decode(generated, skip_special_tokens=True)
        assert reply.usage_metadata["input_tokens"] == len(ids)
        assert reply.usage_metadata["output_tokens"] == len(generated)
        assert reply.response_metadata["finish_reason"] == ("stop" if ended else "length")


@pytest.mark.parametrize("kind", ["llama-byte-level", "llama-metaspace"])
@pytest.mark.parametrize("settings", [{}, {"temperature": 1.0, "seed": 3}, {"temperature": 0.8, "seed": 3, "top_k": 9}])
def test_batch_invoke_and_stream_say_the_same(tiny, kind, settings):
    rng = random.Random(5)
    prompts = [sentence(rng, rng.randint(1, 40)) for _ in range(9)]
    model = tiny(kind, max_tokens=20, **settings)
    replies = model.batch(prompts)
    for prompt, reply in zip(prompts, replies, strict=True):
        alone = model.invoke(prompt)
        chunks = list(model.stream(prompt))
        streamed = sum(chunks[1:], chunks[0])
        assert reply.content == alone.content == streamed.content
        assert reply.usage_metadata == alone.usage_metadata == streamed.usage_metadata
        assert reply.response_metadata.items() <= alone.response_metadata.items()
        assert streamed.response_metadata["finish_reason"] == reply.response_metadata["finish_reason"]
        assert len(chunks) > 1


def test_sampling_heeds_seed_and_bounds(tiny):
    prompt = "Does the premise mean that the hypothesis is true?"
    greedy = tiny(max_tokens=12).invoke(prompt).content
    assert tiny(max_tokens=12, temperature=1.5, seed=1, top_k=1).invoke(prompt).content == greedy
    assert tiny(max_tokens=12, temperature=1.5, seed=1, top_p=1e-9).invoke(prompt).content == greedy
    replies = {tiny(max_tokens=12, temperature=1.5, seed=seed).invoke(prompt).content for seed in range(4)}
    assert len(replies) > 1


def test_a_stop_string_ends_a_reply_and_is_no_part_of_it(tiny):
    model = tiny(max_tokens=24)
    prompts = ["Read the passage.", "Nobody answers.", "정답은?"]
    whole = [message.content for message in model.batch(prompts)]
    stop = whole[0][4:7]
    assert stop
    for text, message in zip(whole, model.batch(prompts, stop=[stop]), strict=True):
        assert message.content == text.split(stop)[0]
        if stop in text:
            assert message.response_metadata["finish_reason"] == "stop"
    streamed = list(model.stream(prompts[0], stop=[stop]))
    assert "".join(chunk.content for chunk in streamed) == whole[0].split(stop)[0]
    assert model.bind(stop=[stop]).batch(prompts)[0].content == whole[0].split(stop)[0]


def test_options_of_one_call(tiny):
    model = tiny(max_tokens=24)
    assert model.invoke("Read.", max_tokens=3).usage_metadata["output_tokens"] <= 3
    assert model.batch(["Read."], max_tokens=3)[0].usage_metadata["output_tokens"] <= 3
    with pytest.raises(ValueError, match="takes no presence_penalty"):
        model.invoke("Read.", presence_penalty=1)


def test_each_input_of_a_batch_is_a_run_of_its_own(tiny):
    model = tiny(max_tokens=4)
    configs = [{"run_name": f"item-{k}", "tags": [f"t{k}"], "metadata": {"item": k}} for k in range(3)]
    with collect_runs() as traced:
        replies = model.batch(["Read.", "Answer.", "정답은?"], configs)
    runs = sorted(traced.traced_runs, key=lambda run: run.name)
    assert [run.name for run in runs] == ["item-0", "item-1", "item-2"]
    for k, (run, reply) in enumerate(zip(runs, replies, strict=True)):
        assert run.run_type == "llm"
        assert run.error is None
        assert f"t{k}" in run.tags
        assert run.extra["metadata"]["item"] == k
        assert run.extra["metadata"]["ls_model_name"] == model.model_ref
        assert str(run.id) in reply.id
        assert run.outputs["generations"][0][0]["text"] == reply.content


def test_a_scored_conversation_is_a_run_inside_its_chain(tiny):
    model = tiny()

    def answer(prompt, config):
        (scores,) = model.score([prompt.to_messages()], [["1", "2"]], config=config)
        return scores

    chain = ChatPromptTemplate([("system", "Answer."), ("human", "{question}")]) | RunnableLambda(answer)
    with collect_runs() as traced:
        scores = chain.invoke({"question": "윗글에 대한 이해로 가장 적절한 것은?"})
    assert isinstance(scores, LabelScores)
    (root,) = traced.traced_runs
    (run,) = root.child_runs[-1].child_runs
    assert run.run_type == "llm"
    assert "윗글에 대한 이해로 가장 적절한 것은?" in run.inputs["prompts"][0]
    assert run.outputs["generations"][0][0]["text"] == ["1", "2"][scores.probs.index(max(scores.probs))]


def test_a_failed_item_ends_its_run_with_the_error(tiny):
    model = tiny(max_tokens=2)
    with collect_runs() as traced:
        model.batch(["Read.", "guitar " * 600], return_exceptions=True)
    assert [bool(run.error) for run in sorted(traced.traced_runs, key=lambda run: bool(run.error))] == [False, True]
    with collect_runs() as traced, pytest.raises(ContextLengthError):
        model.batch(["Read.", "guitar " * 600])
    assert len(traced.traced_runs) == 2
    assert all(run.error for run in traced.traced_runs)


async def _gather(model, prompts):
    return await model.abatch(prompts), await model.ainvoke(prompts[0]), [c async for c in model.astream(prompts[0])]


def test_async_says_the_same(tiny):
    model = tiny(max_tokens=6)
    prompts = ["Read.", "Answer the question.", "정답은?"]
    batched, alone, chunks = asyncio.run(_gather(model, prompts))
    assert [message.content for message in batched] == [message.content for message in model.batch(prompts)]
    assert alone.content == batched[0].content == "".join(chunk.content for chunk in chunks)


def test_a_batch_inside_a_sequence_is_one_batch(tiny):
    model = tiny(max_tokens=3)
    passes = []
    chain = ChatPromptTemplate([("human", "{question}")]) | model | (lambda message: message.content)
    hook = model.load().model.register_forward_pre_hook(
        lambda _, args, kwargs: passes.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    try:
        replies = chain.batch([{"question": "Read."}, {"question": "Answer."}])
    finally:
        hook.remove()
    assert len(replies) == 2
    assert passes[0] == 2


def test_equal_references_share_their_weights(tiny):
    assert tiny(temperature=0.5).load() is tiny(max_tokens=3).load()


def test_templates(tmp_path: Path):
    mistral = make_tiny_model(tmp_path / "mistral", architecture="mistral", chat_template=MISTRAL)
    model = LocalChatModel(model_ref=str(mistral), dtype="float32", max_tokens=2)
    with pytest.raises(ConfigurationError, match="refuses these messages"):
        model.invoke([SystemMessage("Answer."), HumanMessage("1?")])
    bare = make_tiny_model(tmp_path / "bare", chat_template=None)
    with pytest.raises(ConfigurationError, match="no chat template"):
        LocalChatModel(model_ref=str(bare)).invoke("Read.")
    switch = THINKING.replace("<think>\n", "{% if enable_thinking is not false %}<think>\n{% endif %}")
    thinking = make_tiny_model(tmp_path / "thinking", chat_template=switch)
    silent = LocalChatModel(model_ref=str(thinking), template_options={"enable_thinking": False})
    plain = make_tiny_model(tmp_path / "plain", chat_template=CHATML)
    messages = [HumanMessage("Read.")]
    loaded = silent.load()
    assert render(loaded, messages, {}).endswith("<think>\n")
    assert render(loaded, messages, silent.template_options) == render(
        LocalChatModel(model_ref=str(plain)).load(), messages, {}
    )
