"""Answers that stand alone: a leading answer line, a last line, one reference in bold.

A line that begins with a reference may also be one point of a discussion ("1번: … 2번: …"), so each rule looks at the
other lines before it takes one for an answer. All read canonical text (see `chains.references`).
"""

import re
from typing import NamedTuple

from chains.references import canonical, list_at
from chains.statements import Statement

# A word before the answer that says nothing: "네, 3번입니다."
_INTERJECTION = (
    r"(?:\.{2,3} ?|…|(?i:네|예|음|아마도?|글쎄요?|그럼|yes|no|sure|okay|ok|well|hmm|so|let's see"
    r"|확실히|분명히?|따라서|그러므로|결국|제 생각에는?|therefore|thus|hence"
    r"|definitely|certainly|clearly|surely|(?:most |very )?(?:likely|probably)|perhaps|maybe)[,.!… ]+){0,2}"
)
# "Option 4 mentions …" speaks of a choice and does not choose it.
_SPEAKS_OF_IT = (
    r"(?:is|was|and|or|says|states|mentions|describes|contains|discusses|refers|suggests|implies|claims|talks"
    r"|seems|appears"
    r"|looks|focuses|presents|contradicts|matches|addresses|does|has|can|may|might|could|would|should|같지만|같으나)\b"
)
_OPEN = _INTERJECTION + r"(?:[Tt]he )?[\"'“‘「(<\[]{0,2}"
_REST_ALONE = (
    r"[\"'”’」)\]>}]{0,2}(?: ?번)?"
    r"(?:입니다|이다|이에요|예요|이요|임|요|(?:인|일) 것(?: 같(?:습니다|다)|입니다|이다)|(?: [-–—:])?)[.!?,: ]{0,3}$"
)
_STRONG = re.compile(
    rf"{_OPEN}⟦(\d+)⟧(?:(?P<alone>{_REST_ALONE})"
    rf"|[\"'”’)\]]{{0,2}}(?: ?[-–—:.)|(→=/]|,(?! ?⟦)| (?!{_SPEAKS_OF_IT})|입니다|이다))"
)
_WEAK = re.compile(
    rf"{_OPEN}(?:(\d{{1,2}})|([A-Ha-h]))(?:(?P<alone>{_REST_ALONE})"
    r"|[.)\]:]{1,2} (?!(?:is|was|and|or)\b)| [-–—:] |, (?:because|since|as) )"
)
_CHOICE_LIST_END = re.compile(
    r"[\"'”’)\]]{0,2}(?:입니다|이다|번|임|(?:인|일) 것(?: 같(?:습니다|다)|입니다|이다)| 중 하나(?:입니다"
    r"|이다)?)?[.! ]{0,3}$"
)
_EITHER = re.compile(r"(?i:either )?")
_SAYS_MORE = re.compile(r"정답[은:이]|(?<![가-힣])답은|(?i:\banswer (?:is|:))")
_BOLD = re.compile(r"\*\*\s?([^*\n]{1,12}?)\s?\*\*(?!\s?(?:문단|문장|단락|개|년|점|학년|세기|[:：]))")


_REASON = re.compile(r"(?i)(?:이유|근거|해설|설명|풀이|왜냐|reason|explanation|because|why|rationale)")
_ASSERTED = re.compile(r"⟦\d+⟧(?:입니다|이다|이에요|예요|임)[.!]")
_MARKED = re.compile(
    r"(?i)(?:[(\[]|←|⇐|<-+|<=|--?>?|[–—]) ?(?:(?:이것이|the) )?(?:정답|답|correct(?: answer)?|answer)[)\].!]{0,2}$"
)


class Head(NamedTuple):
    """A line that begins with a reference: its place, its 1-based choice, and whether it holds nothing else."""

    line: int
    choice: int
    alone: bool
    strong: bool


def heads(lines: list[str]) -> list[Head]:
    """Find the lines that begin with a reference followed by an end, a separator or a text.

    Args:
        lines: Lines of canonical text.
    """
    found = []
    for number, line in enumerate(lines):
        strong = _STRONG.match(line)
        match = strong or _WEAK.match(line)
        if match is None:
            continue
        letter = None if strong else match[2]
        if letter and line[0] == "[" and match["alone"] is None:  # "[A] : …" is a part of the passage
            continue
        choice = ord(letter.upper()) - 64 if letter else int(match[1])
        found.append(Head(number, choice, match["alone"] is not None, strong is not None))
    return found


