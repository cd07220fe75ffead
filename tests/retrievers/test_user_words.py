"""A user's own words: read from a file or a list, known to BM25 and the snippets, and part of what an index is."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document

from data.common.errors import ConfigurationError, MissingResourceError
from data.types import Passage
from eval.cli.parser import main
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest
from retrievers import Bm25Retriever, build_retriever
from retrievers.disk_cache import AnalysisCache
from retrievers.korean import UserWord, analysis_identity, content_tokens, user_words, words_sha256
from retrievers.snippets import snippets
from tests.support.exam_file import exam, write_exam
from tests.support.folders import ROOT

WORDS = (UserWord("국어 영역", "NNG", 0.0), UserWord("밤편지", "NNP", 0.0))
FILE = "\ufeff# 우리 낱말\n밤편지\n\n국어   영역\tNNG\n밤편지\tNNP\t0  # 다시\n"
TEXTS = ["밤편지를 읽었다.", "밤에 편지를 읽었다.", "국어 영역을 풀었다."]
DOCUMENTS = [Document(id=str(row), page_content=text) for row, text in enumerate(TEXTS)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "cache"))


def test_words_come_from_a_file_or_a_list(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text(FILE, encoding="utf-8")
    assert user_words(path) == user_words(str(path)) == WORDS
    assert user_words(["밤편지", "국어 영역\tNNG"]) == user_words(reversed(WORDS)) == user_words(WORDS) == WORDS
    assert user_words(None) == user_words([]) == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["밤편지", "\tNNP"], "user words, line 2: .* is no WORD, TAG and SCORE"),
        (["밤편지\tNNX"], "line 1: '밤편지 NNX' is no WORD.* with a tag of NNP, NNG"),
        (["밤편지\tNNP\t1\t2"], "is no WORD, TAG and SCORE"),
        (["밤편지\tNNP\tx"], "score 'x' is no number"),
        (["밤편지\tNNP\tnan"], "score 'nan' is no number"),
        (["밤편지", "밤편지\tNNP\t2"], "line 2: '밤편지' has another score above"),
    ],
)
def test_a_malformed_line_is_named(given: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=message):
        user_words(given)
    path = tmp_path / "words.txt"
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"words\.txt: not UTF-8"):
        user_words(path)
    with pytest.raises(MissingResourceError, match="cannot read the user words"):
        user_words(tmp_path / "nowhere")


def test_a_word_of_the_user_is_one_morpheme_and_only_for_who_asked() -> None:
    assert content_tokens(TEXTS, user_words=WORDS) == [["밤편지", "읽"], ["밤", "편지", "읽"], ["국어 영역", "풀"]]
    assert content_tokens(TEXTS) == [["밤", "편지", "읽"], ["밤", "편지", "읽"], ["국어", "영역", "풀"]]


def test_bm25_finds_by_it_and_the_snippet_marks_it() -> None:
    known = Bm25Retriever(documents=DOCUMENTS, user_words=WORDS)
    assert [hit.id for hit in known.invoke("밤편지")] == ["0"]
    assert [hit.id for hit in Bm25Retriever(documents=DOCUMENTS).invoke("밤편지")] == ["0", "1"]
    (snippet,) = snippets("밤편지", ["그 밤편지와 밤"], user_words=WORDS)
    assert [snippet.text[start:end] for start, end in snippet.marks] == ["밤편지"]


def test_words_are_part_of_what_an_index_and_an_analysis_are(tmp_path: Path) -> None:
    assert len({analysis_identity(words) for words in ((), WORDS, WORDS[:1], (UserWord("밤편지", "NNP", 2.0),))}) == 4
    assert AnalysisCache().path != AnalysisCache(user_words=WORDS).path
    for words in ((), WORDS, (), WORDS[:1], WORDS):
        kept = Bm25Retriever(documents=DOCUMENTS, user_words=words, index_dir=tmp_path / "ix")
        found = kept.batch(["밤편지", "국어 영역"])
        assert found == Bm25Retriever(documents=DOCUMENTS, user_words=words).batch(["밤편지", "국어 영역"])
    assert len(list((tmp_path / "ix").glob("bm25-*"))) == 3


@pytest.mark.parametrize("name", ["bm25", "hybrid", "hybrid-rrf", "bm25+neighbours"])
def test_the_registry_hands_them_on(name: str) -> None:
    passages = [Passage(id=str(row), text=text) for row, text in enumerate(TEXTS)]
    embeddings = None if name.startswith("bm25") else "tests.support.toy_embeddings:LetterEmbeddings"
    made: Any = build_retriever(name, passages, embeddings=embeddings, user_words=["밤편지"])
    bm25 = made.parts[0] if name.startswith("hybrid") else getattr(made, "retriever", made)
    assert bm25.user_words == (UserWord("밤편지"),)


def test_a_retriever_without_words_refuses_them() -> None:
    passages = [Passage(id="1", text="바다")]
    with pytest.raises(ConfigurationError, match="retriever 'dense' uses no user words"):
        build_retriever(
            "dense", passages, embeddings="tests.support.toy_embeddings:LetterEmbeddings", user_words=["바다"]
        )


def words_file(folder: Path, text: str, name: str = "words.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def search_exam(folder: Path) -> Path:
    """An exam whose every question asks for a word that one passage has whole and another in pieces."""
    content = exam(len(TEXTS), 4)
    for row, text in enumerate(TEXTS):
        content[row]["paragraph"] = text
        for problem in content[row]["problems"]:
            problem |= {"question": "밤편지", "choices": ["밤편지", "갑", "을", "병", "정"]}
    return write_exam(folder, content)


RAG = ["--chain", "kice-rag", "--model", "tests.support.scripted_models:third", "--retriever", "bm25", "-k", "2"]


def test_a_chain_finds_by_them_and_other_words_are_another_system(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["run", "kice", "--data", str(search_exam(tmp_path)), *RAG]
    found, descriptions, hashes = {}, {}, []
    for name, text in {"none": None, "one": "밤편지", "same": "# 하나\n밤편지\tNNP\n", "two": FILE}.items():
        words = [] if text is None else ["--user-words", str(words_file(tmp_path, text, f"{name}.txt"))]
        assert main([*asked, *words, "--out", str(tmp_path / name)]) == 0
        ((system, description),) = read_manifest(tmp_path / name).systems.items()
        records = read_records(records_path(tmp_path / name, system))
        found[name] = {passage.id.rpartition("/")[2] for record in records for passage in record.passages}
        descriptions[name] = description.retriever.as_json()
        hashes.append(description.retriever.user_words_sha256)
    assert found["none"] > found["one"] == found["same"] and len(found["one"]) == 1
    assert hashes[0] is None and hashes[1] == hashes[2] and len({*hashes}) == 3
    assert descriptions["none"] == {"name": "bm25", "embeddings": None, "k": 2}
    assert "user_words" not in (tmp_path / "none" / "manifest.json").read_text(encoding="utf-8")
    words_file(tmp_path, FILE, "one.txt")  # the words change behind the run's back
    capsys.readouterr()
    again = [*asked, "--user-words", str(tmp_path / "one.txt"), "--resume", str(tmp_path / "one")]
    assert main(again) == 2
    assert "cannot be resumed: its systems differ" in capsys.readouterr().err


def test_a_suite_names_them_from_where_the_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exam_path = search_exam(tmp_path)
    (tmp_path / "suites").mkdir()
    suite = words_file(
        tmp_path / "suites",
        f"""
        name: mine
        evaluations:
          - benchmark: kice
            data: {exam_path.name}
            systems:
              - {{name: plain, chain: kice-rag, model: "tests.support.scripted_models:third", retriever: bm25}}
              - {{name: worded, chain: kice-rag, model: "tests.support.scripted_models:third", retriever: bm25,
                  user_words: words.txt}}
        """,
        "suite.yaml",
    )
    words_file(tmp_path, "밤편지")
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(suite), "--out", "out"]) == 0
    about = read_manifest(Path("out")).systems
    worded, plain = (about[name].as_json()["retriever"] for name in ("worded", "plain"))
    assert worded.pop("user_words_sha256") == words_sha256((UserWord("밤편지"),))
    assert worded == plain


@pytest.mark.parametrize(
    ("who", "message", "code"),
    [
        (["--chain", "kice-rag", "--retriever", "dense"], "retriever 'dense' uses no user words", 2),
        (["--chain", "kice-rag", "--retriever", "dense+mmr"], "retriever 'dense' uses no user words", 2),
        (["--chain", "kice-rag", "--retriever", "toy:own"], "retriever 'toy:own' uses no user words", 2),
        (["--chain", "kice-prompt"], "chain 'kice-prompt' takes no retriever to know words", 2),
        (["--baseline", "chance"], "user_words goes with a chain, not with a baseline", 2),
        (["--chain", "kice-rag", "--retriever", "bm25", "--user-words", "nowhere"], "cannot read the user words", 3),
    ],
)
def test_where_they_would_do_nothing_it_is_said_in_one_line(
    who: list[str], message: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", "tests.support.scripted_models:third"] if "--chain" in who else []
    words = ["--user-words", str(words_file(tmp_path, "밤편지"))]
    out = ["--out", str(tmp_path / "out")]
    assert main(["run", "kice", "--split", "sample", *model, *words, *who, *out]) == code
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()


def test_a_named_suite_takes_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "demo", "--user-words", "words.txt"]) == 2
    assert "--user-words goes with a benchmark; suite 'demo' says that itself" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("3,000원과 3000원, 1,234,567명", ["3000", "원", "3000", "원", "1234567", "명"]),
        ("물가가 3.5% 올랐다", ["물가", "3.5", "오르"]),
        ("良心은 타고난다", ["良心", "타고나"]),
        ("RNA와 Transformer의 GPT-4", ["rna", "transformer", "gpt", "4"]),
        ("그는 아주 빨리 달렸다", ["그", "아주", "빨리", "달리"]),
        ("Привет, ひらがな", ["привет", "ひらがな"]),
        ("ㄱ. ㉠의 의미", ["의미"]),
    ],
)
def test_content_numbers_hanja_and_other_letters_are_kept(text: str, tokens: list[str]) -> None:
    assert content_tokens([text]) == [tokens]
