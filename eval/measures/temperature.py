"""One temperature a system, fitted on another run: what its probabilities would be worth with their sureness put right.

Two runs in, a `Scaling` for each system out. What is fitted on the items that it is then measured on always
looks good, so runs that share an item are refused. Choices and accuracy stay as they are: only confidence changes.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from data.common.errors import ConfigurationError
from data.types import Frozen
from eval.measures.answers import Answers
from eval.measures.calibration import Calibration, calibrate, calibration_intervals, log_losses
from eval.measures.metrics import class_names
from eval.measures.probabilities import Probabilities, probabilities_of, rescaled
from eval.measures.run_answers import RunAnswers
from eval.measures.stats import Interval
from eval.rundir.description import SystemDescription

COLDEST, HOTTEST = 0.01, 100.0
# What a description may differ in although the same system answers: it names the items, the place or the machine.
_INCIDENTAL = frozenset(("pool_fingerprint", "training", "note", "replies", "replies_sha256", "too_long"))
# The same of its model: where it runs, and which draw of its replies this is.
_INCIDENTAL_OF_MODEL = frozenset(("device", "dtype", "base_url", "seed"))


class Scaling(Frozen):
    """One system's probabilities in a run, as they are and with a temperature fitted on another run.

    Attributes:
        temperature: Above 1 it was too sure, below 1 too timid.
        n_fit: Items with probabilities in the run that it was fitted on.
        before: The figures of the probabilities as recorded.
        after: The figures of the rescaled ones.
        intervals_before: 95 %, as of `eval.measures.calibration.calibration_intervals`.
        intervals_after: 95 %; the temperature counts as known.
    """

    benchmark: str
    system: str
    temperature: float
    n_fit: int
    before: Calibration
    after: Calibration
    intervals_before: dict[str, Interval | None]
    intervals_after: dict[str, Interval | None]

    @property
    def at_the_end(self) -> bool:
        """Whether the search ran into its bounds: no temperature between them is best."""
        return not COLDEST * 1.01 < self.temperature < HOTTEST * 0.99


class Scalings(NamedTuple):
    """What was rescaled, and which systems were left out as they give no probabilities."""

    scalings: tuple[Scaling, ...]
    left_out: tuple[str, ...]


class _System(NamedTuple):
    """One system of a run."""

    benchmark: str
    description: SystemDescription
    answers: Answers
    given: Probabilities | None


def scale_run(run: RunAnswers, fit: RunAnswers) -> Scalings:
    """Fit a temperature for each system on one run and measure it on another.

    Args:
        run: What is measured.
        fit: What is fitted on: the same systems on other items.

    Raises:
        ConfigurationError: The runs share an item, a system is not in both with the same settings and choices, or
            there are no probabilities.
    """
    measured, fitted = _systems(run), _systems(fit)
    _refuse_shared_items(run, fit)
    scalings = []
    for name, ours in measured.items():
        if ours.given is None:
            continue
        theirs = fitted.get(name)
        if theirs is None or theirs.given is None:
            known = ", ".join(other for other, entry in fitted.items() if entry.given is not None) or "none"
            missing = f"{fit.run_dir} has no probabilities of system '{name}' (it has those of: {known})"
            raise ConfigurationError(f"{missing}; fit on a run of the same systems over other items")
        _refuse_another_system(name, ours, theirs, fit.run_dir)
        scalings.append(_scale(name, ours.benchmark, ours.given, theirs.given))
    if not scalings:
        raise ConfigurationError(
            f"{run.run_dir} has no probabilities; encoders give them, and models asked with --answering score or "
            "logprobs, or with --votes"
        )
    return Scalings(tuple(scalings), tuple(name for name, ours in measured.items() if ours.given is None))


def fit_temperature(given: Probabilities) -> float:
    """Return the temperature that makes the targets likeliest, between COLDEST and HOTTEST.

    The log loss is convex in 1/T, so that a bounded search finds its one minimum.

    Source:
        Guo, Pleiss, Sun and Weinberger 2017, ICML, section 4.2 (temperature scaling).
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        scaled = rescaled(given, math.exp(log_temperature))
        return float(log_losses(given.targets, scaled.probs).mean())

    bounds = (math.log(COLDEST), math.log(HOTTEST))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x)


def _scale(name: str, benchmark: str, ours: Probabilities, theirs: Probabilities) -> Scaling:
    temperature = fit_temperature(theirs)
    scaled = rescaled(ours, temperature)
    return Scaling(
        benchmark=benchmark,
        system=name,
        temperature=round(temperature, 4),  # later digits depend on where the search stopped
        n_fit=len(theirs.targets),
        before=calibrate(ours),
        after=calibrate(scaled),
        intervals_before=calibration_intervals(ours),
        intervals_after=calibration_intervals(scaled),
    )


def _systems(run: RunAnswers) -> dict[str, _System]:
    return {
        name: _System(evaluation.benchmark, run.manifest.systems[name], answers, probabilities_of(answers.predictions))
        for evaluation, systems in zip(run.manifest.evaluations, run.evaluations, strict=True)
        for name, answers in systems.items()
    }


def _refuse_shared_items(measured: RunAnswers, fitted: RunAnswers) -> None:
    ours, theirs = (
        {item_id for systems in run.evaluations for one in systems.values() for item_id in one.items.ids}
        for run in (measured, fitted)
    )
    if shared := sorted(ours & theirs):
        first = ", ".join(shared[:3]) + (", ..." if len(shared) > 3 else "")
        raise ConfigurationError(
            f"{measured.run_dir} and {fitted.run_dir} share {len(shared):,} items ({first}); a temperature is measured "
            "on other items than it is fitted on: give --fit a run of another split"
        )


def _refuse_another_system(name: str, ours: _System, theirs: _System, fit_dir: Path) -> None:
    choices, others = class_names(ours.answers), class_names(theirs.answers)
    if choices != others:
        raise ConfigurationError(
            f"system '{name}' chooses among {', '.join(choices)}, but in {fit_dir} among {', '.join(others)}; "
            "fit on a run over items with the same choices"
        )
    own, fitted = _identifying(ours.description), _identifying(theirs.description)
    if "checkpoint_sha256" in own and "checkpoint_sha256" in fitted:
        for description in (own, fitted):
            description.pop("checkpoint", None)  # the weights are compared, wherever they lie
    differing = [key for key in own.keys() | fitted.keys() if own.get(key) != fitted.get(key)]
    if differing:
        raise ConfigurationError(
            f"system '{name}' is another one in {fit_dir}: its {', '.join(sorted(differing))} differ; "
            "fit on a run of the same system over other items"
        )


def _identifying(description: SystemDescription) -> dict[str, Any]:
    """Return what tells a system from others; what is None is not known, and left out."""
    told = {key: value for key, value in description.as_json().items() if key not in _INCIDENTAL and value is not None}
    if isinstance(model := told.get("model"), Mapping):
        told["model"] = {
            key: value for key, value in model.items() if key not in _INCIDENTAL_OF_MODEL and value is not None
        }
    return told
