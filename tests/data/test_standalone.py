"""Grammar questions that are filed under a passage of others are noticed, named, asked without it, and no gold."""

import json
from pathlib import Path
from typing import Any

import pytest

from data.__main__ import main
from data.common.errors import ConfigurationError
from data.kice_check import faults
from data.registry import load_items, retrieval_set
from data.standalone import standing_alone
from eval.cli.parser import main as evaluate

ECONOMY = (
    "환율은 두 나라 화폐의 교환 비율이다. 수출이 늘면 외화의 공급이 늘어 환율이 내린다. ㉠(물가가 오르면) "
    "중앙은행은 금리를 올려 수요를 줄인다. 금리가 오르면 예금이 늘고 투자는 준다. 그러나 정책의 효과는 시차를 "
    "두고 나타나므로 판단이 어렵다. ⓐ(이러한) 시차는 정책을 세우는 때와 효과가 나타나는 때 사이의 간격이다."
)
COMPOUNDS = (
    "합성어는 어근과 어근이 결합한 단어이다. ‘돌다리’처럼 두 어근이 우리말의 일반적인 배열을 따르면 통사적 합성어라 "
    "하고, ‘접칼’처럼 어미가 빠지면 비통사적 합성어라 한다. ㉠(앞 어근이 뒤 어근을 꾸미는 합성어)는 종속 합성어이다."
)
OF_THE_PASSAGE = [
    {"question": "윗글의 내용과 일치하는 것은?", "choices": ["수출이 늘면 환율이 내린다.", "나", "다", "라", "마"]},
    {
        "question": "문맥상 ⓐ와 바꿔 쓰기에 적절한 것은?",
        "choices": ["그러한", "어떠한", "아무런", "온갖", "웬"],
        "type": 3,
    },
]
ALONE = [
    {
        "question": "<보기>의 ㉠에 해당하는 예로 적절한 것은? [3점]",
        "question_plus": "음절의 끝소리가 비음 앞에서 같은 비음으로 바뀌는 현상을 ㉠비음화라 한다. 예: 밥물[밤물]",
        "choices": ["국물[궁물]", "칼날[칼랄]", "굳이[구지]", "좋다[조타]", "솜이불[솜니불]"],
    },
    {
        "question": "밑줄 친 말의 띄어쓰기가 바르지 않은 것은?",
        "choices": ["그가 떠난 '지'", "먹을 '만큼' 먹어라", "너'뿐'이다", "하늘'만큼' 높다", "아는 '대로' 말해라"],
    },
    {
        "question": "다음 중 어법에 맞는 문장은?",
        "choices": [
            "그녀가 웃으며 손을 흔든 까닭은 친구를 만났기 때문이다.",
            "형은 동생에게 책을 읽혀지게 했다.",
            "우리는 산을 오르며 노래와 춤을 추었다.",
            "나는 어제 학교에 갈 것이다.",
            "할머니께서 이빨이 아프시다.",
        ],
    },
    {
        "question": "다음 대화의 ⓐ～ⓒ에 대한 설명으로 적절하지 않은 것은?",
        "question_plus": [
            "민수: 할아버지, ⓐ진지 잡수셨어요?",
            "할아버지: 그래, ⓑ너도 먹었느냐?",
            "민수: 네, ⓒ어머니께서 차려 주셨습니다.",
        ],
        "choices": [
            "ⓐ는 주체를 높인다.",
            "ⓑ는 해라체이다.",
            "ⓒ는 조사로 높인다.",
            "ⓐ는 객체를 높인다.",
            "ⓒ는 합쇼체이다.",
        ],
    },
    {
        "question": "‘먹이다’의 ‘-이-’와 기능이 같은 것이 쓰인 말은?",
        "choices": ["깊이 파다", "높이 날다", "아기를 재우다", "길이를 재다", "바람에 날리다"],
        "type": 3,
    },
    {
        "question": "<학습 활동>의 (가)에 들어갈 말로 적절한 것은?",
        "question_plus": "<학습 활동> 중세 국어의 관형격 조사와 현대 국어의 그것을 견주어 보자. 나랏 말씀. 결과: (가)",
        "choices": [
            "앞말에 따라 꼴이 달랐다.",
            "높임에만 쓰였다.",
            "받침 뒤에만 왔다.",
            "모음이 사라졌다.",
            "뜻이 바뀌었다.",
        ],
    },
]
ABOUT_COMPOUNDS = [
    {"question": "‘돌다리’와 짜임이 같은 것은?", "choices": ["손목", "덮밥", "늦잠", "붉돔", "뻐꾹새"], "type": 3},
    {
        "question": "㉠에 해당하는 예로 적절한 것은?",
        "choices": ["손수레", "앞뒤", "오가다", "밤낮", "여닫다"],
        "type": 3,
    },
    {"question": "합성어의 종류가 나머지와 다른 것은?", "choices": ["밤낮", "손발", "앞뒤", "논밭", "접칼"]},
    {
        "question": "<보기>의 단어를 분석한 내용으로 적절한 것은?",
        "question_plus": "덮밥, 돌다리",
        "choices": ["어미가 빠졌다.", "두 어근이 대등하다.", "어근이 하나이다.", "통사적 합성어이다.", "접사가 있다."],
    },
    {"question": "<보기>를 탐구한 내용으로 적절한 것은?", "choices": ["접사가 붙었다.", "나", "다", "라", "마"]},
]


