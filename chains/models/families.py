"""What model families do differently, in one table, and the two functions on messages that make up for it.

A family is known by its models' names. To add one: a row here; nothing else.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage, merge_message_runs

Options = dict[str, Any]  # fields of a chat model's class, by name
OPEN_TAG, CLOSE_TAG = "<think>", "</think>"


@dataclass(frozen=True)
class Family:
    """The facts about a family that change how it is asked and read.

    Attributes:
        name: Its key in FAMILIES.
        title: One line for people.
        matches: Regular expression found, whatever the case, in the names of its models.
        hub_id: The model that the bare family name stands for; "" where there is none.
        revision: Commit of `hub_id` on the hub; None for its newest.
        system_role: "native" where every template of the family has the role; "fold" where some refuse it, so
            that its text goes in front of the first user message instead, the same on every server.
        context_length: Tokens of prompt, thoughts and answer together.
        max_tokens: Default room for an answer, in tokens.
        thinking_tokens: Room for the thoughts in front of an answer, in tokens; 0 for a family that has none.
        thinking_switch: The template's variable that turns thinking off, if it has one.
        stop: Ends of a turn that a server with a foreign template may let through.
        sampling: The model card's decoding, used where the temperature is None.
        wrapper: The class in `chains.models.specs` that users know the family by; "" for none.
        source: Where the facts are from.
    """

    name: str
    title: str
    matches: str
    source: str
    hub_id: str = ""
    revision: str | None = None
    system_role: Literal["native", "fold"] = "native"
    context_length: int | None = None
    max_tokens: int = 1024
    thinking_tokens: int = 0
    thinking_switch: str | None = None
    stop: tuple[str, ...] = ()
    sampling: Mapping[str, float] = field(default_factory=dict)
    wrapper: str = ""


_ROWS = (
    Family(
        name="deepseek-r1",
        title="DeepSeek R1 and its distilled models: think before they answer",
        matches=r"deepseek-?r1|r1-distill",
        # The card: no system prompt, temperature 0.5 to 0.7. Its template opens the block of thoughts itself.
        system_role="fold",
        context_length=131072,
        max_tokens=2048,
        thinking_tokens=16384,
        sampling={"temperature": 0.6, "top_p": 0.95},
        source="https://huggingface.co/deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
    ),
    Family(
        name="smallthinker",
        title="SmallThinker 3B: reasons at length before it answers; trained on English",
        matches=r"smallthinker",
        hub_id="PowerInfer/SmallThinker-3B-Preview",
        # Fine-tuned from Qwen2.5-3B-Instruct on chains of thought of up to 16,384 tokens. The thoughts carry no tags
        # of their own (QwQ-Preview's style), but quantized builds with newer templates do write them.
        # The later SmallThinker-4BA0.6B needs code from the hub to run in transformers: use it through an endpoint.
        context_length=32768,
        thinking_tokens=16384,
        stop=("<|im_end|>",),
        wrapper="SmallThinker",
        source="https://huggingface.co/PowerInfer/SmallThinker-3B-Preview",
    ),
    Family(
        name="qwen2.5",
        title="Qwen 2 and 2.5: no thinking",
        matches=r"qwen-?(1\.5|2(?!\d))",
        context_length=32768,
        max_tokens=2048,
        stop=("<|im_end|>",),
        sampling={"temperature": 0.7, "top_p": 0.8, "top_k": 20},
        wrapper="Qwen",
        source="https://huggingface.co/Qwen/Qwen2.5-7B-Instruct",
    ),
    Family(
        name="qwen",
        title="Qwen3 8B: thinks before it answers (enable_thinking=False turns it off)",
        matches=r"qwen|qwq",
        hub_id="Qwen/Qwen3-8B",
        revision="b968826d9c46dd6066d109eabc6255188de91218",
        context_length=32768,
        max_tokens=2048,
        # The card asks for 32,768, which is the whole native context: no prompt would fit beside it.
        thinking_tokens=16384,
        thinking_switch="enable_thinking",
        stop=("<|im_end|>",),
        # The card warns that greedy decoding of thoughts can repeat itself without end: temperature None samples.
        sampling={"temperature": 0.6, "top_p": 0.95, "top_k": 20},
        wrapper="Qwen",
        source="https://huggingface.co/Qwen/Qwen3-8B",
    ),
    Family(
        name="mistral",
        title="Mistral 7B Instruct v0.3",
        matches=r"mi[sx]tral|mathstral",
        hub_id="mistralai/Mistral-7B-Instruct-v0.3",
        revision="c170c708c41dac9275d15a8fff4eca08d52bab71",
        # v0.1 and v0.2 templates raise on a system role, v0.3's puts it before the last user message, and all of
        # them refuse two user messages in a row.
        system_role="fold",
        context_length=32768,
        max_tokens=2048,
        stop=("</s>",),
        wrapper="Mistral",
        source="https://huggingface.co/mistralai/Mistral-7B-Instruct-v0.3 "
        "https://docs.mistral.ai/cookbook/concept-deep-dive-tokenization-chat_templates",
    ),
    Family(
        name="smollm2",
        title="SmolLM2 135M Instruct: the packaged weights, with no hub and no key",
        matches=r"smollm-?2",
        hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        revision="12fd25f77366fa6b3b4b768ec3050bf629380bac",
        context_length=8192,
        max_tokens=512,
        stop=("<|im_end|>",),
        source="https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
    ),
)
FAMILIES: dict[str, Family] = {row.name: row for row in _ROWS}
UNKNOWN = Family(name="", title="a family that the table does not know", matches=r"(?!)", source="")


def family_of(model_name: str) -> Family:
    """Return the family of a model by its name, or UNKNOWN: the first row whose pattern is found in it."""
    name = model_name.rstrip("/").rsplit("/", 1)[-1]
    return next((row for row in _ROWS if re.search(row.matches, name, re.IGNORECASE)), UNKNOWN)


def fold_system(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Move system text into the user's messages and join neighbours of one role, as strict templates demand.

    Folding what is folded already changes nothing.
    """
    said = [HumanMessage(message.content) if isinstance(message, SystemMessage) else message for message in messages]
    return merge_message_runs(said, chunk_separator="\n\n")


