"""The suite that `python -m eval run` is asked for: one by name or file, or one of a benchmark and a single system.

Parsed options in, a checked `Suite` out.
"""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from data.common.errors import ConfigurationError, first_fault
from eval.plan.suite import EvaluationSpec, Suite, SystemSpec, load_suite, names_suite
from eval.rundir.names import LONGEST_NAME, plain_name

# Options of `run` that describe a system or its items: a suite says these itself.
_SYSTEM_OPTIONS = (
    "chain",
    "model",
    "prompt",
    "answering",
    "permute",
    "votes",
    "too_long",
    "temperature",
    "max_tokens",
    "request",
    "retriever",
    "embeddings",
    "k",
    "user_words",
    "checkpoint",
    "any_label_order",
    "baseline",
)
_ITEM_OPTIONS = ("split", "data", "skip_bad_rows", "train_split")


def read_suite(options: argparse.Namespace) -> Suite:
    """Read the suite that is named, or make one of the benchmark and the system that the options describe."""
    if options.limit is not None and options.limit < 1:
        raise ConfigurationError(f"--limit {options.limit} asks for no items; give 1 or more")
    if options.max_concurrency < 1:
        raise ConfigurationError(f"--max-concurrency {options.max_concurrency} lets nothing run; give 1 or more")
    names = (*_SYSTEM_OPTIONS, *_ITEM_OPTIONS)
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if "request" in given:
        given["request"] = _read_fields(given["request"])
    target = options.target
    if names_suite(target):
        return _overridden(load_suite(target), given, options)
    system = {name: given[name] for name in _SYSTEM_OPTIONS if name in given}
    kind = next((name for name in ("chain", "checkpoint", "baseline") if name in system), None)
    if kind is None:
        raise ConfigurationError(f"'{target}' is a benchmark: say who answers with --chain, --checkpoint or --baseline")
    name = ".".join(plain_name(str(system[part])) for part in (kind, "model") if part in system)[:LONGEST_NAME]
    return _validated(target, name, system, given, options)


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
    target: str, name: str, system: dict[str, Any], given: dict[str, Any], options: argparse.Namespace
) -> Suite:
    from pydantic import ValidationError

    items = {option: given[option] for option in _ITEM_OPTIONS if option in given}
    try:
        spec = SystemSpec(name=name, **system)
        evaluation = EvaluationSpec(benchmark=target, limit=options.limit, systems=(spec,), **items)
        return Suite(
            name=f"{plain_name(target)}.{name}"[:LONGEST_NAME], seed=options.seed or 0, evaluations=(evaluation,)
        )
    except ValidationError as error:
        fault = first_fault(error)
        raise ConfigurationError(f"{f'--{fault.place}: ' if fault.path else ''}{fault.message}") from None


def _overridden(suite: Suite, given: dict[str, Any], options: argparse.Namespace) -> Suite:
    if given:
        name = next(iter(given)).replace("_", "-")
        said = f"suite '{suite.name}' says that itself; change a copy of its file"
        raise ConfigurationError(f"--{name} goes with a benchmark; {said}")
    if options.limit is not None:
        limited = tuple(spec.model_copy(update={"limit": options.limit}) for spec in suite.evaluations)
        suite = suite.model_copy(update={"evaluations": limited})
    return suite if options.seed is None else suite.model_copy(update={"seed": options.seed})
