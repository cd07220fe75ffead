"""A labelled file of one's own, asked and measured by the command line without a line of code."""

import json
from pathlib import Path

import pytest

from eval.cli.parser import main
from tests.support.tickets import MODEL, WORDS, tickets


@pytest.mark.parametrize(
    "system", [["--baseline", "tfidf"], ["--baseline", "majority"], ["--chain", "classify", "--model", "{model}"]]
)
def test_a_file_is_a_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str], system: list[str]) -> None:
    path = tickets(tmp_path / "tickets.csv")
    model = MODEL
    out = tmp_path / "out"
    assert main(["run", str(path), *[part.format(model=model) for part in system], "--out", str(out)]) == 0
    printed = capsys.readouterr()
    (evaluation,) = json.loads((out / "summary.json").read_text())["evaluations"]
    accuracies = {one["name"]: one["scores"]["accuracy"] for one in evaluation["systems"]}
    assert {accuracies.pop("majority"), *accuracies.values()} == {1 / 3, 1.0}
    assert "tfidf" in accuracies and len(accuracies) == 1 + ("classify" in system)
    assert evaluation["benchmark"] == "tickets"
    assert all(one["scores"]["n"] == 18 for one in evaluation["systems"])
    assert "text: Message (--text names others)" in printed.err and "label: Department" in printed.err
    assert "18 of 90 items are kept to measure on" in printed.err
    assert main(["run", str(path), *[part.format(model=model) for part in system], "--resume", str(out)]) == 0


def test_examples_candidates_and_meanings_reach_the_prompt(tmp_path: Path) -> None:
    tickets(tmp_path / "rows.csv")
    card = tmp_path / "desk.yaml"
    card.write_text("train: rows.csv\nlabels: {refund: wants money back, card: lost card, weather: small talk}\n")
    said = ["--chain", "classify", "--model", MODEL, "--examples", "similar:3", "--candidates", "2"]
    out = tmp_path / "out"
    assert main(["run", str(card), *said, "--out", str(out)]) == 0
    (record, *_) = records(out)
    shortlist = json.loads((out / "summary.json").read_text())["evaluations"][0]["systems"][-1]["shortlist"]
    kept = [one["item"]["target"] in one["prediction"]["candidates"] for one in records(out)]
    assert shortlist["n"] == len(kept) == 18 and shortlist["recall"] == pytest.approx(sum(kept) / 18)
    assert "the right one was among them" in (out / "report.md").read_text(encoding="utf-8")
    described = json.loads((out / "manifest.json").read_text())["systems"]
    (one,) = [about for about in described.values() if about["kind"] == "chain"]
    assert one["examples"] == {"select": "similar", "n": 3, "retriever": "bm25"} and one["candidates"] == 2
    assert one["prompt"] == "classify/examples" and one["train_items"] == 72
    assert record["prediction"]["document_ids"] and record["prediction"]["choice"] is not None
    system = record["messages"][0]["content"]
    assert system.count("\n- ") == 2 and "refund: wants money back" in json.dumps([r["messages"] for r in records(out)])


def test_the_rows_of_a_file_are_shown_in_its_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shots = tmp_path / "shots.csv"
    shots.write_text("text,label\nsend it back,refund\nI lost it,Card\nsnow,weather\n", encoding="utf-8")
    said = ["run", str(tickets(tmp_path / "t.csv")), "--chain", "classify", "--model", MODEL, "--examples"]
    out = tmp_path / "out"
    assert main([*said, str(shots), "--out", str(out)]) == 0
    (record, *_) = records(out)
    shown = [message["content"] for message in record["messages"][1:-1]]
    assert shown == ["Text: snow", "weather", "Text: I lost it", "card", "Text: send it back", "refund"]
    described = json.loads((out / "manifest.json").read_text())["systems"]
    (one,) = [about for about in described.values() if about["kind"] == "chain"]
    assert (one["examples"]["select"], one["examples"]["n"]) == ("shots.csv", 3)
    assert main([*said, f"{shots}:2", "--out", str(tmp_path / "two")]) == 0
    assert len(records(tmp_path / "two")[0]["messages"]) == 2 + 2 * 2
    shots.write_text("text,label\nsend it back,refund\n", encoding="utf-8")
    assert main([*said, str(shots), "--resume", str(out)]) == 2 and "cannot be resumed" in capsys.readouterr().err
    assert main([*said, "simlar", "--out", str(tmp_path / "no")]) == 2
    assert "'simlar' chooses no examples; give similar, balanced, random, or a table" in capsys.readouterr().err


def test_candidates_without_examples_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = ["run", str(tickets(tmp_path / "t.csv")), "--chain", "classify", "--model", MODEL]
    assert main([*said, "--candidates", "2"]) == 2
    assert "give --examples too" in capsys.readouterr().err
    assert (
        main(
            ["run", "kice", "--split", "sample", "--chain", "kice-prompt", "--model", "smollm2", "--examples", "random"]
        )
        == 2
    )
    assert "shows no examples" in capsys.readouterr().err


