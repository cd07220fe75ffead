"""A cascade: a cheap predictor answers what it is sure of, and the next one is asked the rest.

    input ─ first ─┬─ probability of its answer ≥ threshold ──────────────→ Prediction(stage=0)
                   └─ else ─ second ─┬─ … ────────────────────────────────→ Prediction(stage=1)

    from chains.cascade import cascade
    both = cascade(classifier, kice_rag(model, retriever), threshold=0.83)

The predictors are any that give probabilities; the last one need not. `python -m eval` says which threshold to take
(docs/cascade.md).
"""

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForChainRun, CallbackManagerForChainRun
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import merge_configs
from pydantic import ConfigDict

from chains.predictor import Predictor
from chains.repeated import fault_of
from data.types import Inputs, Prediction


def cascade(first: Predictor, second: Predictor, threshold: float) -> "Cascade":
    """Return a predictor that asks the second only where the first is not sure.

    Args:
        first: The cheap one; its predictions have probabilities. Without them, everything is passed on.
        second: The dear one. It may be a cascade itself: then there are three stages, and so on.
        threshold: The first answers alone where the probability of its answer is at least this, between 0 and 1.

    Raises:
        ValueError: The threshold is no probability.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold {threshold} is no probability")
    if isinstance(second, Cascade):
        return Cascade(stages=(first, *second.stages), thresholds=(threshold, *second.thresholds))
    return Cascade(stages=(first, second), thresholds=(threshold,))


def is_sure(prediction: Prediction, threshold: float) -> bool:
    """Say whether a prediction stands by itself: the probability of its choice is known and at or above a threshold."""
    if prediction.choice is None or prediction.probs is None:
        return False
    return prediction.probs[prediction.choice] >= threshold


def answered_at(stage: int, predictions: Sequence[Prediction]) -> Prediction:
    """Return what a cascade answers: the last prediction, with the tokens of all.

    Args:
        stage: Which of the cascade's predictors made the last one, from 0.
        predictions: What the stages that were asked said, in their order.
    """
    names = dict.fromkeys(name for one in predictions for name in one.usage)
    usage = {name: sum(one.usage.get(name, 0) for one in predictions) for name in names}
    return predictions[-1].model_copy(update={"usage": usage, "stage": stage})


class Cascade(RunnableSerializable[Inputs, Prediction]):
    """Asks one predictor after another until one is sure; the last one answers in any case.

    The items of a batch that a stage passes on are handed to the next one as one batch. A fault of a stage is its
    item's fault, and no other's.

    Attributes:
        stages: Two predictors or more, the cheapest first.
        thresholds: The threshold of every stage but the last.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    stages: tuple[Predictor, ...]
    thresholds: tuple[float, ...]

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Prediction:
        return self._call_with_config(self._ask, input, config, **kwargs)

    async def ainvoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Prediction:
        return await self._acall_with_config(self._aask, input, config, **kwargs)

    def batch(
        self,
        inputs: list[Inputs],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Prediction]:
        return self._batch_with_config(
            self._ask_together, inputs, config, return_exceptions=return_exceptions, **kwargs
        )

    async def abatch(
        self,
        inputs: list[Inputs],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Prediction]:
        return await self._abatch_with_config(
            self._aask_together, inputs, config, return_exceptions=return_exceptions, **kwargs
        )

    def _ask(self, entry: Inputs, run_manager: CallbackManagerForChainRun, config: RunnableConfig) -> Prediction:
        open_item = _OpenItem(entry, self.thresholds)
        for stage, predictor in enumerate(self.stages):
            if open_item.take(predictor.invoke(entry, self._of_stage(stage, config))):
                break
        return open_item.answer

    async def _aask(
        self, entry: Inputs, run_manager: AsyncCallbackManagerForChainRun, config: RunnableConfig
    ) -> Prediction:
        open_item = _OpenItem(entry, self.thresholds)
        for stage, predictor in enumerate(self.stages):
            if open_item.take(await predictor.ainvoke(entry, self._of_stage(stage, config))):
                break
        return open_item.answer

    def _ask_together(
        self, entries: list[Inputs], run_manager: list[CallbackManagerForChainRun], config: list[RunnableConfig]
    ) -> list[Exception | Prediction]:
        batch = _Batch(entries, self.thresholds)
        for stage, predictor in enumerate(self.stages):
            if batch.left:
                configs = [self._of_stage(stage, config[row]) for row in batch.left]
                batch.take(predictor.batch(batch.inputs, configs, return_exceptions=True))
        return batch.answers

    async def _aask_together(
        self, entries: list[Inputs], run_manager: list[AsyncCallbackManagerForChainRun], config: list[RunnableConfig]
    ) -> list[Exception | Prediction]:
        batch = _Batch(entries, self.thresholds)
        for stage, predictor in enumerate(self.stages):
            if batch.left:
                configs = [self._of_stage(stage, config[row]) for row in batch.left]
                batch.take(await predictor.abatch(batch.inputs, configs, return_exceptions=True))
        return batch.answers

    def _of_stage(self, stage: int, config: RunnableConfig) -> RunnableConfig:
        return merge_configs(config, {"run_name": f"stage {stage + 1} of {len(self.stages)}"})


class _OpenItem:
    """An item on its way through the stages."""

    def __init__(self, entry: Inputs, thresholds: Sequence[float]) -> None:
        self._n_choices, self._thresholds = len(entry["choices"]), thresholds
        self._given: list[Prediction] = []

    def take(self, answer: object) -> bool:
        """Take a stage's answer, and say whether it is the cascade's.

        Raises:
            ValueError: It is no prediction for the item.
        """
        if (fault := fault_of(answer, self._n_choices)) is not None:
            raise fault
        assert isinstance(answer, Prediction)  # else there was a fault
        self._given.append(answer)
        stage = len(self._given) - 1
        return stage == len(self._thresholds) or is_sure(answer, self._thresholds[stage])

    @property
    def answer(self) -> Prediction:
        """What the cascade answers."""
        return answered_at(len(self._given) - 1, self._given)


class _Batch:
    """The items of a batch on their way through the stages; `left` are the places of those that are passed on."""

    def __init__(self, entries: Sequence[Inputs], thresholds: Sequence[float]) -> None:
        self._entries = entries
        self._open = [_OpenItem(entry, thresholds) for entry in entries]
        self._faults: dict[int, Exception] = {}
        self.left = list(range(len(entries)))

    @property
    def inputs(self) -> list[Inputs]:
        """The inputs of the items that are passed on."""
        return [self._entries[row] for row in self.left]

    def take(self, answers: Sequence[object]) -> None:
        """Take the answers of a stage to the items that were passed on to it.

        Raises:
            BaseException: One of them is an interruption, which ends the run and not the item.
            ValueError: There are more or fewer answers than items.
        """
        self.left = [row for row, answer in zip(self.left, answers, strict=True) if self._passes_on(row, answer)]

    def _passes_on(self, row: int, answer: object) -> bool:
        if isinstance(answer, BaseException) and not isinstance(answer, Exception):
            raise answer
        try:
            if isinstance(answer, Exception):
                raise answer
            return not self._open[row].take(answer)
        except Exception as fault:  # noqa: BLE001  # whatever a stage raised is its item's fault
            self._faults[row] = fault
            return False

    @property
    def answers(self) -> list[Exception | Prediction]:
        """What came of every item."""
        return [self._faults.get(row) or open_item.answer for row, open_item in enumerate(self._open)]
