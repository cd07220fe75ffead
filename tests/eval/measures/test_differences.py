import json

import pytest

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.table import display_width
from eval.measures.differences import compare, to_json
from eval.measures.paired_tests import mcnemar_midp
from eval.measures.run_answers import answers_of, read_answers
from eval.report.render.terminal import WIDTH, comparison_text
from tests.support.journaled_runs import answer, exam_item, failure, pair_item, right_where, write_demo, write_run


def compared(*run_dirs):
    return compare(*map(read_answers, run_dirs))


def right_on(*numbers):
    """A system that is right on the exam items of these numbers."""

    def respond(item):
        return answer(item, "s", right_where(item, int(item.id[-2:]) in numbers))

    return respond


def exam(n=20):
    return [exam_item(number) for number in range(1, n + 1)]


def test_every_pair_of_a_run_is_compared_within_its_benchmark(tmp_path):
    found = compared(write_demo(tmp_path / "run"))
    assert [(one.benchmark, one.a, one.b) for one in found] == [
        ("kice", "closed-book", "always-3"),
        ("kice", "rag", "always-3"),
        ("kice", "rag", "closed-book"),
        ("mnli", "tuned", "majority"),
    ]


def test_a_pair_by_hand(tmp_path):
    systems = {"first": right_on(1, 2, 3, 4), "second": right_on(4, 5)}
    (one,) = compared(write_run(tmp_path / "run", [("kice", exam(), systems)]))
    assert (one.a, one.b) == ("second", "first")
    assert one.won == ("kice/made-up/q05",)
    assert one.lost == ("kice/made-up/q01", "kice/made-up/q02", "kice/made-up/q03")
    assert (one.both_right, one.both_wrong) == (1, 15)
    assert one.difference == pytest.approx(-0.1)
    assert one.points_difference == pytest.approx(3 - (3 + 2 + 3))
    assert one.p == one.p_holm == mcnemar_midp(1, 3)
    assert one.interval.low < -0.1 < one.interval.high
    assert not one.distinguishable


def test_p_values_are_adjusted_for_the_pairs_of_the_benchmark(tmp_path):
    systems = {"none": right_on(), "all": right_on(*range(1, 21)), "half": right_on(*range(1, 11))}
    found = compared(write_run(tmp_path / "run", [("kice", exam(), systems)]))
    assert all(one.p_holm >= one.p for one in found)
    assert max(found, key=lambda one: one.difference).p_holm == pytest.approx(3 * mcnemar_midp(20, 0))


def test_items_that_one_system_failed_on_are_left_out_and_counted(tmp_path):
    def failing(item):
        return failure(item, "s") if item.id.endswith("q01") else right_on(2)(item)

    (one,) = compared(write_run(tmp_path / "run", [("kice", exam(), {"a": failing, "b": right_on(1)})]))
    assert (one.n, one.n_left_out) == (19, 1)
    assert one.won == ()


def test_two_runs_compare_systems_of_the_same_name(tmp_path):
    before = write_run(tmp_path / "a", [("kice", exam(), {"rag": right_on(1), "other": right_on(2)})])
    after = write_run(tmp_path / "b", [("kice", exam(), {"rag": right_on(1, 2, 3)})])
    (one,) = compared(before, after)
    assert (one.a, one.b) == ("A/rag", "B/rag")
    assert one.lost == ("kice/made-up/q02", "kice/made-up/q03")


def test_two_runs_without_a_shared_name_compare_everything(tmp_path):
    first = write_run(tmp_path / "a", [("kice", exam(), {"x": right_on(1), "y": right_on(2)})])
    second = write_run(tmp_path / "b", [("kice", exam(), {"z": right_on(3)})])
    assert [(one.a, one.b) for one in compared(first, second)] == [("A/x", "B/z"), ("A/y", "B/z")]


def test_two_runs_also_compare_what_is_trained_with_what_is_prompted(tmp_path):
    first = {"majority": right_on(1), "tuned": right_on(1, 2, 3)}
    second = {"majority": right_on(1), "asked": right_on(1, 2), "tuned": right_on(1)}
    kinds = {"majority": "baseline", "tuned": "finetune", "asked": "chain"}
    descriptions = {name: {"kind": kind} for name, kind in kinds.items()}
    runs = [
        write_run(tmp_path / name, [("kice", exam(), systems)], descriptions=descriptions)
        for name, systems in (("a", first), ("b", second))
    ]
    found = [(one.a, one.b) for one in compared(*runs)]
    assert found == [("A/majority", "B/majority"), ("A/tuned", "B/tuned"), ("A/tuned", "B/asked")]


