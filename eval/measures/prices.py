"""What calls and machines cost: a dated price table, and a rough count of tokens before anything is sent."""

import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from data.common.errors import ConfigurationError, first_fault
from data.common.parsing import read_yaml
from data.types import Frozen, Message
from eval.rundir.description import Machine

PRICE_FILE = Path(__file__).parent / "prices.yaml"


class Price(Frozen):
    """US dollars for a million tokens."""

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cached_input: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class MachinePrice(Frozen):
    """US dollars for an hour of one CPU or one GPU.

    Attributes:
        match: Whole words of the CPU's or GPU's name, in any case.
        name: What the price is of, such as an instance type; "" where the source says it.
        source: Where the figure was read; None: where the table's others were.
        as_of: When; None: as the table's others.
    """

    match: str = Field(min_length=1)
    per: Literal["cpu", "gpu"]
    usd_per_hour: float = Field(ge=0, allow_inf_nan=False)
    name: str = ""
    source: str | None = None
    as_of: str | None = None

    def fits(self, name: str) -> bool:
        """Say whether the name of a CPU or GPU holds the words; "L4" is not in "NVIDIA L40S"."""
        return re.search(rf"(?<!\w){re.escape(self.match)}(?!\w)", name, re.IGNORECASE) is not None


class PriceTable(Frozen):
    """Prices of models and machines, with the day and the place they were read.

    Attributes:
        models: The prices, by model spec.
        machines: The first that fits counts.
        batch: What a provider's batches cost, as a share of single calls, by its name in specs; 1 where it has none.
        labels_usd: What the label of one training item costs; None: unknown, and then not counted.
    """

    as_of: str
    source: str
    models: dict[str, Price] = Field(default_factory=dict)
    batch: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    machines: tuple[MachinePrice, ...] = ()
    labels_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)

    def cited(self, machine: MachinePrice | None = None) -> str:
        """Say where and when a machine's price, or without one the models' prices, were read."""
        source, as_of = (None, None) if machine is None else (machine.source, machine.as_of)
        name = "" if machine is None or not machine.name else f"{machine.name}: "
        return f"{name}{source or self.source} ({as_of or self.as_of})"


def price_table() -> PriceTable:
    """Return the table in force: the file that TUNE_OR_PROMPT_PRICES names, else the project's own.

    Raises:
        ConfigurationError: The file cannot be read or is no price table.
    """
    return _read_prices(Path(os.environ.get("TUNE_OR_PROMPT_PRICES") or PRICE_FILE))


@cache
def _read_prices(path: Path) -> PriceTable:
    try:
        return PriceTable.model_validate(read_yaml(path, kind="price table").content)
    except ValidationError as error:
        fault = first_fault(error)
        raise ConfigurationError(
            f"price table {path}, {fault.place or 'the file'}: {fault.message}; "
            "write it as eval/measures/prices.yaml is written"
        ) from None


def price(usage: Mapping[str, int], model_spec: str, *, table: PriceTable | None = None) -> float | None:
    """Return the US dollars that `usage` costs with a model, or None where its price or a count is unknown.

    Args:
        usage: input_tokens (cached ones included), output_tokens (reasoning included); where some were cached,
            cached_tokens; where batches took some, batch_input_tokens and batch_output_tokens.
        model_spec: As in a suite, such as "openai:gpt-4o-mini".
        table: None for the one in force.
    """
    table = table or price_table()
    found = table.models.get(model_spec)
    if found is None or "input_tokens" not in usage or "output_tokens" not in usage:
        return None
    sent, said = (min(max(usage.get(f"batch_{name}", 0), 0), usage[name]) for name in ("input_tokens", "output_tokens"))
    batch = table.batch.get(model_spec.partition(":")[0], 1.0) * (sent * found.input + said * found.output)
    # Some servers count more than was sent. A batch's price has no second discount for what was cached.
    cached = min(max(usage.get("cached_tokens", 0), 0), usage["input_tokens"] - sent)
    cached_price = found.input if found.cached_input is None else found.cached_input
    fresh = usage["input_tokens"] - sent - cached
    return (batch + fresh * found.input + cached * cached_price + (usage["output_tokens"] - said) * found.output) / 1e6


def machine_parts(machine: Machine, *, table: PriceTable) -> list[MachinePrice] | None:
    """Return the price of each GPU, or without one of each CPU; None where one is unknown or there is nothing.

    Args:
        machine: What is rented.
        table: Prices.
    """
    per: Literal["cpu", "gpu"] = "gpu" if machine.gpus else "cpu"
    names = machine.gpus or [machine.cpu or ""] * (machine.cpus or 0)
    parts = []
    for name in names:
        found = next((one for one in table.machines if one.per == per and one.fits(name)), None)
        if found is None:
            return None
        parts.append(found)
    return parts or None


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text without a tokenizer: four ASCII characters or one other character a token.

    Deliberately on the high side for Korean, where recent tokenizers need 0.5 to 1 token a syllable.
    """
    ascii_characters = len(text.encode("ascii", "ignore"))
    return -(-ascii_characters // 4) + len(text) - ascii_characters


def estimate_request_tokens(messages: Sequence[Message]) -> int:
    """Estimate the tokens of all that is sent in one request, likewise."""
    return sum(estimate_tokens(message.whole_text()) for message in messages)
