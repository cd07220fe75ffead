"""Answers that stand alone in canonical text: a leading answer line, a last line, one reference in bold.

A line that begins with a reference may also be one point of a discussion ("1번: … 2번: …"), so each rule looks at the
other lines before it takes one for an answer.
"""

import re
from typing import Literal, NamedTuple

from chains.reading.references import IS_KO, list_at
from chains.reading.statements import Statement, revision_places

# A word before the answer that says nothing: "네, 3번입니다."
_INTERJECTION = (
    r"(?:\.{2,3} ?|…|(?i:네|예|음|아마도?|글쎄요?|그럼|yes|no(?=[,.!])|sure|okay|ok|well|hmm|so|let's see|확실히"
    r"|분명히?|따라서|그러므로|결국|제 생각에는?|therefore|thus|hence|definitely|certainly|clearly|surely|(?:most "
    r"|very )?(?:likely|probably)|perhaps|maybe)[,.!… ]+){0,2}"
)
# "Option 4 mentions …" speaks of a choice and does not choose it.
_SPEAKS_OF_IT = (
    r"(?:is|was|and|or|says|states|mentions|describes|contains|discusses|refers|suggests|implies|claims|talks|seems"
    r"|appears|looks|focuses|presents|contradicts|matches|addresses|does|has|can|may|might|could|would|should|같지만"
    r"|같으나)\b"
)
_OPEN = rf"{_INTERJECTION}(?:[Tt]he )?[\"'(<\[]{{0,2}}"
_IS = rf"{IS_KO}|[인일] 것(?: 같(?:습니다|다)|입니다|이다)"
_REST_ALONE = rf"[\"')\]>}}]{{0,2}}(?: ?번|적| ?관계)?(?:{_IS}|이?요|(?: [-–—:])?)[^\w\n⟦%]{{0,3}}$"
_STRONG = re.compile(
    rf"{_OPEN}⟦(\d+)⟧(?:(?P<alone>{_REST_ALONE})|[\"')\]]{{0,2}}(?: ?[-–—:.)|(→=/]|,(?! ?⟦)| (?!{_SPEAKS_OF_IT})"
    r"|입니다|이다))"
)
_WEAK = re.compile(
    rf"{_OPEN}(?:(\d{{1,2}})|([A-Ha-h]))(?:(?P<alone>{_REST_ALONE})|[.)\]:]{{1,2}} (?!(?:is|was|and|or)\b)| [-–—:] "
    r"|, (?:because|since|as) )"
)
# A label's name: it opens a line also without a mark of its own, so more has to close it.
_NAME = re.compile(
    rf"{_OPEN}⟦~?(\d+)⟧(?:(?P<alone>{_REST_ALONE})|[\"')\]]{{0,2}} ?(?:[-–—]|[.:,;]) (?!(?:is|was|and|or)\b)| ?\(|\] )"
)
_CHOICE_LIST_END = re.compile(rf"[\"')\]]{{0,2}}(?:{_IS}|번| 중 하나(?:입니다|이다)?)?[.! ]{{0,3}}$")
_SAYS_MORE = re.compile(r"정답[은:이]|(?<![가-힣])답은|(?i:\banswer (?:is|:))")
_REASON = re.compile(r"(?i)(?:이유|근거|해설|설명|풀이|왜냐|reason|explanation|because|why|rationale)")
_ASSERTED = re.compile(rf"⟦\d+⟧{IS_KO}[.!]")
# "⟦1⟧ 적절하다. ⟦2⟧ 적절하다. ⟦3⟧ …", "(a) … (b) …": every choice is judged, or the points of an explanation.
_WALK = re.compile(
    r"\W{0,3}⟦1⟧(?:[^⟦]*[^⟦,와과 ] ?[^⟦\w]?\s?⟦2⟧[^⟦]*⟦3⟧| (?:먼저|우선|(?i:first|to begin)\b)"
    r"|[^⟦]*⟦2⟧ (?:다음|이어|(?i:then|next)\b))|\([aA]\) .*\([bB]\) |A[).:] .*\bB[).:] .*\bC[).:] "
)
_KEY = re.compile(
    r"(?:[가-힣]{2,6}|[^\W\d]{3,12})(?: [^\W\d]{1,12}){0,2} ?: ?|[^\n:⟦]{3,80}(?:: ?"
    r"| (?!not|or|and|of|no|nor|but)[^\W\d]{1,3} |letra )(?=\(?[A-J]\)?[.!]?$)|[^⟦]{0,12}(?=⟦\d+⟧[^⟦]{0,6}$)"
)
_NO_KEY = re.compile(
    r"(?i)step|page|paragraph|section|part|chapter|level|point|score|confiden|question|passage|number|note|group|단계"
    r"|문[단항제장]|쪽|점수|배점|확신|신뢰|난이도|번호|보기|지문|해설|오답|wrong|option|choice|선택지|선지|eliminat"
    r"|\b(?:could|might|may|would)\b"
)
_KEY_END = re.compile(r"[)\]]?[.!]?(?:$|,| because| [-–—(])|[)\]] ")
_RIGHT = re.compile(r"(?i)\W{0,3}(?:⟦\d+⟧|[A-J])[).:]? ?(?:정답|correct(?: answer)?|right)(?:입니다)?[.!:]")
_MARKED = re.compile(
    r"(?i)(?:[(\[←⇐–—]|<-+|<=|--?>?) ?(?:(?:이것이|the) )?(?:정?답|correct|(?:correct )?answer)[)\].!]{0,2} ?\|?$"
)


