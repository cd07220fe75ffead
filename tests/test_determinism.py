"""The same run twice gives the same files, timings apart, however its calls are interleaved or its items batched."""

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from data.mnli import LABELS
from eval.cli.parser import main
from eval.measures.stats import SEED
from tests.support.chat_endpoint import serve_chat

ITEMS = 60
TIMINGS = ("latency_s", "latency_p50_s", "latency_p95_s", "latency_total_s", "started_utc")
OF_A_CALL = ("call", "seconds")  # the id of its run, and how long it took


def reply(body: dict[str, Any]) -> str:
    """A reply that its prompt alone decides, some of them unreadable, at a time that nothing decides."""
    time.sleep(random.uniform(0, 0.02))
    drawn = random.Random(body["messages"][-1]["content"])
    return drawn.choice([*LABELS, "I cannot tell."])


def untimed(path: Path) -> str:
    """A file of JSON, or of JSON lines, without its timings, byte for byte as it was otherwise.

    The ledger's lines stand in the order in which calls were sent and answered, which is a timing too.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    written = [json.dumps(_untimed(json.loads(line))) for line in lines]
    return "\n".join(sorted(written) if path.name == "calls.jsonl" else written)


def _untimed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _untimed(inner) for name, inner in value.items() if name not in TIMINGS + OF_A_CALL}
    return [_untimed(inner) for inner in value] if isinstance(value, list) else value


def files(run: Path) -> dict[str, str]:
    return {
        path.relative_to(run).as_posix(): untimed(path)
        for path in sorted(run.rglob("*"))
        if path.suffix in (".json", ".jsonl")
    }


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_run_does_not_depend_on_how_its_calls_are_interleaved(tmp_path: Path) -> None:
    found = []
    with serve_chat(reply) as endpoint:
        who = ["--chain", "mnli-zero-shot", "--model", f"endpoint:m@{endpoint.base_url}", "--limit", str(ITEMS)]
        for number, concurrency in enumerate((1, 16, 16)):
            run = tmp_path / str(number)
            how = ["--split", "sample", "--max-concurrency", str(concurrency), "--out", str(run), "--seed", "7"]
            assert main(["run", "mnli", *who, *how]) == 0
            found.append(files(run))
    of_the_system = {f"mnli-zero-shot.endpoint-m/{name}.jsonl" for name in ("records", "calls")}
    assert set(found[0]) == {"manifest.json", "summary.json"} | of_the_system
    assert found[0] == found[1] == found[2]
    manifest = json.loads(found[0]["manifest.json"])
    assert (manifest["seed"], manifest["bootstrap_seed"]) == (7, SEED)


def test_reports_written_again_are_the_same_bytes(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main(["run", "mnli", "--baseline", "chance", "--split", "sample", "--out", str(run)]) == 0
    written = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert {"summary.json", "report.md", "report.html"} <= set(written)
    assert main(["report", str(run)]) == 0
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == written
