"""The two kinds of step that a chain is made of: one that fills a field in, and one that only computes.

LangChain's own `RunnablePassthrough.assign` invokes item by item when a chain is batched, which would hide the real
batches of local models and retrievers; `Assign` is the same step with the batch kept whole.

A step's name stands in `get_graph()` and, where it is a run of its own, in traces.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import get_config_list
from langchain_core.runnables.graph import Graph
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.context import run_collector_var
from pydantic import BaseModel, ConfigDict

from data.types import Inputs

Output = TypeVar("Output")


class ItemInput(BaseModel):
    """What a chain takes of an item: its choices, and its texts by whatever names they have.

    Attributes:
        id: The item's own; examples and records know it by that.
        group: The group of the items that share a passage with it.
    """

    model_config = ConfigDict(extra="allow")

    id: str = ""
    group: str = ""
    choices: list[str]


class Assign(RunnableSerializable[Inputs, Inputs]):
    """Adds what `step` makes of the input under `key`, batch by batch.

    Attributes:
        of: The field that the step takes; None: the whole input.
        once: Where an item is asked several times, take the step once for all of them: it is about the item, whatever
            the order that its choices are shown in.
        takes: The item's fields that a chain needs which begins with this step.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    key: str
    step: Runnable[Any, Any]
    of: str | None = None
    once: bool = False
    takes: type[BaseModel] = ItemInput

    def get_input_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:
        return self.takes

    def get_graph(self, config: RunnableConfig | None = None) -> Graph:
        """Return a node of this step's name; a step without one shows what it takes, such as a prompt."""
        return self.step.get_graph(config) if self.name is None else super().get_graph(config)

    def _named(self, config: RunnableConfig | None) -> RunnableConfig:
        return {**(config or {}), **({"run_name": self.name} if self.name else {})}

    def _taken(self, input: Inputs) -> Any:
        return input if self.of is None else input[self.of]

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Inputs:
        return {**input, self.key: self.step.invoke(self._taken(input), self._named(config), **kwargs)}

    async def ainvoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Inputs:
        return {**input, self.key: await self.step.ainvoke(self._taken(input), self._named(config), **kwargs)}

    def batch(
        self,
        inputs: list[Inputs],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Inputs]:
        taken = [self._taken(entry) for entry in inputs]
        configs = [self._named(one) for one in get_config_list(config, len(inputs))]
        values = self.step.batch(taken, configs, return_exceptions=return_exceptions, **kwargs)
        return [
            value if isinstance(value, Exception) else {**entry, self.key: value}  # type: ignore[misc]  # as Runnable.batch does
            for entry, value in zip(inputs, values, strict=True)
        ]


class LabelledInput(ItemInput):
    """An item of a task whose labels are fixed: without choices, it has those labels."""

    choices: list[str] | None = None  # type: ignore[assignment]  # wider on purpose


class Step(RunnableSerializable[Any, Output]):
    """Applies a function that asks nobody.

    A RunnableLambda does that too, but begins a run of its own also where nobody traces, and reads the function's
    signature at every call, which together take longer than such a function.

    Attributes:
        gives: The type of what the function returns.
        shows: The field of the input that a trace shows as what the step takes; None: the step is in no trace.
    """

    function: Callable[[Any], Output]
    gives: type = dict
    shows: str | None = None

    @property
    def OutputType(self) -> type:  # LangChain's name
        return self.gives

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        if self.shows is None or not _is_traced(config):
            return self.function(input)
        return self._call_with_config(lambda _: self.function(input), input[self.shows], config, run_type="parser")

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        if self.shows is None or not _is_traced(config):
            return self.function(input)

        async def applied(_: Any) -> Output:
            return self.function(input)

        return await self._acall_with_config(applied, input[self.shows], config, run_type="parser")


def _is_traced(config: RunnableConfig | None) -> bool:
    """Say whether a tree of runs is kept: by one who listens, such as LangSmith's tracer, or by `collect_runs`."""
    if run_collector_var.get() is not None:
        return True
    callbacks = (config or {}).get("callbacks") or []
    handlers = callbacks if isinstance(callbacks, list) else callbacks.handlers
    return any(isinstance(handler, BaseTracer) for handler in handlers)


def with_labels(labels: Sequence[str], *, takes: type[BaseModel]) -> Assign:
    """Return the step that gives an input without choices the labels as its choices."""

    def chosen(entry: Inputs) -> list[str]:
        return entry.get("choices") or list(labels)

    return Assign(name="labels", key="choices", step=Step(function=chosen, gives=list), once=True, takes=takes)
