"""A chain's predictor out of a suite's entry and the parts that the chain needs, asked once or several times an item.

Both a run and its estimate make chains here, so that an estimate counts every trial.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from langchain_core.runnables import Runnable

from data.common.errors import ConfigurationError
from data.common.text import one_line
from data.types import Inputs, Prediction
from eval.plan.settings.specs import SystemSpec

Predictor = Runnable[Inputs, Prediction]


def chain_predictor(spec: SystemSpec, parts: dict[str, Any], *, seed: int, labelled: bool) -> Predictor:
    """Make a chain, and where each item is to be asked several times, what asks it so.

    Args:
        spec: The suite's entry.
        parts: What the chain's factory takes.
        seed: The seed of the run.
        labelled: Whether all items share their labels, so that a text of the user's own chain is read for one.

    Raises:
        ConfigurationError: The factory of the user's own chain fails, or the model cannot be asked in that way.
    """
    from chains.repeated import repeated

    if spec.votes and spec.answering == "auto":
        spec = spec.model_copy(update={"answering": "generate"})  # labels that are scored are the same each time
    return repeated(partial(_asked_once, spec, labelled), parts, permute=spec.permute, votes=spec.votes, seed=seed)


def _asked_once(spec: SystemSpec, labelled: bool, parts: dict[str, Any]) -> Predictor:
    from chains.registry import CHAINS, chain_factory, parameters
    from eval.plan.own_answers import as_runnable, own_predictor

    name = str(spec.chain)
    factory: Callable[..., Any] = chain_factory(name)
    ways = {"answering": spec.answering, "too_long": spec.too_long}
    given = {**parts, **{way: value for way, value in ways.items() if way in parameters(name)}}
    if name in CHAINS:
        made: Predictor = factory(**given)
        return made
    try:
        own = factory(**given)
    except ConfigurationError:
        raise
    except (Exception, SystemExit) as error:  # the user's own factory may raise anything
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ConfigurationError(f"chain '{spec.chain}' cannot be made: {reason}") from error
    return own_predictor(as_runnable(f"chain '{name}'", own), who=f"chain '{name}'", labelled=labelled)
