"""What extraction returns, and what every reading of a model's text begins and ends with."""

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import NamedTuple

from data.common.text import normalised
from data.types import Status

# An answer stands at one of the two ends of what is said, and thoughts are told apart at those of the whole text; what
# is dropped between them is reasoning. It also bounds the time that any text can take.
_END_LENGTH = 8_000
_WHOLE_END_LENGTH = 100_000
_BREAK = re.compile(r"[\s<\[]")  # a text is cut before a word or a tag
_FEW_WORDS = 3

# Markup is `<name>`, `<|name|>` or `[NAME]`. What stands in it is thought, not said, unless its name says otherwise.
_TAG = re.compile(
    r"(?P<bracket>[<\[◁])[|｜]?(?P<closes>/)?(?P<name>[A-Za-z가-힣][\w.:▁-]{0,40})(?P<attributes>\s[^<>\[\]\n]{0,200})?[|｜]?[>\]▷]"
)
_MARK = re.compile(r"[<\[◁][^<>\[\]◁▷\n]{3,80}[>\]▷]")  # roughly the same, found fast: "cot" is the shortest
_ENDS = re.compile(r"(?i)\Aend(?:[_▁]of)?[_▁]|[_▁]end\Z")
_EDGE = re.compile(r"(?i)\A(?:start|begin|end)(?:[_▁]of)?[_▁]|[_▁](?:start|begin|end)\Z")
_THOUGHT = (
    r"(?:\w+[:_.-])?(?:(?:think|reason)(?:ing|s)?|thoughts?|reflection|scratchpad|analysis|cot|추론|생각|사고)(?:_\w+)?"
)
_IS_THOUGHT = re.compile(rf"(?i){_THOUGHT}")
_IS_ANSWER = re.compile(
    r"(?i)(?:[a-z]+_|최종_?)?(?:ans(?:wer)?s?|final|choice|option|label|output|results?|response|reply|prediction"
    r"|solution|conclusion|class(?:ification)?|category|intent|sentiment|verdict|relation(?:ship)?|judge?ment|topic"
    r"|정?답|답변|라벨|레이블|분류|선택|결론)(?:_(?:id|name|text|number))?"
)
_TITLED_ANSWER = re.compile(r"(?i)\s*<summary>[^<\n]{0,20}(?:정?답|결론|결과|answer|conclusion|verdict)")
_IS_TYPE = re.compile(
    r"(?i)[bius]|em|strong|p|br|hr|span|div|mark|code|pre|su[bp]|small|big|font|center|a|blockquote|[uo]l|li|h[1-6]"
    r"|html|body|table|thead|tbody|t[rdh]|img|json|xml|ya?ml|root|data|summary|text|bos|eos|turn|message|channel"
    r"|assistant|model|user|system|human|im_\w+|\w*header_id|eo[tm]_id|end\w*|return|inst"
)
# Characters written otherwise, and DSPy's fields.
_LITERALS = (("’", "'"), ("&lt;", "<"), ("&gt;", ">"), ("[[ ## ", "<"), (" ## ]]", ">\n"))
# Other ways of marking thoughts, and what stands in their place. Each begins with letters that few texts hold.
_AS_TAGS = (
    ("\x1b\\[[\\d;]*m|[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u200c\u200d\U000110bd\U000110cd]", ""),
    (r"(?s)<!--.*?(?:-->|\Z)", ""),
    (
        rf"(?s)<\|(?:im_start|start|start_header_id)\|>(?i:(?:\w+/)?{_THOUGHT})(?:<\|end_header_id\|>)?\s.*?"
        r"(?:<\|(?:im_end|eot_id|end)\|>|\Z)",
        "",
    ),
    (rf"(?s)```(?i:{_THOUGHT})\n.*?(?:```|\Z)", ""),
    # GPT-OSS's channels, also where the special tokens around their names are lost: "analysisWe need …assistantfinal5".
    (
        r"<\|channel\|>final(?: ?<\|constrain\|>\w+)?<\|message\|>|assistant(?:final| final(?![a-z]))"
        r"|done thinking\.|[Hh]ere(?: is|'s) my response:",
        "</think>",
    ),
    (
        r"<\|channel\|>(?:analysis|commentary)<\|message\|>"
        r"|\A\s*(?:analysis(?=[A-Z\"'*가-힣])|(?i:here(?: is|'s) my thought process:|thinking(?:\.\.\.|…)\n))",
        "<think>",
    ),
)
_SPEAKER = re.compile(
    r"\A(?:<\|[^|<>\s]{1,30}\|>|<(?:s|bos|start_of_turn)>|\[/?INST\]|\s)*(?:(?i:assistant|ai|bot|model)(?: ?:\s*|\n+"
    r"|<\|[^|<>\s]{1,30}\|>\s*))?"
)
_SPECIAL_TOKEN = re.compile(r"<[|｜][^|｜<>\s]{1,40}[|｜]>")
# The last line is for a header whose special tokens are lost: "5assistant⏎⏎…".
_END_OF_TURN = re.compile(
    r"<\|(?:im_end|im_start|eot_id|eom_id|end_of_text|endoftext|end|return|start_header_id|assistant|user|system)\|>"
    r"|<(?:end|start)_of_turn>|</s>|<eos>|<｜end▁of▁sentence｜>|\[\|endofturn\|\]|\[/?INST\]"
    r"|(?:assistant(?<![ _-]assistant)|user(?<![ _-]user)|system(?<![ _-]system)|model(?<![ _-]model))(?=\n|\Z)"
)
# A base model that was not stopped goes on to invent the next question.
_NEXT_QUESTION = re.compile(
    r"(?i)\n(?:[#* ]{0,6}\[?(?:문제|질문|지문|전제|문의|리뷰|입력|기사|본문|사용자|用户|ユーザー|問題|问题|question"
    r"|passage|premise|human|user|q|problem|exercise|text|input|tweet|review|article|query|message|headline|sentence"
    r"|instruction|example)\]?[ ]?\d{0,3}[ *]{0,3}[:：]|#{1,6} ?(?:문제|질문|지문|question|problem|instruction|input"
    r"|example)[ ]?\d{0,3} ?\n|#{3,}\n|\[(?:문제|질문|question) ?\d{0,3}\]|(?:문제|질문) ?\d{1,3} ?\n"
    r"|\[\d{1,3}\] ?다음|(?:문제|question|problem) \d{1,3}\. |the following are multiple choice)"
)
# The text says that it gives no answer, which may also be a reason for one.
_REFUSAL = re.compile(
    r"(?i)\b(?:I|we)(?:'m| am| feel|'re| are)? ?(?:sorry(?! to hear| about| for)|afraid|(?:don't feel |not "
    r"|un)comfortable|decline|(?:cannot|can ?not|can'?t|will not|won'?t|do not|don'?t|unable|not able)(?:[.,]"
    r"|(?: (?!if\b|whether\b)\w+){0,3} (?:help|assist|comply|complete|fulfil+|discuss|engag(?:e|ing)|process|classify"
    r"|label|continue|respond|do|answer|provide|choose|determine|select|give|share|say|tell|identify|pick)\b))"
    r"|\bas an ai\b|\bmy apologies\b|\b(?:unable|not able) to (?:answer|provide|determine|help|assist)"
    r"|\bI (?:apologi[sz]e|must decline)\b|죄송|유감스럽|고르지 않겠|(?:문[제항][를을] |분류"
    r"|처리)[가-힣 ]{0,8}(?:수[가는]? 없|어렵)|(?:라벨링|분류)에 참여하지 않|(?:답변|답을? ?(?:드|할|제공|선택|고를|말"
    r"|내)|대답|도움|도와|제공|응답|알려|판단)[가-힣 ]{0,10}(?:수[가는]? 없|어렵|않겠습니다)|抱歉|无法回答|無法回答"
    r"|申し訳|お答えでき|lo siento|no puedo (?:responder|ayudar)|je ne peux pas|es tut mir leid"
)


