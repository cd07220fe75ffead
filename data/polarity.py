"""Whether a multiple-choice question asks for the one wrong choice: "적절하지 않은 것은?", "Which is NOT true?".

In comes a question's text; out comes what it asks for, as far as its words tell.
"""

import re

# A question ends in a topic ("… 적절한 것은?"), or in what is to be done ("… 고르면?"), and may name what it asks for
# ("… 것은 무엇인가?"). Another may be quoted in it, and more text may follow it.
_DONE = r"(?:고르|찾으|쓰|말하)(?:면|시오|세요|십시오|라)|골라\S*"
_NAMED = r"(?:\s*(?:무엇|어느|누구|몇)[^?？\n]{0,8})?"
_ASKED = re.compile(
    rf".*?(?:[은는](?={_NAMED}\s*(?:[?？]|\[\s*\d점\s*\]|[.:]?\s*$))|(?:{_DONE})(?=\s*(?:[?？]|\[\s*\d점\s*\]|[.:]?\s*$)))",
    re.DOTALL,
)
# The word before what is asked for decides: "적절하지 않은 것은", "답을 찾을 수 없는 질문은", "가장 거리가 먼 것은",
# "잘못 이해한 사람은", "옳지 않은 것만을 있는 대로 고른 것은".
_NEGATIVE = re.compile(
    r"(?:않[은는]|아닌|없는|못한|못하는|틀린|그른|거짓인|(?:^|\s)안 \S+|부(?:적절|적합|적당|정확)한|부자연스러운|어색한"
    r"|불가능한|무관한|예외(?:인|적인)|어긋난|어긋나는|벗어난|위배되는|모순[된되]는?|상충[된되]는?|기 어려운|(?:^|\s)먼"
    r"|(?:가능성|관련|관련성|관계|연관성)[이가은는도]? (?:가장 )?(?:적은|낮은)"
    r"|(?:나머지|넷|셋)[와과]는? (?:\S+ ){0,2}다른"
    r"|잘못된|잘못 \S+)\s*(?:\S{1,6}|것\S{0,3}\s.{0,20}(?:고[른르]|짝지은|묶은)\S*(?:\s*것은)?"
    rf"|\S{{1,6}}\s+(?:(?:하나|모두)\S*\s+)?(?:{_DONE}))\s*$"
)

# English asks by the verb that "which" belongs to: "Which … is not …", "What cannot be …". What is said in a clause of
# its own ("Which explains why ice does not sink?") is no part of it.
_AUXILIARY = "is|are|was|were|has|have|had|do|does|did|can|could|may|might|must|should|would|will"
_PLAIN = rf"(?!(?:{_AUXILIARY}|cannot|that|who|whose|why|how|when|where|if|because|but|and|or|as)\b)[\w'’-]+\s+"
_UNFIT = r"(?:incorrect(?:ly)?|false(?:ly)?|untrue|wrong(?:ly)?|in(?:accurate|valid|appropriate|consistent|compatible)"
_UNFIT += r"|unlikely|unsupported|unrelated|irrelevant|impossible)\b"
_DOUBLE = rf"(?!\s+(?:only\b|{_UNFIT}))"  # "not incorrect" is correct
_NOT = rf"(?:not\b{_DOUBLE}|never\b)"
_NEGATED = (
    rf"(?:cannot|(?:{_AUXILIARY})n['’]t|can['’]t|won['’]t)\b{_DOUBLE}"
    rf"|(?:{_AUXILIARY})\s+(?:{_NOT}|(?:(?:be|clearly|most|likely|probably|definitely|factually)\s+)*(?:an?\s+|the\s+)?{_UNFIT})"
    rf"|(?:do|does|did|can|could|should|would|will)\s+(?:{_PLAIN}){{1,4}}{_NOT}"
    rf"|(?:is|are|was|were)\s+\w+\s+(?:incorrectly|wrongly)\b|fail(?:s|ed)?\s+to\b"
)
_FIT = "likely|appropriate|suitable|true|accurate|correct|supported|consistent|compatible|helpful|useful|effective"
_FIT += "|relevant|related|important|plausible|probable|representative|applicable|accurately|adequately|well|directly"
_NEGATIVE_EN = re.compile(
    rf"\bNOT\b(?!\s+(?:gate|operator))|(?i:\b(?:which|who|what)\s+(?:{_PLAIN}){{0,8}}(?:{_NEGATED})"
    rf"|(?<!at )\bleast\s+(?:{_FIT})\b|\b(?:all|each|any|every)\b.{{0,200}}\bexcept\b|\bexcept\W*$|\bodd one out\b"
    r"|\b(?:choose|select|pick|find|identify|mark|indicate|name)\s+(?:the|an?)\s+"
    rf"(?:(?:{_PLAIN}){{0,2}}{_UNFIT}|(?:{_PLAIN}){{1,5}}(?:that|which)\s+(?:{_NEGATED})))",
    re.DOTALL,
)


def asks_for_the_wrong_one(question: str) -> bool | None:
    """Tell whether a question asks for the choice that does not fit; None where its words do not tell."""
    topic = _ASKED.match(question)
    if topic is None and not re.search("[가-힣]", question):
        return True if "EXCEPT" in question or _NEGATIVE_EN.search(_asking(question)) else None
    return _NEGATIVE.search(topic[0] if topic else question.split("?")[0]) is not None


def _asking(question: str) -> str:
    """Return the sentences of an English question that ask: those with a question mark, else the last."""
    sentences = re.split(r"(?<=[?.!])\s+", question.strip())
    return " ".join([one for one in sentences if "?" in one] or sentences[-1:])
