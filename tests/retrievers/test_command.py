"""`python -m retrievers`: what is printed where, with which exit code, and what of a hit is shown."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data.common.errors import ConfigurationError
from retrievers import commands, korean
from retrievers.__main__ import main
from retrievers.snippets import LENGTH, Snippet, highlighted, one_line, snippets
from retrievers.sources import read_passages
from tests.support.counted_kiwi import Counted
from tests.support.folders import ROOT

SAMPLE = ROOT / "data" / "samples" / "kice_sample.json"
TEXTS = {"school": "학생들은 학교에서 국어를 공부하였다.", "sea": "등대는 밤새 바다를 비추었다. 바다는 넓다."}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_passages(path: Path, texts: dict[str, str]) -> Path:
    rows = [json.dumps({"id": name, "text": text}, ensure_ascii=False) for name, text in texts.items()]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


@pytest.fixture
def passages(tmp_path: Path) -> Path:
    return write_passages(tmp_path / "passages.jsonl", TEXTS)


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_index_then_search(passages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "index", passages, "--out", tmp_path / "ix")
    assert (code, out) == (0, f"{tmp_path / 'ix'}\n")
    assert err.startswith("2 chunks indexed in ")
    passages.unlink()
    code, out, err = said(capsys, "search", tmp_path / "ix", "바다가 보이는 등대", "-k", "1")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split()[0::2] == ["1", "sea#0"]
    assert out.splitlines()[1:] == [f"    {TEXTS['sea']}"]  # and no terminal's codes where there is no terminal


def test_a_path_is_searched_as_its_index_is(passages: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, folder, _ = said(capsys, "index", passages)
    assert Path(folder.strip()).is_relative_to(cache)
    found = [said(capsys, "search", place, "바다")[1] for place in (folder.strip(), passages)]
    assert found[0] == found[1] != ""
    assert len(list((cache / "indexes").iterdir())) == 1


def test_an_index_is_brought_up_to_date(
    passages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "index", passages, "--out", tmp_path / "ix")
    analysed: list[str] = []
    find = commands.sentence_spans
    monkeypatch.setattr(commands, "sentence_spans", lambda texts: analysed.extend(texts) or find(texts))
    write_passages(passages, {**TEXTS, "cat": "고양이가 잔다."})
    assert said(capsys, "index", passages, "--out", tmp_path / "ix")[2].startswith("3 chunks")
    assert analysed == ["고양이가 잔다."]
    assert "cat#0" in said(capsys, "search", tmp_path / "ix", "고양이")[1]
    assert len(list((tmp_path / "ix").glob("bm25-*"))) == len(list((tmp_path / "ix").glob("documents-*"))) == 1


@pytest.fixture
def analysed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that went through Kiwi, for whatever."""
    seen: list[str] = []
    load = korean._load_kiwi
    monkeypatch.setattr(korean, "_load_kiwi", lambda words: Counted(load(words), seen))
    return seen


