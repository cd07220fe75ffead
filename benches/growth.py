"""Growth with the number of items: `python -m benches growth [--base N] [--runs N] [--scored N]`.

The first table gives seconds and peak memory of each step of a run at 1, 10 and 100 times the items, and the exponent
between the last two: 1 is linear, and n log n would be a little above (1.13 from 1,000 to 10,000 items). The second
asks a local model so many items and 100 times as many, at a small and a large token budget. Every figure is of a fresh
process: medians of the runs for seconds and memory of the steps, one run for a case of scoring.
"""

import argparse
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benches.growth_scoring import make_model
from benches.growth_steps import STEPS, make_set
from benches.items import bench_items
from benches.own_process import Measured, in_own_process
from benches.table import RUNS, count, markdown_table, progress, versions_line

FACTORS = (1, 10, 100)
FEW = 4
BUDGETS = (512, 8192)
MIB = 2**20


def main(arguments: Sequence[str] = ()) -> None:
    """Print the tables."""
    from eval.plan.system import LOCAL_BATCH

    options = _options(arguments)
    sizes = [factor * options.base for factor in FACTORS]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        title, rows = step_rows(folder, sizes, options.runs)
        packages = ["langchain-core", "numpy", "pydantic"]
        print(f"Steps of a run over {title} items, median of {options.runs}; {versions_line(packages)}\n")
        seconds, memory = ([f"{size:,}: {unit}" for size in sizes] for unit in ("s", "MiB"))
        print(markdown_table(["step", *seconds, "exponent, time", *memory, "exponent, memory"], rows))
        model = make_model(folder / "model")
        asked = (options.scored, FACTORS[-1] * options.scored)
        rows = scoring_rows(model, asked, calls={f"{LOCAL_BATCH}, as a run": LOCAL_BATCH, "all": asked[-1]})
    print(f"\nPeak memory of label scoring, random model of two layers; {versions_line(['torch', 'transformers'])}\n")
    columns = ["items a call", "token budget", *(f"{n:,} items: MiB" for n in asked), "KiB an item more"]
    print(markdown_table([*columns, *(f"{n:,} items: s" for n in asked)], rows))


def step_rows(folder: Path, sizes: Sequence[int], runs: int) -> tuple[str, list[list[str]]]:
    """Measure every step at every size; return the items' title and the table's rows.

    Args:
        folder: Where the sets are made.
        sizes: Items, at least two sizes, increasing.
        runs: How often each is measured.
    """
    title, items = bench_items("mnli", None)
    # By group, so that a small set's groups are as large as a large one's.
    items = sorted(items, key=lambda item: item.group)
    few = make_set(folder / "few", items, FEW)
    sets = {size: make_set(folder / str(size), items, size) for size in sizes}
    rows = []
    for step in STEPS:
        found = {size: _median(_measured(step, few, whole, runs)) for size, whole in sets.items()}
        progress(f"{step}: {', '.join(f'{one.seconds:.3f} s' for one in found.values())}")
        rows.append([step, *growth_cells(found)])
    return title, rows


def growth_cells(found: dict[int, Measured]) -> list[str]:
    """Return a step's cells: seconds at each size with their exponent, then memory likewise."""
    seconds = {size: one.seconds for size, one in found.items()}
    memory = {size: one.peak_bytes / MIB for size, one in found.items()}
    return [
        *(f"{one:.3f}" for one in seconds.values()),
        _exponent_cell(seconds),
        *(f"{one:.1f}" for one in memory.values()),
        _exponent_cell(memory),
    ]


def exponent(small: tuple[float, float], large: tuple[float, float]) -> float:
    """Return the k for which a cost grows as n to the power of k between two sizes.

    Args:
        small: (n, cost).
        large: (n, cost) of more items.

    Raises:
        ValueError: The sizes do not increase, or a cost is not above 0.
    """
    (n_small, cost_small), (n_large, cost_large) = small, large
    if not 0 < n_small < n_large or min(cost_small, cost_large) <= 0:
        raise ValueError(f"no growth between {small} and {large}")
    return math.log(cost_large / cost_small) / math.log(n_large / n_small)


def scoring_rows(model: Path, asked: tuple[int, int], *, calls: dict[str, int]) -> list[list[str]]:
    """Measure label scoring for each number of items a call and each token budget; return the table's rows.

    Args:
        model: Folder of the model.
        asked: Items, fewer and more.
        calls: Name to items a call.
    """
    rows = []
    for name, call in calls.items():
        for budget in BUDGETS:
            fewer, more = (
                in_own_process("benches.growth_scoring", [str(model), *map(str, (budget, call, n))]) for n in asked
            )
            an_item = (more.peak_bytes - fewer.peak_bytes) / (asked[1] - asked[0]) / 1024
            memory = [f"{one.peak_bytes / MIB:.1f}" for one in (fewer, more)]
            seconds = [f"{one.seconds:.1f}" for one in (fewer, more)]
            rows.append([name, f"{budget:,}", *memory, f"{an_item:.2f}", *seconds])
            progress(f"label scoring, {name} items a call, {budget} tokens: {' and '.join(memory)} MiB")
    return rows


def _measured(step: str, few: Path, whole: Path, runs: int) -> list[Measured]:
    return [in_own_process("benches.growth_steps", [step, str(few), str(whole)]) for _ in range(runs)]


def _median(runs: Sequence[Measured]) -> Measured:
    return Measured(median(one.seconds for one in runs), int(median(one.peak_bytes for one in runs)))


def _exponent_cell(costs: dict[int, float]) -> str:
    small, large = list(costs.items())[-2:]
    # A peak that the first items had reached already, and that nothing was added to, has no exponent.
    return f"{exponent(small, large):.2f}" if min(small[1], large[1]) > 0 else "–"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches growth", description=str(__doc__).split("\n")[0])
    parser.add_argument("--base", type=count, default=100, help="items of the smallest size (default: %(default)s)")
    parser.add_argument("--runs", type=count, default=RUNS)
    parser.add_argument(
        "--scored", type=count, default=1000, help="items that the model scores, and 100 times as many (%(default)s)"
    )
    return parser.parse_args(list(arguments))
