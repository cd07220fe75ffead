"""How many tokens a model will read, before it is asked: counted by its own tokenizer, where one can be had.

    openai:…, azure_openai:…   tiktoken, which fetches a vocabulary once, checks its SHA-256 and keeps it
    hf:…, endpoint:NAME@…      the tokenizer and chat template of that folder or hub id, where they are on this machine

A model spec in, a `TokenCounter` out, or None where nothing can count: no weights are loaded and no model is asked.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from chains.models.backends import model_reference
from chains.models.families import family_of
from chains.models.specs import resolve_spec
from data.common.hub import quiet_transformers
from data.common.packaged import converted_folder, is_installed
from data.types import Message

if TYPE_CHECKING:
    from tiktoken import Encoding

# Of every chat model that OpenAI has brought out since 2024, and so of names that tiktoken does not know yet.
_NEWEST_ENCODING = "o200k_base"
_PIECE = 100_000  # characters
_PATIENCE_S = 10.0  # for a vocabulary of two megabytes
# Around each message, and before the reply.
# Source: https://developers.openai.com/cookbook/examples/how_to_count_tokens_with_tiktoken
_MESSAGE_TOKENS, _REPLY_TOKENS = 3, 3


class TokenCounter(NamedTuple):
    """Counts tokens.

    Attributes:
        request: The tokens of one request's messages, with what the model's format puts around them.
        text: Those of a text alone.
        by: What counts, in words.
    """

    request: Callable[[Sequence[Message]], int]
    text: Callable[[str], int]
    by: str


def token_counter(spec: str) -> TokenCounter | None:
    """Return what counts the tokens that a model reads; None where no tokenizer of it is at hand.

    Args:
        spec: The model's, as `chains.models.specs.load_chat_model` takes it.
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
    family = family_of(name.partition("@")[0])
    found = model_reference(None if name == family.name else name, family)
    if found["model_ref"] == "smollm2":
        return (str(converted_folder("smollm2")) if is_installed("smollm2") else family.hub_id), None
    return str(found["model_ref"]), found.get("revision")


def _tiktoken_counter(model: str) -> TokenCounter | None:
    import tiktoken

    try:
        name = tiktoken.encoding_name_for_model(model)
    except KeyError:
        name = _NEWEST_ENCODING
    encoding = _encoding(name)
    if encoding is None:
        return None

    def length(text: str) -> int:
        # In pieces: tiktoken's expression gives up on a million spaces. What looks like a special token is the data's
        # own text, and is sent as such.
        pieces = (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
        return sum(len(encoding.encode(piece, disallowed_special=())) for piece in pieces)

    def count(messages: Sequence[Message]) -> int:
        said = sum(length(message.role) + length(message.whole_text()) for message in messages)
        return said + _MESSAGE_TOKENS * len(messages) + _REPLY_TOKENS

    return TokenCounter(count, length, f"tiktoken's {name}")


_stalled = Event()  # a network that has swallowed one request would swallow the next


@cache
def _encoding(name: str) -> "Encoding | None":
    """Return a vocabulary; None where it cannot be had soon: a network may be closed to us without saying so."""
    import tiktoken

    got: list[Encoding] = []

    def fetch() -> None:
        try:
            got.append(tiktoken.get_encoding(name))
        except (OSError, ValueError):  # no network; not the vocabulary that it should be
            return

    if not _stalled.is_set():
        thread = Thread(target=fetch, daemon=True)
        thread.start()
        thread.join(_PATIENCE_S)
        if thread.is_alive():
            _stalled.set()
    return got[0] if got else None


def _local_counter(ref: str, revision: str | None) -> TokenCounter | None:
    tokenizer = _tokenizer(ref, revision)
    if tokenizer is None:
        return None
    from jinja2 import TemplateError

    def length(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def count(messages: Sequence[Message]) -> int:
        turns = [{"role": message.role, "content": message.whole_text()} for message in messages]
        try:
            return length(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
        except (TemplateError, ValueError):  # without a system message, or without a template: the texts themselves
            return sum(length(turn["content"]) for turn in turns)

    return TokenCounter(count, length, "the model's own tokenizer")


def _tokenizer(ref: str, revision: str | None) -> Any | None:
    """Return the tokenizer in a folder or the hub's cache; None where there is none that transformers can read."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    folder, wanted = Path(ref).expanduser(), revision or "main"
    try:
        # Looked for first: transformers takes seconds to import.
        if not folder.is_dir() and not isinstance(try_to_load_from_cache(ref, "config.json", revision=wanted), str):
            return None
        from transformers import AutoTokenizer

        source, options = (folder, {}) if folder.is_dir() else (ref, {"revision": wanted})
        with quiet_transformers():
            return AutoTokenizer.from_pretrained(source, local_files_only=True, trust_remote_code=False, **options)
    except (HFValidationError, OSError, ValueError, ImportError, KeyError):
        return None
