"""How a text names a choice: every form of reference, rewritten to one canonical form `⟦3⟧`.

"3번", "③", "(3)", "선택지 3" and "세 번째 선택지" all become `⟦3⟧`, "option C" becomes `⟦03⟧`, a label's name or a
choice's text `⟦3⟧` or `⟦~3⟧`, so that the rules in `chains.reading.statements` deal with one form. What is `⟦~3⟧`,
and a lone digit or letter ("3 people", "a plan"), counts only in an answer's place, which is what `ITEM` and
`list_at` decide.
"""

import re
import unicodedata

_DIGITS = "①❶➀➊⓵⑴⒈"  # the first of each series
_LETTERS = "Ⓐ🄰🅐🅰"
_FORMS = {chr(ord(first) + i): f"⟦{i + 1}⟧" for first in _DIGITS for i in range(10)}
_FORMS |= {chr(ord(first) + i): f"({chr(65 + i)})" for first in _LETTERS for i in range(26)}
_FORMS |= {chr(code): unicodedata.normalize("NFKC", chr(code)) for code in range(0x1D400, 0x1D800)}  # 𝐀, 𝟒
_FORMS |= {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {"。": ". "}  # full-width ASCII
_TABLE = str.maketrans(_FORMS) | str.maketrans(
    "\t、∼〜‐‑‒−⟪《〈⟫》〉【】“”„‘’「」『』", " ,~~----<<<>>>[]" + '"' * 3 + "'" * 6, "⟦⟧\ufe0e\ufe0f"
)

_ORDINALS = {
    word: number
    for row in ("첫 두 세 네 다섯", "첫 둘 셋 넷 다섯", "first second third fourth fifth", "one two three four five")
    for number, word in enumerate(row.split(), 1)
}
IS_KO = r"(?:입니다|이다|이에요|이?예요|임\b)"
_NOUN_KO = r"(?:선택지|선지|답지|답안|항목|보기|옵션|选项|選項|選択肢)"
_NOUN_EN = (
    r"(?i:\b(?:answer (?=choice|option))?(?:(?:option|choice)(?: labell?ed|s)?|number|no\.|statement|alternative))"
)
# "3번" also counts times ("3번 등장한다") and numbers other things ("1번 문단").
_NOT_A_CHOICE = (
    r"(?!호|역|지(?!문)|식|잡|영|씩|째로|만에| 더 | ?(?:문단|단락|문제|문항|문장|질문|각주|줄|행|연|절|시행|이상|이하"
    r"|정도)(?:[은는이가을를의에과와도로]|[^가-힣]|$)| ?(?:이나 )?(?:등장|반복|나오|나온|나타|쓰[이인]"
    r"|(?:언급|사용)(?=되|된|됐|됨))|째 ?(?:문단|단락|문장|줄|행|연|시행))"
)
# "3번... 아니, 2번이다": what is corrected at once was never said.
_TURN = (
    r"(?:(?:아니[다요야지네]?|앗|아차|잠깐)[,.…! ]{1,4}|다시 [가-힣 ]{1,10}니,? |(?i:(?:or rather|wait|hold on"
    r"|actually|sorry|I mean|scratch that|correction|make that|no(?=,? wait))[,.:! —-]{1,4}"
    r"|(?:(?<=\.\.)|(?<=[…—])|(?<=[.…—] )|(?<=wait, ))no, ?))"
)
_JOINT = r"(?: ?(?:,|·|/|&|[와과]|및|또는|혹은|이나|or|and)+ ?| ?)"
_REWRITES = (
    (r"(\d)\u20e3", r"⟦\1⟧"),  # keycap emoji
    (rf"(?<!총 )(?<![\d.,])(?:제 ?)?(\d{{1,3}}) ?번째?{_NOT_A_CHOICE}", r"⟦\1⟧"),
    (r"(?<![\d.,第])(\d{1,2})番(?:目の(?=選択肢|もの))?(?!目|号)", r"⟦\1⟧"),
    (rf"{_NOUN_KO} ?[#(\[]?(\d{{1,2}})[)\]]?(?! ?(?:개|가지|문|\d|%)|\.\d)", r"⟦\1⟧"),
    (rf"{_NOUN_EN} ?#?[(\[\"']?(\d{{1,2}})[)\]\"']?(?![\d%]|\.\d)", r"⟦\1⟧"),
    (r"(?<![\w⟧])\((\d{1,2})\)", r"⟦\1⟧"),
    (rf"(?:{_NOUN_KO} ?|{_NOUN_EN} ?)?⟦(\d+)⟧(?: ?번(?![가-힣])|번)?(?: ?{_NOUN_KO})?", r"⟦\1⟧"),
    (
        rf"(?:⟦\d+⟧|(?<![\w.])(?:\d{{1,2}}|[A-H])(?!\w))[\"')\]}}]{{0,3}}(?:{IS_KO}|인가요?|일까요?)?"
        rf"[ .…,!?;→\n—–-]{{1,6}}{_TURN}{{1,3}}(?:[^.!?\n⟦]{{0,40}}(?=⟦\d+⟧(?:{IS_KO}|이 (?:맞|정답)|[.!]|$|\n))"
        r"|(?i:(?:it's|it is|that's|the answer is) )?(?=(?:\d{1,2}|[A-H])(?:[.!)]|$|\n)))",
        "",
    ),
    (rf"⟦\d+⟧[은는이가]? ?아(?:니[다고라요]|닙니다|님)[.,]? ?(?=⟦\d+⟧(?:{IS_KO}|[.!]?$))", ""),
)
# "1번~5번" names a range to choose from, "2번과 4번 중 4번" chooses 4, and "not 2, 4" too.
_OFFERED = re.compile(
    r"(?:(?:⟦~?\d+⟧|\b\d{1,2}) ?(?:~|부터|through) ?|(?<!-)(?:⟦1⟧|\b1)-)⟦~?\d+⟧(?!-)(?:까지)?"
    rf"(?: ?중(?:에서|에)?(?! ?하나))? ?|⟦~?\d+⟧(?:{_JOINT}⟦~?\d+⟧){{1,9}} ?(?:중|가운데)(?:에서|에)?"
    r"(?![가-힣]| ?(?:하나|어느|어떤|무엇)) ?|(?i:\bnot )[\"']?⟦~?\d+⟧[\"']?, (?=[\"']?⟦~?\d+⟧[\"']?[.!]?(?:$|\n))"
)
_LETTER_OPTION = re.compile(
    rf"{_NOUN_EN} ?[(\[\"']?(?:([A-H])[)\]\"']?(?![\w'])|([a-h])[)\]\"']?(?=[.!]?(?:$|\n)))"
    rf"|{_NOUN_KO} ?[(\[\"']?([A-H])[)\]\"']?(?![A-Za-z\d])|(?<![A-Za-z])([A-H]) ?(?:{_NOUN_KO}|项|項)"
)
# A letter beyond H, where there are so many choices. "I" is also a word, so a pronoun's place does not count.
_FAR_LETTER = re.compile(
    rf"{_NOUN_EN} (I)\b"
    rf"|(?:{_NOUN_EN} ?)?(?<![\w.-])(?<!\w')\(?(?:(I)(?=[)\]}}\"'.;:]|\n|$| ?[가-힣])|([J-Z])(?![A-Za-z\d'-]))\)?"
)
_LETTERS_ALWAYS = 8  # A–H are read as letters whatever the number of choices, so that one too many is noticed
_ORDINAL_OPTION = re.compile(
    rf"(첫|두|세|네|다섯) ?번째(?: ?{_NOUN_KO}|(?: ?것)?(?={IS_KO}|[.!]?$|가 정?답))|(?<![가-힣])(첫|둘|셋|넷"
    rf"|다섯)째(?={IS_KO}|[.!]?(?:$|\n))|(?i:\b(?:option|choice|number) (one|two|three|four|five)\b"
    r"|\b(first|second|third|fourth|fifth) (?:answer )?(?:(?:option|choice)\b|one(?=[.!]?(?:$|\n)| (?:is|as)\b)))"
)
_MARKUP = (
    (r"\\([_*#~])", r"\1"),
    (r"\\[dt]?frac\{(\d{1,9})\}\{(\d{1,9})\}", r"\1/\2"),
    (r"(?<=\})~|\\[ ,;:!]", " "),
    (r"~~[^~\n]{1,200}~~|<(s|del|strike)>[^<\n]{1,200}</\1>", ""),
    (r"(?m)^ ?\|?[-: ]*\|[-:| ]*$\n?|^ ?\| ?| ?\| ?$", ""),
    (r"\\(?:text(?:bf|it|tt|circled)?|circled|math(?:rm|bf|sf))\s?\{([^{}\n]{0,200})\}", r"\1"),
    (r"\\[()\[\]]|\$", ""),
    (r"</?(?:b|strong|em|i|u|p|br|span|mark|div|code|summary|details)(?:\s(?:open)?)?/?>", " "),
    (r"\*\*\(?(\d{1,2}|[A-J])\)?\*\*(?! ?[가-힣:：.)])", r"(\1)"),  # alone in bold
    (r"```[a-z]{0,10}|\*{1,3}|`|(?<!\w)_{1,2}|_{1,2}(?!\w)", ""),
    (r" {2,}", " "),
    (r" ?\n[\n ]*", "\n"),
    (r"(?m)^(?:#{1,6} ?|(?:-(?!\d)|[•▪■□●◆◇▷▶►➡>→⇒∴☞👉✅✔\ufe0f]) ?){1,4}", ""),
)

_OPEN = r"(?:[ :]?[Tt]he )?[ \n\"'<({\[]{0,4}"
_COPULA = (
    rf"(?:{IS_KO}|임|です|である|だ(?![가-힣])|でしょう|[とに]な[りる]|が正|を選|ではな|이(?:며|고|므로|야|라|었)|으로"
    r"|다(?![가-힣])|이 (?:정?답|맞|적절|옳|되|된|됩|아니)|이? ?아니)"
)
_SHUT = r"[ \"')\]}>]{0,3}"
_END = rf"{_SHUT}(?:$|\n|[.,;:!?|/&⟦…]|[-–—=→(<]|\[/)|[)\]}}] "
_UNIT = r"(?:문단|단락|문장|개|가지|년|월|일|시|분|점|명|회|차|단계|줄|행|연|절|장|배|번째|퍼센트|원|위|학년|세기)"
_OR = r" ?(?:또는|혹은|및|or|and) "
_MORE = r"because|since|as|is|are|but|which|with|rather than|instead of|over|based on|according to|given|here|for this"
_NUMBER_TAIL = (
    rf"(?=(?!\.\d|,\d{{3}}| ?%|-[A-Za-z\d]|:\d)(?:{_END}| ?>|{_SHUT}{_COPULA}|{_OR}| (?:{_MORE}|for|not)\b"
    rf"| ?번 ?(?:문제|문항|질문|등장|반복|나오|나온|나타|언급|사용)|(?:[와과]|이나|이거나) ?\d| (?!{_UNIT})[가-힣']))"
)
_LETTER_TAIL = (
    rf"(?=(?!\.\w|-\w|'\w)(?:{_END}| ?>|{_SHUT}{_COPULA}|{_OR}| (?:{_MORE})\b|다\b|번|뿐|밖에|가 |이 "
    r"| ?(?:[와과]|이나|랑|と|和) ?[A-H]))"
)
ITEM = re.compile(
    rf"{_OPEN}(?:⟦(?:~(?!\d+⟧ (?:of|into)\b))?(\d+)⟧|(?<![\d.])(?!(?<=\()\d+,\d)(\d{{1,2}}){_NUMBER_TAIL}"
    rf"|(?<![A-Za-z])([A-H]){_LETTER_TAIL}|(?<![A-Za-z])([a-h])(?=\)|[\"'\]}}>]{{0,3}}\.?(?:$|\n)))"
)
_CLOSE = r"[\"')\]}>]{0,2}"
JOINED = re.compile(
    rf"{_CLOSE}(?: ?\([^()\n]{{0,60}}\))? ?(?:(?:,|·|/|&|\+|[와과]|및|그리고|또는|혹은|아니면|이거나|이나|和|或|と"
    rf"|(?i:or|nor|and(?: then)?|and/or)\b(?: (?:maybe|possibly|perhaps|an?|the)\b)*) ?){{1,3}}|{_CLOSE} ?(?=⟦)"
)
# A new clause starts here rather than one more item: "정답은 3번, 5번은 틀렸다", `"answer": 3, "1": …`.
_NEW_CLAUSE = re.compile(
    r"[은는의] |이 (?!정?답|맞|모두|둘 다)|[\"']? ?:(?! ?[가-힣])| (?:is|was|has|can|does)\b|에[서는]"
    r"|[가-힣]*(?:오답|틀)"
)


def canonical(text: str, n_choices: int = 0) -> str:
    """Drop markup and rewrite references as `⟦n⟧`; letters beyond H are references where there are so many choices."""
    text = text.translate(_TABLE)
    for pattern, form in _MARKUP:
        text = re.sub(pattern, form, text)
    text = _ORDINAL_OPTION.sub(lambda m: f"⟦{_ORDINALS[m[m.lastindex or 0].lower()]}⟧", text)
    text = _LETTER_OPTION.sub(_by_letter, text)
    if n_choices > _LETTERS_ALWAYS:
        text = _FAR_LETTER.sub(lambda m: _by_letter(m) if m[m.lastindex or 0] <= chr(64 + n_choices) else m[0], text)
    for pattern, form in _REWRITES:
        text = re.sub(pattern, form, text)
    return without_offers(text).strip()


def without_offers(text: str) -> str:
    """Drop references that only say what there is to choose from, or what is not chosen."""
    return _OFFERED.sub("", text)


def _by_letter(match: re.Match[str]) -> str:
    return f"⟦0{ord(match[match.lastindex or 0].upper()) - 64}⟧"


def value(match: re.Match[str]) -> int:
    """Return the 1-based choice that a match of `ITEM` names."""
    number = match[1] or match[2]
    return int(number) if number else ord((match[3] or match[4]).upper()) - 64


def list_at(text: str, start: int) -> tuple[tuple[int, ...], int] | None:
    """Read "3번", "3번, 5번" or "2번 또는 5번" at a place; return the 1-based choices and where the list ends."""
    item, values, end = ITEM.match(text, start), dict[int, None](), start
    while item and len(values) < 20:  # more is no list of answers
        values[value(item)], end = None, item.end()
        join = JOINED.match(text, end)
        item = ITEM.match(text, join.end()) if join else None
        item = None if item and _NEW_CLAUSE.match(text, item.end()) else item
    return (tuple(values), end) if values else None
