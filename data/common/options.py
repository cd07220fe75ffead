"""Settings that are declared once: what each is called, what it does, and the flag that it has on a command line.

Rows of `Option` in, flags of a parser out, and back: what the user gave, by the options' names. Nothing heavy is
imported here: the help needs it.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Option(NamedTuple):
    """One setting.

    Attributes:
        name: Its key in a suite, and its field in the code.
        about: What it does, in one line.
        metavar: What stands for its value; "" for one of `choices`, and for a setting that is on or off.
        kind: Reads what is written after the flag; bool for a setting that is on or off.
        choices: All that it can be; empty where it can be anything.
        default: What it is where nothing is said.
        flag: "" for `--name`, "-" for none: then only a suite has it.
        several: Whether the flag takes several values.
    """

    name: str
    about: str
    metavar: str = ""
    kind: Callable[[str], Any] = str
    choices: tuple[str, ...] = ()
    default: object = None
    flag: str = ""
    several: bool = False

    @property
    def spelt(self) -> str:
        """The flag as it is written; "" for none."""
        return "" if self.flag == "-" else self.flag or f"--{self.name.replace('_', '-')}"

    @property
    def dest(self) -> str:
        """The attribute of the parsed options that holds the value."""
        return self.spelt.lstrip("-").replace("-", "_")


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
