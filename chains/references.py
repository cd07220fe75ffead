"""How a text names a choice: every form of reference, rewritten to one canonical form `⟦3⟧`.

"3번", "③", "(3)", "선택지 3", "option C" and "세 번째 선택지" all become `⟦3⟧`, so that the rules in
`chains.statements` deal with one form. A lone digit or letter is no reference by itself ("3 people", "a plan"): it
counts only in an answer's place, which is what `ITEM` and `list_at` decide.
"""

import re

_DIGITS = (
    "①❶➀➊⓵⑴⒈"  # the first of each series: circled, black circled, sans-serif, double circled, parenthesised, dotted
)
_FORMS = {chr(ord(first) + i): f"⟦{i + 1}⟧" for first in _DIGITS for i in range(9)}
_FORMS |= {chr(0x24B6 + i): f"({chr(65 + i)})" for i in range(8)}  # Ⓐ–Ⓗ
_FORMS |= {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full-width ASCII
_FORMS |= {
    " ": " ",
    "\u3000": " ",
    "\t": " ",
    "。": ". ",
    "、": ",",
    "∼": "~",
    "〜": "~",
    "【": "[",
    "】": "]",
    "：": ":",
}
_FORMS |= dict.fromkeys("⟦⟧\u200b\u200c\u200d\u2060\ufeff", "")
_TABLE = str.maketrans(_FORMS)

_ORDINALS = {
    **{word: i for i, word in enumerate(("첫", "두", "세", "네", "다섯"), 1)},
    **{word: i for i, word in enumerate(("first", "second", "third", "fourth", "fifth"), 1)},
    **{word: i for i, word in enumerate(("one", "two", "three", "four", "five"), 1)},
}
_NOUN_KO = r"(?:선택지|선지|답지|답안|항목|보기)"
_NOUN_EN = r"(?i:\b(?:answer (?=choice|option))?(?:options?|choices?|number|no\.|statement|alternative))"
# "3번" also counts times ("3번 등장한다") and numbers other things ("1번 문단").
_NOT_A_CHOICE = (
    r"(?!호|역|지(?!문)|식|잡|영|씩|째로|만에| 더 "
    r"| ?(?:문단|단락|문제|문항|문장|질문|각주|줄|행|연|절|시행|이상|이하|정도)"
    r"(?:[은는이가을를의에과와도로]|[^가-힣]|$)"
    r"| ?(?:이나 )?(?:등장|반복|나오|나온|나타|쓰[이인]|(?:언급|사용)(?=되|된|됐|됨))"
    r"|째 ?(?:문단|단락|문장|줄|행|연|시행))"
)
_REWRITES = tuple(
    (re.compile(pattern), form)
    for pattern, form in (
        (r"(\d)\ufe0f?\u20e3", r"⟦\1⟧"),  # keycap emoji
        (rf"(?<!총 )(?<![\d.,])(?:제 ?)?(\d{{1,3}}) ?번(?:째)?{_NOT_A_CHOICE}", r"⟦\1⟧"),
        (rf"{_NOUN_KO} ?[#(\[]?(\d{{1,2}})[)\]]?(?! ?(?:개|가지|문|\d|%)|\.\d)", r"⟦\1⟧"),
        (rf"{_NOUN_EN} ?#?[(\[\"']?(\d{{1,2}})[)\]\"']?(?![\d%]|\.\d)", r"⟦\1⟧"),
        (r"(?<![\w⟧])\((\d{1,2})\)", r"⟦\1⟧"),
        (rf"(?:{_NOUN_KO} ?|{_NOUN_EN} ?)?⟦(\d+)⟧(?: ?번(?![가-힣]))?(?: ?{_NOUN_KO})?", r"⟦\1⟧"),
        (r"⟦(\d+)⟧번", r"⟦\1⟧"),
    )
)
_LETTER_OPTION = re.compile(rf"{_NOUN_EN} ?[(\[\"']?(?:([A-H])[)\]\"']?(?![\w'’])|([a-h])[)\]\"']?(?=[.!]?(?:$|\n)))")
_ORDINAL_OPTION = re.compile(
    rf"(첫|두|세|네|다섯) ?번째 ?{_NOUN_KO}"
    r"|(?i:\b(first|second|third|fourth|fifth) (?:answer )?(?:(?:option|choice)\b|one(?=[.!]?(?:$|\n)| (?:is|as)\b)))"
    r"|(?i:\b(?:option|choice|number) (one|two|three|four|five)\b)"
    r"|(첫|두|세|네|다섯) ?번째(?: ?것)?(?=입니다|이다|이에요|예요|[.!]?$|가 (?:정답|답))"
)
# "1번~5번" names a range to choose from, and "2번과 4번 중 4번" chooses 4.
_RANGE = re.compile(
    r"(?:(?:⟦\d+⟧|\b\d{1,2}) ?(?:~|부터|through) ?|(?<!-)(?:⟦1⟧|\b1)-)⟦\d+⟧(?!-)"
    r"(?:까지)?(?: ?중(?:에서|에)?(?! ?하나))? ?"
)
_JOINT = r"(?: ?(?:,|·|/|&|와|과|및|또는|혹은|이나|or|and)+ ?| ?)"
# "3번... 아니, 2번이다": what is corrected at once was never said.
_TURN = (
    r"(?:(?:아니(?:다|요|야|지|네)?|앗|아차|잠깐)[,.…! ]{1,4}|다시 [가-힣 ]{1,10}니,? "
    r"|(?i:(?:or rather|wait|hold on|actually|sorry|I mean|scratch that|correction"
    r"|make that|no(?=,? wait))[,.:! —-]{1,4}|(?:(?<=\.\.)|(?<=[…—])|(?<=[.…—] )|(?<=wait, ))no, ?))"
)
_CORRECTED = re.compile(
    r"(?:⟦\d+⟧|(?<![\w.])(?:\d{1,2}|[A-H])(?!\w))[\"'”’)\]}]{0,3}"
    rf"(?:입니다|이다|이에요|예요|임|인가요?|일까요?)?[ .…,!?;→\n—–-]{{1,6}}{_TURN}{{1,3}}"
    r"(?:[^.!?\n⟦]{0,40}(?=⟦\d+⟧(?:입니다|이다|이에요|예요|임|이 (?:맞|정답)|[.!]|$|\n))"
    r"|(?i:(?:it['’]s|it is|that['’]s|the answer is) )?(?=(?:\d{1,2}|[A-H])(?:[.!)]|$|\n)))"
)
_DENIED_FIRST = re.compile(
    r"⟦\d+⟧(?:은|는|이|가)? ?(?:아니다|아닙니다|아니고|아니라|아님|아니요)[.,]? ?(?=⟦\d+⟧(?:입니다|이다|이에요"
    r"|예요|임|[.!]?$))"
)
_AMONG = re.compile(rf"⟦\d+⟧(?:{_JOINT}⟦\d+⟧){{1,9}} ?(?:중|가운데)(?:에서|에)?(?![가-힣]| ?하나) ?")

_MARKUP = tuple(
    (re.compile(pattern), form)
    for pattern, form in (
        (r"(?<=\})~", " "),
        (r"\\(?:text(?:bf|it|tt|circled)?|circled|math(?:rm|bf|sf))\s?\{([^{}\n]{0,200})\}", r"\1"),
        (r"\\[()\[\]]|\$", ""),
        (r"</?(?:b|strong|em|i|u|p|br|span|mark|div|code)\s?/?>", " "),
        (r"```[a-z]{0,10}|\*{1,3}|`|(?<!\w)_{1,2}|_{1,2}(?!\w)", ""),
        (r" {2,}", " "),
        (r" ?\n[\n ]*", "\n"),
        (r"(?m)^(?:#{1,6} ?|[-•▪▶►➡>→⇒∴☞👉✅✔\ufe0f] ?){1,4}", ""),
    )
)

_OPEN = r"(?:[ :]?[Tt]he )?[ \n\"'“‘「『<({\[]{0,4}"
_COPULA = (
    r"(?:입니다|이다|이며|이고|이므로|이에요|이예요|예요|이야|임|이라|이었|으로|다(?![가-힣])"
    r"|이 (?:정답|답|맞|적절|옳|되|된|됩|아니)|이? ?아니)"
)
_SHUT = r"[ \"'”’」』)\]}>]{0,3}"
_END = rf"{_SHUT}(?:$|\n|[.,;:!?|/&⟦…]|[-–—=→(<]|\[/)|[)\]}}] "
_UNIT = r"(?:문단|단락|문장|개|가지|년|월|일|시|분|점|명|회|차|단계|줄|행|연|절|장|배|번째|퍼센트|원|위|학년|세기)"
_GOES_ON = r"because|since|as|is|are|but|which|with|rather than|instead of|over|based on|according to|given"
_NUMBER_TAIL = (
    rf"(?=(?!\.\d|,\d{{3}}| ?%|-[A-Za-z\d]|:\d)(?:{_END}| ?>|{_SHUT}{_COPULA}"
    r"| ?번 ?(?:문제|문항|질문|등장|반복|나오|나온|나타|언급|사용)|(?:와|과|이나|이거나) ?\d| ?(?:또는|혹은|및|or|and) "
    rf"| (?:{_GOES_ON}|for|not)\b| (?!{_UNIT})[가-힣‘]))"
)
_LETTER_TAIL = (
    rf"(?=(?!\.\w|-\w|['’]\w)(?:{_END}| ?>|{_SHUT}{_COPULA}|다\b|번|가 |이 | ?(?:또는|혹은|및|or|and) "
    rf"| (?:{_GOES_ON})\b))"
)
ITEM = re.compile(
    rf"{_OPEN}(?:⟦(\d+)⟧|(?<![\d.])(\d{{1,2}}){_NUMBER_TAIL}|(?<![A-Za-z])([A-H]){_LETTER_TAIL}"
    r"|(?<![A-Za-z])([a-h])(?=\)|[\"'\]}>]{0,3}\.?(?:$|\n)))"
)
_CLOSE = r"[\"'”’」』)\]}>]{0,2}"
_JOIN = re.compile(
    rf"{_CLOSE}(?: ?\([^()\n]{{0,60}}\))? ?(?:(?:,|·|/|&|와|과|및|그리고|또는|혹은|아니면|이거나|이나|(?i:or"
    rf"|and)\b) ?){{1,3}}"
    rf"|{_CLOSE} ?(?=⟦)"
)
# A new clause starts here rather than one more item: "정답은 3번, 5번은 틀렸다", `"answer": 3, "1": …`.
_NEW_CLAUSE = re.compile(
    r"은 |는 |의 |이 (?!정답|답|맞)|[\"']? ?:(?! ?[가-힣])| (?:is|was|has|can|does)\b|에서|에는|[가-힣]*(?:오답|틀)"
)


def canonical(text: str) -> str:
    """Rewrite every reference to a choice as `⟦n⟧` and drop markup, so that one pattern reads all forms.

    Args:
        text: What a model said, without its reasoning block.
    """
    text = text.translate(_TABLE)
    for pattern, form in _MARKUP:
        text = pattern.sub(form, text)
    text = _ORDINAL_OPTION.sub(lambda m: f"⟦{_ORDINALS[m[m.lastindex or 0].lower()]}⟧", text)
    text = _LETTER_OPTION.sub(lambda m: f"⟦{ord((m[1] or m[2]).upper()) - 64}⟧", text)
    for pattern, form in _REWRITES:
        text = pattern.sub(form, text)
    for dropped in (_RANGE, _AMONG, _CORRECTED, _DENIED_FIRST):
        text = dropped.sub("", text)
    return text.strip()


def value(match: re.Match[str]) -> int:
    """Return the 1-based choice that a match of `ITEM` names."""
    number = match[1] or match[2]
    return int(number) if number else ord((match[3] or match[4]).upper()) - 64


def list_at(text: str, start: int) -> tuple[tuple[int, ...], int] | None:
    """Read "3번", "3번, 5번" or "2번 또는 5번" at a place; return the 1-based choices and where the list ends.

    Args:
        text: Canonical text.
        start: Where the first item, or its opening bracket, begins.
    """
    item = ITEM.match(text, start)
    if item is None:
        return None
    values, end = [value(item)], item.end()
    while len(values) < 20:  # more is no list of answers
        join = _JOIN.match(text, end)
        item = ITEM.match(text, join.end()) if join else None
        if item is None or _NEW_CLAUSE.match(text, item.end()):
            break
        values.append(value(item))
        end = item.end()
    return tuple(dict.fromkeys(values)), end