class Thoughts(NamedTuple):
    """A reply in its two parts; `closed` is False where the reply ended before the thoughts did."""

    reasoning: str
    answer: str
    closed: bool


def split_thoughts(text: str, *, opened: bool = False) -> Thoughts:
    """Take a reply's leading <think>…</think> apart from its answer.

    Args:
        text: The whole reply.
        opened: The prompt itself ended in an open <think>, so the reply starts among the thoughts.
    """
    body = text.lstrip()
    inside = opened or body.startswith(OPEN_TAG)
    reasoning, closing_tag, answer = body.removeprefix(OPEN_TAG).partition(CLOSE_TAG)
    if closing_tag:  # a lone closing tag: a server's template opened the block and does not repeat it
        return Thoughts(reasoning.strip(), answer.strip(), closed=True)
    return Thoughts(reasoning.strip(), "", closed=False) if inside else Thoughts("", text, closed=True)


class ThoughtStream:
    """Does what `split_thoughts` does to text that comes in pieces, holding back what may be part of a tag.

    Args:
        opened: The prompt itself ended in an open <think>.
    """

    def __init__(self, *, opened: bool = False) -> None:
        self._where: Literal["start", "thoughts", "gap", "answer"] = "thoughts" if opened else "start"
        self._held = ""

    def feed(self, text: str, *, last: bool = False) -> tuple[str, str]:
        """Take the next piece in and return what is now known to be (reasoning, answer)."""
        self._held += text
        reasoning = ""
        if self._where == "start" and (last or not OPEN_TAG.startswith(self._held.lstrip())):
            thinks = self._held.lstrip().startswith(OPEN_TAG)
            self._where = "thoughts" if thinks else "answer"
            self._held = self._held.lstrip().removeprefix(OPEN_TAG) if thinks else self._held
        if self._where == "thoughts":
            reasoning, closing_tag, rest = self._held.partition(CLOSE_TAG)
            if closing_tag:
                self._where, self._held = "gap", rest
            else:
                keep = 0 if last else _overlap(reasoning, CLOSE_TAG)
                self._held = reasoning[len(reasoning) - keep :]
                reasoning = reasoning[: len(reasoning) - keep]
        if self._where == "gap" and self._held.strip():
            self._where, self._held = "answer", self._held.lstrip()
        if self._where != "answer":
            return reasoning, ""
        answer, self._held = self._held, ""
        return reasoning, answer


def _overlap(text: str, tag: str) -> int:
    """Return the length of the longest end of `text` with which `tag` begins."""
    return next((size for size in range(len(tag) - 1, 0, -1) if text.endswith(tag[:size])), 0)
