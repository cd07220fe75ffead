"""A report for the terminal: aligned plain text that fits it and 100 columns, Korean counted as two columns a letter.

Everything that came from data or from a model passes `plain`, so that it cannot move the cursor or set colours.
"""

from collections.abc import Sequence
from typing import NamedTuple

from data.common.language import ENGLISH, Language, language
from data.common.table import GAP, aligned, display_width, start_of
from data.common.terminal import output_columns
from data.common.text import plain
from eval.measures.differences import Comparison
from eval.measures.sequential import MARGIN
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import NOTHING, items_counted, p_value, per_thousand, signed, span
from eval.report.run_costs import EvaluationCosts
from eval.report.section import Table
from eval.report.sections.cascade import best_sentences
from eval.report.sections.costs import break_even_table, cost_table, pair_sentences
from eval.report.sections.differences import beyond_chance, pairs_note
from eval.report.sections.early_end import anytime_note, decided_text
from eval.report.sections.scores import accuracy_text, answered_text, decimal, macro_f1_text, points_text, seconds_text
from eval.report.summary import Summary
from eval.report.system_figures import SystemSummary

WIDTH = 100
SHOWN_IDS = 20


def terminal_table(summary: Summary) -> str:
    """Draw a run's scores, costs and findings, and its verdicts last.

    Returns:
        Lines as wide as the terminal, at most 100 columns, without a last line break.
    """
    parts, say = [], language(summary.lang)
    for _, evaluation in summary.most_decisive_first:
        parts.append(_headed_scores(evaluation, say))
        if evaluation.break_even:
            parts.append(_titled(cost_table({system.name: system.cost for system in evaluation.systems}, say)))
            parts.append(_titled(break_even_table(evaluation.break_even, say)))
    parts.append("\n".join(wrap(f"- {sentence}", indent=GAP) for sentence in summary.conclusion))
    parts += ["\n".join([one.sentence, *one.more]) for one in verdict_texts(summary)]
    return "\n\n".join(part for part in parts if part)


def score_tables(summary: Summary) -> str:
    """Draw the table of scores of each benchmark."""
    say = language(summary.lang)
    return "\n\n".join(_headed_scores(evaluation, say) for _, evaluation in summary.most_decisive_first)


class VerdictText(NamedTuple):
    """A verdict, broken into lines: what to take, and what that rests on.

    Attributes:
        takes: Whether it names a system to take.
    """

    sentence: str
    more: list[str]
    takes: bool


def verdict_texts(summary: Summary) -> list[VerdictText]:
    """Return the verdict of each benchmark that has one."""
    return [
        VerdictText(wrap(first), [wrap(sentence) for sentence in more], one.verdict.choice is not None)
        for _, one in summary.most_decisive_first
        if one.verdict is not None and one.verdict_sentences
        for first, *more in [one.verdict_sentences]
    ]


def _headed_scores(evaluation: EvaluationFigures, say: Language) -> str:
    head = f"{evaluation.benchmark}, {evaluation.split}: {items_counted(evaluation.n_items, say)}"
    return "\n".join([plain(head), draw(_scores(evaluation, say))])


def comparison_text(
    comparisons: Sequence[Comparison], costs: Sequence[EvaluationCosts] = (), say: Language = ENGLISH
) -> str:
    """Draw what `eval compare` prints: what differs on each benchmark, the items won and lost, and what it costs."""
    parts = [*_compared(comparisons, say)]
    for one in costs:
        parts.append(_titled(cost_table(one.systems, say), before=f"{one.benchmark}: "))
        if one.break_even:
            parts.append(_titled(break_even_table(one.break_even, say), before=f"{one.benchmark}: "))
            same = [pair for pair in comparisons if pair.benchmark == one.benchmark]
            said = pair_sentences(one.break_even, one.systems, accuracies=one.accuracies, comparisons=same, say=say)
            parts.append("\n".join(wrap(f"- {sentence}", indent=GAP) for sentence in said))
        if said := best_sentences(one.cascades, MARGIN / 100, say):
            parts.append("\n".join(wrap(f"- {sentence}", indent=GAP) for sentence in said))
    return "\n\n".join(parts)


