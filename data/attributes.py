"""`module:attr`: how a registry names its own code, and how users name theirs."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from data.errors import ConfigurationError


def load_attribute(reference: str, *, kind: str) -> Any:
    """Import what `module:attr` names; modules in the current folder are found too.

    Args:
        reference: Such as "chains.kice:kice_rag" or "my_chains:answer".
        kind: What it is meant to be, for the message.

    Raises:
        ConfigurationError: There is no such module or attribute, or importing it fails.
    """
    module_name, _, attribute = reference.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        return getattr(import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"{kind} '{reference}' cannot be loaded: {error}") from error
