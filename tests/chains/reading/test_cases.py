"""What a text states as its answer: every form, every trap, and real recorded outputs.

`parsing_cases.jsonl` holds one hand-written output a line with what a careful reader says it answers: a 1-based choice
of five, a label, or the status that says why there is none.
"""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from chains.reading.choices import Extraction, extract_choice, extract_label

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


# (text, number of choices, right reading): each an example of a kind that was misread once.
MISREAD_CHOICES = (
    ("Answer:\u00a03", 5, 3),
    (unicodedata.normalize("NFD", "따라서 정답은 3번입니다."), 5, 3),
    ("① 적절하다. ② 적절하다. ③ 적절하지 않다. ④ 적절하다. ⑤ 적절하다.", 5, "none"),
    ("1번 10%, 2번 5%, 3번 70%, 4번 10%, 5번 5%", 5, "none"),
    ("1번 O, 2번 O, 3번 X, 4번 O, 5번 O", 5, "none"),
    ("analysisWe look at each. The answer is 2.assistantfinal5", 5, 5),
    ("analysisWe look at each. The answer is 2.", 5, "truncated"),
    ("<|channel|>analysis<|message|>It is 2.<|end|><|start|>assistant<|channel|>final<|message|>5<|return|>", 5, 5),
    ("<|START_THINKING|>The answer is 2.<|END_THINKING|><|START_RESPONSE|>5<|END_RESPONSE|>", 5, 5),
    ("<|begin_of_thought|>The answer is 2.<|end_of_thought|>\n<|begin_of_solution|>5<|end_of_solution|>", 5, 5),
    ('<details type="reasoning">The answer is 2.</details>5', 5, 5),
    ("<mulling>The answer is 2.</mulling>5", 5, 5),
    ("<mulling>The answer is 2.", 5, "truncated"),
    ("[REASONING]The answer is 2.[/REASONING]5", 5, 5),
    ("```thinking\nThe answer is 2.\n```\n5", 5, 5),
    ("<|im_start|>think\nThe answer is 2.<|im_end|>\n<|im_start|>assistant\n5<|im_end|>", 5, 5),
    ("Thinking...\nThe answer is 2.\n...done thinking.\n\n5", 5, 5),
    ("<reasoning>The answer is 2.\n<answer>5</answer>", 5, 5),
    ("5assistant\n\n죄송합니다. 정답은 2번입니다.", 5, 5),
    ("Cassistant\n\nThe correct answer is A.", 5, 3),
    ("정답은 5번입니다.\nuser\n다음 문제: 정답은 2번", 5, 5),
    ("The answer is (I).", 10, 9),
    ("### ANSWER\nJ", 10, 10),
    ("(A) is wrong, and so is B. The answer is J.", 10, 10),
    ("⑩", 10, 10),
    ("D가 정답입니다.", 5, 4),
    ("A를 선택하겠습니다.", 5, 1),
    ("따라서 C가 가장 적절하다.", 5, 3),
    ("A\n\nExplanation: B does not follow.\nThus, the correct answer is C.", 4, 3),
    ("3번\n\n풀이: 2번은 지문과 다르다.\n따라서 정답은 4번입니다.", 5, 4),
    ("정답: A\n해설: 지문을 다시 본다.\n따라서 정답은 C입니다", 4, 3),
    ("3번\n\n풀이: 2번과 4번은 지문과 다르다.\n따라서 정답은 3번입니다.", 5, 3),
    ("최종 정답: 2번\n\n1번: 따라서 1번이 정답이다.\n2번: 2번은 정답이 아니다.", 5, 2),
    ("1) Find the rate.\n2) Take the log.\n3) Divide.\n\nD", 4, 4),
    ("(a) The lift coefficient is 0.85. (b) The drag is 0.2.", 5, "none"),
    ("【答案】D", 4, 4),
    ("选项③符合题意。\n【答案】D", 4, 4),
    ("因此，正确答案是B。", 4, 2),
    ("故选C。", 4, 3),
    ("正解は選択肢2です。", 4, 2),
    ("したがって、答えは(A)となります。", 4, 1),
    ("答案：D\n\n等等，我重新算一下。所以正确答案应为 B。", 4, 2),
    ("Respuesta: C) El tratado se firmó en 1494.", 4, 3),
    ("정답은 2번입니다. 글쓴이가 밝혔기 때문이다. 나머지 선택지 (1번, 3번, 4번)는 적절하지 않다.", 5, 2),
    ("윗글에서 알 수 있는 내용은 '글쓴이는 고향을 떠났다.'(2번)입니다.", 5, 2),
    ("따라서 정답은:\n\n1번: 글쓴이는 떠났다\n\n입니다.", 5, 1),
    ("the answer is D and then B", 5, "multiple"),
    ('{"answer": "(3,3)}', 4, "none"),
    ("~~2~~ 3", 5, 3),
    ("(1) 먼저 글의 주제를 파악하면", 5, "none"),
    ("(1) First, find the slope. (2) Then integrate.", 4, "none"),
    ("A\n\nExplanation: The answer is D because of friction.", 4, 4),
    ("D\n\nReasoning: It rains. Hence option B is correct.", 4, 2),
    ("B\n\nUpon reflection, I'd change my answer to C.", 4, 3),
    ("<details><summary>Reasoning</summary>The answer is 2.</details>\n\n4", 5, 4),
    ("<!-- 정답은 2번 -->정답: 4", 5, 4),
    ("&lt;think&gt;The answer is 2&lt;/think&gt;3", 5, 3),
    ("2\n\n[문제 2]\n다음 글을 읽고 답하시오.\n정답: 5", 5, 2),
    ("3\n\n문제 18\n다음 중 옳은 것은?\n정답: 1", 5, 3),
    ("Aは正しくない。", 4, "none"),
    ("C로 하겠습니다.", 4, 3),
    ("Option I is correct.", 10, 9),
    ("| 정답 |\n|------|\n| ②   |", 5, 2),
    ("옳은 것은 B뿐이다.", 4, 2),
    ("정답은 2번이다. 사실은 3번이 정답이다.", 5, 3),
    ("잘못 서술된 3번이 정답이다.", 5, 3),
    ("答案不是A，而是C。", 4, 3),
    ("答えはAではなくBです。", 4, 2),
    ("<details><summary>정답</summary>③</details>", 5, 3),
    ("<details>\n<summary>정답 보기</summary>\n\n정답: ④\n</details>", 5, 4),
    ("<details><summary>Final answer</summary>\n\nC\n\n</details>", 4, 3),
    ("<details><summary>해설</summary>2번을 먼저 보자.</details>\n정답: 5", 5, 5),
    ("옳은 것은 B뿐이다", 4, 2),
    ("정답은 4번뿐입니다.", 5, 4),
    ("적절한 것은 A밖에 없다.", 5, 1),
    ("Only C is correct.", 4, 3),
    ("Only option D holds up.", 4, 4),
    ("B alone is correct.", 4, 2),
    ("Going with D here.", 4, 4),
    ("我认为应该选D。", 4, 4),
    ("A和B都不对，正确的是C。", 4, 3),
    ("正しくないものは2です。", 4, 2),
    ("Anything but C.", 4, "none"),
    ("It could be A. It could also be B.", 4, "none"),
    ("If the rate were 3%, the answer would be B.", 4, "none"),
    ("**A)** true **B)** true **C)** false **D)** true", 4, "none"),
)


