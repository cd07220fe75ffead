"""Reads the YAML files that people write: suites, prompts and price tables; every fault is one line that says where."""

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from data.errors import ConfigurationError

# The safe loader, in C where PyYAML was built with it: ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlFile(NamedTuple):
    """A file's text, for finding lines in it, and what it holds."""

    text: str
    content: Any


def read_yaml(path: Path, *, kind: str) -> YamlFile:
    """Read a YAML file safely.

    Args:
        path: The file.
        kind: What it is meant to be, for the message.

    Raises:
        ConfigurationError: It cannot be read, or is not YAML (with the line).
    """
    try:
        text = path.read_text(encoding="utf-8")
        return YamlFile(text, yaml.load(text, Loader=_LOADER))  # noqa: S506  # a safe one
    except UnicodeDecodeError:
        raise ConfigurationError(f"{kind} {path} is not UTF-8 text") from None
    except OSError as error:
        raise ConfigurationError(f"{kind} {path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{path}{place}: not YAML: {getattr(error, 'problem', error)}") from None
    except ValueError as error:  # what looks like a date and is none
        raise ConfigurationError(f"{path}: not YAML: {error}; put it in quotes") from None
