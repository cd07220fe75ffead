"""Runs a planned suite: lets each system answer its items, and journals every answer as it comes.

A plan in (see `eval.plan.planning`), a run's folder out: `manifest → ask → journal → settle`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from data.common.errors import ConfigurationError, ProjectError
from data.common.files import remove, sole_writer
from data.common.progress import Progress, log
from data.common.secrets import make_redactor
from data.common.text import mentioned
from data.types import Item, Record
from eval.execution.budget import open_budget
from eval.execution.error_limit import ErrorCount
from eval.execution.executor import ask_items
from eval.execution.label_check import check_labels
from eval.execution.missing_probs import note_missing_probs
from eval.execution.reply_journal import replies_path
from eval.execution.response_cache import ResponseCache
from eval.execution.retry import Calls, Cause
from eval.plan.call_policy import CallPolicy
from eval.plan.planning import Plan
from eval.rundir.journal import (
    Journal,
    Manifest,
    begin_run,
    read_manifest,
    read_outcomes,
    records_path,
    redacted,
    settle,
    write_manifest,
)
from eval.rundir.run_check import check_journals


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
        asked: Items that were put to a system now.
        errors: Items without a prediction.
        too_many: More than `max_errors`, or any where no limit was set.
    """

    run_dir: Path
    asked: int
    errors: int
    too_many: bool


class TooManyErrorsError(ProjectError):
    """More items failed than the user allows (exit 1); what was answered is journaled and can be resumed."""

    exit_code = 1


def run(
    planned: Plan,
    run_dir: Path,
    *,
    resume: bool = False,
    retry_errors: bool = True,
    max_concurrency: int = 8,
    max_errors: int | float | None = None,
    policy: CallPolicy = CallPolicy(),  # noqa: B008  # immutable
) -> Outcome:
    """Ask every system every item that has no answer yet, and journal each answer as it comes.

    Args:
        planned: What to run.
        run_dir: A new folder, or with `resume` the folder of an unfinished run of the same suite.
        resume: Ask only what is missing or failed.
        retry_errors: Without it, `resume` leaves what failed as it is.
        max_concurrency: Calls in flight for systems that are not batched.
        max_errors: Stop as soon as more items than this have failed: a count, or as a float a share of the items that
            are finished; None: go on to the end.
        policy: How calls are made, for systems that are not batched.

    Raises:
        ConfigurationError: The folder is in use, cannot be written, or holds another suite's run; a server refuses
            what every item needs, such as the key; or a classifier seems to name its labels wrongly.
        TooManyErrorsError: See `max_errors`.
        MaxCostError: The next call might cross `policy.max_cost_usd`.
    """
    if resume:
        read_manifest(run_dir)  # no lock is left in a folder that is no run
    cache = None if policy.cache == "none" else ResponseCache(sampled=policy.cache == "sampled")
    with sole_writer(run_dir):
        _open_run(planned, run_dir, resume=resume)
        every_system = [system for entry in planned.evaluations for system in entry.systems]
        budget = None if policy.max_cost_usd is None else open_budget(policy.max_cost_usd, run_dir, every_system)
        calls = Calls(policy, budget=budget, cache=cache)
        return _ask_all(planned, run_dir, retry_errors, max_concurrency, max_errors, calls)


def _ask_all(
    planned: Plan,
    run_dir: Path,
    retry_errors: bool,
    max_concurrency: int,
    max_errors: int | float | None,
    calls: Calls,
) -> Outcome:
    count = ErrorCount(max_errors, total=sum(len(entry.items) * len(entry.systems) for entry in planned.evaluations))
    asked = 0
    for evaluation, items, systems in planned.evaluations:
        for system in systems:
            path, errors = records_path(run_dir, system.name), count.errors
            pending = _pending(items, path, count, retry_errors=retry_errors)
            asked += len(pending)
            with _settled(path, items):
                if pending:
                    _note_hardware(planned.manifest, run_dir)
                    asking = ask_items(system, pending, run_dir, evaluation.benchmark, max_concurrency, calls)
                    records = note_missing_probs(asking, system.description)
                    _journal(path, records, system.name, len(pending), count, calls)
                if calls.cause:
                    raise _stopped(calls.cause, planned, run_dir)
            if count.errors == errors:
                remove(replies_path(run_dir, system.name))  # the records say all of it
            check_labels(system, path)
    return Outcome(run_dir, asked, count.errors, count.errors > 0 if max_errors is None else count.too_many)