@pytest.mark.parametrize(("text", "n_choices", "expected"), MISREAD_CHOICES)
def test_what_was_misread_once_is_read(text: str, n_choices: int, expected: int | str) -> None:
    assert _stated(extract_choice(text, n_choices)) == expected


@pytest.mark.parametrize(
    ("choices", "text", "expected"),
    [
        (("6", "12", "30", "105"), "30", 3),
        (("6", "12", "30", "105"), "정답: 30", 3),
        (("6", "12", "30", "105"), "The answer is 105.", 4),
        (("6", "12", "30", "105"), "6 × 5 = 30, so the answer is 30.", 3),
        (("25", "5", "6", "30"), "5", 2),
        (("0", "2", "1", "3"), '{"answer": "0"}', 1),
        (("1/2", "1/3", "1/4", "1/5"), "정답: 1/3", 2),
        (("1.5", "2.5", "3.5", "4.5"), "Answer: 2.5", 2),
        (("-1", "0", "1", "2"), "The answer is -1", 1),
        (("$6", "$12", "$30", "$105"), "Answer: $12", 2),
        (("2", "4", "6", "8", "10"), "정답은 ②번, 4입니다.", 2),
        (("1", "3", "5", "7", "9"), "정답은 3입니다.", 3),
        (("6", "12", "30", "105"), "정답: 6, 12", "multiple"),
        (("photosynthesis", "respiration", "fermentation"), "Plants lose no energy by respiration.", 2),
        (("photosynthesis", "respiration", "fermentation"), "It is not respiration.", "none"),
        (("독점", "과점", "완전 경쟁"), "과점은 소수가, 독점은 하나가 지배한다. 따라서 정답은 2번입니다.", 2),
        (("독점", "과점", "완전 경쟁"), "정답은 2번 과점이 아니라 1번 독점입니다.", 1),
        (("독점", "과점", "독점적 경쟁"), "정답은 독점적 경쟁입니다.", 3),
        (("독점", "과점", "독점적 경쟁"), "시장 구조를 먼저 살펴보자. 독점은 공급자가 하나이다.", "none"),
        (("독점", "과점", "독점적 경쟁"), "1번 독점은 틀리고, 2번 과점은 맞다. 정답은 과점이다.", 2),
        (("cat", "dog", "cat and dog", "neither"), "Answer: cat and dog", 3),
        (("cat", "dog", "cat and dog", "neither"), "The cat chased the dog around the house.", "none"),
        (("The cat sat.", "The dog ran.", "Nobody came."), "I would choose 'The dog ran.'", 2),
        (("True", "False", "Not stated"), "It is not true that he left. The answer is False.", 2),
        (("True", "False", "Not stated"), "That is true of many people, but the text does not say so.", "none"),
    ],
)
def test_an_answer_may_be_a_choices_own_text(choices: tuple[str, ...], text: str, expected: int | str) -> None:
    assert _stated(extract_choice(text, len(choices), choices=choices)) == expected


