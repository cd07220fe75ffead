"""The sentences a report opens with: what the data supports, and no more.

An evaluation's figures in, plain English out. A difference is called real only where the adjusted p-value
and the cluster interval agree; everything else is said not to be distinguishable from chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.report.cost_sentences import cost_sentences
from eval.stats import FEW_CLUSTERS, Interval

NAMED_DIFFERENCES = 5

if TYPE_CHECKING:
    from eval.compare import Comparison
    from eval.report.summary import EvaluationSummary, SystemSummary


def conclude(evaluation: EvaluationSummary) -> list[str]:
    """Say in words what an evaluation shows, most important first."""
    return [
        *_incomplete(evaluation),
        *_exchanged_labels(evaluation),
        *_shortened(evaluation),
        *_differences(evaluation),
        *_against_guessing(evaluation),
        *_costs(evaluation),
        *_reach(evaluation),
        *_few_clusters(evaluation),
    ]


def _incomplete(evaluation: EvaluationSummary) -> list[str]:
    sentences = []
    for system in evaluation.systems:
        if system.complete:
            continue
        scored = system.scores is not None and system.scores.accuracy is not None
        rest = "its scores are over the items it has a prediction for" if scored else "it has no scores"
        items = items_counted(evaluation.n_items)
        sentences.append(f"{evaluation.benchmark} is incomplete: {_what_is_missing(system)} of {items}; {rest}.")
    return sentences


def _exchanged_labels(evaluation: EvaluationSummary) -> list[str]:
    return [
        f"{system.name} seems to name its labels wrongly: {system.exchanged}."
        for system in evaluation.systems
        if system.exchanged
    ]


def _shortened(evaluation: EvaluationSummary) -> list[str]:
    sentences = []
    for system in evaluation.systems:
        if not system.shortened:
            continue
        longer = f"{system.shortened:,} of {system.records:,} prompts of {system.name}"
        most = f"{system.most_cut_tokens:,} token{'' if system.most_cut_tokens == 1 else 's'}"
        many = "were longer than the model's context (with room for the answer): their passages were shortened, by"
        one = "was longer than the model's context (with room for the answer): its passage was shortened, by"
        sentences.append(f"{longer} {one} {most}." if system.shortened == 1 else f"{longer} {many} {most} at most.")
    return sentences


def _what_is_missing(system: SystemSummary) -> str:
    if system.scores is None:
        return f"{system.name} has no record for any"
    parts = []
    if system.scores.errors:
        parts.append(f"failed on {system.scores.errors}")
    if system.missing:
        parts.append(f"has no record for {system.missing}")
    return f"{system.name} {' and '.join(parts)}"


def _differences(evaluation: EvaluationSummary) -> list[str]:
    pairs = evaluation.comparisons
    if not pairs:
        return []
    real = sorted((one for one in pairs if one.distinguishable), key=lambda one: -abs(one.difference))
    where = f"On these {items_counted(evaluation.n_items)} of {evaluation.benchmark}"
    if not real and len(pairs) == 1:
        one = pairs[0]
        return [
            f"{where}, the difference between {one.a} and {one.b} ({signed(one.difference)} percentage points, "
            f"95% interval {span(one.interval)}) is not distinguishable from chance (p {p_value(one.p, sign=True)})."
        ]
    if not real:
        smallest = min(one.p_holm for one in pairs)
        return [
            f"{where}, no difference between the {len(evaluation.systems)} systems is distinguishable from chance "
            f"({len(pairs)} pairs, smallest adjusted p {p_value(smallest, sign=True)})."
        ]
    named = [_real_difference(one) for one in real[:NAMED_DIFFERENCES]]
    unnamed, rest = len(real) - len(named), len(pairs) - len(real)
    more = [f"{unnamed} more of the {len(pairs)} pairs differ beyond chance; the table names them."] if unnamed else []
    verb = "is" if rest == 1 else "are"
    left = [f"{rest} of the {len(pairs)} pairs {verb} not distinguishable from chance."] if rest else []
    return [f"{where}, {named[0]}", *named[1:], *more, *left]


def _real_difference(one: Comparison) -> str:
    ahead, behind, won, lost = (one.a, one.b, len(one.won), len(one.lost))
    if one.difference < 0:
        ahead, behind, won, lost = one.b, one.a, lost, won
    low, high = sorted(abs(end) for end in one.interval or (0.0, 0.0))
    return (
        f"{ahead} is right more often than {behind}: by {100 * abs(one.difference):.1f} percentage points "
        f"(95% interval {100 * low:.1f} to {100 * high:.1f}; {won} items against {lost}; "
        f"adjusted p {p_value(one.p_holm, sign=True)})."
    )


def _against_guessing(evaluation: EvaluationSummary) -> list[str]:
    if evaluation.chance is None:
        return []
    guessing = [
        system.name
        for system in evaluation.systems
        if system.accuracy_interval is not None
        and system.accuracy_interval.low <= evaluation.chance <= system.accuracy_interval.high
    ]
    if not guessing:
        return []
    verb = "is" if len(guessing) == 1 else "are"
    return [f"{_listed(guessing)} {verb} not distinguishable from guessing ({100 * evaluation.chance:.1f}%)."]


def _costs(evaluation: EvaluationSummary) -> list[str]:
    return cost_sentences(
        evaluation.break_even,
        {system.name: system.cost for system in evaluation.systems},
        accuracies={s.name: None if s.scores is None else s.scores.accuracy for s in evaluation.systems},
        comparisons=evaluation.comparisons,
    )


def _reach(evaluation: EvaluationSummary) -> list[str]:
    if len(evaluation.systems) < 2:
        return []
    assumed, items = 100 * evaluation.assumed_discordance, items_counted(evaluation.n_items)
    basis = f"(80% power at the 5% level, if two systems disagree on {assumed:.0f}% of the items, taken as independent)"
    if evaluation.detectable_difference is None:
        return [
            f"With {items}, even a true difference of {assumed:.0f} percentage points would be missed more than one "
            f"time in five {basis}."
        ]
    smallest = 100 * evaluation.detectable_difference
    return [
        f"With {items}, a true difference below about {smallest:.1f} percentage points would be "
        f"missed more than one time in five {basis}."
    ]


def _few_clusters(evaluation: EvaluationSummary) -> list[str]:
    if not 0 < evaluation.n_clusters < FEW_CLUSTERS:
        return []
    noun = "group" if evaluation.n_clusters == 1 else "groups"
    return [
        f"The items share only {evaluation.n_clusters} {noun} of context, so the intervals are rough"
        + (" and none can be given." if evaluation.n_clusters == 1 else ".")
    ]


def signed(share: float) -> str:
    """Write a difference of shares as percentage points with its sign."""
    return f"{100 * share:+.1f}".replace("-", "−")


def span(interval: Interval | None) -> str:
    """Write an interval of differences in percentage points."""
    return "unknown" if interval is None else f"{signed(interval.low)} to {signed(interval.high)}"


def p_value(p: float, *, sign: bool = False) -> str:
    """Write a p-value with as many digits as it deserves, with "=" in front where `sign` is set."""
    if p < 0.0001:
        return "< 0.0001"
    return f"{'= ' if sign else ''}{p:.4f}" if p < 0.01 else f"{'= ' if sign else ''}{p:.2f}"


def items_counted(n: int) -> str:
    """Write a number of items."""
    return f"{n:,} item" if n == 1 else f"{n:,} items"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
