"""What the rule of thumb of `--dry-run` makes of the prompts that were sent, beside what the server counted.

A system's journal in, one `Estimated` out: how far the next estimate for such prompts can be trusted, where the model's
tokenizer is not at hand. A report looks for none, so that it is the same on every machine.
"""

from collections.abc import Iterable

from data.types import Frozen, Record
from eval.measures.prices import PriceTable, estimate_request_tokens, price
from eval.rundir.description import SystemDescription, is_api, priced_as, reply_limit_of


class Estimated(Frozen):
    """Tokens and dollars of the items that were asked by one call each, and whose tokens the server counted.

    Attributes:
        items: How many these are.
        estimated_input_tokens: By the rule of thumb.
        input_tokens: As counted.
        most_output_tokens: By the limit on replies; None where there is none.
        output_tokens: As counted, reasoning included.
        most_usd: Of the estimated tokens and the longest replies; None where something of it is unknown.
        usd: Of the counted tokens; None where the price is unknown.
    """

    items: int
    estimated_input_tokens: int
    input_tokens: int
    most_output_tokens: int | None
    output_tokens: int
    most_usd: float | None
    usd: float | None


def compare_estimate(
    records: Iterable[Record], description: SystemDescription, *, prices: PriceTable
) -> Estimated | None:
    """Set the estimate beside the count.

    Args:
        records: Of one system, one an item, with their messages.
        description: The system's, with its model's spec as the price table names it.
        prices: Of the report.

    Returns:
        None for a system that is not asked over a network, and where no call was counted.
    """
    if not is_api(description):
        return None
    counted = [found for record in records if (found := _counted(record)) is not None]
    if not counted:
        return None
    items, estimated, sent, written, cached = len(counted), *(sum(column) for column in zip(*counted, strict=True))
    name, limit = str(priced_as(description)), reply_limit_of(description)
    most_written = None if limit is None else items * limit
    at_most = None if most_written is None else {"input_tokens": estimated, "output_tokens": most_written}
    actual = {"input_tokens": sent, "output_tokens": written, "cached_tokens": cached}
    return Estimated(
        items=items,
        estimated_input_tokens=estimated,
        input_tokens=sent,
        most_output_tokens=most_written,
        output_tokens=written,
        most_usd=None if at_most is None else price(at_most, name, table=prices),
        usd=price(actual, name, table=prices),
    )


def _counted(record: Record) -> tuple[int, int, int, int] | None:
    """Return estimated, sent, written and cached tokens of an item that took one call; None for any other."""
    prediction, messages = record.prediction, record.messages
    if prediction is None or not messages or prediction.asks or any(message.tool_calls for message in messages):
        return None
    usage = prediction.usage
    if not usage.get("input_tokens") or "output_tokens" not in usage:
        return None
    return (
        estimate_request_tokens(messages),
        usage["input_tokens"],
        usage["output_tokens"],
        usage.get("cached_tokens", 0),
    )
