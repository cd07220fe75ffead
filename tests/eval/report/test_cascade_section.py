"""The section on cascades: its tables and sentences are golden, the drawing is whole, and the verdict offers it."""

import json
import re
import shutil
from pathlib import Path
from xml.dom import minidom

import pytest

from data.common.language import ENGLISH, language
from eval.measures.differences import compare
from eval.measures.run_answers import read_answers
from eval.measures.stats import Interval
from eval.report import write_report
from eval.report.render.terminal import comparison_text
from eval.report.run_costs import costs_json, costs_of_runs
from eval.report.sections.cascade import best_sentences, cascade_sentences, cascade_tables
from eval.report.sections.cascade_chart import frontier_drawing
from eval.report.summary import Summary, summarize
from tests.support.cascade_runs import cascade_run
from tests.support.folders import GOLDEN_FOLDER
from tests.support.priced_runs import TABLE, toy_prices

GOLDEN = GOLDEN_FOLDER / "cascade.md"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(toy_prices(tmp_path)))
    return cascade_run(tmp_path / "run")


def test_the_section_is_the_golden_one(run: Path, update_golden: bool) -> None:
    written = write_report(run).markdown.read_text(encoding="utf-8")
    part = written[written.index("### Cascades: both instead of one") :].split("\n### Predictions beside")[0]
    sentences = cascade_sentences(summarize(run, prices=TABLE).evaluations[0])
    text = "\n".join([*(f"- {sentence}" for sentence in sentences), "", part.rstrip(), ""])
    if update_golden:
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "if this change is meant: pytest --update-golden"


def test_the_sentence_names_the_shares_the_difference_and_the_price(run: Path) -> None:
    summary = summarize(run, prices=TABLE)
    (said, promise) = cascade_sentences(summary.evaluations[0])
    assert re.fullmatch(
        r"Passing the 2\d\.\d% of the items that tuned is least sure of on to gpt is right more often than either of "
        r"them alone: 97\.\d%, which is \+3\.\d points beyond gpt \(95% interval \+1\.\d to \+5\.\d\)\. "
        r"It costs 2\d\.\d% of what gpt alone costs\.",
        said,
    )
    assert promise.startswith("With 95% confidence, at least 95.0% of what tuned answers alone is right where")
    assert said in summary.conclusion


def test_a_cascade_that_is_as_right_is_said_to_be_so_within_the_margin_and_with_its_price(tmp_path: Path) -> None:
    summary = summarize(cascade_run(tmp_path / "run", n=3000, gpt_right=0.985), prices=TABLE)
    said = cascade_sentences(summary.evaluations[0])[0]
    assert re.fullmatch(
        r"tuned alone on \d\d\.\d% of the items and gpt on the rest is as right as gpt on all \(difference [−+]0\.\d, "
        r"95% interval −\d\.\d to \+\d\.\d\) at \d\d\.\d% of its price\.",
        said,
    )


def test_a_cascade_that_is_shown_to_be_less_right_is_not_said_to_be_as_right_however_little_it_loses(
    tmp_path: Path,
) -> None:
    one = summarize(cascade_run(tmp_path / "run", n=3000, gpt_right=0.985), prices=TABLE).evaluations[0].cascades[0]
    assert one.as_right is not None
    less = one.as_right.model_copy(update={"difference": -0.004, "difference_interval": Interval(-0.006, -0.002)})
    said = best_sentences([one.model_copy(update={"as_right": less})], 0.01, ENGLISH)[0]
    assert "is less right than gpt on all, though within the margin of 1 (difference −0.4" in said


def test_the_verdict_offers_the_cascade_instead_of_what_it_could_reach_at_best(run: Path) -> None:
    (evaluation,) = summarize(run, prices=TABLE).evaluations
    said = " ".join(evaluation.verdict_sentences)
    assert (
        "Both would cost less and be right more often: a cascade in which gpt is asked only the 2" in said
        and "at best" not in said
    )
    offer = evaluation.verdict and evaluation.verdict.cascade
    assert offer and offer.usd and evaluation.verdict.usd["gpt"] and offer.usd < evaluation.verdict.usd["gpt"]


def test_the_failed_item_is_left_out_and_who_gives_no_probabilities_is_named(run: Path) -> None:
    (evaluation,) = summarize(run, prices=TABLE).evaluations
    assert {(one.first, one.second, one.n) for one in evaluation.cascades} == {("tuned", "gpt", 599)}
    pairs = cascade_tables(evaluation)[0]
    assert "Without probabilities, and so never first: gpt." in pairs.note


def test_a_cascade_that_passes_nothing_on_has_no_row(run: Path) -> None:
    (evaluation,) = summarize(run, prices=TABLE).evaluations
    (one,) = evaluation.cascades
    nothing = one.model_copy(update={"as_right": None, "best": one.best.model_copy(update={"passed_on": 0.0})})
    few = evaluation.model_copy(update={"cascades": [nothing, one]})
    assert len(cascade_tables(few)[0].rows) == len(cascade_tables(evaluation)[0].rows) == 2
    assert "cascades" not in {
        table.kind for table in cascade_tables(evaluation.model_copy(update={"cascades": [nothing]}))
    }


def test_in_korean_nothing_is_left_in_english(run: Path) -> None:
    summary = summarize(run, prices=TABLE, lang="ko")
    tables = cascade_tables(summary.evaluations[0], language("ko"))
    texts = [*cascade_sentences(summary.evaluations[0], language("ko")), *summary.evaluations[0].verdict_sentences]
    texts += [text for table in tables for text in (table.title, table.note, *table.columns)]
    for text in texts:
        assert not re.search(r"[A-Za-z]{2,}", re.sub(r"tuned|gpt|majority|mnli", "", text)), text


def test_the_drawing_is_whole_and_stands_in_every_report(run: Path) -> None:
    paths = write_report(run)
    drawing = run / "cascade-1.svg"
    svg = minidom.parseString(drawing.read_text(encoding="utf-8"))
    assert len(svg.getElementsByTagName("circle")) == 21
    assert "](cascade-1.svg)" in paths.markdown.read_text(encoding="utf-8")
    assert "passed on at random" in paths.html.read_text(encoding="utf-8")
    (figures,) = Summary.model_validate_json(paths.summary.read_text(encoding="utf-8")).evaluations
    laid_out = frontier_drawing(figures)
    assert laid_out is not None
    left, top, right, bottom = laid_out.plot
    assert all(left <= dot.x <= right and top <= dot.y <= bottom for dot in laid_out.dots)
    content = json.loads(paths.summary.read_text(encoding="utf-8"))["evaluations"][0]["cascades"]
    assert content[0]["as_right"]["price_share"] < 0.3


def test_a_comparison_of_two_runs_says_it_of_systems_that_no_run_holds_both_of(run: Path, tmp_path: Path) -> None:
    runs = [tmp_path / "small", tmp_path / "large"]
    for folder, left_out in zip(runs, ("gpt", "tuned"), strict=True):
        shutil.copytree(run, folder)
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        del manifest["systems"][left_out]
        manifest["evaluations"][0]["systems"].remove(left_out)
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    small, large = map(read_answers, runs)
    costs = costs_of_runs(small, large)
    assert [(one.first, one.second) for one in costs[0].cascades] == [("A/tuned", "B/gpt")]
    text = " ".join(comparison_text(compare(small, large), costs).split())
    assert "that A/tuned is least sure of on to B/gpt is right more often than either of them alone" in text
    assert costs_json(costs)["cascades"][0]["first"] == "A/tuned"