class Extraction(NamedTuple):
    """What a model's text states as its answer.

    Attributes:
        choice: 0-based index of the choice or label; None when no single one is stated.
        status: "ok" exactly when `choice` is not None; otherwise why not.
        rule: Short stable name of the rule that fired; "" when none did.
    """

    choice: int | None
    status: Status
    rule: str


def visible_text(text: str) -> tuple[str, bool]:
    """Return what the model said outside its reasoning, and whether its reasoning was cut off."""
    text = normalised(text)
    for written, meant in _LITERALS:
        text = text.replace(written, meant)
    for marked, tag in _AS_TAGS:
        text = re.sub(marked, tag, text)
    if len(text) > 2 * _WHOLE_END_LENGTH:  # of its middle only the marks of thoughts count, and how each stands last
        marks = dict.fromkeys(reversed(_MARK.findall(text, _WHOLE_END_LENGTH, len(text) - _WHOLE_END_LENGTH)))
        text = _both_ends(text, _WHOLE_END_LENGTH, "\n".join(reversed(marks)))
    visible, cut = _outside_thoughts(text)
    visible = _SPEAKER.sub("", visible.strip())
    end = _END_OF_TURN.search(visible)
    if end and visible[: end.start()].strip():
        visible = visible[: end.start()]
    visible = _SPECIAL_TOKEN.sub("\n", visible)
    if len(visible) > 2 * _END_LENGTH:
        visible = _both_ends(visible, _END_LENGTH, "\n")
    return visible, cut