def test_a_number_that_is_a_choices_number_and_the_text_of_another_is_said_to_be_both() -> None:
    choices = ("2", "3", "4", "5")
    assert extract_choice("정답: 3", 4, choices=choices) == Extraction(2, "ok", "number-or-text")
    assert extract_choice("정답: 3번", 4, choices=choices) == Extraction(2, "ok", "label")
    assert extract_choice("정답: 3", 4, choices=("1", "2", "3", "4")) == Extraction(2, "ok", "label")


@pytest.mark.parametrize(
    ("text", "negative", "expected"),
    [
        ("① 적절하다. ② 적절하다. ③ 적절하지 않다. ④ 적절하다. ⑤ 적절하다.", True, 3),
        ("① 적절하다. ② 적절하다. ③ 적절하지 않다. ④ 적절하다. ⑤ 적절하다.", False, "none"),
        ("1번: X\n2번: X\n3번: X\n4번: O\n5번: X", False, 4),
        ("1번: O\n2번: O\n3번: X\n4번: X\n5번: O", True, "none"),
        ("①번은 적절하지 않다. 나머지는 모두 적절하다", True, 1),
        ("①번은 적절하지 않다. 나머지는 모두 적절하다", False, "none"),
        ("③번은 지문과 일치하지 않는다. 다른 선택지는 모두 지문과 일치한다.", True, 3),
        ("②는 적절하다. 나머지는 모두 적절하지 않다.", False, 2),
        ("①, ②, ③, ⑤는 적절하다. ④는 적절하지 않다.", True, 4),
        ("Option C is false; the rest are true.", True, 3),
        ("A is wrong. The other options are right.", True, 1),
        ("A: false\nB: false\nC: true\nD: false\nE: false", False, 3),
        ("①번은 적절하지 않다.", True, "none"),
        ("②를 제외한 나머지는 모두 적절하다.", True, 2),
        ("4번을 제외하고는 모두 맞다.", True, 4),
        ("4번을 제외하고는 모두 맞다.", False, "none"),
        ("①✕②○③○④○⑤○", True, 1),
    ],
)
def test_the_choice_that_stands_out_is_the_answer_where_the_question_tells(
    text: str, negative: bool, expected: int | str
) -> None:
    assert _stated(extract_choice(text, 5, negative=negative)) == expected


