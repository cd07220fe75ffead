"""Runs a suite: plans it whole, then lets each system answer its items, journaling every answer as it comes.

Planning reads the items, builds the systems and finds every fault that can be found without asking a model;
only then is the first file written. `read → build → manifest → ask → settle`.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from data.errors import ConfigurationError, ProjectError
from data.registry import benchmark, fingerprint, load_items
from data.types import Item, Prediction, Record
from eval.journal import (
    Evaluation,
    Journal,
    Manifest,
    latest_records,
    read_manifest,
    records_path,
    settle,
    write_manifest,
)
from eval.progress import Progress, log
from eval.suite import Suite
from eval.systems import Context, Predictor, System, build_system
from eval.tracing import Transcript, run_config

# The packages whose versions can change an answer or a score.
_VERSIONED = (
    "bm25s",
    "faiss-cpu",
    "kiwipiepy",
    "langchain",
    "langchain-core",
    "langchain-openai",
    "numpy",
    "scikit-learn",
    "torch",
    "transformers",
    "tune-or-prompt",
)


BATCH_CHARACTERS = 10_000


class PlannedEvaluation(NamedTuple):
    """One benchmark's items and built systems, ready to be asked."""

    evaluation: Evaluation
    items: Sequence[Item]
    systems: Sequence[System]


class Plan(NamedTuple):
    """A suite whose every item is read and every system built; nothing has been asked or written."""

    manifest: Manifest
    evaluations: Sequence[PlannedEvaluation]


class Outcome(NamedTuple):
    """How a run ended: `errors` counts the items without a prediction, `asked` those that were put to a system now."""

    run_dir: Path
    asked: int
    errors: int


class TooManyErrorsError(ProjectError):
    """More items failed than the user allows (exit 1); what was answered is journaled and can be resumed."""

    exit_code = 1


def plan(suite: Suite) -> Plan:
    """Read every item and build every system of a suite.

    Raises:
        ProjectError: Anything about the suite that a user must mend first.
    """
    planned = []
    for spec in suite.evaluations:
        about = benchmark(spec.benchmark)
        pool = load_items(spec.benchmark, split=spec.split, path=spec.data)
        context = Context(benchmark=about, spec=spec, items=pool, seed=suite.seed)
        systems = [build_system(system, context) for system in spec.systems]
        items = pool[: spec.limit]
        evaluation = Evaluation(
            benchmark=about.name,
            split=context.split if spec.data is None or not spec.data.is_file() else spec.data.stem,
            data=str(spec.data) if spec.data else None,
            n_items=len(items),
            fingerprint=fingerprint(items),
            systems=tuple(system.name for system in systems),
        )
        planned.append(PlannedEvaluation(evaluation, items, systems))
    return Plan(_manifest(suite, planned), planned)


