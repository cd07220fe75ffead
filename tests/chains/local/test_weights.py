"""Where a local model is looked for, what is said when it is not there, and the packaged SmolLM2 itself."""

import gc
import json
import shutil
import threading
import time
import urllib.request
from pathlib import Path

import httpx
import pytest
import torch
from langchain_core.messages import HumanMessage

import chains.local.weights
from chains.local.chat_model import LocalChatModel
from chains.local.encoding import encode_labels, render
from chains.local.scoring import score_labels
from chains.local.weights import SMOLLM2_HUB_ID, choose_device, choose_dtype, load_model
from data.common.errors import ConfigurationError, MissingResourceError
from data.common.packaged import is_installed
from tests.support.llama_server import llama_server  # noqa: F401
from tests.support.tiny_models import make_tiny_model

CPU = {"dtype": "float32", "device": "cpu"}
needs_smollm2 = pytest.mark.skipif(not is_installed("smollm2"), reason="packaged-weights.txt is not installed")


def at_once(n_threads, call):
    threads = [threading.Thread(target=call) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_folder_without_a_model_is_missing(tmp_path):
    with pytest.raises(MissingResourceError, match="there is no model folder"):
        load_model(str(tmp_path / "nothing"))
    with pytest.raises(MissingResourceError, match=r"has no config\.json"):
        load_model(str(tmp_path))
    folder = make_tiny_model(tmp_path / "tiny")
    (folder / "model.safetensors").unlink()
    with pytest.raises(MissingResourceError, match="is not complete"):
        load_model(str(folder))


def test_pickled_weights_are_not_read(tmp_path):
    folder = make_tiny_model(tmp_path / "tiny")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(MissingResourceError, match="is not complete"):
        load_model(str(folder))


def test_a_model_that_transformers_does_not_know(tmp_path):
    folder = make_tiny_model(tmp_path / "tiny")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "newest", "architectures": ["Newest"]}))
    with pytest.raises(ConfigurationError, match="cannot load"):
        load_model(str(folder))


def test_no_hub_is_said_at_once_with_the_offline_ways():
    start = time.monotonic()
    with pytest.raises(MissingResourceError) as raised:
        load_model("nobody/has-this-model")
    assert time.monotonic() - start < 10
    message = str(raised.value)
    assert "\n" not in message
    for word in ("nobody/has-this-model", "hf:DIR", "HF_HOME", "smollm2"):
        assert word in message


def test_a_silent_hub_is_not_waited_for(monkeypatch):
    def no_answer(self, repo_id, *, timeout, **options):
        assert timeout <= 8
        raise httpx.ConnectTimeout("timed out")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", no_answer)
    with pytest.raises(MissingResourceError, match=r"cannot be reached \(timed out\)"):
        load_model("nobody/has-this-model")


