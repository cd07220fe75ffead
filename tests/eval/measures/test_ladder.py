"""The retrieval ladder: which system stands where, what share of the gap is recovered, and what is said of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chains.registry import RUNGS
from data.common.language import ENGLISH, language
from data.types import Item
from eval.cli.parser import main
from eval.measures.answers import Answers
from eval.measures.attribution import CAUSES
from eval.measures.ladder import Ladder, climb, gap_recovered, oracle_of, rung_of
from eval.measures.run_answers import answers_of
from eval.plan.suite import load_suite
from eval.report.sections.ladder import SHOWN, ladder_sentences, ladder_tables
from eval.report.summary import summarize
from eval.rundir.description import SystemDescription
from tests.support.journaled_runs import answer, exam_item, right_where, write_run
from tests.support.ladder_exam import ladder_suite

READER = {"kind": "chain", "prompt": "kice/minimal", "answering": "auto", "model": {"spec": "made-up"}}


def described(chain: str, **more: Any) -> SystemDescription:
    return SystemDescription.model_validate({**READER, "chain": chain, "too_long": "error", **more})


BASELINE = SystemDescription(kind="baseline", baseline="always-3")


def answers(right: list[bool], *, tags: tuple[str, ...] = ()) -> Answers:
    """Answers to items that are each of a passage of their own."""
    return answers_of(
        answer(
            Item(
                id=f"q{i}",
                inputs={},
                choices=("a", "b"),
                target=0,
                group=f"p{i}",
                tags=(f"section:{i % 2}", *tags) if tags else (),
            ),
            "s",
            0 if is_right else 1,
        )
        for i, is_right in enumerate(right)
    )


@pytest.mark.parametrize(
    ("description", "rung"),
    [
        (described("kice-choices-only"), "choices-only"),
        (described("kice-prompt"), "oracle"),
        (described("kice-rag", retriever={"name": "bm25", "k": 2}), "retrieved"),
        (described("my.module:chain", retriever={"name": "bm25", "k": 2}), "retrieved"),
        (described("my.module:chain"), None),
        (BASELINE, None),
    ],
)
def test_a_chain_names_its_rung(description: SystemDescription, rung: str | None) -> None:
    assert rung_of(description) == rung


def test_the_oracle_of_a_system_is_the_same_reader() -> None:
    descriptions = {
        "rag": described(
            "kice-rag", retriever={"name": "bm25", "k": 2}, pool_fingerprint="f", too_long="truncate-passage"
        ),
        "other-model": described("kice-prompt", model={"spec": "other"}),
        "other-prompt": described("kice-prompt", prompt="kice/cot-ko"),
        "own": described("kice-prompt", note="the exam as it is set"),
    }
    assert oracle_of("rag", descriptions) == "own"
    del descriptions["own"]
    assert oracle_of("rag", descriptions) is None


def test_a_reader_s_rungs_are_in_order_and_readers_apart() -> None:
    other = {"model": {"spec": "other"}}
    descriptions = {
        "oracle": described("kice-prompt"),
        "rag-8": described("kice-rag", retriever={"name": "bm25", "k": 8}),
        "rag-2": described("kice-rag", retriever={"name": "bm25", "k": 2}),
        "closed": described("kice-closed-book"),
        "alone": described("kice-closed-book", **other),
        "always-3": BASELINE,
    }
    (ladder,) = climb({name: answers([True, False]) for name in descriptions}, descriptions)
    assert [step.system for step in ladder.steps] == ["closed", "rag-2", "rag-8", "oracle"]
    assert [step.k for step in ladder.steps] == [None, 2, 8, None]
    assert (ladder.model, ladder.prompt) == ("made-up", "kice/minimal")


def test_the_gap_recovered_by_hand_and_by_section() -> None:
    n = 40
    closed, oracle = [False] * n, [True] * n
    reached = [i % 2 == 0 for i in range(n)]
    descriptions = {
        "closed": described("kice-closed-book"),
        "rag": described("kice-rag", retriever={"name": "bm25", "k": 2}),
        "oracle": described("kice-prompt"),
    }
    three = {"closed": answers(closed), "rag": answers(reached, tags=("negative",)), "oracle": answers(oracle)}
    (ladder,) = climb(three, descriptions)
    by_tag = {gap.tag: gap for gap in ladder.gaps}
    assert list(by_tag) == ["", "section:0", "negative", "section:1"]
    assert [by_tag[tag].recovered for tag in by_tag] == [0.5, 1.0, 0.5, 0.0]
    assert [by_tag[tag].n for tag in by_tag] == [40, 20, 40, 20]
    assert by_tag[""].interval is not None and by_tag[""].interval.low < 0.5 < by_tag[""].interval.high
    assert by_tag["section:0"].interval is None  # nothing varies, so nothing is known of how it would


def test_only_items_that_all_three_answered_count() -> None:
    descriptions = {
        "closed": described("kice-closed-book"),
        "shuffled": described("kice-shuffled", pool_fingerprint="f"),
        "oracle": described("kice-prompt"),
    }
    three = {"closed": answers([False] * 30), "shuffled": answers([False] * 12), "oracle": answers([True] * 20)}
    (ladder,) = climb(three, descriptions)
    assert [(gap.system, gap.n, gap.recovered) for gap in ladder.gaps] == [("shuffled", 12, 0.0)]


@pytest.mark.parametrize(("n_groups", "known"), [(9, False), (10, True)])
def test_of_few_passages_the_share_recovered_has_no_interval(n_groups: int, known: bool) -> None:
    n = 4 * n_groups
    reached = np.arange(n) % 3 > 0
    groups = [f"p{i // 4}" for i in range(n)]
    gap = gap_recovered(np.zeros(n, dtype=bool), reached, np.arange(n) % 17 > 0, groups)
    assert gap.recovered is not None
    assert (gap.interval is not None) == known


@pytest.mark.parametrize("oracle", [[True, False] * 10, [True, False] * 9 + [True, True]])
def test_where_the_items_show_no_gap_no_share_of_it_is_given(oracle: list[bool]) -> None:
    closed, reached = np.array([True, False] * 10), np.array([True] * 20)
    gap = gap_recovered(closed, reached, np.array(oracle), [f"p{i}" for i in range(20)])
    assert (gap.recovered, gap.interval) == (None, None)


def test_the_interval_of_the_gap_recovered_keeps_its_level() -> None:
    # 11 passages of 4 items: of each passage found, the answers are the oracle's, else closed book's
    rng = np.random.default_rng(11)
    groups, covered, known = [f"p{i // 4:02}" for i in range(44)], 0, 0
    for _ in range(400):
        hard = np.repeat(rng.normal(0, 0.1, 11), 4)
        closed, oracle = rng.random(44) < 0.3 + hard, rng.random(44) < 0.8 + hard
        found = np.repeat(rng.random(11) < 0.6, 4)
        gap = gap_recovered(closed, np.where(found, oracle, closed), oracle, groups)
        if gap.interval is not None:
            known += 1
            covered += gap.interval.low <= 0.6 <= gap.interval.high
    assert known > 390
    assert 0.92 < covered / known < 0.98


def test_a_run_s_ladder_is_in_its_summary_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    suite = ladder_suite(tmp_path, model="tests.support.scripted_models:reader")
    assert main(["run", str(suite), "--out", str(out), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    ladder = Ladder.model_validate(summary["evaluations"][0]["ladders"][0])
    assert [step.rung for step in ladder.steps] == list(RUNGS)
    overall = {gap.system: gap.recovered for gap in ladder.gaps if not gap.tag}
    # closed book is right on the one item that needs no passage; of the other 18, 12 passages are found
    assert overall["rag"] == pytest.approx(12 / 18, abs=1e-6)
    assert overall["shuffled"] == 0
    said = " ".join(summary["conclusion"])
    assert "Against the own passage in the prompt (oracle): rag −31.6 percentage points" in said
    assert "Of what the own passage adds to none (95% intervals), rag recovers 66.7%" in said
    assert "(the passage was not found; with it the reader is right): 6 of 6 wrong answers of rag." in said
    for form in ("md", "html"):
        assert main(["report", str(out), "--format", form]) == 0
        text = capsys.readouterr().out
        for part in ("Retrieval ladder", "Gap recovered", "retrieval miss", "Recall@1", "section:독서", "negative"):
            assert part in text


def test_no_gap_is_said_without_a_figure(tmp_path: Path) -> None:
    items = [exam_item(number) for number in range(1, 21)]

    def respond(item: Item) -> Any:
        return answer(item, "s", right_where(item, int(item.id[-2:]) % 2 == 0))

    descriptions = {
        "closed": described("kice-closed-book"),
        "rag": described("kice-rag", retriever={"name": "bm25", "k": 2}),
        "own": described("kice-prompt"),
    }
    run = write_run(
        tmp_path / "run", [("kice", items, dict.fromkeys(descriptions, respond))], descriptions=descriptions
    )
    said = " ".join(summarize(run).conclusion)
    assert "own is not right more often than closed: there is no gap that retrieval could recover." in said
    assert "recovers" not in said


def test_the_suite_that_ships_stands_on_every_rung() -> None:
    (evaluation,) = load_suite("ladder").evaluations
    described_systems = {
        system.name: described(str(system.chain), retriever={"k": system.k} if system.retriever else None)
        for system in evaluation.systems
    }
    assert {rung_of(description) for description in described_systems.values()} == set(RUNGS)
    assert [system.k for system in evaluation.systems if system.retriever] == [1, 2, 4, 8]
    assert len({system.model for system in evaluation.systems}) == 1


def test_what_the_tables_carry_has_its_korean() -> None:
    say = language("ko")
    for text in (*SHOWN.values(), *(text for cause in CAUSES for text in (cause.name, cause.meaning))):
        assert say(text) != text


def test_the_ladder_is_said_in_korean(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert (
        main(["run", str(ladder_suite(tmp_path, model="tests.support.scripted_models:third")), "--out", str(out)]) == 0
    )
    (evaluation,) = summarize(out).evaluations
    english = [ladder_sentences(evaluation, ENGLISH), ladder_tables(evaluation)]
    korean = [ladder_sentences(evaluation, language("ko")), ladder_tables(evaluation, language("ko"))]
    assert list(map(len, english)) == list(map(len, korean))
    assert "검색 증강(RAG)인가, 프롬프트" in str(korean) and "beyond" not in str(korean)
