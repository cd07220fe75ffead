"""The two kinds of step that a chain is made of: one that fills a field in, and one that only computes.

LangChain's own `RunnablePassthrough.assign` invokes item by item when a chain is batched, which would hide the real
batches of local models and retrievers; `Assign` is the same step with the batch kept whole.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from pydantic import ConfigDict

from data.types import Inputs

Output = TypeVar("Output")


class Assign(RunnableSerializable[Inputs, Inputs]):
    """Adds what `step` makes of the input under `key`, batch by batch.

    Attributes:
        of: The field that the step takes; None: the whole input.
        once: Where an item is asked several times, take the step once for all of them: it is about the item, whatever
            the order that its choices are shown in.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    key: str
    step: Runnable[Any, Any]
    of: str | None = None
    once: bool = False

    def _taken(self, input: Inputs) -> Any:
        return input if self.of is None else input[self.of]

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Inputs:
        return {**input, self.key: self.step.invoke(self._taken(input), config, **kwargs)}

    async def ainvoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Inputs:
        return {**input, self.key: await self.step.ainvoke(self._taken(input), config, **kwargs)}

    def batch(
        self,
        inputs: list[Inputs],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Inputs]:
        taken = [self._taken(entry) for entry in inputs]
        values = self.step.batch(taken, config, return_exceptions=return_exceptions, **kwargs)
        return [
            value if isinstance(value, Exception) else {**entry, self.key: value}  # type: ignore[misc]  # as Runnable.batch does
            for entry, value in zip(inputs, values, strict=True)
        ]


class Step(RunnableSerializable[Inputs, Output]):
    """Applies a function that asks nobody.

    A RunnableLambda does that too, but has a run of its own in every trace and reads the function's signature at every
    call, which together take longer than such a function.
    """

    function: Callable[[Inputs], Output]

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        return self.function(input)

    async def ainvoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        return self.function(input)