INTENTS = ("set_alarm", "stop", "top_up_failed", "card_payment", "none", "love")


@pytest.mark.parametrize(
    ("labels", "text", "expected"),
    [
        (NLI, "Answer: 2 (contradiction)", "contradiction"),
        (NLI, "2 (contradiction)", "contradiction"),
        (NLI, "Label: 0 (entailment)", "entailment"),
        (NLI, "1: neutral", "neutral"),
        (NLI, "My answer: 2 (entailment: 0, neutral: 1, contradiction: 2)", "contradiction"),
        (NLI, "3 (1 = entailment, 2 = neutral, 3 = contradiction)", "contradiction"),
        (NLI, "정답: 2 (0: 함의, 1: 중립, 2: 모순)", "contradiction"),
        (NLI, "Prediction: 0 [entailment=1, neutral=0, contradiction=2]", "neutral"),
        (NLI, "Is it a contradiction? Let me see.", "none"),
        (NLI, "If the man were asleep, it would be a contradiction.", "none"),
        (NLI, "Whether it's neutral is hard to say.", "none"),
        (NLI, "The premise entails nothing about this.", "none"),
        (NLI, "모순일까? 아니다, 중립이다.", "neutral"),
        (("네", "아니요"), "네 번째 문단에 나온다.", "none"),
        (("상", "중", "하"), "중요한 문제입니다. 하지만 어렵다.", "none"),
        (("상", "중", "하"), "난이도: 중", "중"),
        (("politics", "sports"), "Sports fans love politics.", "none"),
        (("긍정", "부정"), "부정하게 돈을 벌었다.", "none"),
        (("긍정", "부정"), "전반적으로는 긍정에 가깝습니다.", "긍정"),
        (("yes", "no"), "There is no evidence in the text.", "none"),
        (("yes", "no"), "No evidence supports it.", "none"),
        (("yes", "no"), "The man has no money, and there are no banks.", "none"),
        (("yes", "no"), "No, the text says otherwise.", "no"),
        (("yes", "no"), "No. There is no mention of it.", "no"),
        (("yes", "no"), "The answer is no.", "no"),
        (("예", "아니요"), "예를 들어 지문에는 이런 내용이 있다.", "none"),
        (("예", "아니요"), "예외가 있습니다.", "none"),
        (("예", "아니요"), "예, 맞습니다.", "예"),
        (("문법", "발음", "어휘"), "이 단어의 발음은 [바르다]입니다.", "none"),
        (("문법", "발음", "어휘"), "발음을 설명하자면 혀를 입천장에 댄다.", "none"),
        (("문법", "발음", "어휘"), "분류: 발음", "발음"),
        (("환불", "배송", "없음", "기타", "사랑"), "배송이 늦어져 고객이 화가 났다.", "none"),
        (("환불", "배송", "없음", "기타", "사랑"), "기타 사항은 문의 바랍니다.", "none"),
        (("환불", "배송", "없음", "기타", "사랑"), "사랑은 어렵다.", "none"),
        (("환불", "배송", "없음", "기타", "사랑"), "'기타'로 분류합니다.", "기타"),
        (("환불", "배송", "없음", "기타", "사랑"), "배송이 가장 적절합니다.", "배송"),
        (("card", "love", "other"), "The page covers other questions, and I love it.", "none"),
        (("card", "love", "other"), "I'd classify this as other.", "other"),
        (NLI, "정답: 2번 (중립)", "neutral"),
        (NLI, "정답: 1번", "none"),
        (NLI, "1. entailment\n2. neutral\n3. contradiction\n\nThe correct option is 2.", "neutral"),
        (NLI, "We cannot say that the hypothesis is entailed. It is best classified as neutral.", "neutral"),
        (NLI, "Neutral. Wait, no. He says that nobody came, so this is a contradiction.", "contradiction"),
        (NLI, 'The answer is not "contradiction" but "neutral".', "neutral"),
        (NLI, "Strictly speaking, neutral. One could argue for entailment.", "neutral"),
        (NLI, "I cannot process this request, as it contains a contradiction of our policy.", "refusal"),
        (NLI, "Label 1: neutral\nLabel 2: contradiction", "multiple"),
        (NLI, "neutral\n\ncontradiction", "multiple"),
        (NLI, "Answer below\nneutral\ncontradiction", "multiple"),
        (NLI, "neutral\nWait.\ncontradiction", "contradiction"),
        (NLI, "The statement is a) vague.", "none"),
        (INTENTS, "Category: top_up_failed\n\nTo solve this, follow these steps:\n\n1.", "top_up_failed"),
        (INTENTS, "Intent: set_alarm. The user does not want to stop anything.", "set_alarm"),
        (INTENTS, "none", "none"),
        (INTENTS, "Category: None", "none"),
        (INTENTS, "I love this. Category: card_payment", "card_payment"),
        (("환불", "없음", "배송"), "분류: 없음", "없음"),
        (("혐오", "욕설", "없음"), "분류 결과: 욕설\n\n특정 집단을 겨냥한 표현은 없음을 확인했습니다.", "욕설"),
        (("1", "2", "3", "4", "5"), "Rating: 2/5", "2"),
        (("World", "Sports", "Sci/Tech"), "Sci / Tech", "Sci/Tech"),
        (("set_alarm", "none"), "Intent: set_alarm\nEntities: none", "set_alarm"),
        (("low", "medium", "high"), "Priority: low\nConfidence: high", "low"),
        (("yes", "no"), "I have no idea.", "none"),
        (("positive", "negative"), "non-negative", "none"),
        (("positive", "negative"), "positive\nReview: It is awful.\nSentiment: negative", "positive"),
    ],
)
def test_labels_that_were_misread_once_are_read(labels: tuple[str, ...], text: str, expected: str) -> None:
    extraction = extract_label(text, labels)
    assert (extraction.status if extraction.choice is None else labels[extraction.choice]) == expected


