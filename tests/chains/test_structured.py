"""Replies that the provider holds to a JSON schema: what is sent, how it is read, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from chains.classify import classify
from chains.kice import kice_prompt
from chains.models.specs import load_chat_model
from chains.predictor import Predictor
from chains.reading.reply import extract_answer
from data.common.errors import ConfigurationError
from data.types import Item, Prediction
from eval.cli.parser import main
from eval.execution.rescore import rescore
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest
from tests.support.chat_endpoint import ChatEndpoint, serve_chat
from tests.support.exam_file import exam, write_exam
from tests.support.llama_server import llama_server
from tests.support.scripted import ScriptedChatModel, ToolCallingModel

__all__ = ["llama_server"]

LABELS = ("refund", "refund_status", "카드 분실")
TICKET = Item(id="t/1", inputs={"Betreff": "카드를 잃어버렸어요"}, choices=LABELS, target=2, group="g1")
QUESTION = Item(
    id="kice/test/q01",
    inputs={"passage": "글", "question": "윗글과 일치하는 것은?"},
    choices=("하나", "둘", "셋", "넷", "다섯"),
    target=2,
    group="kice/test/p1",
)


@pytest.fixture(autouse=True)
def no_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def enum_of(body: dict[str, Any]) -> list[str]:
    form = body["response_format"]
    assert form["type"] == "json_schema" and form["json_schema"]["strict"] is True
    return form["json_schema"]["schema"]["properties"]["answer"]["enum"]


def served(server: ChatEndpoint, **settings: Any) -> Any:
    return load_chat_model(f"endpoint:m@{server.base_url}", **settings)


def test_a_reply_is_held_to_the_labels_or_to_the_choices_numbers() -> None:
    with serve_chat(lambda _: "카드 분실 3", keeps_schemas=True) as server:
        labelled = classify(served(server), answering="structured").invoke(TICKET.to_input())
        numbered = kice_prompt(served(server), answering="structured").invoke(QUESTION.to_input())
        kice_prompt(served(server), answering="generate").invoke(QUESTION.to_input())
    for answer in (labelled, numbered):
        assert (answer.choice, answer.rule) == (2, "structured")
        assert answer.usage == {"input_tokens": 7, "output_tokens": 3} and "answer" in json.loads(answer.raw)
    first, second, plain = (request.body for request in server.requests)
    assert enum_of(first) == list(LABELS) and enum_of(second) == ["1", "2", "3", "4", "5"]
    assert second["messages"] == plain["messages"] and "response_format" not in plain


def test_only_the_candidates_that_are_shown_can_be_answered() -> None:
    with serve_chat(lambda _: "refund_status", keeps_schemas=True) as server:
        chain = classify(served(server), answering="structured", candidates=2)
        answer = chain.invoke({**TICKET.to_input(), "documents": []})
    assert enum_of(server.requests[0].body) == ["refund", "refund_status"]
    assert answer.choice == 1 and answer.candidates == (0, 1)


def test_a_prompt_that_reasons_has_a_field_for_it_before_the_answer() -> None:
    with serve_chat(lambda _: "먼저 글을 읽으면 3", keeps_schemas=True) as server:
        answer = kice_prompt(served(server), prompt="cot-ko", answering="structured").invoke(QUESTION.to_input())
    schema = server.requests[0].body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["reasoning", "answer"] and answer.choice == 2


@pytest.mark.parametrize(
    ("said", "choice", "rule"),
    [
        ("The label is refund_status.", 1, ""),
        ('{"label": "refund"}', 0, ""),
        ('{"answer": "refund_status"}', 1, "structured"),
        ('{"answer": "something else"}', None, ""),
        ("I cannot say.", None, ""),
    ],
)
def test_a_server_that_writes_something_else_is_read_as_any_reply_is(said: str, choice: int | None, rule: str) -> None:
    with serve_chat(lambda _: said) as server:
        answer = classify(served(server), answering="structured").invoke(TICKET.to_input())
    assert answer.choice == choice and (answer.rule == "structured") == (rule == "structured")


@pytest.mark.parametrize("spec", ["endpoint:m@{}", "openai:gpt-4o"])
def test_a_reply_that_is_cut_off_is_read_and_no_error(monkeypatch: pytest.MonkeyPatch, spec: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    with serve_chat(lambda _: '{"answer": "re', finish_reason="length") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        model = load_chat_model(spec.format(server.base_url))
        answer = classify(model, answering="structured").invoke(TICKET.to_input())
    assert (answer.choice, answer.status, answer.raw) == (None, "truncated", '{"answer": "re')
    assert answer.usage["output_tokens"] == 3 and enum_of(server.requests[0].body) == list(LABELS)


def test_a_provider_that_asks_by_a_tool_is_read_from_its_call() -> None:
    """LangChain's own way for a model that calls tools and has no schema of replies."""
    call = {"name": "answer", "args": {"answer": "카드 분실"}, "id": "1"}

    class Offering(ToolCallingModel):
        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            self.offered.append(([tool["title"] for tool in tools], kwargs["tool_choice"]))
            return self.bind()

    model = Offering(reply=lambda messages: AIMessage("", tool_calls=[call]))
    answer = classify(model, answering="structured").invoke(TICKET.to_input())
    assert (answer.choice, answer.rule) == (2, "structured") and json.loads(answer.raw) == call["args"]


