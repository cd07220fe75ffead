"""From messages to token ids: the chat template, and labels tokenized where they will stand.

A label's tokens depend on what is written before it, so prompt and label are tokenized as one text.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import TemplateError
from langchain_core.messages import BaseMessage

from chains.local.weights import LoadedModel
from data.common.errors import ConfigurationError, ProjectError

_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}


class ContextLengthError(ProjectError):
    """A conversation is longer than the model's context."""


class LabelledPrompt(NamedTuple):
    """A prompt and the tokens of each label behind it.

    Attributes:
        context: Token ids that all the labels follow, never empty.
        continuations: For each label, the token ids that make `context` the prompt with the label.
        input_tokens: Length of the prompt alone, in tokens.
    """

    context: tuple[int, ...]
    continuations: tuple[tuple[int, ...], ...]
    input_tokens: int


def render(loaded: LoadedModel, messages: Sequence[BaseMessage], options: Mapping[str, Any]) -> str:
    """Write messages as the model's chat template wants them, up to where its reply begins.

    Args:
        loaded: The model whose tokenizer holds the template.
        messages: The conversation; each message has plain text as its content.
        options: Further variables of the template, such as `{"enable_thinking": False}`.

    Raises:
        ConfigurationError: There is no chat template, or it refuses these messages.
    """
    if not loaded.tokenizer.chat_template:
        raise ConfigurationError(f"model {loaded.source} has no chat template; use an instruction-tuned model")
    turns = [{"role": _role(message), "content": message.text} for message in messages]
    try:
        text: str = loaded.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **options)
    except TemplateError as error:
        raise ConfigurationError(f"the chat template of {loaded.source} refuses these messages: {error}") from error
    return text


def encode_prompt(loaded: LoadedModel, text: str) -> list[int]:
    """Tokenize a rendered prompt, leaving room for at least one token of a reply.

    Raises:
        ContextLengthError: The prompt fills the model's context.
    """
    (ids,) = _tokenize(loaded, [text])
    _check_length(loaded, len(ids) + 1)
    return ids


def encode_labels(loaded: LoadedModel, text: str, labels: Sequence[str]) -> LabelledPrompt:
    """Tokenize a rendered prompt with each label behind it.

    Where a token reaches over the boundary, every label starts at the last token that all of them and the
    bare prompt agree on: then the labels' likelihoods are of texts with the same beginning, and compare.

    Raises:
        ContextLengthError: The prompt and its longest label do not fit the model's context.
        ValueError: There is no label, a label adds no token, or the prompt is empty.
    """
    if not labels:
        raise ValueError("there are no labels to score")
    prompt, *labelled = _tokenize(loaded, [text, *(text + label for label in labels)])
    _check_length(loaded, max(map(len, labelled)))
    boundary = min(common_length(prompt, ids) for ids in labelled)
    if boundary == 0:
        raise ValueError("the prompt has no token before its labels")
    continuations = tuple(tuple(ids[boundary:]) for ids in labelled)
    if not all(continuations):
        raise ValueError(f"a label adds no token to its prompt: {list(labels)}")
    return LabelledPrompt(tuple(prompt[:boundary]), continuations, len(prompt))


def count_tokens(loaded: LoadedModel, texts: Sequence[str]) -> list[int]:
    """Return how many tokens each rendered text takes, whether it fits the context or not."""
    return [len(ids) for ids in _tokenize(loaded, list(texts))]


def token_ends(loaded: LoadedModel, text: str) -> list[int]:
    """Return where each token of a text ends, as a number of characters from its beginning."""
    encoded = loaded.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return [end for _, end in encoded["offset_mapping"]]


def common_length(one: Sequence[int], other: Sequence[int]) -> int:
    """Count the tokens that two sequences begin with alike."""
    for position, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return position
    return min(len(one), len(other))


def _role(message: BaseMessage) -> str:
    role = _ROLES.get(message.type) or getattr(message, "role", None)
    if not role:
        raise ValueError(f"a local model takes no message of type '{message.type}'")
    return str(role)


def _tokenize(loaded: LoadedModel, texts: list[str]) -> list[list[int]]:
    # The template has written every special token already, and a length beyond the context is ours to report.
    ids: list[list[int]] = loaded.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def _check_length(loaded: LoadedModel, n_tokens: int) -> None:
    limit = loaded.context_length
    if limit is not None and n_tokens > limit:
        raise ContextLengthError(
            f"the conversation takes {n_tokens} tokens and {loaded.source} at most {limit}; "
            "shorten it or use a model with a longer context"
        )
