"""Passages of the user's own: a card names them, and chains that retrieve look them up in the place of the items'."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from data.common.errors import ConfigurationError, MissingResourceError
from eval.cli.parser import main
from eval.rundir.manifest import read_manifest
from retrievers.sources import read_passages
from tests.support.scripted import ScriptedChatModel

MODEL = f"{__name__}:reads_sources"
COLOURS = ("red", "green", "blue", "white")
N = 40


def colour(number: int) -> str:
    return COLOURS[number * 7 % 4]


def reads_sources() -> Any:
    """Make a model that answers by what a source says of the code that is asked, and with 1 where none does."""

    def reply(messages: list[Any]) -> str:
        prompt = messages[-1].text
        code = re.findall(r"code (\d+)", prompt)[-1]
        said = re.search(rf"Code {code} is (\w+)", prompt)
        choices = dict(re.findall(r"^(\d)\. (\w+)$", prompt, re.MULTILINE))
        return next((number for number, choice in choices.items() if said and choice == said[1]), "1")

    return ScriptedChatModel(reply=reply)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Questions, and a handbook of several kinds of file that answers them."""
    rows = [f"What is code {n}?,{','.join(COLOURS)},{'ABCD'[COLOURS.index(colour(n))]}" for n in range(N)]
    (tmp_path / "codes.csv").write_text("\n".join(["question,A,B,C,D,answer", *rows]))
    (tmp_path / "codes.yaml").write_text("train: codes.csv\ntest: 0.5\npassages: handbook\n")
    handbook = tmp_path / "handbook"
    (handbook / "more").mkdir(parents=True)
    said = [f"Code {n} is {colour(n)}." for n in range(N)]
    (handbook / "a.md").write_text("# Codes\n\n" + "\n\n".join(said[:10]))
    items = "".join(f"<p>Code <b>{n}</b> is {colour(n)}.</p>" for n in range(10, 20))
    (handbook / "a.html").write_text(
        f"<html><head><style>p {{}}</style></head><body>{items}<script>x()</script></body></html>"
    )
    for n in range(20, 30):
        (handbook / "more" / f"{n}.txt").write_text(said[n])
    (handbook / ".git").mkdir()
    (handbook / ".git" / "notes.txt").write_text("not for readers")
    (handbook / "rest.jsonl").write_text("\n".join(json.dumps({"id": str(n), "text": said[n]}) for n in range(30, N)))
    return tmp_path


def test_a_folder_s_texts_are_read_whatever_kind_they_are(place: Path) -> None:
    passages = {passage.id: passage.text for passage in read_passages(place / "handbook")}
    assert set(passages) == {
        "a.md",
        "a.html",
        *(f"more/{n}" for n in range(20, 30)),
        *(f"rest/{n}" for n in range(30, N)),
    }
    assert passages["a.html"] == "\n".join(f"Code {n} is {colour(n)}." for n in range(10, 20))


def test_they_are_looked_up_in_the_place_of_the_items_own(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system = ["--chain", "choose-rag", "--model", MODEL, "--retriever", "bm25", "--out", str(place / "run")]
    assert main(["run", str(place / "codes.yaml"), *system]) == 0
    (evaluation,) = json.loads((place / "run" / "summary.json").read_text())["evaluations"]
    scores = {one["name"]: one["scores"]["accuracy"] for one in evaluation["systems"]}
    (found,) = [score for system, score in scores.items() if system.startswith("choose-rag")]
    assert found == 1 and "Nothing that" in (place / "run" / "report.md").read_text()
    described = read_manifest(place / "run").systems
    (retriever,) = [one.retriever for system, one in described.items() if system.startswith("choose-rag")]
    assert retriever is not None and retriever.passages == "handbook"


def test_decide_tries_them_and_its_card_names_them_whole(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    said = ["decide", "codes.csv", "--passages", "handbook", "--test", "0.5", "--model", MODEL, "--yes", "--out", "out"]
    assert main(said) == 0
    (evaluation,) = json.loads((place / "out" / "summary.json").read_text())["evaluations"]
    scores = {one["name"]: one["scores"]["accuracy"] for one in evaluation["systems"]}
    assert list(scores) == ["majority", "lexical-overlap", "prompted", "with-passages"]
    assert scores["with-passages"] == 1 > scores["prompted"]
    assert f"passages: {place / 'handbook'}" in (place / "out.card.yaml").read_text()


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [(None, MissingResourceError, "there is no"), ("  \n", ConfigurationError, "holds no text to look up")],
)
def test_passages_that_cannot_be_looked_up_are_one_line_and_nothing_is_written(
    place: Path, content: str | None, kind: type, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (place / "mine.md").write_text(content)
    system = ["--chain", "choose-rag", "--model", MODEL, "--retriever", "bm25", "--out", str(place / "run")]
    code = main(["run", str(place / "codes.yaml"), "--passages", str(place / "mine.md"), *system])
    assert code == (3 if kind is MissingResourceError else 2)
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ") and words in error and not (place / "run").exists()


def test_the_passages_of_the_items_are_looked_up_under_a_group_only_where_it_has_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"What is code {n}?,{','.join(COLOURS)},A,a passage {n},person {n % 5}" for n in range(N)]
    (tmp_path / "q.csv").write_text("\n".join(["question,A,B,C,D,answer,passage,person", *rows]))
    system = ["--chain", "choose-rag", "--model", MODEL, "--retriever", "bm25", "--out", str(tmp_path / "run")]
    assert main(["run", str(tmp_path / "q.csv"), "--group", "person", *system]) == 2
    assert "leave --group out, or name --passages" in capsys.readouterr().err


def test_a_shuffled_passage_is_another_item_s_whatever_is_looked_up(place: Path) -> None:
    rows = [f"What is code {n}?,{','.join(COLOURS)},A,a passage {n}" for n in range(N)]
    (place / "q.csv").write_text("\n".join(["question,A,B,C,D,answer,passage", *rows]))
    system = ["--chain", "choose-shuffled", "--model", MODEL, "--passages", str(place / "handbook")]
    assert main(["run", str(place / "q.csv"), *system, "--out", str(place / "run")]) == 0
    (journal,) = place.glob("run/choose-shuffled*/records.jsonl")
    shown = [json.loads(line)["prediction"]["document_ids"] for line in journal.read_text().splitlines()]
    groups = [json.loads(line)["item"]["group"] for line in journal.read_text().splitlines()]
    assert all(len(ids) == 1 and ids[0] != group for ids, group in zip(shown, groups, strict=True))
    assert {id for (id,) in shown} == set(groups)