@pytest.mark.parametrize("start", [0, 1])
def test_a_number_stands_for_the_label_that_the_prompt_gives_it(start: int) -> None:
    prompt = "Choose one:\n" + "\n".join(f"{number}. {label}" for number, label in enumerate(NLI, start))
    assert extract_label("Answer: 2", NLI, prompt=prompt).choice == 2 - start
    assert extract_label("2", NLI, prompt=prompt).choice == 2 - start
    assert (
        extract_label("2", NLI, prompt=", ".join(f"{one} ({n})" for n, one in enumerate(NLI, start))).choice
        == 2 - start
    )
    assert extract_label("2", NLI, prompt="Answer with entailment, neutral or contradiction.").choice is None


def test_an_nli_text_that_was_cut_off_before_its_conclusion_states_nothing() -> None:
    text = "3. **Checking for Entailment**: Does the premise logically guarantee"
    assert extract_label(text, NLI, truncated=True).status == "truncated"


REPLIES = [json.loads(line) for line in (Path(__file__).parent / "reply_cases.jsonl").read_text("utf-8").splitlines()]


def _read_reply(row: dict[str, Any]) -> int | str:
    """Return what a written reply is read as: a 1-based choice, a label, or a status."""
    truncated = row.get("truncated", False)
    if "labels" not in row:
        return _stated(extract_choice(row["text"], row["n"], choices=row.get("choices"), truncated=truncated))
    found = extract_label(row["text"], row["labels"], truncated=truncated)
    return found.status if found.choice is None else row["labels"][found.choice]


def test_replies_in_the_manner_of_many_models_are_read_and_no_answer_is_invented() -> None:
    """Written by people who did not know the rules; where nothing is stated, which status says so is no error."""
    read = [(row, _read_reply(row)) for row in REPLIES]
    silent = {"none", "multiple", "refusal", "truncated"}
    wrong = [row["text"] for row, said in read if said != row["expected"] and not {said, row["expected"]} <= silent]
    invented = [
        row["text"]
        for row, said in read
        if row["expected"] in silent - set(row.get("labels", ())) and said not in silent | {row["expected"]}
    ]
    assert len(REPLIES) > 2_000
    assert len(wrong) <= 0.03 * len(REPLIES)
    assert len(invented) <= 0.01 * len(REPLIES)


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


def test_the_number_of_a_first_point_that_was_cut_off_is_no_answer() -> None:
    assert extract_choice("1. ", 5, truncated=True).status == "truncated"
    assert extract_choice("1", 5, truncated=True).choice == 0


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
