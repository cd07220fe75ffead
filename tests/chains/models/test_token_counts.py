"""A dry run counts as the model does, by tiktoken or its own tokenizer, or says that it can only estimate."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import requests
import tiktoken

from chains.models import token_counts
from chains.models.token_counts import token_counter
from data.types import Message
from eval.cli.parser import main
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest
from tests.support.tiny_models import make_tiny_model

SAID = (Message(role="system", content="ab"), Message(role="user", content="<|endoftext|>"))


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    token_counts._encoding.cache_clear()
    token_counts._stalled.clear()


def by_bytes(name: str) -> tiktoken.Encoding:
    """Return a vocabulary of single bytes, and one special token that data may spell."""
    ranks = {bytes([byte]): byte for byte in range(256)}
    return tiktoken.Encoding(name, pat_str=".+", mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 256})


@pytest.mark.parametrize(
    ("spec", "encoding"),
    [
        ("gpt", "o200k_base"),
        ("openai:gpt-3.5-turbo", "cl100k_base"),
        ("openai:one-of-tomorrow", "o200k_base"),
        ("azure_openai:my-deployment", "o200k_base"),
    ],
)
def test_openai_s_models_are_counted_by_tiktoken(monkeypatch: pytest.MonkeyPatch, spec: str, encoding: str) -> None:
    monkeypatch.setattr(tiktoken, "get_encoding", by_bytes)
    counter = token_counter(spec)
    assert counter is not None and counter.by == f"tiktoken's {encoding}"
    words = "system" + "ab" + "user" + "<|endoftext|>"  # the data's own text, and not one token
    assert counter.request(SAID) == len(words) + 2 * 3 + 3


@pytest.mark.parametrize("fault", [requests.ConnectionError("no route"), ValueError("Hash mismatch")])
def test_a_vocabulary_that_cannot_be_had_is_done_without(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    def get_encoding(name: str) -> Any:
        raise fault

    monkeypatch.setattr(tiktoken, "get_encoding", get_encoding)
    assert token_counter("gpt") is None


def test_a_network_that_swallows_everything_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_counts, "_PATIENCE_S", 0.05)
    never = threading.Event()
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: never.wait(20))
    assert token_counter("gpt") is None
    never.set()


@pytest.mark.parametrize(
    "spec", ["endpoint:served@http://localhost:1/v1", "anthropic:claude", "hf:no/such-model", "qwen"]
)
def test_what_has_no_tokenizer_here_is_not_counted(spec: str) -> None:
    assert token_counter(spec) is None


def dry_run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*arguments, "--dry-run", "--json"]) == 0
    (estimate,) = json.loads(capsys.readouterr().out)["estimates"]
    return dict(estimate)


def test_a_local_model_reads_as_many_tokens_as_the_dry_run_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_tiny_model(tmp_path / "tiny", max_position_embeddings=4096)
    asked = ["run", "mnli", "--split", "sample", "--limit", "5", "--chain", "mnli-zero-shot", "--model", f"hf:{folder}"]
    estimate = dry_run(asked, capsys)
    assert estimate["counted_by"] == "the model's own tokenizer"
    assert main([*asked, "--answering", "generate", "--max-tokens", "2", "--out", str(tmp_path / "run")]) == 0
    (name,) = read_manifest(tmp_path / "run").systems
    records = read_records(records_path(tmp_path / "run", name))
    assert sum(r.prediction.usage["input_tokens"] for r in records if r.prediction) == estimate["input_tokens"]


def test_a_rule_of_thumb_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["run", "mnli", "--split", "sample", "--chain", "mnli-zero-shot"]
    asked += ["--model", "endpoint:served@http://localhost:1/v1"]
    assert dry_run(asked, capsys)["counted_by"].startswith("a rule of thumb")


def test_a_dry_run_converts_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path))
    assert token_counter("smollm2") is None
    assert not (tmp_path / "models").exists()


def test_the_tools_that_an_agent_is_told_of_are_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["run", "kice", "--split", "sample", "--limit", "1", "--chain", "kice-agent", "--retriever", "bm25"]
    asked += ["--model", "endpoint:m@http://localhost:1/v1"]
    whole = dry_run(asked, capsys)["input_tokens"]
    monkeypatch.setattr("eval.cli.dry_run.convert_to_openai_tool", lambda tool: "")
    assert whole - dry_run(asked, capsys)["input_tokens"] > 7 * 50


def test_a_text_that_tiktoken_gives_up_on_is_counted_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    class GivesUp:
        def encode(self, text: str, **more: Any) -> list[int]:
            if len(text) > 400_000:  # of spaces, it has been seen to encode so many
                raise ValueError("Regex error while tokenizing: Max stack size exceeded for backtracking")
            return [0] * len(text)

    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: GivesUp())
    counter = token_counter("gpt")
    assert counter is not None and counter.text(" " * 1_000_000) == 1_000_000
