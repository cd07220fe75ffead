"""What holds for any text: templates read back what they render, prose holds no answer, nothing raises or is slow."""

import json
import re
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chains.reading.choices import extract_choice, extract_label

NLI = ("entailment", "neutral", "contradiction")
CHOICES = (
    "필자는 고향을 그리워하고 있다.",
    "독자는 다양한 삶을 접할 수 있다.",
    "학생 1은 공감하고 있다.",
    "ⓐ",
    "1950년대",
)

# What the rules are for: a template that any choice may fill.
TEMPLATES = (
    "{n}번",
    "{n}",
    "({n})",
    "{circled}",
    "{circled}번",
    "{wide}번",
    "**{n}**",
    "{letter}",
    "({letter})",
    "{n}번 - 필자는 고향을 그리워한다.",
    "{circled} 필자는 고향을 그리워한다.",
    "{n}. 필자는 고향을 그리워한다.",
    "{letter}. The writer longs for home.",
    "정답: {n}",
    "정답 : {n}번",
    "정답은 {circled}입니다.",
    "답은 {n}번",
    "정답은 {n}이다.",
    "{n}번이 정답입니다.",
    "따라서 정답은 **{n}번**입니다.",
    "최종 정답 : {n}번",
    "1문단과 2문단을 보면 3개의 근거가 있다.\n\n최종 정답: {n}번",
    "적절하지 않은 것은 {circled}이다.",
    "저는 {n}번을 선택하겠습니다.",
    "FINAL: {circled}",
    "Final answer: {letter}",
    "The answer is ({letter}).",
    "The correct answer is option {n}.",
    "Option {letter} is the correct answer.",
    "so I choose {circled}",
    "\\boxed{{{n}}}",
    "\\boxed{{\\text{{{letter}}}}}",
    '{{"answer": {n}}}',
    '```json\n{{"reason": "2문단", "answer": "{letter}"}}\n```',
    "<answer>{n}</answer>",
    "<think>정답은 2번? 아니 4번.</think>{n}번",
    "1번: 적절하다.\n2번: 적절하다.\n3번: 적절하다.\n4번: 적절하다.\n5번: 적절하다.\n\n정답: {n}번",
    "최종 정답: {n}번\n\n1번: 1번은 정답이 아니다.\n2번: 2번은 정답이 아니다.\n3번: 지문과 같다.",
    "1위: {n}번",
    "정답은 9번이 아니라 {n}번이다.",
    "적절하지 않은 것: {circled}",
    "적절하지 않은 것을 고르면 {circled}이다.",
    "{n}번이 아닐까 생각합니다.",
    "정답은 다음과 같습니다.\n\n{circled}",
    "|정답|{circled}|",
    "<output>{n}</output>",
    '{{"response": {{"final_answer": {{"number": {n}}}}}}}',
    "If I had to choose, I would pick option {letter}.",
    "The statement that does not match the passage is option {n}.",
    "答案：{letter}",
    "17. {circled}",
)


def _render(template: str, choice: int) -> str:
    n = choice + 1
    return template.format(n=n, circled=chr(0x2460 + choice), wide=chr(0xFF11 + choice), letter="ABCDE"[choice])


@given(
    template=st.sampled_from(TEMPLATES),
    choice=st.integers(0, 4),
    before=st.sampled_from(("", "\n", "  ", "<think>2번일까</think>\n")),
    after=st.sampled_from(("", "\n", " ", "\n\n")),
)
def test_every_template_reads_back_what_it_renders(template: str, choice: int, before: str, after: str) -> None:
    extraction = extract_choice(before + _render(template, choice) + after, 5)
    assert (extraction.choice, extraction.status) == (choice, "ok")


LABEL_TEMPLATES = (
    "{}",
    "**{}**",
    "Answer: {}",
    "{}.",
    '{{"label": "{}"}}',
    "The answer is {}.",
    "\\boxed{{{}}}",
    "정답: {}",
)


@given(st.sampled_from(LABEL_TEMPLATES), st.integers(0, 2), st.sampled_from(("str", "title", "upper")))
def test_every_label_template_reads_back_what_it_renders(template: str, label: int, style: str) -> None:
    word = {"str": NLI[label], "title": NLI[label].title(), "upper": NLI[label].upper()}[style]
    assert extract_label(template.format(word), NLI).choice == label


NOUNS = ("문단", "년", "개의 선지", "개", "월", "점", "명의 학생", "문장", "가지", "세기", "학년", "줄", "%")
PROSE = st.one_of(
    st.builds(lambda n, noun: f"{n}{noun}에서", st.integers(1, 2100), st.sampled_from(NOUNS)),
    st.sampled_from(
        (
            "필자는 고향을 떠난다.",
            "지문에서 확인할 수 있다.",
            "선택지를 하나씩 비교해 보자.",
            "이 단어는 3번 등장한다.",
            "the 3 paragraphs were written in 1950,",
            "as the 2nd paragraph says,",
            "a man walks home.",
            "정답률이 낮은 문항이다.",
            "1번 문단과 달리",
            "(가)와 (나)는",
            "[A]에서 화자는",
            "다섯 개의 선지 가운데",
        )
    ),
)


