"""Turns a suite's entry into something that answers: the one place that knows every kind of system.

Everything that can be wrong with an entry is found while it is built, before a run writes anything. Only what learns
waits until the run opens it.
"""

import time
from functools import partial
from pathlib import Path
from typing import Any

from data.common.errors import ConfigurationError
from eval.measures.training_costs import note_fit
from eval.plan import baselines
from eval.plan.chain_predictor import Predictor
from eval.plan.chain_systems import chain_system
from eval.plan.context import Context
from eval.plan.own_answers import own_predictor
from eval.plan.settings.specs import SystemSpec
from eval.plan.system import LOCAL_BATCH, System, learnt_from
from eval.plan.trained_systems import checkpoint_system, finetune_system
from eval.rundir.description import SystemDescription


def build_system(spec: SystemSpec, context: Context) -> System:
    """Build the system that a suite's entry describes.

    Raises:
        ConfigurationError: A name, setting or checkpoint that cannot be used.
        MissingResourceError: A key, model, dataset or checkpoint that is not there.
    """
    builders = {
        "baseline": _baseline,
        "chain": chain_system,
        "checkpoint": checkpoint_system,
        "finetune": finetune_system,
        "runnable": _runnable,
    }
    return with_said(builders[spec.kind](spec, context)._replace(limit=spec.limit), spec)


def with_said(system: System, spec: SystemSpec) -> System:
    """Add what an entry says of its system, whichever kind it is of, to the description."""
    said = {name: value for name in ("note", "limit") if (value := getattr(spec, name))}
    return system._replace(description=system.description.model_copy(update=said))


def _baseline(spec: SystemSpec, context: Context) -> System:
    name = str(spec.baseline)
    learns = baselines.baseline_entry(name).learns
    parts = baselines.Parts(context.train_items() if learns else [], context.seed)
    more: dict[str, Any] = {}
    if name == "nearest":
        embeddings = spec.embeddings or baselines.default_embeddings(context.benchmark.language)
        parts = parts._replace(embeddings=embeddings)
        more["embeddings"] = embeddings
    baselines.check_baseline(name, parts.train_items)
    description = SystemDescription(kind="baseline", baseline=name, **more, **learnt_from(parts.train_items))
    open_fitted = partial(_fit_and_note, name, parts) if learns else lambda _: baselines.build_baseline(name, parts)
    return System(spec.name, description, LOCAL_BATCH, open_fitted)


def _fit_and_note(name: str, parts: baselines.Parts, folder: Path) -> Predictor:
    """Fit a baseline that learns, and note in the run what that took: it is what its answers cost beforehand."""
    start = time.perf_counter()
    predictor = baselines.build_baseline(name, parts)
    note_fit(folder, seconds=time.perf_counter() - start, n_items=len(parts.train_items))
    return predictor


def _runnable(spec: SystemSpec, context: Context) -> System:
    if spec.name not in context.own.systems:
        raise ConfigurationError(
            f"system '{spec.name}' is a runnable, which only a script can give: see eval.api.evaluate; name code in a "
            "suite as chain: module:attr"
        )
    description = SystemDescription(kind="runnable", runnable=spec.runnable)
    labelled = context.benchmark.labels is not None
    predictor = own_predictor(context.own.systems[spec.name], who=f"system '{spec.name}'", labelled=labelled)
    return System(spec.name, description, None, lambda _: predictor, several_calls=True)
