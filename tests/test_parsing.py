"""What a text states as its answer: every form, every trap, and real recorded outputs.

`parsing_cases.jsonl` holds one hand-written output a line with what a careful reader says it answers: a 1-based choice
of five, a label, or the status that says why there is none.
"""

import json
import re
from pathlib import Path

import pytest

from chains.parsing import Extraction, extract_choice, extract_label

NLI = ("entailment", "neutral", "contradiction")
CHOICES = (
    "필자는 고향을 그리워하고 있다.",
    "독자는 다양한 삶을 필자를 매개로 접할 수 있다.",
    "학생 1과 학생 2는 모두 발표 내용에 공감하고 있다.",
    "ⓐ",
    "1950년대",
)
CASES = [json.loads(line) for line in (Path(__file__).parent / "parsing_cases.jsonl").read_text("utf-8").splitlines()]


def _stated(extraction: Extraction) -> int | str:
    return extraction.status if extraction.choice is None else extraction.choice + 1


def _cases(kind: str) -> list[object]:
    rows = [case for case in CASES if case["kind"] == kind]
    return [
        pytest.param(case["text"], case["expected"], id=f"{case.get('group', kind)}-{i}") for i, case in enumerate(rows)
    ]


@pytest.mark.parametrize(("text", "expected"), _cases("choice"))
def test_a_choice_is_read_as_a_careful_reader_reads_it(text: str, expected: int | str) -> None:
    assert _stated(extract_choice(text, 5)) == expected


@pytest.mark.parametrize(("text", "expected"), _cases("choice-text"))
def test_the_text_of_exactly_one_choice_is_an_answer(text: str, expected: int | str) -> None:
    assert _stated(extract_choice(text, 5, choices=CHOICES)) == expected


@pytest.mark.parametrize(("text", "expected"), _cases("cut-off"))
def test_what_was_cut_off_before_an_answer_is_truncated(text: str, expected: int | str) -> None:
    assert _stated(extract_choice(text, 5, truncated=True)) == expected


@pytest.mark.parametrize(("text", "expected"), _cases("label"))
def test_a_label_is_read_as_a_careful_reader_reads_it(text: str, expected: str) -> None:
    extraction = extract_label(text, NLI)
    assert (extraction.status if extraction.choice is None else NLI[extraction.choice]) == expected


def test_there_are_enough_cases_and_none_twice() -> None:
    keys = [(case["kind"], case["text"]) for case in CASES]
    assert len(keys) == len(set(keys)) >= 150


def test_the_same_text_is_always_read_alike_and_names_its_rule() -> None:
    assert extract_choice("최종 정답: 3번", 5) == Extraction(2, "ok", "final")
    assert extract_choice("3번", 5).rule == "leading"
    assert extract_choice("정답은 3번입니다.", 5).rule == "answer-is"
    assert extract_choice('{"answer": 3}', 5).rule == "json"
    assert extract_choice("죄송하지만 답변할 수 없습니다.", 5) == Extraction(None, "refusal", "refusal")


def test_letters_and_numbers_reach_as_far_as_there_are_choices() -> None:
    assert extract_choice("Answer: D", 3).status == "none"
    assert extract_choice("Answer: G", 7).choice == 6
    assert extract_choice("정답: 4번", 3).status == "none"


def test_labels_other_than_nli_count_by_their_exact_words_only() -> None:
    sentiment = ("positive", "negative")
    assert extract_label("The sentiment is Negative.", sentiment).choice == 1
    assert extract_label("negatively", sentiment).status == "none"
    assert extract_label("yes", sentiment).status == "none"
    assert extract_label("not positive", sentiment).status == "none"
    assert extract_label("positive or negative", sentiment).status == "multiple"
    assert extract_label("Answer: B", sentiment).choice == 1
    assert extract_label("Not entailment", ("entailment", "not_entailment")).choice == 1


def test_labels_may_stand_in_any_order() -> None:
    assert extract_label("neutral", ("contradiction", "neutral", "entailment")).choice == 1
    assert extract_label("함의", ("contradiction", "neutral", "entailment")).choice == 2


def test_truncated_reasoning_holds_no_label() -> None:
    assert extract_label("<think>maybe contradiction", NLI).status == "truncated"
    assert extract_label("The man", NLI, truncated=True).status == "truncated"


@pytest.mark.parametrize(
    "call",
    [
        lambda: extract_choice("3", 0),
        lambda: extract_choice("3", 5, choices=["one"]),
        lambda: extract_label("3", []),
        lambda: extract_label("3", ["yes", "Yes"]),
    ],
)
def test_misuse_is_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]


RECORDED = re.compile(r"^(\d+)번 문제 : (.*?)\n정답 : (\d)\n배점 : (\d)\n?$", re.DOTALL)


def _recorded(path: Path) -> dict[str, tuple[str, int, int]]:
    """Return question number → (output, 1-based target, points) of one recorded exam."""
    blocks = re.split(r"^-{10,}\s*$", path.read_text("utf-8"), flags=re.MULTILINE)
    matches = [RECORDED.match(block.strip()) for block in blocks if block.strip()]
    assert all(matches)
    return {m[1]: (m[2], int(m[3]), int(m[4])) for m in matches if m}


@pytest.mark.shared_data
def test_every_recorded_output_is_read_as_it_was_labelled(shared_data: Path) -> None:
    folder = shared_data / "kice" / "recorded"
    labels = json.loads((folder / "labels.json").read_text("utf-8"))
    wrong, n = [], 0
    for name, rows in labels.items():
        outputs = _recorded(folder / name)
        for row in rows:
            n += 1
            if (stated := _stated(extract_choice(outputs[row["key"]][0], 5))) != row["label"]:
                wrong.append((name, row["key"], row["label"], stated))
    assert (n, wrong) == (180, [])


@pytest.mark.shared_data
def test_the_2023_gpt4_baseline_scores_86_points(shared_data: Path) -> None:
    outputs = _recorded(shared_data / "kice" / "recorded" / "2023_11_KICE-gpt4_baseline.txt").values()
    won = [points for text, target, points in outputs if _stated(extract_choice(text, 5)) == target]
    assert (len(outputs), len(won), sum(won)) == (45, 39, 86)
