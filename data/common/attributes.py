"""`module:attr`: how a registry names its own code, and how users name theirs."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from data.common.errors import ConfigurationError
from data.common.text import one_line


def import_own(module: str, *, kind: str, name: str) -> ModuleType:
    """Import a module; one in the current folder is found too.

    Args:
        module: Its dotted name.
        kind: What it is meant to hold, for the message.
        name: What the user wrote, for the message.

    Raises:
        ConfigurationError: There is no such module, or importing it fails in whatever way.
    """
    _see_current_folder()
    try:
        return import_module(module)
    except (Exception, SystemExit) as error:  # the user's own module may raise anything while it is imported
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ConfigurationError(f"{kind} '{name}' cannot be loaded: {reason}") from error


def is_module(name: str) -> bool:
    """Say whether there is a module of that name, here or installed."""
    _see_current_folder()
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):  # a parent that is missing, or a name that cannot be a module's
        return False


def _see_current_folder() -> None:
    try:
        here = str(Path.cwd())
    except FileNotFoundError:  # it was deleted, so nothing can be in it
        return
    if here not in sys.path:
        sys.path.append(here)


def load_attribute(reference: str, *, kind: str) -> Any:
    """Import what `module:attr` names.

    Args:
        reference: Such as "chains.kice:kice_rag" or "my_chains:answer".
        kind: What it is meant to be, for the message.

    Raises:
        ConfigurationError: There is no such module or attribute, or importing it fails.
    """
    module_name, _, attribute = reference.partition(":")
    module = import_own(module_name, kind=kind, name=reference)
    if not hasattr(module, attribute):
        raise ConfigurationError(f"{kind} '{reference}' cannot be loaded: {module_name} has no '{attribute}'")
    return getattr(module, attribute)


def late_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package whose names are imported when they are first used.

    Args:
        package: Its dotted name.
        homes: Each name with the module that it is in.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(import_module(homes[name]), name)

    return find