def _compared(comparisons: Sequence[Comparison], say: Language) -> list[str]:
    parts = []
    for benchmark in dict.fromkeys(one.benchmark for one in comparisons):
        pairs = [one for one in comparisons if one.benchmark == benchmark]
        table = _pairs(pairs, say)
        parts.append("\n".join([plain(benchmark), draw(table), wrap(table.note)]))
        for one in pairs:
            parts.append(
                "\n".join(
                    wrap(say("{system} alone right: {items}", system=name, items=_first(ids, say)), indent=GAP)
                    for name, ids in ((one.a, one.won), (one.b, one.lost))
                )
            )
    return parts


def _first(ids: Sequence[str], say: Language) -> str:
    """Name the first items: of thousands, a screen full says less than their number."""
    more = len(ids) - SHOWN_IDS
    rest = say(" and {n} more (--json lists all)", n=f"{more:,}") if more > 0 else ""
    return (", ".join(ids[:SHOWN_IDS]) or say("none")) + rest


def _titled(table: Table, *, before: str = "") -> str:
    title = before + (table.title[0].lower() + table.title[1:] if before else table.title)
    return "\n".join([plain(title), draw(table), *([wrap(table.note)] if table.note else [])])


def draw(table: Table) -> str:
    """Align a table's cells; they go on in further lines where the table would be too wide."""
    return aligned([table.columns, *table.rows], left=range(table.text_columns), width=output_columns(WIDTH))


def wrap(text: str, *, indent: str = "") -> str:
    """Break a text into lines that fit the terminal, the later ones indented."""
    width = output_columns(WIDTH)
    lines, line = [], ""
    for word in plain(text, one_line=True).split(" "):
        candidate = f"{line} {word}" if line else word
        if display_width(candidate) > width and line:
            lines.append(line)
            candidate = indent + word
        while display_width(candidate) > width:  # a word that is longer than a line
            head = start_of(candidate, width)
            lines.append(head)
            candidate = indent + candidate[len(head) :]
        line = candidate
    return "\n".join([*lines, line])


def _scores(evaluation: EvaluationFigures, say: Language) -> Table:
    rows = tuple(
        (
            system.name,
            accuracy_text(system, say),
            _second_score(evaluation, system, say),
            answered_text(system, say),
            NOTHING if system.scores is None else seconds_text(system.scores),
            per_thousand(system.cost.usd_per_query, say),
        )
        for system in evaluation.systems
    )
    columns = (
        say("system"),
        say("accuracy (95%)") if evaluation.early_end is None else say("accuracy (any time)"),
        say("points (95%)") if evaluation.weighted else say("macro-F1 (95%)"),
        say("ok / none / err"),
        say("s/item (p95)"),
        say("$ of 1,000"),
    )
    return Table("scores", "", columns, rows)


def _second_score(evaluation: EvaluationFigures, system: SystemSummary, say: Language) -> str:
    """Write the points of an exam, else macro-F1; a run that may end early gives neither an interval."""
    if evaluation.early_end is None or system.scores is None:
        return points_text(system, say) if evaluation.weighted else macro_f1_text(system, say)
    if evaluation.weighted:
        points, possible = system.scores.points, system.scores.points_possible
        return say("{points} of {possible}", points=f"{points:g}", possible=f"{possible:g}")
    return decimal(system.scores.macro_f1)


def _pairs(comparisons: Sequence[Comparison], say: Language) -> Table:
    rows = tuple(
        (
            f"{one.a} − {one.b}",
            signed(one.difference),
            span(one.interval, say),
            p_value(one.p_holm),
            f"{len(one.won)}/{len(one.lost)}/{one.both_right + one.both_wrong}",
            decided_text(one, say) if one.at_any_time else beyond_chance(one, say),
        )
        for one in comparisons
    )
    any_time = any(one.at_any_time for one in comparisons)
    columns = (
        say("pair"),
        say("difference"),
        say("95%, any time") if any_time else say("95% interval"),
        say("p, all pairs") if any_time else say("p, Holm"),
        say("won/lost/tied"),
        say("decided") if any_time else say("beyond chance"),
    )
    note = anytime_note(say) if any_time else pairs_note(comparisons, say)
    return Table("differences", "", columns, rows, note=note)
