"""The chains by name: where each is made, and what it needs.

To add one: write a factory that returns a `Predictor`, and a line here.
"""

import inspect
from typing import Any, Literal, NamedTuple

from data.attributes import load_attribute
from data.errors import ConfigurationError, unknown_name


class ChainEntry(NamedTuple):
    """What the command line and the suites know of a chain before it is built.

    Attributes:
        has_passage: Whether its prompts hold passages, which `too_long` may shorten.
    """

    factory: str  # "module:attr"
    benchmark: str
    needs: tuple[Literal["model", "retriever"], ...]
    prompt: str
    summary: str
    has_passage: bool = False


CHAINS: dict[str, ChainEntry] = {
    "kice-prompt": ChainEntry(
        "chains.kice:kice_prompt", "kice", ("model",), "kice/minimal", "the item's own passage in the prompt", True
    ),
    "kice-closed-book": ChainEntry(
        "chains.kice:kice_closed_book", "kice", ("model",), "kice/minimal", "question and choices, no passage"
    ),
    "kice-rag": ChainEntry(
        "chains.kice:kice_rag", "kice", ("model", "retriever"), "kice/minimal", "passages that a retriever finds", True
    ),
    "mnli-zero-shot": ChainEntry(
        "chains.mnli:mnli_zero_shot", "mnli", ("model",), "mnli/zero-shot", "premise, hypothesis and label names"
    ),
}


def chain_entry(name: str) -> ChainEntry:
    """Look a chain up by name, or describe the user's own `module:attr` by its parameters.

    Raises:
        ConfigurationError: No chain has that name.
    """
    if name in CHAINS:
        return CHAINS[name]
    if ":" in name:
        factory = load_attribute(name, kind="chain")
        if not callable(factory):
            raise ConfigurationError(f"chain '{name}' is no factory: name a function that returns a predictor")
        parameters = inspect.signature(factory).parameters
        needs: tuple[Literal["model", "retriever"], ...] = ("model", "retriever")
        default = parameters["prompt"].default if "prompt" in parameters else ""
        prompt = default if isinstance(default, str) else ""
        return ChainEntry(name, "", tuple(need for need in needs if need in parameters), prompt, "a chain of your own")
    raise unknown_name("chain", name, CHAINS, "See: python -m eval list chains")


def chain_factory(name: str) -> Any:
    """Return the function that makes the chain's predictor."""
    return load_attribute(chain_entry(name).factory, kind="chain")
