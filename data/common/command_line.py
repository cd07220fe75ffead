"""How a command of every command line runs, and how it ends.

Exit codes: what the command says, 2 for a value that is of no use, 3 for something missing, 130 where it was
interrupted: by Ctrl-C, or by the signals with which terminals, containers and schedulers end a program.
"""

import argparse
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import TracebackType

from data.common.errors import ProjectError, shortened, system_fault
from data.common.terminal import say, standard_streams
from data.common.text import plain

INTERRUPTED = 130
# Windows has no SIGHUP.
ENDING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def run_command(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    command: Callable[[argparse.Namespace], int] | str,
    *,
    interrupted: str = "interrupted",
) -> int:
    """Run one command and return its exit code.

    Args:
        parser: The parser of the command line; each command has `--debug`, which shows the traceback of an error.
        arguments: Those of the process where None.
        command: What is run, with the options that the parser read; or the name of the module whose COMMANDS hold it
            under `options.command`: it is imported only then, so that --help answers at once.
        interrupted: What is said of an interruption.
    """
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = say_uncaught
    with standard_streams() as finish, ended_by_signals():
        try:
            options = parser.parse_args(arguments)
        except SystemExit as end:  # --help, or a usage error
            raise SystemExit(finish(int(end.code or 0))) from None
        try:
            run = import_module(command).COMMANDS[options.command] if isinstance(command, str) else command
            return finish(run(options))
        except ProjectError as error:
            if options.debug:
                raise
            say(f"error: {shortened(plain(str(error), one_line=True))}")
            return error.exit_code
        except (OSError, MemoryError, RuntimeError) as error:
            if options.debug or (fault := system_fault(error)) is None:
                raise
            say(f"error: {shortened(plain(fault, one_line=True))}; where: --debug")
            return ProjectError.exit_code
        except KeyboardInterrupt:
            say(interrupted)
            return INTERRUPTED


def say_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write a traceback: Python's own hook would show the keys and the control characters that a message repeats."""
    say("".join(traceback.format_exception(kind, error, trace)).rstrip())


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
