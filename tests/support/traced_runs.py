"""Commands in processes of their own whose traces go to a LangSmith of the tests, and what they say of it."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from eval.rundir.journal import read_records
from tests.support.fault_server import Faults, FaultServer
from tests.support.folders import ROOT
from tests.support.runs_over_server import journal_of, run_arguments

NOBODY = "http://127.0.0.1:9"
STEADY = Faults(latency_s=0.02)
# The clock starts once everything is imported, and stops when the process is gone.
PROGRAM = """
import sys
import langchain_openai, eval.cli.commands, eval.plan.planning, eval.report, eval.execution.runner
import eval.execution.trace_client, chains.kice
from eval.cli.parser import main
print("ready", flush=True)
sys.exit(main())
"""


class Ended(NamedTuple):
    code: int
    wall_s: float
    said: list[str]  # lines on stderr


def command(arguments: list[str], langsmith: dict[str, str]) -> Ended:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LANGSMITH_API_KEY": "of-nobody", **langsmith}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    started = time.monotonic()
    _, errors = process.communicate(timeout=120)
    return Ended(process.returncode, time.monotonic() - started, errors.splitlines())


def traced_to(address: str) -> dict[str, str]:
    return {"LANGSMITH_TRACING": "true", "LANGCHAIN_TRACING_V2": "true", "LANGSMITH_ENDPOINT": address}


def run_of(folder: Path, server: FaultServer, langsmith: dict[str, str], *more: str, items: int = 300) -> Ended:
    """A run whose folder is `folder`, and what is of the traces among what it says."""
    folder.parent.mkdir(exist_ok=True)
    arguments = run_arguments(folder.parent, server, "--timeout", "60", "--max-errors", "0", *more, items=items)
    ended = command([*arguments, "--out", str(folder)], langsmith)
    assert ended.code == 0, ended.said
    assert len(list(read_records(journal_of(folder)))) == items
    return ended._replace(said=[line for line in ended.said if "traces " in line or "langsmith" in line.lower()])
