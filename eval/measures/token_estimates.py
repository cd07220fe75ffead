"""What the rule of thumb of `--dry-run` makes of the prompts that were sent, beside what the server counted.

A system's `Answers` in, one `Estimated` out: how far the next estimate for such prompts can be trusted, where the
model's tokenizer is not at hand. A report looks for none, so that it is the same on every machine.
"""

from data.types import Frozen
from eval.measures.answers import Answers
from eval.measures.prices import PriceTable, price
from eval.rundir.description import SystemDescription, reply_limit_of
from eval.rundir.priced_parts import is_api, priced_as


class Estimated(Frozen):
    """Tokens and dollars of the items that were asked by one call each, and whose tokens the server counted.

    Attributes:
        items: How many these are.
        estimated_input_tokens: The tokens by the rule of thumb.
        input_tokens: As counted.
        most_output_tokens: The tokens by the limit on replies; None where there is none.
        output_tokens: As counted, reasoning included.
        most_usd: What the estimated tokens and the longest replies cost; None where something of it is unknown.
        usd: What the counted tokens cost; None where the price is unknown.
    """

    items: int
    estimated_input_tokens: int
    input_tokens: int
    most_output_tokens: int | None
    output_tokens: int
    most_usd: float | None
    usd: float | None


def compare_estimate(answers: Answers, description: SystemDescription, *, prices: PriceTable) -> Estimated | None:
    """Set the estimate beside the count.

    Args:
        answers: The answers of one system.
        description: The system's, with its model's spec as the price table names it.
        prices: The prices that the report counts with.

    Returns:
        None for a system that is not asked over a network, and where no call was counted.
    """
    if not is_api(description):
        return None
    rows = answers.rows
    single_call = (rows["messages"] > 0) & (rows["trials"] == 0) & (rows["tool_calls"] == 0) & (rows["status"] >= 0)
    is_counted = (answers.counted("input_tokens") > 0) & answers.has_count("output_tokens")
    counted = answers.take(single_call & is_counted)
    if not len(counted):
        return None
    used = {name: int(counted.counted(name).sum()) for name in ("input_tokens", "output_tokens", "cached_tokens")}
    estimated = int(counted.rows["estimated_tokens"].sum())
    name, limit = str(priced_as(description)), reply_limit_of(description)
    most_written = None if limit is None else len(counted) * limit
    at_most = None if most_written is None else {"input_tokens": estimated, "output_tokens": most_written}
    return Estimated(
        items=len(counted),
        estimated_input_tokens=estimated,
        input_tokens=used["input_tokens"],
        most_output_tokens=most_written,
        output_tokens=used["output_tokens"],
        most_usd=None if at_most is None else price(at_most, name, table=prices),
        usd=price(used, name, table=prices),
    )
