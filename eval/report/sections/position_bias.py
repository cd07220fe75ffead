"""The report's section on the order of the choices: who prefers a position, and what several trials of an item show.

An `EvaluationFigures` in; tables and sentences out. Only systems that are shown the choices can prefer a position, and
the p-values of all of them are adjusted together.
"""

from data.common.language import ENGLISH, Language
from eval.measures.paired_tests import holm
from eval.measures.position_bias import PositionTest
from eval.measures.repeats import Repeats
from eval.measures.stats import LEVEL
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import ends, items_counted, p_value, percent, share_with_interval
from eval.report.section import Table
from eval.report.system_figures import SystemSummary
from eval.rundir.description import role_of


def order_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Return the table of positions and that of repeated trials, each without rows where there is nothing to show."""
    return [_positions_table(evaluation, say), _repeats_table(evaluation, say)]


def order_sentences(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[str]:
    """Say of each system whether it prefers a position, and what several trials of an item showed."""
    said = []
    for system, test, p in _tested(evaluation):
        if p < LEVEL:
            said.append(_bias_sentence(evaluation, system, test, p, say))
    settled = (s for s in evaluation.systems if not s.unsettled)
    return said + [_repeats_sentence(s.name, s.repeats, say) for s in settled if s.repeats is not None]


def _tested(evaluation: EvaluationFigures) -> list[tuple[SystemSummary, PositionTest, float]]:
    """Return the systems that could prefer a position, with their test and its p-value, adjusted for all of them."""
    tested = [
        (system, system.positions)
        for system in evaluation.systems
        if system.positions is not None and role_of(system.description) == "prompted"
    ]
    adjusted = holm([test.p for _, test in tested]) if tested else []
    return [(system, test, p) for (system, test), p in zip(tested, adjusted, strict=True)]


def _labels_alone(evaluation: EvaluationFigures, system: SystemSummary) -> bool:
    """Say whether a label and its position are one thing."""
    return evaluation.labelled and not (system.repeats is not None and system.repeats.rotated)


def _bias_sentence(
    evaluation: EvaluationFigures, system: SystemSummary, test: PositionTest, p: float, say: Language
) -> str:
    place = test.preferred
    figures = {
        "system": system.name,
        "count": f"{test.counts[place]:,}",
        "of": f"{sum(test.counts):,}",
        "chi2": f"{test.statistic:.1f}",
        "p": p_value(p, sign=True),
    }
    if _labels_alone(evaluation, system):
        return say(
            "{system} prefers the label {label}, or its position among the labels (position bias): it chose it {count} "
            "times of {of}, and it is right {right} times (chi-square {chi2}, adjusted p {p}); --permute cyclic tells "
            "the two apart.",
            label=system.scores.class_names[place] if system.scores else str(place + 1),
            right=f"{test.key[place]:,}",
            **figures,
        )
    always = (
        "{system} has a position bias: it chose position {position} of the choices shown all {of} times, where "
        "{expected} were expected if position meant nothing (chi-square {chi2}, adjusted p {p})."
    )
    often = (
        "{system} has a position bias: it chose position {position} of the choices shown {count} times of {of}, where "
        "{expected} were expected if position meant nothing (chi-square {chi2}, adjusted p {p})."
    )
    figures |= {"position": str(place + 1), "expected": f"{test.expected[place]:.1f}"}
    return say(always, **figures) if figures["count"] == figures["of"] else say(often, **figures)


def _repeats_sentence(name: str, repeats: Repeats, say: Language) -> str:
    figures = {
        "system": name,
        "items": items_counted(repeats.n, say),
        "times": str(repeats.times),
        "same": percent(repeats.consistent / repeats.n),
        "interval": ends(repeats.consistent_interval, say),
        "majority": percent(repeats.majority_accuracy),
        "first": percent(repeats.first_accuracy),
        "lowest": percent(repeats.lowest_accuracy),
        "highest": percent(repeats.highest_accuracy),
    }
    if repeats.rotated:
        return say(
            "{system} gives the same answer in every rotation of the choices on {same} of {items} (95% interval "
            "{interval}); it is right on {majority} by majority, and on {first} in the choices' own order ({lowest} to "
            "{highest} over the {times} rotations).",
            **figures,
        )
    return say(
        "{system} gives the same answer in all {times} samples on {same} of {items} (95% interval {interval}); it is "
        "right on {majority} by majority, and on {lowest} to {highest} by a single sample.",
        **figures,
    )


def _preferred(evaluation: EvaluationFigures, system: SystemSummary, p: float, say: Language) -> str:
    if p >= LEVEL:
        return say("no")
    return say("label or position") if _labels_alone(evaluation, system) else say("yes")


def _positions_table(evaluation: EvaluationFigures, say: Language) -> Table:
    tested = _tested(evaluation)
    n_positions = max((len(test.counts) for _, test, _ in tested), default=0)
    rows = []
    for system, test, p in tested:
        rest = ("",) * (n_positions - len(test.counts))
        verdict = (f"{test.statistic:.1f}", str(test.df), p_value(p), _preferred(evaluation, system, p, say))
        rows.append((system.name, say("chosen"), *(f"{count:,}" for count in test.counts), *rest, *verdict))
        if not _labels_alone(evaluation, system):
            expected = (f"{count:.1f}" for count in test.expected)
            rows.append((system.name, say("expected"), *expected, *rest, "", "", "", ""))
        rows.append((system.name, say("right"), *(f"{count:,}" for count in test.key), *rest, "", "", "", ""))
    columns = (
        say("System"),
        say("Choices in position"),
        *(str(place + 1) for place in range(n_positions)),
        say("Chi-square"),
        say("df"),
        say("p, Holm"),
        say("Position bias"),
    )
    note = say(
        "Expected: what the same items would show if position meant nothing. Of an item asked once a wrong answer is "
        "then as likely in any position but the right one's; of an item asked in every rotation, the positions chosen "
        "could be shifted by any number of places; where all items share their labels, a label is expected to be "
        "chosen as often as it is right (Stuart and Maxwell's test). p is of 20,000 draws where a count below five is "
        "expected."
    )
    return Table("positions", say("Positions chosen"), columns, tuple(rows), text_columns=2, note=note)


def _repeats_table(evaluation: EvaluationFigures, say: Language) -> Table:
    rows = []
    for system in evaluation.systems:
        repeats = system.repeats
        if repeats is None:
            continue
        same = share_with_interval(repeats.consistent / repeats.n, repeats.consistent_interval, say)
        single = f"{percent(repeats.lowest_accuracy)}–{percent(repeats.highest_accuracy)}"
        rows.append(
            (
                system.name,
                say("rotated choices") if repeats.rotated else say("samples"),
                str(repeats.times),
                same,
                percent(repeats.majority_accuracy),
                percent(repeats.first_accuracy),
                single,
                f"{repeats.drawn:,}",
            )
        )
    columns = (
        say("System"),
        say("Asked with"),
        say("Times"),
        say("Same answer each time, 95% interval"),
        say("Majority right"),
        say("First trial right"),
        say("Single trials right"),
        say("Ties drawn"),
    )
    note = say(
        "Each item was asked several times, and the majority is the system's answer. Answers to rotated choices are "
        "mapped back before they are compared; the first trial shows the choices in their own order. A tie is decided "
        "by the mean probability where there is one, else drawn by the item's id and the seed."
    )
    return Table("trials", say("Asked several times"), columns, tuple(rows), text_columns=2, note=note)
