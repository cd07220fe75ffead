"""Errors that a user can mend: one line that names the value, what is allowed, and the fix.

Only a command's `main` turns these into a message and an exit code; everything below raises them.
Misuse by code is a plain `ValueError`. What pydantic or the operating system refuses is put into such a line here.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from data.common.text import mentioned

if TYPE_CHECKING:
    from pydantic import ValidationError

NO_THREAD = "the system starts no more threads; end other programs, or raise its limit (ulimit -u)"
_NAMED = 50  # of names that are allowed: a table may have thousands of columns
_LONG_WORD = re.compile(r"\S{240,}")


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
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    allowed = ", ".join(names[:_NAMED])
    return ConfigurationError(f"unknown {kind} '{name}'.{guess} Allowed: {allowed}{more}.{' ' + hint if hint else ''}")


class FirstFault(NamedTuple):
    """The first thing that pydantic found wrong.

    Attributes:
        path: The names and indices that lead to the value; empty for the whole object.
        message: What is wrong with it.
        value: What was given. It may be a secret or very long, so a message repeats it only with care.
        is_unknown: Whether the fault is a name that the object does not have.
    """

    path: tuple[int | str, ...]
    message: str
    value: object
    is_unknown: bool

    @property
    def place(self) -> str:
        """The path in one word, such as "systems.0.model"."""
        return ".".join(map(str, self.path))

    def __str__(self) -> str:
        # Both parts may hold what somebody else wrote.
        return mentioned(f"{self.place}: {self.message}" if self.path else self.message)


def first_fault(error: "ValidationError") -> FirstFault:
    """Return the first fault of a validation, for a message of one line."""
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    return FirstFault(first["loc"], message, first["input"], is_unknown=first["type"] == "extra_forbidden")


def system_fault(error: BaseException) -> str | None:
    """Say what the system refused; None where an error is no such refusal."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    if isinstance(error, RecursionError):
        return "something is nested too deeply to be read"
    if isinstance(error, RuntimeError):
        return NO_THREAD if "start new thread" in str(error) else None
    if isinstance(error, FileNotFoundError) and error.filename is None and (gone := folder_fault()):
        return gone
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the system'}: {error.strerror}"
    return None


def shortened(message: str) -> str:
    """Return a message in which no word, such as a path, is longer than a few lines."""
    return _LONG_WORD.sub(lambda word: f"{word[0][:120]}…{word[0][-60:]}", message)


def folder_fault() -> str | None:
    """Say so where the folder that a command was started in was deleted: relative paths lead nowhere then."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return "the folder that this command was started in is not there any more; change to another one"
    return None