@contextmanager
def _settled(path: Path, items: Sequence[Item]) -> Iterator[None]:
    """Put a journal into the items' order once they were asked, also where the run ends for that.

    A complete one that is in another order could not be told from one of other items.
    """
    item_ids = [item.id for item in items]
    try:
        yield
    except BaseException:
        with suppress(ProjectError):  # it is the first fault that is to be told
            settle(path, item_ids)
        raise
    settle(path, item_ids)


def _pending(items: Sequence[Item], path: Path, count: ErrorCount, *, retry_errors: bool) -> list[Item]:
    """Return the items to ask, and count those that are done with."""
    outcomes, pending = read_outcomes(path), []
    for item in items:
        answered = outcomes.get(item.id)
        if answered is None or (retry_errors and not answered):
            pending.append(item)
        else:
            count.add(failed=not answered)
    return pending


def _open_run(planned: Plan, run_dir: Path, *, resume: bool) -> None:
    manifest = planned.manifest
    if resume:
        differing = read_manifest(run_dir).differences(redacted(manifest))
        if differing:
            raise ConfigurationError(
                f"{run_dir} cannot be resumed: its {', '.join(differing)} differ from what is asked for now; "
                "start a new run with --out"
            )
        check_journals(run_dir, manifest, [entry.items for entry in planned.evaluations])
        return
    begin_run(run_dir, manifest)


def _note_hardware(manifest: Manifest, run_dir: Path) -> None:
    """Take the machine out of the manifest of a run that goes on on another: no price fits the seconds of both."""
    found = read_manifest(run_dir)
    if found.hardware not in (None, redacted(manifest).hardware):
        log(f"{run_dir} was begun on another machine: what its answers cost by the hour will be unknown")
        write_manifest(run_dir, found.model_copy(update={"hardware": None}))


def _journal(path: Path, records: Iterator[Record], system: str, total: int, count: ErrorCount, calls: Calls) -> None:
    """Write records down as they come.

    With too many errors it stops asking, but still writes down what was in flight: those answers are paid for.
    """
    first = True
    with Journal(path) as journal, Progress(system, total, calls.waits.described) as progress:
        for answered in records:
            record = journal.append(answered)
            failed = record.error is not None
            count.add(failed=failed)
            progress.advance(failed=failed)
            if failed and first:
                log(f"{system}: {mentioned(record.item.id)}: {mentioned(str(record.error))}")
                first = False
            if failed and count.too_many:
                reason = f"stopped: more items failed than --max-errors allows; the first error of {system} is above"
                calls.halt(Cause(TooManyErrorsError, reason, "mend it"))
    if calls.repeats:
        faults = ", ".join(f"{kind}: {count}" for kind, count in calls.repeats.most_common())
        log(f"{system}: asked again {calls.repeats.total()} times after faults that pass ({faults})")
        calls.repeats.clear()


def _stopped(cause: Cause, planned: Plan, run_dir: Path) -> ProjectError:
    left = sum(
        len(entry.items) - sum(read_outcomes(records_path(run_dir, system.name)).values())
        for entry in planned.evaluations
        for system in entry.systems
    )
    reason = make_redactor()(cause.reason)  # a server may repeat the key that it refuses
    return cause.kind(f"{reason}; {left} answers are missing: {cause.remedy} and go on with --resume {run_dir}")
