"""Attribution: every outcome has one cause, finds are counted from the records, and scripted readers prove it."""

import json
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.common.language import ENGLISH
from data.types import Item, Passage, Record
from eval.cli.parser import main
from eval.measures.attribution import Attribution, attribute
from eval.measures.causes import CAUSES, EITHER, SHORTENED, Outcome, cause_of
from eval.measures.retrieval_metrics import score_ranking
from eval.measures.run_answers import answers_of, read_answers
from eval.report.sections.attribution import attribution_sentences, attribution_tables
from eval.report.summary import summarize
from eval.rundir.journal import latest_records, records_path
from eval.rundir.manifest import read_manifest
from tests.support.described import described
from tests.support.journaled_runs import answer, exam_item, failure, right_where, write_demo, write_run
from tests.support.ladder_exam import ladder_suite

DESCRIPTIONS: dict[str, dict[str, Any]] = {
    "rag": {"kind": "chain", "chain": "kice-rag", "retriever": {"name": "bm25", "k": 2}},
    "oracle": {"kind": "chain", "chain": "kice-prompt"},
}


def made_item(number: int, *, passage: bool = True) -> Item:
    inputs = {"passage": "가나다라마" if passage else "", "question": "?"}
    return Item(id=f"q{number}", inputs=inputs, choices=("a", "b"), target=0, group=f"p{number}")


def rag_record(
    number: int, found: Sequence[str] = (), *, right: bool | None, passage: bool = True, cut: bool = False
) -> Record:
    """A record of a system that found these passages; `right` is None where its call failed."""
    item = made_item(number, passage=passage)
    if right is None:
        record = failure(item, "rag")
    else:
        usage = {"input_tokens": 9, "cut_tokens": 4} if cut else {}
        record = answer(item, "rag", right_where(item, right), usage=usage)
    return record.model_copy(update={"passages": tuple(Passage(id=name, text="가나") for name in found)})


def found_or_not(number: int, *, retrieved: bool | None, right: bool | None, cut: bool = False) -> Record:
    """A record of an item whose own passage was found, or not, or that has none (None)."""
    found = ("other", f"p{number}") if retrieved else ("other", "another")
    return rag_record(number, found, right=right, passage=retrieved is not None, cut=cut)


def attributed_to(records: Sequence[Record], oracle: Sequence[Record] | None = None) -> Attribution:
    answers = {"rag": answers_of(records)} | ({} if oracle is None else {"oracle": answers_of(oracle)})
    (found,) = attribute(answers, {name: described(DESCRIPTIONS[name]) for name in answers})
    return found


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
    assert cause_of(Outcome(retrieved, right, oracle_right=oracle)).name == fitting[0]


def test_the_shares_of_all_causes_are_one_and_every_item_is_in_one(tmp_path: Path) -> None:
    outcomes = list(enumerate(product((True, False, None), (True, False, None), EITHER)))
    records = [found_or_not(n, retrieved=found, right=right) for n, (found, right, _) in outcomes]
    of_oracle = {
        f"q{n}": failure(records[n].item, "oracle")
        if right is None
        else answer(records[n].item, "oracle", right_where(records[n].item, right))
        for n, (_, _, right) in outcomes
    }
    systems = {"rag": lambda item: records[int(item.id[1:])], "oracle": lambda item: of_oracle[item.id]}
    run = write_run(tmp_path / "run", [("kice", [one.item for one in records], systems)], descriptions=DESCRIPTIONS)
    (attribution,) = attribute(read_answers(run).evaluations[0], read_manifest(run).systems)
    assert (attribution.n, attribution.failed) == (18, 9)
    assert sum(one.share for one in attribution.causes) == pytest.approx(1)
    ids = [item_id for one in attribution.causes for item_id in one.item_ids]
    assert sorted(ids) == sorted(one.item.id for one in records if one.prediction is not None)
    assert (attribution.wrong, attribution.to_retrieval) == (4, 0.25)
    for one in attribution.causes:
        assert one.interval is not None and one.interval.low <= one.share <= one.interval.high


def test_what_was_found_is_scored_as_retrieval_is() -> None:
    rankings = [("a", "p0"), ("p1", "a", "a"), ("a", "b"), ("a", "b", "p3")]
    found = attributed_to([rag_record(n, ranking, right=True) for n, ranking in enumerate(rankings)]).found
    scored = [score_ranking(list(dict.fromkeys(r)), frozenset({f"p{n}"}), k=3) for n, r in enumerate(rankings)]
    assert found is not None
    assert (found.n_queries, found.depth) == (4, 3)
    assert found.recall_at_1 == pytest.approx(sum(one.recall_at_1 for one in scored) / 4)
    assert found.recall == pytest.approx(sum(one.recall_at_k for one in scored) / 4)
    assert found.mrr == pytest.approx(sum(one.mrr_at_k for one in scored) / 4)


def test_chunks_count_for_their_passage_and_overlaps_once() -> None:
    chunks = (
        Passage(id="x", text="마", chunk_id="x#0"),
        Passage(id="p1", text="가나", chunk_id="p1#0"),
        Passage(id="p1", text="나다", chunk_id="p1#1"),
    )
    record = rag_record(1, right=True).model_copy(update={"passages": chunks})
    (row,) = answers_of([record]).rows
    assert (row["own_rank"], row["chunks"]) == (2, 3)
    assert row["own_share"] == pytest.approx(3 / 5)
    by_id = answers_of([answer(made_item(1), "rag", 0, document_ids=("x#0", "p1#3"))])
    assert (by_id.rows["own_rank"].item(), np.isnan(by_id.rows["own_share"]).item()) == (2, True)
    assert by_id.found_passages == {"x", "p1"}
    without = record.model_copy(update={"item": made_item(1, passage=False)})
    assert counts(attributed_to([without])) == {"right, nothing to find": 1}


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
    assert attribution_sentences(evaluation, ENGLISH) == [
        "Nothing that rag retrieved is a passage of these items, so its answers are put down to nothing."
    ]
    assert not any(table.rows for table in attribution_tables(evaluation))
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
    for oracle in EITHER:
        assert cause_of(Outcome(True, False, cut=True, oracle_right=oracle)).name == SHORTENED
        assert cause_of(Outcome(True, False, oracle_cut=True, oracle_right=oracle)).name == SHORTENED
    assert cause_of(Outcome(True, True, cut=True, oracle_right=True)).name == "found and right"
    assert cause_of(Outcome(False, False, cut=True, oracle_right=True)).name == "retrieval miss"
    records = [
        found_or_not(1, retrieved=True, right=False, cut=True),
        found_or_not(2, retrieved=False, right=False, cut=True),
    ]
    attribution = attributed_to(records, [answer(one.item, "oracle", one.item.target) for one in records])
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
    said = " ".join(attribution_sentences(evaluation, ENGLISH))
    assert "For 1 more wrong answer of rag the oracle has no answer, so its cause is open." in said
    assert "For 2 wrong answers of rag the passages were shortened to fit the model's context" in said
    assert "0 of 9 wrong answers of rag" in said and "No wrong answer" not in said and "At most" not in said


def test_without_an_answer_there_is_nothing_to_attribute() -> None:
    attribution = attributed_to([found_or_not(1, retrieved=True, right=None)])
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
