"""How many tokens a model will read, before it is asked: counted by its own tokenizer, where one can be had.

    openai:…, azure_openai:…   tiktoken, which fetches a vocabulary once, checks its SHA-256 and keeps it
    hf:…, endpoint:NAME@…      the tokenizer and chat template of that folder or hub id, where they are on this machine

A model spec in, a `TokenCounter` out, or None where nothing can count: no model is loaded and none is asked.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from chains.families import family_of
from chains.models import resolve_spec
from data.hub import quiet_transformers
from data.packaged import is_installed
from data.types import Message

# Of every chat model that OpenAI has brought out since 2024, and so of names that tiktoken does not know yet.
_NEWEST_ENCODING = "o200k_base"
_PATIENCE_S = 10.0  # for a vocabulary of two megabytes
# Around each message, and before the reply.
# Source: https://developers.openai.com/cookbook/examples/how_to_count_tokens_with_tiktoken
_MESSAGE_TOKENS, _REPLY_TOKENS = 3, 3


class TokenCounter(NamedTuple):
    """Counts the tokens of requests.

    Attributes:
        count: The tokens of one request's messages, with what the model's format puts around them.
        by: What counts, in words.
    """

    count: Callable[[Sequence[Message]], int]
    by: str


@cache
def token_counter(spec: str) -> TokenCounter | None:
    """Return what counts the tokens that a model reads; None where no tokenizer of it is at hand.

    Args:
        spec: The model's, as `chains.models.load_chat_model` takes it.
    """
    kind, _, name = resolve_spec(spec).partition(":")
    if kind in ("openai", "azure_openai"):
        return _tiktoken_counter(name)
    if kind == "endpoint":
        served = name.partition("@")[0]  # a server such as vLLM names a model as the hub does
        return _local_counter(served, None) if "/" in served else None
    if kind == "hf" or not name:
        return _local_counter(*_local_name(name or kind))
    return None


def _local_name(name: str) -> tuple[str, str | None]:
    """Return the folder or hub id of a local model, and its revision."""
    family = family_of(name)
    if name == family.name == "smollm2" and is_installed("smollm2"):
        from chains.weights import packaged_folder

        return str(packaged_folder("smollm2")), None
    ref, _, revision = (family.hub_id if name == family.name else name).partition("@")
    return ref, revision or (family.revision if ref == family.hub_id else None)


def _tiktoken_counter(model: str) -> TokenCounter | None:
    import tiktoken

    try:
        name = tiktoken.encoding_name_for_model(model)
    except KeyError:
        name = _NEWEST_ENCODING
    encoding = _fetched(partial(tiktoken.get_encoding, name))
    if encoding is None:
        return None

    def count(messages: Sequence[Message]) -> int:
        said = [text for message in messages for text in (message.role, *_texts_of(message))]
        # What looks like a special token is the data's own text, and is sent as such.
        return sum(len(encoding.encode(text, disallowed_special=())) for text in said) + (
            _MESSAGE_TOKENS * len(messages) + _REPLY_TOKENS
        )

    return TokenCounter(count, f"tiktoken's {name}")


def _fetched(fetch: Callable[[], Any]) -> Any | None:
    """Return what is fetched; None where it cannot be had soon: a network may be closed to us without saying so."""
    got: list[Any] = []

    def work() -> None:
        try:
            got.append(fetch())
        except (OSError, ValueError):  # no network; not the vocabulary that it should be
            return

    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    return got[0] if got else None


def _local_counter(ref: str, revision: str | None) -> TokenCounter | None:
    from jinja2 import TemplateError
    from transformers import AutoTokenizer

    folder = Path(ref).expanduser()
    source, options = (folder, {}) if folder.is_dir() else (ref, {"revision": revision or "main"})
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True, trust_remote_code=False, **options)
    except (OSError, ValueError, ImportError, KeyError):  # not on this machine, or none that transformers can read
        return None

    def length(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def count(messages: Sequence[Message]) -> int:
        turns = [{"role": message.role, "content": "\n".join(_texts_of(message))} for message in messages]
        try:
            rendered: Any = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            return length(rendered)
        except (TemplateError, ValueError):  # without a system message, or without a template: the texts themselves
            return sum(length(turn["content"]) for turn in turns)

    return TokenCounter(count, "the model's own tokenizer")


def _texts_of(message: Message) -> list[str]:
    calls = [f"{call.name} {json.dumps(call.arguments, ensure_ascii=False)}" for call in message.tool_calls]
    return [message.content, *calls]
