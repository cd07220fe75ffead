"""Two runs become one: a training and a prompted run made apart stand in one report, with what each cost."""

import json
from pathlib import Path

import pytest

from eval.cli.parser import main
from eval.report.summary import summarize
from tests.support.journaled_runs import answer, pair_item, right_where, write_run
from tests.support.priced_runs import API, FACTS, TOY, TUNED, toy_prices

PAIRS = [pair_item(number) for number in range(30)]
USAGE = {"input_tokens": 100, "output_tokens": 10}


def one_system(run_dir: Path, name: str, right: int, description: dict, *, pairs=PAIRS, hardware=TOY, **fields) -> Path:
    respond = lambda item: answer(item, name, right_where(item, int(item.id.rsplit("/", 1)[1]) < right), **fields)  # noqa: E731
    return write_run(run_dir, [("mnli", pairs, {name: respond})], descriptions={name: description}, hardware=hardware)


def trained(run_dir: Path, name: str = "tuned", **more) -> Path:
    run = one_system(run_dir, name, 28, TUNED, **more)
    card = {"schema_version": 1, "wall_s": 1800, "hardware": FACTS["hardware"], "data": {"train": {"n": 500}}}
    (run / name / "checkpoint").mkdir()
    (run / name / "checkpoint" / "training_card.json").write_text(json.dumps(card), encoding="utf-8")
    return run


def test_a_training_and_a_prompted_run_become_one_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(toy_prices(tmp_path)))
    tuned = trained(tmp_path / "tuned")
    # The prompted run was made elsewhere, where a machine's price is not known: an API's needs none.
    prompted = one_system(tmp_path / "asked", "prompted", 12, API, hardware={"cpu": "Other"}, usage=USAGE)
    assert main(["compare", str(tuned), str(prompted), "--out", str(tmp_path / "both")]) == 0
    assert "A/tuned − B/prompted" in capsys.readouterr().out.replace("\n", "")
    page = (tmp_path / "both" / "report.html").read_text(encoding="utf-8")
    assert "Verdict on mnli (30 items): take tuned" in page
    (both,) = summarize(tmp_path / "both").evaluations
    alone = {one.name: one.cost for run in (tuned, prompted) for one in summarize(run).evaluations[0].systems}
    assert {one.name: one.cost for one in both.systems} == alone
    assert both.complete
    assert main(["show", str(tmp_path / "both"), "20"]) == 0
    shown = capsys.readouterr().out
    assert "tuned: right" in shown and "prompted: wrong" in shown


def test_systems_of_one_name_are_told_apart_by_their_run(tmp_path):
    ours = one_system(tmp_path / "one", "same", 20, API)
    theirs = one_system(tmp_path / "two", "same", 10, API)
    assert main(["compare", str(ours), str(theirs), "--out", str(tmp_path / "both")]) == 0
    summary = summarize(tmp_path / "both")
    assert summary.name == "one (A) · two (B)"
    assert [one.name for one in summary.evaluations[0].systems] == ["A.same", "B.same"]
    assert [one.scores.correct for one in summary.evaluations[0].systems] == [20, 10]


@pytest.mark.parametrize(
    ("other", "out", "said"),
    [
        ("other", "both", "asked different items of mnli"),
        ("same", "run", "is not empty"),
        (None, "both", "--out joins two runs"),
    ],
)
def test_what_cannot_be_joined_is_refused_in_one_line(tmp_path, capsys, other, out, said):
    run = one_system(tmp_path / "run", "one", 5, API)
    one_system(tmp_path / "other", "two", 5, API, pairs=PAIRS[:20])
    one_system(tmp_path / "same", "two", 5, API)
    others = [str(tmp_path / other)] if other else []
    assert main(["compare", str(run), *others, "--out", str(tmp_path / out)]) == 2
    message = capsys.readouterr().err
    assert said in message and message.count("\n") == 1
    assert not (tmp_path / "both").exists()
