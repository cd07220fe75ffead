"""A file or folder of another format gets a message about itself, not about the first thing in it that does not fit."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from data.__main__ import main
from data.common.errors import ConfigurationError, MissingResourceError, ProjectError
from data.formats import described
from data.registry import load_items, retrieval_set

PAIR = {"premise": "a", "hypothesis": "b", "label": 0}
SQUAD = {"version": "1", "data": [{"paragraphs": []}]}
PARAGRAPH = {"id": "1", "paragraph": "x", "problems": []}


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("pairs.jsonl", f"{json.dumps(PAIR)}\n{json.dumps(PAIR)}\n", "JSON Lines of NLI pairs"),
        ("pairs.json", [PAIR] * 1000, "a JSON list of NLI pairs"),
        ("glue.tsv", "index\tsentence1\tsentence2\tgold_label\n", "tab-separated values of NLI pairs"),
        ("x.csv", "id,output\n1,2\n", "comma-separated values of recorded replies"),
        (
            "corpus.jsonl",
            '{"_id": "1", "title": "", "text": "x"}\n{',
            "JSON Lines of passages or queries in BEIR's layout",
        ),
        ("records.jsonl", '{"item": {}, "system": "a"}\n' * 2, "JSON Lines of a run's records"),
        ("exam.jsonl", json.dumps(PARAGRAPH) + "\n" + json.dumps(PARAGRAPH), "JSON Lines of an exam's paragraphs"),
        ("squad.json", SQUAD, "in SQuAD's format, as KorQuAD is"),
        ("wrapped.json", {"exam": [], "year": 1}, "a JSON object with the names exam, year"),
        ("wrapped.json", json.dumps({"exam": [], "year": 1}, indent=1), "a JSON object with the names exam, year"),
        ("suite.yaml", "name: x\nevaluations: []\n", "YAML"),
        ("page.json", "<!DOCTYPE html>\n<html>404", "an HTML page"),
        ("notes.txt", "오늘의 메모, 하나", "text and no JSON"),
        ("exam.json", "", "empty"),
        ("exam.json", b"PK\x03\x04\xff", "a ZIP archive or an Office document"),
        ("exam.json.gz", gzip.compress(b"[]", mtime=0), "a gzip archive"),
        ("exam.pdf", b"%PDF-1.7\n\xe2\xe3", "a PDF"),
        ("exam.json", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer and not the file itself"),
    ],
)
def test_check_says_what_a_file_of_another_format_is(
    tmp_path: Path, name: str, content: Any, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert described(path) == kind or kind.startswith("a JSON list")
    assert main(["check", str(path)]) == 2
    if "NLI pairs" not in kind:  # which are labelled rows, and are checked as such
        (line,) = capsys.readouterr().out.splitlines()
        assert kind in line
        assert "list of paragraphs" in line
    with pytest.raises(ConfigurationError) as caught:
        load_items("kice", path=path)
    assert kind in str(caught.value)


def beir(folder: Path) -> Path:
    for name in ("corpus.jsonl", "queries.jsonl"):
        (folder / name).write_text('{"_id": "1", "text": "x"}\n')
    return folder


def test_a_folder_of_another_kind_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(beir(tmp_path))]) == 3
    said = "is a retrieval set in BEIR's layout; an exam is JSON, a list of paragraphs with their problems"
    assert capsys.readouterr().err == f"error: {tmp_path} {said}\n"
    for read in (lambda: load_items("kice", path=tmp_path), lambda: retrieval_set("kice", tmp_path)):
        with pytest.raises(ConfigurationError, match="is a retrieval set in BEIR's layout, and no folder of exams"):
            read()
    run = tmp_path / "run"
    run.mkdir()
    (run / "manifest.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="is a run's folder, and no folder of exams"):
        retrieval_set("kice", run)
    with pytest.raises(ProjectError, match=r"a retrieval set is .*, and .*run is a run's folder"):
        retrieval_set("jsonl", run)


def test_other_readers_name_what_they_were_given(tmp_path: Path) -> None:
    exam = tmp_path / "exam.json"
    exam.write_text(json.dumps([PARAGRAPH]))
    with pytest.raises(ConfigurationError, match=r"row 1: lacks label .*\(the rows are an exam's paragraphs\)"):
        load_items("mnli", path=exam)
    with pytest.raises(ConfigurationError, match=r"SQuAD 1.1 format.*\(a JSON list of an exam's paragraphs\)"):
        retrieval_set("korquad", exam)
    with pytest.raises(
        ConfigurationError, match=r"exam.json is a JSON list of an exam's paragraphs; a retrieval set is a"
    ):
        retrieval_set("jsonl", exam)


BINARY = {
    b"PK\x03\x04\x14\x00\x00\x00\x08\x00\xb5\x5a": "a ZIP archive or an Office document",
    gzip.compress(b"x", mtime=0): "a gzip archive",
    b"\x89PNG\r\n\x1a\n": "a PNG image",
    "premise\t가".encode("utf-16"): "text in UTF-16, expected UTF-8",
    b"\x00\x01\xff\x00": "a binary file and no text",
}


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".tsv"])
@pytest.mark.parametrize("start", BINARY)
def test_a_binary_file_is_named_whatever_it_is_called(tmp_path: Path, start: bytes, suffix: str) -> None:
    path = tmp_path / f"pairs{suffix}"
    path.write_bytes(start)
    for read in (lambda: load_items("mnli", path=path), lambda: load_items("kice", path=path)):
        with pytest.raises(ConfigurationError, match=f"is {BINARY[start]}"):
            read()


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("x.jsonl", '{"id": "a", "output": "b"}\n' * 2, "JSON Lines of recorded replies"),
        ("x.json", json.dumps([PARAGRAPH]), "a JSON list of an exam's paragraphs"),
        ("x.json", json.dumps(SQUAD), "in SQuAD's format, as KorQuAD is"),
        ("x.jsonl", "<html>\n<body>", "an HTML page"),
        ("x.tsv", "premise,hypothesis,label\na,b,0\n", "comma-separated values of NLI pairs"),
    ],
)
def test_a_file_of_another_format_is_offered_no_rows_to_skip(tmp_path: Path, name: str, text: str, kind: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    for skip_bad_rows in (False, True):
        with pytest.raises(ConfigurationError, match=f"; the file is {kind}$") as caught:
            load_items("mnli", path=path, skip_bad_rows=skip_bad_rows)
        assert "--skip-bad-rows" not in str(caught.value)


def test_a_folder_without_the_exam_is_what_the_message_is_about(tmp_path: Path) -> None:
    with pytest.raises(
        MissingResourceError, match=rf"the folder {tmp_path} has no exam of 2023 .*; it holds nothing; run"
    ):
        load_items("kice", path=tmp_path)
    for number in range(9):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(
        MissingResourceError, match=r"it holds 0.txt, 1.txt, .*5.txt and 3 more; run: python -m data fetch"
    ):
        load_items("kice", path=tmp_path)
    with pytest.raises(MissingResourceError, match=r"there is no exam in .*; it holds 0.txt"):
        retrieval_set("kice", tmp_path)