def _both_ends(text: str, length: int, between: str) -> str:
    """Return about the first and the last `length` characters of a text; neither breaks off within a word or a tag."""
    places = (length, len(text) - length)
    head, tail = (_BREAK.search(text, place, place + 60) for place in places)
    return text[: head.start() if head else length] + between + text[tail.start() if tail else -length :]


@lru_cache(maxsize=256)
def _named(written: str, closes: bool) -> tuple[str, str, bool]:
    """Return a tag's name without "start" and "end" (thoughts share one), what it holds, and if it ends a block."""
    name, ends = _EDGE.sub("", written).casefold(), closes or _ENDS.search(written) is not None
    if _IS_THOUGHT.fullmatch(name):  # models close one such name with another
        return "thought", "thought", ends
    is_type = _IS_TYPE.fullmatch(written) is not None
    return name, "answer" if _IS_ANSWER.fullmatch(name) else "type" if is_type else "unknown", ends


def _opens_line(tag: re.Match[str]) -> bool:
    return not tag.string[max(0, tag.start() - 80) : tag.start()].rpartition("\n")[2].strip()


def _outside_thoughts(text: str) -> tuple[str, bool]:
    """Return what stands outside all markup that holds thoughts, and whether such markup is still open at the end.

    So does a block of an unknown name, and a tag of an unknown name that opens a line and is never closed. A closing
    tag without an opening one ends reasoning that began in the prompt, so all before it goes. Where nothing is left, a
    block of a few words under an unknown name is what was said: `<urgency>high</urgency>`.
    """
    tags = [(tag, *_named(tag["name"], bool(tag["closes"]))) for tag in _TAG.finditer(text)]
    last_end = {name: tag.start() for tag, name, _, ends in tags if ends}
    kept: list[str] = []
    short: list[str] = []
    opened, start, answer = "", 0, -1
    for tag, name, holds, ends in tags:
        if opened:
            if ends and name == opened:
                inside = text[start : tag.start()]
                short += [inside] if opened != "thought" and len(inside.split()) <= _FEW_WORDS else []
                opened, start = "", tag.end()
            elif holds == "answer" and not ends and _opens_line(tag):
                answer = tag.start()
        elif ends and holds == "thought":
            kept, start = [], tag.end()
        elif not ends and _hides(tag, name, holds, is_closed=last_end.get(name, -1) > tag.start()):
            kept.append(text[start : tag.start()])
            opened, start, answer = name, tag.end(), -1
    if opened and answer >= 0:  # thoughts that nobody closed, and an answer that is marked as one
        return text[answer:], False
    if not opened:
        kept.append(text[start:])
    return "\n".join(kept if any(map(str.strip, kept)) else short), bool(opened)


def _hides(tag: re.Match[str], name: str, holds: str, *, is_closed: bool) -> bool:
    """Tell whether a tag opens what is not said."""
    alone = tag["bracket"] == "<" and len(name) > 2 and name.isascii() and _opens_line(tag)
    is_thought = holds == "thought" or _IS_THOUGHT.search(tag["attributes"] or "") is not None
    is_answer = _TITLED_ANSWER.match(tag.string, tag.end()) is not None
    return is_thought or (holds == "unknown" and (is_closed or alone) and not is_answer)


def refuses(text: str) -> bool:
    """Tell whether a text begins by saying that it gives no answer."""
    return _REFUSAL.search(text[:600]) is not None


def settled(numbers: Collection[int], rule: str) -> Extraction:
    """Turn the 1-based choices that a text commits to into an extraction."""
    if len(numbers) == 1:
        return Extraction(next(iter(numbers)) - 1, "ok", rule)
    return Extraction(None, "multiple" if numbers else "none", rule)


def read_parts(text: str, truncated: bool, read: Callable[[str, bool], Extraction | None]) -> Extraction:
    """Read what a model said before it invented the next question, and where that states nothing, all that it said.

    `read` is told whether its part was cut off, and returns None where no rule says anything of it.
    """
    visible, cut = visible_text(text)
    question = _NEXT_QUESTION.search(visible)
    for part in (visible[: question.start()] if question else "", visible):
        found = read(part, truncated and part is visible) if part.strip() else None
        if found is not None and (found.status != "none" or part is visible):
            return found
    if refuses(visible):
        return Extraction(None, "refusal", "refusal")
    return Extraction(None, "truncated" if truncated or cut else "none", "")
