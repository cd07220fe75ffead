"""`data check` on labelled files: what is in them, and what of it is odd."""

import json
from pathlib import Path

import pytest

from data.__main__ import main
from data.card import read_card
from data.registry import benchmark
from data.task import open_task
from data.task_check import check_task
from eval.cli.asking_prices import asking_prices

ROWS = [f"message {n} about money,{'refund' if n % 2 else 'card'}" for n in range(60)]
ODD = ["the very same,refund", "The very  SAME,card", "twice,card", "twice,card", *(f"rare {n},rare" for n in range(3))]


def table(path: Path, rows: list[str]) -> Path:
    path.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_what_is_odd_is_named(tmp_path: Path) -> None:
    found = check_task(open_task(table(tmp_path / "a.csv", [*ROWS, *ODD])))
    said = " | ".join(found.findings)
    assert "1 texts have several labels: 'the very same' is refund and card" in said.lower()
    assert "repeat the text of another" in said
    assert "1 of 3 labels have fewer than 5 items to learn from: rare (2)" in said
    assert found.train + found.test == 67 and sum(count.train + count.test for count in found.labels) == 67
    assert found.lengths == sorted(found.lengths)


def test_a_file_is_checked_and_its_card_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "tickets.csv", ROWS)
    assert main(["check", str(path)]) == 0
    printed = capsys.readouterr()
    assert "48 items to learn from, 12 to measure" in printed.out and "nothing odd was found" in printed.out
    assert "text: text (--text names others)" in printed.err
    card = tmp_path / "tickets.card.yaml"
    known = read_card(card)
    assert (known.train, known.text, known.label, known.language) == ("tickets.csv", ("text",), "label", "en")
    assert [item.inputs for item in open_task(card).load("test", None)] == [
        item.inputs for item in open_task(path).load("test", None)
    ]
    card.write_text("train: tickets.csv\nlabel: label\n")
    assert main(["check", str(path), "--json"]) == 0 and main(["check", str(path)]) == 0
    assert "stays as it is" in capsys.readouterr().err and card.read_text().startswith("train")


def test_the_folder_where_one_is_can_be_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(tmp_path / "train.csv", ROWS)
    monkeypatch.chdir(tmp_path)
    assert main(["check", "."]) == 0 and (tmp_path.parent / f"{tmp_path.name}.card.yaml").is_file()


def test_a_folder_and_splits_of_json_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own").mkdir()
    table(tmp_path / "own" / "train.csv", ROWS)
    table(tmp_path / "own" / "test.csv", ["one,card", "two,refund"])
    assert main(["check", str(tmp_path / "own")]) == 0
    assert "60 items to learn from, 2 to measure" in capsys.readouterr().out
    splits = {"train": [[f"text {n}", "ab"[n % 2]] for n in range(30)], "test": [["new", "a"], ["other", "b"]]}
    for form in (splits, {"oos_test": [["what", "oos"]], "oos_train": [["how", "oos"]], **splits}):
        (tmp_path / "splits.json").write_text(json.dumps(form))
        assert main(["check", str(tmp_path / "splits.json")]) == 0
        n_train, n_test = (31, 3) if "oos_test" in form else (30, 2)
        assert f"{n_train} items to learn from, {n_test} to measure" in capsys.readouterr().out


@pytest.mark.parametrize("content", [
    {"text": [f"text {n}" for n in range(20)], "label": ["a", "b"] * 10},
    {"version": 1, "data": [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(20)]},
    {str(n): {"text": f"text {n}", "label": "ab"[n % 2]} for n in range(20)},
])  # fmt: skip
def test_json_of_rows_and_columns_is_no_exam(tmp_path: Path, content: object, capsys) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert main(["check", str(tmp_path / "a.json")]) == 0
    assert "16 items to learn from, 4 to measure" in capsys.readouterr().out


def test_texts_with_their_labels_by_the_line_are_no_exam(tmp_path: Path, capsys) -> None:
    (tmp_path / "a.txt").write_text("\n".join(f"text {n}" for n in range(20)))
    (tmp_path / "a.labels").write_text("a\nb\n" * 10)
    (tmp_path / "b.txt").write_text("\n".join(f"__label__{'ab'[n % 2]} text {n}" for n in range(20)))
    assert main(["check", str(tmp_path / "a.txt")]) == 0 and main(["check", str(tmp_path / "b.txt")]) == 0
    assert capsys.readouterr().out.count("16 items to learn from, 4 to measure") == 2


