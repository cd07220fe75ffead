"""Replies without any text: said with their count and limit, kept with their reasoning, and never concluded from."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from data.types import NO_TEXT, Item, Message, Prediction, Record
from eval.cli.parser import main
from eval.measures.differences import compare
from eval.measures.run_answers import answers_of, read_answers
from eval.report import write_report
from eval.report.summary import EvaluationSummary, Summary, summarize
from eval.rundir.journal import read_records, records_path
from tests.support.chat_endpoint import ChatEndpoint, serve_chat
from tests.support.exam_file import write_exam
from tests.support.journaled_runs import answer, exam_item, right_where, write_run
from tests.support.report_page import unpacked

THOUGHTS = "①은 맞다. 그러므로 정답은 2번"
NAME = "kice-prompt.endpoint-m"
EXAM = [exam_item(number) for number in range(1, 21)]
CONCLUDED = ("Not better than", "distinguishable", "more often than", "same answer", "is ahead of", "recovers")


def run(folder: Path, server: ChatEndpoint, *more: str, name: str = "run") -> Path:
    """Ask the server four questions of an exam."""
    exam = folder / "2030_11_KICE.json"
    if not exam.exists():
        write_exam(folder)
    asked = ["run", "kice", "--data", str(exam), "--limit", "4", "--model", f"endpoint:m@{server.base_url}"]
    assert main([*asked, "--chain", "kice-prompt", "--out", str(folder / name), *more]) == 0
    return folder / name


def predictions(run_dir: Path, system: str = NAME) -> list[Prediction]:
    return [record.prediction for record in read_records(records_path(run_dir, system)) if record.prediction]


def concluded(summary: Summary | EvaluationSummary) -> list[str]:
    return [sentence for sentence in summary.conclusion if any(words in sentence for words in CONCLUDED)]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_replies_cut_off_among_thoughts_are_said_everywhere_and_concluded_from_nowhere(
    field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_chat(lambda body: {"content": None, field: THOUGHTS}, finish_reason="length") as server:
        run_dir = run(tmp_path, server, "--max-tokens", "64")
    said = f"{NAME}: 4 of 4 replies were cut off at max_tokens 64 before any text: raise --max-tokens."
    shown = capsys.readouterr()
    assert f"warning: {said}" in shown.err.splitlines()
    for form in ("report.md", "report.html"):
        assert said in (run_dir / form).read_text(encoding="utf-8").replace("\\_", "_")
    for one in predictions(run_dir):
        assert (one.choice, one.status, one.rule, one.raw) == (None, "truncated", NO_TEXT, "")
        assert (one.reasoning, one.finish_reason) == (THOUGHTS, "length")
    summary = summarize(run_dir)
    assert summary.evaluations[0].warnings[0] == said
    assert any("The best constant answer" in sentence for sentence in summary.conclusion)
    assert not concluded(summary)
    assert not any("could not exceed" in sentence for sentence in summary.conclusion), "bounds of nothing"
    assert main(["show", str(run_dir), "kice/2030-11/q01"]) == 0
    assert f"[reasoning, not read as an answer]\n{THOUGHTS}" in capsys.readouterr().out
    page = (run_dir / "report.html").read_text(encoding="utf-8")
    assert THOUGHTS in {
        one["prediction"]["reasoning"] for item in unpacked(page, "chunk-1-0") for one in item["records"].values()
    }


def test_who_reads_both_streams_is_warned_once(tmp_path: Path) -> None:
    write_exam(tmp_path)
    replies = tmp_path / "silent.jsonl"
    rows = ({"id": f"kice/2030-11/q0{n}", "output": None, "finish_reason": "length"} for n in (1, 2))
    replies.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = [sys.executable, "-m", "eval", "import", str(replies), "--benchmark", "kice"]
    command += ["--data", str(tmp_path / "2030_11_KICE.json"), "--out", str(tmp_path / "run")]
    shown = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    assert shown.count("2 of 2 replies were cut off before any text") == shown.count("warning: silent: 2 of 2") == 1


def test_a_text_that_a_server_takes_for_reasoning_is_kept_and_not_read(tmp_path: Path) -> None:
    with serve_chat(lambda body: {"content": "", "reasoning": THOUGHTS}) as server:
        run_dir = run(tmp_path, server)
    assert {(one.choice, one.status, one.rule, one.reasoning) for one in predictions(run_dir)} == {
        (None, "none", NO_TEXT, THOUGHTS)
    }
    summary = summarize(run_dir)
    assert summary.conclusion[0].startswith(f"{NAME}: 4 of 4 replies hold reasoning and no text; it is kept, and not")
    assert not concluded(summary)


def test_empty_replies_that_nothing_explains_are_said_to_be_that(tmp_path: Path) -> None:
    with serve_chat(lambda body: " \u200b\n") as server:
        run_dir = run(tmp_path, server)
    assert summarize(run_dir).conclusion[0].startswith(f"{NAME}: 4 of 4 replies are empty, and nothing says why")


def test_of_an_item_that_is_asked_several_times_each_reply_counts(tmp_path: Path) -> None:
    with serve_chat(lambda body: {"content": None, "reasoning": THOUGHTS}, finish_reason="length") as server:
        run_dir = run(tmp_path, server, "--permute", "cyclic", "--max-tokens", "9")
    summary = summarize(run_dir)
    assert summary.conclusion[0].startswith(f"{NAME}: 20 of 20 replies were cut off at max_tokens 9 before any text")
    assert not concluded(summary)
    assert {ask.reasoning for one in predictions(run_dir) for ask in one.asks} == {THOUGHTS}


def test_the_limit_that_is_said_is_the_one_that_was_sent(tmp_path: Path) -> None:
    with serve_chat(lambda body: {"content": None}, finish_reason="length") as server:
        run_dir = run(tmp_path, server)
    (limit,) = {request.body["max_tokens"] for request in server.requests}
    assert f"4 of 4 replies were cut off at max_tokens {limit} before" in summarize(run_dir).conclusion[0]


def test_korean_reports_say_it_in_korean(tmp_path: Path) -> None:
    with serve_chat(lambda body: {"content": None}, finish_reason="length") as server:
        run_dir = run(tmp_path, server, "--max-tokens", "64", "--lang", "ko")
    said = f"{NAME}: 응답 4개 중 4개가 본문이 나오기 전에 max_tokens 64에서 잘렸다. --max-tokens를 늘린다."
    assert said in (run_dir / "report.html").read_text(encoding="utf-8")


def test_reading_a_run_again_finds_no_answer_in_reasoning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve_chat(lambda body: {"content": "\n", "reasoning_content": THOUGHTS}) as server:
        run_dir = run(tmp_path, server)
    before = predictions(run_dir)
    capsys.readouterr()
    assert main(["rescore", str(run_dir)]) == 0
    assert "0 predictions changed" in capsys.readouterr().out
    assert predictions(run_dir) == before


# --- what is concluded where some replies hold no text


def blank(item: Item, system: str = "cut") -> Record:
    return answer(item, system, None, status="truncated", finish_reason="length")


def some_blank(n: int, right: int = 0) -> Callable[[Item], Record]:
    """A system whose replies to the first n items hold no text, and which is right on the next `right` ones."""

    def respond(item: Item) -> Record:
        number = int(item.id[-2:])
        return blank(item) if number <= n else answer(item, "cut", right_where(item, number <= n + right), raw="1번")

    return respond


def exam_run(folder: Path, systems: dict[str, Callable[[Item], Record | None]], items: Sequence[Item] = EXAM) -> Path:
    return write_run(folder, [("kice", items, systems)])


def good(item: Item) -> Record:
    return answer(item, "good", right_where(item, int(item.id[-2:]) % 10 != 0))


def test_no_pair_is_told_apart_by_replies_without_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = exam_run(tmp_path / "run", {"good": good, "cut": some_blank(20)})
    (one,) = compare(read_answers(run_dir))
    assert one.unsettled and not one.distinguishable
    assert one.difference == pytest.approx(-0.9), "scores are what they are"
    assert not concluded(summarize(run_dir))
    assert main(["compare", str(run_dir)]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[3].split()[-1] == "open"
    assert "Open: replies without any text, which count as wrong, decide the difference." in " ".join(shown.split())
    assert "| cut − good | open |" in write_report(run_dir).markdown.read_text(encoding="utf-8")


def test_two_silent_systems_are_not_called_equal(tmp_path: Path) -> None:
    run_dir = exam_run(tmp_path / "run", {"one": some_blank(20), "other": some_blank(20)})
    assert compare(read_answers(run_dir))[0].unsettled
    assert not concluded(summarize(run_dir))


def test_a_single_reply_without_text_keeps_no_conclusion_back(tmp_path: Path) -> None:
    run_dir = exam_run(tmp_path / "run", {"good": good, "cut": some_blank(1)})
    (one,) = compare(read_answers(run_dir))
    assert one.distinguishable and not one.unsettled
    said = concluded(summarize(run_dir))
    assert any(sentence.startswith("On these 20 items of kice, good is right more often than cut") for sentence in said)
    assert "cut is not distinguishable from guessing (20.0%)." in said


def test_a_constant_answer_beats_only_what_could_not_have_earned_more(tmp_path: Path) -> None:
    items = [item.model_copy(update={"target": 3}) if int(item.id[-2:]) > 8 else item for item in EXAM]
    for n_blank, is_said in ((0, True), (2, True), (15, False)):
        run_dir = exam_run(tmp_path / str(n_blank), {"cut": some_blank(n_blank, right=1)}, items)
        said = [sentence for sentence in summarize(run_dir).conclusion if sentence.startswith("Not better than that")]
        assert bool(said) is is_said


def test_an_oracle_that_said_nothing_tells_no_cause_and_silence_is_nobody_s_fault(tmp_path: Path) -> None:
    reader: dict[str, object] = {"kind": "chain", "prompt": "kice/minimal", "model": {"spec": "made-up"}}
    described: dict[str, dict[str, object]] = {
        "rag": {**reader, "chain": "kice-rag", "retriever": {"name": "bm25", "k": 1}},
        "oracle": {**reader, "chain": "kice-prompt"},
    }

    def rag(item: Item) -> Record:
        said = blank(item, "rag") if int(item.id[-2:]) <= 5 else answer(item, "rag", right_where(item, False), raw="1")
        assert said.prediction is not None
        found = said.prediction.model_copy(update={"document_ids": ("kice/made-up/p9#0",)})
        return said.model_copy(update={"prediction": found, "messages": (Message(role="user", content="?"),)})

    systems = {"rag": rag, "oracle": lambda item: blank(item, "oracle")}
    run_dir = write_run(tmp_path / "run", [("kice", EXAM, systems)], descriptions=described)
    (one,) = summarize(run_dir).evaluations[0].attributions
    counts = {count.cause: count.n for count in one.causes if count.n}
    assert counts == {"no text": 5, "missed and wrong": 15}
    assert (one.wrong, one.to_retrieval) == (0, None)


def test_columns_without_texts_still_say_whether_there_was_one() -> None:
    said = answer(EXAM[1], "s", None, raw="모름", finish_reason="stop", reasoning="?")
    thought = answer(EXAM[2], "s", None, raw=" ", finish_reason="stop", reasoning="?")
    rows = answers_of([blank(EXAM[0]), said, thought, answer(EXAM[3], "s", 0)]).rows
    assert rows["blank"].tolist() == [True, False, True, False]
    assert rows["cut_replies"].tolist() == [1, 0, 0, 0]
    assert rows["reasoned_replies"].tolist() == [0, 0, 1, 0]


def test_a_journal_of_an_older_version_is_read_and_says_the_same(tmp_path: Path) -> None:
    run_dir = exam_run(tmp_path / "run", {"cut": some_blank(20)})
    path = records_path(run_dir, "cut")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        del line["prediction"]["reasoning"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert summarize(run_dir).conclusion[0].startswith("cut: 20 of 20 replies were cut off before any text, at a limit")