@pytest.mark.parametrize("name", ["hybrid", "hybrid-rrf", "hybrid+neighbours", "bm25+mmr"])
def test_a_search_in_an_index_analyses_its_query_alone(
    name: str, passages: Path, tmp_path: Path, analysed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    toy = ["--embeddings", "tests.support.toy_embeddings:LetterEmbeddings"] if name.startswith("hybrid") else []
    write_passages(passages, {**TEXTS, "long": "등대는 밤새 바다를 비추었다. 바다는 넓다. " * 10})
    kept = said(capsys, "index", passages, "--out", tmp_path / "ix", "--retriever", name, *toy)[0]
    assert (kept, bool(analysed)) == (0, True)
    analysed.clear()
    code, out, _ = said(capsys, "search", tmp_path / "ix", "바다와 등대", "--retriever", name, *toy, "--json")
    found = {hit["text"] for hit in json.loads(out)["hits"]}
    assert (code, bool(found)) == (0, True)
    likened = found | {text for hit in found for text in hit.split("\n")} if name == "bm25+mmr" else set()
    assert set(analysed) <= {"바다와 등대"} | likened


def test_an_index_keeps_its_user_words(passages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_passages(passages, {"one": "밤편지를 읽었다.", "two": "밤에 편지를 읽었다."})
    (tmp_path / "words.txt").write_text("밤편지\n", encoding="utf-8")
    (tmp_path / "other.txt").write_text("편지지\n", encoding="utf-8")
    words = ["--user-words", tmp_path / "words.txt"]

    def found(*arguments: str | Path) -> list[str]:
        code, out, err = said(capsys, "search", *arguments, "밤편지", "--json")
        assert (code, err.partition(" in ")[0]) in [(0, ""), (0, "nothing found")]
        return [hit["passage_id"] for hit in json.loads(out)["hits"]]

    said(capsys, "index", passages, "--out", tmp_path / "ix", *words)
    assert found(tmp_path / "ix") == found(tmp_path / "ix", *words) == found(passages, *words) == ["one"]
    assert found(passages) == ["one", "two"]
    assert len(list((tmp_path / "ix").glob("bm25-*"))) == 1
    code, _, err = said(capsys, "search", tmp_path / "ix", "밤편지", "--user-words", tmp_path / "other.txt")
    assert (code, "was indexed with other user words" in err, err.count("\n")) == (2, True, 1)
    assert said(capsys, "index", passages, "--user-words", tmp_path / "nowhere")[0] == 3


def test_json_is_one_object(passages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = json.loads(said(capsys, "index", passages, "--out", tmp_path / "ix", "--json")[1])
    assert made == {"index": str(tmp_path / "ix"), "chunks": 2, "retriever": "bm25"}
    found = json.loads(said(capsys, "search", tmp_path / "ix", "학교", "--json")[1])
    assert found["query"] == "학교"
    (hit,) = found["hits"]
    assert (hit["id"], hit["passage_id"], hit["text"]) == ("school#0", "school", TEXTS["school"])
    assert hit["score"] > 0
    assert json.loads(said(capsys, "search", tmp_path / "ix", "고양이", "--json")[1])["hits"] == []


def test_nothing_found_is_said_and_no_error(passages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "search", passages, "고양이") == (0, "", "nothing found in 2 chunks\n")


@pytest.mark.parametrize("name", ["dense", "hybrid", "hybrid+rerank=tests.support.toy_cross_encoder:SharedLetters+mmr"])
def test_other_retrievers_search_the_same_chunks(
    name: str, passages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toy = ["--retriever", name, "--embeddings", "tests.support.toy_embeddings:LetterEmbeddings"]
    assert said(capsys, "index", passages, "--out", tmp_path / "ix", *toy)[0] == 0
    code, out, _ = said(capsys, "search", tmp_path / "ix", "바다와 등대", *toy)
    assert code == 0
    assert "sea#0" in out and "school#0" in out


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["search", "nowhere", "바다"], 3, "there is no nowhere; name a .jsonl"),
        (["index", "nowhere.jsonl"], 3, "there is no nowhere.jsonl"),
        (["index", "empty"], 3, "the folder empty holds nothing to index"),
        (["index", "blank.jsonl"], 2, "the corpus is empty"),
        (["index", "none.jsonl"], 2, "none.jsonl: is empty"),
        (["index", "twice.jsonl"], 2, "twice.jsonl, line 2: id 'a' is repeated"),
        (["index", "passages.csv"], 2, "passages.csv: cannot read '.csv' files"),
        (["index", "passages.jsonl", "--out", "empty/.."], 2, "'empty/..' exists and is no index"),
        (["index", "passages.jsonl", "--out", "passages.csv"], 2, "'passages.csv' exists and is no index"),
        (["index", "passages.jsonl", "--retriever", "bm52"], 2, "unknown retriever 'bm52'. Did you mean 'bm25'?"),
        (["search", "passages.jsonl", "바다", "--retriever", "bm25+rernk"], 2, "unknown retriever step 'rernk'"),
        (["search", "passages.jsonl", "바다", "-k", "0"], 2, "k is 0"),
        (["search", "passages.jsonl", " "], 2, "the query is empty"),
        (["search", "passages.jsonl", "바다", "--embeddings", "e5-small"], 2, "retriever 'bm25' uses no embeddings"),
    ],
)
def test_an_error_is_one_line(
    arguments: list[str],
    code: int,
    error: str,
    tmp_path: Path,
    passages: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "passages.csv").write_text("")
    (tmp_path / "none.jsonl").write_text("")
    write_passages(tmp_path / "blank.jsonl", {"a": " \n"})
    (tmp_path / "twice.jsonl").write_text('{"id": "a", "text": "b"}\n{"id": "a", "text": "c"}\n')
    got, out, err = said(capsys, *arguments)
    assert (got, out) == (code, "")
    assert err.startswith(f"error: {error}")
    assert err.count("\n") == 1


def test_debug_shows_the_traceback(passages: Path) -> None:
    with pytest.raises(ConfigurationError):
        main(["search", str(passages), " ", "--debug"])


def test_an_interruption_exits_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "index", interrupted)
    assert main(["index", "x"]) == 130


