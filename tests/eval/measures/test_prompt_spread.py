"""Several wordings of one prompt: their mean and spread, differences that know of them, and what the verdict says."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from data.common.language import language
from eval.api import Run
from eval.cli.parser import main
from eval.measures.prompt_spread import PromptSpread, wording_worth
from eval.report.sections.prompt_spread import prompt_sentences, prompt_tables
from eval.report.sections.verdict import verdict_sentences
from eval.report.summary import EvaluationSummary
from tests.support.tickets import tickets
from tests.support.wordings import HEEDS, STEADY, write_wordings

N = 240


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three wordings, of which one is bad, for two models of which one heeds them."""
    folder = tmp_path_factory.mktemp("wordings")
    ask = {"name": "ask", "chain": "classify", "prompts": write_wordings(folder)}
    ask["matrix"] = {"model": {"heeds": HEEDS, "steady": STEADY}}
    evaluation = {
        "benchmark": str(tickets(folder / "tickets.csv", N)),
        "card": {"test": {"share": 0.9, "seed": 1}},
        "systems": [{"name": "majority", "baseline": "majority"}, {"name": "words", "baseline": "tfidf"}, ask],
    }
    suite = {"name": "s", "evaluations": [evaluation]}
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite), encoding="utf-8")
    assert main(["run", str(folder / "suite.yaml"), "--out", str(folder / "run")]) == 0
    return folder


@pytest.fixture(scope="module")
def evaluation(folder: Path) -> EvaluationSummary:
    return Run(folder / "run").summary.evaluations[0]


def test_the_bad_wording_is_found_and_the_spread_with_it(folder: Path, evaluation: EvaluationSummary) -> None:
    heeds, steady = evaluation.prompts.families
    frame = Run(folder / "run").frame()
    right = {str(name): float(rows["correct"].mean()) for name, rows in frame.groupby("system")}
    assert (heeds.name, steady.name) == ("ask.heeds", "ask.steady")
    assert [one.name for one in heeds.wordings] == ["plain", "kind", "riddle"]
    for one in heeds.wordings:
        assert one.accuracy == pytest.approx(right[one.system], abs=1e-6)
    assert heeds.worst == "ask.heeds.riddle" and heeds.is_real
    assert heeds.width == pytest.approx(right["ask.heeds.plain"] - right["ask.heeds.riddle"], abs=1e-5)
    assert heeds.accuracy == pytest.approx(np.mean([right[one.system] for one in heeds.wordings]), abs=1e-6)
    assert heeds.interval is not None and heeds.items_interval is not None
    assert heeds.interval.low < heeds.items_interval.low - 0.2, "three wordings that differ so say little of others"
    assert heeds.deviation == pytest.approx(np.std([one.accuracy for one in heeds.wordings], ddof=1), abs=0.01)
    assert (steady.deviation, steady.is_real, steady.width) == (0, False, 0)
    assert steady.interval == pytest.approx(steady.items_interval, abs=1e-3), "wordings that never differ add nothing"


def test_a_comparison_carries_the_doubt_of_the_wordings(evaluation: EvaluationSummary) -> None:
    found = {(one.a, one.b): one for one in evaluation.prompts.comparisons}
    assert {b for _, b in found} == {"majority", "words", "ask.steady"}
    models = found["ask.heeds", "ask.steady"]
    assert models.paired and models.interval is not None and models.items_interval is not None
    assert models.items_interval.high < 0 < models.interval.high, "told apart by these wordings, not over wordings"
    steady = found["ask.steady", "words"]
    assert not steady.paired and steady.interval is not None and steady.interval.high < 0
    assert [*found].count(("ask.heeds", "words")) == 1


@pytest.mark.parametrize("code", ["en", "ko"])
def test_the_verdict_says_that_the_wording_is_worth_more_than_the_model(
    evaluation: EvaluationSummary, code: str
) -> None:
    verdict = evaluation.verdict
    assert verdict is not None
    of_heeds = verdict.model_copy(update={"wording": wording_worth(evaluation.prompts, "ask.heeds.plain")})
    figures = evaluation.model_copy(update={"verdict": of_heeds})
    say = language(code)  # type: ignore[arg-type]
    said = " ".join(verdict_sentences(figures, say))
    assert of_heeds.wording is not None and of_heeds.wording.is_more
    assert "ask.heeds.riddle" in said
    if code == "en":
        assert "The choice of wording is worth more than the choice of system" in said
    tables = [table for table in prompt_tables(figures, say) if table.rows]
    assert [table.kind for table in tables] == ["prompts", "prompt-differences"]
    assert len(prompt_sentences(figures, say)) == 2


def test_a_verdict_on_a_wording_says_whether_it_holds_over_wordings(evaluation: EvaluationSummary) -> None:
    spread, verdict = evaluation.prompts, evaluation.verdict
    assert verdict is not None and verdict.choice == "words"
    for choice, expected in (
        ("ask.heeds.plain", "ask.heeds is not told apart from words"),
        ("ask.steady.plain", "ask.steady differs from words by"),
    ):
        worth = wording_worth(spread, choice)
        changed = evaluation.model_copy(
            update={"verdict": verdict.model_copy(update={"choice": choice, "wording": worth})}
        )
        assert expected in " ".join(verdict_sentences(changed))
    assert wording_worth(PromptSpread(), "words") is None


def test_the_report_holds_it_and_a_resumed_run_asks_nothing_again(folder: Path) -> None:
    run = folder / "run"
    before = (run / "ask.heeds.riddle" / "records.jsonl").read_bytes()
    assert main(["run", str(folder / "suite.yaml"), "--resume", str(run)]) == 0
    assert (run / "ask.heeds.riddle" / "records.jsonl").read_bytes() == before
    report = (run / "report.md").read_text(encoding="utf-8")
    assert "What the wording of the prompt is worth" in report and "riddle (" in report
    assert "The 3 wordings of ask.heeds have" in report
