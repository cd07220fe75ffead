"""Runs a suite: plans it whole, then lets each system answer its items, journaling every answer as it comes.

Planning reads the items, builds the systems and finds every fault that can be found without asking a model;
only then is the first file written. `read → build → manifest → ask → settle`.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from data.errors import ConfigurationError, ProjectError
from data.hardware import hardware
from data.registry import benchmark, fingerprint, load_items
from data.types import Item, Record
from eval.asking import ask_items
from eval.budget import check_prices, open_budget, rate_of
from eval.calls import CallPolicy, Calls, Cause
from eval.cost import price_table
from eval.journal import (
    Evaluation,
    Journal,
    Manifest,
    begin_run,
    latest_records,
    read_manifest,
    records_path,
    redacted,
    settle,
    write_manifest,
)
from eval.label_order import check_label_order
from eval.metrics import NO_ANSWER
from eval.progress import Progress, log
from eval.secrets import make_redactor
from eval.suite import Suite
from eval.systems import Context, System, build_system

# The packages whose versions can change an answer or a score.
_VERSIONED = (
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

REMEDY_CHECKPOINT = (
    "correct id2label in its config.json, or, where the items are meant to mislead it, turn this check off with "
    "--any-label-order (in a suite: any_label_order: true)"
)
REMEDY_TRAINED = (
    "the items that it learnt from and those it is evaluated on seem to name their labels differently: correct the "
    "data, or, where the items are meant to mislead it, turn this check off with any_label_order: true in the suite"
)


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


def plan(suite: Suite, *, policy: CallPolicy = CallPolicy()) -> Plan:  # noqa: B008  # immutable
    """Read every item and build every system of a suite.

    Args:
        suite: What to run.
        policy: How calls will be made: with a limit on what they may cost, every price must be known.

    Raises:
        ProjectError: Anything about the suite that a user must mend first.
    """
    price_table()  # the reports need it: a fault in the user's own is not to be found once every answer is paid for
    if policy.max_cost_usd is not None:
        check_prices(suite)
    planned = []
    for spec in suite.evaluations:
        about = benchmark(spec.benchmark)
        pool = load_items(spec.benchmark, split=spec.split, path=spec.data)
        context = Context(benchmark=about, spec=spec, items=pool, seed=suite.seed, timeout_s=policy.call_timeout_s)
        systems = [build_system(system, context) for system in spec.systems]
        if policy.max_cost_usd is not None:
            for system in systems:
                rate_of(system)
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
        hardware=hardware(),
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
    policy: CallPolicy = CallPolicy(),  # noqa: B008  # immutable
) -> Outcome:
    """Ask every system every item that has no answer yet, and journal each answer as it comes.

    Args:
        planned: What to run.
        run_dir: A new folder, or with `resume` the folder of an unfinished run of the same suite.
        resume: Ask only what is missing or failed.
        max_concurrency: Calls in flight for systems that are not batched.
        max_errors: Stop as soon as more items than this have failed; None: go on to the end.
        policy: How calls are made, for systems that are not batched.

    Raises:
        ConfigurationError: The folder is in use, cannot be written, or holds another suite's run; a server refuses
            what every item needs, such as the key; or a classifier seems to name its labels wrongly.
        TooManyErrorsError: See `max_errors`.
        MaxCostError: The next call might cross `policy.max_cost_usd`.
    """
    _open_run(planned.manifest, run_dir, resume=resume)
    every_system = [system for entry in planned.evaluations for system in entry.systems]
    budget = None if policy.max_cost_usd is None else open_budget(policy.max_cost_usd, run_dir, every_system)
    calls = Calls(policy, budget=budget)
    asked = errors = 0
    for evaluation, items, systems in planned.evaluations:
        for system in systems:
            path = records_path(run_dir, system.name)
            answered = {item_id for item_id, record in latest_records(path).items() if record.error is None}
            pending = [item for item in items if item.id not in answered]
            asked += len(pending)
            if pending:
                _note_hardware(planned.manifest, run_dir)
                allowed = None if max_errors is None else max_errors - errors
                records = ask_items(system, pending, run_dir, evaluation.benchmark, max_concurrency, calls)
                errors += _journal(path, records, system.name, len(pending), allowed, calls)
                if calls.cause:
                    raise _stopped(calls.cause, planned, run_dir)
            settle(path, [item.id for item in items])
            _check_labels(system, path)
    return Outcome(run_dir, asked, errors)


def _open_run(manifest: Manifest, run_dir: Path, *, resume: bool) -> None:
    if resume:
        differing = read_manifest(run_dir).differences(redacted(manifest))
        if differing:
            raise ConfigurationError(
                f"{run_dir} cannot be resumed: its {', '.join(differing)} differ from what is asked for now; "
                "start a new run with --out"
            )
        return
    begin_run(run_dir, manifest)


def _note_hardware(manifest: Manifest, run_dir: Path) -> None:
    """Take the machine out of the manifest of a run that goes on on another: no price fits the seconds of both."""
    found = read_manifest(run_dir)
    if found.hardware not in (None, redacted(manifest).hardware):
        log(f"{run_dir} was begun on another machine: what its answers cost by the hour will be unknown")
        write_manifest(run_dir, found.model_copy(update={"hardware": None}))


def _journal(
    path: Path, records: Iterator[Record], system: str, total: int, allowed_errors: int | None, calls: Calls
) -> int:
    """Write records down as they come; return how many are errors.

    Beyond `allowed_errors` it stops asking, but still writes down what was in flight: those answers are paid for.
    """
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
                first = f"the first error of {system} is above"
                reason = f"stopped: more items failed than --max-errors allows; {first}"
                calls.halt(Cause(TooManyErrorsError, reason, "mend it"))
    if calls.repeats:
        faults = ", ".join(f"{kind}: {count}" for kind, count in calls.repeats.most_common())
        log(f"{system}: asked again {calls.repeats.total()} times after faults that pass ({faults})")
        calls.repeats.clear()
    return errors


def _stopped(cause: Cause, planned: Plan, run_dir: Path) -> ProjectError:
    left = sum(
        len(entry.items) - sum(record.error is None for record in latest_records(path, texts=False).values())
        for entry in planned.evaluations
        for system in entry.systems
        for path in [records_path(run_dir, system.name)]
    )
    reason = make_redactor()(cause.reason)  # a server may repeat the key that it refuses
    return cause.kind(f"{reason}; {left} answers are missing: {cause.remedy} and go on with --resume {run_dir}")


def _check_labels(system: System, path: Path) -> None:
    """Stop before a report shows the scores of a classifier that seems to name its labels wrongly."""
    if system.labels is None:
        return
    answered = [
        (record.item.target, record.prediction) for record in latest_records(path).values() if record.prediction
    ]
    targets = [target for target, _ in answered]
    choices = [NO_ANSWER if prediction.choice is None else prediction.choice for _, prediction in answered]
    checkpoint = system.description.get("checkpoint")
    where = (
        f"the system '{system.name}', trained in this run," if checkpoint is None else f"the checkpoint '{checkpoint}'"
    )
    remedy = REMEDY_TRAINED if checkpoint is None else REMEDY_CHECKPOINT
    again = f"with that option --resume {path.parent.parent} reports its answers, which are journaled in {path}"
    remedy = f"{remedy}; {again}; what is corrected needs a new run"
    check_label_order(targets, choices, labels=system.labels, where=where, remedy=remedy)