def test_help_needs_nothing_heavy() -> None:
    program = (
        "import sys; from retrievers.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: sys.exit(sorted({'numpy', 'pydantic', 'langchain_core', 'torch'} & set(sys.modules)) or 0)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert shown.returncode == 0, shown.stderr
    assert "search passages.jsonl" in shown.stdout


def test_the_module_runs_as_a_command() -> None:
    command = [sys.executable, "-m", "retrievers", "search", "nowhere", "바다"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (shown.returncode, shown.stdout) == (3, "")
    assert shown.stderr.startswith("error: there is no nowhere;")


def test_a_terminal_gets_bold_words(
    passages: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "밤새 \x1b[1m바다\x1b[0m를 비추었다" in said(capsys, "search", passages, "바다가")[1]


def test_passages_come_from_many_kinds_of_path(tmp_path: Path, passages: Path) -> None:
    folder = tmp_path / "texts"
    (folder / "poems").mkdir(parents=True)
    (folder / "poems" / "one.txt").write_text("산에는 꽃 피네", encoding="utf-8")
    assert [passage.id for passage in read_passages(folder)] == ["poems/one"]
    (folder / "b.txt").write_text("\ufeff둘", encoding="utf-8")
    (folder / "a.txt").write_text("하나", encoding="utf-8")
    assert [(passage.id, passage.text) for passage in read_passages(folder)] == [
        ("a", "하나"),
        ("b", "둘"),
        ("poems/one", "산에는 꽃 피네"),
    ]
    assert [passage.id for passage in read_passages(folder / "a.txt")] == ["a"]
    assert [passage.id for passage in read_passages(passages)] == list(TEXTS)
    assert [passage.id for passage in read_passages(passages.parent)] == list(TEXTS)  # a retrieval set's folder
    (tmp_path / "exams").mkdir()
    shutil.copy(SAMPLE, tmp_path / "exams")
    assert read_passages(SAMPLE) == read_passages(tmp_path / "exams")
    assert all(passage.id.startswith("kice/sample/") for passage in read_passages(SAMPLE))
    with pytest.raises(ConfigurationError, match=r"holds texts .* and \.json files"):
        read_passages(SAMPLE.parent)
    squad = {"data": [{"paragraphs": [{"context": "바다", "qas": [{"id": "1", "question": "무엇?"}]}]}]}
    (tmp_path / "korquad.json").write_text(json.dumps(squad), encoding="utf-8")
    assert [passage.text for passage in read_passages(tmp_path / "korquad.json")] == ["바다"]
    (folder / "a.txt").write_bytes(b"\xff\xff\x80")
    with pytest.raises(ConfigurationError, match=r"a\.txt is neither UTF-8 nor cp949 text"):
        read_passages(folder)


def marked(query: str, text: str) -> list[str]:
    (snippet,) = snippets(query, [text])
    return [snippet.text[start:end] for start, end in snippet.marks]


@pytest.mark.parametrize(
    ("query", "text", "words"),
    [
        ("학교를", "학교에서 국어를 배우는 학교", ["학교", "학교"]),
        ("먹었다", "먹구름이 낀 날 밥을 먹는다", ["먹"]),
        ("MODEL", "The Model reads models.", ["Model"]),
        ("바다 등대", "바다의 등대", ["바다", "등대"]),
        ("고양이", "바다의 등대", []),
        ("바다", "", []),
    ],
)
def test_words_are_marked_by_morpheme(query: str, text: str, words: list[str]) -> None:
    assert marked(query, text) == words


def test_a_snippet_is_where_the_query_s_words_are() -> None:
    text = "가나다라 마바사. " * 60 + "밤새 등대가 바다를 비추었다. " + "아자차카 타파하. " * 60
    (snippet,) = snippets("바다의 등대", [text])
    assert len(snippet.text) <= LENGTH + 2
    assert snippet.text.startswith("…") and snippet.text.endswith("…")
    assert [snippet.text[start:end] for start, end in snippet.marks] == ["등대", "바다"]
    (start_of_text,) = snippets("고양이", [text])
    assert start_of_text.text.startswith("가나다라") and start_of_text.marks == ()


def test_text_cannot_steer_the_terminal() -> None:
    assert one_line("a\x1b[31mb\r\nc\x00\u202ed\u2028e\x9bf\ud800") == "a [31mb c d e f"
    (snippet,) = snippets("바다", ["\x1b]0;title\x07바다\x1b[2J"])
    assert highlighted(snippet, bold=False).isprintable()
    assert highlighted(Snippet("가 바다 나", ((2, 4),)), bold=True) == "가 \x1b[1m바다\x1b[0m 나"
