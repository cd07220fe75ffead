"""What it would cost to ask chat models each item of a labelled file once, for `python -m data check`.

A file, what its user says of it and the models' specs in; a row for each model out. The prompts are rendered for real,
and nobody is asked.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chains.models.specs import reply_tokens
from data.common.table import aligned
from data.registry import benchmark, load_items
from eval.cli.dry_run import RULE_OF_THUMB, Estimate, estimate
from eval.measures.prices import Price, price, price_table
from eval.plan.settings.specs import EvaluationSpec, Suite, SystemSpec
from eval.rundir.names import plain_name

_BY_RULE = "a rule of thumb; those of a --model by its own tokenizer"
_RENDERED = 500  # items: of more, the first stand for all, for those that are measured are in a random order


class AskingPrice(NamedTuple):
    """What asking one model would take.

    Attributes:
        model: Its spec.
        input_tokens: Over all items, as far as it is rightly counted.
        output_tokens: At most, by the limit on replies.
        usd: At most; None where the model's price is unknown.
        counted_by: What counted the tokens that are read.
    """

    model: str
    input_tokens: int
    output_tokens: int
    usd: float | None
    counted_by: str


def asking_prices(name: str, card: Mapping[str, Any], models: Sequence[str]) -> list[AskingPrice]:
    """Return what it would cost to ask models the items of a task that are measured, with its labels and no examples.

    Args:
        name: The task's file, folder or card.
        card: Fields of its card.
        models: Specs; empty: every model of the price table, the cheapest first, by a rule of thumb for all of them.

    Raises:
        ConfigurationError: A model is unknown, or the price table cannot be read.
    """
    n_items = len(load_items(name, card=card))
    chain = "choose" if benchmark(name, card=card).labels is None else "classify"
    known = price_table().models
    if models:
        found = {model: _estimate(name, card, chain, model) for model in dict.fromkeys(models)}
        return [_row(model, one, n_items, usd=one.usd) for model, one in found.items()]
    if not known:
        return []
    cheapest = sorted(known, key=lambda model: (_size(known[model]), model))
    usual = _estimate(name, card, chain, cheapest[0], by_rule=True)
    answer_tokens = usual.output_tokens // usual.items - reply_tokens(cheapest[0], 0)  # those of thoughts left out
    rows = []
    for model in cheapest:
        usage = {"input_tokens": usual.input_tokens, "output_tokens": usual.items * reply_tokens(model, answer_tokens)}
        of_model = usual._replace(output_tokens=usage["output_tokens"], counted_by=_BY_RULE)
        rows.append(_row(model, of_model, n_items, usd=price(usage, model)))
    return rows


def asking_table(found: Sequence[AskingPrice]) -> str:
    """Return the rows as a table with its heading; "" where there are none."""
    if not found:
        return ""
    counted = " and ".join(dict.fromkeys(one.counted_by for one in found))
    head = ("model", "tokens to read", "to write, at most", "USD, at most")
    rows = [
        (
            one.model,
            f"{one.input_tokens:,}",
            f"{one.output_tokens:,}",
            "unknown" if one.usd is None else f"{one.usd:,.2f}",
        )
        for one in found
    ]
    heading = f"asking each item to measure once, without examples (tokens counted by {counted}):"
    return f"{heading}\n{aligned([head, *rows])}"


def _estimate(name: str, card: Mapping[str, Any], chain: str, model: str, *, by_rule: bool = False) -> Estimate:
    system = SystemSpec(name=plain_name(model), chain=chain, model=model)
    spec = EvaluationSpec(benchmark=name, card=dict(card), limit=_RENDERED, systems=(system,))
    (found,) = estimate(Suite(name="check", evaluations=(spec,)), counter=RULE_OF_THUMB if by_rule else None)
    return found


def _row(model: str, found: Estimate, n_items: int, *, usd: float | None) -> AskingPrice:
    """Return the row of a model: what was estimated of the first items, for all of them."""
    times = n_items / found.items
    read, written = (round(times * tokens) for tokens in (found.input_tokens, found.output_tokens))
    return AskingPrice(model, read, written, None if usd is None else round(times * usd, 6), found.counted_by)


def _size(one: Price) -> float:
    """Return what orders models from small to large: what reading and writing cost together."""
    return one.input + one.output
