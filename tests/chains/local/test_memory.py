"""Token budgets from free memory, and running out of it: batches shrink, answers stay, nothing is computed twice."""

import random
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from langchain_core.messages import HumanMessage

from chains.local import generation
from chains.local import scoring as label_scoring
from chains.local.batching import run_batches
from chains.local.chat_model import LocalChatModel
from chains.local.memory import (
    MOST_TOKENS,
    MemoryLimitError,
    TokenBudget,
    bytes_per_token,
    free_bytes,
    free_host_bytes,
    is_out_of_memory,
    token_budget,
    tokens_that_fit,
)
from tests.support.tiny_models import sentence, tiny_chat_models

CPU = torch.device("cpu")
GIB = 2**30
ON_CPU = "[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to ..."
OUT_OF_MEMORY = [RuntimeError(ON_CPU), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")]
LABELS = ["1", "2", "entailment", "neutral answer", "not"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_chat_models(tmp_path_factory.mktemp("tiny"))


@contextmanager
def memory_of(model: LocalChatModel, n_slots: int, error: Exception):
    """Let a forward pass fail that attends to more than `n_slots`, all rows together; yield the passes that failed."""
    failed = []

    def refuse(_, args, kwargs):
        rows, slots = kwargs["attention_mask"].shape[0], kwargs["attention_mask"].shape[-1]
        if rows * slots > n_slots:
            failed.append((rows, slots))
            raise error

    hook = model.load().model.register_forward_pre_hook(refuse, with_kwargs=True)
    try:
        yield failed
    finally:
        hook.remove()


def test_more_tokens_fit_into_more_memory_and_never_none():
    free = [-GIB, 0, 1, 10**6, GIB, 4 * GIB, 64 * GIB]
    fitting = [tokens_that_fit(size, 500_000, most=4096) for size in free]
    assert fitting == sorted(fitting)
    assert fitting[0] == fitting[2] == 1
    assert 1000 < fitting[4] < GIB / 500_000
    assert fitting[-1] == tokens_that_fit(None, 500_000, most=4096) == 4096


def test_a_token_costs_its_keys_values_activations_and_logits():
    sizes = {"hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "vocab_size": 49_152}
    config = SimpleNamespace(**sizes, num_key_value_heads=3, head_dim=64, intermediate_size=1536)
    bare = bytes_per_token(config, dtype_bytes=2, logits_per_token=0)
    assert bare == 2 * 30 * 3 * 64 * 2 + 6 * 1536 * 2
    assert bytes_per_token(config, dtype_bytes=4, logits_per_token=0) == 2 * bare
    assert bytes_per_token(config, dtype_bytes=2, logits_per_token=1) >= bare + 49_152 * 4
    # What a configuration does not say costs more, not less.
    assert bytes_per_token(SimpleNamespace(**sizes), dtype_bytes=2, logits_per_token=0) > bare
    config.intermediate_size = [1536, 3072]
    assert bytes_per_token(config, dtype_bytes=2, logits_per_token=0) == bare + 6 * 1536 * 2


def test_the_budget_is_what_was_asked_for_or_what_fits(tiny, monkeypatch):
    loaded = tiny().load()
    assert token_budget(loaded, 77).tokens == 77
    found = []
    for free in (0, 10 * 2**20, 100 * 2**20, None):
        monkeypatch.setattr("chains.local.memory.free_bytes", lambda device, free=free: free)
        found.append(token_budget(loaded, None).tokens)
    assert found[0] == 1 < found[1] < found[2] <= found[3] == MOST_TOKENS
    monkeypatch.setattr("chains.local.memory.free_bytes", lambda device: 10 * 2**20)
    assert token_budget(loaded, None, logits_per_token=0.01).tokens > found[1]


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_free_host_memory_heeds_every_limit(tmp_path):
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    assert free_host_bytes(proc, groups) is None
    write(proc, meminfo="MemTotal: 32 kB\nMemAvailable:   16777216 kB\n")
    assert free_host_bytes(proc, groups) == 16 * GIB
    write(proc / "self", cgroup="0::/user/job\n")
    assert free_host_bytes(proc, groups) == 16 * GIB
    write(groups / "user/job", memory__max="max\n", memory__current=str(GIB))
    assert free_host_bytes(proc, groups) == 16 * GIB
    write(groups / "user", memory__max=str(4 * GIB), memory__current=str(2 * GIB))  # of the group around it
    assert free_host_bytes(proc, groups) == 2 * GIB
    write(groups / "user", memory__stat=f"anon 5\ninactive_file {GIB}\n")  # cached files make way
    assert free_host_bytes(proc, groups) == 3 * GIB
    write(groups / "user/job", memory__max=str(GIB), memory__current=str(2 * GIB))
    assert free_host_bytes(proc, groups) == 0


def test_free_host_memory_heeds_cgroups_of_version_1(tmp_path):
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    write(proc, meminfo="MemAvailable:   16777216 kB\n")
    write(proc / "self", cgroup="5:cpu,cpuacct:/\n4:memory:/docker/abc\n0::/\n")
    # In a container the path is the host's, and only the container's own group is mounted.
    write(groups / "memory", memory__limit_in_bytes=str(3 * GIB), memory__usage_in_bytes=str(GIB))
    assert free_host_bytes(proc, groups) == 2 * GIB
    write(groups / "memory", memory__limit_in_bytes="9223372036854771712")
    assert free_host_bytes(proc, groups) == 16 * GIB


def test_devices_say_what_is_free(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5 * GIB, 80 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 3 * GIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 2 * GIB)
    assert free_bytes(torch.device("cuda")) == 6 * GIB
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12 * GIB)
    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 2 * GIB)
    assert free_bytes(torch.device("mps")) == 10 * GIB
    assert free_bytes(torch.device("meta")) is None


def test_only_running_out_of_memory_is_taken_for_it():
    assert all(map(is_out_of_memory, OUT_OF_MEMORY))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"))
    assert not is_out_of_memory(RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_rows_are_computed_once_and_the_lowered_budget_stays():
    lengths = {f"row{k}": 1 + k % 10 for k in range(50)}
    budget, tried, done = TokenBudget(200, CPU), [], []

    def compute(batch):
        cost = len(batch) * max(lengths[row] for row in batch)
        tried.append(cost)
        if cost > 60:
            raise OUT_OF_MEMORY[0]
        done.extend(batch)

    run_batches(lengths, budget, compute)
    assert sorted(done) == sorted(lengths)
    assert tried[:2] == [200, 100]
    assert max(tried[2:]) <= budget.tokens == 50
    tried.clear()
    run_batches({"row9": 10, "row19": 10}, budget, compute)
    assert tried == [20]


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    def compute(batch):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        run_batches({"a": 3, "b": 3}, TokenBudget(100, CPU), compute)


@pytest.mark.parametrize("kind", ["llama-byte-level", "mistral-sliding"])
@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cpu", "device"])
def test_scores_are_the_same_when_memory_runs_out(tiny, kind, error):
    rng = random.Random(4)
    instruction = sentence(rng, 20)
    conversations = [[HumanMessage(f"{instruction} {sentence(rng, rng.randint(1, 15))}")] for _ in range(24)]
    labels = [rng.sample(LABELS, rng.randint(1, 5)) for _ in conversations]
    model = tiny(kind)
    expected = model.score(conversations, labels)
    longest = max(score.input_tokens for score in expected) + 40
    with memory_of(model, 3 * longest, error) as failed:
        scores = model.score(conversations, labels)
    assert failed
    for one, other in zip(expected, scores, strict=True):
        assert other.logprobs == pytest.approx(one.logprobs, abs=1e-4)
        assert other.input_tokens == one.input_tokens


@pytest.mark.parametrize("settings", [{}, {"temperature": 1.0, "seed": 3}])
@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cpu", "device"])
def test_replies_are_the_same_when_memory_runs_out(tiny, settings, error):
    rng = random.Random(8)
    prompts = [sentence(rng, rng.randint(1, 30)) for _ in range(16)]
    model = tiny(max_tokens=20, **settings)
    expected = model.batch(prompts)
    longest = max(reply.usage_metadata["total_tokens"] for reply in expected)
    with memory_of(model, 4 * longest, error) as failed:
        replies = model.batch(prompts)
    assert failed
    for one, other in zip(expected, replies, strict=True):
        assert other.content == one.content
        assert other.usage_metadata == one.usage_metadata
        assert other.response_metadata == one.response_metadata


@pytest.mark.parametrize("settings", [{}, {"temperature": 1.0, "seed": 3}])
def test_replies_go_on_where_memory_ran_out(tiny, settings, monkeypatch):
    prompts = [f"Read {word}." for word in ("on", "it", "us", "me", "no", "so")]
    model = tiny(max_tokens=24, **settings)
    expected = model.batch(prompts)
    said = []
    append = generation._append
    monkeypatch.setattr(generation, "_append", lambda *args: (said.append(args), append(*args)))
    prompt_tokens = max(reply.usage_metadata["input_tokens"] for reply in expected)
    with memory_of(model, len(prompts) * (prompt_tokens + 6), OUT_OF_MEMORY[0]) as failed:
        replies = model.batch(prompts)
    assert failed[0] == (len(prompts), prompt_tokens + 7)
    assert [reply.content for reply in replies] == [reply.content for reply in expected]
    assert len(said) == sum(reply.usage_metadata["output_tokens"] for reply in expected)  # no token is said twice


def test_labels_are_read_in_parts_and_prompts_pass_once(tiny):
    """The passes over labels stand on top of their prompts' keys: they run out first, and only they shrink."""
    model = tiny()
    conversations = [[HumanMessage(f"{k} {sentence(random.Random(k), 6)}")] for k in range(4)]
    labels = [LABELS] * 4
    expected = model.score(conversations, labels)
    passed = []
    hook = model.load().model.register_forward_hook(
        lambda _, args, kwargs, output: passed.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    longest = max(score.input_tokens for score in expected)
    try:
        with memory_of(model, 4 * (longest + 2), OUT_OF_MEMORY[0]) as failed:
            scores = model.score(conversations, labels)
    finally:
        hook.remove()
    assert failed
    assert min(slots for _, slots in failed) > longest + 2
    assert [rows for rows, _ in passed[:1]] == [4]
    assert sum(columns >= longest - 2 for _, columns in passed) == 1  # the prompts, which passed at once
    for one, other in zip(expected, scores, strict=True):
        assert other.logprobs == pytest.approx(one.logprobs, abs=1e-4)


def test_a_prompt_that_does_not_fit_alone_is_told_in_one_line(tiny):
    model = tiny(max_tokens=8)
    long = [HumanMessage("guitar " * 100)]
    n_tokens = model.score([long], [["1"]])[0].input_tokens
    with memory_of(model, 60, OUT_OF_MEMORY[0]):
        for ask in (
            lambda: model.score([long, [HumanMessage("a")]], [["1"], ["1"]]),
            lambda: model.batch([long, [HumanMessage("a")]]),
            lambda: model.invoke(long),
            lambda: list(model.stream(long)),
        ):
            with pytest.raises(
                MemoryLimitError, match=rf"a prompt of {n_tokens} tokens .* memory of cpu; shorten"
            ) as e:
                ask()
            assert "\n" not in str(e.value)


@pytest.mark.parametrize("kind", ["llama-byte-level", "mistral-sliding"])
def test_a_prompt_that_does_not_fit_sinks_no_other(tiny, kind):
    """Its error stands in its place, and the others' answers are what they are without it."""
    model = tiny(kind, max_tokens=8)
    long, short = [HumanMessage("guitar " * 100)], [HumanMessage("a")]
    labels = ["1", "22"]
    (score,), (reply,) = model.score([short], [labels]), model.batch([short])
    with memory_of(model, 60, OUT_OF_MEMORY[0]):
        scores = model.score([long, short], [labels, labels], return_exceptions=True)
        replies = model.batch([short, long], return_exceptions=True)
    assert isinstance(scores[0], MemoryLimitError)
    assert scores[1].logprobs == pytest.approx(score.logprobs, abs=1e-4)
    assert replies[0].content == reply.content
    assert isinstance(replies[1], MemoryLimitError)


def test_prompts_behind_a_prefix_that_does_not_fit_are_errors_each(tiny):
    model = tiny()
    long = [[HumanMessage("guitar " * 100 + word)] for word in ("one", "two", "three")]
    with memory_of(model, 60, OUT_OF_MEMORY[0]):
        scores = model.score([*long, [HumanMessage("a")]], [["1", "2"]] * 4, return_exceptions=True)
    assert [isinstance(score, MemoryLimitError) for score in scores] == [True, True, True, False]


def test_a_lone_label_that_does_not_fit_beside_a_batch_splits_the_batch(tiny, monkeypatch):
    """What a label needs beside the caches of other prompts it does not need beside its own only."""
    model = tiny()
    conversations = [[HumanMessage(sentence(random.Random(k), 6))] for k in range(4)]
    expected = model.score(conversations, [LABELS] * 4)
    held = []
    score_batch = label_scoring._score_batch

    def holding(scoring, batch, before):
        held.append(len(batch))
        try:
            score_batch(scoring, batch, before)
        finally:
            held.pop()

    def refuse(_, args, kwargs):
        if held and held[-1] > 1 and kwargs["past_key_values"].get_seq_length() > 0:
            raise OUT_OF_MEMORY[0]

    monkeypatch.setattr(label_scoring, "_score_batch", holding)
    hook = model.load().model.register_forward_pre_hook(refuse, with_kwargs=True)
    try:
        scores = model.score(conversations, [LABELS] * 4)
    finally:
        hook.remove()
    for one, other in zip(expected, scores, strict=True):
        assert other.logprobs == pytest.approx(one.logprobs, abs=1e-4)
