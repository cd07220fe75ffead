"""A report of a large run: `python -m benches report [--items N] [--systems N] [--large N] [--runs N]`.

Two runs of replies that were recorded elsewhere are made by hand: one of MNLI's size with four systems, and one of very
many items with two. The table gives the seconds and the memory that writing all reports of each takes, from its
journals, in a fresh process: medians of the runs for the first, one run for the second.
"""

import argparse
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from benches.growth_steps import RUN
from benches.items import bench_items
from benches.own_process import Measured, in_own_process
from benches.table import RUNS, count, markdown_table, progress, versions_line
from data.registry import fingerprint
from data.types import Item, Prediction, Record
from eval.rundir.description import SystemDescription
from eval.rundir.journal import records_path
from eval.rundir.manifest import Evaluation, Manifest, begin_run

FEW = 4  # items of the run that warms a process up
MIB = 2**20


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table."""
    options = _options(arguments)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        few = make_run(Path(name) / "few", FEW, systems=2)
        for n, systems, runs in ((options.items, options.systems, options.runs), (options.large, 2, 1)):
            whole = make_run(Path(name) / str(n), n, systems=systems)
            progress(f"{n:,} items by {systems} systems are written")
            rows.append([f"{n:,} by {systems}", *_cells(_measured(few, whole, runs), n * systems)])
    print(f"All reports of a run of imported replies; {versions_line(['numpy', 'pydantic', 'jinja2'])}\n")
    print(markdown_table(["items by systems", "s", "µs a record", "MiB", "bytes a record"], rows))


def make_run(folder: Path, n: int, *, systems: int) -> Path:
    """Write a run over n pairs, items that come again with a premise of their own; return the folder it is in."""
    names = [f"recorded-{number}" for number in range(1, systems + 1)]
    items = list(_pairs(n))
    evaluation = Evaluation(
        benchmark="mnli",
        split="made-up",
        data=None,
        n_items=n,
        fingerprint=fingerprint(items),
        systems=tuple(names),
    )
    manifest = Manifest(
        name="report",
        suite={},
        evaluations=(evaluation,),
        systems={name: SystemDescription(kind="imported", answer_form="label") for name in names},
        seed=0,
        started_utc="2026-01-01T00:00:00+00:00",
    )
    begin_run(folder / RUN, manifest)
    for number, name in enumerate(names):
        path = records_path(folder / RUN, name)
        path.parent.mkdir()
        with path.open("w", encoding="utf-8") as file:
            file.writelines(one.model_dump_json() + "\n" for one in _records(items, name, seed=number))
    return folder


def _pairs(n: int) -> Iterator[Item]:
    known = bench_items("mnli", None)[1]
    for number in range(n):
        again, item = number // len(known), known[number % len(known)]
        inputs = {**item.inputs, "premise": f"{item.inputs['premise']} ({again})"}
        changes = {"id": f"mnli/made-up/{number}", "group": f"{item.group}/{again}", "inputs": inputs}
        yield item.model_copy(update=changes)


def _records(items: Sequence[Item], system: str, *, seed: int) -> Iterator[Record]:
    rng = random.Random(seed)
    for item in items:
        choice = item.target if rng.random() < 0.6 + 0.08 * seed else rng.randrange(len(item.choices))
        said = Prediction(
            choice=choice,
            status="ok",
            rule="answer-is",
            raw=f"The answer is {item.choices[choice]}.",
            usage={"input_tokens": 90, "output_tokens": 5},
        )
        yield Record(item=item, system=system, prediction=said, latency_s=round(rng.random(), 3))


def _measured(few: Path, whole: Path, runs: int) -> Measured:
    found = [in_own_process("benches.growth_steps", ["report", str(few), str(whole)]) for _ in range(runs)]
    return Measured(median(one.seconds for one in found), int(median(one.peak_bytes for one in found)))


def _cells(found: Measured, n_records: int) -> list[str]:
    return [
        f"{found.seconds:.2f}",
        f"{1e6 * found.seconds / n_records:.1f}",
        f"{found.peak_bytes / MIB:.1f}",
        f"{found.peak_bytes / n_records:,.0f}",
    ]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches report", description=str(__doc__).split("\n")[0])
    parser.add_argument("--items", type=count, default=9815, help="of the first run (default: %(default)s)")
    parser.add_argument("--systems", type=count, default=4, help="of the first run (default: %(default)s)")
    parser.add_argument("--large", type=count, default=400_000, help="items of the second run (default: %(default)s)")
    parser.add_argument("--runs", type=count, default=RUNS)
    return parser.parse_args(list(arguments))
