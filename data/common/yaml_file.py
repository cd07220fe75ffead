"""Reads the YAML files that people write: suites, prompts and price tables; every fault is one line that says where.

A name that is given twice is a fault: YAML forbids it, and PyYAML would silently take the last.
"""

from pathlib import Path
from typing import Any, NamedTuple

import yaml
from yaml.error import MarkedYAMLError

from data.common.errors import ConfigurationError
from data.common.regular_file import read_text

# The safe loader, in C where PyYAML was built with it: ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 100  # levels; nothing that people write has so many
_MERGE = "tag:yaml.org,2002:merge"


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
        ConfigurationError: It cannot be read, is not YAML or gives a name twice (with the line).
    """
    try:
        text = read_text(path)
        return YamlFile(text, _content(text))
    except UnicodeDecodeError:
        raise ConfigurationError(f"{kind} {path} is not UTF-8 text") from None
    except OSError as error:
        raise ConfigurationError(f"{kind} {path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{path}{place}: not YAML: {getattr(error, 'problem', error)}") from None
    except RecursionError:
        raise ConfigurationError(f"{path}: not YAML: it is nested too deeply") from None
    except ValueError as error:  # what looks like a date and is none
        raise ConfigurationError(f"{path}: not YAML: {error}; put it in quotes") from None


def _content(text: str) -> Any:
    loader = _LOADER(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _check_names(loader, root)
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _check_names(loader: Any, root: yaml.Node) -> None:
    """Refuse a mapping that gives a name twice, before any is merged into another by `<<`, which gives none twice."""
    nodes, seen = [(root, 1)], set()
    while nodes:
        node, depth = nodes.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))  # an alias is the node that it stands for
        if depth > _DEEPEST:
            raise MarkedYAMLError(problem="it is nested too deeply", problem_mark=node.start_mark)
        if isinstance(node, yaml.SequenceNode):
            nodes += [(one, depth + 1) for one in reversed(node.value)]
            continue
        first: dict[Any, yaml.Node] = {}
        for key, value in node.value:
            nodes.append((value, depth + 1))
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                name = loader.construct_object(key)
                if first.setdefault(name, key) is not key:
                    said = f"{name!r} is given twice, first in line {first[name].start_mark.line + 1}; give it once"
                    raise MarkedYAMLError(problem=said, problem_mark=key.start_mark)
