"""Descriptions of systems as a manifest holds them, out of plain objects."""

from typing import Any

from eval.rundir.description import SystemDescription


def described(content: dict[str, Any]) -> SystemDescription:
    return SystemDescription.model_validate(content)
