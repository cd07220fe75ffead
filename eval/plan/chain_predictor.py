"""A chain's predictor out of a suite's entry and the parts that the chain needs, asked once or several times an item.

Both a run and its estimate make chains here, so that an estimate counts every trial.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from langchain_core.runnables import Runnable

from data.common.errors import ConfigurationError
from data.common.text import one_line
from data.types import Prediction
from eval.plan.suite import SystemSpec

Predictor = Runnable[dict[str, Any], Prediction]


def chain_predictor(spec: SystemSpec, parts: dict[str, Any], *, seed: int) -> Predictor:
    """Make a chain, and where each item is to be asked several times, what asks it so.

    Args:
        spec: The suite's entry.
        parts: What the chain's factory takes.
        seed: The seed of the run.

    Raises:
        ConfigurationError: The factory of the user's own chain fails, or the model cannot be asked in that way.
    """
    from chains.repeated import repeated

    if spec.votes and spec.answering == "auto":
        spec = spec.model_copy(update={"answering": "generate"})  # labels that are scored are the same each time
    return repeated(partial(_asked_once, spec), parts, permute=spec.permute, votes=spec.votes, seed=seed)


def _asked_once(spec: SystemSpec, parts: dict[str, Any]) -> Predictor:
    from chains.registry import CHAINS, chain_factory

    factory: Callable[..., Predictor] = chain_factory(str(spec.chain))
    if spec.chain in CHAINS:
        policy = {"too_long": spec.too_long} if CHAINS[spec.chain].has_passage else {}
        return factory(**parts, answering=spec.answering, **policy)
    try:
        return factory(**parts)
    except (Exception, SystemExit) as error:  # the user's own factory may raise anything
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ConfigurationError(f"chain '{spec.chain}' cannot be made: {reason}") from error
