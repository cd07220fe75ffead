"""Prompts of different length that a server counts as equally long: a warning, and none where that may be chance."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chains.models.specs import load_chat_model
from data.registry import load_items
from eval.cli.parser import main
from eval.measures.prompt_counts import EqualCounts
from eval.measures.prompt_counts import find_equal_counts as equal_counts_among
from eval.report.summary import summarize
from tests.support.chat_endpoint import serve_chat
from tests.support.exam_file import write_exam

WARNING = "the server may cut prompts silently"


def find_equal_counts(pairs: Sequence[tuple[int, int]]) -> EqualCounts | None:
    """Of (characters, tokens)."""
    characters, tokens = np.array(pairs, dtype=int).reshape(-1, 2).T
    return equal_counts_among(characters, tokens)


def test_prompts_that_share_the_highest_count_are_found() -> None:
    found = find_equal_counts([(400, 90), (1000, 128), (900, 128), (700, 128), (300, 60)])
    assert found is not None
    assert found.model_dump() == {
        "prompts": 3,
        "counted": 5,
        "tokens": 128,
        "fewest": 128,
        "shortest": 700,
        "longest": 1000,
    }


def test_counts_that_alternate_by_a_token_or_two_are_equal() -> None:
    found = find_equal_counts([*((5000 + 500 * n, 2047 + n % 2) for n in range(6)), (900, 300)])
    assert found is not None
    assert (found.prompts, found.fewest, found.tokens) == (6, 2047, 2048)
    longest_has_less = [(5000, 2048), (6000, 2048), (7000, 2048), (8000, 2046)]
    assert (found := find_equal_counts(longest_has_less)) is not None and found.prompts == 4
    assert find_equal_counts([(5000, 2048), (6000, 2048), (7000, 2048), (8000, 2040)]) is None
    # Where prompts are short, a token more is as much as they differ.
    assert find_equal_counts([(60, 19), (66, 20), (72, 21)]) is None


def test_many_lengths_need_to_differ_less_than_a_few() -> None:
    assert find_equal_counts([(1000 + n, 128) for n in range(12)]) is None
    assert find_equal_counts([(1000 + n, 128) for n in range(24)]) is not None


@pytest.mark.parametrize(
    "pairs",
    [
        (),
        ((400, 90), (1000, 200)),
        ((900, 128), (1000, 128)),  # two
        ((1000, 128), (1000, 128), (1000, 128)),  # of one length
        ((1000, 128), (1010, 128), (1020, 128)),  # hardly longer
        ((700, 128), (800, 128), (900, 128), (2000, 120)),  # the longest has room
        ((400, 90), (500, 90), (600, 90), (700, 128)),  # not the highest count
    ],
)
def test_what_may_be_chance_is_not_found(pairs: tuple[tuple[int, int], ...]) -> None:
    assert find_equal_counts(pairs) is None


@pytest.mark.weights
def test_a_real_tokenizer_gives_no_ground_for_it_and_a_context_that_is_too_short_does() -> None:
    tokenizer = load_chat_model("smollm2").inner.load().tokenizer  # type: ignore[attr-defined]
    items = [*load_items("mnli", split="sample"), *load_items("kice", split="sample")]
    texts = ["\n".join([*item.inputs.values(), *item.choices]) for item in items]
    counted = [(len(text), len(tokenizer(text)["input_ids"])) for text in texts]
    context = sorted(tokens for _, tokens in counted)[len(counted) // 2]
    rng = random.Random(0)
    samples = [rng.sample(counted, n) for n in (5, 20, 60) for _ in range(200)]
    assert sum(find_equal_counts(sample) is not None for sample in samples) <= len(samples) / 100
    cut = [[(letters, min(tokens, context)) for letters, tokens in sample] for sample in samples if len(sample) > 5]
    assert sum(find_equal_counts(sample) is not None for sample in cut) >= 0.98 * len(cut)


def asked(body: dict[str, Any]) -> int:
    """What a server reads that has room for 100 characters."""
    return min(sum(len(message["content"]) for message in body["messages"]), 100)


@pytest.mark.parametrize("more", [(), ("--permute", "cyclic")])
def test_a_server_that_reads_no_more_than_it_has_room_for_is_named(
    more: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    with serve_chat(lambda body: "정답: 3번", prompt_tokens=asked) as server:
        command = ["run", "kice", "--split", "sample", "--chain", "kice-prompt", "--limit", "8", *more]
        assert main([*command, "--model", f"endpoint:m@{server.base_url}", "--out", str(out)]) == 0
    shown = capsys.readouterr()
    (said,) = [line for line in shown.err.splitlines() if WARNING in line]
    assert said.startswith("warning: kice-prompt.endpoint-m: 8 of 8 prompts, of ")
    assert "were all counted as 100 tokens" in said
    for form in ("report.md", "report.html"):
        assert WARNING in (out / form).read_text(encoding="utf-8")


def test_a_server_that_reads_everything_is_not(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with serve_chat(
        lambda body: "정답: 3번", prompt_tokens=lambda body: len(body["messages"][-1]["content"])
    ) as server:
        command = ["run", "kice", "--split", "sample", "--chain", "kice-prompt", "--limit", "8"]
        assert main([*command, "--model", f"endpoint:m@{server.base_url}", "--out", str(out)]) == 0
    assert not summarize(out).evaluations[0].warnings


def test_replies_recorded_elsewhere_tell_by_their_items(tmp_path: Path) -> None:
    problem = {"choices": list("가나다라마"), "answer": 1, "score": 20}
    exam = [
        {"id": "p", "paragraph": "글. " * 40 * n, "problems": [{**problem, "question": f"{n}?"}]} for n in range(1, 6)
    ]
    write_exam(tmp_path, exam)
    rows = [
        {"id": f"kice/2030-11/q0{n}", "output": "1번", "input_tokens": 2048, "output_tokens": 2} for n in range(1, 6)
    ]
    replies = tmp_path / "recorded.jsonl"
    replies.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    command = ["import", str(replies), "--benchmark", "kice", "--data", str(tmp_path / "2030_11_KICE.json")]
    assert main([*command, "--out", str(tmp_path / "run")]) == 0
    (said,) = summarize(tmp_path / "run").evaluations[0].warnings
    assert said.startswith("recorded: 5 of 5 prompts, of ") and "counted as 2,048 tokens" in said
