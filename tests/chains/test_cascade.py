"""A cascade as a Runnable: who is asked what, in which batches, and what comes of faults."""

import asyncio
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from chains.cascade import Cascade, cascade
from data.types import Inputs, Prediction


class Scripted(Runnable[Inputs, Prediction]):
    """A predictor whose probability for choice 0 the input says; it remembers what it was asked, batch by batch."""

    def __init__(self, field: str, **usage: int) -> None:
        self.field, self.usage = field, usage
        self.batches: list[list[str]] = []

    def _answer(self, entry: Inputs) -> Any:
        said = entry[self.field]
        if isinstance(said, Exception | str):
            return said
        if said is None:
            return Prediction(choice=0, status="ok", usage=self.usage)
        if said < 0:
            return Prediction(choice=None, status="none", usage=self.usage)
        return Prediction(choice=0, status="ok", probs=(said, 1 - said), probs_source="softmax", usage=self.usage)

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Prediction:
        return self.batch([input], config)[0]

    def batch(self, inputs: Any, config: Any = None, *, return_exceptions: bool = False, **kwargs: Any) -> Any:
        self.batches.append([entry["id"] for entry in inputs])
        answers = [self._answer(entry) for entry in inputs]
        if not return_exceptions and (faults := [one for one in answers if isinstance(one, Exception)]):
            raise faults[0]
        return answers


def entry(name: str, **said: Any) -> Inputs:
    return {"id": name, "choices": ["yes", "no"], **said}


SURE, UNSURE = entry("sure", a=0.9, b=0.6, c=0.5), entry("unsure", a=0.6, b=0.9, c=0.5)
SILENT, BARE = entry("silent", a=-1, b=0.8, c=0.5), entry("bare", a=None, b=0.7, c=0.5)


@pytest.fixture
def stages() -> tuple[Scripted, Scripted]:
    return Scripted("a", input_tokens=10), Scripted("b", input_tokens=100, output_tokens=3)


def test_the_second_is_asked_in_one_batch_only_what_the_first_is_not_sure_of(stages) -> None:
    first, second = stages
    answers = cascade(first, second, 0.8).batch([SURE, UNSURE, SILENT, BARE])
    assert (first.batches, second.batches) == ([["sure", "unsure", "silent", "bare"]], [["unsure", "silent", "bare"]])
    assert [one.stage for one in answers] == [0, 1, 1, 1]
    assert [one.probs and one.probs[0] for one in answers] == [0.9, 0.9, 0.8, 0.7]
    assert answers[0].usage == {"input_tokens": 10}
    assert answers[1].usage == {"input_tokens": 110, "output_tokens": 3}  # both were paid for


@pytest.mark.parametrize("threshold", [0.0, 0.6, 0.61, 0.9, 0.91, 1.0])
def test_alone_or_together_and_awaited_or_not_the_answers_are_the_same(stages, threshold) -> None:
    entries = [SURE, UNSURE, SILENT, BARE]
    both = cascade(*stages, threshold)
    together = both.batch(entries)
    assert [both.invoke(one) for one in entries] == together

    async def awaited() -> tuple[list[Prediction], list[Prediction]]:
        return await both.abatch(entries), [await both.ainvoke(one) for one in entries]

    assert asyncio.run(awaited()) == (together, together)
    assert together[0].stage == (0 if threshold <= 0.9 else 1)
    assert [one.stage for one in together[2:]] == [1, 1]  # without a probability nothing is sure enough


def test_any_number_of_stages_and_it_composes_like_any_chain(stages) -> None:
    third = Scripted("c")
    three = cascade(stages[0], cascade(stages[1], third, 0.85), 0.8)
    assert isinstance(three, Cascade) and len(three.stages) == 3 and three.thresholds == (0.8, 0.85)
    choices = (three | RunnableLambda(lambda one: one.stage)).batch([SURE, UNSURE, SILENT])
    assert choices == [0, 1, 2] and third.batches == [["silent"]]


def test_a_fault_of_a_stage_is_its_items_alone_and_is_not_passed_on(stages) -> None:
    bad = [entry("lost", a=TimeoutError("late"), b=0.9), entry("worse", a=0.1, b=ValueError("no")), entry("odd", a="x")]
    answers = cascade(*stages, 0.8).batch([SURE, *bad], return_exceptions=True)
    assert answers[0].stage == 0
    assert [str(one) for one in answers[1:]] == ["late", "no", "the predictor returned a str, not a Prediction"]
    assert stages[1].batches == [["worse"]]
    with pytest.raises(TimeoutError, match="late"):
        cascade(*stages, 0.8).batch([SURE, *bad])
    with pytest.raises(ValueError, match="returned a str"):
        cascade(*stages, 0.8).invoke(bad[2])


def test_stages_are_named_in_traces(stages) -> None:
    seen: list[str] = []

    class Names(BaseCallbackHandler):
        def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
            seen.append(str(kwargs["name"]))

    named = [RunnableLambda(one.invoke) for one in stages]
    cascade(*named, 0.8).invoke(UNSURE, {"callbacks": [Names()]})
    assert seen == ["Cascade", "stage 1 of 2", "stage 2 of 2"]


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_is_a_probability(stages, threshold) -> None:
    with pytest.raises(ValueError, match="is no probability"):
        cascade(*stages, threshold)
