"""What `python -m eval run` is to do: a suite by name or file, or one of a benchmark and a system, and its calls.

Parsed options in, a checked `Suite` and `CallPolicy` out.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from data.card import is_task, name_of
from data.card_options import TASK, card_fields
from data.common.errors import ConfigurationError, first_fault
from data.common.options import given
from data.hub_name import is_hub_name
from data.registry import repeatable
from eval.plan.settings.call_policy import CallPolicy, check_policy
from eval.plan.settings.options import BATCHES, CALLS, ITEMS, SYSTEM, VERDICT
from eval.plan.settings.specs import EvaluationSpec, Suite, SystemSpec
from eval.plan.suite import load_suite, names_suite
from eval.rundir.names import LONGEST_NAME, plain_name


def read_suite(options: argparse.Namespace) -> Suite:
    """Read the suite that is named, or make one of the benchmark and the system that the options describe."""
    if options.limit is not None and options.limit < 1:
        raise ConfigurationError(f"--limit {options.limit} asks for no items; give 1 or more")
    if options.max_concurrency < 1:
        raise ConfigurationError(f"--max-concurrency {options.max_concurrency} lets nothing run; give 1 or more")
    system, items, target = given(options, SYSTEM), given(options, ITEMS), options.target
    card = given(options, TASK)
    if names_suite(target):
        return _overridden(load_suite(target), {**system, **items, **card}, options)
    if card:
        items["card"] = card_fields(card)
    if "request" in system:
        system["request"] = _read_fields(system["request"])
    kind = next((name for name in ("chain", "checkpoint", "baseline") if name in system), None)
    if kind is None:
        raise ConfigurationError(f"'{target}' is a benchmark: say who answers with --chain, --checkpoint or --baseline")
    name = ".".join(plain_name(str(system[part])) for part in (kind, "model") if part in system)[:LONGEST_NAME]
    return _validated(target, name, system, items, options)


def check_own_task(target: str) -> None:
    """Refuse a target that is no task of the user's own.

    Raises:
        ConfigurationError: It is none.
    """
    if not is_task(target):
        raise ConfigurationError(
            f"'{target}' is no labelled file (CSV, JSON Lines, Parquet …), folder, card or hf:ORG/NAME"
        )


def _read_fields(written: Sequence[str]) -> dict[str, Any]:
    """Read what the user wrote after `--request`: NAME=VALUE, where the value is JSON, or else a text."""
    fields: dict[str, Any] = {}
    for field in written:
        name, equals, value = field.partition("=")
        if not equals:
            raise ConfigurationError(f"--request {field} is no field; give NAME=VALUE, or NAME=- to leave one out")
        try:
            fields[name] = json.loads(value)
        except (ValueError, RecursionError):
            fields[name] = value
    return fields


def _validated(
    target: str, name: str, system: dict[str, Any], items: dict[str, Any], options: argparse.Namespace
) -> Suite:
    target = repeatable(target)  # a run is named after it, and is resumed under any name for the same rows
    with one_line_faults():
        spec = SystemSpec(name=name, **system)
        evaluation = EvaluationSpec(benchmark=target, systems=(spec,), **items)
    task = name_of(target) if is_hub_name(target) else plain_name(target)
    run = f"{task}.{name}"[:LONGEST_NAME]
    return _suite(run, (evaluation,), seed=options.seed or 0, **given(options, VERDICT))


def _suite(name: str, evaluations: tuple[EvaluationSpec, ...], **settings: Any) -> Suite:
    with one_line_faults():
        return Suite(name=name, evaluations=evaluations, **settings)


@contextmanager
def one_line_faults() -> Iterator[None]:
    """Turn what pydantic says of a value into the line that names its flag."""
    from pydantic import ValidationError

    try:
        yield
    except ValidationError as error:
        fault = first_fault(error)
        raise ConfigurationError(f"{f'--{fault.place}: ' if fault.path else ''}{fault.message}") from None


def _overridden(suite: Suite, said: dict[str, Any], options: argparse.Namespace) -> Suite:
    """Return a suite with what the command line may change of it: how many items, and the seed."""
    limit = said.pop("limit", None)
    if said:
        name = next(iter(said)).replace("_", "-")
        itself = f"suite '{suite.name}' says that itself; change a copy of its file"
        raise ConfigurationError(f"--{name} goes with a benchmark; {itself}")
    if limit is not None:
        limited = tuple(spec.model_copy(update={"limit": limit}) for spec in suite.evaluations)
        suite = suite.model_copy(update={"evaluations": limited})
    changed = given(options, VERDICT) | ({} if options.seed is None else {"seed": options.seed})
    kept = {name: getattr(suite, name) for name in ("seed", *(option.name for option in VERDICT))}
    return _suite(suite.name, suite.evaluations, **kept | changed)


def read_policy(options: argparse.Namespace) -> CallPolicy:
    """Return how calls are to be made.

    Raises:
        ConfigurationError: A value lets nothing run.
    """
    cache: Literal["none", "greedy", "sampled"] = "greedy" if options.cache else "none"
    policy = CallPolicy(**given(options, CALLS), cache="sampled" if options.cache_sampled else cache)
    check_policy(policy, flags={option.name: option.spelt for option in CALLS})
    return policy


def with_batches(policy: CallPolicy, options: argparse.Namespace) -> CallPolicy:
    """Return a policy with what is said of batches.

    Raises:
        ConfigurationError: Something is said that goes with batches alone.
    """
    said = given(options, BATCHES)
    if said and "batch_api" not in said:
        raise ConfigurationError(f"--{next(iter(said))} goes with --batch-api; add that")
    return policy._replace(**said)
