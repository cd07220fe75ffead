"""Which questions of an exam stand alone, although they are filed under a passage and nothing in the file says so.

Some exams file questions of grammar, which have no passage, under the passage before them: an answer would be looked
for in a text that is not theirs. In comes a parsed exam without faults, out come the numbers of such questions.

A question is taken for one only where nothing speaks for the passage: it names no text, it uses no mark (㉠, [A], (가))
that is not in its own material, quotes nothing of the passage, and shares few words with it. And something must speak
against the passage: that the paragraph's id names the questions that it is for ("8-10"), and this is another; or that
the question is one of grammar, brings its own material, and the passage is not about its terms.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NotRequired, TypedDict

GRAMMAR = 3  # the type of a single problem of grammar or vocabulary
# The share of a question's words that its passage may have. Of the questions of five exams that are about their passage
# and name nothing of it, all have 0.31 or more; of 22 in seven exams that stand alone, one has 0.27, the others 0.15 or
# less.
FEW, SOME = 0.25, 0.4
ENOUGH = 5  # different words

_NAMED_TEXT = re.compile(
    r"윗\s?글|(?<![가-힣])위\s+[가-힣]|(?<![가-힣])이 글|본문|지문|제시문|글쓴이|초고|문맥|화자|작품"
    r"|발표|강연|연설|방송|대화|토론|토의|회의|면담|인터뷰|협상"
)
_OWN_TEXT = re.compile(r"(?:다음(?:의)?|[<〈]\s*보기\s*[>〉](?:의)?)\s+\S+")  # "다음 대화의", "<보기>의 대화에서"
_ELSEWHERE = re.compile(r"다음(?!\s*중)|보기|자료")  # is in the passage where the question brings nothing
_MARK = re.compile(r"[㉠-㉻ⓐ-ⓩ]|\[[A-Z가-하]\]|\([가-하]\)")
_QUOTED = re.compile(r"[‘'“\"<〈「『]([^‘'“\"<〈「『’”>〉」』]{2,30})[’'”\">〉」』]")
_WORD = re.compile(r"[가-힣]{2,}")
_TERM = re.compile(
    "음운|음절|형태소|품사|어근|어간|어미|접사|접두|접미|조사|합성어|파생어|복합어|문장 ?성분|서술어|주어|목적어|보어"
    "|부사|관형|명사|수사|동사|형용사|감탄사|용언|체언|안긴|안은|이어진 ?문장|겹문장|홑문장|사동|피동|높임|시제"
    "|부정 표현|발음|맞춤법|띄어쓰기|표기|로마자|외래어|받침|자음|모음|된소리|비음|유음|구개음|거센소리|두음|사잇소리"
    "|국어사전|표제어|뜻풀이|다의어|동음이의|반의|유의어|중세 ?국어|근대 ?국어|현대 ?국어|훈민정음"
    "|문법|비문|어법|단어|활용형"
)


class Problem(TypedDict):
    """A problem of an exam file without faults.

    Attributes:
        answer: The number of the right choice, from 1.
        score: Points.
        question_plus: What the question shows beside the passage (보기), in some exams as a list of parts.
        no_paragraph: 1 where it is asked without the passage that it is filed under, 0 where with it.
        type: 3 for a question of grammar or vocabulary.
    """

    question: str
    choices: list[str]
    answer: int
    score: float
    question_plus: NotRequired[str | list[str] | None]
    no_paragraph: NotRequired[int]
    type: NotRequired[int]


class Paragraph(TypedDict):
    """A passage of an exam file without faults, with its problems; `type` is its section."""

    id: str
    paragraph: str
    problems: list[Problem]
    type: NotRequired[int]


def extra_text(problem: Problem) -> str:
    """Return what the question shows beside the passage."""
    extra = problem.get("question_plus") or ""
    return "\n".join(part.strip() for part in extra) if isinstance(extra, list) else extra.strip()


def standing_alone(exam: Sequence[Paragraph]) -> list[int]:
    """Return the numbers, from 1 over the whole exam, of the questions that are not about the passage they are under.

    What a file says itself holds: a problem with "no_paragraph", 0 or 1, is never among them.
    """
    return [
        number
        for number, paragraph, problem, is_beyond in _filed(exam)
        if "no_paragraph" not in problem and _is_alone(problem, paragraph["paragraph"], is_beyond=is_beyond)
    ]


def _filed(exam: Sequence[Paragraph]) -> Iterator[tuple[int, Paragraph, Problem, bool]]:
    """Yield each question's number, its paragraph, itself, and whether the paragraph is for others by its id."""
    number = 0
    for place, paragraph in enumerate(exam):
        first, last = _numbers(paragraph)
        following = _numbers(exam[place + 1])[0] if place + 1 < len(exam) else last + 1
        is_numbered = first == number + 1 and first < last < following
        for problem in paragraph["problems"]:
            number += 1
            yield number, paragraph, problem, is_numbered and number > last


def _numbers(paragraph: Paragraph) -> tuple[int, int]:
    """Return the first and the last question that a paragraph's id names ("2019_11_KICE_8-10"); (0, 0) for none."""
    named = re.search(r"(?<!\d)(\d{1,3})\s*[-~～–]\s*(\d{1,3})$", paragraph["id"].strip())
    return (int(named[1]), int(named[2])) if named else (0, 0)


def _is_alone(problem: Problem, passage: str, *, is_beyond: bool) -> bool:
    asked, _, after = problem["question"].partition("?")
    own = "\n".join([extra_text(problem), after.replace("[3점]", "")]).strip()
    said = "\n".join([own, *problem["choices"]])
    if not passage.strip() or _refers(asked, passage, own):
        return False
    if is_beyond:
        return _share(_WORD.findall(said), passage) < SOME
    terms = _TERM.findall(f"{asked}\n{said}")
    if not (terms or problem.get("type") == GRAMMAR) or (not own and _ELSEWHERE.search(asked)):
        return False
    is_about_them = 2 * sum(term in passage for term in set(terms)) >= max(1, len(set(terms)))
    return not is_about_them and _share(_WORD.findall(said), passage) < FEW


def _refers(asked: str, passage: str, own: str) -> bool:
    """Say whether a question names a text, has a mark that is not in its own material, or quotes the passage."""
    if _NAMED_TEXT.search(_OWN_TEXT.sub(" ", asked)) or any(mark not in own for mark in _MARK.findall(asked)):
        return True
    return any(word in passage and word not in own and word != "보기" for word in _QUOTED.findall(asked))


def _share(words: list[str], passage: str) -> float:
    """Return the share of the words that the passage has, endings of up to two letters aside; 1 of too few to tell."""
    distinct = set(words)
    found = [word for word in distinct if any(word[:end] in passage for end in range(len(word), _stem(word) - 1, -1))]
    return len(found) / len(distinct) if len(distinct) >= ENOUGH else 1.0


def _stem(word: str) -> int:
    return max(2, len(word) - 2)