def test_a_number_is_read_as_one_and_nothing_is_invented() -> None:
    five = ["a", "b", "c", "d", "e"]
    assert extract_answer('{"answer": 3}', five, form="number") == (2, "ok", "structured")
    for text in (
        '{"answer": 6}',
        '{"answer": true}',
        '{"answer": ["3"]}',
        '{"other": "3"}',
        '"3"',
        "3",
        "{",
        "[" * 9999,
    ):
        assert extract_answer(text, five, form="number") is None


@pytest.mark.parametrize("model", [ScriptedChatModel(reply=lambda messages: "1"), None])
def test_a_model_that_cannot_is_refused_in_one_line(model: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"answering 'structured' is not possible: [^\n]*; use '") as refused:
        classify(model or load_chat_model("smollm2"), answering="structured")
    assert "\n" not in str(refused.value)


# ── In a run ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def run(folder: Path, model: str, *more: str, out: str = "out") -> int:
    path = folder / "2030_11_KICE.json"
    if not path.exists():
        write_exam(folder, exam(1, 5))
    asked = ["run", "kice", "--data", str(path), "--chain", "kice-prompt", "--model", model, "--out", str(folder / out)]
    return main([*asked, *more])


def predictions(run_dir: Path) -> list[Prediction]:
    (name,) = read_manifest(run_dir).systems
    found = [record.prediction for record in read_records(records_path(run_dir, name))]
    return [prediction for prediction in found if prediction]


def test_a_run_says_that_it_was_structured_and_is_read_again_alike(tmp_path: Path) -> None:
    with serve_chat(lambda _: "2", keeps_schemas=True) as server:
        spec = f"endpoint:m@{server.base_url}"
        assert run(tmp_path, spec, "--answering", "structured") == 0
        (about,) = read_manifest(tmp_path / "out").systems.values()
        assert about.answering == "structured"
        # The object takes more tokens than the bare answer for which the prompt makes room.
        assert server.requests[0].body["max_tokens"] > 32
        assert run(tmp_path, spec, "--answering", "structured", "--permute", "cyclic", out="turned") == 0
    assert {one.choice for one in predictions(tmp_path / "out")} == {1}
    assert all({ask.choice for ask in one.asks} == set(range(5)) for one in predictions(tmp_path / "turned"))
    assert rescore(tmp_path / "out") == rescore(tmp_path / "turned") == []
    assert {one.rule for one in predictions(tmp_path / "out")} == {"structured"}


def test_votes_are_over_structured_replies(tmp_path: Path) -> None:
    with serve_chat(lambda body: str(body["seed"] % 2 + 1), keeps_schemas=True) as server:
        sampled = ("--answering", "structured", "--votes", "3", "--temperature", "0.7")
        assert run(tmp_path, f"endpoint:m@{server.base_url}", *sampled) == 0
        assert len(server.requests) == 15 and all("response_format" in one.body for one in server.requests)
    assert all(len(one.asks) == 3 and one.choice in (0, 1) for one in predictions(tmp_path / "out"))


def test_the_cache_keeps_structured_replies_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "cache"))
    asked = []
    with serve_chat(lambda _: "2", keeps_schemas=True) as server:
        for number, answering in enumerate(("generate", "structured", "structured")):
            spec = f"endpoint:m@{server.base_url}"
            assert run(tmp_path, spec, "--cache", "--answering", answering, out=f"out{number}") == 0
            asked.append(len(server.requests))
    assert asked == [5, 10, 10] and {one.choice for one in predictions(tmp_path / "out2")} == {1}


def test_a_server_that_knows_no_schemas_stops_the_run_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = {"error": {"message": "This model does not support response_format json_schema", "type": "invalid"}}
    with serve_chat(lambda body: (400, refusal) if "response_format" in body else "2") as server:
        assert run(tmp_path, f"endpoint:m@{server.base_url}", "--answering", "structured") == 2
        assert len(server.requests) <= 8
    error = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(error) == 1 and "does not support response_format json_schema" in error[0]


def test_a_local_model_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "hf:nowhere/at-all", "--answering", "structured") == 2
    assert "answering 'structured' needs a provider" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_dry_run_counts_the_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counted = []
    for answering in ("generate", "structured"):
        assert run(tmp_path, "openai:gpt-4o-mini", "--dry-run", "--answering", answering) == 0
        said = capsys.readouterr().out
        counted.append(int(said.partition("about ")[2].partition(" input tokens")[0].replace(",", "")))
    assert counted[1] > counted[0] + 5 * 20


@pytest.mark.server
@pytest.mark.weights
def test_a_real_server_keeps_to_the_schema(llama_server: str) -> None:
    model = load_chat_model(f"endpoint:smollm2@{llama_server}", max_tokens=48, seed=0)
    chain: Predictor = classify(model, answering="structured")
    asked = [{**TICKET.to_input(), "id": f"t/{n}", "Betreff": text} for n, text in enumerate(("give it back", "카드"))]
    for answer in chain.batch(asked):
        assert answer.rule == "structured" and answer.choice is not None, answer
        assert json.loads(answer.raw) == {"answer": LABELS[answer.choice]}
