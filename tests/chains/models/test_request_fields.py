"""Fields of a request that a system leaves out, renames or adds: what a server on loopback was really sent."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from langchain_core.messages import HumanMessage

from chains.models.request_fields import changed, with_seed
from chains.models.specs import describe_model, load_chat_model, reply_limit
from data.common.errors import ConfigurationError
from eval.cli.parser import main
from eval.execution.request_key import identity_of, request_key
from eval.rundir.manifest import read_manifest
from tests.support.chat_endpoint import ChatEndpoint, serve_chat
from tests.support.exam_file import exam, write_exam

ASKED = [HumanMessage("Which?")]


def command(folder: Path, model: str, *more: str, out: str = "out") -> list[str]:
    path = folder / "2030_11_KICE.json"
    if not path.exists():
        write_exam(folder, exam(1, 5))
    data = ["--data", str(path), "--out", str(folder / out)]
    return ["run", "kice", *data, "--chain", "kice-prompt", "--model", model, *more]


def bodies(server: ChatEndpoint) -> list[dict[str, Any]]:
    """Return what was sent but for the messages, each once."""
    sent = [{name: value for name, value in r.body.items() if name != "messages"} for r in server.requests]
    return [body for place, body in enumerate(sent) if body not in sent[:place]]


@pytest.mark.parametrize("model", ["endpoint:gpt-x@{}", "openai:gpt-4o"])
def test_a_field_is_left_out_renamed_and_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    with serve_chat(lambda _: "정답: 3번") as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        spec = model.format(server.base_url)
        assert main(command(tmp_path, spec, out="as-usual")) == 0
        (usual,) = bodies(server)
        server.requests.clear()
        fields = ["--request", "seed=-", "max_completion_tokens=64", "top_logprobs=5", 'metadata={"run": [1, "둘"]}']
        assert main(command(tmp_path, spec, *fields, "--request", "user=- -")) == 0
        (sent,) = bodies(server)
    assert usual["seed"] == 0 and usual["temperature"] == 0
    kept = {name: value for name, value in usual.items() if name not in ("seed", "max_tokens", "max_completion_tokens")}
    added = {"max_completion_tokens": 64, "top_logprobs": 5, "metadata": {"run": [1, "둘"]}, "user": "- -"}
    assert sent == kept | added
    (about,) = (system.as_json() for system in read_manifest(tmp_path / "out").systems.values())
    assert about["model"]["request"] == {"seed": None, **added}
    assert about["model"]["max_tokens"] == 64 and about["model"]["seed"] is None
    (about,) = read_manifest(tmp_path / "as-usual").systems.values()
    assert "request" not in about.as_json()["model"]


def test_a_server_that_takes_five_logprobs_is_asked_for_five(tmp_path: Path) -> None:
    """The chain asks for 20 itself; what is declared has the last word."""

    def reply(body: dict[str, Any]) -> str | int:
        return "정답: 3번" if body["logprobs"] and body["top_logprobs"] <= 5 and "seed" not in body else 400

    with serve_chat(reply) as server:
        arguments = command(tmp_path, f"endpoint:m@{server.base_url}", "--answering", "logprobs")
        assert main([*arguments, "--request", "top_logprobs=5", "seed=-"]) == 0
        (sent,) = bodies(server)
    assert sent["top_logprobs"] == 5


def test_a_suite_says_it_as_a_mapping_for_each_system(tmp_path: Path) -> None:
    with serve_chat(lambda _: "정답: 3번") as server:
        write_exam(tmp_path, exam(1, 5))
        system = {"chain": "kice-prompt", "model": f"endpoint:m@{server.base_url}"}
        declared = [{"seed": "-"}, {"seed": None, "max_completion_tokens": 9}, {"max_tokens": None}, {}]
        systems = [{"name": f"s{n}", **system, "request": fields} for n, fields in enumerate(declared)]
        evaluation = {"benchmark": "kice", "data": str(tmp_path / "2030_11_KICE.json"), "systems": systems}
        suite = tmp_path / "suite.yaml"
        suite.write_text(yaml.safe_dump({"name": "s", "evaluations": [evaluation]}), encoding="utf-8")
        run = ["run", str(suite), "--out", str(tmp_path / "out")]
        assert main(run) == 0
        without_seed, renamed, unlimited, usual = bodies(server)
        assert main(["run", str(suite), "--resume", str(tmp_path / "out")]) == 0
        assert len(server.requests) == 4 * 5
    assert without_seed == {name: value for name, value in usual.items() if name != "seed"}
    assert "seed" not in renamed and "max_tokens" not in renamed and renamed["max_completion_tokens"] == 9
    assert unlimited == {name: value for name, value in usual.items() if name != "max_tokens"}
    manifest = read_manifest(tmp_path / "out")
    assert [about.as_json()["model"].get("request") for about in manifest.systems.values()] == [
        {"seed": None}, {"seed": None, "max_completion_tokens": 9}, {"max_tokens": None}, None
    ]  # fmt: skip


def test_other_fields_are_another_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve_chat(lambda _: "정답: 3번") as server:
        arguments = command(tmp_path, f"endpoint:m@{server.base_url}", "--request", "seed=-")
        assert main(arguments) == 0
        arguments[arguments.index("--out")] = "--resume"
        assert main(arguments) == 0
        assert main([part if part != "seed=-" else "seed=7" for part in arguments]) == 2
    assert "cannot be resumed" in capsys.readouterr().err


def test_replies_to_other_fields_are_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "cache"))
    with serve_chat(lambda _: "정답: 3번") as server:
        spec = f"endpoint:m@{server.base_url}"
        asked = []
        for number, fields in enumerate(([], ["seed=-"], ["seed=-"], ["top_p=0.5"], ["temperature=-"], [])):
            more = ["--request", *fields] if fields else []
            assert main(command(tmp_path, spec, "--cache", *more, out=f"out{number}")) == 0
            asked.append(len(server.requests))
            server.requests.clear()
    assert asked == [5, 5, 0, 5, 5, 0]


def test_what_samples_because_of_its_fields_is_known_to_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "cache"))
    with serve_chat(lambda _: "정답: 3번") as server:
        spec = f"endpoint:m@{server.base_url}"
        for number in range(2):  # a sampled reply is not kept without --cache-sampled
            assert main(command(tmp_path, spec, "--cache", "--request", "temperature=1", out=f"out{number}")) == 0
        assert len(server.requests) == 10
        votes = ["--votes", "2", "--request", "temperature=-"]
        assert main(command(tmp_path, spec, *votes, out="votes")) == 0
    assert "temperature" not in server.requests[-1].body


def test_the_key_of_a_request_holds_its_fields() -> None:
    keys = set()
    for fields in ({}, {"seed": None}, {"seed": 3}, {"top_logprobs": 5}):
        model = load_chat_model("endpoint:m@http://localhost:1/v1", seed=3, request=fields)
        said = model._get_invocation_params()
        keys.add(request_key(identity_of(model), said, ASKED))
    assert len(keys) == 4 and None not in keys


@pytest.mark.parametrize(("fields", "code"), [(["max_completion_tokens=5"], 0), (["max_tokens=-"], 2)])
def test_the_limit_on_cost_knows_the_limit_of_the_reply(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fields: list[str], code: int
) -> None:
    with serve_chat(lambda _: "3") as server:
        spec, prices = f"endpoint:m@{server.base_url}", tmp_path / "prices.yaml"
        table = {"as_of": "2026", "source": "made up", "models": {spec: {"input": 0.0, "output": 1e6}}}
        prices.write_text(yaml.safe_dump(table))
        monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(prices))
        arguments = command(tmp_path, spec, "--max-cost", "26", "--max-concurrency", "1", "--request", *fields)
        assert main(arguments) == code
    said = capsys.readouterr().err
    assert ("nothing limits the replies" in said) == (code == 2)
    assert len(server.requests) == (0 if code else 5)


def test_a_dry_run_counts_what_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*command(tmp_path, "endpoint:m@http://localhost:1/v1"), "--dry-run", "--json"]
    assert main([*arguments, "--request", "max_completion_tokens=7"]) == 0
    (estimate,) = json.loads(capsys.readouterr().out)["estimates"]
    assert estimate["output_tokens"] == 5 * 7


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--request", "seed"], "--request seed is no field; give NAME=VALUE"),
        (["--request", "=5"], "'' is no name of a field"),
        (["--request", "messages=[]"], "'messages' cannot be changed"),
        (["--request", "model=other"], "'model' cannot be changed"),
        (["--request", "max_tokens=many"], "max_tokens is a count of tokens"),
        (["--request", "max_completion_tokens=0"], "max_completion_tokens is a count of tokens"),
        (["--request", "temperature=-1"], "temperature is 0 or more"),
        (["--request", "top_p=NaN"], "the value of top_p is nothing that JSON can hold"),
        (["--request", "user=\udcff"], "the value of user is nothing that JSON can hold"),
        (["--model", "smollm2", "--request", "seed=-"], "FamilyChatModel|LocalChatModel"),
    ],
)  # fmt: skip
def test_what_cannot_be_declared_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert main(command(tmp_path, "endpoint:m@http://localhost:1/v1", *more)) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert any(part in line for part in said.split("|"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "system", [{"baseline": "always-3"}, {"chain": "kice-prompt", "model": "m:a", "request": {"seed": float("nan")}}]
)
def test_a_suite_that_cannot_declare_fields_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], system: dict[str, Any]
) -> None:
    suite = tmp_path / "suite.yaml"
    systems = [{"name": "s", "request": {"seed": None}, **system}]
    suite.write_text(yaml.safe_dump({"name": "s", "evaluations": [{"benchmark": "kice", "systems": systems}]}))
    assert main(["run", str(suite)]) == 2
    assert "request" in capsys.readouterr().err


def test_a_model_keeps_its_fields_whatever_is_made_of_it() -> None:
    """Another seed for each vote, and tools that are bound, are no way around them."""
    with serve_chat(lambda _: "yes") as server:
        fields = {"seed": None, "max_completion_tokens": 8, "top_k": 3, "stop": None}
        model = load_chat_model(f"endpoint:qwen3@{server.base_url}", max_tokens=100, seed=1, request=fields)
        with_seed(model, 5).bind(seed=9, max_tokens=7, stop=["x"], top_k=1).invoke(ASKED)
        "".join(part.text for part in model.stream(ASKED))
    for request in server.requests:
        assert "seed" not in request.body and "stop" not in request.body and "max_tokens" not in request.body
        assert request.body["max_completion_tokens"] == 8 and request.body["top_k"] == 3
    assert reply_limit(model) == 8
    assert describe_model(model)["request"] == fields


def test_a_model_of_ones_own_of_openai_s_kind_takes_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_chat(lambda _: "yes") as server:
        source = (
            f"from langchain_openai import ChatOpenAI\nmodel = ChatOpenAI(model='m', base_url={server.base_url!r}, "
        )
        (tmp_path / "served_model.py").write_text(source + "api_key='k', seed=4)\n")
        monkeypatch.syspath_prepend(tmp_path)
        model = load_chat_model("served_model:model", request={"seed": None, "user": "u"})
        model.invoke(ASKED)
        load_chat_model("served_model:model").invoke(ASKED)
    changed_body, own_body = (request.body for request in server.requests)
    assert changed_body["user"] == "u" and "seed" not in changed_body
    assert own_body["seed"] == 4 and "user" not in own_body


def test_only_a_model_that_is_asked_over_a_network_takes_them() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be declared; that goes with models of OpenAI's API"):
        load_chat_model("smollm2", request={"seed": None})


def test_the_names_of_a_limit_take_one_another_s_place() -> None:
    sent = {"max_tokens": 5, "n": 1}
    assert changed(sent, {"max_completion_tokens": 9}) == {"n": 1, "max_completion_tokens": 9}
    assert changed(sent, {"max_tokens": None, "max_output_tokens": 9}) == {"n": 1, "max_output_tokens": 9}
    assert changed(sent, {"n": None}) == {"max_tokens": 5}
    assert changed(sent, {}) == sent
