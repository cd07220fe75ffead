"""Whether a question asks for the choice that does not fit is told from its words, in both languages."""

import pytest

from data.polarity import asks_for_the_wrong_one


@pytest.mark.parametrize(
    "question",
    [
        "Which is least likely?",
        "Which of the following is the least appropriate title?",
        "The author would be least likely to agree with which of the following?",
        "Which of the following is not true?",
        "Which of the following statements about plants isn't true?",
        "Which statement cannot be inferred from the passage?",
        "Which of these can't be concluded?",
        "What can not be inferred?",
        "Which one is incorrect?",
        "Which of the following is a false statement?",
        "Which statement is factually wrong?",
        "Which of the following would not be an example of recycling?",
        "Which of the following does the author not mention?",
        "Which of these does not belong?",
        "Which sentence is punctuated incorrectly?",
        "Which of the following fails to support the claim?",
        "All of the following are mentioned except",
        "Each of these is a mammal, except:",
        "All of the following are true EXCEPT one. Which is it?",
        "Which of these is the odd one out?",
        "Identify the incorrect statement.",
        "Choose the option that does not agree with the passage.",
        "Who is not a character of the story?",
        "다음 중 가장 적절하지 않은 것은?",
        "다음 중 옳지 않은 것은 무엇인가?",
        "윗글의 내용과 일치하지 않는 것을 고르시오.",
        "윗글에 대한 설명으로 틀린 것을 찾으시오.",
        "다음 중 적절하지 않은 것을 하나 고르세요.",
        "옳지 않은 것을 모두 고르면?",
        "다음 중 사실이 아닌 것은 어느 것입니까?",
        "일어날 가능성이 가장 낮은 것은?",
        "글의 주제와 관련이 적은 것은?",
        "성격이 나머지와 다른 것은?",
        "어법상 어색한 문장은?",
        "윗글의 관점과 상충되는 것은?",
        "추론이 불가능한 것은?",
        "문맥에 안 맞는 것은?",
    ],
)
def test_what_asks_for_the_wrong_one(question: str) -> None:
    assert asks_for_the_wrong_one(question) is True


@pytest.mark.parametrize(
    "question",
    [
        "Which is most likely?",
        "Which is at least likely to be seen once?",
        "Which is the least common multiple of 4 and 6?",
        "Which of the following is not incorrect?",
        "Which explains why ice does not sink?",
        "Which is true of animals that do not migrate?",
        "Which is true if the surface is not level?",
        "Which process is used by plants but not by animals?",
        "The switch is not closed. Which lamp is on?",
        "Which of these is true? Do NOT use a calculator.",
        "What is the output of a NOT gate?",
        "Which of the following is not only a metal?",
        "다음 중 가장 적절한 것은 무엇인가?",
        "가장 적절한 것을 고르시오.",
        "옳지 않은 문장을 바르게 고친 것을 고르시오.",
        "잘못된 표기를 고친 것으로 알맞은 것은?",
        "가능성이 가장 높은 것은?",
        "밑줄 친 부분과 의미가 다른 낱말이 쓰인 문장으로 적절한 것은?",
    ],
)
def test_what_asks_for_the_right_one_or_does_not_tell(question: str) -> None:
    assert not asks_for_the_wrong_one(question)
