"""Labels rows that nobody has labelled: asks a labeller chunk by chunk, and keeps what it said of each row, in order.

    .OUT.labelling/about.json       which rows, and who labels them
    .OUT.labelling/answers.jsonl    a line a chunk, appended once all of its rows are answered
    .OUT.labelling/<system>/        records and call ledger of the chunk that is being asked, of a model behind calls

Memory holds one chunk. After a kill the chunk that was being asked is asked again, but for its answers that were paid
for: these are written down one by one, as in a run.
"""

import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from chains.cascade import is_sure
from data.common.errors import ConfigurationError
from data.common.files import faults_of_writing, write_json
from data.common.line_file import open_lines, whole_lines
from data.common.parsing import JsonObject
from data.common.progress import Progress
from data.common.text import one_line
from data.question_rows import cell_text
from data.table_types import Row
from data.types import Item, Prediction
from eval.execution.budget import Budget, spent_before
from eval.execution.error_limit import ErrorCount
from eval.execution.open_system import answered
from eval.execution.response_cache import ResponseCache
from eval.execution.retry import Calls
from eval.execution.system_journal import TooManyErrorsError
from eval.plan.labellers import Labeller
from eval.plan.settings.call_policy import CallPolicy
from eval.plan.system import System
from eval.rundir.journal import Journal, latest_records, records_path

_FEWEST, _MOST = 64, 8192  # rows of a chunk
_OF_CALLS = (
    1024  # rows of one whose answers are kept one by one: the same each time, so that a chunk begins where it did
)
_CHUNK_S = 5.0  # that a chunk is to take, about: what a kill costs at most


class RowLabel(NamedTuple):
    """What a labeller said of a row.

    Attributes:
        choice: The index of its label; None where it gave none.
        confidence: The probability of the label; None where it has none.
        status: That of the answer (`data.types.Status`), "no text" where there was none to ask, or "error".
        error: What went wrong; "" where nothing did.
    """

    choice: int | None
    confidence: float | None
    status: str
    error: str = ""


class Asking(NamedTuple):
    """How rows are asked.

    Attributes:
        calls: What the calls of models over a network share.
        max_concurrency: Calls in flight.
        errors: The count of rows that failed.
    """

    calls: Calls
    max_concurrency: int
    errors: ErrorCount


def label_rows(
    labeller: Labeller, rows: Iterable[tuple[str, Row]], work: Path, asking: Asking, progress: Progress
) -> None:
    """Ask a labeller all rows that the folder holds no answer to yet.

    Args:
        labeller: Who is asked.
        rows: All rows, with their places.
        work: The working folder, which `begin` has made.
        asking: How they are asked.
        progress: Is told of each row.

    Raises:
        ConfigurationError: A file cannot be written, or a server refuses what every row needs.
        TooManyErrorsError: More rows failed than may.
        MaxCostError: The next call might cost more than is allowed.
    """
    path, budget, done = work / "answers.jsonl", asking.calls.budget, 0
    is_called = any(stage.batch_size is None for stage in labeller.stages)
    size = _OF_CALLS if is_called else _FEWEST
    for label in read_labels(work):
        asking.errors.add(failed=label.status == "error")
        progress.advance(failed=label.status == "error")
        done += 1
    left = itertools.islice(rows, done, None)
    with _appended_to(path) as append:
        while chunk := list(itertools.islice(left, size)):
            started, spent = time.monotonic(), budget.spent_usd if budget else 0.0
            labels = _label_chunk(labeller, chunk, done, work, asking, progress)
            append(_as_line(labels, 0.0 if budget is None else budget.spent_usd - spent))
            for stage in labeller.stages:
                shutil.rmtree(work / stage.name, ignore_errors=True)  # its calls are answered, and kept above
            done += len(chunk)
            pace = (time.monotonic() - started) / len(chunk)
            if not is_called:
                size = int(min(max(_CHUNK_S / max(pace, 1e-9), _FEWEST), 2 * size, _MOST))
            if asking.errors.too_many:
                first = next(label.error for label in read_labels(work) if label.error)
                raise TooManyErrorsError(f"stopped: more rows failed than --max-errors allows; the first: {first}")


@contextmanager
def _appended_to(path: Path) -> Iterator[Callable[[bytes], None]]:
    remedy = "free space there, and give the same command again"
    with faults_of_writing(path, remedy):
        file = open_lines(path)

    def append(line: bytes) -> None:
        with faults_of_writing(path, remedy):
            file.append(line)

    try:
        yield append
    finally:
        with faults_of_writing(path, remedy):
            file.close()


def begin(work: Path, about: JsonObject) -> None:
    """Make the working folder, or go on with the one that is there.

    Raises:
        ConfigurationError: It holds labels of other rows, or by another labeller; or it cannot be written.
    """
    path = work / "about.json"
    with faults_of_writing(work, "make it writable, or use another --out"):
        work.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_json(path, about)
            return
    found = json.loads(path.read_text(encoding="utf-8"))
    if differing := [name for name in about if found.get(name) != about[name]]:
        raise ConfigurationError(
            f"{work} holds labels that were begun with other {', '.join(differing)}; delete the folder, or use another "
            "--out"
        )


