"""What calls cost: tokens times a dated price table, and a rough count of tokens before anything is sent."""

import os
from functools import cache
from pathlib import Path

from pydantic import Field, ValidationError

from data.errors import ConfigurationError
from data.types import Frozen
from data.yaml_file import read_yaml

PRICE_FILE = Path(__file__).parent / "prices.yaml"


class Price(Frozen):
    """US dollars for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)


class PriceTable(Frozen):
    """Prices by model spec, with the day and the place they were read."""

    as_of: str
    source: str
    models: dict[str, Price]


def price_table() -> PriceTable:
    """Return the table in force: the file that TUNE_OR_PROMPT_PRICES names, else the project's own."""
    return _read_prices(Path(os.environ.get("TUNE_OR_PROMPT_PRICES") or PRICE_FILE))


@cache
def _read_prices(path: Path) -> PriceTable:
    try:
        return PriceTable.model_validate(read_yaml(path, kind="price table").content)
    except ValidationError as error:
        raise ConfigurationError(f"price table {path} cannot be used: {str(error).splitlines()[0]}") from None


def price(usage: dict[str, int], model_spec: str) -> float | None:
    """Return the US dollars that `usage` costs with a model, or None where its price is unknown.

    Args:
        usage: input_tokens (cached ones included), output_tokens (reasoning included), cached_tokens.
        model_spec: As in a suite, such as "openai:gpt-4o-mini".
    """
    found = price_table().models.get(model_spec)
    if found is None:
        return None
    cached = usage.get("cached_tokens", 0)
    cached_price = found.input if found.cached_input is None else found.cached_input
    fresh = usage.get("input_tokens", 0) - cached
    return (fresh * found.input + cached * cached_price + usage.get("output_tokens", 0) * found.output) / 1e6


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text without a tokenizer: four ASCII characters or one other character a token.

    Deliberately on the high side for Korean, where recent tokenizers need 0.5 to 1 token a syllable.
    """
    ascii_characters = sum(character.isascii() for character in text)
    return -(-ascii_characters // 4) + len(text) - ascii_characters
