"""Constant answers from the key, and published figures that every report of the same items shows beside its own."""

import re

import pytest
import yaml

from data.kice import YEARS, load
from eval.measures.metrics import score
from eval.measures.reference_scores import REFERENCE_POINTS, constant_scores, published_points
from eval.measures.run_answers import answers_of, read_answers
from eval.plan.baselines import always
from eval.report import write_report
from eval.report.sections.reference_scores import published_table
from eval.report.summary import summarize
from tests.support.journaled_runs import answer, exam_item, pair_item, right_where, write_run

ITEMS = [exam_item(number) for number in range(1, 21)]


def renamed(item, origin):
    return item.model_copy(update={"id": f"{origin}/{item.id.rsplit('/', 1)[1]}", "weight": 5.0})


def test_constant_answers_are_what_running_them_scores():
    found = constant_scores([answers_of([answer(item, "s", 0) for item in ITEMS])])
    for one in found:
        predictor = always(one.choice)
        ran = score(answers_of(answer(item, "s", predictor.invoke(item.to_input()).choice) for item in ITEMS))
        assert (one.correct, one.accuracy, one.points) == (ran.correct, ran.accuracy, ran.points)
        assert one.points_possible == ran.points_possible


def test_an_item_that_any_system_answered_is_in_the_key_once(tmp_path):
    parts = {"first": ITEMS[:12], "second": ITEMS[8:]}
    systems = {
        name: (lambda item, part=part: answer(item, "s", 0) if item in part else None) for name, part in parts.items()
    }
    run = read_answers(write_run(tmp_path / "run", [("kice", ITEMS, systems)]))
    assert sum(one.correct for one in constant_scores(run.evaluations[0].values())) == 20
    assert constant_scores([]) == ()


def test_the_report_says_what_the_best_constant_answer_earns(tmp_path):
    items = [item.model_copy(update={"target": 3}) if int(item.id[-2:]) < 12 else item for item in ITEMS]
    systems = {"weak": lambda item: answer(item, "weak", 0), "good": lambda item: answer(item, "good", item.target)}
    run = write_run(tmp_path / "run", [("kice", items, systems)])
    best = max(constant_scores([answers_of([answer(i, "s", 0) for i in items])]), key=lambda o: o.points)
    conclusion = summarize(run).conclusion
    assert f"The best constant answer, always 4, earns {best.points:g} of 50 points." in conclusion
    assert "Not better than that constant answer: weak." in conclusion
    assert "| always 4 |" in write_report(run).markdown.read_text(encoding="utf-8")


def test_published_figures_stand_beside_measured_ones_and_are_marked(tmp_path):
    items = [renamed(item, "kice/2023-11") for item in ITEMS]  # 20 items of 5 points
    run = write_run(
        tmp_path / "run", [("kice", items, {"mine": lambda i: answer(i, "mine", right_where(i, i.target > 0))})]
    )
    written = write_report(run).markdown.read_text(encoding="utf-8")
    section = written.split("### Beside published scores")[1].split("###")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][2:]
    assert "| mine | measured here | – | 80 of 100 |" in rows
    assert any("GPT-4, minimal prompt | published | KICE" in row and row.endswith("80 of 100 |") for row in rows)
    assert any(row.startswith("| cut-off of grade 3 | published") for row in rows)
    points = [float(re.search(r"([\d.]+) of 100", row)[1]) for row in rows]
    assert points == sorted(points, reverse=True)
    assert "not measured here" in section
    assert "https://github.com/NomaDamas/KICE_slayer_AI_Korean/blob/" in section


def test_a_part_of_an_exam_and_other_items_are_set_beside_nothing(tmp_path):
    part = [renamed(item, "kice/2023-11") for item in ITEMS[:10]]
    mixed = [renamed(item, f"kice/{year}-11") for year in ("2022", "2023") for item in ITEMS[:10]]
    for name, items in (("part", part), ("mixed", mixed), ("other", ITEMS)):
        run = write_run(tmp_path / name, [("kice", items, {"s": lambda item: answer(item, "s", 0)})])
        assert "Beside published scores" not in write_report(run).markdown.read_text(encoding="utf-8")


@pytest.mark.parametrize(("n_items", "shown"), [(60, False), (9815, True), (9832, False)])
def test_a_published_accuracy_stands_beside_the_whole_split_alone(tmp_path, n_items, shown):
    items = [pair_item(n).model_copy(update={"id": f"mnli/validation_matched/{n}"}) for n in range(60)]
    run = write_run(tmp_path / "run", [("mnli", items, {"s": lambda item: answer(item, "s", 0)})])
    evaluation = summarize(run).evaluations[0].model_copy(update={"n_items": n_items})
    assert bool(published_table(evaluation).rows) == shown


def test_every_published_figure_has_its_source_and_is_plausible():
    assert len(published_points()) > 50
    for point in published_points():
        assert point.url.startswith("https://")
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", point.date)
        assert 0 <= point.score <= 100
        assert (point.n_items is not None) == (point.unit == "percent")
        benchmark, part = point.items.split("/")
        assert part[:4] in YEARS if benchmark == "kice" else part.startswith("validation_")
    rows = yaml.safe_load(REFERENCE_POINTS.read_text(encoding="utf-8"))["points"]
    assert len({(row["items"], row["system"]) for row in rows}) == len(rows)


@pytest.mark.shared_data
def test_always_3_earns_what_its_publishers_say(shared_data):
    """KICE_slayer's README: always answering 3 earns 22, 19, 23, 20 and 20 points in these years."""
    published = {"2019": 22, "2021": 19, "2022": 23, "2023": 20, "2024": 20}
    for year, points in published.items():
        answers = answers_of([answer(item, "s", 0) for item in load(year, shared_data / "kice")])
        assert constant_scores([answers])[2].points == points
