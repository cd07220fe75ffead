"""One system of a run, summarized: what it scored, how its answers were read, what they cost.

Its records and the run's manifest in, a `SystemSummary` out: what every form of the report draws.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from data.types import Frozen, Record
from eval.askings import Askings, measure_askings, measure_positions
from eval.breakeven import SystemCost
from eval.calibration import calibration_intervals
from eval.compare import Answers
from eval.cost import PriceTable
from eval.description import TRAINED_KINDS
from eval.estimates import Estimated, compare_estimate
from eval.extraction_audit import ExtractionAudit, audit
from eval.journal import Manifest, read_records, records_path
from eval.label_order import find_exchange
from eval.metrics import Scores, score
from eval.position_bias import PositionTest
from eval.probabilities import read_probabilities
from eval.report.costs import cost_of, measure, with_full_spec
from eval.stats import Interval, macro_f1_interval, share_interval


class SystemSummary(Frozen):
    """One system on one benchmark.

    Attributes:
        description: What the manifest says the system is.
        records: Items it has a record for.
        missing: Items of the evaluation it has none for.
        scores: None without any record.
        accuracy_interval: 95 %; None where nothing was answered or all items are one cluster, as are the others.
        points_interval: 95 %, as a share of the points possible.
        macro_f1_interval: 95 %.
        calibration_intervals: 95 % of brier, log_loss and overconfidence; empty without probabilities.
        cost: At the prices in force.
        exchanged: Of a classifier: which of its label names seem to be exchanged, and by what; "" for none.
        shortened: Prompts whose passage was shortened to fit the model's context.
        most_cut_tokens: By which one of them was shortened the most.
        cached: Answers that the response cache gave, or a part of.
        estimated: What the dry run's rule made of its prompts; None for a system that no server counted tokens for.
        audit: How its answers were read; None where there is none, and in an older run's summary.
        positions: Which positions among the choices it chose; None where it answered nothing.
        askings: Of items that it was asked several times; None where it was asked once.
    """

    name: str
    description: dict[str, Any]
    records: int
    missing: int
    scores: Scores | None
    accuracy_interval: Interval | None
    points_interval: Interval | None
    macro_f1_interval: Interval | None
    cost: SystemCost
    exchanged: str = ""
    shortened: int = 0
    most_cut_tokens: int = 0
    cached: int = 0
    estimated: Estimated | None = None
    calibration_intervals: dict[str, Interval | None] = Field(default_factory=dict)
    audit: ExtractionAudit | None = None
    positions: PositionTest | None = None
    askings: Askings | None = None

    @property
    def complete(self) -> bool:
        return self.missing == 0 and self.scores is not None and self.scores.complete


def summarize_system(
    folder: Path,
    records: Mapping[str, Record],
    *,
    answers: Answers,
    n_items: int,
    manifest: Manifest,
    prices: PriceTable,
) -> SystemSummary:
    """Summarize one system of a run.

    Args:
        folder: Its folder in the run.
        records: By item id, without their texts.
        answers: What `read_answers` makes of them.
        n_items: Of the evaluation.
        manifest: The run's.
        prices: In force.
    """
    description = manifest.systems.get(folder.name, {})
    journal = records_path(folder.parent, folder.name)
    # Of the whole journal again, one record at a time: what is kept has no messages.
    sent = read_records(journal) if journal.exists() else ()
    scores = score(records.values()) if records else None
    predictions = (record.prediction for record in records.values())
    cuts = [one.usage["cut_tokens"] for one in predictions if one and one.usage.get("cut_tokens")]
    given = read_probabilities(records.values())
    accuracy, points, macro_f1 = _intervals(scores, answers)
    return SystemSummary(
        name=folder.name,
        description=description,
        records=len(records),
        missing=max(0, n_items - len(records)),
        scores=scores,
        accuracy_interval=accuracy,
        points_interval=points,
        macro_f1_interval=macro_f1,
        cost=cost_of(description, measure(records.values()), folder, hardware=manifest.hardware, table=prices),
        estimated=compare_estimate(sent, with_full_spec(description), prices=prices),
        exchanged=_exchanged(description, answers, scores),
        shortened=len(cuts),
        most_cut_tokens=max(cuts, default=0),
        cached=sum(record.cache_hits > 0 for record in records.values()),
        calibration_intervals={} if given is None else calibration_intervals(given),
        audit=audit(records.values()),
        positions=measure_positions(records.values()),
        askings=measure_askings(records.values()),
    )


def _exchanged(description: Mapping[str, Any], answers: Answers, scores: Scores | None) -> str:
    """Check a classifier's label order, whatever its run was told: a report shows the scores to others too."""
    if description.get("kind") not in TRAINED_KINDS or scores is None:
        return ""
    found = find_exchange(answers.targets.tolist(), answers.choices.tolist(), labels=scores.class_names)
    return "" if found is None else str(found)


def _intervals(scores: Scores | None, answers: Answers) -> tuple[Interval | None, Interval | None, Interval | None]:
    """Return the intervals of accuracy, of the share of points and of macro-F1."""
    if scores is None or not answers.ids:
        return None, None, None
    ones, groups, n_classes = answers.weights * 0 + 1, answers.groups, len(scores.class_names)
    return (
        share_interval(answers.correct, ones, groups),
        share_interval(answers.correct * answers.weights, answers.weights, groups),
        macro_f1_interval(answers.targets, answers.choices, groups, n_classes=n_classes),
    )
