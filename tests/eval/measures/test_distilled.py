"""What a student learnt of its teacher's mistakes: on answers whose mistakes are made by hand."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from data.common.language import language
from data.types import Item, Record
from eval.measures.distilled import Distilled
from eval.report.evaluation import EvaluationFigures
from eval.report.sections.all_sections import conclusion, evaluation_tables
from eval.report.summary import summarize
from tests.support.journaled_runs import answer, pair_item, write_run

ITEMS = [pair_item(number) for number in range(300)]
STUDENT = {"kind": "finetune", "finetune": {"model": "minilm"}, "labels_from": "teacher", "train_items": 2000}
Answers = Callable[[Item], Record]


def number_of(item: Item) -> int:
    return int(item.id.rsplit("/", 1)[1])


def of(choose: Callable[[int, int], int]) -> Answers:
    """A system that chooses by an item's number and its target."""
    return lambda item: answer(item, "", choose(number_of(item), item.target))


def noisy(number: int, target: int) -> int:
    return (target + 1 + number % 2) % 3 if random.Random(number).random() < 0.3 else target


def confused(number: int, target: int) -> int:
    """Takes neutral for contradiction in nine of ten."""
    return 2 if target == 1 and number % 10 else target


def rarely_wrong(number: int, target: int) -> int:
    return (target + 1) % 3 if number % 25 == 0 else target


def evaluation(run_dir: Path, systems: dict[str, Answers]) -> EvaluationFigures:
    descriptions = {"student": STUDENT, "people": {"kind": "finetune", "finetune": {"model": "minilm"}}}
    described = {name: one for name, one in descriptions.items() if name in systems}
    run = write_run(run_dir, [("mnli", ITEMS, systems)], descriptions=described)
    return summarize(run).evaluations[0]


def distilled(run_dir: Path, systems: dict[str, Answers]) -> tuple[Distilled, str]:
    found = evaluation(run_dir, systems)
    (one,) = found.distilled
    return one, " ".join(conclusion(found))


def test_a_student_beats_a_teacher_whose_mistakes_were_noise(tmp_path: Path) -> None:
    one, said = distilled(tmp_path / "run", {"teacher": of(noisy), "student": of(rarely_wrong)})
    wrong = [n for n in range(300) if noisy(n, n % 3) != n % 3]
    repeated = [n for n in wrong if rarely_wrong(n, n % 3) == noisy(n, n % 3)]
    assert (one.mistakes, one.repeated) == (len(wrong), len(repeated))
    assert one.difference == pytest.approx((len(wrong) - 12) / 300)
    assert one.corrected == sum(rarely_wrong(n, n % 3) == n % 3 for n in wrong)
    assert one.added == 12 - sum(rarely_wrong(n, n % 3) != n % 3 for n in wrong)
    assert "student learnt from what teacher answered to 2,000 texts, and beats its teacher: +" in said
    assert "to it they were noise" in said


def test_what_would_be_repeated_by_chance_is_what_shuffled_answers_repeat(tmp_path: Path) -> None:
    one, _ = distilled(tmp_path / "run", {"teacher": of(noisy), "student": of(confused)})
    draw, total = random.Random(0), 0.0
    for _ in range(400):
        for label in range(3):
            own = [n for n in range(300) if n % 3 == label]
            said = [confused(n, label) for n in own]
            draw.shuffle(said)
            total += sum(noisy(n, label) != label and noisy(n, label) == c for n, c in zip(own, said, strict=True))
    assert one.by_chance == pytest.approx(total / 400 / one.mistakes, abs=0.02)


def test_learnt_confusions_are_told_from_items_that_are_hard_for_all(tmp_path: Path) -> None:
    learnt, said = distilled(
        tmp_path / "learnt", {"teacher": of(confused), "student": of(confused), "people": of(rarely_wrong)}
    )
    assert learnt.control is not None and learnt.control.system == "people"
    assert learnt.learnt_mistakes and "it learnt its teacher's confusions." in said
    assert "is not distinguishable from its teacher: +0.0" in said
    (top,) = learnt.confusions
    assert (top.label, top.taken_for, top.teacher, top.repeated, top.student) == (
        "neutral",
        "contradiction",
        *(learnt.mistakes,) * 3,
    )
    hard, said = distilled(
        tmp_path / "hard", {"teacher": of(confused), "student": of(confused), "people": of(confused)}
    )
    assert not hard.learnt_mistakes and "that it learnt its teacher's confusions is not shown" in said
    alone, said = distilled(tmp_path / "alone", {"teacher": of(confused), "student": of(confused)})
    assert alone.by_chance == pytest.approx(0.9) and alone.learnt_mistakes
    assert "the two find the same items hard, or it learnt" in said


def test_a_student_behind_its_teacher_and_one_without_mistakes_to_learn(tmp_path: Path) -> None:
    behind, said = distilled(tmp_path / "behind", {"teacher": of(rarely_wrong), "student": of(noisy)})
    assert behind.interval is not None and behind.interval.high < 0 and "stays behind its teacher: −" in said
    right, said = distilled(tmp_path / "right", {"teacher": of(lambda n, target: target), "student": of(rarely_wrong)})
    assert (right.mistakes, right.by_chance, right.confusions) == (0, None, ())
    assert "mistakes of teacher" not in said


def test_the_table_and_the_korean_report(tmp_path: Path) -> None:
    found = evaluation(tmp_path / "run", {"teacher": of(confused), "student": of(confused), "people": of(noisy)})
    table = next(one for one in evaluation_tables(found) if one.kind == "distilled")
    n = f"{found.distilled[0].mistakes}"
    assert table.rows == (("student", "neutral", "contradiction", n, n, n),)
    korean = " ".join(conclusion(found, language("ko")))
    assert "교사 시스템의 혼동을 함께 배운 것으로 본다" in korean and "learnt" not in korean


def test_a_run_without_students_has_no_such_section(tmp_path: Path) -> None:
    found = evaluation(tmp_path / "run", {"teacher": of(noisy), "people": of(confused)})
    assert found.distilled == () and all(one.kind != "distilled" for one in evaluation_tables(found))