def read_labels(work: Path) -> Iterator[RowLabel]:
    """Yield what was said of each row, in order, as far as it was asked."""
    for _, line in whole_lines(work / "answers.jsonl"):
        said = json.loads(line)
        for place, (choice, confidence, status) in enumerate(
            zip(said["choices"], said["confidences"], said["statuses"], strict=True)
        ):
            yield RowLabel(choice, confidence, status, said["errors"].get(str(place), ""))


def _as_line(labels: Sequence[RowLabel], usd: float) -> bytes:
    said = {
        "choices": [one.choice for one in labels],
        "confidences": [None if one.confidence is None else round(one.confidence, 6) for one in labels],
        "statuses": [one.status for one in labels],
        "errors": {str(place): one.error for place, one in enumerate(labels) if one.error},
        "usd": usd,
    }
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def _label_chunk(
    labeller: Labeller, chunk: Sequence[tuple[str, Row]], first: int, work: Path, asking: Asking, progress: Progress
) -> list[RowLabel]:
    """Ask the stages of a labeller one after another, each what those before were not sure of."""
    labels: dict[int, RowLabel] = {}
    left: list[tuple[int, Item]] = []
    for place, (where, row) in enumerate(chunk):
        try:
            inputs = {
                name: cell_text(row.get(column), where=where, column=column)
                for name, column in labeller.columns.items()
            }
        except ConfigurationError:
            labels[place] = RowLabel(None, None, "no text")
        else:
            left.append((place, labeller.item(f"row/{first + place}", inputs)))
    for stage, threshold in zip(labeller.stages, (*labeller.thresholds, None), strict=True):
        answers = _answers(stage, [item for _, item in left], work, asking)
        passed_on = []
        for (place, item), answer in zip(left, answers, strict=True):
            if isinstance(answer, str):
                labels[place] = RowLabel(None, None, "error", answer)
            elif threshold is None or is_sure(answer, threshold):
                labels[place] = _label(answer)
            else:
                passed_on.append((place, item))
        left = passed_on
    for label in labels.values():
        asking.errors.add(failed=label.status == "error")
        progress.advance(failed=label.status == "error")
    return [labels[place] for place in range(len(chunk))]


def _label(answer: Prediction) -> RowLabel:
    confidence = None if answer.choice is None or answer.probs is None else answer.probs[answer.choice]
    return RowLabel(answer.choice, confidence, answer.status)


def _answers(stage: System, items: Sequence[Item], work: Path, asking: Asking) -> list[Prediction | str]:
    """Ask one system, and return its prediction or what went wrong for each item, in their order."""
    if not items:
        return []
    if stage.batch_size is not None:
        said = stage.open(work).batch([item.to_input() for item in items], return_exceptions=True)
        for one in said:
            if isinstance(one, KeyboardInterrupt):
                raise one
        return [one if isinstance(one, Prediction) else _fault(one) for one in said]
    path = records_path(work, stage.name)
    known = latest_records(path)  # of this chunk, whose asking was killed
    found: dict[str, Prediction | str | None] = {
        item.id: known[item.id].prediction for item in items if item.id in known
    }
    left = [item for item in items if found.get(item.id) is None]
    with (
        Journal(path) as journal,
        answered(stage, left, work, "rows", max_concurrency=asking.max_concurrency, calls=asking.calls) as records,
    ):
        for record in records:
            kept = journal.append(record)
            found[kept.item.id] = kept.prediction or str(kept.error)
    if asking.calls.cause:
        cause = asking.calls.cause
        raise cause.kind(f"{cause.reason}; {cause.remedy} and give the same command again: it goes on where it stopped")
    return [found[item.id] or "" for item in items]


def _fault(error: object) -> str:
    return f"{type(error).__name__}: {one_line(error)}" if isinstance(error, BaseException) else str(error)


def calls_of(labeller: Labeller, work: Path, policy: CallPolicy) -> Calls:
    """Return what the calls of a labeller share; with a limit, what they have cost before counts.

    Raises:
        ConfigurationError: A model has no price, and there is a limit on what its calls may cost.
    """
    limit = policy.max_cost_usd
    budget = None
    if limit is not None:
        budget = Budget(limit, spent_usd=_spent(work) + spent_before(work, labeller.stages))
    cache = None if policy.cache == "none" else ResponseCache(sampled=policy.cache == "sampled")
    return Calls(policy, budget=budget, cache=cache)


def _spent(work: Path) -> float:
    """Return the US dollars that the chunks which are answered have cost."""
    return sum(float(json.loads(line)["usd"]) for _, line in whole_lines(work / "answers.jsonl"))