def refusal(first, second):
    with pytest.raises(ConfigurationError) as caught:
        compared(first, second)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_runs_over_a_different_number_of_items_are_refused_with_what_differs(tmp_path):
    first = write_run(tmp_path / "a", [("kice", exam(20), {"x": right_on(1)})])
    second = write_run(tmp_path / "b", [("kice", exam(18), {"x": right_on(1)})])
    message = refusal(first, second)
    assert "items 20 and 18" in message
    assert f"2 only in {first} (kice/made-up/q19, kice/made-up/q20)" in message
    assert "the 18 in common are the same" in message


def test_runs_over_other_items_are_refused_with_examples_of_both(tmp_path):
    renamed = [item.model_copy(update={"id": item.id.replace("made-up", "other")}) for item in exam()]
    first = write_run(tmp_path / "a", [("kice", exam(), {"x": right_on(1)})])
    second = write_run(tmp_path / "b", [("kice", renamed, {"x": right_on(1)})])
    message = refusal(first, second)
    assert f"20 only in {first} (kice/made-up/q01, kice/made-up/q02, kice/made-up/q03, …)" in message
    assert f"20 only in {second} (kice/other/q01" in message
    assert "no item in common" in message


def test_another_version_of_the_data_is_refused_with_the_items_and_fields_that_differ(tmp_path):
    changed = [
        item.model_copy(update={"target": (item.target + 1) % 5, **({"weight": 1.0} if number < 2 else {})})
        if number < 5
        else item
        for number, item in enumerate(exam())
    ]
    first = write_run(tmp_path / "a", [("kice", exam(), {"x": right_on(1)})])
    second = write_run(tmp_path / "b", [("kice", changed, {"x": right_on(1)})])
    message = refusal(first, second)
    assert "of 20 in common 5 are another version (kice/made-up/q01, kice/made-up/q02, kice/made-up/q03, …)" in message
    assert "target of 5, weight of 2" in message


def test_changed_texts_alone_are_another_version(tmp_path):
    reworded = [item.model_copy(update={"inputs": {**item.inputs, "passage": "다른 지문"}}) for item in exam()]
    first = write_run(tmp_path / "a", [("kice", exam(), {"x": right_on(1)})])
    second = write_run(tmp_path / "b", [("kice", reworded, {"x": right_on(1)})])
    assert "inputs of 20" in refusal(first, second)


def test_runs_that_share_no_benchmark_are_refused(tmp_path):
    first = write_run(tmp_path / "a", [("kice", exam(), {"x": right_on(1)})])
    pairs = [pair_item(number) for number in range(3)]
    second = write_run(tmp_path / "b", [("mnli", pairs, {"x": lambda item: answer(item, "x", 0)})])
    with pytest.raises(ConfigurationError, match="share no benchmark"):
        compared(first, second)


def test_a_single_system_has_nothing_to_be_compared_with(tmp_path):
    with pytest.raises(ConfigurationError, match="no two systems"):
        compared(write_run(tmp_path / "a", [("kice", exam(), {"x": right_on(1)})]))


def test_a_folder_without_a_manifest_is_no_run(tmp_path):
    with pytest.raises(MissingResourceError, match="is not a run"):
        compared(tmp_path)


def test_answers_leave_failed_calls_out():
    answers = answers_of([failure(exam_item(1), "s"), answer(exam_item(2), "s", None)]).predictions
    assert answers.ids == ["kice/made-up/q02"]
    assert answers.choices.tolist() == [-1]


def test_comparisons_as_text_and_as_json(tmp_path):
    found = compared(write_demo(tmp_path / "run"))
    text = comparison_text(found)
    assert "rag − closed-book" in text
    assert "closed-book alone right: kice/made-up/q18" in text
    assert max(map(display_width, text.splitlines())) <= WIDTH
    many = [one.model_copy(update={"won": tuple(f"i{n}" for n in range(25))}) for one in found]
    assert "i18, i19 and 5 more (--json lists all)" in " ".join(comparison_text(many).split())
    loaded = json.loads(to_json(found))["comparisons"]
    assert loaded[2]["won"][0] == "kice/made-up/q01"
    assert loaded[2]["interval"] == list(found[2].interval)