def _line_list(line: str) -> tuple[int, ...]:
    """Return the choices of a line that lists two or more and says nothing else."""
    found = list_at(line, _EITHER.match(line).end())  # type: ignore[union-attr]  # it matches nothing, too
    return found[0] if found and len(found[0]) > 1 and _CHOICE_LIST_END.match(line, found[1]) else ()


def leading_line(text: str, *, truncated: bool) -> list[Statement]:
    """Read an answer that the text opens with: "3번", "3번 - <its text>", "C. <its text>".

    Args:
        text: Canonical text.
        truncated: What follows was cut off, so that "1번: …" may be the first of five points.
    """
    lines = text.split("\n")
    if listed := _line_list(lines[0]):
        return [Statement(0, listed, "leading")]
    found = heads(lines)
    if not found or found[0].line != 0:
        return []
    first, following = found[0], found[1] if len(found) > 1 else None
    restarts = following is not None and not following.alone and following.choice in (1, first.choice)
    if (not first.alone and _SAYS_MORE.search(lines[0])) or _next_point(lines[0], first.choice):
        return []
    if following and not restarts:
        only_lines = len(found) == len(lines) and not _counts_up(found)
        return [Statement(0, tuple(dict.fromkeys(head.choice for head in found)), "leading")] if only_lines else []
    # "1. 문제를 파악한다" opens a plan; "1번: …" cut off opens a discussion.
    if not first.alone and (
        (truncated and first.choice == 1)
        or (not first.strong and len(lines) > 1 and _numbers(lines[0]) and not _REASON.match(lines[1]))
    ):
        return []
    return [Statement(0, (first.choice,), "leading")]


def _next_point(line: str, choice: int) -> bool:
    """Tell whether the line goes on to the next choice, as in "1번: 적절하다. 2번: 적절하다."."""
    if _ASSERTED.match(line):
        return False
    return (
        re.search(rf"[.,;)] ?(?:⟦{choice + 1}⟧|\b{choice + 1}|\b{chr(65 + choice)}) ?[:.)(은는-]", line[4:]) is not None
    )


def _counts_up(found: list[Head]) -> bool:
    """Tell whether the heads number the points of a discussion: 1, 2, …, with a text behind each."""
    points = found[:-1] if found[-1].alone else found  # the answer may stand below them
    in_order = all(head.choice == place for place, head in enumerate(points, 1))
    return in_order and not all(head.alone for head in points)


def _numbers(line: str) -> bool:
    return line[:1].isdigit()


def marked_line(text: str) -> list[Statement]:
    """Read the only choice of a list that is marked as the answer: "③ 부적절 ← 정답", "3. X (정답)".

    Args:
        text: Canonical text.
    """
    lines = text.split("\n")
    marked = [head.choice for head in heads(lines) if _MARKED.search(lines[head.line])]
    return [Statement(0, (marked[0],), "marked")] if len(marked) == 1 else []


def last_line(text: str, *, truncated: bool) -> list[Statement]:
    """Read a reference that stands alone on the last line, or on the only line that holds nothing else.

    Args:
        text: Canonical text.
        truncated: The last line may be the start of something else, so it does not count.
    """
    lines = text.split("\n")
    if not truncated and (listed := _line_list(lines[-1])):
        return [Statement(0, listed, "last-line")]
    found = heads(lines)
    alone = [head for head in found if head.alone and not (truncated and head.line == len(lines) - 1)]
    if not alone:
        return []
    last = alone[-1]
    earlier = [head for head in found if head.line < last.line and head.strong == last.strong]
    heads_a_point = bool(earlier) and earlier[-1].choice == last.choice - 1
    if heads_a_point or (last.line != len(lines) - 1 and len({head.choice for head in alone}) > 1):
        return []
    if last.line != len(lines) - 1 and any(head.choice != last.choice and head.strong for head in found):
        return []
    return [Statement(0, (last.choice,), "last-line")]


def bold_reference(text: str) -> list[Statement]:
    """Read the only choice that is set in bold: "I would go for **3** here".

    Args:
        text: The visible text with its markup.
    """
    choices = set()
    for bold in _BOLD.finditer(text):
        found = heads([canonical(bold[1])])
        if found and found[0].alone:
            choices.add(found[0].choice)
    return [Statement(0, (choices.pop(),), "bold")] if len(choices) == 1 else []
