"""Every answer of a run as a row, for a spreadsheet or pandas.

Runs' directories in, rows out, one at a time: the texts of a journal are never held in memory. A row is an item as one
system answered it; what it says is what `eval show` says. The columns are the same for every run, but for the last: the
texts of its items.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.common.progress import log
from data.types import Item, Prediction, Record
from eval.measures.answers import Answers
from eval.measures.costs import system_cost
from eval.measures.labels import find_doubtful
from eval.measures.prices import PriceTable, price_table
from eval.measures.run_answers import RunAnswers, read_answers
from eval.measures.system_costs import price_systems, with_full_spec
from eval.rundir.journal import records_at, records_path
from eval.rundir.manifest import Evaluation


class Row(NamedTuple):
    """A row; None is an empty cell.

    Attributes:
        run: The run's folder as it was named.
        tags: Apart by "|".
        target_number: Place of the right choice, from 1 as in an exam: records count from 0.
        choice_number: Likewise of the one that was chosen; None without an answer.
        correct: 1 or 0, so that the mean is the accuracy; 0 without a usable answer, None where the call failed.
        status: What the reply was read as; None where the call failed.
        input_tokens: As the record counts them: 0 where the response cache had the reply.
        usd: What such an answer costs at the prices in force, whether or not the response cache had it; None: unknown.
        likelier_text: The choice that systems agree on in place of a doubtful label.
        probs: (n_choices,) as a JSON list.
        raw: What the model wrote; a JSON list of all it wrote where it was asked several times.
    """

    run: str
    benchmark: str
    split: str
    system: str
    item_id: str
    group: str
    tags: str
    weight: float
    target_number: int
    target_text: str
    choice_number: int | None = None
    choice_text: str | None = None
    correct: int | None = None
    status: str | None = None
    rule: str | None = None
    error: str | None = None
    latency_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_hits: int = 0
    usd: float | None = None
    likelier_text: str | None = None
    probs: str | None = None
    raw: str | None = None


def csv_rows(run_dirs: Sequence[Path], *, texts: bool = True) -> Iterator[Sequence[str | float | None]]:
    """Yield the header, then a row for each record that counts, in the order of the journals.

    Args:
        run_dirs: The runs.
        texts: Whether rows end in the item's texts, each in a column such as `input.question`, and say what the model
            wrote; without, they can be shared.

    Raises:
        MissingResourceError: A folder is no run; then nothing is yielded.
        ConfigurationError: A file in a run is damaged, or the price table is.
    """
    runs, prices = [read_answers(run_dir) for run_dir in run_dirs], price_table()
    names = _input_names(runs) if texts else ()
    yield (*Row._fields, *(f"input.{name}" for name in names))
    for run in runs:
        for evaluation, systems in zip(run.manifest.evaluations, run.evaluations, strict=True):
            labels = find_doubtful(systems, run.manifest.systems)
            doubtful = {one.item: one.answer for one in labels.labels} if labels is not None else {}
            hardware, descriptions = run.manifest.hardware, run.manifest.systems
            priced = price_systems(systems, descriptions, run.run_dir, hardware=hardware, table=prices)
            for system, answers in systems.items():
                usd = priced[system].usd
                rows = _rows(run, system, answers, evaluation, prices=prices, usd=usd, doubtful=doubtful)
                for row, item in rows:
                    yield (*row, *map(item.inputs.get, names)) if texts else row._replace(raw=None)


def _input_names(runs: Sequence[RunAnswers]) -> tuple[str, ...]:
    """Return what the texts of the runs' items are called."""
    items = (answers.items for run in runs for systems in run.evaluations for answers in systems.values())
    return tuple(dict.fromkeys(name for one in items for name in one.input_names))


def _rows(
    run: RunAnswers,
    system: str,
    answers: Answers,
    evaluation: Evaluation,
    *,
    prices: PriceTable,
    usd: np.ndarray | None,
    doubtful: Mapping[str, int],
) -> Iterator[tuple[Row, Item]]:
    """Yield a system's rows with their items; `usd`, (n,) of what each prediction cost, is for a cascade alone."""
    description, hardware = with_full_spec(run.manifest.systems[system]), run.manifest.hardware
    of_items: dict[int, float] = {}
    if description.cascade is not None and usd is not None:
        of_items = dict(zip(answers.predictions.rows["item"].tolist(), usd.tolist(), strict=True))
    answers = answers.take(np.argsort(answers.rows["offset"]))  # as they stand in the journal
    records = records_at(records_path(run.run_dir, system), answers.rows["offset"].tolist())
    for row, record in enumerate(records):
        if description.cascade is not None:
            cost = of_items.get(int(answers.rows["item"][row]))
        else:
            own = answers.take([row])
            cost = system_cost(description, own, hardware=hardware, training=None, table=prices).usd
        likelier = doubtful.get(record.item.id)
        yield _row(record, evaluation, run=str(run.run_dir), usd=cost, likelier=likelier), record.item
    if (n := len(answers)) < evaluation.n_items:
        log(f"{run.run_dir}: {system} has records of {n:,} of {evaluation.n_items:,} items; the others have no row")


def _row(record: Record, evaluation: Evaluation, *, run: str, usd: float | None, likelier: int | None) -> Row:
    item = record.item
    asked = Row(
        run=run,
        benchmark=evaluation.benchmark,
        split=evaluation.split,
        system=record.system,
        item_id=item.id,
        group=item.group,
        tags="|".join(item.tags),
        weight=item.weight,
        target_number=item.target + 1,
        target_text=item.choices[item.target],
        error=record.error,
        latency_s=record.latency_s,
        cache_hits=record.cache_hits,
        usd=usd,
        likelier_text=None if likelier is None else item.choices[likelier],
    )
    return asked if record.prediction is None else _answered(asked, record.prediction, item.choices)


def _answered(asked: Row, prediction: Prediction, choices: Sequence[str]) -> Row:
    choice, replies = prediction.choice, [ask.raw for ask in prediction.asks]
    return asked._replace(
        choice_number=None if choice is None else choice + 1,
        choice_text=None if choice is None else choices[choice],
        correct=int(choice is not None and choice + 1 == asked.target_number),
        status=prediction.status,
        rule=prediction.rule,
        input_tokens=prediction.usage.get("input_tokens"),
        output_tokens=prediction.usage.get("output_tokens"),
        probs=None if prediction.probs is None else json.dumps(prediction.probs),
        raw=json.dumps(replies, ensure_ascii=False) if any(replies) else prediction.raw,
    )