def test_a_filled_hub_cache_needs_no_hub(tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--someone--tiny"
    make_tiny_model(repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    loaded = load_model("someone/tiny", **CPU)
    assert loaded.source == "someone/tiny"
    assert loaded.revision == commit


def test_what_loads_is_what_was_asked_for(tmp_path):
    folder = make_tiny_model(tmp_path / "tiny", max_position_embeddings=77)
    loaded = load_model(str(folder), dtype="bfloat16", device="cpu")
    assert loaded.dtype is torch.bfloat16
    assert loaded.device.type == "cpu"
    assert loaded.context_length == 77
    assert loaded.model.config._attn_implementation == "sdpa"
    vocabulary = loaded.tokenizer.get_vocab()
    assert loaded.stop_ids == {vocabulary["<|im_end|>"], vocabulary["<|endoftext|>"]}


def test_hardware_chooses_the_dtype(monkeypatch):
    cpu = torch.device("cpu")
    for native, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        capabilities = {"avx512_bf16": native, "amx_bf16": False}
        monkeypatch.setattr("torch.cpu.get_capabilities", lambda capabilities=capabilities: capabilities)
        assert choose_dtype("auto", cpu) is dtype
    assert choose_dtype("float16", cpu) is torch.float16
    with pytest.raises(ConfigurationError, match="unknown dtype 'int4'"):
        choose_dtype("int4", cpu)
    with pytest.raises(ConfigurationError, match="unknown device 'abacus'"):
        choose_device("abacus")


def test_weights_are_read_once_and_let_go_of(tmp_path):
    folder = str(make_tiny_model(tmp_path / "tiny"))
    found = []
    at_once(4, lambda: found.append(load_model(folder, **CPU)))
    assert len({id(loaded) for loaded in found}) == 1
    assert load_model(folder, dtype="bfloat16", device="cpu") is not found[0]
    found.clear()
    gc.collect()
    assert not any(folder in key for key in chains.local.weights._loaded)


def test_loading_is_silent(tmp_path, capfd):
    folder = make_tiny_model(tmp_path / "tiny")
    capfd.readouterr()
    LocalChatModel(model_ref=str(folder), max_tokens=2, **CPU).invoke("Read.")
    assert capfd.readouterr() == ("", "")


def test_without_its_package_smollm2_is_the_hubs(monkeypatch):
    monkeypatch.setattr("chains.local.weights.is_installed", lambda name: False)
    with pytest.raises(MissingResourceError, match=SMOLLM2_HUB_ID):
        load_model("smollm2")


@pytest.fixture(scope="module")
def smollm2():
    return LocalChatModel(model_ref="smollm2", max_tokens=16, **CPU)


@pytest.mark.weights
@needs_smollm2
def test_smollm2_has_its_tokenizer_and_template(smollm2):
    loaded = smollm2.load()
    for text in ("Hello world, it's 12345.", "윗글에 대한 이해로 가장 적절한 것은? 쀍", "def f(x):\n    return x\n"):
        ids = loaded.tokenizer.encode(text, add_special_tokens=False)
        assert loaded.tokenizer.decode(ids) == text
    rendered = render(loaded, [HumanMessage("Hi")], {})
    assert rendered.startswith("<|im_start|>system\n")
    assert rendered.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert {loaded.tokenizer.decode(stop_id) for stop_id in loaded.stop_ids} == {"<|im_end|>", "<|endoftext|>"}
    assert loaded.context_length == 8192


@pytest.mark.weights
@needs_smollm2
def test_smollm2_scores_equal_a_plain_forward_pass(smollm2):
    loaded = smollm2.load()
    instruction = "Read both sentences. Does the first one mean that the second one is true? Answer in one word."
    pairs = ["A man plays. | A man sleeps.", "윗글에 대한 이해로 적절한 것은?", "Nobody answered. | All were silent."]
    labels = ["entailment", "neutral", "contradiction", "3번", "1"]
    prompts = [encode_labels(loaded, render(loaded, [HumanMessage(f"{instruction}\n{p}")], {}), labels) for p in pairs]
    for prompt, scores in zip(prompts, score_labels(loaded, prompts, max_batch_tokens=8192), strict=True):
        for ids, score in zip(prompt.continuations, scores, strict=True):
            with torch.inference_mode():
                logits = loaded.model(input_ids=torch.tensor([[*prompt.context, *ids]])).logits[0]
            plain = logits.log_softmax(-1)[len(prompt.context) - 1 : -1].gather(-1, torch.tensor(ids)[:, None]).sum()
            assert score == pytest.approx(plain.item(), abs=1e-4)


@pytest.mark.weights
@needs_smollm2
def test_smollm2_scores_many_labels_as_one_at_a_time(smollm2):
    """Names that share beginnings, some of them the beginning of another, behind prompts that share a list of them."""
    loaded = smollm2.load()
    labels = [
        f"{thing}{what}" for thing in ("card", "card_payment", "환불") for what in ("", "_arrival", "_not_working")
    ]
    instruction = "\n".join(["Answer with one label.", *labels])
    asked = ["Where is it?", "환불해 주세요."]
    texts = [render(loaded, [HumanMessage(f"{instruction}\nText: {text}")], {}) for text in asked]
    prompts = [encode_labels(loaded, text, labels) for text in texts]
    for prompt, scores in zip(prompts, score_labels(loaded, prompts, max_batch_tokens=8192), strict=True):
        for ids, score in zip(prompt.continuations, scores, strict=True):
            with torch.inference_mode():
                logits = loaded.model(torch.tensor([[*prompt.context, *ids]]), logits_to_keep=len(ids) + 1).logits[0]
            plain = logits[:-1].log_softmax(-1).gather(-1, torch.tensor(ids)[:, None]).sum()
            assert score == pytest.approx(plain.item(), abs=1e-4)


@pytest.mark.weights
@pytest.mark.server
@needs_smollm2
def test_smollm2_says_what_llama_cpp_says(smollm2, llama_server):  # noqa: F811
    for question in ("Name the opposite of hot.", "List three colors."):
        body = {"messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": 8}
        request = urllib.request.Request(
            f"{llama_server}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            said = json.load(response)
        reply = smollm2.invoke(question, max_tokens=8)
        assert reply.usage_metadata["input_tokens"] == said["usage"]["prompt_tokens"]
        # llama.cpp multiplies in 8 bits, so long replies part; the first words of plain answers do not.
        assert reply.content.split()[:4] == said["choices"][0]["message"]["content"].split()[:4]


@pytest.mark.weights
@needs_smollm2
def test_smollm2_converts_from_its_gguf(tmp_path, smollm2):
    converted = Path(load_model("smollm2", **CPU).source)
    assert {path.name for path in converted.iterdir()} >= {"config.json", "model.safetensors", "tokenizer.json"}
    copy = shutil.copytree(converted, tmp_path / "copy")
    assert load_model(str(copy), **CPU).model.config.vocab_size == smollm2.load().model.config.vocab_size == 49152
