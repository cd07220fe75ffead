"""What a model's reply says beside its text: why it ended, what it took, and what the model reasoned before it.

An `AIMessage` in; out comes each of these as a record keeps it, whichever provider said it in whichever words.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage

from data.common.text import whole_characters

# In the metadata of a reply that was kept from an earlier call, and costs nothing now: the usage of that call.
SAVED_USAGE = "saved_usage"
# In the metadata of a reply that a batch gave: it is paid for at the batch's price.
BATCHED = "batched"
# Where LangChain's packages, and servers themselves, put the reasoning that they take out of the text.
REASONING_FIELDS = ("reasoning_content", "reasoning")
# OpenRouter's, in blocks of which it sends the text as `reasoning` too, where it may.
REASONING_DETAILS = "reasoning_details"

_FINISH_KEYS = ("finish_reason", "stop_reason", "done_reason", "status")
# What providers write where OpenAI writes "length" and "content_filter"; compared without case.
_CUT_OFF = frozenset(
    {
        "length",
        "max_tokens",
        "max_output_tokens",
        "model_length",
        "model_context_window_exceeded",
        "incomplete",
    }
)
_HELD_BACK = frozenset(
    {"safety", "blocklist", "prohibited_content", "spii", "content_filtered", "guardrail_intervened"}
)
_REASONING_BLOCKS = frozenset({"reasoning", "reasoning_content", "thinking"})
# The keys of such a block, and of what is nested in it, that hold its words: the others hold signatures and ids.
_WORDS = ("thinking", "reasoning", "text", "summary", "reasoning_content", "reasoning_text", "content")


def read_finish_reason(reply: AIMessage) -> str:
    """Return why a reply ended, in OpenAI's words: "stop", "length", "content_filter", "refusal"; "" if unsaid.

    Anthropic says `stop_reason`, Ollama `done_reason`, OpenAI's Responses API `status`; a refusal of OpenAI's comes
    beside an empty content.
    """
    metadata = reply.response_metadata
    said = next((metadata[key] for key in _FINISH_KEYS if isinstance(metadata.get(key), str)), "")
    return "refusal" if reply.additional_kwargs.get("refusal") else openai_finish_reason(said)


def openai_finish_reason(said: str) -> str:
    """Return what a provider says of why a reply ended in OpenAI's words; what it has no words for, in lower case."""
    said = said.lower()
    if said in _CUT_OFF:
        return "length"
    return "content_filter" if said in _HELD_BACK else said


def read_usage(reply: AIMessage) -> dict[str, int]:
    """Return the tokens that a reply reports, as `Prediction.usage` names them; {} where it does not count them.

    Of a reply that was kept these are 0, and what it once took is in saved_input_tokens and the like. What a batch
    took is in batch_input_tokens and batch_output_tokens once more.
    """
    told: Mapping[str, Any] = reply.usage_metadata or {}
    usage = _counts({name: told.get(name) for name in ("input_tokens", "output_tokens")})
    if len(usage) < 2:  # to a reply from a cache that has none, LangChain gives a cost of 0 and nothing else
        return {}
    cached = (told.get("input_token_details") or {}).get("cache_read")
    thought = (told.get("output_token_details") or {}).get("reasoning")
    details = _counts({"cached_tokens": cached or None, "reasoning_tokens": thought or None})
    saved = {f"saved_{name}": count for name, count in reply.response_metadata.get(SAVED_USAGE, {}).items()}
    batched = {f"batch_{name}": count for name, count in usage.items() if reply.response_metadata.get(BATCHED)}
    return {**usage, **details, **batched, **saved}


def _counts(told: Mapping[str, Any]) -> dict[str, int]:
    """Return what counts tokens: a server may send anything, and no call takes more of them than a trillion."""
    return {name: count for name, count in told.items() if type(count) is int and 0 <= count <= 10**12}


def read_reasoning(reply: AIMessage) -> str:
    """Return what the model reasoned, where that came apart from its text; "" where nothing did.

    It is never read as an answer: what a model considers is not what it says.
    """
    held = reply.additional_kwargs
    content = reply.content if isinstance(reply.content, list) else []
    blocks = [block for block in content if isinstance(block, dict) and block.get("type") in _REASONING_BLOCKS]
    found = _joined([*map(held.get, REASONING_FIELDS), *blocks]) or _joined([held.get(REASONING_DETAILS)])
    return whole_characters(found)


def _joined(sources: Sequence[object]) -> str:
    # A server may send the same twice, under either name.
    return "\n\n".join(dict.fromkeys(text for one in sources if (text := "\n".join(_words(one)).strip())))


def _words(held: object) -> Iterator[str]:
    """Yield the texts of a provider's reasoning: a string, or blocks of any depth that hold some."""
    if isinstance(held, str):
        yield held
    elif isinstance(held, list):
        for one in held:
            yield from _words(one)
    elif isinstance(held, dict):
        for name in _WORDS:
            yield from _words(held.get(name))
