"""One system's part of a run on disk: which items have no answer yet, and each record as it comes.

Records in, lines of `records.jsonl` out, with the progress on standard error.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from data.common.errors import ProjectError
from data.common.progress import Progress, log
from data.common.text import mentioned
from data.types import Item, Record
from eval.execution.error_limit import ErrorCount
from eval.execution.retry import Calls, Cause
from eval.measures.prices import price
from eval.plan.system import System
from eval.rundir.journal import Journal, read_outcomes, settle
from eval.rundir.priced_parts import is_api, priced_as


class TooManyErrorsError(ProjectError):
    """More items failed than the user allows (exit 1); what was answered is journaled and can be resumed."""

    exit_code = 1


def unanswered(items: Sequence[Item], path: Path, count: ErrorCount, *, retry_errors: bool) -> list[Item]:
    """Return the items that are still to be answered, and count those that are done with.

    Args:
        items: All that the system is asked.
        path: Its journal, which may not be there yet.
        count: The count of the run's errors.
        retry_errors: An item that failed is to be asked again.
    """
    outcomes, left = read_outcomes(path), []
    for item in items:
        is_answered = outcomes.get(item.id)
        if is_answered is None or (retry_errors and not is_answered):
            left.append(item)
        else:
            count.add(failed=not is_answered)
    return left


@contextmanager
def settled(path: Path, items: Sequence[Item]) -> Iterator[None]:
    """Put a journal into the items' order afterwards, also where the run ends for that.

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


class SystemJournal:
    """Writes a system's records down as they come, as a context.

    With too many errors it stops the run, but still writes down what was in flight: those answers are paid for.

    Args:
        path: The path of the journal.
        system: Whose records they are.
        total: How many items are asked.
        count: The count of the run's errors.
        calls: What the run's calls share.
    """

    def __init__(self, path: Path, system: System, total: int, count: ErrorCount, calls: Calls) -> None:
        self._name, self._count, self._calls = system.name, count, calls
        self._journal, self._progress = Journal(path), Progress(system.name, total, calls.waits.described)
        self._has_failed = False
        self._priced_as = priced_as(system.description) if is_api(system.description) else None
        self._expects_probs = system.description.answering == "logprobs"

    def __enter__(self) -> "SystemJournal":
        self._journal.__enter__()
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._progress.__exit__(kind, error, trace)
        finally:
            self._journal.__exit__(kind, error, trace)
        repeats = self._calls.repeats
        if repeats and error is None:
            faults = ", ".join(f"{fault}: {count}" for fault, count in repeats.most_common())
            log(f"{self._name}: asked again {repeats.total()} times after faults that pass ({faults})")
            repeats.clear()

    def write(self, answered: Record) -> None:
        """Write a record down, count it, and say what there is to say of it."""
        self._note_missing_probs(answered)
        record = self._journal.append(answered)
        failed = record.error is not None
        self._count.add(failed=failed)
        self._progress.advance(failed=failed, usd=self._usd(answered))
        if not failed:
            return
        if not self._has_failed:
            log(f"{self._name}: {mentioned(record.item.id)}: {mentioned(str(record.error))}")
            self._has_failed = True
        if self._count.too_many:
            reason = f"stopped: more items failed than --max-errors allows; the first error of {self._name} is above"
            self._calls.halt(Cause(TooManyErrorsError, reason, "mend it"))

    def _usd(self, record: Record) -> float:
        """Return what an answer's calls cost, 0 where that is unknown: `Progress` then says nothing of it."""
        if self._priced_as is None or record.prediction is None or record.prediction.usage is None:
            return 0.0
        return price(record.prediction.usage, self._priced_as) or 0.0

    def _note_missing_probs(self, record: Record) -> None:
        """Say once that a provider returned no probabilities where they were asked for.

        The answer stands: a reply without probabilities is still a reply.
        """
        answer = record.prediction
        if self._expects_probs and answer and answer.choice is not None and answer.probs_source != "logprobs":
            self._expects_probs = False
            log(
                f"{record.system}: no log-probability of its label came with the reply to {record.item.id}: "
                "the answer stands, how likely it was is unknown (said once)"
            )
