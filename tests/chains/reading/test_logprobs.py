"""Probabilities out of a provider's log-probabilities: which token says the answer, and what the labels get of it."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from chains.models.specs import load_chat_model
from chains.reading.logprobs import REQUEST, reply_probs
from eval.cli.parser import main
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest
from tests.support.chat_endpoint import serve_chat
from tests.support.exam_file import write_exam
from tests.support.llama_server import llama_server

__all__ = ["llama_server"]

DIGITS = ["1", "2", "3", "4", "5"]
LABELS = ["entailment", "neutral", "contradiction"]


def said(*tokens: dict[str, Any]) -> AIMessage:
    return AIMessage("".join(one["token"] for one in tokens), response_metadata={"logprobs": {"content": [*tokens]}})


def named(text: str, *others: tuple[str, float]) -> dict[str, Any]:
    """A token with what stood in its place and how likely, its own first."""
    listed = [{"token": name, "logprob": math.log(p)} for name, p in others]
    return {"token": text, "logprob": listed[0]["logprob"], "top_logprobs": listed}


def test_the_ways_to_write_a_number_are_summed() -> None:
    ways = [
        ("3", 0.4),
        (" 3", 0.1),
        ("③", 0.1),
        ("３", 0.05),
        ("3번", 0.05),
        ("1", 0.2),
        ("\n2", 0.06),
        ("4", 0.03),
        ("(5", 0.01),
    ]
    probs = reply_probs(said(named("3", *ways)), DIGITS, 2)
    assert probs == pytest.approx((0.2, 0.06, 0.7, 0.03, 0.01))


def test_probabilities_are_those_of_the_place_where_the_answer_is_said() -> None:
    before = named("정답", ("정답", 0.9), ("3", 0.1))
    probs = reply_probs(
        said(before, named(": ", (": ", 1.0)), named("2", ("2", 0.6), ("3", 0.4)), named("번", ("번", 1.0))), DIGITS, 1
    )
    assert probs == pytest.approx((0, 0.6, 0.4, 0, 0))


def test_numbers_in_thoughts_and_longer_numbers_are_no_answers() -> None:
    thought = [named(text, (text, 1.0)) for text in ("<think>", "2", "</th", "ink>", "\n")]
    assert reply_probs(said(*thought, named("2", ("2", 0.8), ("1", 0.2))), DIGITS, 1) == pytest.approx(
        (0.2, 0.8, 0, 0, 0)
    )
    long = [named("2", ("2", 1.0)), named("0", ("0", 1.0)), named(": ", (": ", 1.0))]
    assert reply_probs(said(*long, named("2", ("2", 0.7), ("5", 0.3))), DIGITS, 1) == pytest.approx((0, 0.7, 0, 0, 0.3))


def test_the_beginning_of_a_label_word_stands_for_it() -> None:
    first = named("ent", ("ent", 0.5), ("Ent", 0.1), (" neutral", 0.2), ("contr", 0.1), ("con", 0.1))
    probs = reply_probs(said(first, named("ail", ("ail", 1.0)), named("ment", ("ment", 1.0))), LABELS, 0)
    assert probs == pytest.approx((0.6, 0.2, 0.2))
    assert reply_probs(said(named("yes", ("yes", 1.0))), LABELS, 0) is None


def test_labels_that_are_not_listed_are_bounded_and_never_impossible() -> None:
    # listed: 0.9, the least 0.02; unlisted: 0.1 for three labels is more than 0.02 each
    some = named("1", ("1", 0.8), ("2", 0.08), ("The", 0.02))
    total = 0.88 + 3 * 0.02
    assert reply_probs(said(some), DIGITS, 0) == pytest.approx((0.8 / total, 0.08 / total, *[0.02 / total] * 3))
    # a server that lists one token: what is left is shared out evenly
    assert reply_probs(said(named("1", ("1", 0.6))), DIGITS, 0) == pytest.approx((0.6, 0.1, 0.1, 0.1, 0.1))


def test_a_sampled_token_counts_though_it_is_not_among_the_listed() -> None:
    rare = named("4", ("1", 0.7), ("2", 0.2)) | {"logprob": math.log(0.1)}
    assert reply_probs(said(rare), DIGITS, 3) == pytest.approx((0.7, 0.2, 0, 0.1, 0))


@pytest.mark.parametrize(
    ("metadata", "labels", "choice"),
    [
        ({}, DIGITS, 0),
        ({"logprobs": None}, DIGITS, 0),
        ({"logprobs": {"content": None}}, DIGITS, 0),
        ({"logprobs": {"content": [named("1", ("1", 1.0))]}}, DIGITS, None),
        ({"logprobs": {"content": [named("1", ("1", 1.0))]}}, [str(n) for n in range(1, 12)], 0),
    ],
)
def test_what_a_reply_does_not_tell_is_none(metadata: dict[str, Any], labels: list[str], choice: int | None) -> None:
    assert reply_probs(AIMessage("1", response_metadata=metadata), labels, choice) is None


def test_a_place_that_tells_nothing_leaves_the_answer_alone() -> None:
    token = {"token": "3", "logprob": -0.1, "top_logprobs": []}
    untold: list[Any] = [
        [{"content": [token]}],
        "none",
        {"content": token},
        {"content": ["3"]},
        {"content": [{"logprob": -0.1}]},
        {"content": [{**token, "token": None}]},
        {"content": [{**token, "logprob": None}]},
        {"content": [{**token, "logprob": "-0.1"}]},
        {"content": [{**token, "logprob": math.nan}]},
        {"content": [{**token, "logprob": -9999.0}]},
        {"content": [{**token, "top_logprobs": {"3": -0.1}}]},
        {"content": [{**token, "top_logprobs": [{"token": "2", "logprob": None}]}]},
    ]
    for held in untold:
        assert reply_probs(AIMessage("3", response_metadata={"logprobs": held}), DIGITS, 2) is None, held


def test_a_token_beyond_the_listed_ones_is_no_more_than_unlikely() -> None:
    placed = {**named("3", ("1", 0.6), ("2", 0.3)), "token": "3", "logprob": -9999.0}
    probs = reply_probs(said(placed), ["1", "2", "3"], 2)
    assert probs == pytest.approx((0.6, 0.3, 0.1))


def asked(folder: Path, base_url: str, *more: str) -> list[str]:
    data = write_exam(folder)
    spec = ["--chain", "kice-prompt", "--model", f"endpoint:served@{base_url}", "--answering", "logprobs"]
    return ["run", "kice", "--data", str(data), *spec, "--out", str(folder / "out"), *more]


def predictions(run_dir: Path) -> list[Any]:
    (name,) = read_manifest(run_dir).systems
    return [record.prediction for record in read_records(records_path(run_dir, name))]


def test_a_run_asks_a_server_for_them_and_keeps_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokens = [named("2", ("2", 0.5), ("3", 0.3), (" 3", 0.1), ("1", 0.05), ("4", 0.04), ("5", 0.01))]
    with serve_chat(lambda body: "2", logprobs=lambda body: tokens) as server:
        assert main(asked(tmp_path, server.base_url, "--json")) == 0
        assert all(request.body["top_logprobs"] == 20 for request in server.requests)
    for prediction in predictions(tmp_path / "out"):
        assert prediction.choice == 1
        assert prediction.probs == pytest.approx((0.05, 0.5, 0.4, 0.04, 0.01))
        assert prediction.probs_source == "logprobs"
    captured = capsys.readouterr()
    assert "log-probability" not in captured.err
    assert json.loads(captured.out)["evaluations"][0]["systems"][0]["scores"]["roc_auc"] is not None


def test_rotations_of_a_served_model_average_its_probabilities(tmp_path: Path) -> None:
    tokens = [named("1", ("1", 0.6), ("2", 0.1), ("3", 0.1), ("4", 0.1), ("5", 0.1))]
    with serve_chat(lambda body: "1", logprobs=lambda body: tokens) as server:
        assert main(asked(tmp_path, server.base_url, "--permute", "cyclic")) == 0
    for prediction in predictions(tmp_path / "out"):
        assert prediction.probs == pytest.approx([0.2] * 5)
        assert prediction.probs_source == "logprobs"
        assert prediction.rule == "tie-drawn"


def test_a_server_without_them_is_said_once_and_its_answers_stand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_chat(lambda body: "2") as server:
        assert main(asked(tmp_path, server.base_url)) == 0
    assert capsys.readouterr().err.count("no log-probability of its label came with the reply") == 1
    assert {(p.choice, p.probs, p.probs_source) for p in predictions(tmp_path / "out")} == {(1, None, None)}


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        ("smollm2", [], "use 'score'"),
        ("tests.support.scripted_models:first", [], "takes no logprobs; use 'generate'"),
        ("endpoint:served@http://127.0.0.1:9/v1", ["--prompt", "kice/cot-ko"], "reasons before it answers"),
    ],
)
def test_what_cannot_tell_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str, more: list[str], said: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr("chains.models.specs.check_ready", lambda model: None)
    data = write_exam(tmp_path)
    spec = ["--chain", "kice-prompt", "--model", model, "--answering", "logprobs", *more]
    assert main(["run", "kice", "--data", str(data), "--out", str(tmp_path / "out"), *spec]) == 2
    error = capsys.readouterr().err.strip()
    assert "answering 'logprobs' is not possible" in error
    assert said in error
    assert "\n" not in error


@pytest.mark.server
@pytest.mark.weights
def test_llama_cpp_tells_them(llama_server: str) -> None:
    # The grammar has so small a model say a label; the log-probabilities are those that it had without.
    grammar = {"grammar": 'root ::= "1" | "2" | "3"'}
    model = load_chat_model(f"endpoint:smollm2@{llama_server}", max_tokens=4, extra_body=grammar)
    reply = model.bind(**REQUEST).invoke("Which number comes after 1? Answer with 1, 2 or 3 and nothing else.")
    probs = reply_probs(reply, ["1", "2", "3"], int(reply.text) - 1)
    assert probs is not None
    assert min(probs) > 0 and sum(probs) == pytest.approx(1)
