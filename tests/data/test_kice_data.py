"""Exams: what becomes of a file's paragraphs and problems, and what `check` says of a faulty one."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from data import kice
from data.common.errors import ConfigurationError, MissingResourceError
from data.kice_check import exam_faults, faults
from data.registry import load_items, retrieval_set


def problem(question: str = "적절한 것은?", **fields: Any) -> dict[str, Any]:
    return {"question": question, "choices": ["가", "나", "다", "라", "마"], "answer": 1, "score": 20, **fields}


def exam() -> list[dict[str, Any]]:
    """Five problems, 20 points each; the third stands without the passage it is filed under."""
    return [
        {
            "id": "2031_11_KICE_1-2",
            "paragraph": " 첫 글이다. ",
            "type": 0,
            "problems": [
                problem("윗글의 내용과 일치하지 않는 것은?", answer=5, question_plus=" 보기 "),
                problem(" ㉠에 대한 이해로 가장 적절한 것은? [3점]", type=3),
                problem("음운 변동이 다른 것은?", no_paragraph=1, question_plus=["(가)", "(나)"]),
            ],
        },
        {
            "id": "2031_11_KICE_4-5",
            "paragraph": "둘째 글이다.",
            "problems": [problem(), problem(choices=list("abcde"))],
        },
    ]


def written(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def test_items_carry_what_the_exam_says(tmp_path: Path) -> None:
    items = load_items("kice", path=written(tmp_path / "2031_11_KICE.json", exam()))
    first = items[0]
    assert [item.id for item in items] == [f"kice/2031-11/q0{n}" for n in range(1, 6)]
    assert first.inputs == {"passage": "첫 글이다.", "question": "윗글의 내용과 일치하지 않는 것은?", "extra": "보기"}
    assert (first.target, first.weight, first.choices) == (4, 20, ("가", "나", "다", "라", "마"))
    assert first.tags == ("section:독서", "negative", "보기")
    assert items[1].tags == ("section:독서", "grammar", "positive")
    assert items[3].tags == ("positive",)  # this paragraph has no type, as in several years


def test_a_problem_without_a_passage_stands_alone(tmp_path: Path) -> None:
    items = load_items("kice", path=written(tmp_path / "2031_11_KICE.json", exam()))
    assert [item.group.rsplit("/")[-1] for item in items] == ["p01-02", "p01-02", "q03", "p04-05", "p04-05"]
    assert items[2].inputs["passage"] == ""
    assert items[2].inputs["extra"] == "(가)\n(나)"


@pytest.mark.parametrize(
    ("file", "paragraph_id", "name"),
    [
        ("2031_11_KICE.json", "1-2", "2031-11"),
        ("2031_11_KICE copy.json", "2031_11_KICE_1-2", "2031_11_KICE copy"),
        ("kice_sample.json", "1-2", "sample"),
        ("mock exam.json", "1-2", "mock exam"),
    ],
)
def test_an_exam_is_named_by_its_file(tmp_path: Path, file: str, paragraph_id: str, name: str) -> None:
    content = exam()
    content[0]["id"] = paragraph_id
    assert load_items("kice", path=written(tmp_path / file, content))[0].id == f"kice/{name}/q01"


@pytest.mark.parametrize(
    ("question", "tag"),
    [
        ("적절하지 않은 것은?", "negative"),
        ("감상한 내용으로 적절하지 않은것은?", "negative"),
        ("반영되지 않은 것은? [3점]", "negative"),
        ("윗글을 통해 답을 찾을 수 없는 질문은?", "negative"),
        ("㉠과 가장 거리가 먼 것은?", "negative"),
        ("㉠의 예가 아닌 것은?", "negative"),
        ("글의 내용으로 옳지 않은 것은?", "negative"),
        ("설명으로 적절하지 못한 것은?", "negative"),
        ("㉠과의 거리가 가장 먼 것은？", "negative"),
        ("어법에 어긋나는 문장은?", "negative"),
        ("그렇게 보기 어려운 것은?", "negative"),
        ("글을 잘못 이해한 사람은?", "negative"),
        ("‘왜 그런가?’에 대한 답으로 적절하지 않은 것은? [3점]", "negative"),
        ("윗글에 대한 설명으로 틀린 것은 [2점]", "negative"),
        ("적절하지 않은 것을 고르시오.", "negative"),
        ("옳지 않은 것만을 <보기>에서 있는 대로 고른 것은?", "negative"),
        ("해당하지 않는 것끼리 짝지은 것은?", "negative"),
        ("적절한 것만을 <보기>에서 있는 대로 고른 것은?", "positive"),
        ("가장 먼저 해야 할 일은?", "positive"),
        ("알맞은 것은? (단, 조건에 없는 것은 무시한다.)", "positive"),
        ("답을 찾을 수 없는 질문에 대한 설명으로 가장 적절한 것은?", "positive"),
        ("잘못된 표기를 고친 것이다. 가장 적절한 것은?", "positive"),
        ("가장 적절한 것은?독서는 어렵지 않은 것은?", "positive"),
    ],
)
def test_questions_that_ask_for_the_wrong_statement_are_tagged(tmp_path: Path, question: str, tag: str) -> None:
    content = exam()
    content[1]["problems"][0]["question"] = question
    assert load_items("kice", path=written(tmp_path / "exam.json", content))[3].tags == (tag,)


def test_a_folder_holds_exams_by_year(tmp_path: Path) -> None:
    written(tmp_path / "2024_11_KICE.json", exam())
    assert load_items("kice", split="2024", path=tmp_path)[0].id == "kice/2024-11/q01"
    with pytest.raises(MissingResourceError, match=r"python -m data fetch kice-2023 --to .*--data FILE"):
        load_items("kice", path=tmp_path)


def test_a_year_that_was_not_fetched_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kice, "DATA_DIR", tmp_path)
    with pytest.raises(MissingResourceError, match=r"python -m data fetch kice-2019, or"):
        load_items("kice", split="2019")
    written(tmp_path / "2019_11_KICE.json", exam())
    assert len(load_items("kice", split="2019")) == 5


def test_the_sample_loads() -> None:
    items = load_items("kice", split="sample")
    assert sum(item.weight for item in items) == 100
    assert items[0].id == "kice/sample/q01"


def test_retrieval_pools_the_passages_of_a_folder(tmp_path: Path) -> None:
    written(tmp_path / "2023_11_KICE.json", exam())
    written(tmp_path / "2024_11_KICE.json", exam())
    pooled = retrieval_set("kice", tmp_path)
    assert (len(pooled.queries), len(pooled.passages)) == (8, 4)  # the two problems without a passage are left out
    assert pooled.queries[0].text == "윗글의 내용과 일치하지 않는 것은?\n보기\n가\n나\n다\n라\n마"
    assert pooled.queries[0].relevant == {"kice/2023-11/p01-02"}
    without = retrieval_set("kice-question", tmp_path)
    assert (without.name, without.queries[0].text) == ("kice-question", "윗글의 내용과 일치하지 않는 것은?\n보기")
    assert [query.relevant for query in without.queries] == [query.relevant for query in pooled.queries]
    with pytest.raises(MissingResourceError, match="there is no exam in"):
        retrieval_set("kice", tmp_path / "nowhere")


def test_a_copy_beside_an_exam_is_an_exam_of_its_own(tmp_path: Path) -> None:
    written(tmp_path / "2023_11_KICE.json", exam())
    written(tmp_path / "2023_11_KICE copy.json", exam())
    assert len({passage.id for passage in retrieval_set("kice", tmp_path).passages}) == 4


def test_two_files_of_one_name_are_not_pooled(tmp_path: Path) -> None:
    written(tmp_path / "2023_11_KICE.json", exam())
    written(tmp_path / "2023-11.json", exam())
    with pytest.raises(ConfigurationError, match=r"2023-11.json and .*2023_11_KICE.json are both exam '2023-11'"):
        retrieval_set("kice", tmp_path)


def test_exams_without_a_passage_are_no_retrieval_set(tmp_path: Path) -> None:
    written(tmp_path / "exam.json", [{"id": "1", "paragraph": "", "problems": [problem(no_paragraph=1)]}])
    with pytest.raises(ConfigurationError, match="no problem has a passage"):
        retrieval_set("kice", tmp_path)


@pytest.mark.parametrize(
    ("record", "change", "fault"),
    [
        ("problem", {"question": "\ud800?"}, r"question 4: question holds '\ud800'"),
        ("problem", {"choices": ["a", "b\udfff", "c", "d", "e"]}, r"question 4: choices holds '\udfff'"),
        ("problem", {"question_plus": ["\ud83d"]}, r"question 4: question_plus holds '\ud83d'"),
        ("paragraph", {"paragraph": "\ud800"}, r"paragraph 2 (2031_11_KICE_4-5): paragraph holds '\ud800'"),
        ("paragraph", {"id": "\ud800\n"}, r"paragraph 2 ('\ud800\n'): id holds '\ud800'"),
    ],
)
def test_half_a_character_blocks(tmp_path: Path, record: str, change: dict[str, Any], fault: str) -> None:
    content = exam()
    (content[1]["problems"][0] if record == "problem" else content[1]).update(change)
    path = written(tmp_path / "exam.json", json.dumps(content))
    assert any(fault in found for found in faults(path))
    assert "\n".join(faults(path)).encode()
    with pytest.raises(ConfigurationError, match="half of a surrogate pair"):
        load_items("kice", path=path)


def test_a_whole_character_of_two_escapes_is_text(tmp_path: Path) -> None:
    content = exam()
    content[1]["problems"][0]["question"] = "😀?"
    path = written(tmp_path / "exam.json", json.dumps(content))
    assert "\\ud83d" in path.read_text(encoding="utf-8")
    assert faults(path) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[" * 100_000, "exam: not usable JSON: it is nested too deeply"),
        ("[" + "9" * 5000 + "]", "exam: not usable JSON: it holds a number of more than 4300 digits"),
        ("[" * 500 + "]" * 500, "paragraph 1: is a list, expected an object"),
        (
            '[{"id": ' + "[" * 500 + "]" * 500 + ', "paragraph": "x", "problems": [1]}]',
            "paragraph 1 ([[[[[[[...]]]]]]]): id",
        ),
    ],
)
def test_what_json_itself_fails_over_is_a_fault(tmp_path: Path, text: str, fault: str) -> None:
    path = written(tmp_path / "exam.json", text)
    assert faults(path)[0].startswith(fault)
    assert all(len(found) < 200 for found in faults(path))
    with pytest.raises(ConfigurationError):
        load_items("kice", path=path)


def test_a_faultless_exam_has_no_faults(tmp_path: Path) -> None:
    assert faults(written(tmp_path / "exam.json", exam())) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"answer": 7}, "answer is 7, expected a number from 1 to 5"),
        ({"answer": "3"}, "answer is '3'"),
        ({"answer": True}, "answer is True"),
        ({"answer": 2.0}, "answer is 2.0"),
        ({"score": 0}, "score is 0, expected a positive number"),
        ({"score": "2"}, "score is '2'"),
        ({"score": float("nan")}, "score is nan"),
        ({"score": float("inf")}, "score is inf"),
        ({"score": 10**400}, "score is 100000000000000000...0000000000000000000, expected a positive number of points"),
        ({"score": 1001}, "score is 1001, expected a positive number of points, at most 1000"),
        ({"answer": 10**400}, "answer is 1000"),
        ({"choices": list("abcd")}, "has 4 choices, expected 5"),
        ({"choices": ["a", "b", "c", "d", " "]}, "choice 5 is empty"),
        ({"choices": "abcde"}, "choices is text"),
        ({"choices": ["a", "b", "c", "d", "b"]}, "choices 2 and 5 are the same"),
        ({"question": " "}, "question is empty"),
        ({"question_plus": 3}, "question_plus is neither text"),
        ({"no_paragraph": "yes"}, "no_paragraph is 'yes'"),
        ({"type": 9}, "type is 9, expected one of 0, 1, 2, 3"),
    ],
)
def test_a_fault_that_blocks_is_named_with_its_place(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    content = exam()
    content[1]["problems"][0].update(change)
    path = written(tmp_path / "exam.json", content)
    assert faults(path)[0].startswith(f"paragraph 2 (2031_11_KICE_4-5), question 4: {fault}")
    with pytest.raises(ConfigurationError, match=r"question 4: .*python -m data check"):
        load_items("kice", path=path)


@pytest.mark.parametrize("key", ["question", "choices", "answer", "score"])
def test_a_missing_key_blocks(tmp_path: Path, key: str) -> None:
    content = exam()
    del content[0]["problems"][1][key]
    path = written(tmp_path / "exam.json", content)
    assert faults(path) == [f"paragraph 1 (2031_11_KICE_1-2), question 2: lacks {key}"]
    with pytest.raises(ConfigurationError, match=f"lacks {key}; for all of them"):
        load_items("kice", path=path)


@pytest.mark.parametrize(
    ("place", "change", "fault"),
    [
        (("problems", 0), {"score": 19}, "exam: the points sum to 99, expected 100"),
        (("problems", 0), {"hint": "x"}, "question 4: has unknown keys hint"),
        (("problems", 0), {"question_plus": ""}, "question 4: question_plus is empty"),
        ((), {"id": "2031_11_KICE_1-2"}, "has the id of paragraph 1"),
    ],
)
def test_what_is_odd_is_listed_but_can_be_asked(
    tmp_path: Path, place: tuple[str | int, ...], change: dict[str, Any], fault: str
) -> None:
    content = exam()
    record: Any = content[1]
    for step in place:
        record = record[step]
    record.update(change)
    path = written(tmp_path / "exam.json", content)
    assert len(faults(path)) == 1
    assert fault in faults(path)[0]
    assert len(load_items("kice", path=path)) == 5


def test_all_faults_are_listed_and_the_loader_counts_those_that_block(tmp_path: Path) -> None:
    content = exam()
    content[0]["problems"][0].update(answer=7, choices=["a"])
    content[1]["problems"][0].update(score=-1, hint="x")
    content[1]["id"] = content[0]["id"]
    path = written(tmp_path / "exam.json", content)
    assert len(faults(path)) == 5
    with pytest.raises(ConfigurationError, match=r"question 1: has 1 choices, expected 5 \(and 2 more\)"):
        load_items("kice", path=path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('[{"id": 1},\n{"x"}]', "exam: not JSON at line 2, column 5"),
        ({"id": "1"}, "exam: is an object, expected a list of paragraphs"),
        ([], "exam: has no paragraphs"),
        ([7], "paragraph 1: is a number, expected an object"),
        ([{"id": "1-2"}], "paragraph 1 (1-2): lacks paragraph, problems"),
        ([{"id": "1", "paragraph": "x", "problems": []}], "paragraph 1 (1): problems is not a list with at least one"),
        (
            [{"id": "1", "paragraph": "x", "problems": ["y"]}],
            "paragraph 1 (1), question 1: is text, expected an object",
        ),
        ([{"id": "1", "paragraph": " ", "problems": [problem()]}], "paragraph 1 (1): paragraph is empty; a problem"),
        (
            [{"id": "1", "paragraph": None, "problems": [problem()]}],
            "paragraph 1 (1): paragraph is null, expected text",
        ),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, content: Any, fault: str) -> None:
    path = written(tmp_path / "exam.json", content)
    assert faults(path)[0].startswith(fault)
    with pytest.raises(ConfigurationError) as caught:
        load_items("kice", path=path)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "exam.json"
    path.write_bytes(b"[\xff]")
    assert faults(path) == ["exam: not UTF-8 text at byte 1"]


def test_a_problem_without_a_passage_needs_no_paragraph(tmp_path: Path) -> None:
    content = [{"id": "1", "paragraph": "", "problems": [problem(no_paragraph=1, score=100)]}]
    assert exam_faults(copy.deepcopy(content)) == []
    assert load_items("kice", path=written(tmp_path / "exam.json", content))[0].group == "kice/exam/q01"


@pytest.mark.shared_data
@pytest.mark.parametrize("year", ["2019", "2021", "2022", "2023", "2024"])
def test_real_exams_are_faultless_and_worth_100_points(shared_data: Path, year: str) -> None:
    folder = shared_data / "kice"
    assert faults(folder / f"{year}_11_KICE.json") == []
    items = load_items("kice", split=year, path=folder)
    assert (len(items), sum(item.weight for item in items)) == (45, 100)
    without_passage = [item.id[-2:] for item in items if not item.inputs["passage"]]
    assert without_passage == {"2019": ["11", "14", "15"], "2021": ["13", "14", "15"]}.get(year, [])


@pytest.mark.shared_data
def test_problems_are_numbered_as_in_the_recorded_outputs(shared_data: Path) -> None:
    for recorded in sorted((shared_data / "kice" / "recorded").glob("*.txt")):
        items = load_items("kice", split=recorded.name[:4], path=shared_data / "kice")
        lines = recorded.read_text(encoding="utf-8").splitlines()
        answers = [int(line.removeprefix("정답 : ")) for line in lines if line.startswith("정답 : ")]
        points = [int(line.removeprefix("배점 : ")) for line in lines if line.startswith("배점 : ")]
        assert [item.target + 1 for item in items] == answers
        assert [item.weight for item in items] == points
