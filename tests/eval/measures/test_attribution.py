"""Attribution: every outcome has one cause, finds are counted from the records, and scripted readers prove it."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from data.common.language import ENGLISH
from data.types import Item, Passage, Prediction, Record
from eval.cli.parser import main
from eval.measures.attribution import Attribution, attribute_lookups
from eval.measures.causes import CAUSES, EITHER, SHORTENED, cause_of
from eval.measures.lookups import Lookup, look_up
from eval.measures.retrieval_metrics import score_ranking
from eval.report.sections.ladder_sentences import ladder_sentences
from eval.report.sections.ladder_tables import ladder_tables
from eval.report.summary import summarize
from eval.rundir.journal import latest_records, records_path
from tests.support.journaled_runs import answer, exam_item, failure, right_where, write_demo, write_run
from tests.support.ladder_exam import ladder_suite


def lookup(number: int, *, retrieved: bool | None, right: bool | None, group: str = "") -> Lookup:
    group = group or f"p{number}"
    ranking = ("other", group) if retrieved else ("other",)
    return Lookup(f"q{number}", group, retrieved is not None, ranking, 2, None if retrieved is None else 0.5, right)


def record_of(
    passages: tuple[Passage, ...], *, document_ids: tuple[str, ...] = (), passage: str = "가나다라마"
) -> Record:
    item = Item(id="q", inputs={"passage": passage, "question": "?"}, choices=("a", "b"), target=0, group="own")
    prediction = Prediction(choice=0, status="ok", document_ids=document_ids)
    return Record(item=item, system="rag", prediction=prediction, latency_s=0.1, passages=passages)


def attributed(run_dir: Path, system: str = "rag") -> Attribution:
    summary = json.loads((run_dir / "summary.json").read_text(encoding="utf-8"))
    (found,) = (one for one in summary["evaluations"][0]["attributions"] if one["system"] == system)
    return Attribution.model_validate(found)


def counts(attribution: Attribution) -> dict[str, int]:
    return {one.cause: one.n for one in attribution.causes if one.n}


@pytest.mark.parametrize(("retrieved", "right", "oracle"), [*product((True, False, None), (True, False), EITHER)])
def test_every_outcome_has_exactly_one_cause(retrieved: bool | None, right: bool, oracle: bool | None) -> None:
    fitting = [c.name for c in CAUSES if (c.retrieved, c.right) == (retrieved, right) and oracle in c.oracle_right]
    assert len(fitting) == 1
    found = cause_of(lookup(1, retrieved=retrieved, right=right), oracle)
    assert found is not None and found.name == fitting[0]


def test_the_shares_of_all_causes_are_one_and_every_item_is_in_one() -> None:
    outcomes = list(product((True, False, None), (True, False, None), EITHER))
    lookups = [lookup(n, retrieved=found, right=right) for n, (found, right, _) in enumerate(outcomes)]
    oracle = {f"q{n}": right for n, (_, _, right) in enumerate(outcomes) if right is not None}
    attribution = attribute_lookups(lookups, oracle, system="rag", oracle="oracle")
    assert (attribution.n, attribution.failed) == (18, 9)
    assert sum(one.share for one in attribution.causes) == pytest.approx(1)
    ids = [item_id for one in attribution.causes for item_id in one.item_ids]
    assert sorted(ids) == sorted(one.item_id for one in lookups if one.right is not None)
    assert (attribution.wrong, attribution.to_retrieval) == (4, 0.25)
    for one in attribution.causes:
        assert one.interval is not None and one.interval.low <= one.share <= one.interval.high


def test_what_was_found_is_scored_as_retrieval_is() -> None:
    rankings = [("a", "own"), ("own", "a"), ("a", "b"), ("a", "b", "own")]
    lookups = [Lookup(f"q{n}", "own", True, ranking, 3, 1.0, True) for n, ranking in enumerate(rankings)]
    found = attribute_lookups(lookups, {}, system="rag", oracle=None).found
    scored = [score_ranking(ranking, frozenset({"own"}), k=3) for ranking in rankings]
    assert found is not None
    assert (found.n_queries, found.depth) == (4, 3)
    assert found.recall_at_1 == pytest.approx(sum(one.recall_at_1 for one in scored) / 4)
    assert found.recall == pytest.approx(sum(one.recall_at_k for one in scored) / 4)
    assert found.mrr == pytest.approx(sum(one.mrr_at_k for one in scored) / 4)


def test_chunks_count_for_their_passage_and_overlaps_once() -> None:
    chunks = (Passage(id="x", text="마", chunk_id="x#0"), Passage(id="own", text="가나", chunk_id="own#0"))
    one = look_up(record_of((*chunks, Passage(id="own", text="나다", chunk_id="own#1"))))
    assert (one.ranking, one.chunks, one.retrieved) == (("x", "own"), 3, True)
    assert one.own_share == pytest.approx(3 / 5)
    by_id = look_up(record_of((), document_ids=("x#0", "own#3")))
    assert (by_id.ranking, by_id.own_share, by_id.retrieved) == (("x", "own"), None, True)
    assert look_up(record_of(chunks, passage="")).retrieved is None


OWN_RAG: dict[str, object] = {"kind": "chain", "chain": "my:rag", "retriever": {"name": "my:search", "k": 1}}


def found_elsewhere(prefix: str) -> Callable[[Item], Record]:
    """A system that is right on two of three items and always finds a passage of another name."""

    def respond(item: Item) -> Record:
        record = answer(item, "rag", right_where(item, int(item.id[-2:]) % 3 != 0))
        return record.model_copy(update={"passages": (Passage(id=f"{prefix}9", text="x", chunk_id=f"{prefix}9#0"),)})

    return respond


def test_a_search_of_other_texts_is_said_to_be_one_by_every_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [exam_item(number) for number in range(1, 13)]
    systems = {"rag": found_elsewhere("wiki/")}
    run = write_run(tmp_path / "run", [("kice", items, systems)], descriptions={"rag": OWN_RAG})
    evaluation = summarize(run).evaluations[0]
    (one,) = evaluation.attributions
    assert (one.foreign, one.n, one.causes, one.wrong, one.to_retrieval, one.found) == (True, 12, (), 0, None, None)
    assert ladder_sentences(evaluation, ENGLISH) == [
        "Nothing that rag retrieved is a passage of these items, so its answers are put down to nothing."
    ]
    assert not any(table.rows for table in ladder_tables(evaluation))
    assert main(["show", str(run), items[2].id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["causes"] == {}


def test_a_limited_run_that_misses_every_asked_passage_searched_no_other_texts(tmp_path: Path) -> None:
    items = [exam_item(number) for number in range(1, 4)]  # all of one passage
    ours = {"kind": "chain", "chain": "kice-rag", "retriever": {"name": "bm25", "k": 1}, "pool_fingerprint": "f"}
    for name, description, prefix in (("own", OWN_RAG, "kice/made-up/p"), ("ours", ours, "p")):
        systems = {"rag": found_elsewhere(prefix)}
        run = write_run(tmp_path / name, [("kice", items, systems)], descriptions={"rag": description})
        (one,) = summarize(run).evaluations[0].attributions
        assert (one.foreign, counts(one)) == (False, {"lucky guess": 2, "missed and wrong": 1})


def test_where_a_prompt_was_shortened_the_cause_of_a_wrong_answer_is_open() -> None:
    cut = lookup(1, retrieved=True, right=False)._replace(cut=True)
    for one, oracle_cut in ((cut, False), (lookup(1, retrieved=True, right=False), True)):
        for oracle in EITHER:
            cause = cause_of(one, oracle, oracle_cut=oracle_cut)
            assert cause is not None and cause.name == SHORTENED
    right, missed = cut._replace(right=True), lookup(2, retrieved=False, right=False)._replace(cut=True)
    assert [cause.name for one in (right, missed) if (cause := cause_of(one, True))] == [
        "found and right",
        "retrieval miss",
    ]
    attribution = attribute_lookups([cut, missed], {"q1": True, "q2": True}, system="rag", oracle="oracle")
    assert (counts(attribution), attribution.wrong) == ({SHORTENED: 1, "retrieval miss": 1}, 1)


def test_what_was_shortened_and_what_the_oracle_failed_on_is_said(tmp_path: Path) -> None:
    reader = {"kind": "chain", "prompt": "kice/minimal", "model": {"spec": "made-up"}}
    descriptions: dict[str, dict[str, object]] = {
        "rag": {**reader, "chain": "kice-rag", "retriever": {"name": "bm25", "k": 1}},
        "own": {**reader, "chain": "kice-prompt"},
    }

    def rag(item: Item) -> Record:
        passage = Passage(id=item.group, text="x", chunk_id=f"{item.group}#0")
        return answer(item, "rag", right_where(item, False)).model_copy(update={"passages": (passage,)})

    def own(item: Item) -> Record:
        number = int(item.id[-2:])
        usage = {"input_tokens": 9, "cut_tokens": 4} if number < 3 else {}
        return failure(item, "own") if number == 3 else answer(item, "own", item.target, usage=usage)

    items = [exam_item(number) for number in range(1, 13)]
    run = write_run(tmp_path / "run", [("kice", items, {"rag": rag, "own": own})], descriptions=descriptions)
    evaluation = summarize(run).evaluations[0]
    assert counts(evaluation.attributions[0]) == {"distracted": 9, "found, yet wrong": 1, SHORTENED: 2}
    said = " ".join(ladder_sentences(evaluation, ENGLISH))
    assert "For 1 more wrong answer of rag the oracle has no answer, so its cause is open." in said
    assert "For 2 wrong answers of rag the passages were shortened to fit the model's context" in said
    assert "0 of 9 wrong answers of rag" in said and "No wrong answer" not in said and "At most" not in said


def test_without_an_answer_there_is_nothing_to_attribute() -> None:
    attribution = attribute_lookups([lookup(1, retrieved=True, right=None)], {}, system="rag", oracle=None)
    assert (attribution.n, attribution.failed, attribution.causes, attribution.found) == (0, 1, (), None)


def test_a_model_that_needs_its_passage_is_attributed_to_retrieval(tmp_path: Path) -> None:
    out = tmp_path / "out"
    suite = ladder_suite(tmp_path, model="tests.support.scripted_models:reader")
    assert main(["run", str(suite), "--out", str(out)]) == 0
    attribution = attributed(out)
    assert attribution.oracle == "oracle"
    assert counts(attribution) == {"found and right": 12, "retrieval miss": 6, "right, nothing to find": 1}
    assert attribution.to_retrieval == 1
    assert attribution.found is not None and attribution.found.recall == pytest.approx(12 / 18)
    missed = next(one.item_ids for one in attribution.causes if one.cause == "retrieval miss")
    records = latest_records(records_path(out, "rag"))
    assert set(missed) == {r.item.id for r in records.values() if r.prediction and r.prediction.choice != r.item.target}


def test_a_model_that_ignores_what_it_is_shown_is_not(tmp_path: Path) -> None:
    out = tmp_path / "out"
    suite = ladder_suite(tmp_path, model="tests.support.scripted_models:third")
    assert main(["run", str(suite), "--out", str(out)]) == 0
    attribution = attributed(out)
    assert attribution.to_retrieval == 0
    assert not {"retrieval miss", "distracted"} & counts(attribution).keys()
    assert {"reader failure", "wrong either way"} <= counts(attribution).keys()


def test_without_an_oracle_no_wrong_answer_is_put_down_to_retrieval(tmp_path: Path) -> None:
    out = tmp_path / "out"
    suite = ladder_suite(tmp_path, model="tests.support.scripted_models:reader", leaving_out="oracle")
    assert main(["run", str(suite), "--out", str(out)]) == 0
    attribution = attributed(out)
    assert (attribution.oracle, attribution.wrong, attribution.to_retrieval) == (None, 0, None)
    assert counts(attribution)["missed and wrong"] == 6
    said = " ".join(summarize(out).conclusion)
    assert "At most 6 of 6 wrong answers of rag can be put down to retrieval" in said


def test_where_each_passage_was_found_nothing_can_be_put_down_to_retrieval(tmp_path: Path) -> None:
    said = " ".join(summarize(write_demo(tmp_path / "run")).conclusion)
    assert "No wrong answer of rag is put down to retrieval: of each wrong answer's passage a part was found." in said


def test_show_says_the_cause_of_an_item(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    suite = ladder_suite(tmp_path, model="tests.support.scripted_models:reader")
    assert main(["run", str(suite), "--out", str(out)]) == 0
    capsys.readouterr()
    assert main(["show", str(out), "kice/2030-11/q03"]) == 0
    assert "cause: retrieval miss (its passage was not found; with it the reader is right)" in capsys.readouterr().out
    assert main(["show", str(out), "kice/2030-11/q03", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["causes"] == {"rag": "retrieval miss"}
