"""How a command of every command line runs, and how it ends.

Exit codes: what the command says, 2 for a value that is of no use, 3 for something missing, 130 where it was
interrupted: by Ctrl-C, or by the signals with which terminals, containers and schedulers end a program.
"""

import argparse
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import TracebackType
from typing import Any

from data.common.errors import ProjectError, shortened, system_fault
from data.common.terminal import emit, muted, say_error, standard_streams
from data.common.text import plain

INTERRUPTED = 130
# For commands that start processes: what has used threads warns on standard error when the process is forked.
ONE_THREAD_TOKENIZERS = {"TOKENIZERS_PARALLELISM": "false"}
# Windows has no SIGHUP.
ENDING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class CommandParser(argparse.ArgumentParser):
    """A parser whose options and commands can be added when it is first used: `--help` of the others then loads none.

    Attributes:
        add_options: Adds them to the parser.
    """

    add_options: Callable[[argparse.ArgumentParser], None] | None = None

    def fill(self) -> None:
        """Add what is not added yet."""
        if self.add_options is not None:
            add, self.add_options = self.add_options, None
            add(self)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self.fill()
        return super().parse_known_args(args, namespace)


class _Version(argparse.Action):
    """Prints the version and ends; what it reads for that is read only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from data.common.installation import NAME, version

        emit(f"{NAME} {version()}")
        parser.exit()


def command_parser(prog: str) -> CommandParser:
    """Return the parser of a whole command line, to which its commands are to be added.

    Args:
        prog: What starts it.
    """
    parser = CommandParser(prog=prog, formatter_class=argparse.RawDescriptionHelpFormatter)
    shown = "show the version and exit"
    parser.add_argument("--version", action=_Version, nargs=0, default=argparse.SUPPRESS, help=shown)
    return parser


def run_command(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        parser: The parser of the command line. Each command has `--debug`, which shows the traceback of an error, and
            may have `--quiet`, with which only errors are said. Each has these defaults: `function`, which is called
            with the options, as "module:function", so that what it needs is imported only then; `interrupted`, what is
            said of an interruption, where it is more than that; and `environment`, variables of the process that have
            these values, unless the user has set them.
        arguments: Those of the process where None.
    """
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what can be written next
        complete(parser)
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = say_uncaught
    with standard_streams() as finish, ended_by_signals():
        try:
            options = parser.parse_args(arguments)
        except SystemExit as end:  # --help, or a usage error
            raise SystemExit(finish(int(end.code or 0))) from None
        try:
            for name, value in getattr(options, "environment", {}).items():
                os.environ.setdefault(name, value)
            module, _, function = options.function.partition(":")
            with muted(getattr(options, "quiet", False)):
                return finish(getattr(import_module(module), function)(options) or 0)
        except ProjectError as error:
            if options.debug:
                raise
            say_error(f"error: {shortened(plain(str(error), one_line=True))}")
            return error.exit_code
        except (OSError, MemoryError, RuntimeError) as error:
            if options.debug or (fault := system_fault(error)) is None:
                raise
            say_error(f"error: {shortened(plain(fault, one_line=True))}; where: --debug")
            return ProjectError.exit_code
        except KeyboardInterrupt:
            say_error(getattr(options, "interrupted", "interrupted"))
            return INTERRUPTED


def complete(parser: argparse.ArgumentParser) -> None:
    """Tell a shell what can be written next, and end the process.

    The parsers of the commands that are written are filled first: argcomplete looks at a parser before it is used.
    """
    import argcomplete

    chosen = parser
    for word in os.environ.get("COMP_LINE", "").split():
        chosen = _commands_of(chosen).get(word, chosen)
        if isinstance(chosen, CommandParser):
            chosen.fill()
    argcomplete.autocomplete(parser)


def _commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return {name: command for action in found for name, command in action.choices.items()}


def say_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write a traceback: Python's own hook would show the keys and the control characters that a message repeats."""
    say_error("".join(traceback.format_exception(kind, error, trace)).rstrip())


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Have SIGTERM and SIGHUP interrupt the command as Ctrl-C does: each raises `KeyboardInterrupt`.

    A signal that is ignored, as under `nohup`, or that the program handles itself, stays so.
    """
    taken = []
    if threading.current_thread() is threading.main_thread():
        taken = [number for number in ENDING_SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
