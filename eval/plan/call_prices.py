"""What a system's calls can cost at most, and which suites have a price for every call they make."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chains.models.addresses import given_address
from chains.models.request_fields import LIMITS
from chains.models.specs import resolve_spec
from data.common.errors import ConfigurationError
from eval.measures.prices import price, price_table
from eval.plan.settings.specs import Suite
from eval.plan.system import System
from eval.rundir.description import model_spec
from eval.rundir.priced_parts import priced_name

_UNKNOWN = "--max-cost cannot be kept: the price of"
# What a server may put around a message, and around them all: roles, separators, the reply's opening.
MESSAGE_TOKENS, CONVERSATION_TOKENS = 16, 32


class Rate(NamedTuple):
    """What one system's calls cost.

    Attributes:
        spec: The model's, as the price table knows it.
        reply_tokens: The longest reply, in tokens.
    """

    spec: str
    reply_tokens: int

    def highest_usd(self, texts: Sequence[str], parameters: Mapping[str, Any] | None = None) -> float:
        """Return the most that a call can cost, in US dollars.

        Args:
            texts: The texts of the messages.
            parameters: What the model is called with, where LangChain says so.
        """
        return self.usd(highest_usage(texts, parameters, reply_tokens=self.reply_tokens))

    def usd(self, usage: Mapping[str, int]) -> float:
        """Return what the usage that a server reports costs, in US dollars."""
        cost = price(usage, self.spec)
        if cost is None:
            raise ValueError(f"{self.spec} has no price, or {usage} does not count its tokens")
        return cost


def highest_usage(
    texts: Sequence[str], parameters: Mapping[str, Any] | None = None, *, reply_tokens: int
) -> dict[str, int]:
    """Return the most tokens that a call can take.

    Args:
        texts: The texts of the messages.
        parameters: What the model is called with, where LangChain says so.
        reply_tokens: The longest reply, where the parameters set no other limit.
    """
    parameters = parameters or {}
    limits = [limit for name in LIMITS if isinstance(limit := parameters.get(name), int)]
    replies = parameters.get("n") if isinstance(parameters.get("n"), int) else 1
    # Beside the messages, what is more than a number may become input tokens: tools, a form, what a request adds.
    sent = [*texts, *(_as_text(value) for value in parameters.values() if value and isinstance(value, dict | list))]
    reply_tokens = max(limits, default=reply_tokens) * max(replies or 1, 1)
    return {"input_tokens": most_tokens(sent), "output_tokens": max(reply_tokens, 0)}


def most_tokens(texts: Sequence[str]) -> int:
    """Return the most tokens that messages can have: no token of a byte-level tokenizer is shorter than a byte."""
    return CONVERSATION_TOKENS + sum(len(text.encode("utf-8", "replace")) + MESSAGE_TOKENS for text in texts)


def _as_text(parameter: object) -> str:
    """Return a parameter of a call as the JSON that it is sent as."""
    return json.dumps(parameter, ensure_ascii=False, default=str)


def check_prices(suite: Suite) -> None:
    """Refuse a limit on what a suite may spend where somebody is asked at an unknown price.

    Raises:
        ConfigurationError: See above; nothing has been asked.
    """
    for system in (system for evaluation in suite.evaluations for system in evaluation.systems):
        if system.runnable is not None:
            raise ConfigurationError(f"{_UNKNOWN} what the system '{system.name}' asks by itself is unknown")
        if system.chain is None:
            continue
        if ":" in (system.embeddings or "") and not str(system.embeddings).startswith("hf:"):
            raise ConfigurationError(f"{_UNKNOWN} the embeddings '{system.embeddings}' is unknown; use local ones")
        if system.model is None:
            raise ConfigurationError(f"{_UNKNOWN} what the chain '{system.chain}' asks by itself is unknown")
        spec = resolve_spec(system.model)
        if ":" in spec and not spec.startswith("hf:"):
            _check_price(priced_name(spec, given_address(spec)))


def _check_price(name: str) -> None:
    if name not in price_table().models:
        raise ConfigurationError(
            f"{_UNKNOWN} '{name}' is unknown; add it to a price table and name that in TUNE_OR_PROMPT_PRICES"
        )


def rate_of(system: System) -> Rate | None:
    """Return what a system's calls cost; None for one that makes no paid calls.

    Raises:
        ConfigurationError: Nothing limits its replies, so that a call may cost any amount, or its price is unknown.
    """
    spec = model_spec(system.description)
    if spec is None or system.batch_size is not None:
        return None
    if system.reply_tokens is None:
        raise ConfigurationError(
            f"--max-cost cannot be kept: nothing limits the replies of '{spec}' ({system.name}); "
            "give the model max_tokens"
        )
    model = system.description.model
    name = priced_name(resolve_spec(spec), model.base_url if model else None)
    _check_price(name)
    return Rate(name, system.reply_tokens)
