"""What the comparisons share: sides timed in turns, medians, and a Markdown table with its versions."""

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Generic, NamedTuple, TypeVar

Answer = TypeVar("Answer")
Other = TypeVar("Other")
RUNS = 3


class Timed(NamedTuple, Generic[Answer]):
    """What one run of a side took and gave."""

    seconds: float
    answer: Answer


def timed(work: Callable[[], Answer]) -> Timed[Answer]:
    """Do the work once and take the time."""
    started = time.perf_counter()
    answer = work()
    return Timed(time.perf_counter() - started, answer)


def in_turns(
    name: str, one: Callable[[], Timed[Answer]], other: Callable[[], Timed[Other]], *, runs: int = RUNS
) -> tuple[list[Timed[Answer]], list[Timed[Other]]]:
    """Run both sides one after the other, `runs` times, so that both meet the same machine.

    Args:
        name: The name of the comparison, for the progress on stderr.
        one: Runs the first side once.
        other: Runs the second side once.
        runs: How often; at least 1.
    """
    ones, others = [], []
    for run in range(1, runs + 1):
        ones.append(one())
        others.append(other())
        progress(f"{name}: run {run} of {runs}: {ones[-1].seconds:.2f} s and {others[-1].seconds:.2f} s")
    return ones, others


def median_seconds(runs: Sequence[Timed[Answer]]) -> float:
    """Return the median time of a side's runs."""
    return statistics.median(run.seconds for run in runs)


def progress(message: str) -> None:
    """Write a line for the person who waits."""
    print(message, file=sys.stderr, flush=True)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the columns after the first are numbers, to the right.

    Raises:
        ValueError: A row has another number of cells than there are columns.
    """
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"{len(columns)} columns but {len(row)} cells: {row}")
    rule = ["---", *("---:" for _ in columns[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows))


def versions_line(packages: Sequence[str], others: Mapping[str, str] | None = None) -> str:
    """Return the machine, Python and the packages' versions as one line.

    Args:
        packages: Installed here.
        others: Versions that a peer has told of its own environment.
    """
    found = {package: version(package) for package in packages} | dict(others or {})
    named = ", ".join(f"{package} {number}" for package, number in found.items())
    return f"{platform.machine()}, Python {platform.python_version()}, {named}"


def count(text: str) -> int:
    """Read an option that is a count, for argparse.

    Raises:
        argparse.ArgumentTypeError: It is not a whole number above 0.
    """
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number above 0")
    return int(text)
