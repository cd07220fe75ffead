"""The steps of a run whose growth is measured: `python -m benches.growth_steps STEP FEW WHOLE` measures one.

FEW and WHOLE are folders that `make_set` filled: pairs.jsonl, a finished run over them, and that run's answers as
columns. What a step reads is loaded before its time starts, and counts into its memory.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable

from benches.own_process import answer, measure
from data.types import Item, Prediction, Record

RUN = "run"
PAIRS = "pairs.jsonl"
COLUMNS = "columns.npz"
SYSTEMS = ("chance", "batched")


class BatchedFake(RunnableSerializable[dict[str, Any], Prediction]):
    """Answers by the item's id, a whole batch in one call: what a local model costs a run beside its computing."""

    def invoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> Prediction:
        return self.batch([input], config)[0]

    def batch(
        self,
        inputs: list[dict[str, Any]],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any | None,
    ) -> list[Prediction]:
        return [_by_id(entry) for entry in inputs]


def batched_fake() -> Runnable[dict[str, Any], Prediction]:
    """Make the chain that a suite names as `benches.growth_steps:batched_fake`."""
    return BatchedFake()


def repeated(items: Sequence[Item], n: int) -> Iterable[dict[str, str]]:
    """Yield n rows of MNLI's format; when the items are used up they come again, with a premise of their own.

    So every round has groups of its own, as real items have; the reader gives each row an id of its own.
    """
    for number in range(n):
        again, item = number // len(items), items[number % len(items)]
        genres = [tag.removeprefix("genre:") for tag in item.tags if tag.startswith("genre:")]
        mark = f" ({again})" if again else ""
        yield {
            "premise": item.inputs["premise"] + mark,
            "hypothesis": item.inputs["hypothesis"],
            "label": item.choices[item.target],
            **({"genre": genres[0]} if genres else {}),
        }


def make_set(folder: Path, items: Sequence[Item], n: int) -> Path:
    """Fill a folder with n pairs, a run over them and its answers' columns; return it."""
    import numpy as np

    from eval.measures.run_answers import read_answers

    folder.mkdir(parents=True)
    with (folder / PAIRS).open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in repeated(items, n))
    _run_suite(folder, folder / RUN)
    answers = read_answers(folder / RUN).evaluations[0][SYSTEMS[1]]
    np.savez(
        folder / COLUMNS,
        targets=answers.targets,
        choices=answers.choices,
        weights=answers.weights,
        groups=answers.groups,
    )
    return folder


def main(arguments: Sequence[str]) -> None:
    """Measure a step and print its figures for `in_own_process`."""
    step, few, whole = arguments
    prepare = STEPS[step]
    answer(measure(lambda: prepare(Path(few)), lambda: prepare(Path(whole))))


def _run_suite(folder: Path, run_dir: Path) -> object:
    from eval.execution.runner import run
    from eval.plan.planning import plan
    from eval.plan.settings.specs import EvaluationSpec, Suite, SystemSpec

    systems = (
        SystemSpec(name=SYSTEMS[0], baseline="chance"),
        SystemSpec(name=SYSTEMS[1], chain="benches.growth_steps:batched_fake"),
    )
    spec = EvaluationSpec(benchmark="mnli", data=folder / PAIRS, systems=systems)
    return run(plan(Suite(name="growth", evaluations=(spec,))), run_dir)


def _runner(folder: Path) -> Callable[[], object]:
    """Read and plan a suite of a baseline and a batched chain, ask both every item, journal and settle."""
    return lambda: _run_suite(folder, Path(tempfile.mkdtemp(dir=folder)))


def _journal(folder: Path) -> Callable[[], object]:
    """Append a record an item, settle, and read all records again."""
    from data.registry import load_items
    from eval.rundir.journal import Journal, latest_records, settle

    items = load_items("mnli", path=folder / PAIRS)
    path = Path(tempfile.mkdtemp(dir=folder)) / "records.jsonl"

    def work() -> object:
        with Journal(path) as journal:
            for item in items:
                journal.append(Record(item=item, system="fake", prediction=_by_id(item.to_input()), latency_s=0.01))
        settle(path, [item.id for item in items])
        return latest_records(path)

    return work


def _metrics(folder: Path) -> Callable[[], object]:
    """Score a system's answers."""
    from eval.measures.metrics import score
    from eval.measures.run_answers import read_answers

    answers = read_answers(folder / RUN).evaluations[0][SYSTEMS[1]]
    return lambda: score(answers)


def _bootstrap(folder: Path) -> Callable[[], object]:
    """Draw the three intervals that a report gives of a system."""
    import numpy as np

    from eval.measures.stats import macro_f1_interval, share_interval

    with np.load(folder / COLUMNS) as columns:
        targets, choices, weights = (columns[name] for name in ("targets", "choices", "weights"))
        groups = columns["groups"]

    def work() -> object:
        right = targets == choices
        return (
            share_interval(right, np.ones(len(right)), groups),
            share_interval(right * weights, weights, groups),
            macro_f1_interval(targets, choices, groups, n_classes=3),
        )

    return work


def _compare(folder: Path) -> Callable[[], object]:
    """Compare two systems of a run, from their journals."""
    from eval.measures.differences import compare
    from eval.measures.run_answers import read_answers

    return lambda: compare(read_answers(folder / RUN))


def _report(folder: Path) -> Callable[[], object]:
    """Sum a run up and write all its reports, from its journals."""
    from eval.report import write_report

    return lambda: write_report(folder / RUN)


def _by_id(entry: dict[str, Any]) -> Prediction:
    digest = hashlib.sha256(entry["id"].encode()).digest()
    likelihoods = [1 + byte for byte in digest[: len(entry["choices"])]]
    choice = max(range(len(likelihoods)), key=likelihoods.__getitem__)
    probs = tuple(one / sum(likelihoods) for one in likelihoods)
    return Prediction(choice=choice, status="ok", rule="fake", probs=probs)


# Each takes a set's folder, loads its input and returns the work that is timed.
STEPS: dict[str, Callable[[Path], Callable[[], object]]] = {
    "runner": _runner,
    "journal": _journal,
    "metrics": _metrics,
    "bootstrap": _bootstrap,
    "compare": _compare,
    "report": _report,
}

if __name__ == "__main__":
    main(sys.argv[1:])
