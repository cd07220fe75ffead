"""One item asked several times: with its choices rotated, or for several samples of the reply.

    input ─ steps that see no order (retrieval) ─┬─ choices 1 2 3 ─ predictor ─┬─ mapped back ─ majority → Prediction
                                                 ├─ choices 2 3 1 ─ predictor ─┤
                                                 └─ choices 3 1 2 ─ predictor ─┘

Only the input's `choices` are rotated: a text that calls a choice by its number is shown as it is. What was said stays
as it was said, in the prediction's `asks`; only the choice that was read from it, and its probabilities, are mapped
back.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, Literal

from langchain_core.callbacks import CallbackManagerForChainRun
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSequence, RunnableSerializable
from langchain_core.runnables.config import merge_configs
from pydantic import ConfigDict

from chains.models.families import Options
from chains.models.request_fields import with_seed
from chains.predictor import Predictor
from chains.steps import Assign
from data.types import TRIAL, Inputs, Prediction, ProbsSource, Trial, answer_fault

Permute = Literal["cyclic"]
Order = tuple[int, ...]  # the item's own choices, in the order they are shown
SAME_PROBABILITY = 1e-9  # a mean of the same numbers depends on their order in its last digits


def orders(n_choices: int, permute: Permute | None) -> list[Order]:
    """Return the orders in which an item's choices are shown, its own first."""
    starts = range(n_choices) if permute else range(1)
    return [tuple((start + place) % n_choices for place in range(n_choices)) for start in starts]


def n_trials(n_choices: int, *, permute: Permute | None, votes: int | None) -> int:
    """Return how often an item is asked."""
    return len(orders(n_choices, permute)) * (votes or 1)


def repeated(
    make: Callable[[Options], Predictor],
    parts: Options,
    *,
    permute: Permute | None = None,
    votes: int | None = None,
    seed: int = 0,
) -> Predictor:
    """Make a predictor that asks each item several times, or just the predictor where neither is asked for.

    Args:
        make: Makes the predictor of its parts.
        parts: What the factory takes, with the "model" if there is one: each vote gets a seed of its own, where the
            model takes one, for the same prompt and the same seed give the same reply.
        permute: "cyclic" asks once for each rotation of the choices.
        votes: How many replies are sampled; None: one.
        seed: The run's seed; it decides the votes' seeds and the draws between choices given equally often.
    """
    if permute is None and votes is None:
        return make(parts)
    if votes is None or "model" not in parts:
        predictors = [make(parts)] * (votes or 1)
    else:
        predictors = [make({**parts, "model": with_seed(parts["model"], _drawn(seed, n))}) for n in range(votes)]
    shared = shared_steps(predictors[0])
    repeating = Repeated(predictors=tuple(_after(p, len(shared)) for p in predictors), permute=permute, seed=seed)
    return RunnableSequence(*shared, repeating) if shared else repeating


def _drawn(seed: int, number: int) -> int:
    """Derive a vote's seed; 31 bits, which every model takes."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4], "big") >> 1


def steps_of(predictor: Runnable[Any, Any]) -> list[Runnable[Any, Any]]:
    """Return the steps of a chain; a chain of one step is that step."""
    return predictor.steps if isinstance(predictor, RunnableSequence) else [predictor]


def shared_steps(predictor: Runnable[Any, Any]) -> list[Runnable[Any, Any]]:
    """Return the first steps of a chain that do the same for every trial."""
    return list(takewhile(lambda step: isinstance(step, Assign) and step.once, steps_of(predictor)))


def _after(predictor: Predictor, n_shared: int) -> Predictor:
    rest = steps_of(predictor)[n_shared:]
    return rest[0] if len(rest) == 1 else RunnableSequence(*rest)


class Repeated(RunnableSerializable[Inputs, Prediction]):
    """Asks each item of each predictor, in each order of its choices, and answers with the majority.

    Items of a batch are asked together; a fault in one trial is its item's fault, and no other's. An item on its own
    is asked one time after another, so that a limit on the items in flight is one on the calls in flight.

    Attributes:
        predictors: One, or as many as there are votes.
        permute: Whether the choices are rotated.
        seed: Decides the draws between choices that are given equally often.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    predictors: tuple[Predictor, ...]
    permute: Permute | None = None
    seed: int = 0

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Prediction:
        return self._call_with_config(self._ask_in_turn, input, config, **kwargs)

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

    def _plan(self, entry: Inputs) -> list[tuple[Predictor, Order]]:
        shown = orders(len(entry["choices"]), self.permute)
        return [(predictor, order) for predictor in self.predictors for order in shown]

    def _ask_in_turn(
        self, entry: Inputs, run_manager: CallbackManagerForChainRun, config: RunnableConfig
    ) -> Prediction:
        plan = self._plan(entry)
        answers = []
        for number, (predictor, order) in enumerate(plan):
            answer = predictor.invoke(_shown(entry, order), _one_of(config, number, len(plan)))
            if (fault := fault_of(answer, len(order))) is not None:
                raise fault  # before the next trial is paid for
            answers.append(answer)
        return self._combined(entry, answers)

    def _ask_together(
        self, entries: list[Inputs], run_manager: list[CallbackManagerForChainRun], config: list[RunnableConfig]
    ) -> list[Exception | Prediction]:
        answers: list[list[Any]] = [[] for _ in entries]
        for predictor in self.predictors:
            asked, configs, rows = [], [], []
            for row, (entry, own) in enumerate(zip(entries, config, strict=True)):
                shown = orders(len(entry["choices"]), self.permute)
                first, every = len(answers[row]), len(shown) * len(self.predictors)
                asked += [_shown(entry, order) for order in shown]
                configs += [_one_of(own, first + number, every) for number in range(len(shown))]
                rows += [row] * len(shown)
            given: list[Any] = predictor.batch(asked, configs, return_exceptions=True)
            for row, answer in zip(rows, given, strict=True):
                if isinstance(answer, BaseException) and not isinstance(answer, Exception):
                    raise answer  # an interruption ends the run, not the item
                answers[row].append(answer)
        return [self._settled(entry, own) for entry, own in zip(entries, answers, strict=True)]

    def _settled(self, entry: Inputs, answers: Sequence[Any]) -> Exception | Prediction:
        n_choices = len(entry["choices"])
        faults = (answer if isinstance(answer, Exception) else fault_of(answer, n_choices) for answer in answers)
        try:
            return next(filter(None, faults), None) or self._combined(entry, answers)
        except ValueError as error:
            return error

    def _combined(self, entry: Inputs, answers: Sequence[Any]) -> Prediction:
        plan = self._plan(entry)
        asks = tuple(_mapped_back(answer, order) for answer, (_, order) in zip(answers, plan, strict=True))
        sources = {answer.probs_source for answer in answers}
        source = sources.pop() if len(sources) == 1 else None
        return Prediction(
            **majority(asks, source=source, key=draw_key(self.seed, str(entry.get("id", "")))),
            asks=asks,
            document_ids=answers[0].document_ids,
            usage=_usage(answers),
        )