@given(st.lists(PROSE, min_size=1, max_size=12), st.sampled_from((" ", "\n")))
def test_prose_that_states_no_answer_yields_none(parts: list[str], joint: str) -> None:
    text = joint.join(parts)
    assert extract_choice(text, 5).status == "none"
    assert extract_label(text, NLI).status == "none"


ANSWER_LIKE = st.lists(
    st.sampled_from(
        (
            "정답",
            "은 ",
            ": ",
            "3번",
            "③",
            "(",
            ")",
            "**",
            "7번",
            "A",
            " is ",
            "not ",
            "아니라 ",
            "\n",
            ", ",
            "<think>",
            "1. ",
        )
    )
    | st.text(max_size=4)
).map("".join)


@given(text=st.text() | ANSWER_LIKE, truncated=st.booleans(), n_choices=st.integers(1, 9))
@example(text="⟦99⟧ \\boxed{", truncated=False, n_choices=5)
def test_any_text_is_read_without_error(text: str, truncated: bool, n_choices: int) -> None:
    choices = [f"choice text number {i}" for i in range(n_choices)]
    for extraction in (
        extract_choice(text, n_choices, truncated=truncated),
        extract_choice(text, n_choices, choices=choices, truncated=truncated),
        extract_label(text, NLI, truncated=truncated),
    ):
        assert (extraction.choice is not None) == (extraction.status == "ok")
        assert extraction.choice is None or 0 <= extraction.choice < max(n_choices, 3)
        assert extraction.status != "ok" or extraction.rule


FRAGMENTS = (
    "정답",
    "정답: ",
    "정답은 ",
    "최종 정답",
    "3번, ",
    "1번이 ",
    "③",
    "12 ",
    "3 > ",
    "1~",
    "(",
    "((((",
    "**",
    "` ",
    "<think>",
    "</think>",
    "boxed{",
    "answer is ",
    "the answer, a b c d ",
    "not ",
    "1. a\n",
    "1번: a\n",
    "\n",
    " ",
    "가 ",
    "함의도 ",
    "entailment, ",
    "relationship is a ",
    "적절한 것은 ",
    "\\text{",
    "I cannot ",
    "2... 아니, ",
    "wait, ",
    "정답은 3번. 다시 보니 정답은 2번. ",
    "The answer is 2. The answer is 3. ",
    "so the answer is 2 and the answer is 3 ",
    "학생이 3번을 ",
    "if some students say ",
    "⟦2⟧ is correct. ",
    "entailment: 0.1, ",
    "entailment\nneutral\n",
    "it seemed like entailment ",
    "does not have enough ",
    "<b></b>",
    "<think></think>",
    "[a]",
    "&lt;b&gt;",
    "[[ ## a ## ]]",
    "the ",
    "it is a refund, ",
    "'환불' 문의입니다 ",
)


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_a_million_characters_of_anything_take_under_two_seconds(fragment: str) -> None:
    text = fragment * (1_000_000 // len(fragment))
    for read in (
        lambda: extract_choice(text, 5, choices=CHOICES),
        lambda: extract_label(text, (*NLI, "refund", "환불")),
    ):
        start = time.process_time()
        read()
        assert time.process_time() - start < 2.0


CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1)]
SPACES = [c for c in CHARACTERS if unicodedata.category(c) == "Zs"]
FORMATS = [c for c in CHARACTERS if unicodedata.category(c) == "Cf"]
CASES = [json.loads(line) for line in (Path(__file__).parent / "parsing_cases.jsonl").read_text("utf-8").splitlines()]


def _read(kind: str, text: str) -> object:
    return extract_label(text, NLI) if kind == "label" else extract_choice(text, 5, truncated=kind == "cut-off")


def _as_typed(text: str, space: str, mark: str) -> str:
    return re.sub(r"(?=\d)", mark, text).replace(" ", space)


def test_texts_that_look_alike_are_read_alike() -> None:
    """Every space of Unicode and every format character, each over some of the cases; letters of Hangul over all."""
    for number, case in enumerate(CASES):
        space, mark = SPACES[number % len(SPACES)], FORMATS[number % len(FORMATS)]
        plain = _read(case["kind"], case["text"])
        assert _read(case["kind"], _as_typed(case["text"], space, mark)) == plain, (space, mark, case)
        assert _read(case["kind"], unicodedata.normalize("NFD", case["text"])) == plain, case
        assert _read(case["kind"], case["text"].replace("\n", "\u2028")) == plain, case


def test_ten_million_characters_take_under_two_seconds() -> None:
    for text, expected in (
        ("정답은 3번이다. " * 1_000_000, 2),
        ("<think>" + "The answer is 2. " * 600_000 + "</think>5", 4),
        ("The answer is 2. " * 300_000 + "</think>" + "\n" * 300_000 + "5", 4),
        ("<b></b>" * 1_400_000, None),
        ("&lt;b&gt;" * 1_100_000, None),
        ("[[ ## x ## ]]" * 800_000, None),
    ):
        start = time.process_time()
        assert extract_choice(text, 5).choice == expected
        assert time.process_time() - start < 2.0