def test_labels_on_one_side_only_are_named_and_a_run_says_so_too(tmp_path: Path, capsys) -> None:
    lines = [f"message {n},{'card' if n % 2 else 'refund'}" for n in range(20)]
    table(tmp_path / "train.csv", [*lines, *(f"never {n},unmeasured" for n in range(5))])
    table(tmp_path / "test.csv", ["one,card", "two,refund"])
    card = tmp_path / "a.yaml"
    card.write_text("train: train.csv\ntest: test.csv\nlabels: [card, refund, unmeasured, unlearnt]\n")
    assert main(["check", str(card)]) == 0
    sentences = (
        "1 of 4 labels have no item at all: unlearnt (0)",
        "1 of 4 labels are not measured, for they are only among the items to learn from: unmeasured (5)",
    )
    checked = capsys.readouterr()
    card.write_text(card.read_text() + "# read again\n")
    benchmark(str(card))
    asked = capsys.readouterr()
    assert all(sentence in checked.out and sentence in asked.err for sentence in sentences)


def test_what_is_said_of_the_columns_is_said_to_check_as_it_is_to_a_run(tmp_path: Path, capsys) -> None:
    lines = [f"{n},{'yes' if n % 2 else 'no'},a text of number {n},{n % 7}" for n in range(70)]
    path = tmp_path / "odd.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    card = tmp_path / "elsewhere" / "card.yaml"
    card.parent.mkdir()
    flags = ["--columns", "no", "urgent", "words", "person", "--text", "words", "--label", "urgent"]
    flags += ["--test", "0.3", "--group", "person", "--card", str(card)]
    assert main(["check", str(path), *flags]) == 0
    known = read_card(card)
    assert (known.text, known.label, known.columns) == (("words",), "urgent", ("no", "urgent", "words", "person"))
    task = open_task(card)
    groups = [{item.group for item in task.load(side, None)} for side in ("train", "test")]
    assert not groups[0] & groups[1] and len(groups[0] | groups[1]) == 7
    assert main(["check", str(path), "--label", "urgent"]) == 2
    assert "unknown column 'urgent'" in capsys.readouterr().err


def test_a_card_and_a_shipped_task_are_checked_by_their_names(tmp_path: Path, capsys) -> None:
    table(tmp_path / "rows.csv", ROWS)
    (tmp_path / "mine.yaml").write_text("train: rows.csv\n")
    assert main(["check", str(tmp_path / "mine.yaml")]) == 0 and main(["check", "banking77-sample"]) == 0
    assert "869 items to learn from, 1,350 to measure" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv", "mine.yaml"}


@pytest.mark.parametrize("separator", ["|", ",", ";", "\t"])
def test_a_table_that_is_called_txt_is_checked(tmp_path: Path, separator: str, capsys) -> None:
    path = tmp_path / "rows.txt"
    path.write_text("\n".join(row.replace(",", separator) for row in ["text,label", *ROWS]))
    assert main(["check", str(path)]) == 0
    assert "48 items to learn from" in capsys.readouterr().out


def test_the_same_question_with_other_choices_has_no_two_labels(tmp_path: Path) -> None:
    lines = [f"which is right?,a{n},b{n},{'AB'[n % 2]}" for n in range(9)] + [f"or {n}?,a,b,A" for n in range(9)]
    path = tmp_path / "a.csv"
    path.write_text("question,A,B,answer\n" + "\n".join(lines))
    assert not [said for said in check_task(open_task(path)).findings if "several labels" in said]


def test_what_asking_the_items_would_cost_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """Without a model, those of the price table are named, the cheapest first; with one, it and its own tokenizer."""
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        "as_of: '2026-01-01'\nsource: here\nmodels:\n"
        "  openai:dear: {input: 10, output: 10}\n  openai:cheap: {input: 1, output: 1}\n"
    )
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(prices))
    path = table(tmp_path / "tickets.csv", ROWS)
    assert main(["check", str(path), "--json"]) == 0
    cheap, dear = json.loads(capsys.readouterr().out)["asking"]
    assert (cheap["model"], dear["model"]) == ("openai:cheap", "openai:dear")
    assert cheap["output_tokens"] < 12 * 100
    assert dear["usd"] == pytest.approx(10 * cheap["usd"]) and cheap["input_tokens"] > 12 * 20
    tokens = cheap["input_tokens"] + cheap["output_tokens"]
    assert cheap["usd"] == pytest.approx(tokens / 1e6, abs=1e-6)
    own = "endpoint:mine@http://127.0.0.1:9/v1"  # which is not asked
    assert main(["check", str(path), "--model", own]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(own))
    assert line.endswith("unknown")
    assert main(["check", str(path), "--model", "no-such-model"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: unknown model 'no-such-model'")


def test_of_many_items_some_are_rendered_and_stand_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(table(tmp_path / "tickets.csv", ROWS))
    whole, *_ = asking_prices(path, {}, ())
    monkeypatch.setattr("eval.cli.asking_prices._RENDERED", 4)
    some, *_ = asking_prices(path, {}, ())
    assert some.output_tokens == whole.output_tokens
    assert some.input_tokens == pytest.approx(whole.input_tokens, rel=0.05)
