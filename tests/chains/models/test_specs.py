import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.tracers.context import collect_runs

from chains.models.families import FAMILIES, ThoughtStream, family_of, fold_system, split_thoughts
from chains.models.providers import PROVIDERS
from chains.models.specs import (
    ALIASES,
    check_ready,
    describe_model,
    is_local,
    load_chat_model,
    model_kinds,
    score_labels,
    supports_scoring,
)
from chains.models.wrappers import FamilyChatModel, Mistral, Qwen, SmallThinker
from data.common.errors import ConfigurationError, MissingResourceError
from data.common.packaged import PACKAGED
from tests.support.chat_endpoint import serve_chat
from tests.support.folders import ROOT
from tests.support.scripted import ScriptedChatModel
from tests.support.tiny_models import CHATML, MISTRAL, THINKING, make_tiny_model

KEY = "sk-test-123"
ASKED = [SystemMessage("Answer with a number."), HumanMessage("How many?")]
FOLDED = [HumanMessage("Answer with a number.\n\nHow many?")]
# Qwen3's way: thoughts by default, an empty block of them where the switch is off.
SWITCHED = CHATML.replace(
    "assistant\n{% endif %}",
    "assistant\n{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}",
)
# Shows no system message, and does not say so.
DEAF = CHATML.replace("{% for message in messages %}", "{% for message in messages if message['role'] != 'system' %}")


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without `.env`, and an environment that forgets what a test's `.env` brought."""
    for name in {key for provider in PROVIDERS.values() for key in provider.keys} | {"ENDPOINT_API_KEY"}:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny models in folders named as their families' models are."""
    folder = tmp_path_factory.mktemp("models")
    make_tiny_model(folder / "Tiny-Qwen3", chat_template=SWITCHED, architecture="qwen2")
    make_tiny_model(folder / "Tiny-Mistral", chat_template=MISTRAL, architecture="mistral", tokenizer="metaspace")
    make_tiny_model(folder / "Tiny-SmallThinker", chat_template=THINKING, architecture="qwen2")
    make_tiny_model(folder / "strict", chat_template=MISTRAL)
    make_tiny_model(folder / "deaf", chat_template=DEAF)
    make_tiny_model(folder / "plain", chat_template=CHATML)
    return folder


def load_tiny(folder: Path, **options) -> FamilyChatModel:
    return load_chat_model(f"hf:{folder}", **{"max_tokens": 6, "thinking_tokens": 0, "dtype": "float32"} | options)


# --- the table


@pytest.mark.parametrize("row", FAMILIES.values(), ids=FAMILIES)
def test_every_family_says_where_its_facts_are_from_and_knows_its_own_model(row):
    assert row.source.startswith("https://")
    assert row.max_tokens + row.thinking_tokens < row.context_length
    if row.hub_id:
        assert family_of(row.hub_id) is row


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Qwen/Qwen3-0.6B", "qwen"),
        ("qwen3:8b", "qwen"),
        ("Qwen/QwQ-32B", "qwen"),
        ("Qwen/Qwen2.5-0.5B-Instruct", "qwen2.5"),
        ("Qwen/Qwen3-235B-A22B", "qwen"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mistral"),
        ("/models/qwen/Mistral-7B/", "mistral"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "deepseek-r1"),
        ("HuggingFaceTB/SmolLM3-3B", ""),
        ("meta-llama/Llama-3.2-1B-Instruct", ""),
    ],
)
def test_a_family_is_known_by_its_models_names(name, family):
    assert family_of(name).name == family


def test_folding_joins_system_text_and_neighbours_once():
    assert [message.content for message in fold_system(ASKED)] == [FOLDED[0].content]
    few_shot = [*ASKED, AIMessage("3"), HumanMessage("And now?"), HumanMessage("Quick!")]
    once = fold_system(few_shot)
    assert [message.type for message in once] == ["human", "ai", "human"]
    assert once[-1].content == "And now?\n\nQuick!"
    assert fold_system(once) == once
    assert few_shot[0].content == "Answer with a number.", "the user's own messages stay as they were"


