"""`eval audit`: the doubtful rows of a file on the terminal and as JSON, and every row in a table."""

import csv
import json
from pathlib import Path

import pytest

from eval.cli.parser import main
from tests.support.tickets import WORDS, tickets


def audit(*arguments: object) -> int:
    return main(["audit", *map(str, arguments), "--learner", "tfidf"])


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """Tickets of which line 12 has the wrong label."""
    path = tickets(tmp_path / "tickets.csv")
    lines = path.read_text(encoding="utf-8").split("\n")
    label = list(WORDS)[(12 - 2) % 3]
    wrong = next(other for other in WORDS if other != label)
    lines[11] = lines[11].replace(f",{label}", f",{wrong}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_the_doubtful_row_is_named_and_every_row_is_written(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = planted.with_name("found.csv")
    assert audit(planted, "--out", out) == 0
    printed = capsys.readouterr()
    first, *_ = printed.out.splitlines()
    assert first.startswith("tickets: 1 of 90 labels are doubtful. About 1.1% of all labels are estimated to be wrong")
    assert "line 12" in printed.out and str(out) in printed.err
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 90 and [int(row["rank"]) for row in rows] == list(range(1, 91))
    top = rows[0]
    assert (top["row"], top["doubtful"]) == ("line 12", "1") and sum(int(row["doubtful"]) for row in rows) == 1
    assert WORDS[top["likelier"]] in top["text.Message"] and top["label"] != top["likelier"]
    assert float(top["label_prob"]) < float(top["likelier_prob"])


def test_rows_that_are_set_apart_or_measured_elsewhere_are_audited_too(
    planted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is audited, whatever of it a run would learn from."""
    measured = tickets(planted.with_name("measured.csv"), 30)
    out = planted.with_name("found.csv")
    assert audit(planted, "--out", out, "--test", measured, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == found["judged"] == 90 and found["csv"] == str(out)
    (one,) = found["doubtful"]
    assert one["row"] == "line 12" and found["pairs"] == [{"label": one["label"], "likelier": one["likelier"], "n": 1}]


def test_it_speaks_korean_and_a_second_file_has_a_number(
    planted: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(planted.parent)
    assert audit(planted, "--lang", "ko") == audit(planted, "--lang", "ko", "--text", "Message") == 0
    assert "레이블 90개 중 1개가 의심스럽다" in capsys.readouterr().out
    assert sorted(path.name for path in Path("runs").iterdir()) == ["tickets.labels-2.csv", "tickets.labels.csv"]


@pytest.mark.parametrize(
    ("said", "words", "code"),
    [
        (["none.csv"], "there is no file", 3),
        (["kice"], "'kice' is no labelled file", 2),
        (["tickets.csv", "--label", "nothing"], "unknown column 'nothing'", 2),
        (["tickets.csv", "--out", "tickets.csv"], "is there already", 2),
        (["tickets.csv", "--out", "tickets.csv/x.csv"], "cannot be written", 2),
        (["tickets.csv", "--top", "0"], "--top 0 shows nothing", 2),
        (["choices.csv"], "share their labels", 2),
    ],
)
def test_what_cannot_be_audited_is_one_line_and_nothing_is_written(
    planted: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
    words: str,
    code: int,
) -> None:
    monkeypatch.chdir(planted.parent)
    Path("choices.csv").write_text("question,A,B,answer\n" + "".join(f"q{n},x{n},y{n},A\n" for n in range(9)))
    before = sorted(planted.parent.iterdir())
    assert audit(*said) == code
    error = capsys.readouterr().err.splitlines()
    assert words in error[-1] and error[-1].startswith("error: ") and sorted(planted.parent.iterdir()) == before


def test_an_unknown_embedding_model_is_refused(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = planted.with_name("found.csv")
    assert main(["audit", str(planted), "--embeddings", "word2vec", "--out", str(out)]) == 2
    assert "unknown embeddings 'word2vec'" in capsys.readouterr().err and not out.exists()
