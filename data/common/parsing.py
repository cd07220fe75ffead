"""JSON and YAML that a person or another tool wrote: parsed, or refused in one line that says where.

In comes text or a file; out comes its value. What the parsers let through or fail over in ways of their own (names
given twice, nesting, long numbers) is named here, so that every reader of a file refuses it alike.
"""

import json
import math
import re
import reprlib
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel
from yaml.error import MarkedYAMLError

from data.common.errors import ConfigurationError
from data.common.files import read_text
from data.common.text import normalised, text_of, whole_characters

# What tells where the names of an object are: strings, and what opens, closes and parts.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:]', re.DOTALL)
_DEEPEST = 100  # levels: nothing that people write has so many, and Pydantic reads no more than 200
_LARGEST = 10**300  # of whole numbers: not every reader takes more digits, and no float is much larger
JsonObject = dict[str, Any]  # as it was parsed: any names, any values
_TOP: frozenset[int] = frozenset()
# The safe loader, in C where PyYAML was built with it: ten times as fast.
_YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_YAML_MERGE = "tag:yaml.org,2002:merge"
_YAML_NULL = "tag:yaml.org,2002:null"


class _AsWritten(_YAML_LOADER):  # type: ignore[misc, valid-type]  # one of two classes
    """Takes every plain value for the text that it is, but null and the merging of mappings."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # as in its base
        first: [rule for rule in rules if rule[0] in (_YAML_MERGE, _YAML_NULL)]
        for first, rules in _YAML_LOADER.yaml_implicit_resolvers.items()
    }


class RepeatedNameError(ValueError):
    """An object gives a name twice; the message is one line that says which, and where."""


def parse_json(text: str, *, line: int = 1) -> Any:
    """Return the value that a JSON text stands for.

    Args:
        text: One whole JSON value.
        line: The line of its file that it starts on.

    Raises:
        RepeatedNameError: An object gives a name twice, of which json would silently take the last.
        ValueError: It is not JSON, is nested too deeply or holds a number of too many digits; one line that says
            which, with the place where json knows it.
    """
    try:
        return _DECODER.decode(text)
    except RepeatedNameError:
        raise RepeatedNameError(_repeated_name(text, line)) from None
    except json.JSONDecodeError as error:
        place = f"line {line + error.lineno - 1}, column {error.colno}"
        raise ValueError(f"not JSON at {place}: {error.msg}") from error
    except RecursionError:
        raise ValueError("not usable JSON: it is nested too deeply") from None
    except ValueError as error:  # what is left is Python's own limit
        limit = sys.get_int_max_str_digits()
        raise ValueError(f"not usable JSON: it holds a number of more than {limit} digits") from error


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RepeatedNameError
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _repeated_name(text: str, line: int) -> str:
    """Say which name is the first that an object gives twice; `text` is JSON as far as that."""
    objects: list[dict[str, int]] = []  # those that are open, of a list an empty one: name → where it is
    string = _TOKEN.match("")
    for token in _TOKEN.finditer(text):
        if token[0] in ("{", "["):
            objects.append({})
        elif token[0] in ("}", "]"):
            objects.pop()
        elif token[0] != ":":
            string = token
        elif string is not None:
            name = json.loads(string[0])
            first = objects[-1].setdefault(name, string.start())
            if first != string.start():
                before, here = (line + text.count("\n", 0, place) for place in (first, string.start()))
                earlier = f", first in line {before}" if before != here else ""
                return f"not usable JSON: line {here}: {reprlib.repr(name)} is given twice{earlier}; give it once"
    raise AssertionError("no object gives a name twice")


def normalise_strings(value: Any) -> None:
    """Put every string within a parsed JSON list or object into the form in which text is read, in place."""
    held = [value]
    while held:  # no recursion: what is parsed may be nested deeper than Python calls
        within = held.pop()
        parts = within.items() if isinstance(within, dict) else enumerate(within) if isinstance(within, list) else ()
        for key, part in list(parts):
            if isinstance(part, str):
                within[key] = normalised(part)
            else:
                held.append(part)


def whole_strings(value: Any, *, clean: Callable[[str], str] = whole_characters, within: frozenset[int] = _TOP) -> Any:
    """Return what a JSON file can hold of a value, and every reader of one can read.

    A model of Pydantic's becomes an object, what is no value of JSON its text, and what no number can say null.

    Args:
        value: Anything.
        clean: Applied to every string, and every name that is not a model's field.
        within: The ids of the values that it is part of: what is part of itself, or too deep, is said to be so.
    """
    inside = partial(whole_strings, clean=clean, within=within | {id(value)})
    if isinstance(value, BaseModel | Mapping | list | tuple | set | frozenset):
        if id(value) in within or len(within) >= _DEEPEST:
            return "(nested too deeply)"
        if isinstance(value, BaseModel):
            return {name: inside(held) for name, held in value}
        if isinstance(value, Mapping):
            return {clean(text_of(name)): inside(held) for name, held in value.items()}
        return [inside(held) for held in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    is_json = value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < _LARGEST)
    return value if is_json else clean(text_of(value))


class YamlFile(NamedTuple):
    """A file's text, for finding lines in it, and what it holds."""

    text: str
    content: Any


def read_yaml(path: Path, *, kind: str, as_written: bool = False) -> YamlFile:
    """Read a YAML file safely.

    Args:
        path: The file.
        kind: What it is meant to be, for the message.
        as_written: Leave every value but null the text that it is written as: YAML takes yes, no, on and off for truth
            values, and 010 for eight.

    Raises:
        ConfigurationError: It cannot be read, is not YAML or gives a name twice (with the line).
    """
    try:
        text = read_text(path)
        return YamlFile(text, _yaml_content(text, _AsWritten if as_written else _YAML_LOADER))
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


def _yaml_content(text: str, loader_class: Any) -> Any:
    loader = loader_class(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _check_yaml_names(loader, root)
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _check_yaml_names(loader: Any, root: yaml.Node) -> None:
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
            if isinstance(key, yaml.ScalarNode) and key.tag != _YAML_MERGE:
                name = loader.construct_object(key)
                if first.setdefault(name, key) is not key:
                    said = f"{name!r} is given twice, first in line {first[name].start_mark.line + 1}; give it once"
                    raise MarkedYAMLError(problem=said, problem_mark=key.start_mark)
