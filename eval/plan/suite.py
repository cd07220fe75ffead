"""Suites: YAML files that say which systems answer which benchmarks.

    # python -m eval run demo
    name: demo
    evaluations:
      - benchmark: kice
        split: sample
        systems:
          - {name: always-3, baseline: always-3}
          - {name: rag, chain: kice-rag, model: smollm2, retriever: hybrid, k: 4}

A suite's name or file comes in; out goes what it says, as `eval.plan.settings` has it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from data.common.errors import ConfigurationError, first_fault, unknown_name
from data.common.parsing import read_yaml
from eval.plan.matrix import place_as_written
from eval.plan.settings.specs import Suite

SUITE_DIR = Path(__file__).parent.parent / "suites"


def list_suites() -> dict[str, Path]:
    """Return the suites that come with the project: name to file."""
    return {path.stem: path for path in sorted(SUITE_DIR.glob("*.yaml"))}


def names_suite(target: str) -> bool:
    """Say whether a name or a path is that of a suite; if not, it is a benchmark's.

    Raises:
        ConfigurationError: It is neither.
    """
    from data.card import is_task
    from data.common.attributes import is_module
    from data.registry import BENCHMARKS
    from data.table import SUFFIXES

    if target in list_suites():  # and not a folder of tables with that name, which is "./NAME"
        return True
    if target in BENCHMARKS or is_task(target):
        return False
    if target.endswith((".yaml", ".yml")):
        return True
    if is_module(target.removesuffix(":BENCHMARK")):
        return False
    if (suffix := Path(target).suffix) and Path(target).is_file():
        raise ConfigurationError(f"{target}: cannot read '{suffix}' files; allowed: {', '.join(SUFFIXES)}, or a card")
    known = ", ".join([*sorted(BENCHMARKS), *sorted(list_suites())])
    raise ConfigurationError(f"unknown benchmark or suite '{target}'. Allowed: {known}, or a suite's .yaml file.")


def load_suite(name_or_path: str) -> Suite:
    """Read a suite by name, or from the user's own YAML file.

    Raises:
        ConfigurationError: Unknown name, unreadable file, or a fault in it, with its line.
    """
    known = list_suites()
    if name_or_path.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
    elif name_or_path in known:
        path = known[name_or_path]
    else:
        raise unknown_name("suite", name_or_path, known, "Or give the path of a .yaml file.")
    text, content = read_yaml(path, kind="suite")
    try:
        return Suite.model_validate(content)
    except ValidationError as error:
        fault = first_fault(error)
        line = _line_of(text, _place_as_written(content, fault.path))
        raise ConfigurationError(f"{path}, line {line}: {fault}") from None


def _place_as_written(content: Any, location: Sequence[str | int]) -> Sequence[str | int]:
    """Return where a fault of an entry stands in the file, in which a matrix is one entry."""
    match location:
        case ("evaluations", int(evaluation), "systems", int(place), *rest):
            entries = content["evaluations"][evaluation]["systems"]
            return ("evaluations", evaluation, "systems", place_as_written(entries, place), *rest)
    return location


def _line_of(text: str, location: Sequence[str | int]) -> int:
    """Return the 1-based line of the nearest node that a validation error's location leads to."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1 if node is None else int(node.start_mark.line) + 1
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == part), None)
            if pair is None:
                break
            line, node = int(pair[0].start_mark.line) + 1, pair[1]
            continue
        else:
            break
        line = int(node.start_mark.line) + 1
    return line
