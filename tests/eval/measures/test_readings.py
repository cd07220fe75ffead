"""What the audit says of how answers were read: each rule's items, and how far a score hangs on what was not read."""

import json

import pytest

from data.types import Trial
from eval.cli.parser import main
from eval.measures.readings import audit
from eval.measures.run_answers import answers_of
from eval.report import write_report
from eval.report.summary import Summary, summarize
from eval.rundir.journal import latest_records, records_path
from tests.support.journaled_runs import answer, exam_item, failure, right_where, write_run

ITEMS = [exam_item(number) for number in range(1, 11)]  # odd ones are worth 3 points, even ones 2


def respond(item):
    number = int(item.id[-2:])
    if number == 10:
        return failure(item, "s")
    if number in (1, 2):
        return answer(
            item, "s", None, status="refusal" if number == 1 else "none", rule="refusal" if number == 1 else ""
        )
    if number == 3:
        return answer(item, "s", right_where(item, False), rule="leading")
    return answer(item, "s", right_where(item, number != 4), rule="final")


def test_every_rule_is_counted_with_what_it_read_right():
    found = audit(answers_of(respond(item) for item in ITEMS))
    rows = [(one.rule, one.status, one.n, one.correct) for one in found.rules]
    assert rows == [("final", "ok", 6, 5), ("leading", "ok", 1, 0), ("", "none", 1, 0), ("refusal", "refusal", 1, 0)]
    assert (found.n, found.unparsed) == (9, 2)


def test_bounds_by_hand():
    found = audit(answers_of(respond(item) for item in ITEMS))
    assert found.accuracy.wrong == pytest.approx(5 / 9)
    assert found.accuracy.chance == pytest.approx((5 + 2 / 5) / 9)
    assert found.accuracy.right == pytest.approx(7 / 9)
    possible, earned = 23, 3 + 2 + 3 + 2 + 3  # q05 to q09; q10 failed and is no answer
    assert found.points.wrong == pytest.approx(earned / possible)
    assert found.points.chance == pytest.approx((earned + (3 + 2) / 5) / possible)
    assert found.points.right == pytest.approx((earned + 3 + 2) / possible)


def test_what_counts_as_chance_is_each_items_own_number_of_choices():
    item = ITEMS[0].model_copy(update={"choices": ("ja", "nein"), "target": 0})
    assert audit(answers_of([answer(item, "s", None)])).accuracy.chance == pytest.approx(0.5)


def test_without_an_answer_there_is_nothing_to_audit():
    assert audit(answers_of([failure(ITEMS[0], "s")])) is None
    assert audit(answers_of([])) is None


def test_the_lower_bound_is_the_score_that_is_reported(tmp_path):
    summary = summarize(write_run(tmp_path / "run", [("kice", ITEMS, {"s": respond})]))
    (system,) = summary.evaluations[0].systems
    assert system.audit.accuracy.wrong == system.scores.accuracy
    assert {one.rule: one.n for one in system.audit.rules if one.rule} == {
        k: n for k, n in system.scores.rules.items() if k
    }


def test_the_report_shows_bounds_and_rules_and_says_what_they_mean(tmp_path):
    paths = write_report(write_run(tmp_path / "run", [("kice", ITEMS, {"s": respond})]))
    written = paths.markdown.read_text(encoding="utf-8")
    assert "| s | 7 | 1 | 0 | 1 | 0 | 1 | 55.6% | 60.0% | 77.8% |" in written
    assert "| s | final | ok | 6 | 66.7% | 5 | 83.3% |" in written
    assert "2 answers of s state no single choice: its accuracy is 55.6% with those counted as wrong" in written
    page = paths.html.read_text(encoding="utf-8")
    assert "How answers were read" in page
    assert "Rules that read the answers" in page


def test_a_summary_without_an_audit_is_still_read(tmp_path):
    content = json.loads(
        write_report(write_run(tmp_path / "run", [("kice", ITEMS, {"s": respond})])).summary.read_text()
    )
    del content["evaluations"][0]["systems"][0]["audit"]
    del content["evaluations"][0]["reference_scores"]
    del content["lang"]
    assert Summary.model_validate(content).evaluations[0].systems[0].audit is None


def test_rescore_names_the_items_whose_score_changed(tmp_path, capsys):
    """Replies that an older rule misread are read again: which items, from which choice to which, and whether right."""
    key = ITEMS[4].target + 1

    def misread(item):
        if item.id != ITEMS[4].id:
            return answer(item, "s", 0, rule="final", raw="최종 정답: 1번")
        return answer(item, "s", None, raw=f"최종 정답: {key}번")

    about = {"s": {"kind": "imported", "answer_form": "number"}}
    run = write_run(tmp_path / "run", [("kice", ITEMS, {"s": misread})], descriptions=about)
    before = summarize(run).evaluations[0].systems[0].scores.correct
    assert main(["rescore", str(run)]) == 0
    assert f"s  {ITEMS[4].id}: none → {key} (right)" in capsys.readouterr().out
    assert summarize(run).evaluations[0].systems[0].scores.correct == before + 1
    assert latest_records(records_path(run, "s"))[ITEMS[4].id].prediction.rule == "final"
    assert main(["rescore", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"changes": []}


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "2 answers of s hold a number that is the number of one choice and the text of another: they count as "),
        ("ko", "s 시스템의 응답 중 2개에 나온 수는 한 선택지의 번호이면서 다른 선택지의 내용이기도 하다. "),
    ],
)
def test_answers_that_can_be_read_as_number_or_text_are_counted(tmp_path, lang, said):
    def ambiguous(item):
        return answer(item, "s", 1, rule="number-or-text" if int(item.id[-2:]) < 3 else "final")

    run_dir = write_run(tmp_path / "run", [("kice", ITEMS, {"s": ambiguous, "other": respond})])
    sentences = [one for one in summarize(run_dir, lang=lang).conclusion if said in one]
    assert len(sentences) == 1
    assert "number-or-text" in sentences[0]


def test_each_reply_to_an_item_may_be_read_as_number_or_text():
    ask = Trial(order=(0, 1, 2, 3, 4), choice=1, status="ok", rule="number-or-text")
    several = answer(ITEMS[0], "s", 1, rule="majority")
    prediction = several.prediction.model_copy(update={"asks": (ask, ask)})
    assert audit(answers_of([several.model_copy(update={"prediction": prediction})])).number_or_text == 1
