"""The estimate before a run beside what the run came to."""

from typing import Any

import pytest

from data.types import Item, Message, Prediction, Record, Trial
from eval.measures.answers import Answers
from eval.measures.prices import estimate_tokens, price_table
from eval.measures.run_answers import answers_of
from eval.measures.token_estimates import compare_estimate
from eval.report.sections.costs import estimate_table
from tests.support.described import described

API = described({"kind": "chain", "model": {"spec": "openai:gpt-4o-mini", "max_tokens": 64}})
ITEM = Item(id="a", inputs={"question": "?"}, choices=("1", "2"), target=0, group="g")
SENT = (Message(role="user", content="지문을 읽고 답하세요. Answer with one number."),)


def record(usage: dict[str, int], **more: Any) -> Record:
    prediction = Prediction(choice=0, status="ok", usage=usage, asks=more.pop("asks", ()))
    return Record(item=ITEM, system="s", prediction=prediction, latency_s=0.1, messages=more.get("messages", SENT))


def answered(records: list[Record]) -> Answers:
    """The records as answers to items of different ids."""
    items = (ITEM.model_copy(update={"id": str(number)}) for number in range(len(records)))
    return answers_of(one.model_copy(update={"item": item}) for one, item in zip(records, items, strict=True))


def test_tokens_and_dollars_are_summed_over_what_was_counted() -> None:
    used = {"input_tokens": 20, "output_tokens": 3}
    unpaid = Trial(order=(0, 1), choice=0, status="ok")
    records = [record(used), record(used), record({}), record(used, asks=(unpaid,)), record(used, messages=None)]
    found = compare_estimate(answered(records), API, prices=price_table())
    assert found is not None
    each = estimate_tokens(SENT[0].content)
    assert (found.items, found.estimated_input_tokens, found.input_tokens) == (2, 2 * each, 40)
    assert (found.most_output_tokens, found.output_tokens) == (128, 6)
    model = price_table().models["openai:gpt-4o-mini"]
    assert found.usd == pytest.approx((40 * model.input + 6 * model.output) / 1e6)
    assert found.most_usd == pytest.approx((2 * each * model.input + 128 * model.output) / 1e6)


def test_what_is_unknown_stays_unknown() -> None:
    description = described(
        {"kind": "chain", "model": {"spec": "endpoint:m@http://127.0.0.1:1/v1", "max_tokens": None}}
    )
    used = {"input_tokens": 20, "output_tokens": 3}
    found = compare_estimate(answered([record(used)]), description, prices=price_table())
    assert found is not None
    assert (found.most_output_tokens, found.most_usd, found.usd) == (None, None, None)
    (row,) = estimate_table({"s": found}).rows
    assert row[3:] == ("unknown / 3", "unknown / unknown")


@pytest.mark.parametrize(
    "description", [{"kind": "baseline"}, {"kind": "chain", "model": {"spec": "x", "device": "cpu"}}]
)
def test_only_systems_behind_a_server_are_estimated(description: dict[str, Any]) -> None:
    counted = answered([record({"input_tokens": 1, "output_tokens": 1})])
    assert compare_estimate(counted, described(description), prices=price_table()) is None
    assert compare_estimate(answered([]), API, prices=price_table()) is None
