"""One system of a run, summarized: what it scored, how its answers were read, what they cost.

Its records and the run's manifest in, a `SystemSummary` out: what every form of the report draws.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from data.types import Frozen, Record
from eval.measures.auc import area_interval
from eval.measures.blank_replies import BlankReplies, measure_blank_replies
from eval.measures.calibration import calibration_intervals
from eval.measures.costs import SystemCost
from eval.measures.differences import Answers
from eval.measures.label_order import Exchange, find_exchange
from eval.measures.metrics import Scores, score
from eval.measures.position_bias import PositionTest
from eval.measures.prices import PriceTable
from eval.measures.probabilities import Probabilities, read_probabilities
from eval.measures.prompt_counts import EqualCounts, PromptCount, find_equal_counts, noting_prompts
from eval.measures.readings import ExtractionAudit, audit
from eval.measures.repeats import Askings, measure_askings, measure_positions
from eval.measures.stats import Interval, is_outside, macro_f1_interval, share_interval
from eval.measures.token_estimates import Estimated, compare_estimate
from eval.report.run_costs import cost_of, measure, with_full_spec
from eval.rundir.description import TRAINED_KINDS, SystemDescription
from eval.rundir.journal import Manifest, read_records, records_path
from eval.rundir.names import SystemName


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
        roc_auc_interval: 95 %; None without a ROC AUC.
        tag_intervals: 95 % of the share of points on the items of each tag: of accuracy where items weigh the same.
        calibration_intervals: 95 % of brier, log_loss and overconfidence; empty without probabilities.
        cost: At the prices in force.
        exchanged: Of a classifier: which of its label names seem to be exchanged, and by what; None for none.
        shortened: Prompts whose passage was shortened to fit the model's context.
        most_cut_tokens: By which one of them was shortened the most.
        cached: Answers that the response cache gave, or a part of.
        estimated: What the dry run's rule made of its prompts; None for a system that no server counted tokens for.
        audit: How its answers were read; None where there is none, and in an older run's summary.
        positions: Which positions among the choices it chose; None where it answered nothing.
        askings: Of items that it was asked several times; None where it was asked once.
        blank: Its replies that hold no text; None for none.
        equal_counts: Prompts of different length that its server counted as equally many tokens; None for none.
    """

    name: SystemName
    description: SystemDescription
    records: int
    missing: int
    scores: Scores | None
    accuracy_interval: Interval | None
    points_interval: Interval | None
    macro_f1_interval: Interval | None
    cost: SystemCost
    exchanged: Exchange | None = None
    shortened: int = 0
    most_cut_tokens: int = 0
    cached: int = 0
    estimated: Estimated | None = None
    roc_auc_interval: Interval | None = None
    tag_intervals: dict[str, Interval | None] = Field(default_factory=dict)
    calibration_intervals: dict[str, Interval | None] = Field(default_factory=dict)
    audit: ExtractionAudit | None = None
    positions: PositionTest | None = None
    askings: Askings | None = None
    blank: BlankReplies | None = None
    equal_counts: EqualCounts | None = None

    @property
    def complete(self) -> bool:
        return self.missing == 0 and self.scores is not None and self.scores.complete

    @property
    def unsettled(self) -> bool:
        """Whether its accuracy hangs on replies without text: had they been right, it would be beyond its interval."""
        return self.blank is not None and is_outside(self.blank.accuracy_at_best, self.accuracy_interval)


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
    description = manifest.systems[folder.name]
    scores = score(records.values()) if records else None
    return SystemSummary(
        name=folder.name,
        description=description,
        records=len(records),
        missing=max(0, n_items - len(records)),
        scores=scores,
        cost=cost_of(description, measure(records.values()), folder, hardware=manifest.hardware, table=prices),
        exchanged=_exchanged(description, answers, scores),
        cached=sum(record.cache_hits > 0 for record in records.values()),
        audit=audit(records.values()),
        positions=measure_positions(records.values()),
        askings=measure_askings(records.values()),
        blank=measure_blank_replies(records.values(), answers),
        **_sent(folder, description, prices),
        **_shortened(records.values()),
        **_intervals(scores, answers, read_probabilities(records.values())),
    )


def _sent(folder: Path, description: SystemDescription, prices: PriceTable) -> dict[str, Any]:
    """Return what the prompts that were sent tell: the whole journal again, as the records that are kept have none."""
    counts: dict[str, PromptCount] = {}
    imported = description.kind == "imported"
    sent = noting_prompts(read_records(records_path(folder.parent, folder.name)), counts, imported=imported)
    estimated = compare_estimate(sent, with_full_spec(description), prices=prices)
    if imported:  # nothing is estimated of it, so that nothing was read yet
        deque(sent, maxlen=0)
    return {"estimated": estimated, "equal_counts": find_equal_counts(counts.values())}


def _exchanged(description: SystemDescription, answers: Answers, scores: Scores | None) -> Exchange | None:
    """Check a classifier's label order, whatever its run was told: a report shows the scores to others too."""
    if description.kind not in TRAINED_KINDS or scores is None:
        return None
    return find_exchange(answers.targets.tolist(), answers.choices.tolist(), labels=scores.class_names)


def _tag_intervals(answers: Answers) -> dict[str, Interval | None]:
    places: dict[str, list[int]] = {}
    for place, tags in enumerate(answers.tags):
        for tag in tags:
            places.setdefault(tag, []).append(place)
    earned, groups = answers.correct * answers.weights, answers.groups
    return {
        tag: share_interval(earned[kept], answers.weights[kept], [groups[place] for place in kept])
        for tag, kept in places.items()
    }


def _shortened(records: Iterable[Record]) -> dict[str, Any]:
    predictions = (record.prediction for record in records)
    cuts = [one.usage["cut_tokens"] for one in predictions if one and one.usage.get("cut_tokens")]
    return {"shortened": len(cuts), "most_cut_tokens": max(cuts, default=0)}


def _intervals(scores: Scores | None, answers: Answers, given: Probabilities | None) -> dict[str, Any]:
    """Return every interval by its field; None for what is not known."""
    if scores is None or not answers.ids:
        return {"accuracy_interval": None, "points_interval": None, "macro_f1_interval": None}
    ones, groups, n_classes = answers.weights * 0 + 1, answers.groups, len(scores.class_names)
    ranked = given if scores.roc_auc is not None else None
    return {
        "accuracy_interval": share_interval(answers.correct, ones, groups),
        "points_interval": share_interval(answers.correct * answers.weights, answers.weights, groups),
        "macro_f1_interval": macro_f1_interval(answers.targets, answers.choices, groups, n_classes=n_classes),
        "roc_auc_interval": ranked and area_interval(ranked.targets, ranked.probs, ranked.groups),
        "tag_intervals": _tag_intervals(answers),
        "calibration_intervals": {} if given is None else calibration_intervals(given),
    }