@pytest.mark.parametrize(
    ("text", "opened", "reasoning", "answer", "closed"),
    [
        ("<think>\na\n</think>\n\n3", False, "a", "3", True),
        ("a</think>3", True, "a", "3", True),
        ("a</think>3", False, "a", "3", True),
        ("<think>a <b", False, "a <b", "", False),
        ("a", True, "a", "", False),
        (" 3 ", False, "", " 3 ", True),
        ("<think></think>3", False, "", "3", True),
    ],
)
def test_thoughts_are_taken_apart_whole_and_in_pieces(text, opened, reasoning, answer, closed):
    assert split_thoughts(text, opened=opened) == (reasoning, answer, closed)
    if "</think>" in text and not opened and "<think>" not in text:
        return  # in a stream, what follows cannot turn what was said into thoughts
    for size in (1, 2, 5, 100):
        stream = ThoughtStream(opened=opened)
        pieces = [stream.feed(text[start : start + size]) for start in range(0, len(text), size)]
        pieces.append(stream.feed("", last=True))
        assert "".join(piece[0] for piece in pieces).strip() == reasoning
        assert "".join(piece[1] for piece in pieces) == answer


# --- specs


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("gpt5", r"unknown model 'gpt5'.*Allowed: .*qwen.*endpoint:NAME@http"),
        ("qwne", r"Did you mean 'qwen'"),
        ("openai:", r"'openai:' is not a model spec"),
        (":x", r"is not a model spec"),
        ("opnai:gpt-4o", r"unknown model provider 'opnai'. Did you mean 'openai'"),
        ("endpoint:qwen3", r"endpoint:NAME@http://host:port/v1"),
        ("endpoint:@http://localhost/v1", r"endpoint:NAME@http://host:port/v1"),
        ("endpoint:x@ftp://localhost/v1", r"not the address of a server"),
        ("endpoint:x@http://localhost:eighty/v1", r"not the address of a server"),
        ("endpoint:x@http://localhost/v1?key=1", r"no credentials and no query"),
    ],
)
def test_a_spec_that_cannot_be_used_says_what_can(spec, says):
    with pytest.raises(ConfigurationError, match=says):
        load_chat_model(spec)


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(ConfigurationError) as error:
        load_chat_model(f"endpoint:x@http://me:{KEY}@localhost:1/v1")
    assert KEY not in str(error.value)


def test_providers_are_all_that_langchain_knows():
    from langchain.chat_models.base import _BUILTIN_PROVIDERS

    packages = {name: module.partition(".")[0].replace("_", "-") for name, (module, _, _) in _BUILTIN_PROVIDERS.items()}
    assert {name: provider.package for name, provider in PROVIDERS.items()} == packages


def test_a_missing_package_and_a_missing_key_say_how_to_mend_it():
    with pytest.raises(MissingResourceError, match="pip install langchain-cohere"):
        load_chat_model("cohere:command-r")
    with pytest.raises(MissingResourceError, match=r"OPENAI_API_KEY is not set; put it in .env"):
        load_chat_model("gpt")


def test_a_key_is_read_from_the_env_file_and_never_shown(nowhere):
    (nowhere / ".env").write_text(f"OPENAI_API_KEY={KEY}\n")
    model = load_chat_model("gpt", seed=1, max_tokens=5)
    assert model.openai_api_key.get_secret_value() == KEY
    assert describe_model(model) == {
        "class": "ChatOpenAI",
        "model": "gpt-4o-mini",
        "base_url": None,
        "temperature": 0.0,
        "max_tokens": 5,
        "seed": 1,
    }
    assert KEY not in repr(model) + str(model) + repr(describe_model(model))
    assert not is_local(model)
    assert not supports_scoring(model)


def test_an_empty_line_of_the_env_file_is_no_key(nowhere):
    (nowhere / ".env").write_text("OPENAI_API_KEY=\n")
    with pytest.raises(MissingResourceError, match="OPENAI_API_KEY"):
        load_chat_model("openai:gpt-4o")


