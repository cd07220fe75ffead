"""The report's section on cascades: what a cheap system and a dearer one, asked only where it is unsure, come to.

An `EvaluationFigures` in, tables and sentences out; the drawing is in `cascade_chart`.
"""

from collections.abc import Sequence

from data.common.language import ENGLISH, Language
from eval.measures.cascade_figures import Cascade, CascadeChoice
from eval.measures.sequential import MARGIN
from eval.measures.stats import Interval
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import (
    NOTHING,
    items_counted,
    per_thousand,
    percent,
    share_with_interval,
    signed,
    span,
)
from eval.report.section import Table

SHOWN_SHARES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
PROMISED = 0.95  # of the accuracies that are promised, the one that a sentence names


def cascade_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Return the cascades, the frontier of the first of them, and what can be promised of it."""
    if not evaluation.cascades:
        return []
    first = evaluation.cascades[0]
    return [*_pairs_table(evaluation, say), _frontier_table(first, say), _promise_table(first, say)]


def cascade_sentences(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[str]:
    """Say what the best cascade comes to, and what it can promise."""
    margin = MARGIN / 100 if evaluation.verdict is None else evaluation.verdict.margin
    return best_sentences(evaluation.cascades, margin, say)


def best_sentences(cascades: Sequence[Cascade], margin: float, say: Language) -> list[str]:
    """Say what the first of some cascades comes to; nothing where there is none.

    Args:
        cascades: The best one first.
        margin: How much less right than the better of its systems a cascade may be, as a share.
        say: The language.
    """
    if not cascades:
        return []
    best = cascades[0]
    better = _best(best, say)
    as_right = [] if better and not _is_shown(best.as_right, margin) else _as_right(best, margin, say)
    return [*as_right, *better, *_promise(best, say)]


def _is_shown(choice: CascadeChoice | None, margin: float) -> bool:
    """Say whether a cascade is shown to be at most the margin less right than the better system."""
    return choice is not None and choice.difference_interval is not None and choice.difference_interval.low > -margin


def _as_right(one: Cascade, margin: float, say: Language) -> list[str]:
    choice = one.as_right
    if choice is None:
        already = (
            "{first} is right at least as often as {second} by itself, and no cascade of the two is needed for that."
        )
        return [say(already, first=one.first, second=one.second)]
    values = {
        "first": one.first,
        "second": one.second,
        "alone": percent(1 - choice.passed_on),
        "difference": signed(choice.difference),
        "interval": span(choice.difference_interval, say),
        "margin": f"{100 * margin:g}",
        "price": "" if choice.price_share is None else percent(choice.price_share),
    }
    return [_held_against(choice, margin, say, values)]


def _held_against(choice: CascadeChoice, margin: float, say: Language, values: dict[str, str]) -> str:
    """Say how the cascade stands beside its second system asked for all items, as far as the interval shows it."""
    interval = choice.difference_interval
    if not _is_shown(choice, margin):
        unshown = (
            "{first} alone on {alone} of the items and {second} on the rest: these items do not show it to be at most "
            "{margin} points less right than {second} on all (difference {difference}, 95% interval {interval})."
        )
        return say(unshown, **values)
    if interval is not None and interval.high < 0:
        less = (
            "{first} alone on {alone} of the items and {second} on the rest is less right than {second} on all, though "
            "within the margin of {margin} (difference {difference}, 95% interval {interval})."
        )
        return say(less, **values)
    if choice.price_share is None:
        unpriced = (
            "{first} alone on {alone} of the items and {second} on the rest is as right as {second} on all "
            "(difference {difference}, 95% interval {interval})."
        )
        return say(unpriced, **values)
    shown = (
        "{first} alone on {alone} of the items and {second} on the rest is as right as {second} on all (difference "
        "{difference}, 95% interval {interval}) at {price} of its price."
    )
    return say(shown, **values)


def _best(one: Cascade, say: Language) -> list[str]:
    """Say where a cascade is shown to be better than both."""
    choice = one.best
    if choice.difference_interval is None or choice.difference_interval.low <= 0:
        return []
    better = (
        "Passing the {passed} of the items that {first} is least sure of on to {second} is right more often than "
        "either of them alone: {accuracy}, which is {difference} points beyond {better} (95% interval {interval})."
    )
    said = say(
        better,
        passed=percent(choice.passed_on),
        first=one.first,
        second=one.second,
        better=one.better,
        accuracy=percent(choice.accuracy),
        difference=signed(choice.difference),
        interval=span(choice.difference_interval, say),
    )
    if choice.price_share is None:
        return [said]
    price = "It costs {price} of what {second} alone costs."
    return [f"{said} {say(price, price=percent(choice.price_share), second=one.second)}"]


def _promise(one: Cascade, say: Language) -> list[str]:
    found = next((promise for promise in one.promises if promise.accuracy == PROMISED), None)
    if found is None or found.threshold is None or found.alone_accuracy is None:
        return []
    promise = (
        "With 95% confidence, at least {accuracy} of what {first} answers alone is right where its probability is "
        "{threshold} or more; on items that the threshold was not chosen on, that was {alone} of them, and {right} of "
        "these were right."
    )
    values = {"accuracy": percent(found.accuracy), "threshold": f"{found.threshold:.3f}", "alone": percent(found.alone)}
    return [say(promise, first=one.first, right=percent(found.alone_accuracy), **values)]


def _pairs_table(evaluation: EvaluationFigures, say: Language) -> list[Table]:
    columns = (
        say("Answers first"),
        say("Is asked the rest"),
        say("Rule"),
        say("Items"),
        say("Passed on"),
        say("Accuracy"),
        say("Difference to the better one, 95% interval"),
        say("$ of 1,000"),
        say("Price beside the second's"),
    )
    rules = {"as_right": say("as right as the second"), "best": say("most often right")}
    rows = tuple(
        _choice_row(one, choice, rules[name], say)
        for one in evaluation.cascades
        for name, choice in (("as_right", one.as_right), ("best", one.best))
        if choice is not None and choice.passed_on > 0  # where nothing is passed on, the first is as good alone
    )
    if not rows:
        return []
    note = say(
        "No system was asked for this: it is made of the answers above. The threshold of each item was chosen on "
        "other items than itself. As right as the second: as few items are passed on as can be without being right "
        "less often than the second. Accuracy with its 95% interval."
    )
    without = [one.name for one in evaluation.systems if one.scores is not None and one.scores.calibration is None]
    if without:
        unsure = say("Without probabilities, and so never first: {systems}.", systems=", ".join(without))
        note = f"{note} {unsure}"
    return [Table("cascades", say("Cascades: both instead of one"), columns, rows, text_columns=3, note=note)]


def _choice_row(one: Cascade, choice: CascadeChoice, rule: str, say: Language) -> tuple[str, ...]:
    return (
        one.first,
        one.second,
        rule,
        f"{one.n:,}",
        share_with_interval(choice.passed_on, choice.passed_on_interval, say),
        share_with_interval(choice.accuracy, choice.interval, say),
        f"{signed(choice.difference)} ({span(choice.difference_interval, say)})",
        _price_with_interval(choice.usd, choice.usd_interval, say),
        NOTHING if choice.price_share is None else percent(choice.price_share),
    )


def _price_with_interval(usd: float | None, interval: Interval | None, say: Language) -> str:
    if usd is None or interval is None:
        return per_thousand(usd, say)
    return f"{per_thousand(usd, say)} ({per_thousand(interval.low, say)}–{per_thousand(interval.high, say)})"


def _frontier_table(one: Cascade, say: Language) -> Table:
    columns = (
        say("Passed on"),
        say("Threshold"),
        say("Accuracy"),
        say("Difference to {better}, 95% interval", better=one.better),
        say("At random"),
        say("At best"),
        say("$ of 1,000"),
    )
    points = {min(one.points, key=lambda point: abs(point.passed_on - share)): None for share in SHOWN_SHARES}
    rows = tuple(
        (
            percent(point.passed_on),
            f"{point.threshold:.3f}" if point.threshold <= 1 else NOTHING,
            share_with_interval(point.accuracy, point.interval, say),
            NOTHING
            if point.difference_interval is None
            else f"{signed(point.difference)} ({span(point.difference_interval, say)})",
            percent(one.at_random(point.passed_on)),
            percent(one.at_best(point.passed_on)),
            per_thousand(point.usd, say),
        )
        for point in points
    )
    title = say("Cascade of {first} and {second}: accuracy by what is passed on", first=one.first, second=one.second)
    note = say(
        "Each row is measured on the very items that its threshold parts. At random: the same share is passed on, "
        "whatever the probability. At best: by somebody who knows where the second is right and the first is not."
    )
    if one.n_without:
        always = say.count(
            one.n_without,
            "{n} item that {first} gave no probability for is passed on always.",
            "{n} items that {first} gave no probability for are passed on always.",
            first=one.first,
        )
        note = f"{note} {always}"
    return Table("cascade-frontier", title, columns, rows, text_columns=0, note=note)


def _promise_table(one: Cascade, say: Language) -> Table:
    columns = (say("Promised accuracy"), say("Threshold"), say("Answered alone"), say("Right of these"))
    rows = tuple(
        (
            percent(promise.accuracy),
            say("none") if promise.threshold is None else f"{promise.threshold:.3f}",
            percent(promise.alone),
            NOTHING if promise.alone_accuracy is None else percent(promise.alone_accuracy),
        )
        for promise in one.promises
    )
    note = say(
        "With 95% confidence, so many of the answers that {first} gives alone are right where its probability is at "
        "least the threshold. The last two columns are of items that the threshold was not chosen on.",
        first=one.first,
    )
    title = say("What {first} can promise alone ({items})", first=one.first, items=items_counted(one.n, say))
    return Table("cascade-promises", title, columns, rows, text_columns=0, note=note)
