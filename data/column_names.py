"""What tables call their columns: the names by which a column's role is known, the likeliest first.

A column's name in, its plain form out: case, spaces, "-" and "_" make no difference, and a plural is its singular.
"""

import re
from collections.abc import Iterable, Sequence

from data.common.text import normalised

LABELS = (
    "labelname", "labeltext", "label", "category", "class", "intent", "target", "gold", "goldlabel", "sentiment",
    "topic", "tag", "emotion", "department", "type", "y", "라벨", "레이블", "분류", "카테고리", "유형", "의도", "감정",
)  # fmt: skip
TEXTS = (
    "text", "sentence", "utterance", "message", "query", "content", "review", "document", "comment", "question", "q",
    "description", "body", "title", "headline", "subject", "tweet", "input", "x", "문장", "텍스트", "본문", "내용",
    "질문", "문의", "리뷰", "제목", "발화",
)  # fmt: skip
PAIRS = (
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("texta", "textb"), ("text1", "text2"),
    ("question1", "question2"), ("passage", "question"), ("paragraph", "question"), ("context", "question"),
    ("subject", "body"), ("subject", "description"), ("subject", "message"), ("title", "body"),
    ("title", "description"), ("title", "text"), ("a", "b"), ("제목", "내용"), ("제목", "본문"),
)  # fmt: skip
QUESTIONS = (
    "question", "ctx", "query", "stem", "problem", "input", "startphrase", "goal", "sentence", "문제", "질문", "발문",
)  # fmt: skip
CHOICES = ("choices", "options", "endings", "candidates", "선택지", "보기")
ANSWERS = (
    "answer", "answerkey", "answeridx", "answerindex", "correct", "correctanswer", "correctoption", "label", "gold",
    "target", "정답", "답",
)  # fmt: skip
CONTEXTS = ("context", "passage", "paragraph", "article", "premise", "background", "story", "support", "지문", "제시문")
# One choice of several columns: its key is the letter or the number.
ONE_CHOICE = re.compile(r"(?:choice|option|opt|answer|ending|alternative|sol|선택지|보기)?([a-j]|\d{1,2})")
_KNOWN = frozenset(name for names in (LABELS, TEXTS, QUESTIONS, CHOICES, ANSWERS, CONTEXTS) for name in names)
_LONG = 3  # letters of an English name that may be the end of a longer one; Korean ones have two


def plain_name(name: str) -> str:
    """Return a column's name without what makes no difference."""
    return re.sub(r"[\s_\-]+", "", normalised(name)).casefold()


def is_known(name: str) -> bool:
    """Say whether a text is a name that tables give their columns; one letter alone is not enough to tell."""
    plain = plain_name(name)
    return len(plain) > 1 and (plain in _KNOWN or plain.removesuffix("s") in _KNOWN)


def by_name(columns: Iterable[str], names: Sequence[str], taken: set[str], *, ends: bool = False) -> str | None:
    """Return the column that has the first of some names, or its plural; None where none has.

    Args:
        columns: The columns to choose from.
        names: Plain names, the likeliest first.
        taken: Columns that have another role.
        ends: Also take a column whose name ends with one of the names: "issue_category", "문의유형".
    """
    plain: dict[str, str] = {}
    for column in columns:
        if column not in taken:
            plain.setdefault(plain_name(column), column)
    for name in names:
        if found := plain.get(name) or plain.get(f"{name}s"):
            return found
    if not ends:
        return None
    long = [name for name in names if len(name) > _LONG or not name.isascii()]
    return next((column for name in long for key, column in plain.items() if key.endswith(name)), None)
