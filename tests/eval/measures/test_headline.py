"""The pairs that a run is about: adjusted among themselves, before all others."""

import pytest

from eval.measures.differences import compare_all
from eval.measures.headline import with_headline
from eval.measures.paired_tests import holm
from eval.measures.run_answers import read_answers
from eval.report.summary import summarize
from eval.rundir.description import SystemDescription
from tests.support.journaled_runs import answer, pair_item, right_where, write_run

ITEMS = [pair_item(number) for number in range(80)]
RIGHT = {"majority": 26, "always-1": 27, "words": 40, "tuned": 60, "prompted": 47, "rag": 51}
MODEL = {"model": {"spec": "openai:known"}}
DESCRIPTIONS = {
    "tuned": {"kind": "finetune"},
    "prompted": {"kind": "chain", "chain": "mnli-zero-shot", **MODEL},
    "rag": {"kind": "chain", "chain": "classify", "examples": {"select": "similar", "n": 8}, **MODEL},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    def right_on(name):
        return lambda item: answer(item, name, right_where(item, hash_of(item, name) < RIGHT[name]))

    systems = {name: right_on(name) for name in RIGHT}
    return write_run(tmp_path_factory.mktemp("runs") / "run", [("mnli", ITEMS, systems)], descriptions=DESCRIPTIONS)


def hash_of(item, name):
    """Spread the right answers of each system over the items in its own order."""
    number, step = int(item.id.rsplit("/", 1)[1]), 3 + 2 * list(RIGHT).index(name)
    return number * (step if step % 5 else step + 4) % len(ITEMS)


def test_the_questions_pairs_are_a_family_of_their_own_and_stand_first(run):
    answers = read_answers(run)
    compared = compare_all(answers.evaluations[0], evaluation=answers.manifest.evaluations[0])
    descriptions = {name: SystemDescription(**DESCRIPTIONS.get(name, {"kind": "baseline"})) for name in RIGHT}
    found = with_headline(compared, descriptions, ("tuned", "words"))
    first = [one for one in found if one.headline]
    expected = [{"tuned", "prompted"}, {"tuned", "rag"}, {"prompted", "rag"}, {"tuned", "words"}]
    assert len(first) == 4 and all({one.a, one.b} in expected for one in first)
    assert found[:4] == tuple(first)
    assert [one.p_holm for one in first] == holm([one.p for one in first])
    rest = {frozenset((one.a, one.b)): one.p_holm for one in compared}
    assert all(one.p_holm == rest[frozenset((one.a, one.b))] for one in found[4:])
    assert any(one.p_holm < rest[frozenset((one.a, one.b))] for one in first)


def test_without_a_question_all_pairs_are_one_family(run):
    answers = read_answers(run)
    compared = compare_all(answers.evaluations[0], evaluation=answers.manifest.evaluations[0])
    assert with_headline(compared, dict.fromkeys(RIGHT, SystemDescription(kind="baseline"))) == tuple(compared)


def test_the_report_s_table_and_verdict_say_the_same(run):
    (evaluation,) = summarize(run).evaluations
    verdict = evaluation.verdict
    (pair,) = [one for one in evaluation.comparisons if {one.a, one.b} == {verdict.leader, verdict.other}]
    assert verdict.is_real == pair.distinguishable
