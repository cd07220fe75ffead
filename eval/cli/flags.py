"""The flags of the command line out of the declared options, and back: what the user gave, by the options' names.

Nothing heavy is imported here: the help needs it.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from eval.plan.options import Option


def add_options(parser: argparse._ActionsContainer, options: Sequence[Option]) -> None:
    """Add the flags of options to a parser; what the user leaves out is None."""
    for option in options:
        if not option.spelt:
            continue
        if option.kind is bool:
            parser.add_argument(option.spelt, action="store_true", default=None, help=help_of(option))
            continue
        more: dict[str, Any] = {"nargs": "+", "action": "extend"} if option.several else {"type": option.kind}
        if option.choices:
            more["choices"] = option.choices
        parser.add_argument(option.spelt, metavar=option.metavar or None, help=help_of(option), **more)


def help_of(option: Option) -> str:
    """Return an option's line of help, with its default where it has one that the line does not say."""
    value = f"{option.default:g}" if isinstance(option.default, float) else option.default
    return option.about if option.default in (None, False, "") else f"{option.about}; default: {value}"


def given(options: argparse.Namespace, declared: Sequence[Option]) -> dict[str, Any]:
    """Return what the user gave of the declared options, by their names."""
    values = {option.name: getattr(options, option.dest) for option in declared if option.spelt}
    return {name: value for name, value in values.items() if value is not None}


def chosen(declared: Sequence[Option], *names: str) -> tuple[Option, ...]:
    """Return the options of these names."""
    return tuple(option for option in declared if option.name in names)
