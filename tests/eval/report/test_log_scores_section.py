"""A log's own score beside the one here: both in a table, and the items on which they differ by name."""

from pathlib import Path

from data.common.language import language
from data.types import Item, Record
from eval.report.sections.log_scores import log_score_sentences, log_score_tables
from eval.report.summary import summarize
from tests.support.journaled_runs import answer, pair_item, right_where, write_run


def logged(item: Item) -> Record | None:
    """Right on five of six items; of the log, half right on one, wrong on one that is right, unscored on another."""
    number = int(item.id.rsplit("/", 1)[1])
    score = {0: 1.0, 1: 0.0, 2: 0.5, 3: None, 4: 1.0, 5: 1.0}[number]
    return answer(item, "logged", right_where(item, number != 5)).model_copy(update={"log_score": score})


def test_both_scores_are_of_the_answers_that_the_log_scored(tmp_path: Path) -> None:
    systems = {"logged": logged, "asked": lambda item: answer(item, "asked", 0)}
    about = {
        "logged": {"kind": "imported", "log": {"tool": "inspect-ai", "metric": "choice"}},
        "asked": {"kind": "chain"},
    }
    items = [pair_item(number) for number in range(6)]
    run = write_run(tmp_path / "run", [("mnli", items, systems)], descriptions=about)
    evaluation = summarize(run).evaluations[0]
    (table,) = log_score_tables(evaluation)
    assert table.rows == (("logged", "inspect-ai", "choice", "5", "70.0%", "80.0%", "2"),)
    assert log_score_sentences(evaluation) == [
        "The log of logged scores 2 items otherwise than this report: mnli/made-up/1, mnli/made-up/5."
    ]
    korean = language("ko")
    assert "문항 2개" in log_score_sentences(evaluation, korean)[0]
    assert log_score_tables(evaluation, korean)[0].columns[1] == "로그를 남긴 도구"
