"""What a run shows on one benchmark, as figures: scores with intervals, paired differences, cost, causes.

The answers of an evaluation in, one `EvaluationFigures` out; the sections of a report put it into tables and words.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from data.types import Frozen
from eval.measures.answers import Answers, RunAnswers
from eval.measures.attribution import Attribution, attribute
from eval.measures.costs import BreakEven, break_evens
from eval.measures.differences import Comparison, compare_all
from eval.measures.ladder import Ladder, climb
from eval.measures.metrics import class_names
from eval.measures.power import ASSUMED_DISCORDANCE, minimum_detectable_difference
from eval.measures.prices import PriceTable
from eval.measures.reference_scores import ReferenceScores, reference_scores
from eval.measures.stats import Interval, macro_f1_intervals
from eval.report.system_summary import SystemSummary, summarize_system
from eval.rundir.journal import Evaluation


class EvaluationFigures(Frozen):
    """The figures of all systems of a run on one benchmark.

    Attributes:
        n_clusters: Groups among the items that were answered.
        chance: Expected accuracy of a uniform guess.
        weighted: Whether items are worth points, as in an exam.
        labelled: Whether all items share their choices, so that the classes have names.
        break_even: Every trained system against every prompted one.
        detectable_difference: Smallest true difference in accuracy seen with 80 % power; None where there is none.
        assumed_discordance: The share of items on which two systems disagree, as assumed for it.
        reference_scores: What constant answers score, and what others published.
        ladders: Of each reader that is shown more and more; empty in an older run's summary.
        attributions: Of each system that retrieves, why its items came out as they did.
    """

    benchmark: str
    split: str
    data: str | None
    n_items: int
    n_clusters: int
    fingerprint: str
    complete: bool
    chance: float | None
    weighted: bool
    labelled: bool
    systems: tuple[SystemSummary, ...]
    comparisons: tuple[Comparison, ...]
    break_even: tuple[BreakEven, ...]
    detectable_difference: float | None
    assumed_discordance: float
    ladders: tuple[Ladder, ...] = ()
    attributions: tuple[Attribution, ...] = ()
    reference_scores: ReferenceScores = ReferenceScores()


def evaluation_figures(
    run: RunAnswers, evaluation: Evaluation, answers: dict[str, Answers], *, prices: PriceTable
) -> EvaluationFigures:
    """Measure all systems of an evaluation.

    Args:
        run: The run.
        evaluation: Of its manifest.
        answers: By system name.
        prices: In force.
    """
    manifest, items = run.manifest, next(iter(answers.values())).items
    f1_intervals = _macro_f1_intervals(answers)
    more: dict[str, Any] = {"n_items": evaluation.n_items, "manifest": manifest, "prices": prices}
    systems = tuple(
        summarize_system(one, run.run_dir / name, macro_f1_interval=f1_intervals.get(name), **more)
        for name, one in answers.items()
    )
    return EvaluationFigures(
        benchmark=evaluation.benchmark,
        split=evaluation.split,
        data=evaluation.data,
        n_items=evaluation.n_items,
        n_clusters=len(items.group_names),
        fingerprint=evaluation.fingerprint,
        complete=all(system.complete for system in systems),
        chance=round(float((1 / items.n_choices).mean()), 6) if items.ids else None,
        weighted=set(items.weights.tolist()) != {1.0},
        labelled=any(s.scores is not None and not s.scores.class_names[0].isdigit() for s in systems),
        systems=systems,
        comparisons=tuple(compare_all(answers, evaluation=evaluation)),
        break_even=break_evens({system.name: system.cost for system in systems}),
        detectable_difference=minimum_detectable_difference(evaluation.n_items),
        assumed_discordance=ASSUMED_DISCORDANCE,
        ladders=tuple(climb(answers, manifest.systems)),
        attributions=tuple(attribute(answers, manifest.systems)),
        reference_scores=reference_scores(answers.values()),
    )


def _macro_f1_intervals(answers: Mapping[str, Answers]) -> dict[str, Interval | None]:
    """Return the interval of each system that has a prediction; those of the same items are drawn together."""
    together: dict[tuple[bytes, int], list[str]] = {}
    for name, one in answers.items():
        if len(one.predictions):
            key = one.predictions.rows["item"].tobytes(), len(class_names(one))
            together.setdefault(key, []).append(name)
    found: dict[str, Interval | None] = {}
    for (_, n_classes), names in together.items():
        given = [answers[name].predictions for name in names]
        choices = np.stack([one.choices for one in given])
        intervals = macro_f1_intervals(given[0].targets, choices, given[0].groups, n_classes=n_classes)
        found |= dict(zip(names, intervals, strict=True))
    return found