def fault_of(answer: object, n_choices: int) -> ValueError | None:
    """Say what makes an answer unusable for its item: a chain of the user's own may return anything."""
    if not isinstance(answer, Prediction):
        return ValueError(f"the predictor returned a {type(answer).__name__}, not a Prediction")
    fault = answer_fault(answer, n_choices)
    return None if fault is None else ValueError(fault)


def _shown(entry: Inputs, order: Order) -> Inputs:
    return {**entry, "choices": [entry["choices"][own] for own in order]}


def _one_of(config: RunnableConfig, number: int, of: int) -> RunnableConfig:
    return merge_configs(config, {"run_name": f"trial {number + 1} of {of}", "metadata": {TRIAL: number}})


def _mapped_back(answer: Prediction, order: Order) -> Trial:
    probs = answer.probs
    return Trial(
        order=order,
        choice=None if answer.choice is None else order[answer.choice],
        status=answer.status,
        rule=answer.rule,
        raw=answer.raw,
        reasoning=answer.reasoning,
        finish_reason=answer.finish_reason,
        probs=None if probs is None else tuple(probs[order.index(own)] for own in range(len(order))),
    )


def majority(asks: Sequence[Trial], *, source: ProbsSource | None, key: str) -> Options:
    """Return the choice that most trials give, as fields of a `Prediction`: choice, status, rule, probs, probs_source.

    Where several choices are given equally often, the one with the higher mean probability is taken; where that says
    nothing either, one of them is drawn. A rule such as "the first of them" would itself prefer a position, and no
    answer at all would count as wrong what is right as often as a guess.

    Args:
        asks: One item's trials, their choices mapped back to the item's own order.
        source: What the trials' probabilities are, which are averaged where every trial has them. Else the
            probabilities are the share of each choice among the answers, and their source is "votes".
        key: Decides a draw: see `draw_key`.

    Source:
        Wang et al. 2022, "Self-Consistency Improves Chain of Thought Reasoning in Language Models", arXiv:2203.11171.
    """
    counts = Counter(ask.choice for ask in asks if ask.choice is not None)
    probs = _mean_probs(asks)
    if probs is None and counts:
        source = "votes"
        probs = tuple(counts[choice] / counts.total() for choice in range(len(asks[0].order)))
    with_probs = {"probs": probs, "probs_source": None if probs is None else source}
    if not counts:
        status = Counter(ask.status for ask in asks).most_common(1)[0][0]
        return {"choice": None, "status": status, "rule": "", **with_probs}
    choice, rule = _most_given(counts, probs or (), key)
    return {"choice": choice, "status": "ok", "rule": rule, **with_probs}


def draw_key(seed: int, item_id: str) -> str:
    """Return what decides the draws of an item in a run."""
    return f"{seed}/{item_id}"


def _mean_probs(asks: Sequence[Trial]) -> tuple[float, ...] | None:
    rows = [ask.probs for ask in asks if ask.probs is not None]
    if len(rows) < len(asks):
        return None
    return tuple(math.fsum(column) / len(rows) for column in zip(*rows, strict=True))


def _most_given(counts: Counter[int], probs: Sequence[float], key: str) -> tuple[int, str]:
    most = max(counts.values())
    tied = sorted(choice for choice, count in counts.items() if count == most)
    if len(tied) == 1:
        return tied[0], "majority"
    highest = max(probs[choice] for choice in tied)
    likeliest = [choice for choice in tied if highest - probs[choice] <= SAME_PROBABILITY]
    if len(likeliest) == 1:
        return likeliest[0], "tie-by-probability"
    digest = hashlib.sha256(key.encode()).digest()
    return likeliest[int.from_bytes(digest[:8], "big") % len(likeliest)], "tie-drawn"


_OFTEN_NONE = ("cached_tokens", "reasoning_tokens")  # counted by nobody where there are none, like saved_*


def _usage(answers: Sequence[Prediction]) -> dict[str, int]:
    """Sum the tokens of all trials; what one of them does not count is unknown of all, or nobody could price it."""
    usages = [answer.usage for answer in answers]
    names = {name: None for usage in usages for name in usage}
    total = {
        name: sum(usage.get(name, 0) for usage in usages)
        for name in names
        if name in _OFTEN_NONE or name.startswith("saved_") or all(name in usage for usage in usages)
    }
    if "cut_tokens" in names:  # of one prompt, not of all: by so much the longest was shortened
        total["cut_tokens"] = max(usage.get("cut_tokens", 0) for usage in usages)
    return total
