"""The verdict in words: which system to take, what it gains, what it costs, how sure that is, what would change it.

The figures of an evaluation in, sentences out, the choice first.
"""

from data.common.language import ENGLISH, Language
from eval.measures.stats import is_outside
from eval.measures.verdict import Verdict
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import dollars, listed, percent, signed, span
from eval.report.sections.early_end import asked_items
from eval.rundir.priced_parts import is_api


def verdict_sentences(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[str]:
    """Say which system to take; nothing where there are no two to choose between."""
    found = evaluation.verdict
    if found is None:
        return []
    items = asked_items(evaluation, say)
    opening = "Verdict on {benchmark} ({items}): {what}"
    first = say(opening, benchmark=evaluation.benchmark, items=items, what=_choice(found, say))
    said = [first, *_held_against(found, say, any_time=evaluation.early_end is not None), *_price(found, say)]
    said += [*_cascade(found, say), *_wording(found, say)]
    if found.kind not in ("none", "only"):
        said += _doubt(evaluation, found, say)
    return said


def _choice(found: Verdict, say: Language) -> str:
    system = found.choice or found.leader
    accuracy = percent(found.accuracies[system]) if system else ""
    constant = percent(found.constant)
    if found.kind == "none":
        return say(
            "take none. No system is shown to be better than the best constant answer ({constant}).", constant=constant
        )
    if found.kind == "open":
        return say("it cannot be told yet. {system} leads, with {accuracy} right.", system=system, accuracy=accuracy)
    if found.kind == "only":
        return say(
            "take {system}, with {accuracy} right: nothing else is shown to be better than the best constant answer "
            "({constant}).",
            system=system,
            accuracy=accuracy,
            constant=constant,
        )
    return say("take {system}, with {accuracy} right.", system=system, accuracy=accuracy)


def _held_against(found: Verdict, say: Language, *, any_time: bool) -> list[str]:
    """Say what the choice rests on; `any_time` is whether its interval holds at any time."""
    if found.other is None or found.difference is None:
        return []
    interval = span(found.interval, say)
    values = {
        "other": found.other,
        "leader": found.leader,
        "difference": signed(found.difference),
        "interval": say("{interval}, which holds at any time", interval=interval) if any_time else interval,
        "margin": f"{100 * found.margin:g}",
    }
    if found.kind == "cheaper":
        return [
            say(
                "It costs less than the most accurate system, {leader}, and is shown to be at most {margin} points "
                "worse ({difference}, 95% interval {interval}).",
                **values,
            )
        ]
    if found.kind == "open" and not found.is_priced:
        return [
            say(
                "{other} is not told apart from it ({difference}, 95% interval {interval}), and which of the two costs "
                "less is not known.",
                **values,
            )
        ]
    if found.kind == "open":
        return [
            say(
                "{other} costs less, and these items show neither that it is worse nor that it is at most {margin} "
                "points worse ({difference}, 95% interval {interval}); about {more} more items would tell.",
                **values,
                more=f"{found.more_items or 0:,}",
            )
        ]
    if found.is_real:
        return [
            say(
                "It is ahead of the next, {other}, beyond chance ({difference} points, 95% interval {interval}).",
                **values,
            ),
        ]
    if not found.is_cheapest:
        return [
            say(
                "The next, {other}, is not told apart from it ({difference}, 95% interval {interval}), which is no "
                "proof that the two are equal, and costs more.",
                **values,
            )
        ]
    return [
        say(
            "It also costs the least. The next, {other}, is not told apart from it ({difference}, 95% interval "
            "{interval}), which is no proof that the two are equal.",
            **values,
        )
    ]


def _price(found: Verdict, say: Language) -> list[str]:
    """Set the month's price of the choice beside that of the system it is held against."""
    system = found.choice or found.leader
    if system is None:
        return []
    queries = f"{found.queries:,.0f}"
    named = [name for name in dict.fromkeys((system, found.leader, found.other)) if name is not None]
    prices = [
        say("{system} {usd}", system=name, usd=dollars(found.usd[name], say))
        for name in named
        if found.usd[name] is not None
    ]
    said = []
    if prices:
        priced = "A month of {queries} queries, training included, costs: {prices}."
        said.append(say(priced, queries=queries, prices=say("; ").join(prices)))
    if found.unpriced and found.kind != "only":
        unknown = "What {systems} would cost is not known, so price did not speak for or against that."
        said.append(say(unknown, systems=listed(found.unpriced, say)))
    return said


def _cascade(found: Verdict, say: Language) -> list[str]:
    """Offer the cascade that is shown to be worth building."""
    offer = found.cascade
    if offer is None:
        return []
    values = {
        "first": offer.first,
        "second": offer.second,
        "leader": found.leader,
        "passed": percent(offer.passed_on),
        "accuracy": percent(offer.accuracy),
        "difference": signed(offer.difference),
        "interval": span(offer.interval, say),
        "margin": f"{100 * found.margin:g}",
        "usd": dollars(offer.usd, say),
    }
    if offer.kind == "cheaper" and offer.interval.low > 0:
        both = (
            "Both would cost less and be right more often: a cascade in which {second} is asked only the {passed} of "
            "the items that {first} is least sure of has {accuracy} right, which is beyond {leader} ({difference}, 95% "
            "interval {interval}), and costs {usd} a month."
        )
        return [say(both, **values)]
    if offer.kind == "cheaper":
        cheaper = (
            "Both would cost less: a cascade in which {second} is asked only the {passed} of the items that {first} is "
            "least sure of has {accuracy} right, is shown to be at most {margin} points worse than {leader} "
            "({difference}, 95% interval {interval}), and costs {usd} a month."
        )
        return [say(cheaper, **values)]
    better = (
        "Both would be right more often: a cascade in which {second} is asked the {passed} of the items that {first} "
        "is least sure of has {accuracy} right, which is beyond {leader} ({difference}, 95% interval {interval}); a "
        "month of it: {usd}."
    )
    return [say(better, **values)]


def _wording(found: Verdict, say: Language) -> list[str]:
    """Say when the choice of wording is worth more than that of a system, and what is left of the choice over wordings.

    It is said where the two differ: a wording that happens to be chosen is no reason to take a system.
    """
    worth = found.wording
    if worth is None or worth.against is None:
        return []
    family, against, said = worth.family, worth.against, []
    values = {
        "family": family.name,
        "other": against.b,
        "width": f"{100 * family.width:.1f}",
        "best": family.best,
        "worst": family.worst,
        "difference": signed(against.difference),
        "interval": span(against.interval, say),
        "n": f"{len(family.wordings)}",
    }
    if worth.is_more:
        more = (
            "The choice of wording is worth more than the choice of system: {best} and {worst} lie {width} points "
            "apart, beyond chance, and the mean of {family} lies {difference} points from {other}."
        )
        said.append(say(more, **values))
    if family.has(found.choice or found.leader):
        shown = against.interval is not None and is_outside(0.0, against.interval)
        kept = (
            "Over its {n} wordings {family} differs from {other} by {difference} points (95% interval over other items "
            "and wordings {interval})."
        )
        lost = (
            "Over its {n} wordings {family} is not told apart from {other} ({difference} points, 95% interval over "
            "other items and wordings {interval}): the choice holds for this wording alone."
        )
        said.append(say(kept, **values) if shown else say(lost, **values))
    return said


def _doubt(evaluation: EvaluationFigures, found: Verdict, say: Language) -> list[str]:
    """Say in one line what would change the verdict."""
    changes = []
    system, other = found.choice or found.leader, found.other
    measured = found.cascade is not None or any(
        {one.first, one.second} == {system, other} for one in evaluation.cascades
    )
    if not measured and found.either_right is not None and system is not None and other is not None:
        best = max(found.accuracies[system], found.accuracies[other])
        if found.either_right - best >= found.margin:
            changes.append(
                say(
                    "a cascade of {system} and {other} (at best {accuracy}, where either is right)",
                    system=system,
                    other=other,
                    accuracy=percent(found.either_right),
                )
            )
    if found.same_at is not None and system is not None and other is not None:
        same = "{queries} queries a month, at which {system} and {other} cost the same"
        changes.append(say(same, queries=f"{found.same_at:,.0f}", system=system, other=other))
    if not any(is_api(one.description) for one in evaluation.systems):
        changes.append(say("a larger model, which was not asked"))
    return [say("What could change it: {changes}.", changes=say("; ").join(changes))] if changes else []
