"""One system of a run, summarized: what it scored, how its answers were read, what they cost.

Its answers and the run's manifest in, a `SystemSummary` out: what every form of the report draws.
"""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from data.types import Frozen
from eval.measures.answers import Answers
from eval.measures.auc import area_interval
from eval.measures.blank_replies import BlankReplies, measure_blank_replies
from eval.measures.calibration import calibration_intervals
from eval.measures.costs import SystemCost
from eval.measures.label_order import Exchange, find_exchange
from eval.measures.log_scores import LogScores, measure_log_scores
from eval.measures.metrics import Scores, score
from eval.measures.position_bias import PositionTest
from eval.measures.prices import PriceTable
from eval.measures.probabilities import probabilities_of
from eval.measures.prompt_counts import EqualCounts, equal_counts_of
from eval.measures.readings import ExtractionAudit, audit
from eval.measures.repeats import Repeats, measure_positions, measure_repeats
from eval.measures.shortlist import Shortlist, measure_shortlist
from eval.measures.stats import Interval, is_outside, share_interval
from eval.measures.system_costs import with_full_spec
from eval.measures.token_estimates import Estimated, compare_estimate
from eval.rundir.description import TRAINED_KINDS, SystemDescription
from eval.rundir.manifest import Manifest
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
        exchanged: Which label names of a classifier seem to be exchanged, and by what; None for none.
        shortened: Prompts whose passage was shortened to fit the model's context.
        most_cut_tokens: How many tokens the one of them lost that was shortened the most.
        cached: Answers that the response cache gave, or a part of.
        estimated: What the dry run's rule made of its prompts; None for a system that no server counted tokens for.
        audit: How its answers were read; None where there is none, and in an older run's summary.
        positions: Which positions among the choices it chose; None where it answered nothing.
        repeats: How alike its answers to one item are, where it was asked several times; None where it was asked once.
        blank: Its replies that hold no text; None for none.
        shortlist: How often the labels that it was shown hold the right one; None where it was shown all.
        equal_counts: Prompts of different length that its server counted as equally many tokens; None for none.
        log_scores: What the log scored that its answers were imported from; None for answers that were given here.
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
    repeats: Repeats | None = None
    blank: BlankReplies | None = None
    equal_counts: EqualCounts | None = None
    shortlist: Shortlist | None = None
    log_scores: LogScores | None = None

    @property
    def complete(self) -> bool:
        return self.missing == 0 and self.scores is not None and self.scores.complete

    @property
    def unsettled(self) -> bool:
        """Whether its accuracy hangs on replies without text: had they been right, it would be beyond its interval."""
        return self.blank is not None and is_outside(self.blank.accuracy_at_best, self.accuracy_interval)


def summarize_system(
    answers: Answers,
    folder: Path,
    *,
    cost: SystemCost,
    n_items: int,
    manifest: Manifest,
    prices: PriceTable,
    macro_f1_interval: Interval | None,
) -> SystemSummary:
    """Summarize one system of a run.

    Args:
        answers: Its own.
        folder: Its folder in the run.
        cost: What it costs.
        n_items: How many items the evaluation has.
        manifest: The run's.
        prices: The prices in force.
        macro_f1_interval: The interval of its macro-F1.
    """
    description = manifest.systems[folder.name]
    scores, cut_tokens = score(answers) if len(answers) else None, answers.counted("cut_tokens")
    return SystemSummary(
        name=folder.name,
        description=description,
        records=len(answers),
        missing=max(0, min(n_items, description.limit or n_items) - len(answers)),
        scores=scores,
        cost=cost,
        exchanged=_exchanged(description, answers.predictions, scores),
        shortened=int((cut_tokens > 0).sum()),
        most_cut_tokens=int(cut_tokens.max(initial=0)),
        cached=int((answers.rows["cache_hits"] > 0).sum()),
        estimated=compare_estimate(answers, with_full_spec(description), prices=prices),
        audit=audit(answers),
        positions=measure_positions(answers),
        repeats=measure_repeats(answers),
        blank=measure_blank_replies(answers),
        shortlist=measure_shortlist(answers),
        # The tokens of a cascade are those of several prompts.
        equal_counts=None
        if description.cascade is not None
        else equal_counts_of(answers, imported=description.kind == "imported"),
        log_scores=measure_log_scores(answers),
        macro_f1_interval=macro_f1_interval,
        **_intervals(scores, answers.predictions),
    )


def _exchanged(description: SystemDescription, given: Answers, scores: Scores | None) -> Exchange | None:
    """Check a classifier's label order, whatever its run was told: a report shows the scores to others too."""
    if description.kind not in TRAINED_KINDS or scores is None:
        return None
    return find_exchange(given.targets, given.choices, labels=scores.class_names)


def _intervals(scores: Scores | None, given: Answers) -> dict[str, Any]:
    """Return every interval by its field; None for what is not known."""
    if scores is None or not len(given):
        return {"accuracy_interval": None, "points_interval": None}
    earned, weights, groups = given.correct * given.weights, given.weights, given.groups
    probabilities = probabilities_of(given)
    return {
        "accuracy_interval": share_interval(given.correct, np.ones(len(given)), groups),
        "points_interval": share_interval(earned, weights, groups),
        "roc_auc_interval": None if scores.roc_auc is None else area_interval(given.targets, given.probs, groups),
        "tag_intervals": {
            tag: share_interval(earned[own], weights[own], groups[own]) for tag, own in given.rows_by_tag.items()
        },
        "calibration_intervals": {} if probabilities is None else calibration_intervals(probabilities),
    }
