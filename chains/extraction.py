"""What extraction returns, and what every reading of a model's text begins and ends with.

Text in: `visible_text` drops the reasoning blocks and whatever follows the model's own turn.
Nothing found: `unanswered` says why (refusal, truncated or none).
"""

import re
from typing import NamedTuple

from data.types import Status

# An answer stands at one of the two ends; what is dropped between them is reasoning. It also bounds the time that
# any text can take.
_END_LENGTH = 8_000

_THINKING_TAG = re.compile(r"(?i)[<\[◁](/?)(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad)[>\]▷]")
_SPEAKER = re.compile(r"(?i)^(?:assistant|ai|bot|model) ?[:：]\s*")
_FINAL_CHANNEL = re.compile(r"<\|channel\|>final<\|message\|>")
_END_OF_TURN = re.compile(
    r"<\|(?:im_end|eot_id|end_of_text|endoftext|end|return|im_start)\|>|<end_of_turn>|</s>|\[\|endofturn\|\]|\[/?INST\]"
)
# A base model that was not stopped goes on to invent the next question.
_NEXT_QUESTION = re.compile(
    r"(?i)\n[#* ]{0,6}(?:문제|질문|지문|전제|question|passage|premise|human|user|q)[ ]?\d{0,3}[ *]{0,3}[:：]"
)
_REFUSAL = re.compile(
    r"(?i)죄송|유감스럽|(?:문제|문항)[를을] (?:풀|해결할) 수(?:가|는)? 없"
    r"|(?:답변|답을 (?:드|할|제공|선택|고를|말|내)|답할|대답|도움|도와|제공|응답|알려)"
    r"[가-힣 ]{0,8}(?:수(?:가|는)? 없|어렵습니다|않겠습니다)"
    r"|\bI(?:['’]m| am) (?:sorry|unable|not able|afraid)|\bI (?:must )?decline\b"
    r"|\bI (?:cannot|can['’]?t|can not|won['’]?t|will not|do not|don['’]?t)"
    r"(?:[.,]|(?: \w+){0,3} (?:answer|help|assist|provide|choose|comply|determine|select|give|complete|fulfil"
    r"|discuss|share|engage|say|tell|identify|pick)\b)"
    r"|\b(?:unable|not able) to (?:answer|provide|determine|help|assist)|\bas an ai\b|\bmy apologies\b"
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
    """Return what the model said outside its reasoning, and whether its reasoning was cut off.

    A closing tag without an opening one ends reasoning that began in the prompt, so all before it goes.

    Args:
        text: The raw output of a model.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    channels = list(_FINAL_CHANNEL.finditer(text))
    if channels:
        text = text[channels[-1].end() :]
    kept: list[str] = []
    start, depth = 0, 0
    for tag in _THINKING_TAG.finditer(text):
        closing = bool(tag[1])
        if not closing and depth == 0:
            kept.append(text[start : tag.start()])
        elif closing and depth == 0:
            kept = []
        depth = 0 if closing else 1
        start = tag.end()
    if depth == 0:
        kept.append(text[start:])
    visible = _SPEAKER.sub("", "\n".join(kept).strip())
    end = _END_OF_TURN.search(visible)
    if end and visible[: end.start()].strip():
        visible = visible[: end.start()]
    if len(visible) > 2 * _END_LENGTH:
        visible = visible[:_END_LENGTH] + "\n" + visible[-_END_LENGTH:]
    return visible, depth > 0


def before_next_question(text: str) -> str | None:
    """Return the part before a question that the model invented after its own answer; None when there is none."""
    found = _NEXT_QUESTION.search(text)
    return text[: found.start()] if found and text[: found.start()].strip() else None


def unanswered(text: str, *, truncated: bool) -> Extraction:
    """Say why a text in which no rule found an answer holds none.

    Args:
        text: The visible text.
        truncated: The model, or its reasoning, stopped at a length limit.
    """
    if _REFUSAL.search(text[:600]):
        return Extraction(None, "refusal", "refusal")
    return Extraction(None, "truncated" if truncated else "none", "")
