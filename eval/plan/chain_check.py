"""Whether a suite's entry fits its chain: what the chain needs is there, and nothing that it does not take.

An entry and what the registry says of its chain in, one line about the first fault out.
"""

from typing import TYPE_CHECKING

from data.common.errors import ConfigurationError
from eval.plan.settings.specs import SystemSpec

if TYPE_CHECKING:
    from chains.registry import ChainEntry


def check_chain(spec: SystemSpec, entry: "ChainEntry", benchmark: str) -> None:
    """Refuse an entry that its chain cannot be built from.

    Raises:
        ConfigurationError: The chain answers another benchmark, lacks a part, or takes no such setting.
    """
    if entry.benchmark and entry.benchmark != benchmark:
        raise ConfigurationError(f"chain '{spec.chain}' answers {entry.benchmark}, not {benchmark}")
    if "model" in entry.needs and spec.model is None:
        raise ConfigurationError(f"chain '{spec.chain}' needs a model; add --model SPEC, such as --model smollm2")
    if "retriever" in entry.needs and spec.retriever is None:
        raise ConfigurationError(f"chain '{spec.chain}' needs a retriever; add --retriever bm25, dense or hybrid")
    _check_declared(spec)
    if spec.rung is not None and entry.rung is not None:
        raise ConfigurationError(f"chain '{spec.chain}' says itself that its rung is '{entry.rung}'; leave rung out")
    _check_remote(spec)
    if "retriever" not in entry.needs and spec.retriever is not None:
        raise ConfigurationError(f"chain '{spec.chain}' takes no retriever; leave --retriever out")
    if spec.user_words is not None:
        _check_user_words(spec)


def _check_user_words(spec: SystemSpec) -> None:
    from retrievers.registry import check_user_words

    if spec.retriever is None:
        raise ConfigurationError(f"chain '{spec.chain}' takes no retriever to know words; leave --user-words out")
    check_user_words(spec.retriever)


def _check_remote(spec: SystemSpec) -> None:
    """Refuse, before anything is loaded or asked, what only a model in this process can do, or only one elsewhere."""
    from chains.models.specs import names_local, names_remote

    if spec.answering == "structured" and spec.model is not None and names_local(spec.model):
        raise ConfigurationError(
            f"answering 'structured' needs a provider that holds replies to a schema; '{spec.model}' runs in this "
            "process: use score or auto"
        )

    needing = {
        f"answering '{spec.answering}'": spec.answering.startswith("score"),
        f"too_long '{spec.too_long}'": spec.too_long != "error",
    }
    for setting, is_set in needing.items():
        if is_set and spec.model is not None and names_remote(spec.model):
            raise ConfigurationError(
                f"{setting} needs a model in this process (smollm2, hf:…); '{spec.model}' runs elsewhere"
            )


def _check_declared(spec: SystemSpec) -> None:
    """Refuse a setting that the chain's factory does not declare."""
    from chains.registry import parameters

    given = {
        "prompt": spec.prompt is not None,
        "answering": spec.answering != "auto",
        "too_long": spec.too_long != "error",
        "examples": spec.examples is not None,
        "candidates": spec.candidates is not None,
    }
    declared = parameters(str(spec.chain))
    for name, is_given in given.items():
        if is_given and name not in declared:
            option = name.replace("_", "-")
            raise ConfigurationError(f"chain '{spec.chain}' {_WITHOUT[name]}; leave --{option} out")


_WITHOUT = {
    "prompt": "takes no prompt",
    "answering": "is asked in one way only",
    "too_long": "shows no passage that can be shortened",
    "examples": "shows no examples",
    "candidates": "shows no labels that can be left out",
}
