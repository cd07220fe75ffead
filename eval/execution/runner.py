"""Runs a planned suite: lets each system answer its items, and journals every answer as it comes.

A plan in (see `eval.plan.planning`), a run's folder out: `manifest → answers → journal → settle`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from data.common.errors import ConfigurationError, ProjectError
from data.common.files import sole_writer
from data.common.progress import log
from data.common.secrets import make_redactor
from data.types import Item
from eval.execution.batch_api.sweeps import Batches, check_batches, sweeps
from eval.execution.budget import Budget, spent_before
from eval.execution.cascade import make_cascade
from eval.execution.error_limit import ErrorCount
from eval.execution.label_check import check_labels
from eval.execution.open_system import answered
from eval.execution.response_cache import ResponseCache
from eval.execution.retry import Calls, Cause
from eval.execution.system_journal import SystemJournal, settled, unanswered
from eval.execution.turns import turns
from eval.measures.teacher_answers import pool_path
from eval.plan.planning import Plan
from eval.plan.settings.call_policy import CallPolicy
from eval.plan.system import System
from eval.rundir.journal import read_outcomes, records_path
from eval.rundir.manifest import JUDGED_BY, Manifest, begin_run, read_manifest, redacted, write_manifest
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
        PendingError: Batches are being worked on, and nobody waits for them.
    """
    check_batches(planned, policy)
    if resume:
        read_manifest(run_dir)  # no lock is left in a folder that is no run
    cache = None if policy.cache == "none" else ResponseCache(sampled=policy.cache == "sampled")
    total, asked = sum(len(items) + len(one.pool) for _, items, one in planned.parts if not one.members), 0
    with sole_writer(run_dir):
        _open_run(planned, run_dir, resume=resume)
        for batches in sweeps(planned, run_dir, policy):
            calls = Calls(policy, budget=_budget(planned, run_dir, policy), cache=cache)
            count = ErrorCount(max_errors, total=total)
            for part in _parts(planned, run_dir, batches):
                left = unanswered(part.now, part.path, count, retry_errors=retry_errors)
                left = batches.free(part.system, left) if batches else left
                with settled(part.path, part.items):
                    if left:
                        _note_hardware(planned.manifest, run_dir)
                        with (
                            SystemJournal(part.path, part.system, len(left), count, calls) as journal,
                            answered(
                                *(part.system, left, run_dir, part.benchmark),
                                max_concurrency=max_concurrency,
                                calls=calls,
                                batches=batches.of(part.system) if batches else None,
                            ) as records,
                        ):
                            for record in records:
                                journal.write(record)
                    if calls.cause and not (batches and batches.goes_on(calls.cause)):
                        raise _stopped(calls.cause, planned, run_dir)
                asked += len(left)
                if part.is_last:
                    check_labels(part.system, part.path)
    return Outcome(run_dir, asked, count.errors, count.errors > 0 if max_errors is None else count.too_many)


def _budget(planned: Plan, run_dir: Path, policy: CallPolicy) -> Budget | None:
    """Return what may still be spent; None: no limit."""
    limit, systems = policy.max_cost_usd, [system for _, _, system in planned.parts]
    return None if limit is None else Budget(limit, spent_usd=spent_before(run_dir, systems))


class _Part(NamedTuple):
    """Items that one system is asked in one go.

    Attributes:
        path: The journal of the answers.
        items: All that the journal may hold, in its order.
        now: Those of them that are asked.
        is_last: The system is asked nothing more of the evaluation after these.
    """

    benchmark: str
    system: System
    path: Path
    items: Sequence[Item]
    now: Sequence[Item]
    is_last: bool


def _parts(planned: Plan, run_dir: Path, batches: Batches | None) -> Iterator[_Part]:
    """Yield what is asked, each part once the one before is answered, and make each cascade when its turn comes."""
    for evaluation, system, items, now, is_last in turns(planned, run_dir):
        if batches and batches.wait_for(system):
            continue
        if system.members:  # whose journals are whole by now
            make_cascade(run_dir, read_manifest(run_dir), evaluation, system.name, items)
            continue
        if _waits_for_labels(system, run_dir):
            teacher = planned.system(system.teacher)
            path, pool = pool_path(run_dir / teacher.name), planned.pool_of(teacher)
            yield _Part(evaluation.benchmark, teacher, path, pool, system.pool, is_last=False)
        yield _Part(evaluation.benchmark, system, records_path(run_dir, system.name), items, now, is_last)


def _waits_for_labels(system: System, run_dir: Path) -> bool:
    """Say whether a system is still to be trained on what another one answers: later answers change it no more."""
    return bool(system.teacher) and not (run_dir / system.name / "checkpoint").is_dir()


def _open_run(planned: Plan, run_dir: Path, *, resume: bool) -> None:
    manifest = planned.manifest
    if resume:
        found = read_manifest(run_dir)
        if found.schema_version != manifest.schema_version:
            raise ConfigurationError(
                f"{run_dir} cannot be resumed: an older version of this program began it, which wrote down what "
                "it paid for in another way; go on with that version, or start a new run with --out"
            )
        differing = found.differences(redacted(manifest))
        if differing:
            raise ConfigurationError(
                f"{run_dir} cannot be resumed: its {', '.join(differing)} differ from what is asked for now; "
                "start a new run with --out"
            )
        judged = {name: manifest.suite[name] for name in JUDGED_BY if name in manifest.suite}
        if judged:
            found = read_manifest(run_dir)
            # What was once asked in step is reported so, also where all items are asked later.
            evaluations = manifest.evaluations if "until_decided" in judged else found.evaluations
            changed = {"suite": {**found.suite, **judged}, "evaluations": evaluations}
            write_manifest(run_dir, found.model_copy(update=changed))
        check_journals(run_dir, manifest, [entry.items for entry in planned.evaluations])
        return
    begin_run(run_dir, manifest)


def _note_hardware(manifest: Manifest, run_dir: Path) -> None:
    """Take the machine out of the manifest of a run that goes on on another: no price fits the seconds of both."""
    found = read_manifest(run_dir)
    if found.hardware not in (None, redacted(manifest).hardware):
        log(f"{run_dir} was begun on another machine: what its answers cost by the hour will be unknown")
        write_manifest(run_dir, found.model_copy(update={"hardware": None}))


def _stopped(cause: Cause, planned: Plan, run_dir: Path) -> ProjectError:
    wanted = [
        *((items, records_path(run_dir, one.name)) for _, items, one in planned.parts if not one.members),
        *(
            (one.pool, pool_path(run_dir / one.teacher))
            for _, _, one in planned.parts
            if _waits_for_labels(one, run_dir)
        ),
    ]
    left = sum(len(items) - sum(_answered(path, items)) for items, path in wanted)
    reason = make_redactor()(cause.reason)  # a server may repeat the key that it refuses
    early = any(one.evaluation.largest_group is not None for one in planned.evaluations)
    missing = f"{left} answers at most" if early else f"{left} answers"
    return cause.kind(f"{reason}; {missing} are missing: {cause.remedy} and go on with --resume {run_dir}")


def _answered(path: Path, items: Sequence[Item]) -> list[bool]:
    """Return for each item whether a journal has an answer to it."""
    outcomes = read_outcomes(path)
    return [outcomes.get(item.id, False) for item in items]