def test_each_field_of_a_card_is_a_flag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tickets.csv"
    kinds = list(WORDS)
    rows = [f"{WORDS[kinds[n % 3]]} {n};{kinds[n % 3]};customer {n % 9};{n % 2}" for n in range(90)]
    path.write_bytes("\n".join(rows).encode("cp949"))
    said = ["--columns", "said", "why", "who", "odd", "--text", "body=said", "--label", "why", "--encoding", "cp949"]
    said += ["--separator", ";", "--test", "0.4", "--group", "who", "--labels", *kinds, "--language", "en"]
    out = tmp_path / "out"
    assert main(["run", str(path), "--baseline", "tfidf", "--out", str(out), *said]) == 0
    (evaluation,) = json.loads((out / "summary.json").read_text())["evaluations"]
    assert evaluation["systems"][1]["scores"]["class_names"] == kinds and evaluation["n_items"] in range(30, 45)
    assert "(--text names others)" not in capsys.readouterr().err
    (spec,) = json.loads((out / "manifest.json").read_text())["suite"]["evaluations"]
    assert spec["card"]["text"] == {"body": "said"} and spec["card"]["test"] == {"share": 0.4, "group": "who"}
    assert main(["run", str(path), "--baseline", "tfidf", "--resume", str(out), *said]) == 0
    assert main(["run", "mnli", "--baseline", "majority", "--text", "premise"]) == 2
    assert "'mnli' is no labelled file: --text goes with one" in capsys.readouterr().err
    assert main(["run", str(path), "--baseline", "tfidf", "--test", "other.csv", "--group", "who"]) == 2


def test_a_limit_takes_a_fair_sample_of_sorted_rows(tmp_path: Path) -> None:
    kinds = list(WORDS)
    for name, start in (("train", 0), ("test", 1000)):
        lines = [f"{WORDS[kind]} {start + n},{kind}" for kind in kinds for n in range(60)]
        (tmp_path / f"{name}.csv").write_text("text,label\n" + "\n".join(lines), encoding="utf-8")
    out = tmp_path / "out"
    assert main(["run", str(tmp_path), "--baseline", "majority", "--limit", "60", "--out", str(out)]) == 0
    (evaluation,) = json.loads((out / "summary.json").read_text())["evaluations"]
    assert all(10 <= one["correct"] <= 30 for one in evaluation["reference_scores"]["constants"])


def test_a_teacher_is_asked_the_items_to_learn_from_without_companions_that_learn(tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--split", "train", "--chain", "classify", "--model", MODEL, "--out", str(out)]
    assert main(["run", str(tickets(tmp_path / "tickets.csv")), *options]) == 0
    (evaluation,) = json.loads((out / "summary.json").read_text())["evaluations"]
    assert [one["name"] for one in evaluation["systems"]] == ["classify.tests.support.tickets-reads_words"]
    assert (evaluation["split"], evaluation["n_items"]) == ("train", 72)


def test_two_files_of_one_suite_have_companions_of_their_own(tmp_path: Path) -> None:
    suite = tmp_path / "two.yaml"
    entries = [
        f"  - {{benchmark: {tickets(tmp_path / name)}, systems: [{{name: {system}, baseline: chance}}]}}"
        for name, system in (("one.csv", "TFIDF"), ("two.csv", "b"))
    ]
    suite.write_text("name: two\nevaluations:\n" + "\n".join(entries))
    out = tmp_path / "out"
    assert main(["run", str(suite), "--out", str(out)]) == 0
    found = json.loads((out / "summary.json").read_text())["evaluations"]
    assert [[one["name"] for one in evaluation["systems"]] for evaluation in found] == [
        ["majority", "tfidf-2", "TFIDF"],
        ["majority-2", "tfidf-3", "b"],
    ]


def test_a_run_is_judged_by_another_margin_without_asking_again(tmp_path: Path) -> None:
    said = ["run", str(tickets(tmp_path / "tickets.csv")), "--baseline", "chance"]
    out = tmp_path / "out"
    assert main([*said, "--out", str(out)]) == 0
    assert main([*said, "--resume", str(out), "--margin", "5", "--queries", "10"]) == 0
    (evaluation,) = json.loads((out / "summary.json").read_text())["evaluations"]
    assert (evaluation["verdict"]["margin"], evaluation["verdict"]["queries"]) == (0.05, 10)


def test_a_card_is_told_from_a_suite(tmp_path: Path) -> None:
    tickets(tmp_path / "rows.csv")
    card = tmp_path / "help-desk.yaml"
    card.write_text("train: rows.csv\ntest: {share: 0.5}\ntext: Message\nlabel: Department\n")
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        f"name: mine\nevaluations:\n  - benchmark: {card}\n    systems:\n"
        "      - {name: words, baseline: tfidf}\n      - {name: most, baseline: majority}\n"
    )
    assert main(["run", str(card), "--baseline", "majority", "--out", str(tmp_path / "one")]) == 0
    assert main(["run", str(suite), "--out", str(tmp_path / "two")]) == 0
    (evaluation,) = json.loads((tmp_path / "two" / "summary.json").read_text())["evaluations"]
    assert evaluation["benchmark"] == "help-desk" and evaluation["n_items"] == 45


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Message,Department\na,x\nb,x\n", "every row has the label 'x'"),
        ("Message,Department\na,x\n,y\n", "expected a text"),
        ("nothing here\n", "have one cell each"),
        ("Message,Department\n", "has no rows below its header"),
    ],
)
def test_a_file_that_is_no_task_is_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    path = tmp_path / "tickets.csv"
    path.write_text(text)
    assert main(["run", str(path), "--baseline", "tfidf", "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1 and not (tmp_path / "out").exists()
    assert main(["run", str(tmp_path / "none.csv"), "--baseline", "tfidf"]) == 3


def records(run: Path) -> list[dict]:
    (journal,) = run.glob("*classify*/records.jsonl")
    return [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
