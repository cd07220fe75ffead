"""What the retrieval ladder and the attribution show, in words: the user's question of prompt-only against RAG.

An evaluation's ladders, pairs and causes in, sentences out. A share of a gap is only said where the items show that
there is a gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data.common.language import Language
from eval.measures.causes import MISSED, OPEN, RETRIEVAL_MISS, SHORTENED, WITHOUT_ORACLE
from eval.report.figures import listed, share_with_interval, signed

if TYPE_CHECKING:
    from eval.measures.attribution import Attribution
    from eval.measures.ladder import Gap, Ladder
    from eval.report.summary import EvaluationSummary


def ladder_sentences(evaluation: EvaluationSummary, say: Language) -> list[str]:
    """Say for each reader what retrieval is worth to it, and for each system that retrieves what went wrong."""
    said = []
    for ladder in evaluation.ladders:
        against_own = _against(evaluation, ladder, ladder.on("oracle"), say)
        against_none = _against(evaluation, ladder, ladder.on("closed-book"), say)
        if against_own:
            said.append(
                say(
                    "With retrieval or by prompt alone? Against the own passage in the prompt ({base}): {found}.",
                    base=ladder.on("oracle"),
                    found=against_own,
                )
            )
        if against_none:
            said.append(
                say("Against no passage at all ({base}): {found}.", base=ladder.on("closed-book"), found=against_none)
            )
        said += _recovered(evaluation, ladder, say)
    return [*said, *_causes(evaluation, say)]


def _against(evaluation: EvaluationSummary, ladder: Ladder, base: str | None, say: Language) -> str:
    """List how each system that retrieves does against one of the same reader; "" without such a pair."""
    found = []
    for step in ladder.steps:
        pair = {step.system, base}
        one = next((one for one in evaluation.comparisons if {one.a, one.b} == pair), None)
        if step.rung != "retrieved" or one is None or one.unsettled or step.system in idle_systems(evaluation):
            continue
        difference = signed(one.difference if one.a == step.system else 0.0 - one.difference)  # no sign before zero
        if one.distinguishable:
            found.append(
                say("{system} {difference} percentage points, beyond chance", system=step.system, difference=difference)
            )
        else:
            found.append(
                say(
                    "{system} {difference} percentage points, not distinguishable from chance",
                    system=step.system,
                    difference=difference,
                )
            )
    return listed(found, say) if found else ""


def is_settled(evaluation: EvaluationSummary, ladder: Ladder, gap: Gap) -> bool:
    """Say whether a gap tells of retrieval: something was retrieved, and replies without text decide none of it."""
    three = {gap.system, ladder.on("closed-book"), ladder.on("oracle")}
    unsettled = any(one.unsettled for one in evaluation.comparisons if {one.a, one.b} <= three)
    return not unsettled and gap.system not in idle_systems(evaluation)


def _recovered(evaluation: EvaluationSummary, ladder: Ladder, say: Language) -> list[str]:
    """Say what share of the gap between no passage and the own one each system that retrieves recovers."""
    retrieved = {step.system for step in ladder.steps if step.rung == "retrieved"}
    overall = [gap for gap in ladder.gaps if not gap.tag and gap.system in retrieved]
    gaps = [gap for gap in overall if is_settled(evaluation, ladder, gap)]
    if not gaps:
        return []
    names = {"oracle": ladder.on("oracle"), "closed": ladder.on("closed-book")}
    if not any(gap.exists for gap in gaps):
        return [
            say(
                "{oracle} is not right more often than {closed}: there is no gap that retrieval could recover.", **names
            )
        ]
    known = [
        say("{system} recovers {share}", system=gap.system, share=share_with_interval(gap.recovered, gap.interval, say))
        for gap in gaps
        if gap.recovered is not None
    ]
    if not known:
        return [
            say(
                "These items do not show that {oracle} is better than {closed}, so how much of that gap retrieval "
                "recovers is not known.",
                **names,
            )
        ]
    return [say("Of what the own passage adds to none (95% intervals), {found}.", found=listed(known, say))]


def idle_systems(evaluation: EvaluationSummary) -> set[str]:
    """Return the systems that should retrieve and retrieved nothing for any item."""
    return {one.system for one in evaluation.attributions if one.idle}


def idle_sentences(evaluation: EvaluationSummary, say: Language) -> list[str]:
    """Say of each system that retrieves nothing, for all items or for some, that it does not."""
    return [_idle(one, say) for one in evaluation.attributions if one.idle or one.not_searched]


def _idle(one: Attribution, say: Language) -> str:
    figures = {"system": one.system, "all": f"{one.n:,}"}
    if one.not_searched == one.n:
        return say(
            "{system} never searched: on {n} of {all} items its model called no tool, as where a server ignores tools. "
            "Nothing is concluded on retrieval.",
            n=f"{one.not_searched:,}",
            **figures,
        )
    if one.idle:
        return say(
            "{system} retrieved nothing for any of its {all} items. Nothing is concluded on retrieval.", **figures
        )
    some = "{system} looked nothing up on {n} of {all} items: none of these is put down to retrieval."
    return say(some, n=f"{one.not_searched:,}", **figures)


def _causes(evaluation: EvaluationSummary, say: Language) -> list[str]:
    attributed = [one for one in evaluation.attributions if one.causes]
    said = [
        say(
            "Nothing that {system} retrieved is a passage of these items, so its answers are put down to nothing.",
            system=one.system,
        )
        for one in evaluation.attributions
        if one.foreign
    ]
    known = [
        say(
            "{n} of {wrong} wrong answers of {system}",
            n=f"{_n(one, RETRIEVAL_MISS):,}",
            wrong=f"{one.wrong:,}",
            system=one.system,
        )
        for one in attributed
        if one.wrong
    ]
    if known:
        said.append(
            say(
                "Put down to retrieval (the passage was not found; with it the reader is right): {found}.",
                found=listed(known, say),
            )
        )
    return [*said, *(sentence for one in attributed for sentence in _open(one, say))]


def _open(one: Attribution, say: Language) -> list[str]:
    """Say of the wrong answers whose cause is open how many they are, and what would tell it."""
    unanswered, shortened = sum(_n(one, cause) for cause in WITHOUT_ORACLE), _n(one, SHORTENED)
    said = []
    if unanswered and one.oracle is None:
        said.append(_at_most(one, say))
    elif unanswered:
        said.append(
            say.count(
                unanswered,
                "For {n} more wrong answer of {system} the oracle has no answer, so its cause is open.",
                "For {n} more wrong answers of {system} the oracle has no answer, so their cause is open.",
                system=one.system,
            )
        )
    if shortened:
        said.append(
            say.count(
                shortened,
                "For {n} wrong answer of {system} the passages were shortened to fit the model's context, so its cause "
                "is open.",
                "For {n} wrong answers of {system} the passages were shortened to fit the model's context, so their "
                "cause is open.",
                system=one.system,
            )
        )
    return said


def _at_most(one: Attribution, say: Language) -> str:
    """Say how many wrong answers retrieval may be to blame for where no oracle tells."""
    missed = _n(one, MISSED)
    if not missed:
        found = "No wrong answer of {system} is put down to retrieval: of each wrong answer's passage a part was found."
        return say(found, system=one.system)
    return say(
        "At most {n} of {wrong} wrong answers of {system} can be put down to retrieval; whether they can, "
        "an oracle would tell: the same reader with the item's own passage in the prompt.",
        n=f"{missed:,}",
        wrong=f"{sum(_n(one, cause) for cause in OPEN):,}",
        system=one.system,
    )


def _n(attribution: Attribution, cause: str) -> int:
    return sum(one.n for one in attribution.causes if one.cause == cause)
