"""A run over a server against inspect-ai: `python -m benches throughput [--items N] [--concurrency C]`.

Both sides are whole commands, as their users give them, that put the same prompts to the same loopback server: it
answers every request after the same time. Ours plans, asks, journals and writes its reports; inspect-ai asks, scores
and writes its log, in an environment of its own. A rate is items by the seconds of the whole command, or of the asking
alone, as the server saw it: from the first request to the last answer. CPU seconds are the command's own, all its
threads and processes; where other work shares the machine they say more than the rates.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from benches.environments import peer_python, same_release
from benches.items import bench_items
from benches.label_scoring import prompts_of
from benches.table import RUNS, Timed, count, in_turns, markdown_table, progress, timed, versions_line
from data.common.errors import MissingResourceError
from data.types import Item

INSPECT = "0.3.285"
PEERS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parent.parent
# What LangChain calls the roles of chat APIs.
_ROLES = {"human": "user", "ai": "assistant"}
REPLY = "neutral"


class Rates(NamedTuple):
    """What one command came to.

    Attributes:
        command: Items a second, start and reports included.
        asking: Items a second from the first request to the last answer.
        cpu_ms: Milliseconds of CPU an item, of the whole command.
        connections: That it opened.
    """

    command: float
    asking: float
    cpu_ms: float
    connections: int


class Server:
    """The server on the other end of a pipe."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._questions: IO[str] = process.stdin
        self._answers: IO[str] = process.stdout
        self.base_url = f"http://127.0.0.1:{self._next()['port']}/v1"

    def seen(self) -> dict[str, Any]:
        """Return what it has seen since it was last asked."""
        print(file=self._questions, flush=True)
        return self._next()

    def _next(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise MissingResourceError("the bench's server ended; see its messages above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def latency_server(latency_s: float, **more: Any) -> Iterator[Server]:
    """Start the server in a process of its own, and end it afterwards; `more` are its other settings."""
    settings = json.dumps({"latency_s": latency_s, "reply": REPLY, **more})
    command = [sys.executable, str(PEERS / "latency_server.py"), settings]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()  # it ends where its questions do


def repeated(items: Sequence[Item], n: int) -> list[Item]:
    """Return n items, the given ones again and again where they are fewer."""
    return list(islice(cycle(items), n))


def write_pairs(items: Sequence[Item], file: Path) -> Path:
    """Write MNLI items as a file that `--data` takes."""
    rows = [{**item.inputs, "label": item.choices[item.target]} for item in items]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def write_samples(items: Sequence[Item], file: Path) -> Path:
    """Write the same items as inspect-ai's samples: what our chain sends, message by message."""
    conversations, _ = prompts_of(items)
    samples = [
        {
            "id": str(number),
            "input": [{"role": _ROLES.get(message.type, message.type), "content": message.text} for message in sent],
            "target": item.choices[item.target],
        }
        for number, (item, sent) in enumerate(zip(items, conversations, strict=True))
    ]
    file.write_text(json.dumps(samples), encoding="utf-8")
    return file


def our_command(pairs: Path, base_url: str, concurrency: int, out: Path) -> list[str]:
    """Return the command that asks, journals and reports with this project."""
    who = ["--chain", "mnli-zero-shot", "--model", f"endpoint:served@{base_url}"]
    how = ["--max-concurrency", str(concurrency), "--max-tokens", "16", "--out", str(out)]
    return [sys.executable, "-m", "eval", "run", "mnli", "--data", str(pairs), *who, *how]


def inspect_command(python: Path, samples: Path, base_url: str, concurrency: int, logs: Path) -> list[str]:
    """Return the command that asks, scores and logs with inspect-ai."""
    task = ["inspect_task.py@asked", "-T", f"samples={samples}"]
    who = ["--model", "openai-api/loopback/served", "--model-base-url", base_url]
    how = ["--max-connections", str(concurrency), "--max-tokens", "16", "--temperature", "0", "--display", "none"]
    return [str(python.with_name("inspect")), "eval", *task, *who, *how, "--log-dir", str(logs)]


def measured(command: Sequence[str], server: Server, n: int, *, cwd: Path, log: Path) -> Timed[Rates]:
    """Run a command and return its rates.

    Args:
        command: That asks the server n items.
        server: Which it asks.
        n: Items.
        cwd: Where it runs.
        log: Where what it prints goes.

    Raises:
        MissingResourceError: It failed, or asked something else than n questions; what it printed is in the message.
    """
    server.seen()
    before = os.times()
    with log.open("w", encoding="utf-8") as printed:
        took = timed(
            lambda: subprocess.run(
                command, cwd=cwd, stdout=printed, stderr=subprocess.STDOUT, env=environment(), check=False
            )
        )
    after, seen = os.times(), server.seen()
    if took.answer.returncode != 0 or seen["requests"] != n:
        last = log.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
        name, code = Path(command[0]).name, took.answer.returncode
        raise MissingResourceError(f"{name} ended with {code} after {seen['requests']} of {n} answers: {last}")
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    rates = Rates(n / took.seconds, n / seen["seconds"], 1000 * cpu_s / n, seen["connections"])
    return Timed(took.seconds, rates)


def environment() -> Mapping[str, str]:
    """Return the environment of both sides' commands: modules are compiled once, as they are for every user."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "LOOPBACK_API_KEY": "no-key", "LANGSMITH_TRACING": "false", "NO_COLOR": "1"}


def middle(runs: Sequence[Timed[Rates]]) -> Rates:
    """Return the rates of the run whose command took the median time."""
    return sorted(runs, key=lambda run: run.seconds)[len(runs) // 2].answer


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table."""
    options = _options(arguments)
    python = peer_python(f"inspect-ai-{INSPECT}", [f"inspect-ai=={INSPECT}", same_release("openai")])
    title, some = bench_items("mnli", options.items)
    items = repeated(some, options.items)
    with tempfile.TemporaryDirectory() as name, latency_server(options.latency_ms / 1000) as server:
        folder = Path(name)
        pairs, samples = write_pairs(items, folder / "pairs.jsonl"), write_samples(items, folder / "samples.json")

        def side(label: str, cwd: Path, command: Callable[[Path], list[str]]) -> Timed[Rates]:
            out = Path(tempfile.mkdtemp(prefix=label, dir=folder))
            took = measured(command(out / "out"), server, len(items), cwd=cwd, log=out / "printed.txt")
            progress(f"{label}: {took.answer}")
            return took

        ours, theirs = in_turns(
            "throughput",
            lambda: side("ours", ROOT, lambda out: our_command(pairs, server.base_url, options.concurrency, out)),
            lambda: side(
                "inspect-ai",
                PEERS,
                lambda out: inspect_command(python, samples, server.base_url, options.concurrency, out),
            ),
            runs=options.runs,
        )
    setting = f"{options.latency_ms:g} ms latency, {options.concurrency} in flight, {os.cpu_count()} CPUs"
    versions = versions_line(["langchain-core", "langchain-openai", "openai"], {"inspect-ai": INSPECT})
    print(f"{len(items)} items of {title}, {setting}, median of {options.runs}; {versions}\n")
    print(table(middle(ours), middle(theirs)))


def table(ours: Rates, theirs: Rates) -> str:
    """Return both sides as a Markdown table."""
    columns = ["", "ours", "inspect-ai", "ratio"]
    rows = [
        [
            "whole command, items/s",
            f"{ours.command:.0f}",
            f"{theirs.command:.0f}",
            _times(ours.command, theirs.command),
        ],
        ["asking, items/s", f"{ours.asking:.0f}", f"{theirs.asking:.0f}", _times(ours.asking, theirs.asking)],
        ["CPU, ms an item", f"{ours.cpu_ms:.2f}", f"{theirs.cpu_ms:.2f}", _times(theirs.cpu_ms, ours.cpu_ms)],
        ["connections", f"{ours.connections}", f"{theirs.connections}", ""],
    ]
    return markdown_table(columns, rows)


def _times(more: float, less: float) -> str:
    return f"{more / less:.1f} x"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches throughput", description=str(__doc__).split("\n")[0])
    parser.add_argument("--items", type=count, default=1000, help="default: %(default)s")
    parser.add_argument("--concurrency", type=count, default=64, help="calls in flight (default: %(default)s)")
    parser.add_argument("--latency-ms", type=count, default=50, help="of every answer (default: %(default)s)")
    parser.add_argument("--runs", type=count, default=RUNS)
    return parser.parse_args(list(arguments))
