"""Runs of an exam whose model is behind a server of the tests, as a command line and as a plan."""

import os
from pathlib import Path
from typing import Any

from eval.plan.planning import Plan, plan
from eval.plan.settings.call_policy import CallPolicy
from eval.plan.settings.specs import EvaluationSpec, Suite, SystemSpec
from eval.rundir.journal import records_path
from eval.rundir.manifest import read_manifest
from tests.support.exam_file import exam, write_exam
from tests.support.fault_server import FaultServer

# FAULT_ITEMS=2000 for the whole of it.
ITEMS = int(os.environ.get("FAULT_ITEMS", "200"))


CONCURRENCY = 16


def run_arguments(folder: Path, server: FaultServer, *more: str, items: int = ITEMS) -> list[str]:
    path = folder / "2030_11_KICE.json"
    if not path.exists():
        write_exam(folder, exam(items // 5, 5))
    model = ["--chain", "kice-prompt", "--model", f"endpoint:m@{server.base_url}"]
    calls = ["--max-concurrency", str(CONCURRENCY), "--retries", "20", "--timeout", "1.5"]
    return ["run", "kice", "--data", str(path), *model, *calls, *more]


def journal_of(run_dir: Path) -> Path:
    (name,) = read_manifest(run_dir).systems
    return records_path(run_dir, name)


# A loaded machine may take its time: only calls that hang are to be given up.
QUICK = CallPolicy(retries=8, first_wait_s=0.02, timeout_s=2)


def plan_over(folder: Path, server: FaultServer, *, items: int = 50, policy: CallPolicy = QUICK, **system: Any) -> Plan:
    path = folder / "2030_11_KICE.json"
    if not path.exists():
        write_exam(folder, exam(items // 5, 5))
    spec = SystemSpec(name="asked", chain="kice-prompt", model=f"endpoint:m@{server.base_url}", **system)
    evaluation = EvaluationSpec(benchmark="kice", data=path, systems=(spec,))
    return plan(Suite(name="calls", evaluations=(evaluation,)), policy=policy)