def exam(*paragraphs: tuple[str, str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Paragraphs by id, text and problems; every problem has the fields that it lacks here."""
    return [
        {"id": name, "paragraph": text, "problems": [{"answer": 1, "score": 5, **problem} for problem in problems]}
        for name, text, problems in paragraphs
    ]


def written(folder: Path, content: Any) -> Path:
    path = folder / "2031_11_KICE.json"
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["first", "2031_11_KICE_1-8", "1-2"])
def test_grammar_questions_under_another_s_passage_are_noticed(name: str) -> None:
    content = exam((name, ECONOMY, [*OF_THE_PASSAGE, *ALONE]), ("b", COMPOUNDS, [{**OF_THE_PASSAGE[0]}]))
    assert standing_alone(content) == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("problem", ABOUT_COMPOUNDS, ids=range(len(ABOUT_COMPOUNDS)))
def test_grammar_questions_about_a_passage_on_grammar_are_its_own(problem: dict[str, Any]) -> None:
    assert standing_alone(exam(("a", COMPOUNDS, [problem]))) == []


def test_under_a_passage_on_grammar_the_id_tells_which_questions_are_its_own() -> None:
    """As in 2018: "11-12" holds 11 to 15, and the last three are about something else."""
    beyond = {
        "question": "다음은 부사어를 탐구한 것이다. 적절하지 않은 것은?",
        "choices": [f"{word} 부사어로 쓰였군." for word in ("매우", "꽃처럼", "집에서", "빨리", "새 옷을")],
    }
    about = {"question": "윗글을 바탕으로 합성어를 이해한 것은?", "choices": list("가나다라마")}
    content = exam(("1-2", COMPOUNDS, [about, ABOUT_COMPOUNDS[0], beyond, about]), ("5-6", ECONOMY, [about, about]))
    assert standing_alone(content) == [3]
    for other in ("1-4", "q", "1-1"):
        content[0]["id"] = other
        assert standing_alone(content) == []
    content[0]["id"], content[1]["id"] = "1-2", "1-3"  # no numbers of questions: they do not follow one another
    assert standing_alone(content) == []


def test_what_the_file_says_itself_holds() -> None:
    marked = [{**problem, "no_paragraph": number % 2} for number, problem in enumerate(ALONE)]
    assert standing_alone(exam(("a", ECONOMY, [*OF_THE_PASSAGE, *marked]))) == []


def test_they_are_named_asked_without_the_passage_and_no_gold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(
        tmp_path, exam(("1-8", ECONOMY, [*OF_THE_PASSAGE, *ALONE]), ("9-10", COMPOUNDS, ABOUT_COMPOUNDS[:2]))
    )
    listed = [fault for fault in faults(path) if "not about this passage" in fault]
    assert [fault.split(":")[0] for fault in listed] == [f"paragraph 1 (1-8), question {n}" for n in range(3, 9)]
    assert main(["check", str(path)]) == 0  # it can be asked
    printed = capsys.readouterr()
    assert 'question 3: is not about this passage, by its words, and is asked without it; mark it "no_' in printed.out
    assert "7 faults, none that keeps it from use" in printed.err  # the points are the seventh
    items = load_items("kice", path=path)
    said = capsys.readouterr().err
    assert f"{path}: questions 3, 4, 5, 6, 7, 8 filed under a passage of others and asked without it" in said
    assert [item.group.rsplit("/")[-1] for item in items[1:4]] == ["p01-02", "q03", "q04"]
    assert [bool(item.inputs["passage"]) for item in items] == [True] * 2 + [False] * 6 + [True] * 2
    gold = retrieval_set("kice", path)
    assert [query.id[-3:] for query in gold.queries] == ["q01", "q02", "q09", "q10"]
    assert {name for query in gold.queries for name in query.relevant} == {"kice/2031-11/p01-02", "kice/2031-11/p09-10"}


@pytest.mark.shared_data
@pytest.mark.parametrize("year", ["2019", "2021", "2022", "2023", "2024"])
@pytest.mark.parametrize("named", [True, False], ids=["with ids", "ids of other kinds"])
def test_real_exams_without_their_marks_are_understood_as_with_them(shared_data: Path, year: str, named: bool) -> None:
    content = json.loads((shared_data / "kice" / f"{year}_11_KICE.json").read_text(encoding="utf-8"))
    marked, number = [], 0
    for place, paragraph in enumerate(content):
        paragraph["id"] = paragraph["id"] if named else f"p{place}"
        for problem in paragraph["problems"]:
            number += 1
            if problem.pop("no_paragraph", 0):
                marked.append(number)
    assert standing_alone(content) == marked


@pytest.mark.parametrize("choices", [["a", "b", "c", "d", "b "], ["가\u00a0나", "b", "c", "d", "가 나"]])
def test_run_refuses_two_identical_choices_as_check_does(
    tmp_path: Path, choices: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, exam(("a", ECONOMY, [{**OF_THE_PASSAGE[0], "choices": choices, "score": 100}])))
    assert main(["check", str(path)]) == 2
    assert "question 1: choices" in capsys.readouterr().out
    run = ["run", "kice", "--data", str(path), "--baseline", "always-1", "--out", str(tmp_path / "run")]
    assert evaluate(run) == 2
    assert "are the same" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigurationError, match="are the same"):
        load_items("kice", path=path)


def test_check_and_run_agree_on_what_is_merely_odd(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, exam(("a", ECONOMY, [{**OF_THE_PASSAGE[0], "score": 99, "hint": "x"}])))
    assert main(["check", str(path)]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 2
    assert printed.err == f"{path}: 2 faults, none that keeps it from use\n"
    assert main(["check", str(path), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (len(content["faults"]), content["problems"], content["points"]) == (2, 1, 99)
    assert len(load_items("kice", path=path)) == 1
