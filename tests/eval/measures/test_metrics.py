import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix as sklearn_confusion
from sklearn.metrics import f1_score, precision_recall_fscore_support, roc_auc_score

from eval.measures.metrics import class_names, classification_metrics, score
from eval.measures.run_answers import answers_of
from tests.support.journaled_runs import answer, exam_item, failure, pair_item, right_where

OURS_AND_SKLEARNS = ((0, "precision"), (1, "recall"), (2, "f1"), (3, "support"))


@st.composite
def answered(draw):
    """(n_classes, targets, choices): -1 stands for no answer, classes may be absent."""
    n_classes = draw(st.integers(2, 6))
    n = draw(st.integers(1, 40))
    targets = draw(st.lists(st.integers(0, n_classes - 1), min_size=n, max_size=n))
    choices = draw(st.lists(st.integers(-1, n_classes - 1), min_size=n, max_size=n))
    return n_classes, targets, choices


def records(n_classes, targets, choices):
    choice_texts = tuple(f"label {label}" for label in range(n_classes))
    for number, (target, choice) in enumerate(zip(targets, choices, strict=True)):
        item = pair_item(number).model_copy(update={"choices": choice_texts, "target": target})
        yield answer(item, "s", None if choice < 0 else choice)


@settings(max_examples=60, deadline=None)
@given(answered())
def test_scores_agree_with_scikit_learn(case):
    n_classes, targets, choices = case
    scores = score(answers_of(records(n_classes, targets, choices)))
    labels = list(range(n_classes))
    oracle = {"labels": labels, "zero_division": 0}
    macro = precision_recall_fscore_support(targets, choices, average="macro", **oracle)
    assert (scores.macro_precision, scores.macro_recall, scores.macro_f1) == pytest.approx(macro[:3])
    each = precision_recall_fscore_support(targets, choices, **oracle)
    for place, field in OURS_AND_SKLEARNS:
        assert [getattr(one, field) for one in scores.classes] == pytest.approx(list(each[place]))
    with_none = [choice if choice >= 0 else n_classes for choice in choices]
    square = sklearn_confusion(targets, with_none, labels=[*labels, n_classes])
    assert [list(row) for row in scores.confusion] == square[:n_classes].tolist()
    assert scores.accuracy == pytest.approx(np.mean(np.array(targets) == np.array(choices)))
    assert sum(scores.prediction_counts) == sum(scores.target_counts) == scores.n


def test_a_trainer_is_given_no_area_where_a_class_has_no_item():
    probs = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    assert set(classification_metrics([0, 1], probs)) == {"accuracy", "macro_f1", "precision", "recall"}


def test_classification_metrics_of_a_trainer():
    targets = [0, 1, 2, 2]
    probs = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.2, 0.2, 0.6]])
    found = classification_metrics(targets, probs)
    assert found["accuracy"] == 0.75
    assert found["macro_f1"] == pytest.approx(f1_score(targets, probs.argmax(1), average="macro"))
    assert found["roc_auc"] == pytest.approx(roc_auc_score(targets, probs, multi_class="ovr"))


def test_classification_metrics_refuse_lengths_that_differ():
    with pytest.raises(ValueError, match="cannot be scored together"):
        classification_metrics([0], np.zeros((2, 3)))


def test_nothing_to_score_is_a_fault_of_the_caller():
    with pytest.raises(ValueError, match="no records"):
        score(answers_of([]))


def test_unparsed_is_wrong_and_an_error_is_no_answer():
    items = [exam_item(number) for number in range(1, 5)]
    records = [
        answer(items[0], "s", items[0].target),
        answer(items[1], "s", None, status="refusal"),
        answer(items[2], "s", right_where(items[2], False)),
        failure(items[3], "s"),
    ]
    scores = score(answers_of(records))
    assert (scores.n, scores.answered, scores.unparsed, scores.errors) == (4, 2, 1, 1)
    assert not scores.complete
    assert scores.accuracy == pytest.approx(1 / 3)  # over the three that hold a prediction
    assert (scores.points, scores.points_possible) == (3.0, 8.0)
    assert scores.statuses == {"ok": 2, "refusal": 1}


def test_a_system_that_always_failed_has_no_accuracy_rather_than_zero():
    scores = score(answers_of([failure(exam_item(1), "s"), failure(exam_item(2), "s")]))
    assert scores.accuracy is None
    assert scores.macro_f1 is None
    assert scores.errors == 2


def test_points_tags_usage_rules_and_latency_are_added_up():
    items = [exam_item(number) for number in (1, 2, 3)]
    usage = {"input_tokens": 10, "output_tokens": 2}
    scores = score(answers_of(answer(item, "s", item.target, usage=usage, rule="final-answer") for item in items))
    assert scores.points == scores.points_possible == 8.0
    assert scores.by_tag["section:독서"].points == 8.0
    assert scores.by_tag["negative"].n == 1
    assert scores.usage == {"input_tokens": 30, "output_tokens": 6}
    assert scores.rules == {"final-answer": 3}
    assert (scores.latency_p50_s, scores.latency_p95_s, scores.latency_total_s) == (0.25, 0.25, 0.75)


def test_classes_are_labels_where_items_share_them_else_positions():
    def named(*items):
        return class_names(answers_of(answer(item, "s", 0) for item in items))

    assert named(pair_item(0), pair_item(1)) == ("entailment", "neutral", "contradiction")
    assert named(exam_item(1), exam_item(2)) == named(exam_item(1)) == ("1", "2", "3", "4", "5")
    assert named(pair_item(0)) == ("1", "2", "3")


def test_probabilities_of_some_records_only_give_no_roc_auc():
    items = [pair_item(number) for number in range(3)]
    some = [answer(item, "s", 0, probs=(0.5, 0.3, 0.2)) for item in items[:2]] + [answer(items[2], "s", 0)]
    assert score(answers_of(some)).roc_auc is None
    every = [answer(item, "s", 0, probs=(0.5, 0.3, 0.2)) for item in items]
    assert score(answers_of(every)).roc_auc == 0.5


def test_importing_the_metrics_loads_neither_numpy_nor_scikit_learn():
    names = "('numpy', 'sklearn', 'torch')"
    code = f"import sys, eval.measures.metrics; print([name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