@pytest.mark.parametrize(
    ("name", "temperature", "max_completion_tokens"),
    [("gpt-4o", 0.0, 16), ("o3-mini", None, 25016), ("gpt-5", None, 25016)],
)
def test_reasoning_models_get_no_temperature_and_room_to_think(monkeypatch, name, temperature, max_completion_tokens):
    with serve_chat(lambda body: "3") as server:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        model = load_chat_model(f"openai:{name}", max_tokens=16, base_url=server.base_url)
        assert model.invoke(ASKED).content == "3"
    (request,) = server.requests
    assert request.body.get("temperature") == temperature
    assert request.body["max_completion_tokens"] == max_completion_tokens
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_a_model_of_ones_own_by_module_and_attribute(nowhere, monkeypatch):
    imports = "from tests.support.scripted import ScriptedChatModel\n"
    source = "def make():\n    return ScriptedChatModel(reply=lambda m: '3')\n"
    (nowhere / "my_models.py").write_text(imports + source + "model = make()\nnumber = 3\n")
    monkeypatch.syspath_prepend(nowhere)
    assert isinstance(load_chat_model("my_models:make"), ScriptedChatModel)
    assert load_chat_model("my_models:model").invoke("?").content == "3"
    with pytest.raises(ConfigurationError, match="int"):
        load_chat_model("my_models:number")
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        load_chat_model("my_models:nothing")


