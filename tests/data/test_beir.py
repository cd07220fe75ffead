"""Retrieval sets in BEIR's layout are read as they are published, and measured by `eval retrieval`."""

import json
from pathlib import Path
from typing import Any

import pytest

from data.common.errors import ConfigurationError, MissingResourceError
from data.registry import retrieval_set
from eval.cli.parser import main

CORPUS = [
    {"_id": "p1", "title": "등대", "text": "밤바다를 비춘다."},
    {"_id": "p2", "title": "", "text": "학교에서는 국어를 배운다."},
    {"_id": "p3", "text": "물가가 오르면 금리도 오른다.", "metadata": {"url": "…"}},
]
QUERIES = [
    {"_id": "q1", "text": "밤에 등대가 비추는 것은?"},
    {"_id": "q2", "text": "국어는 어디서 배우는가?"},
    {"_id": "train1", "text": "평가하지 않는 질문"},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\tp1\t2\nq1\tp2\t0\nq2\tp2\t1\nq2\tp3\t1\n"


def beir(folder: Path, *, corpus: Any = CORPUS, queries: Any = QUERIES, **qrels: str) -> Path:
    (folder / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", corpus), ("queries", queries)):
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for split, text in (qrels or {"test": QRELS}).items():
        (folder / "qrels" / f"{split}.tsv").write_text(text, encoding="utf-8")
    return folder


def test_the_test_split_is_read(tmp_path: Path) -> None:
    train = "query-id\tcorpus-id\tscore\ntrain1\tp1\t1\n"
    loaded = retrieval_set("jsonl", beir(tmp_path / "ko-set", test=QRELS, train=train))
    assert loaded.name == "ko-set"
    assert {query.id: set(query.relevant) for query in loaded.queries} == {"q1": {"p1"}, "q2": {"p2", "p3"}}
    assert [passage.text for passage in loaded.passages][:2] == ["등대\n밤바다를 비춘다.", "학교에서는 국어를 배운다."]
    only = retrieval_set("jsonl", beir(tmp_path / "train-only", train=train))
    assert [query.id for query in only.queries] == ["train1"]


def test_it_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "cache"))
    command = ["retrieval", "jsonl", "--data", str(beir(tmp_path / "set")), "--retriever", "bm25", "bm25+mmr", "--json"]
    assert main(command) == 0
    scores, diverse = json.loads(capsys.readouterr().out)["retrievers"]
    assert (scores["n_queries"], scores["n_passages"], scores["mrr_at_k"]) == (2, 3, 1.0)
    assert scores["recall_at_k"] == diverse["recall_at_k"] == 0.75  # p3 shares no word with its query


@pytest.mark.parametrize(
    ("changed", "fault", "message"),
    [
        (
            {"test": "query-id\tcorpus-id\tscore\nq1\tp9\t1\n"},
            ConfigurationError,
            "test.tsv: every judgement names an unknown query or passage, first line 2: unknown passage 'p9'",
        ),
        ({"test": "query-id\tcorpus-id\tscore\nq1\tp1\t0\n"}, ConfigurationError, "no row has a score above 0"),
        ({"test": "query-id\tcorpus-id\tscore\nq1\tp1\tx\n"}, ConfigurationError, "line 2: score 'x' is no number"),
        ({"test": "q1\t0\tp1\t1\nq2\t0\tp2\t1\n"}, ConfigurationError, "lacks query-id"),
        ({"a": QRELS, "b": QRELS}, ConfigurationError, "holds a, b and no test or dev"),
        ({"corpus": [CORPUS[0], CORPUS[0]]}, ConfigurationError, "corpus.jsonl, line 2: id 'p1' is repeated"),
        ({"corpus": [{"id": "p1", "text": "?"}]}, ConfigurationError, "line 1: lacks _id; it has id, text"),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, Any], fault: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(fault) as raised:
        retrieval_set("jsonl", beir(tmp_path / "set", **changed))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_judgements_of_what_is_not_in_the_set_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["q1\tp1\t1", "q1\tp9\t1", "q9\tp1\t1", "q2\tp8\t1", "q2\tp7\t0"]
    folder = beir(tmp_path / "set", test="query-id\tcorpus-id\tscore\n" + "\n".join(rows) + "\n")
    loaded = retrieval_set("jsonl", folder)
    assert {query.id: set(query.relevant) for query in loaded.queries} == {"q1": {"p1"}}
    said = "left out 3 of 4 judgements of what is not in the set (first line 3: unknown passage 'p9')"
    assert capsys.readouterr().err == f"{folder}/qrels/test.tsv: {said}, and 1 query that had no other\n"
    retrieval_set("jsonl", beir(tmp_path / "whole"))
    assert capsys.readouterr().err == ""


def test_a_query_s_own_passage_is_no_hit_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "cache"))
    texts = {"a": "등대는 밤바다를 비춘다.", "b": "등대는 바다를 비추지 않는다.", "c": "물가가 오른다."}
    rows = [{"_id": name, "text": text} for name, text in texts.items()]
    qrels = "query-id\tcorpus-id\tscore\na\tb\t1\nb\ta\t1\n"
    command = ["retrieval", "jsonl", "--data", str(beir(tmp_path / "set", corpus=rows, queries=rows, test=qrels))]
    command += ["--retriever", "bm25", "-k", "1"]
    assert main([*command, "--json"]) == 0
    (scores,) = json.loads(capsys.readouterr().out)["retrievers"]
    assert (scores["recall_at_1"], scores["own_hits"], scores["n_queries"]) == (1.0, 2, 2)
    assert main(command) == 0
    table = capsys.readouterr().out
    assert "the passage with the query's own id is left out, as in BEIR" in table
    assert "bm25, whole passages: 2 of 2." in table


@pytest.mark.parametrize("missing", ["queries.jsonl", "qrels/test.tsv"])
def test_a_missing_file_is_named(missing: str, tmp_path: Path) -> None:
    folder = beir(tmp_path / "set")
    (folder / missing).unlink()
    with pytest.raises(MissingResourceError, match=r"queries\.jsonl|no \.tsv in"):
        retrieval_set("jsonl", folder)
