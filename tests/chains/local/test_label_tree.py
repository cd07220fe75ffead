"""The tree of labels: what it holds, that its scores are those of one label at a time, and which models take it."""

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from chains.local.encoding import LabelledPrompt
from chains.local.label_tree import count_nodes, grow_tree, takes_trees
from chains.local.scoring import score_labels
from chains.local.weights import LoadedModel

VOCABULARY = 300
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
# Rotary, learned and no positions; a gated and a plain layer; windows longer than the prompts; distances as a bias.
TAKING = {
    "llama": {},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "gemma2": {"head_dim": 8, "sliding_window": 200},
    "gpt_neox": {},
}
REFUSING = {
    "bloom": {"n_layer": 2, "n_head": 4},
    "falcon": {"alibi": True},
    "mpt": {"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 256},
}
token_labels = st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=5), min_size=1, max_size=12)


def random_model(architecture: str) -> LoadedModel:
    config = AutoConfig.for_model(architecture, **SIZES | (TAKING | REFUSING)[architecture])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    return LoadedModel(model, None, architecture, None, 256, frozenset())


def prompts_with_many_labels(rng: random.Random, *, n_prompts: int = 6) -> list[LabelledPrompt]:
    """Prompts of different lengths, half of them with a shared beginning, each with labels that share theirs."""

    def tokens(n: int) -> tuple[int, ...]:
        return tuple(rng.randrange(3, VOCABULARY) for _ in range(n))

    shared = tokens(40)
    prompts = []
    for k in range(n_prompts):
        stems = [tokens(rng.randint(1, 3)) for _ in range(4)]
        labels = [stem + tokens(rng.randint(0, 3)) for stem in stems for _ in range(5)]
        labels += [labels[0], labels[0] + tokens(1), labels[0][:1]]  # equal ones, a label that goes on, a lone token
        rng.shuffle(labels)
        prompts.append(LabelledPrompt((shared if k % 2 else ()) + tokens(rng.randint(2, 30)), tuple(labels), 0))
    return prompts


def one_at_a_time(loaded: LoadedModel, prompt: LabelledPrompt) -> list[float]:
    logprobs = []
    for ids in prompt.continuations:
        with torch.inference_mode():
            logits = loaded.model(input_ids=torch.tensor([[*prompt.context, *ids]])).logits[0].float()
        table = logits.log_softmax(dim=-1)[len(prompt.context) - 1 :]
        logprobs.append(sum(table[place, token].item() for place, token in enumerate(ids)))
    return logprobs


@given(token_labels)
def test_a_node_is_a_beginning_and_sees_its_own_beginnings(labels):
    tree = grow_tree(labels)
    beginnings = {tuple(ids[:end]) for ids in labels for end in range(1, len(ids))}
    spelled = [tuple(tree.tokens[row].tolist()) for row in tree.visible]
    assert len(spelled) == len(set(spelled)) == count_nodes(labels)
    assert set(spelled) == beginnings
    assert tree.depths.tolist() == [len(beginning) - 1 for beginning in spelled]
    assert not tree.visible.triu(1).any()
    assert tree.branches == any(one[: len(other)] != other for one in beginnings for other in beginnings if one > other)


@given(token_labels)
def test_each_label_is_read_along_its_own_path(labels):
    tree = grow_tree(labels)
    logits = torch.randn(len(tree.tokens), 4, generator=torch.Generator().manual_seed(0))
    table = logits.log_softmax(dim=-1)
    at = {tuple(tree.tokens[row].tolist()): node for node, row in enumerate(tree.visible)}
    for ids, found in zip(labels, tree.sum_logprobs(logits), strict=True):
        read = sum(table[at[tuple(ids[:end])], ids[end]].item() for end in range(1, len(ids)))
        assert found == pytest.approx(read, abs=1e-5)


@pytest.mark.parametrize("max_batch_tokens", [1, 30, 8192])
@pytest.mark.parametrize("architecture", [*TAKING, *REFUSING])
def test_scores_in_a_tree_are_those_of_one_label_at_a_time(architecture, max_batch_tokens):
    loaded = random_model(architecture)
    prompts = prompts_with_many_labels(random.Random(architecture))
    for prompt, scores in zip(prompts, score_labels(loaded, prompts, max_batch_tokens=max_batch_tokens), strict=True):
        assert scores == pytest.approx(one_at_a_time(loaded, prompt), abs=1e-4)
    assert takes_trees(loaded) == (architecture in TAKING)


def test_what_labels_share_is_computed_once_and_prompts_are_not_repeated():
    loaded = random_model("llama")
    prompts = prompts_with_many_labels(random.Random(5))
    takes_trees(loaded)
    computed = []
    hook = loaded.model.model.register_forward_pre_hook(
        lambda _, args, kwargs: computed.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    try:
        score_labels(loaded, prompts, max_batch_tokens=8192)
    finally:
        hook.remove()
    nodes = [count_nodes([ids for ids in prompt.continuations if len(ids) > 1]) for prompt in prompts]
    assert max(rows for rows, _ in computed) <= len(prompts)
    most = len(prompts) * (max(nodes) + max(len(prompt.context) for prompt in prompts))
    assert sum(rows * columns for rows, columns in computed) <= most


@pytest.mark.parametrize("ignored", ["mask", "positions", "nothing"])
def test_a_model_that_ignores_what_a_tree_needs_is_found_out(ignored):
    loaded = random_model("llama")

    def change(_, args, kwargs):
        mask = kwargs["attention_mask"]
        if ignored == "mask" and mask.dim() == 4:
            kwargs["attention_mask"] = torch.ones(len(mask), mask.shape[-1], dtype=torch.long)
        if ignored == "positions":
            kwargs["position_ids"] = None
        return args, kwargs

    hook = loaded.model.register_forward_pre_hook(change, with_kwargs=True)
    try:
        assert takes_trees(loaded) == (ignored == "nothing")
    finally:
        hook.remove()


def test_running_out_of_memory_says_nothing_about_a_model():
    loaded = random_model("llama")

    def refuse(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    hook = loaded.model.register_forward_pre_hook(refuse)
    with pytest.raises(torch.OutOfMemoryError):
        takes_trees(loaded)
    hook.remove()
    assert takes_trees(loaded)