def test_every_alias_is_listed_and_loads(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert set(ALIASES) == {"gpt", "mistral", "qwen", "smallthinker", "smollm2"}
    assert {kind.name for kind in model_kinds()} > set(ALIASES)
    for alias in ALIASES:
        assert describe_model(load_chat_model(alias))["model"]


# --- wrappers


@pytest.mark.parametrize(("wrapper", "alias"), [(Qwen, "qwen"), (Mistral, "mistral"), (SmallThinker, "smallthinker")])
def test_a_wrapper_and_its_alias_are_the_same_model(wrapper, alias):
    made, loaded = wrapper(), load_chat_model(alias)
    assert type(loaded) is wrapper
    assert made == loaded
    assert describe_model(made) == describe_model(loaded)
    assert describe_model(made)["model"] == FAMILIES[alias].hub_id
    assert describe_model(made)["revision"] == FAMILIES[alias].revision


def test_a_wrapper_takes_its_own_family_only():
    assert Qwen("Qwen/Qwen2.5-0.5B-Instruct").family.name == "qwen2.5"
    assert Qwen("my-finetune").family.name == "qwen"
    with pytest.raises(ConfigurationError, match="of the family 'mistral'"):
        Qwen("mistralai/Mistral-7B-Instruct-v0.3")
    with pytest.raises(ConfigurationError, match="enable_thinking"):
        Mistral(enable_thinking=False)
    with pytest.raises(ConfigurationError, match="unknown option of a local model 'temprature'"):
        Qwen(temprature=1)
    with pytest.raises(ConfigurationError, match="temperature"):
        Qwen(temperature=-1)


def test_a_hub_model_without_the_hub_says_so_before_a_run():
    with pytest.raises(MissingResourceError, match="hub"):
        check_ready(Qwen("Qwen/Qwen3-0.6B"))


@pytest.mark.parametrize(
    ("folder", "wrapper", "folds"),
    [
        ("Tiny-Mistral", Mistral, True),
        ("Tiny-Qwen3", Qwen, False),
        ("Tiny-SmallThinker", SmallThinker, False),
        ("strict", FamilyChatModel, True),
        ("deaf", FamilyChatModel, True),
        ("plain", FamilyChatModel, False),
    ],
)
def test_a_system_message_reaches_every_template(tiny, folder, wrapper, folds):
    model = load_tiny(tiny / folder)
    check_ready(model)
    assert type(model) is wrapper
    assert is_local(model)
    assert [message.content for message in model.adapt(ASKED)] == [m.content for m in (FOLDED if folds else ASKED)]
    alone = model.invoke(ASKED)
    assert alone.usage_metadata["input_tokens"] > 10
    batched = model.batch([ASKED, ASKED[1:], ASKED])
    assert [reply.content for reply in batched][::2] == [alone.content] * 2
    assert "".join(chunk.content for chunk in model.stream(ASKED)) == alone.content


@pytest.mark.parametrize("ask", ["invoke", "batch", "stream"])
def test_a_trace_holds_what_was_really_sent(tiny, ask):
    model = load_tiny(tiny / "Tiny-Mistral")
    with collect_runs() as traced:
        list(model.stream(ASKED)) if ask == "stream" else getattr(model, ask)([ASKED] if ask == "batch" else ASKED)
    (run,) = traced.traced_runs
    assert run.inputs["prompts"] == [f"Human: {FOLDED[0].content}"]


@pytest.mark.parametrize("ask", ["invoke", "batch"])
def test_tags_given_to_a_wrapper_reach_the_trace(tiny, ask):
    model = load_tiny(tiny / "Tiny-Mistral", tags=["mine"])
    with collect_runs() as traced:
        getattr(model, ask)([ASKED] if ask == "batch" else ASKED)
    assert [run.tags for run in traced.traced_runs] == [["mine"]]


def test_asked_asynchronously_it_answers_the_same(tiny):
    model = load_tiny(tiny / "Tiny-Mistral")
    expected = model.invoke(ASKED).content
    assert asyncio.run(model.ainvoke(ASKED)).content == expected
    assert [reply.content for reply in asyncio.run(model.abatch([ASKED, ASKED]))] == [expected] * 2


def test_a_batch_keeps_a_failure_in_its_place(tiny):
    model = load_tiny(tiny / "Tiny-Mistral")
    replies = model.batch([ASKED, [HumanMessage("word " * 2000)], ASKED], return_exceptions=True)
    assert isinstance(replies[1], Exception)
    assert replies[0].content == replies[2].content


def test_an_open_block_of_thoughts_that_never_closes_leaves_no_answer(tiny):
    model = load_tiny(tiny / "Tiny-SmallThinker")
    for reply in (model.invoke(ASKED), model.batch([ASKED])[0]):
        assert reply.content == ""
        assert reply.additional_kwargs["reasoning_content"]
        assert reply.response_metadata["finish_reason"] == "length"


def test_room_for_thoughts_comes_on_top_and_can_be_switched_off(tiny):
    thinking, quiet = Qwen(max_tokens=16), Qwen(max_tokens=16, enable_thinking=False)
    assert describe_model(thinking)["max_tokens"] == 16 + FAMILIES["qwen"].thinking_tokens
    assert describe_model(quiet)["max_tokens"] == 16
    assert describe_model(quiet)["enable_thinking"] == "False"
    assert describe_model(Qwen(temperature=None))["temperature"] == FAMILIES["qwen"].sampling["temperature"]
    folder = tiny / "Tiny-Qwen3"
    empty_block = load_tiny(folder, enable_thinking=False).invoke(ASKED).usage_metadata["input_tokens"]
    assert empty_block > load_tiny(folder).invoke(ASKED).usage_metadata["input_tokens"]


def test_labels_are_scored_behind_no_thoughts(tiny):
    labels = [["1", "2", "3"]]
    switched = score_labels(load_tiny(tiny / "Tiny-Qwen3"), [ASKED], labels)[0]
    told = score_labels(load_tiny(tiny / "Tiny-Qwen3", enable_thinking=False), [ASKED], labels)[0]
    assert switched.probs == pytest.approx(told.probs)
    assert sum(switched.probs) == pytest.approx(1)


def test_scoring_closes_the_thoughts_that_a_template_opens(tmp_path, tiny):
    # The same weights with the empty block written into the template: the distribution has to be the same.
    closed = THINKING.replace("<think>\n{% endif %}", "<think>\n\n</think>\n\n{% endif %}")
    plain = make_tiny_model(tmp_path / "closed", chat_template=closed, architecture="qwen2")
    labels = [["1", "2", "answer"]]
    expected = score_labels(load_tiny(plain), [ASKED], labels)[0]
    scored = score_labels(load_tiny(tiny / "Tiny-SmallThinker"), [ASKED], labels)[0]
    assert scored.probs == pytest.approx(expected.probs, abs=1e-5)


def test_scoring_folds_what_the_template_refuses(tiny):
    model = load_tiny(tiny / "Tiny-Mistral")
    assert supports_scoring(model)
    (scored,) = score_labels(model, [ASKED], [["1", "2"]])
    (folded,) = score_labels(model, [FOLDED], [["1", "2"]])
    assert scored == folded
    with pytest.raises(ValueError, match="supports_scoring"):
        score_labels(ScriptedChatModel(reply=lambda m: "3"), [ASKED], [["1"]])


# --- servers


def test_a_server_of_ones_own_never_sees_the_users_openai_account(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, KEY)
    with serve_chat(lambda body: "3") as server:
        model = load_chat_model(f"endpoint:anything@{server.base_url}")
        check_ready(model)
        assert model.invoke("?").content == "3"
        monkeypatch.setenv("ENDPOINT_API_KEY", "key-of-mine")
        model = load_chat_model(f"endpoint:anything@{server.base_url}")
        model.invoke("?")
    first, second = server.requests
    assert KEY not in repr(server.requests)
    assert first.headers["authorization"] == "Bearer no-key"
    assert second.headers["authorization"] == "Bearer key-of-mine"
    assert describe_model(model)["base_url"] == server.base_url
    assert "key-of-mine" not in repr(model) + str(model) + repr(describe_model(model))


def test_a_served_mistral_gets_no_system_role():
    with serve_chat(lambda body: "3") as server:
        model = load_chat_model(f"endpoint:mistral:7b@{server.base_url}", max_tokens=16, seed=2)
        assert type(model) is Mistral
        model.batch([ASKED, ASKED])
    for request in server.requests:
        assert request.body["messages"] == [{"role": "user", "content": FOLDED[0].content}]
        assert request.body["model"] == "mistral:7b"
        assert (request.body["max_tokens"], request.body["seed"], request.body["temperature"]) == (16, 2, 0.0)


def test_a_served_qwen_thinks_apart_from_its_answer():
    with serve_chat(lambda body: "<think>\n2 or 3?\n</think>\n\nThe answer is 3.") as server:
        model = Qwen("qwen3:8b", base_url=server.base_url, max_tokens=16)
        for reply in (model.invoke(ASKED), *model.batch([ASKED])):
            assert reply.content == "The answer is 3."
            assert reply.additional_kwargs["reasoning_content"] == "2 or 3?"
            assert reply.response_metadata["finish_reason"] == "stop"
            assert reply.usage_metadata["output_tokens"] == 3
        streamed = list(model.stream(ASKED))
        assert "".join(chunk.content for chunk in streamed) == "The answer is 3."
        thoughts = "".join(chunk.additional_kwargs.get("reasoning_content", "") for chunk in streamed)
        assert thoughts.strip() == "2 or 3?"
        Qwen(base_url=server.base_url, enable_thinking=False, max_tokens=16).invoke(ASKED)
        Qwen(base_url=server.base_url, temperature=None, thinking_tokens=100, max_tokens=16).invoke(ASKED)
    thinking, *_, quiet, sampled = [request.body for request in server.requests]
    assert "max_tokens" not in thinking, "thoughts would be cut where the answer was meant to be"
    assert [message["role"] for message in thinking["messages"]] == ["system", "user"]
    assert quiet["chat_template_kwargs"] == {"enable_thinking": False}
    assert quiet["max_tokens"] == 16
    assert quiet["model"] == "Qwen/Qwen3-8B"
    assert (sampled["max_tokens"], sampled["temperature"], sampled["top_k"]) == (116, 0.6, 20)


def test_thoughts_that_a_server_cut_off_are_no_answer():
    with serve_chat(lambda body: "<think>\nIt may be 2", finish_reason="length") as server:
        reply = SmallThinker(base_url=server.base_url).invoke(ASKED)
    assert reply.content == ""
    assert reply.response_metadata["finish_reason"] == "length"


def test_a_server_that_is_down_is_found_out_before_a_run():
    with serve_chat(lambda body: "3") as server:
        pass
    model = load_chat_model(f"endpoint:x@{server.base_url}", max_retries=0)
    with pytest.raises(MissingResourceError, match=f"nothing answers at {server.base_url}; start the server"):
        check_ready(model)


def test_tools_reach_a_served_model_through_its_wrapper():
    with serve_chat(lambda body: "3") as server:
        Mistral(base_url=server.base_url).bind_tools([{"name": "look_up", "parameters": {}}]).invoke(ASKED)
    (request,) = server.requests
    assert request.body["tools"][0]["function"]["name"] == "look_up"
    assert request.body["messages"][0]["role"] == "user"


def test_importing_models_loads_no_torch_and_no_provider():
    heavy = ["torch", "transformers", "langchain_openai", "langchain_classic"]
    code = f"import sys, chains.models.specs; print([name for name in {heavy} if name in sys.modules])"
    root = ROOT
    env = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == "[]"


@pytest.mark.weights
def test_the_packaged_weights_are_described_by_their_hash():
    described = describe_model(load_chat_model("smollm2"))
    assert described["weights_sha256"] == PACKAGED["smollm2"].sha256
    assert described["model"] == "smollm2"
