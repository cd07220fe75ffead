"""What the pairs of systems show, in words: each pair's difference, and the user's two questions.

The questions are: fine-tune or prompt, and prompt alone or with retrieved passages. A comparison's figures in,
sentences out; a difference that both tests do not carry is said not to be distinguishable from chance.
"""

from collections.abc import Callable, Sequence
from functools import reduce

from data.common.language import ENGLISH, Language
from eval.measures.differences import Comparison
from eval.measures.headline import adds_retrieval, is_tuned_beside_prompted
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import items_counted, p_value, signed, span
from eval.report.links import Link, items_query
from eval.report.section import Table
from eval.report.sections.attribution import idle_systems
from eval.rundir.description import SystemDescription

NAMED_PAIRS = 5
NAMED_ANSWERS = 3

Belongs = Callable[[SystemDescription, SystemDescription], bool]


def difference_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """One row a pair of systems, with the points where items are worth different ones."""
    rows, links = [], {}
    for number, one in enumerate(_of_fixed_length(evaluation)):
        points = (f"{one.points_difference:+g}".replace("-", "−"),) if evaluation.weighted else ()
        rows.append(
            (
                f"{one.a} − {one.b}",
                beyond_chance(one, say),
                signed(one.difference),
                span(one.interval, say),
                *points,
                p_value(one.p),
                p_value(one.p_holm),
                f"{len(one.won)} / {len(one.lost)} / {one.both_right + one.both_wrong}",
                f"{one.n:,}",
            )
        )
        links[number, len(rows[-1]) - 2] = _won_and_lost(one)
    points_column = (say("Points"),) if evaluation.weighted else ()
    tests = ("p", say("p, Holm"), say("Won / lost / tied"), say("Items"))
    columns = (say("Pair"), say("Beyond chance"), say("Difference"), say("95% interval"), *points_column, *tests)
    title = say("Paired differences")
    note = pairs_note(_of_fixed_length(evaluation), say)
    return [Table("differences", title, columns, tuple(rows), text_columns=2, note=note, links=links)]


def _won_and_lost(one: Comparison) -> tuple[Link, ...]:
    won = items_query(states={one.a: "right", one.b: "wrong"})
    lost = items_query(states={one.a: "wrong", one.b: "right"})
    return Link(f"{len(one.won)}", won), Link(f"{len(one.lost)}", lost)


def pairs_note(pairs: Sequence[Comparison], say: Language = ENGLISH) -> str:
    """Say how to read a table of paired differences."""
    n_headline = sum(one.headline for one in pairs)
    adjusted = (
        say(
            "The first {n} pairs are what the run is about: fine-tuned beside prompted, with retrieval beside without, "
            "the leader beside the cheapest. Holm's adjustment is over these {n} for them, and over all {pairs} for "
            "the others.",
            n=n_headline,
            pairs=len(pairs),
        )
        if n_headline
        else say("Holm's adjustment is over all pairs of this table.")
    )
    measured = say("Accuracy in percentage points, on the same items. p is McNemar's mid-p.")
    rule = say("Beyond chance: adjusted p below 0.05 and an interval without zero.")
    note = " ".join([measured, adjusted, rule])
    if any(one.unsettled for one in pairs):
        note += say(" Open: replies without any text, which count as wrong, decide the difference.")
    return note


def beyond_chance(one: Comparison, say: Language = ENGLISH) -> str:
    """Say whether a difference is beyond chance, or whether nothing can be said of it."""
    if one.unsettled:
        return say("open")
    return say("yes") if one.distinguishable else say("no")


def difference_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say what the pairs of systems show, and what they answer of the user's two questions."""
    return [*_question_sentences(evaluation, say), *_pair_sentences(evaluation, say)]


