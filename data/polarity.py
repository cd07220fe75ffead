"""Whether a multiple-choice question asks for the one wrong choice: "적절하지 않은 것은?", "Which is NOT true?".

In comes a question's text; out comes what it asks for, as far as its words tell.
"""

import re

# A question ends in a topic ("… 적절한 것은?") or in what is to be done ("… 고르면?"). Another may be quoted in it,
# and more text may follow it.
_ASKED = re.compile(r".*?(?:[은는]|고르면|고르시오|고르세요)(?=\s*(?:[?？]|\[\s*\d점\s*\]|[.:]?\s*$))", re.DOTALL)
# The word before what is asked for decides: "적절하지 않은 것은", "답을 찾을 수 없는 질문은", "가장 거리가 먼 것은",
# "잘못 이해한 사람은", "옳지 않은 것만을 있는 대로 고른 것은".
_NEGATIVE = re.compile(
    r"(?:않[은는]|아닌|없는|못한|못하는|틀린|부적절한|부적합한|어긋난|어긋나는|벗어난|기 어려운|(?:^|\s)먼"
    r"|잘못된|잘못 \S+)\s*(?:\S{1,6}|것\S{0,3}\s.{0,20}(?:고[른르]|짝지은|묶은)\S*(?:\s*것은)?)\s*$"
)
_NEGATIVE_EN = re.compile(
    r"\b(?:NOT|EXCEPT)\b|(?i:\bwhich (?:\w+ ){1,6}(?:is|are) (?:not|incorrect|false|least)\b|\bexcept\W*$)"
)


def asks_for_the_wrong_one(question: str) -> bool | None:
    """Tell whether a question asks for the choice that does not fit; None where its words do not tell."""
    topic = _ASKED.match(question)
    if topic is None and not re.search("[가-힣]", question):
        return True if _NEGATIVE_EN.search(question) else None
    return _NEGATIVE.search(topic[0] if topic else question.split("?")[0]) is not None
