"""Errors that a user can mend: one line that names the value, what is allowed, and the fix.

Only a command's `main` turns these into a message and an exit code; everything below raises them.
Misuse by code is a plain `ValueError`.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ProjectError(Exception):
    """Something that the user can mend; `exit_code` is what a command ends with."""

    exit_code = 2


class ConfigurationError(ProjectError):
    """A value on the command line, in a suite or in a data file is not usable (exit 2)."""


class MissingResourceError(ProjectError):
    """A key, checkpoint, model or dataset is not there (exit 3)."""

    exit_code = 3


def unknown_name(kind: str, name: str, allowed: Iterable[str], hint: str = "") -> ConfigurationError:
    """Build the error for a name that is not in a registry, with the nearest allowed ones first.

    Args:
        kind: What the name was meant to be, such as "benchmark".
        name: What the user wrote.
        allowed: Every name that would have worked.
        hint: How to see more, appended as it is.
    """
    names = sorted(allowed)
    near = get_close_matches(name, names, n=1)
    guess = f" Did you mean '{near[0]}'?" if near else ""
    return ConfigurationError(
        f"unknown {kind} '{name}'.{guess} Allowed: {', '.join(names)}.{' ' + hint if hint else ''}"
    )
