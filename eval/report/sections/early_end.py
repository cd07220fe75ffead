"""The report's section on a run that ends once its systems are decided: which pairs are, and what was not asked.

An evaluation's pairs and its `EarlyEnd` in, tables and sentences out. Every interval and p-value here holds at any
time, and is called so.
"""

from collections.abc import Iterable

from data.common.language import ENGLISH, Language
from eval.measures.differences import Comparison
from eval.measures.early_end import EarlyEnd, Spared
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import NOTHING, dollars, items_counted, listed, p_value, percent, signed, span
from eval.report.section import Table
from eval.rundir.description import role_of

NAMED_PAIRS = 10


def early_end_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Return a row for each pair of systems, and what each system was asked; nothing for a run that asks all."""
    end = evaluation.early_end
    if end is None:
        return []
    asked = tuple(_asked_row(one, say) for one in end.spared)
    columns = (say("System"), say("Items asked"), say("Items not asked"), say("Saved"))
    note = say("Saved: what the items that were not asked would have cost, at the mean cost of those that were.")
    return [
        _pairs_table(evaluation.comparisons, say, margin=end.margin),
        Table("early-end", say("What was not asked"), columns, asked, note=note),
    ]


def _pairs_table(pairs: Iterable[Comparison], say: Language, *, margin: float) -> Table:
    """Return a row for each pair, whose intervals and p-values hold at any time."""
    rows = tuple(
        (
            f"{one.a} − {one.b}",
            decided_text(one, say),
            NOTHING if one.n_decided is None else f"{one.n_decided:,}",
            signed(one.difference),
            span(one.interval, say),
            p_value(one.p),
            p_value(one.p_holm),
            f"{len(one.won)} / {len(one.lost)} / {one.both_right + one.both_wrong}",
            f"{one.n:,}",
        )
        for one in pairs
    )
    intervals = (say("95% interval, at any time"), say("p, at any time"), say("p, all pairs"))
    counts = (say("Won / lost / tied"), say("Items"))
    columns = (say("Pair"), say("Decided"), say("After items"), say("Difference"), *intervals, *counts)
    note = anytime_note(say) + say(" Equal: shown to differ by less than {margin} points.", margin=f"{100 * margin:g}")
    return Table("anytime-differences", say("Paired differences"), columns, rows, text_columns=2, note=note)


def anytime_note(say: Language = ENGLISH) -> str:
    """Say how to read a table of such pairs."""
    return say(
        "Accuracy in percentage points, on the same items. Intervals and p-values hold at any time: the run may end "
        "because of them. p is 1 / the e-value of a betting test, in which the items of a group are one bet; it is "
        "adjusted for all pairs by a closed test."
    )


def decided_text(one: Comparison, say: Language = ENGLISH) -> str:
    """Say which of a pair is shown to be better, if any is."""
    if one.unsettled:
        return say("open")
    if one.decided is None:
        return say("not yet")
    return say("equal") if one.decided == "equal" else say("{system} is better", system=_better(one))


def _asked_row(one: Spared, say: Language) -> tuple[str, ...]:
    rest = max(one.most - one.asked, 0)
    asked, share = f"{one.asked:,} / {one.most:,}", f"{rest:,} ({percent(rest / one.most)})"
    return one.system, asked, share, dollars(one.usd, say) if rest else NOTHING


# --- in words


def early_end_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say how far the evaluation went, what each pair shows at any time, and what was saved."""
    end = evaluation.early_end
    if end is None:
        return []
    pairs = [one for one in evaluation.comparisons if not one.unsettled]
    pairs.sort(key=lambda one: (one.decided is None, one.p_holm))
    holds = say(
        "The run could end because of what it showed, so its intervals and p-values are those that hold at any time: "
        "they are wider than those of a number of items that is fixed beforehand, of which none is given."
    )
    said = [_how_far(evaluation, end, say), holds, *(_finding(one, end, say) for one in pairs[:NAMED_PAIRS])]
    return [*said, *_saved(evaluation, end, say)]


def asked_items(evaluation: EvaluationFigures, say: Language = ENGLISH) -> str:
    """Write how many items were asked: all, or those that were needed."""
    end = evaluation.early_end
    if end is None or end.asked >= evaluation.n_items:
        return items_counted(evaluation.n_items, say)
    return say("{asked} of {items}", asked=f"{end.asked:,}", items=items_counted(evaluation.n_items, say))


def _how_far(evaluation: EvaluationFigures, end: EarlyEnd, say: Language) -> str:
    values = {
        "benchmark": evaluation.benchmark,
        "seed": str(end.seed),
        "items": asked_items(evaluation, say),
        "decided": str(end.n_decided),
        "pairs": str(end.n_pairs),
    }
    if end.n_decided == end.n_pairs:
        return say(
            "The items of {benchmark} were asked in an order drawn with the seed {seed}, of all systems in step; after "
            "{items}, all pairs of systems are decided ({pairs}).",
            **values,
        )
    return say(
        "The items of {benchmark} were asked in an order drawn with the seed {seed}, of all systems in step; after "
        "{items}, {decided} of {pairs} pairs of systems are decided.",
        **values,
    )


def _finding(one: Comparison, end: EarlyEnd, say: Language) -> str:
    values = {
        "a": one.a,
        "b": one.b,
        "n": items_counted(one.n_decided or 0, say),
        "margin": f"{100 * end.margin:g}",
        "difference": signed(one.difference),
        "interval": span(one.interval, say),
        "p": p_value(one.p_holm, sign=True),
    }
    if one.decided is None:
        return say(
            "{a} and {b} are not told apart, and not shown to differ by less than {margin} points: a difference of "
            "{difference} percentage points (95% interval at any time {interval}; adjusted p {p}) may be chance.",
            **values,
        )
    if one.decided == "equal":
        return say(
            "{a} and {b} are shown to differ by less than {margin} points, after {n}: {difference} percentage points "
            "(95% interval at any time {interval}).",
            **values,
        )
    low, high = sorted(abs(end) for end in one.interval or (0.0, 0.0))
    return say(
        "{ahead} is right more often than {behind}, decided after {n}: by {difference} percentage points (95% interval "
        "at any time {low} to {high}; adjusted p {p}).",
        ahead=_better(one),
        behind=one.b if _better(one) == one.a else one.a,
        n=values["n"],
        difference=f"{100 * abs(one.difference):.1f}",
        low=f"{100 * low:.1f}",
        high=f"{100 * high:.1f}",
        p=values["p"],
    )


def _better(one: Comparison) -> str:
    return one.a if one.decided == "a" else one.b


def _saved(evaluation: EvaluationFigures, end: EarlyEnd, say: Language) -> list[str]:
    """Say what the systems that ask a model were spared."""
    spared = [one for one in end.spared if one.asked < one.most]
    prompted = {one.name for one in evaluation.systems if role_of(one.description) == "prompted"}
    named = [one for one in spared if one.system in prompted]
    if not named:
        return []
    parts = [_spared(one, say) for one in named]
    return [say("Saved by ending early: {parts}.", parts=listed(parts, say))]


def _spared(one: Spared, say: Language) -> str:
    rest = one.most - one.asked
    values = {"system": one.system, "rest": f"{rest:,}", "most": f"{one.most:,}", "share": percent(rest / one.most)}
    if one.usd is None:
        return say("{share} of the calls of {system} ({rest} of {most} items)", **values)
    return say(
        "{share} of the calls of {system} ({rest} of {most} items, about {usd})", **values, usd=dollars(one.usd, say)
    )