class Head(NamedTuple):
    """A line that begins with a reference: its place, its 1-based choice, its notation, and whether it is all of it."""

    line: int
    choice: int
    alone: bool
    notation: Literal["⟦⟧", "A", "1"]


def heads(lines: list[str], *, by_name: bool = False) -> list[Head]:
    """Find the lines of canonical text that begin with a reference followed by an end, a separator or a text."""
    found = []
    for number, line in enumerate(lines):
        strong, weak = (_NAME if by_name else _STRONG).match(line), _WEAK.match(line)
        if strong:
            found.append(Head(number, int(strong[1]), strong["alone"] is not None, "⟦⟧"))
        elif weak and weak[1]:
            found.append(Head(number, int(weak[1]), weak["alone"] is not None, "1"))
        elif weak and not (line[0] == "[" and weak["alone"] is None):  # "[A] : …" is a part of the passage
            found.append(Head(number, ord(weak[2].upper()) - 64, weak["alone"] is not None, "A"))
    return found


def _line_list(line: str) -> tuple[int, ...]:
    """Return the choices of a line that lists two or more and says nothing else."""
    found = list_at(line, len("either ") if line[:7].casefold() == "either " else 0)
    return found[0] if found and len(found[0]) > 1 and _CHOICE_LIST_END.match(line, found[1]) else ()


def leading_line(text: str, *, truncated: bool, by_name: bool = False) -> list[Statement]:
    """Read an answer that the text opens with: "3번", "3번 - <its text>", "C. <its text>"."""
    lines = text.split("\n")
    if listed := _line_list(lines[0]):
        return [Statement(0, listed, "leading")]
    found = heads(lines, by_name=by_name)
    if not found or found[0].line != 0:
        return []
    first = found[0]
    if not by_name and (_next_point(lines[0], first.choice) or (not first.alone and _SAYS_MORE.search(lines[0]))):
        return []
    begins_list = len(found) > 1 and not by_name and found[1].choice not in (1, first.choice)
    if begins_list or (len(found) > 1 and found[1].alone):
        only_lines = len(found) == len(lines) and not _counts_up(found)
        return [Statement(0, tuple(dict.fromkeys(head.choice for head in found)), "leading")] if only_lines else []
    # "1. 문제를 파악한다" opens a plan; "1번: …" cut off may be the first of five points.
    is_plan = first.notation == "1" and lines[0][0].isdigit() and len(lines) > 1 and not _REASON.match(lines[1])
    begins = first.choice == 1 and not by_name and (not first.alone or text == "1.")
    no_answer = (is_plan and not first.alone) or (truncated and begins)
    return [] if no_answer else [Statement(0, (first.choice,), "leading")]


def _next_point(line: str, choice: int) -> bool:
    """Tell whether the line goes on to the next choice, as in "1번: 적절하다. 2번: 적절하다."."""
    if _ASSERTED.match(line):
        return False
    following = rf"[.,;)] ?(?:⟦{choice + 1}⟧|\b{choice + 1}|\b{re.escape(chr(65 + choice))}) ?[:.)(은는-]"
    return bool((choice == 1 and _WALK.match(line)) or re.search(following, line[4:]))


def _counts_up(found: list[Head]) -> bool:
    """Tell whether the heads number the points of a discussion: 1, 2, …, with a text behind each."""
    points = found[:-1] if found[-1].alone else found  # the answer may stand below them
    return not all(head.alone for head in points) and all(head.choice == i for i, head in enumerate(points, 1))


def marked_line(text: str) -> list[Statement]:
    """Read the only choice of a list that is marked as the answer: "③ 부적절 ← 정답", "3. X (정답)"."""
    lines = text.split("\n")
    marked = [one.choice for one in heads(lines) if _MARKED.search(lines[one.line]) or _RIGHT.match(lines[one.line])]
    return [Statement(0, (marked[0],), "marked")] if len(marked) == 1 else []


def last_line(text: str, *, truncated: bool, by_name: bool = False) -> list[Statement]:
    """Read a reference that stands alone on the last line (of a whole text), or on the only line that is no more."""
    lines = text.split("\n")
    if not truncated and (listed := _line_list(lines[-1])):
        return [Statement(0, listed, "last-line")]
    found = heads(lines, by_name=by_name)
    alone = [head for head in found if head.alone and not (truncated and head.line == len(lines) - 1)]
    if not alone:
        return []
    last = alone[-1]
    is_last, start = last.line == len(lines) - 1, len("\n".join(lines[: last.line]))
    if by_name:  # differing labels on lines of their own are no single answer, unless the text turns back
        ending = alone[-1:] if revision_places(text) else alone
        return [Statement(start, tuple(dict.fromkeys(head.choice for head in ending)), "last-line")] if is_last else []
    earlier = [head.choice for head in found if head.line < last.line and head.notation == last.notation]
    heads_a_point = earlier[-1:] == [last.choice - 1]
    others = any(head.choice != last.choice and (head.alone or head.notation == "⟦⟧") for head in found)
    return [] if heads_a_point or (others and not is_last) else [Statement(start, (last.choice,), "last-line")]


def keyed_line(text: str) -> list[Statement]:
    """Read an answer under a name that nobody knows, in the first or last sentence: "Respuesta: C", "정잡: 3번"."""
    parts = [part for part in re.split(r"(?<=[.!?])\s|\n", text) if part]
    for part in (*parts[-1:], *parts[:1]):
        key = _KEY.match(part)
        listed = list_at(part, key.end()) if key and not _NO_KEY.search(key[0]) else None
        if listed and _KEY_END.match(part, listed[1]):
            return [Statement(0, listed[0], "keyed")]
    return []
