"""The sentences a report opens with: what the data supports, and no more.

An evaluation's figures in, plain sentences out, in the report's language. A difference is called real only where the
adjusted p-value and the cluster interval agree; everything else is said not to be distinguishable from chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data.common.language import ENGLISH, Language
from eval.measures.label_order import exchange_words
from eval.measures.power import reach_sentence
from eval.measures.stats import FEW_CLUSTERS
from eval.report.figures import items_counted, listed, percent
from eval.report.sections.cost_sentences import cost_sentences
from eval.report.sections.differences import difference_sentences, question_sentences
from eval.report.sections.ladder_sentences import ladder_sentences
from eval.report.sections.position_bias import order_sentences
from eval.report.sections.reference_scores import constant_sentences
from eval.report.sections.warnings import warning_sentences

if TYPE_CHECKING:
    from eval.report.summary import EvaluationSummary
    from eval.report.system_summary import SystemSummary


def conclude(evaluation: EvaluationSummary, say: Language = ENGLISH) -> list[str]:
    """Say in words what an evaluation shows, most important first."""
    return [
        *_incomplete(evaluation, say),
        *warning_sentences(evaluation, say),
        *_exchanged_labels(evaluation, say),
        *_shortened(evaluation, say),
        *_cached(evaluation, say),
        *difference_sentences(evaluation, say),
        *question_sentences(evaluation, say),
        *ladder_sentences(evaluation, say),
        *_against_guessing(evaluation, say),
        *order_sentences(evaluation, say),
        *constant_sentences(evaluation, say),
        *_unread(evaluation, say),
        *_number_or_text(evaluation, say),
        *_costs(evaluation, say),
        *_reach(evaluation, say),
        *_few_clusters(evaluation, say),
    ]


def _incomplete(evaluation: EvaluationSummary, say: Language) -> list[str]:
    sentences = []
    for system in evaluation.systems:
        if system.complete:
            continue
        scored = system.scores is not None and system.scores.accuracy is not None
        rest = say("its scores are over the items it has a prediction for") if scored else say("it has no scores")
        sentences.append(
            say(
                "{benchmark} is incomplete: {missing} of {items}; {rest}.",
                benchmark=evaluation.benchmark,
                missing=_what_is_missing(system, say),
                items=items_counted(evaluation.n_items, say),
                rest=rest,
            )
        )
    return sentences


def _what_is_missing(system: SystemSummary, say: Language) -> str:
    failed = system.scores.errors if system.scores else 0
    if system.scores is None:
        return say("{system} has no record for any", system=system.name)
    if failed and system.missing:
        both = "{system} failed on {failed} and has no record for {missing}"
        return say(both, system=system.name, failed=failed, missing=system.missing)
    if failed:
        return say("{system} failed on {failed}", system=system.name, failed=failed)
    return say("{system} has no record for {missing}", system=system.name, missing=system.missing)


def _exchanged_labels(evaluation: EvaluationSummary, say: Language) -> list[str]:
    wrongly = "{system} seems to name its labels wrongly: {exchanged}."
    return [
        say(wrongly, system=system.name, exchanged=exchange_words(system.exchanged, say))
        for system in evaluation.systems
        if system.exchanged is not None
    ]


def _shortened(evaluation: EvaluationSummary, say: Language) -> list[str]:
    return [
        say.count(
            system.shortened,
            "{n} of {all} prompts of {system} was longer than the model's context (with room for the answer): "
            "its passage was shortened, by {tokens}.",
            "{n} of {all} prompts of {system} were longer than the model's context (with room for the answer): "
            "their passages were shortened, by {tokens} at most.",
            all=f"{system.records:,}",
            system=system.name,
            tokens=say.count(system.most_cut_tokens, "{n} token", "{n} tokens"),
        )
        for system in evaluation.systems
        if system.shortened
    ]


def _cached(evaluation: EvaluationSummary, say: Language) -> list[str]:
    return [
        say.count(
            system.cached,
            "{n} answer of {system} came from the response cache: it cost nothing now, its time is left out, and a "
            "query's cost counts it as it was first paid for.",
            "{n} answers of {system} came from the response cache: they cost nothing now, their times are left out, "
            "and a query's cost counts them as they were first paid for.",
            system=system.name,
        )
        for system in evaluation.systems
        if system.cached
    ]


def _against_guessing(evaluation: EvaluationSummary, say: Language) -> list[str]:
    if evaluation.chance is None:
        return []
    guessing = [
        system.name
        for system in evaluation.systems
        if system.accuracy_interval is not None
        and system.accuracy_interval.low <= evaluation.chance <= system.accuracy_interval.high
        and not system.unsettled
    ]
    if not guessing:
        return []
    return [
        say.count(
            len(guessing),
            "{systems} is not distinguishable from guessing ({chance}).",
            "{systems} are not distinguishable from guessing ({chance}).",
            systems=listed(guessing, say),
            chance=percent(evaluation.chance),
        )
    ]


def _unread(evaluation: EvaluationSummary, say: Language) -> list[str]:
    """Say how far an accuracy depends on what is made of answers that state no choice; not where none holds a text."""
    return [
        say.count(
            audit.unparsed,
            "{n} answer of {system} states no single choice: its accuracy is {wrong} with that counted as wrong, as "
            "everywhere here, {chance} counted as a guess, and could not exceed {most}.",
            "{n} answers of {system} state no single choice: its accuracy is {wrong} with those counted as wrong, as "
            "everywhere here, {chance} counted as guesses, and could not exceed {most}.",
            system=system.name,
            wrong=percent(audit.accuracy.wrong),
            chance=percent(audit.accuracy.chance),
            most=percent(audit.accuracy.right),
        )
        for system in evaluation.systems
        if (audit := system.audit) is not None and audit.unparsed > (system.blank.items if system.blank else 0)
    ]


def _number_or_text(evaluation: EvaluationSummary, say: Language) -> list[str]:
    """Say how many answers can be read in two ways, and how they were."""
    return [
        say.count(
            audit.number_or_text,
            "{n} answer of {system} holds a number that is the number of one choice and the text of another: it counts "
            "as the number, unless the reply computed it; the table of rules has it as number-or-text.",
            "{n} answers of {system} hold a number that is the number of one choice and the text of another: they "
            "count as the number, unless the reply computed it; the table of rules has them as number-or-text.",
            system=system.name,
        )
        for system in evaluation.systems
        if (audit := system.audit) is not None and audit.number_or_text
    ]


def _costs(evaluation: EvaluationSummary, say: Language) -> list[str]:
    return cost_sentences(
        evaluation.break_even,
        {system.name: system.cost for system in evaluation.systems},
        accuracies={s.name: None if s.scores is None else s.scores.accuracy for s in evaluation.systems},
        comparisons=evaluation.comparisons,
        say=say,
    )


def _reach(evaluation: EvaluationSummary, say: Language) -> list[str]:
    n_systems = len(evaluation.systems)
    said = reach_sentence(evaluation.n_items, n_groups=evaluation.n_clusters, n_systems=n_systems, say=say)
    return [said] if said else []


def _few_clusters(evaluation: EvaluationSummary, say: Language) -> list[str]:
    n = evaluation.n_clusters
    if not 0 < n < FEW_CLUSTERS:
        return []
    if n == 1:
        return [say("All items share one context, so no interval can be given.")]
    few = (
        "The items share only {n} groups of context: the intervals of accuracy, points, ROC AUC, differences and "
        "probabilities allow for so few and are wide; that of macro-F1 is rough."
    )
    return [say(few, n=n)]
