import re
from xml.dom import minidom

import numpy as np
import pytest

from eval.report import write_report
from eval.report.sections.calibration import calibration_tables, reliability_diagram
from eval.report.summary import Summary, summarize
from tests.support.journaled_runs import answer, exam_item, pair_item, write_run


def guess(name, claimed, source):
    """A system that is right on six of ten items and claims about as much as it is told to."""

    def respond(item):
        number = int(item.id.rsplit("/", 1)[1])
        choice = item.target if number % 10 < 6 else (item.target + 1) % 3
        sure = claimed + 0.02 * np.sin(number)
        probs = tuple(float(sure) if place == choice else float(1 - sure) / 2 for place in range(3))
        return answer(item, name, choice, rule="argmax", probs=probs, probs_source=source)

    return respond


@pytest.fixture
def run(tmp_path):
    systems = {
        "bold": guess("bold", 0.9, "softmax"),
        "timid": guess("timid", 0.4, "votes"),
        "fair": guess("fair", 0.6, "logprobs"),
        "always": lambda item: answer(item, "always", 0, probs=(1.0, 0.0, 0.0)),
        "silent": lambda item: answer(item, "silent", 0),
    }
    exam = {"reader": lambda item: answer(item, "reader", 2)}
    items, exams = [pair_item(number) for number in range(300)], [exam_item(number) for number in range(1, 9)]
    prompted = {name: {"kind": "chain"} for name in ("bold", "timid", "fair")}
    return write_run(tmp_path / "run", [("mnli", items, systems), ("kice", exams, exam)], descriptions=prompted)


def voted(choice_of):
    """A system whose votes are unanimous on every item."""

    def respond(item):
        choice = choice_of(item)
        return answer(item, "voted", choice, probs=tuple(float(n == choice) for n in range(5)), probs_source="votes")

    return respond


def noted(folder, items, choice_of):
    systems = {"voted": {"kind": "chain"}}
    run = write_run(folder, [("kice", items, {"voted": voted(choice_of)})], descriptions=systems)
    return calibration_tables(summarize(run).evaluations[0])[0].note


def test_one_that_is_always_sure_and_always_wrong_is_overconfident(tmp_path):
    items = [exam_item(number).model_copy(update={"group": f"p{number}"}) for number in range(1, 13)]
    note = noted(tmp_path / "wrong", items, lambda item: (item.target + 1) % 5)
    assert "voted is overconfident: it is right on 0.0% of these items and claims 100.0%, 100.0 percentage" in note
    note = noted(tmp_path / "right", items, lambda item: item.target)
    assert "voted is neither over- nor underconfident beyond chance" in note


def test_of_one_group_of_items_nothing_is_said_to_be_beyond_chance_or_not(tmp_path):
    note = noted(tmp_path / "run", [exam_item(number) for number in range(1, 5)], lambda item: (item.target + 1) % 5)
    assert "Whether voted is over- or underconfident cannot be told, as all items share one context" in note
    assert "beyond chance" not in note


def test_each_system_is_said_to_claim_too_much_or_too_little(run):
    pairs, exam = summarize(run).evaluations
    note = calibration_tables(pairs)[0].note
    assert re.search(r"bold is overconfident: it is right on 60\.0% of these items and claims 90\.\d%, 30\.\d", note)
    assert re.search(
        r"timid is underconfident: it is right on 60\.0% of these items and claims 40\.\d%, (19|20)\.", note
    )
    assert "fair is neither over- nor underconfident beyond chance" in note
    assert "always is" not in note  # a rule's certainty is no statement on any item
    assert calibration_tables(exam)[0].rows == ()
    assert reliability_diagram(exam) is None


def test_the_table_has_the_figures_of_the_scores_and_their_source(run):
    evaluation = summarize(run).evaluations[0]
    rows = {row[0]: row[1:] for row in calibration_tables(evaluation)[0].rows}
    assert list(rows) == ["bold", "timid", "fair", "always"]
    assert rows["bold"][:2] == ("softmax", "300")
    assert rows["always"][0] == "unknown"
    found = evaluation.systems[0].scores.calibration
    assert rows["bold"][2].startswith(f"{found.brier:.3f} (")
    assert rows["bold"][4] == f"{found.ece:.3f} ({found.ece_if_calibrated:.3f})"
    assert rows["bold"][6] == f"{found.aurc:.3f}"


def test_the_diagram_is_drawn_in_the_page_and_beside_the_markdown(run):
    paths = write_report(run)
    page, written = paths.html.read_text(encoding="utf-8"), paths.markdown.read_text(encoding="utf-8")
    assert "](reliability-1.svg)" in written and "reliability-2" not in written
    drawn = minidom.parse(str(run / "reliability-1.svg")).documentElement
    assert drawn.getAttribute("aria-labelledby") == drawn.getElementsByTagName("title")[0].getAttribute("id")
    assert not (run / "reliability-2.svg").exists()
    assert '<title id="reliability-1">Reliability diagram. bold is overconfident' in page
    assert page.count('class="reliability reliability-3"') == 1
    assert " style=" not in page


def test_a_dot_lies_where_its_bin_is(run):
    evaluation = summarize(run).evaluations[0]
    diagram = reliability_diagram(evaluation)
    bins, dots = evaluation.systems[0].scores.calibration.bins, diagram.panels[0].dots
    assert len(diagram.panels) == 4 and len(dots) == len(bins) == 15
    for one, dot in zip(bins, dots, strict=True):
        assert dot.x == pytest.approx(one.confidence * diagram.side, abs=0.1)
        assert dot.y == pytest.approx((1 - one.accuracy) * diagram.side, abs=0.1)
        assert dot.high <= dot.y <= dot.low


def test_a_diagram_that_is_no_longer_shown_does_not_stay_behind(run):
    (run / "reliability-2.svg").write_text("old")
    write_report(run)
    assert not (run / "reliability-2.svg").exists()


def test_a_summary_without_calibration_is_still_read(run):
    summary = summarize(run)
    older = summary.model_dump(mode="json")
    for evaluation in older["evaluations"]:
        for system in evaluation["systems"]:
            del system["calibration_intervals"], system["scores"]["calibration"]
    assert Summary.model_validate(older).evaluations[0].systems[0].calibration_intervals == {}
    assert Summary.model_validate_json(summary.model_dump_json()) == summary