def _pair_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say for each pair of systems what these items show; beyond the first few, pairs are counted.

    Nothing is said of a pair that replies without text decide.
    """
    pairs = [one for one in _of_fixed_length(evaluation) if not one.unsettled]
    if not pairs:
        return []
    real = sorted(
        (one for one in pairs if one.distinguishable), key=lambda one: (not one.headline, -abs(one.difference))
    )
    unclear = sorted((one for one in pairs if not one.distinguishable), key=lambda one: (not one.headline, one.p_holm))
    named = [*real[:NAMED_PAIRS], *(unclear if len(unclear) <= NAMED_PAIRS else ())]
    named.sort(key=lambda one: not one.headline)
    said = [_finding_and_items(one, say) for one in named]
    if more := len(real[NAMED_PAIRS:]):
        said.append(
            say.count(
                more,
                "{n} more of the {pairs} pairs differs beyond chance; the table names it.",
                "{n} more of the {pairs} pairs differ beyond chance; the table names them.",
                pairs=len(pairs),
            )
        )
    if len(unclear) > NAMED_PAIRS:
        some = "{n} of the {pairs} pairs are not distinguishable from chance (smallest adjusted p {p})."
        none = "0 of the {pairs} pairs are distinguishable from chance (smallest adjusted p {p})."
        smallest = p_value(min(one.p_holm for one in unclear), sign=True)
        counts = {"n": len(unclear), "pairs": len(pairs), "p": smallest}
        said.append(say(some, **counts) if real else say(none, **counts))
    return [_first(evaluation, said[0], left_out=bool(named and named[0].n_left_out), say=say), *said[1:]]


def _of_fixed_length(evaluation: EvaluationFigures) -> list[Comparison]:
    """Return the pairs of a run whose number of items was fixed: the section `early_end` says what the others show."""
    return [one for one in evaluation.comparisons if not one.at_any_time]


def _first(evaluation: EvaluationFigures, finding: str, *, left_out: bool, say: Language) -> str:
    """Say what the sentences are about before the first of them; one of fewer items than all says itself how many."""
    if left_out:
        return say("On {benchmark}, {finding}", benchmark=evaluation.benchmark, finding=finding)
    items = items_counted(evaluation.n_items, say)
    return say(
        "On these {items} of {benchmark}, {finding}", items=items, benchmark=evaluation.benchmark, finding=finding
    )


def _question_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Answer the user's two questions as far as the pairs that bear on them do; nothing where there is no such pair."""
    said = []
    if tuned := _sides(evaluation, is_tuned_beside_prompted):
        several = say(
            "of {pairs} pairs of a fine-tuned and a prompted system, the fine-tuned one is ahead in {ahead}, the "
            "prompted one in {behind}, and {unclear} are not distinguishable",
            **_counted(tuned),
        )
        answer = _each(tuned, say) if len(tuned) <= NAMED_ANSWERS else several
        said.append(say("Fine-tuned or prompted? On these items, {answer}.", answer=answer))
    spoken_of = _on_a_ladder(evaluation) | idle_systems(evaluation)
    if retrieved := [side for side in _sides(evaluation, adds_retrieval) if side[0] not in spoken_of]:
        several = say(
            "of {pairs} pairs of one model with retrieval and by prompt alone, retrieval is ahead in {ahead}, the "
            "prompt alone in {behind}, and {unclear} are not distinguishable",
            **_counted(retrieved),
        )
        answer = _each(retrieved, say) if len(retrieved) <= NAMED_ANSWERS else several
        said.append(say("With retrieval or by prompt alone? On these items, {answer}.", answer=answer))
    return said


def _on_a_ladder(evaluation: EvaluationFigures) -> set[str]:
    """Return the systems that retrieve and stand on a ladder, which says more of them: `ladder_sentences`."""
    ladders = (one for one in evaluation.ladders if one.on("oracle") or one.on("closed-book"))
    return {step.system for ladder in ladders for step in ladder.steps if step.rung == "retrieved"}


def _sides(evaluation: EvaluationFigures, belongs: Belongs) -> list[tuple[str, Comparison]]:
    """Return the settled comparisons that bear on a question, each with the name of its first side."""
    systems = {system.name: system.description for system in evaluation.systems}
    found = []
    for one in (one for one in evaluation.comparisons if not one.unsettled):
        for first, second in ((one.a, one.b), (one.b, one.a)):
            if belongs(systems[first], systems[second]):
                found.append((first, one))
    return found


def _counted(sides: Sequence[tuple[str, Comparison]]) -> dict[str, int]:
    """Count for several pairs how often the first side of the question is ahead, and the second."""
    real = [(first, one) for first, one in sides if one.distinguishable]
    ahead = sum(_ahead(one) == first for first, one in real)
    return {"pairs": len(sides), "ahead": ahead, "behind": len(real) - ahead, "unclear": len(sides) - len(real)}


def _each(sides: Sequence[tuple[str, Comparison]], say: Language) -> str:
    """Say for each of a few pairs who is ahead."""
    leads = (
        say("{ahead} is ahead of {behind} beyond chance", ahead=_ahead(one), behind=_behind(one))
        if one.distinguishable
        else say("{a} and {b} are not distinguishable", a=one.a, b=one.b)
        for _, one in sides
    )
    return reduce(lambda said, lead: say("{said}; {lead}", said=said, lead=lead), leads)


def _ahead(one: Comparison) -> str:
    return one.a if one.difference > 0 else one.b


def _behind(one: Comparison) -> str:
    return one.b if one.difference > 0 else one.a


def _finding_and_items(one: Comparison, say: Language) -> str:
    found = _finding(one, say)
    if not one.n_left_out:
        return found
    return say("{finding} (Over the {items} that both answered.)", finding=found, items=items_counted(one.n, say))


def _finding(one: Comparison, say: Language) -> str:
    """Say what one pair shows: who is ahead and by how much, or that the data does not tell."""
    if not one.distinguishable:
        return say(
            "{a} and {b} are not distinguishable: a difference of {difference} percentage points (95% interval "
            "{interval}; adjusted p {p}) may be chance.",
            a=one.a,
            b=one.b,
            difference=signed(one.difference),
            interval=span(one.interval, say),
            p=p_value(one.p_holm, sign=True),
        )
    won, lost = len(one.won), len(one.lost)
    low, high = sorted(abs(end) for end in one.interval or (0.0, 0.0))
    return say(
        "{ahead} is right more often than {behind}: by {difference} percentage points (95% interval {low} to {high}; "
        "{won} items against {lost}; adjusted p {p}).",
        ahead=_ahead(one),
        behind=_behind(one),
        difference=f"{100 * abs(one.difference):.1f}",
        low=f"{100 * low:.1f}",
        high=f"{100 * high:.1f}",
        won=max(won, lost),
        lost=min(won, lost),
        p=p_value(one.p_holm, sign=True),
    )
