"""The report's section on the settings of every system: all that the manifest says of it."""

import json
from collections.abc import Mapping
from typing import Any

from data.common.language import ENGLISH, Language
from eval.report.evaluation import EvaluationFigures
from eval.report.section import Table


def settings_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Everything the manifest says of each system, flat."""
    rows = tuple(
        (system.name, key, value) for system in evaluation.systems for key, value in _flat(system.description.as_json())
    )
    return [Table("settings", say("Settings"), (say("System"), say("Setting"), say("Value")), rows, text_columns=3)]


def _flat(description: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for key, value in description.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        elif value is not None:
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            rows.append((f"{prefix}{key}", shown))
    return rows
