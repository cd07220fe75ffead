"""Cascades as systems of a run: made of what other systems of the same evaluation answer, so nobody is asked twice.

An entry and the systems that it names in, a `System` with its members out. The thresholds are chosen when the members
have answered (`eval.execution.cascade`).
"""

from collections.abc import Mapping
from pathlib import Path

from data.common.errors import ConfigurationError
from data.common.hardware import hardware
from eval.measures.cascade_pair import LEAST_ITEMS
from eval.measures.prices import machine_parts, price, price_table
from eval.measures.system_costs import with_full_spec
from eval.plan.chain_predictor import Predictor
from eval.plan.context import Context
from eval.plan.settings.specs import EvaluationSpec, Suite, SystemSpec
from eval.plan.system import LOCAL_BATCH, System
from eval.rundir.description import Machine, SystemDescription, role_of
from eval.rundir.priced_parts import is_api, priced_as, used_hardware


def check_members(suite: Suite) -> None:
    """Refuse cascades whose members are not there, before anything is built.

    Raises:
        ConfigurationError: A member is no system of the same evaluation, a cascade, or named twice.
    """
    everywhere = {one.name for evaluation in suite.evaluations for one in evaluation.systems}
    for evaluation in suite.evaluations:
        for spec in (one for one in evaluation.systems if one.cascade is not None):
            _check(spec, evaluation, everywhere)


def _check(spec: SystemSpec, evaluation: EvaluationSpec, everywhere: set[str]) -> None:
    kinds, members = {one.name: one.kind for one in evaluation.systems}, spec.cascade or ()
    for name in members:
        if name in kinds and kinds[name] != "cascade":
            continue
        if name in kinds:
            why = f"'{name}' is a cascade itself; list the systems that it is made of, as many as there are"
        elif name in everywhere:
            why = f"'{name}' answers other items; a member is a system of the same evaluation ({evaluation.benchmark})"
        else:
            known = ", ".join(one for one, kind in kinds.items() if kind != "cascade")
            why = f"there is no system '{name}' to be its member; there are {known}"
        raise ConfigurationError(f"cascade '{spec.name}': {why}")
    if len(set(members)) < len(members):
        raise ConfigurationError(f"cascade '{spec.name}' names a member twice; it would say the same again")


def cascade_system(spec: SystemSpec, context: Context, built: Mapping[str, System]) -> System:
    """Build a cascade of systems that are built.

    Args:
        spec: The suite's entry, whose members were checked.
        context: What the systems of the evaluation share.
        built: These, by name.

    Raises:
        ConfigurationError: A member gives no probabilities or has no price where one is needed, or there are too few
            items to choose a threshold on others.
    """
    assert spec.cascade is not None  # its kind says so
    assert spec.defer is not None
    members, defer = [built[name] for name in spec.cascade], spec.defer.rule
    limits = [limit for limit in (spec.limit, *(one.limit for one in members)) if limit is not None]
    limit = min(limits, default=None)
    items = context.items[: context.spec.limit][:limit]
    if "threshold" not in defer:
        _check_items(spec.name, len(items), len({item.group for item in items}))
    for member in members[:-1]:
        if _gives_no_probabilities(member.description):
            raise ConfigurationError(
                f"cascade '{spec.name}': '{member.name}' reads generated text and gives no probabilities to pass items "
                "on by; give it votes, permute, answering score or logprobs, or name it last"
            )
    if "cost" in defer:
        for member in members:
            _check_price(spec.name, member)
    description = SystemDescription(kind="cascade", cascade=list(spec.cascade), defer=dict(defer))
    return System(spec.name, description, LOCAL_BATCH, _not_asked, members=tuple(spec.cascade), limit=limit)


def _not_asked(folder: Path) -> Predictor:
    raise ValueError(f"{folder}: a cascade is made of its members' answers, and is not asked itself")


def _check_items(name: str, n: int, n_groups: int) -> None:
    if n < LEAST_ITEMS or n_groups < 2:
        what = f"{n} items are" if n < LEAST_ITEMS else "items of a single group are"
        raise ConfigurationError(
            f"cascade '{name}': {what} too few to choose a threshold on other items ({LEAST_ITEMS} of two groups at "
            "least); give the threshold itself as defer: {threshold: …}"
        )


def _gives_no_probabilities(description: SystemDescription) -> bool:
    """Say whether it is known beforehand that a chain's answers come without probabilities."""
    if description.kind != "chain" or description.votes or description.permute:
        return False
    return description.answering == "generate" or (is_api(description) and description.answering == "auto")


def _check_price(cascade: str, member: System) -> None:
    """Refuse a limit on what a query costs where the price of a member is unknown."""
    description, table = with_full_spec(member.description), price_table()
    if is_api(description):
        known = price({"input_tokens": 1, "output_tokens": 1}, str(priced_as(description)), table=table) is not None
    else:
        machine = used_hardware(description, Machine(**hardware()), role=role_of(description))
        own_code = description.kind == "runnable" or (description.kind == "chain" and description.model is None)
        known = not own_code and machine is not None and machine_parts(machine, table=table) is not None
    if not known:
        raise ConfigurationError(
            f"cascade '{cascade}': what a query of '{member.name}' costs is unknown, so defer: cost cannot be kept; "
            "add it to a price table and name that in TUNE_OR_PROMPT_PRICES, or give another rule"
        )