def _manifest(suite: Suite, planned: Sequence[PlannedEvaluation]) -> Manifest:
    commit = _git("rev-parse", "HEAD")
    return Manifest(
        name=suite.name,
        suite=suite.model_dump(mode="json"),
        evaluations=tuple(entry.evaluation for entry in planned),
        systems={system.name: system.description for entry in planned for system in entry.systems},
        seed=suite.seed,
        git_commit=commit,
        git_dirty=bool(_git("status", "--porcelain")) if commit else None,
        versions={"python": sys.version.split()[0]} | {name: v for name in _VERSIONED if (v := _version(name))},
        started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """Ask git about the project's own checkout, or return None where there is none."""
    folder = Path(__file__).parent
    try:
        done = subprocess.run(  # noqa: S603  # fixed arguments
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def run(
    planned: Plan,
    run_dir: Path,
    *,
    resume: bool = False,
    max_concurrency: int = 8,
    max_errors: int | None = None,
) -> Outcome:
    """Ask every system every item that has no answer yet, and journal each answer as it comes.

    Args:
        planned: What to run.
        run_dir: A new folder, or with `resume` the folder of an unfinished run of the same suite.
        resume: Ask only what is missing or failed.
        max_concurrency: Calls in flight for systems that are not batched.
        max_errors: Stop as soon as more items than this have failed; None: go on to the end.

    Raises:
        ConfigurationError: The folder is in use, cannot be written, or holds another suite's run.
        TooManyErrorsError: See `max_errors`.
    """
    _open_run(planned.manifest, run_dir, resume=resume)
    asked = errors = 0
    for evaluation, items, systems in planned.evaluations:
        for system in systems:
            path = records_path(run_dir, system.name)
            answered = {item_id for item_id, record in latest_records(path).items() if record.error is None}
            pending = [item for item in items if item.id not in answered]
            asked += len(pending)
            if pending:
                allowed = None if max_errors is None else max_errors - errors
                records = _answers(system, pending, run_dir, evaluation.benchmark, max_concurrency)
                errors += _journal(path, records, system.name, len(pending), allowed)
            settle(path, [item.id for item in items])
    return Outcome(run_dir, asked, errors)


def _open_run(manifest: Manifest, run_dir: Path, *, resume: bool) -> None:
    if resume:
        differing = read_manifest(run_dir).differences(manifest)
        if differing:
            raise ConfigurationError(
                f"{run_dir} cannot be resumed: its {', '.join(differing)} differ from what is asked for now; "
                "start a new run with --out"
            )
        return
    try:
        if run_dir.exists() and any(run_dir.iterdir()):
            raise ConfigurationError(f"{run_dir} is not empty; use --resume {run_dir} to go on, or another --out")
        run_dir.mkdir(parents=True, exist_ok=True)
        write_manifest(run_dir, manifest)
    except OSError as error:
        raise ConfigurationError(
            f"run folder {run_dir} cannot be written: {error.strerror}; use another --out"
        ) from None


def _journal(path: Path, records: Iterator[Record], system: str, total: int, allowed_errors: int | None) -> int:
    """Write records down as they come; return how many are errors."""
    errors = 0
    with Journal(path) as journal, Progress(system, total) as progress:
        for record in records:
            journal.append(record)
            failed = record.error is not None
            errors += failed
            progress.advance(failed=failed)
            if failed and errors == 1:
                log(f"{system}: {record.item.id}: {record.error}")
            if allowed_errors is not None and errors > allowed_errors:
                raise TooManyErrorsError(
                    f"stopped: more items failed than --max-errors allows; the first error of {system} is above; "
                    f"mend it and go on with --resume {path.parent.parent}"
                )
    return errors


def _answers(
    system: System, items: Sequence[Item], run_dir: Path, benchmark_name: str, max_concurrency: int
) -> Iterator[Record]:
    predictor = system.open(run_dir / system.name)
    names = {"run": run_dir.name, "system": system.name, "benchmark": benchmark_name}
    if system.batch_size is None:
        yield from _one_by_one(predictor, items, names, max_concurrency)
    else:
        for batch in cut_batches(items, system.batch_size):
            yield from _together(predictor, batch, names)


def cut_batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """Cut items into batches of at most `size`, and after a group once a batch holds `BATCH_CHARACTERS`.

    So items that share a passage are asked together, while long ones are journaled and shown as they come.
    """
    batch: list[Item] = []
    characters = 0
    for item in items:
        full = len(batch) >= size or (characters >= BATCH_CHARACTERS and item.group != batch[-1].group)
        if batch and full:
            yield batch
            batch, characters = [], 0
        batch.append(item)
        characters += sum(map(len, item.inputs.values()))
    if batch:
        yield batch


def _together(predictor: Predictor, items: Sequence[Item], names: dict[str, str]) -> Iterator[Record]:
    """Ask a batch at once; an item's latency is its share of the batch's time."""
    transcripts = [Transcript() for _ in items]
    configs = [run_config(item, seen, **names) for item, seen in zip(items, transcripts, strict=True)]
    started = time.perf_counter()
    answers: list[Any] = predictor.batch([item.to_input() for item in items], configs, return_exceptions=True)
    share = (time.perf_counter() - started) / len(items)
    for answer in answers:
        # LangChain hands an interruption back like any other error; it must end the run, not the item.
        if isinstance(answer, BaseException) and not isinstance(answer, Exception):
            raise answer
    for item, answer, seen in zip(items, answers, transcripts, strict=True):
        yield _record(item, answer, seen, system=names["system"], latency_s=share)


def _one_by_one(
    predictor: Predictor, items: Sequence[Item], names: dict[str, str], max_concurrency: int
) -> Iterator[Record]:
    """Ask items concurrently and yield each as it is answered; an interruption waits only for calls in flight."""

    def ask(item: Item) -> Record:
        seen = Transcript()
        started = time.perf_counter()
        answer: Prediction | Exception
        try:
            answer = predictor.invoke(item.to_input(), run_config(item, seen, **names))
        except Exception as error:  # noqa: BLE001  # whatever a provider raises is this item's error, not the run's
            answer = error
        return _record(item, answer, seen, system=names["system"], latency_s=time.perf_counter() - started)

    with ThreadPoolExecutor(max_concurrency) as pool:
        futures = [pool.submit(ask, item) for item in items]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _record(item: Item, answer: Prediction | Exception, seen: Transcript, *, system: str, latency_s: float) -> Record:
    prediction = None if isinstance(answer, Exception) else answer
    error = f"{type(answer).__name__}: {answer}" if isinstance(answer, Exception) else None
    return Record(
        item=item,
        system=system,
        prediction=prediction,
        error=error,
        latency_s=latency_s,
        messages=seen.messages,
        passages=seen.passages,
    )
