"""A search for a prompt: what it finds, that it never sees a test item, and what is refused in one line."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.common.errors import ConfigurationError
from data.registry import load_items
from eval.api import load_run
from eval.cli.parser import main
from tests.support import betraying
from tests.support.tickets import tickets

pytest.importorskip("gepa")


@pytest.fixture
def shown() -> Iterator[list[list[str]]]:
    betraying.SHOWN.clear()
    yield betraying.SHOWN
    betraying.SHOWN.clear()


def ticket_of(text: str) -> set[str]:
    return set(re.findall(r'"number" \d+', text))


def test_the_search_finds_the_better_wording_and_never_sees_a_test_item(tmp_path: Path, shown: list[list[str]]) -> None:
    file, out = tickets(tmp_path / "tickets.csv", 120), tmp_path / "out"
    words = ["--model", betraying.MODEL, "--trials", "6", "--held-out", "30", "--out", str(out)]
    assert main(["prompts", str(file), *words]) == 0

    tested = {ticket for item in load_items(str(file), split="test") for ticket in ticket_of(item.inputs["Message"])}
    assert len(tested) > 15
    final = load_run(out / "test")
    systems = ("as-it-is", "found")
    # Each test item is the question once for each of the two prompts, and in nothing else that the model was shown.
    asked = [texts[-1] for texts in shown if not betraying.is_proposal(texts) and ticket_of(texts[-1]) & tested]
    assert len(asked) == len(tested) * len(systems)
    assert any(betraying.is_proposal(texts) for texts in shown)
    for texts in shown:
        others = texts if betraying.is_proposal(texts) else texts[:-1]
        assert not tested & {ticket for text in others for ticket in ticket_of(text)}
    last = len(shown) - len(asked)
    assert not any(ticket_of(text) & tested for texts in shown[:last] for text in texts), "not before the search ends"

    (evaluation,) = final.summary.evaluations
    accuracies = {one.name: one.scores.accuracy for one in evaluation.systems if one.scores is not None}
    assert accuracies["found"] == 1 and accuracies["as-it-is"] < 0.5
    prompt = next(path for path in out.glob("wording-*.yaml") if "owns the ticket" in path.read_text("utf-8"))
    again = ["run", str(file), "--chain", "classify", "--model", betraying.MODEL, "--prompt", str(prompt)]
    assert main([*again, "--out", str(tmp_path / "again")]) == 0


def test_a_search_that_finds_nothing_better_tests_the_prompt_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tickets(tmp_path / "tickets.csv", 90), tmp_path / "out"
    words = ["--model", "tests.support.tickets:reads_words", "--trials", "2", "--held-out", "20", "--out", str(out)]
    assert main(["prompts", str(file), *words]) == 0
    assert "nothing that was tried is better" in capsys.readouterr().err
    (evaluation,) = load_run(out / "test").summary.evaluations
    assert [one.name for one in evaluation.systems] == ["majority", "tfidf", "as-it-is"]


def test_a_model_that_fails_ends_the_search_and_counts_for_no_wording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_FAIL", "rain and sun")
    file, out = tickets(tmp_path / "tickets.csv", 90), tmp_path / "out"
    words = ["--model", "tests.support.scripted_models:failing", "--retries", "0", "--held-out", "20"]
    assert main(["prompts", str(file), *words, "--out", str(out)]) == 1
    assert "a failure is no wrong answer" in capsys.readouterr().err.splitlines()[-1]
    assert not (out / "test").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trials", "0"], "--trials 0 is too few"),
        (["--held-out", "0"], "--held-out 0 is too few"),
        (["--max-cost", "1"], "--max-cost bounds one run"),
        (["--test", "share=2"], "share"),
    ],
)
def test_what_cannot_be_searched_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    out = tmp_path / "out"
    command = ["prompts", str(tickets(tmp_path / "t.csv")), "--model", betraying.MODEL, "--out", str(out), *words]
    assert main(command) == ConfigurationError.exit_code
    said = capsys.readouterr().err.strip().splitlines()
    assert message in said[-1] and not out.exists()


def test_too_few_items_and_a_folder_that_is_there_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["prompts", str(tickets(tmp_path / "few.csv", 18)), "--model", betraying.MODEL]
    assert main([*few, "--out", str(tmp_path / "out")]) == 2
    assert "items to learn from; a search needs 20 or more" in capsys.readouterr().err
    assert main([*few, "--out", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err
