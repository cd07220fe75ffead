"""The drawing of accuracy against price: every priced system once, the choice marked, names apart."""

from eval.report import write_report
from eval.report.figures import p_value
from eval.report.sections.price_chart import Mark, names_apart, price_chart
from eval.report.summary import summarize
from tests.support.journaled_runs import write_demo
from tests.support.priced_runs import priced_run, toy_prices


def test_every_priced_system_has_a_dot_and_the_chosen_one_a_ring(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(toy_prices(tmp_path)))
    run = priced_run(tmp_path / "run")
    (evaluation,) = summarize(run).evaluations
    chart = price_chart(evaluation)
    priced = {one.name: one for one in evaluation.systems if one.cost.usd_per_query}
    assert {mark.name for mark in chart.marks} == set(priced) and len(priced) >= 2
    by_price = sorted(chart.marks, key=lambda mark: mark.x)
    assert [mark.name for mark in by_price] == sorted(priced, key=lambda name: priced[name].cost.usd_per_query)
    by_accuracy = sorted(chart.marks, key=lambda mark: -mark.y)
    assert [mark.name for mark in by_accuracy] == sorted(priced, key=lambda name: priced[name].scores.accuracy)
    assert [mark.name for mark in chart.marks if mark.chosen] == [
        name for name in priced if name == evaluation.verdict.choice
    ]
    page = write_report(run).html.read_text(encoding="utf-8")
    assert page.count('class="price-chosen"') == sum(mark.chosen for mark in chart.marks)
    assert "price-best" in page and '<figure class="forest">' not in page


def test_no_name_stands_in_the_way_of_another():
    def mark(name: str, x: float, y: float, *, left_of: bool) -> Mark:
        return Mark(x, y, y, y, name, 0, left_of, chosen=False, in_part=False, label=name)

    marks = [
        mark("fine-tuned", 330, 20, left_of=False),
        mark("nearest", 480, 21, left_of=True),  # the two names meet between their dots
        mark("tfidf", 370, 22, left_of=False),
        mark("far", 60, 22, left_of=False),
    ]
    placed = {one.name: one for one in names_apart(marks)}
    heights = sorted(placed[name].name_y for name in ("fine-tuned", "nearest", "tfidf"))
    assert heights[1] - heights[0] >= 16 and heights[2] - heights[1] >= 16
    assert placed["far"].name_y == 26


def test_what_answered_a_part_of_the_items_is_hollow_and_not_on_the_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(toy_prices(tmp_path)))
    run = priced_run(tmp_path / "run")
    journal = run / "tuned" / "records.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:4]))
    (evaluation,) = summarize(run).evaluations
    assert evaluation.answered_in_part == {"tuned": 4}
    chart = price_chart(evaluation)
    (tuned,) = [mark for mark in chart.marks if mark.in_part]
    assert tuned.name == "tuned" and f"{tuned.x},{tuned.y}" not in chart.best
    page = write_report(run).html.read_text(encoding="utf-8")
    assert page.count('class="dot dot-part"') == 1 and "do not compare at sight: tuned 4." in page


def test_without_prices_the_accuracies_are_drawn_alone(tmp_path):
    run = write_demo(tmp_path / "run")
    exam = summarize(run).evaluations[0]
    assert price_chart(exam.model_copy(update={"systems": exam.systems[:1]})) is None
    assert '<figure class="forest">' in write_report(run).html.read_text(encoding="utf-8")


def test_a_p_near_the_limit_is_written_so_that_one_sees_its_side():
    assert [p_value(p) for p in (0.0512, 0.0496, 0.05, 0.3, 0.012, 0.0012)] == [
        "0.051", "0.0496", "0.0500", "0.30", "0.01", "0.0012",
    ]  # fmt: skip
