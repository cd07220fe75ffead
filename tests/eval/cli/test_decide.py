"""From a labelled file to a verdict by one command, with real small models and a scripted one."""

import io
import json
import re
from pathlib import Path

import pytest

from eval.cli.parser import main
from tests.support.scripted import ScriptedChatModel
from tests.support.tickets import MODEL, tickets


def decide(path: Path, *more: str) -> int:
    return main(["decide", str(path), "--model", MODEL, "--minutes", "0.2", *more])


def test_a_file_in_a_verdict_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert decide(tickets(tmp_path / "tickets.csv"), "--out", str(out), "--yes", "--queries", "1e6") == 0
    printed = capsys.readouterr()
    told = [line for line in printed.err.splitlines() if not re.search(r"/\d+ items|/\d+  |^learning from", line)]
    assert len(" ".join(told).split()) <= 60, told  # beside the lines that say how far it is, and the table
    (evaluation,) = json.loads((out / "summary.json").read_text())["evaluations"]
    names = [one["name"] for one in evaluation["systems"]]
    assert names == ["majority", "tfidf", "nearest", "fine-tuned", "prompted", "with-examples"]
    verdict = evaluation["verdict"]
    # The scripted model is right as often as the others, and nobody knows its price.
    assert verdict["kind"] == "open" and not verdict["is_priced"] and verdict["queries"] == 1e6
    scores, last = printed.out.rstrip().split("\n\n")  # and nothing more: the findings are in the report
    assert "fine-tuned" in scores
    assert last.startswith("Verdict on tickets (18 items): it cannot be told yet.")
    assert evaluation["verdict_sentences"][0] in (out / "report.html").read_text(encoding="utf-8")

    suite, card = (tmp_path / f"out.{kind}.yaml" for kind in ("suite", "card"))
    assert "label: Department" in card.read_text(encoding="utf-8")
    again = tmp_path / "again"
    assert main(["run", str(suite), "--out", str(again)]) == 0
    (same,) = json.loads((again / "summary.json").read_text())["evaluations"]
    assert same["fingerprint"] == evaluation["fingerprint"]


def test_questions_with_choices_by_letter_are_decided_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The layout of KMMLU: a column for each choice, and the answer as a number from 1."""
    metals = ["철", "금", "은", "납", "주석"]
    lines = [f"{metal} 원소 {n}번은?,{metal},물,공기,불,1" for n, metal in enumerate(metals * 6)]
    lines += [f"마시는 것은? {n},흙,물,돌,쇠,2" for n in range(20)] + [
        f"타는 것은? {n},흙,물,돌,불,4" for n in range(20)
    ]
    path = tmp_path / "kmmlu.csv"
    path.write_text("question,A,B,C,D,answer\n" + "\n".join(lines), encoding="utf-8")
    out = tmp_path / "out"
    assert main(["decide", str(path), "--model", f"{__name__}:says_two", "--yes", "--out", str(out)]) == 0
    (evaluation,) = json.loads((out / "summary.json").read_text())["evaluations"]
    systems = {one["name"]: one for one in evaluation["systems"]}
    assert list(systems) == ["majority", "lexical-overlap", "prompted"]
    assert systems["prompted"]["description"]["prompt"] == "choose/minimal-ko"
    assert systems["lexical-overlap"]["scores"]["accuracy"] > systems["prompted"]["scores"]["accuracy"] > 0
    assert "Verdict on kmmlu" in capsys.readouterr().out


def says_two():  # a model of the tests' own
    return ScriptedChatModel(reply=lambda messages: "2")


def test_nothing_is_spent_or_written_without_a_yes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tickets(tmp_path / "tickets.csv"), tmp_path / "out"
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert decide(path, "--out", str(out)) == 2
    assert "say --yes" in capsys.readouterr().err and [*tmp_path.iterdir()] == [path]

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert decide(path, "--out", str(out)) == 0
    assert "nothing was asked" in capsys.readouterr().err and not out.exists()


def test_a_suite_that_was_changed_by_hand_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tickets(tmp_path / "tickets.csv")
    monkeypatch.setattr("eval.cli.decide._agreed", lambda: False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert decide(path) == 0
    edited = tmp_path / "runs" / "tickets.decide.suite.yaml"
    edited.write_text("mine")
    assert decide(path) == 0
    assert edited.read_text() == "mine" and (tmp_path / "runs" / "tickets.decide-2.suite.yaml").is_file()
    assert decide(path, "--out", "runs/tickets.decide") == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "said", [["--margin", "-1"], ["--model", "openai:gpt-4o-mini"], ["--minutes", "nan"], ["--minutes", "0"]]
)
def test_what_would_be_refused_later_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    path = tickets(tmp_path / "tickets.csv")
    assert decide(path, "--yes", "--out", str(tmp_path / "out"), *said) in (2, 3)
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "text,label\na,x\nb,x\n", "every row has the label 'x'"),
        ("a.csv", "one,two\na b c,d e f\ng h,i j\n", "error"),
        ("a.txt.gz", "zzz", "is no labelled file"),
    ],
)
def test_what_cannot_be_decided_is_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, words: str
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert decide(path, "--yes", "--out", str(tmp_path / "out")) in (2, 3)
    error = capsys.readouterr().err
    assert words in error and [*tmp_path.iterdir()] == [path]


def test_an_encoder_that_hardly_reads_the_texts_is_named_before_the_question(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ko.csv"
    rows = [
        f"{('환불해 주세요', '배송이 늦어요')[n % 2]} {n}번 주문입니다,{('환불', '배송')[n % 2]}" for n in range(40)
    ]
    path.write_text("\n".join(["문의,분류", *rows]), encoding="utf-8")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("eval.cli.decide._agreed", lambda: False)
    assert decide(path, "--encoder", "minilm", "--out", str(tmp_path / "out")) == 0
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if line.startswith("the encoder 'minilm' hardly reads these texts")]
    assert "distilbert-base-multilingual-cased" in line
    assert said.index(line) < said.index("nothing was asked")
