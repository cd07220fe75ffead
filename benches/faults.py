"""A run over a server that fails or limits, against the bare client: `python -m benches faults [--cases free,mix]`.

Both sides are whole commands that put the same prompts to the same loopback server, in turns: ours plans, asks,
journals and reports; the other is LangChain's `ChatOpenAI(max_retries=10).batch`, which only asks. Which requests fail
is drawn from what is asked and how often it has been, so that both meet the same faults.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benches.items import bench_items
from benches.table import RUNS, Timed, count, in_turns, markdown_table, median_seconds, progress, timed, versions_line
from benches.throughput import (
    PEERS,
    ROOT,
    Server,
    environment,
    latency_server,
    our_command,
    repeated,
    write_pairs,
    write_samples,
)
from data.common.errors import ConfigurationError, MissingResourceError
from data.types import Item

_LATENCY_S = 0.05
_TIMEOUT_S = 10  # after which either client gives a call up: some hang


class Case(NamedTuple):
    """What is asked, and how the server answers.

    Attributes:
        title: What the table calls it.
        items: How many.
        concurrency: Calls in flight, at most.
        server: Its settings.
        runs: How often at most each side is run, where it takes long.
    """

    title: str
    items: int
    concurrency: int
    server: dict[str, Any]
    runs: int = 99


_MIX = {"too_many": 0.1, "server_error": 0.05, "hang": 0.02, "reset": 0.02, "broken_json": 0.02}
CASES = {
    "free": Case("no faults", 1000, 64, {}),
    "isolated": Case("429 to 9 % (Retry-After 1)", 1000, 32, {"faults": {"too_many": 0.09}, "retry_after_s": 1}),
    "mix": Case(
        "429 to 10 % (Retry-After 1), 500 to 5 %, 2 % each hang, are reset, or are broken JSON",
        2000,
        32,
        {"faults": _MIX, "retry_after_s": 1},
    ),
    "window": Case("600 requests in any minute", 1500, 32, {"window": [600, 60], "retry_after_s": 1}, runs=1),
}


class Side(NamedTuple):
    """What one command came to.

    Attributes:
        asking_s: Seconds from the first request to the last answer.
        answered: Requests that were answered, and so are paid for.
        lost: Items without an answer.
        refused: The share of requests that got 429.
        early: Requests that came back before the time that they were told.
    """

    asking_s: float
    answered: int
    lost: int
    refused: float
    early: int


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table."""
    options = _options(arguments)
    rows, title = [], ""
    for name in options.cases:
        case = CASES[name]
        title, some = bench_items("mnli", case.items)
        runs = min(options.runs, case.runs)
        rows.append(row(case, *_run(name, case, _distinct(some, case.items), runs), runs=runs))
    setting = f"items of {title}, {1000 * _LATENCY_S:g} ms latency, {os.cpu_count()} CPUs, medians"
    print(f"{setting}; {versions_line(['langchain-core', 'langchain-openai', 'openai'])}\n")
    columns = ["server", "items", "in flight", "runs", "ours, s", "bare client, s", "ratio", "asking alone"]
    told = ["refused", "answers a minute", "lost", "paid twice", "early"]
    print(markdown_table([*columns, *(f"{what}, ours / bare" for what in told)], rows))


def row(case: Case, ours: Sequence[Timed[Side]], theirs: Sequence[Timed[Side]], *, runs: int) -> list[str]:
    """Return the cells of a case: whole commands' medians, and of the runs together what became of the items."""
    fast, slow = median_seconds(ours), median_seconds(theirs)
    asking = [statistics.median(run.answer.asking_s for run in side) for side in (ours, theirs)]

    def both(told: list[str]) -> str:
        return " / ".join(told)

    sides = [[run.answer for run in side] for side in (ours, theirs)]
    return [
        case.title,
        f"{case.items}",
        f"{case.concurrency}",
        f"{runs}",
        f"{fast:.1f}",
        f"{slow:.1f}",
        f"{fast / slow:.2f} x",
        f"{asking[0] / asking[1]:.2f} x",
        both([f"{100 * statistics.median(run.refused for run in side):.1f} %" for side in sides]),
        both([f"{60 * statistics.median(run.answered / run.asking_s for run in side):.0f}" for side in sides]),
        both([f"{sum(run.lost for run in side)}" for side in sides]),
        both([f"{sum(max(run.answered + run.lost - case.items, 0) for run in side)}" for side in sides]),
        both([f"{sum(run.early for run in side)}" for side in sides]),
    ]


def _run(name: str, case: Case, items: Sequence[Item], runs: int) -> tuple[list[Timed[Side]], list[Timed[Side]]]:
    with tempfile.TemporaryDirectory() as made, latency_server(_LATENCY_S, **case.server) as server:
        folder = Path(made)
        pairs, samples = write_pairs(items, folder / "pairs.jsonl"), write_samples(items, folder / "samples.json")

        def ours() -> Timed[Side]:
            out = Path(tempfile.mkdtemp(dir=folder)) / "out"
            command = our_command(pairs, server.base_url, case.concurrency, out)
            took = _measured([*command, "--timeout", f"{_TIMEOUT_S}"], server, {0, 1})
            return took._replace(answer=took.answer._replace(lost=_errors(out)))

        def theirs() -> Timed[Side]:
            asked = [f"{samples}", server.base_url, f"{case.concurrency}", f"{_TIMEOUT_S}"]
            return _measured([sys.executable, f"{PEERS / 'bare_client.py'}", *asked], server, {0})

        return in_turns(name, ours, theirs, runs=runs)


def _measured(command: Sequence[str], server: Server, codes: set[int]) -> Timed[Side]:
    """Run a command and return what it came to; of the bare client also what it lost.

    Raises:
        MissingResourceError: It ended with another code; what it said last is in the message.
    """
    server.seen()
    took = timed(
        lambda: subprocess.run(
            command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", env=environment(), check=False
        )
    )
    done, seen = took.answer, server.seen()
    if done.returncode not in codes:
        raise MissingResourceError(f"{command[1]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    kinds = seen["kinds"]
    refused = kinds.get("too_many", 0) + kinds.get("over_window", 0)
    last = done.stdout.splitlines()[-1]
    side = Side(
        asking_s=seen["seconds"],
        answered=kinds.get("answer", 0),
        lost=json.loads(last)["lost"] if last.startswith("{") else 0,
        refused=refused / sum(kinds.values()),
        early=seen["early"],
    )
    progress(f"{Path(command[1]).name}: {took.seconds:.2f} s, {side}")
    return Timed(took.seconds, side)


def _errors(run_dir: Path) -> int:
    """Return how many items of a run have no answer."""
    (journal,) = run_dir.glob("*/records.jsonl")
    return sum(json.loads(line)["error"] is not None for line in journal.open(encoding="utf-8"))


def _distinct(items: Sequence[Item], n: int) -> list[Item]:
    """Return n items of which no two ask the same: whether a request fails is drawn from what it asks."""
    numbered = enumerate(repeated(items, n), 1)
    return [
        item.model_copy(update={"inputs": {**item.inputs, "premise": f"{number}: {item.inputs['premise']}"}})
        for number, item in numbered
    ]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches faults", description=str(__doc__).split("\n")[0])
    parser.add_argument("--cases", default=",".join(CASES), help="comma-separated, of: %(default)s")
    parser.add_argument("--runs", type=count, default=RUNS)
    options = parser.parse_args(list(arguments))
    options.cases = options.cases.split(",")
    for name in options.cases:
        if name not in CASES:
            raise ConfigurationError(f"unknown case '{name}'. Allowed: {', '.join(CASES)}")
    return options
