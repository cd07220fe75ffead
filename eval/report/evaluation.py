"""What a run shows on one benchmark, as figures: scores with intervals, paired differences, cost, causes.

The answers of an evaluation in, one `EvaluationFigures` out; the sections of a report put it into tables and words.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from data.types import Frozen
from eval.measures.answers import Answers
from eval.measures.attribution import Attribution, attribute
from eval.measures.cascade import cascades_of
from eval.measures.cascade_figures import Cascade
from eval.measures.cascade_offer import best_offer
from eval.measures.cascade_pair import Member
from eval.measures.costs import BreakEven, break_evens
from eval.measures.differences import Comparison, compare_all
from eval.measures.distilled import Distilled, measure_students
from eval.measures.early_end import Asked, EarlyEnd, accuracy_interval, early_end, without_intervals
from eval.measures.headline import with_headline
from eval.measures.labels import DoubtfulLabels, find_doubtful
from eval.measures.ladder import Ladder, climb
from eval.measures.matrix import Matrix, measure_matrices
from eval.measures.metrics import class_names
from eval.measures.power import ASSUMED_DISCORDANCE, minimum_detectable_difference
from eval.measures.prices import PriceTable
from eval.measures.prompt_spread import PromptSpread, measure_prompts, wording_worth
from eval.measures.reference_scores import ReferenceScores, reference_scores
from eval.measures.run_answers import RunAnswers
from eval.measures.sequential import Drawn, drawn_of, margin_of
from eval.measures.stats import Interval, macro_f1_intervals
from eval.measures.system_costs import Priced, price_systems
from eval.measures.verdict import QUERIES, Candidate, Verdict, decide, leader_and_cheapest
from eval.report.system_figures import SystemSummary, summarize_system
from eval.rundir.manifest import Evaluation


class EvaluationFigures(Frozen):
    """The figures of all systems of a run on one benchmark.

    Attributes:
        shard: Which part of the items the run asked, such as "3/16"; None: all.
        n_clusters: Groups among the items that were answered.
        chance: Expected accuracy of a uniform guess.
        weighted: Whether items are worth points, as in an exam.
        labelled: Whether all items share their choices, so that the classes have names.
        break_even: Every trained system against every prompted one.
        detectable_difference: Smallest true difference in accuracy seen with 80 % power; None where there is none.
        assumed_discordance: The share of items on which two systems disagree, as assumed for it.
        reference_scores: What constant answers score, and what others published.
        verdict: Which system to take; None where there are no two to choose between, and in an older run's summary.
        ladders: The ladder of each reader that is shown more and more; empty in an older run's summary.
        attributions: Says of each system that retrieves why its items came out as they did.
        early_end: What was not asked, in a run that ends once its systems are decided; None in any other. Where it is
            there, the intervals of accuracy and differences hold at any time, and no others are given.
        cascades: The cascades of the most accurate system with each other one, the best first.
        matrices: What the settings of each matrix of systems are worth; empty in an older run's summary.
        prompts: How far the wordings of systems that differ in their prompt alone lie apart; empty likewise.
        distilled: What each student learnt of its teacher; empty in an older run's summary.
        labels: Items whose label is doubtful; None where no two systems could agree on that, and in an older run's
            summary.
    """

    benchmark: str
    split: str
    data: str | None
    shard: str | None = Field(default=None, exclude_if=lambda shard: shard is None)
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
    matrices: tuple[Matrix, ...] = ()
    prompts: PromptSpread = PromptSpread()
    distilled: tuple[Distilled, ...] = ()
    labels: DoubtfulLabels | None = None
    reference_scores: ReferenceScores = ReferenceScores()
    verdict: Verdict | None = None
    early_end: EarlyEnd | None = Field(default=None, exclude_if=lambda end: end is None)
    cascades: tuple[Cascade, ...] = ()

    @property
    def answered_in_part(self) -> dict[str, int]:
        """How many items each system answered that answered fewer than another: its scores are of other items."""
        answered = {one.name: one.scores.n - one.scores.errors for one in self.systems if one.scores is not None}
        return {name: n for name, n in answered.items() if n < max(answered.values())}


def evaluation_figures(
    run: RunAnswers, evaluation: Evaluation, answers: dict[str, Answers], *, prices: PriceTable
) -> EvaluationFigures:
    """Measure all systems of an evaluation.

    Args:
        run: The run.
        evaluation: One of its manifest.
        answers: The answers, by the system's name.
        prices: The prices in force.
    """
    manifest, items = run.manifest, next(iter(answers.values())).items
    drawn = drawn_of(manifest, evaluation)
    f1_intervals = _macro_f1_intervals(answers) if drawn is None else {}
    priced = price_systems(answers, manifest.systems, run.run_dir, hardware=manifest.hardware, table=prices)
    more: dict[str, Any] = {"n_items": evaluation.n_items, "manifest": manifest, "prices": prices}
    systems = tuple(
        summarize_system(
            one, run.run_dir / name, cost=priced[name].cost, macro_f1_interval=f1_intervals.get(name), **more
        )
        for name, one in answers.items()
    )
    compared = tuple(compare_all(answers, evaluation=evaluation, drawn=drawn))
    references, end = reference_scores(answers.values()), None
    if drawn is not None:
        end = _early_end(systems, compared, evaluation, drawn)
        systems = tuple(_at_any_time(one, answers[one.name], end, drawn) for one in systems)
    attributions = tuple(attribute(answers, manifest.systems))
    compared, verdict = _verdict(systems, compared, references, suite=manifest.suite)
    # The intervals of cascades are those of a number of items that was fixed beforehand.
    cascades = _cascades(systems, answers, verdict, priced) if drawn is None else ()
    prompts = PromptSpread()
    if drawn is None:
        prompts = measure_prompts(answers, evaluation.crossed, manifest.systems, compared)
    return EvaluationFigures(
        benchmark=evaluation.benchmark,
        split=evaluation.split,
        data=evaluation.data,
        shard=None if manifest.shard is None else f"{manifest.shard.number}/{manifest.shard.of}",
        n_items=evaluation.n_items,
        n_clusters=len(items.group_names),
        fingerprint=evaluation.fingerprint,
        complete=all(system.complete for system in systems),
        chance=round(float((1 / items.n_choices).mean()), 6) if items.ids else None,
        weighted=set(items.weights.tolist()) != {1.0},
        labelled=any(s.scores is not None and not s.scores.class_names[0].isdigit() for s in systems),
        systems=systems,
        comparisons=compared,
        break_even=break_evens({system.name: system.cost for system in systems}),
        detectable_difference=minimum_detectable_difference(evaluation.n_items),
        assumed_discordance=ASSUMED_DISCORDANCE,
        ladders=tuple(climb(answers, manifest.systems)) if drawn is None else (),
        attributions=attributions if drawn is None else without_intervals(attributions),
        matrices=measure_matrices(answers, evaluation.crossed) if drawn is None else (),
        prompts=prompts,
        distilled=measure_students(answers, manifest.systems),
        labels=find_doubtful(answers, manifest.systems),
        reference_scores=references,
        verdict=_with_wording(_with_offer(verdict, cascades, systems), prompts),
        cascades=cascades,
        early_end=end,
    )


def _early_end(
    systems: Sequence[SystemSummary], comparisons: Sequence[Comparison], evaluation: Evaluation, drawn: Drawn
) -> EarlyEnd:
    asked = {
        one.name: Asked(
            one.records, min(evaluation.n_items, one.description.limit or evaluation.n_items), one.cost.usd_per_query
        )
        for one in systems
    }
    return early_end(drawn, asked, comparisons)


def _at_any_time(system: SystemSummary, answers: Answers, end: EarlyEnd, drawn: Drawn) -> SystemSummary:
    """Return a system's summary without the intervals and tests that are not of the kind that holds at any time.

    What need not be asked is not missing.
    """
    given = answers.predictions
    interval = accuracy_interval(given, drawn) if len(given) else None
    changed: dict[str, Any] = {"accuracy_interval": interval, "positions": None}
    if system.name not in end.unfinished:
        changed["missing"] = 0
    stripped: SystemSummary = without_intervals(system)
    return stripped.model_copy(update=changed)


def _cascades(
    systems: Sequence[SystemSummary],
    answers: Mapping[str, Answers],
    verdict: Verdict | None,
    priced: Mapping[str, Priced],
) -> tuple[Cascade, ...]:
    """Measure the cascades of the most accurate system that is no cascade with each other one that is not out."""
    if verdict is None:
        return ()
    members = {
        one.name: Member(one.name, given, priced[one.name].usd)
        for one in systems
        if len(given := answers[one.name].predictions)
        and one.name not in verdict.out
        and one.description.cascade is None
    }
    return cascades_of(members)


def _with_offer(
    verdict: Verdict | None, cascades: Sequence[Cascade], systems: Sequence[SystemSummary]
) -> Verdict | None:
    """Add the cascade that is shown to be worth building to a verdict."""
    if verdict is None or verdict.leader is None:
        return verdict
    offer = best_offer(
        cascades,
        leader=verdict.leader,
        limit_usd=verdict.usd[verdict.choice or verdict.leader],
        margin=verdict.margin,
        queries=verdict.queries,
        fixed_usd={one.name: one.cost.fixed_usd for one in systems},
    )
    return verdict.model_copy(update={"cascade": offer})


def _with_wording(verdict: Verdict | None, prompts: PromptSpread) -> Verdict | None:
    """Add what the wording of a prompt is worth beside the choice that a verdict names."""
    if verdict is None:
        return None
    return verdict.model_copy(update={"wording": wording_worth(prompts, verdict.choice or verdict.leader)})


def _verdict(
    systems: Sequence[SystemSummary],
    comparisons: Sequence[Comparison],
    references: ReferenceScores,
    *,
    suite: Mapping[str, Any],
) -> tuple[tuple[Comparison, ...], Verdict | None]:
    """Decide between the systems that answered, with the margin and the number of queries that the suite says.

    Returns:
        The comparisons, the headline ones first and adjusted among themselves, and what they decide.
    """
    queries = float(suite.get("queries", QUERIES))
    candidates = [
        Candidate(
            one.name,
            one.scores.n - one.scores.errors,
            one.scores.accuracy,
            one.accuracy_interval,
            one.cost.fixed_usd,
            one.cost.usd_per_query,
        )
        for one in systems
        if one.scores is not None and one.scores.accuracy is not None
    ]
    constant = max((one.accuracy for one in references.constants), default=0.0)
    both = leader_and_cheapest(candidates, comparisons, constant=constant, queries=queries)
    compared = with_headline(comparisons, {one.name: one.description for one in systems}, both)
    return compared, decide(candidates, compared, constant=constant, margin=margin_of(suite), queries=queries)


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
