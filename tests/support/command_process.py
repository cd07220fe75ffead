"""Commands in processes of their own, so that a test can kill and interrupt them."""

import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess

from eval.cli.parser import main


def start(arguments: list[str], **environment: str) -> BaseProcess:
    """Start a command in a process that is forked from one that has imported everything, so that it starts at once.

    Args:
        arguments: Of the command.
        environment: Variables that it is given; its others are those of the process that it is forked from.
    """
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(
        ["eval.cli.commands", "eval.execution.runner", "eval.report", "langchain_openai", "chains.kice"]
    )
    process = processes.Process(target=_command, args=(arguments, environment))
    process.start()
    return process


def _command(arguments: list[str], environment: dict[str, str]) -> None:
    os.environ.update(environment)
    raise SystemExit(main(arguments))


def wait_for(condition: Callable[[], bool], process: BaseProcess) -> None:
    """Wait until a process has brought something about."""
    while not condition():
        assert process.is_alive(), "it ended before that"
        time.sleep(0.005)
