"""Retrieval sets: KorQuAD's format, a user's own three files, and what is said of faulty ones."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from data.common.errors import ConfigurationError, MissingResourceError
from data.registry import RETRIEVAL_SETS, retrieval_set
from data.retrieval_sets import Query, RetrievalSet
from data.types import Passage


def squad(*paragraphs: tuple[str, list[str]]) -> dict[str, Any]:
    listed = [
        {"context": context, "qas": [{"id": name, "question": f"{name}?", "answers": []} for name in names]}
        for context, names in paragraphs
    ]
    return {"version": "test", "data": [{"title": "t", "paragraphs": listed}]}


def test_identical_paragraphs_are_one_passage(tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    path.write_text(json.dumps(squad(("가", ["1"]), ("나", ["2", "3"]), ("가", ["4"]), ("다", []))), encoding="utf-8")
    loaded = retrieval_set("korquad", path)
    assert loaded.passages == tuple(Passage(id=f"p000{n}", text=text) for n, text in enumerate("가나다"))
    assert [(query.id, *query.relevant) for query in loaded.queries] == [
        ("1", "p0000"),
        ("2", "p0001"),
        ("3", "p0001"),
        ("4", "p0000"),
    ]
    assert loaded.queries[0].text == "1?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ('{"data": [{"paragraphs": [{"context": "x"}]}]}', r"not in the SQuAD 1.1 format.*'qas'"),
        ("[]", "not in the SQuAD 1.1 format"),
        ('{"data": []}', "holds no questions"),
        (json.dumps(squad(("a", ["1"]), ("b", ["1"]))), "question id '1' occurs more than once"),
    ],
)
def test_a_faulty_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "set.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        retrieval_set("korquad", path)


@pytest.mark.parametrize("path", [None, Path("nowhere.json")])
def test_a_missing_file_says_where_to_get_it(path: Path | None) -> None:
    with pytest.raises(MissingResourceError, match=r"KorQuAD_v1.0_dev.json .*--data FILE"):
        retrieval_set("korquad", path)


OWN_SET = {
    "queries": [{"id": "q1", "text": "where?"}, {"id": "q2", "text": "when?"}],
    "passages": [{"id": "a", "text": "here"}, {"id": "b", "text": "now"}],
    "qrels": [
        {"query": "q1", "passage": "a"},
        {"query": "q2", "passage": "a"},
        {"query": "q2", "passage": "b"},
    ],
}


def write_set(folder: Path, content: dict[str, list[dict[str, Any]]]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in content.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_a_folder_of_three_files_is_a_retrieval_set(tmp_path: Path) -> None:
    loaded = retrieval_set("jsonl", write_set(tmp_path / "mine", OWN_SET))
    assert loaded.name == "mine"
    assert [query.relevant for query in loaded.queries] == [{"a"}, {"a", "b"}]
    assert [passage.text for passage in loaded.passages] == ["here", "now"]


@pytest.mark.parametrize(
    ("file", "rows", "message"),
    [
        ("qrels", [{"query": "q3", "passage": "a"}], r"qrels.jsonl, line 1: unknown query 'q3'"),
        ("qrels", [{"query": "q1", "passage": "z"}], r"qrels.jsonl, line 1: unknown passage 'z'"),
        ("qrels", [{"query": "q1", "passage": "a"}], r"no relevant passage for query 'q2'"),
        ("queries", [{"id": "q1", "text": "x"}, {"id": "q1", "text": "y"}], r"line 2: id 'q1' is repeated"),
        ("queries", [{"text": "x"}], r"queries.jsonl, line 1: lacks id; it has text"),
        ("passages", [{"id": 7, "text": "x"}], r"passages.jsonl, line 1: id is 7, expected text"),
        ("passages", [], r"passages.jsonl: is empty"),
    ],
)
def test_a_faulty_set_names_the_file_and_the_line(
    tmp_path: Path, file: str, rows: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        retrieval_set("jsonl", write_set(tmp_path / "mine", {**OWN_SET, file: rows}))


def test_a_set_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="needs --data FOLDER"):
        retrieval_set("jsonl")
    with pytest.raises(MissingResourceError, match=r"there is no .*queries.jsonl"):
        retrieval_set("jsonl", tmp_path)


def test_unknown_sets_name_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown retrieval set 'korqad'. Did you mean 'korquad'"):
        retrieval_set("korqad")
    with pytest.raises(ConfigurationError, match=r"retrieval set 'data.kice:nothing' cannot be loaded"):
        retrieval_set("data.kice:nothing")
    assert retrieval_set.__doc__
    assert set(RETRIEVAL_SETS) == {"jsonl", "kice", "kice-question", "korquad"}


def test_a_set_whose_ids_do_not_agree_cannot_be_made() -> None:
    passages = (Passage(id="a", text="x"),)
    with pytest.raises(ValidationError, match="unknown passage 'z'"):
        RetrievalSet(name="s", queries=(Query(id="q", text="?", relevant=frozenset({"z"})),), passages=passages)
    with pytest.raises(ValidationError, match="passage id 'a' occurs more than once"):
        RetrievalSet(name="s", queries=(Query(id="q", text="?", relevant=frozenset({"a"})),), passages=passages * 2)


@pytest.mark.shared_data
def test_the_real_dev_set(shared_data: Path) -> None:
    loaded = retrieval_set("korquad", shared_data / "korquad" / "KorQuAD_v1.0_dev.json")
    assert (len(loaded.queries), len(loaded.passages)) == (5774, 961)
