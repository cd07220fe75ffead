"""A report for the terminal: aligned plain text that fits 100 columns, Korean counted as two columns a letter.

Everything that came from data or from a model passes `plain`, so that it cannot move the cursor or set colours.
"""

import unicodedata
from collections.abc import Sequence

from eval.compare import Comparison
from eval.report.cells import (
    NOTHING,
    accuracy_cell,
    answered_cell,
    macro_f1_cell,
    points_cell,
    seconds_cell,
)
from eval.report.conclusion import p_value, signed, span
from eval.report.cost_sentences import cost_sentences
from eval.report.cost_tables import break_even_table, cost_table
from eval.report.costs import EvaluationCosts
from eval.report.money import per_thousand
from eval.report.summary import EvaluationSummary, Summary
from eval.report.table import Table
from eval.report.tables import PAIRS_NOTE

WIDTH = 100
GAP = "  "
NARROWEST = 8
SHOWN_IDS = 20
BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def terminal_table(summary: Summary) -> str:
    """Draw a run's scores and what they support.

    Args:
        summary: Of the run.

    Returns:
        Lines of at most 100 columns, without a last line break.
    """
    parts = []
    for evaluation in summary.evaluations:
        head = f"{evaluation.benchmark}, {evaluation.split}: {evaluation.n_items:,} items"
        parts.append("\n".join([plain(head), draw(_scores(evaluation))]))
        if evaluation.break_even:
            parts.append(_titled(cost_table({system.name: system.cost for system in evaluation.systems})))
            parts.append(_titled(break_even_table(evaluation.break_even)))
    parts.append("\n".join(wrap(f"- {sentence}", indent=GAP) for sentence in summary.conclusion))
    return "\n\n".join(part for part in parts if part)


def comparison_text(comparisons: Sequence[Comparison], costs: Sequence[EvaluationCosts] = ()) -> str:
    """Draw what `eval compare` prints: what differs on each benchmark, the items won and lost, and what it costs."""
    parts = [*_compared(comparisons)]
    for one in costs:
        parts.append(_titled(cost_table(one.systems), before=f"{one.benchmark}: "))
        if one.break_even:
            parts.append(_titled(break_even_table(one.break_even), before=f"{one.benchmark}: "))
            same = [pair for pair in comparisons if pair.benchmark == one.benchmark]
            said = cost_sentences(one.break_even, one.systems, accuracies=one.accuracies, comparisons=same)
            parts.append("\n".join(wrap(f"- {sentence}", indent=GAP) for sentence in said))
    return "\n\n".join(parts)


def _compared(comparisons: Sequence[Comparison]) -> list[str]:
    parts = []
    for benchmark in dict.fromkeys(one.benchmark for one in comparisons):
        pairs = [one for one in comparisons if one.benchmark == benchmark]
        table = _pairs(pairs)
        parts.append("\n".join([plain(benchmark), draw(table), wrap(table.note)]))
        for one in pairs:
            parts.append(
                "\n".join(
                    wrap(f"{label}: {_first(ids)}", indent=GAP)
                    for label, ids in ((f"{one.a} alone right", one.won), (f"{one.b} alone right", one.lost))
                )
            )
    return parts


def _first(ids: Sequence[str]) -> str:
    """Name the first items: of thousands, a screen full says less than their number."""
    rest = f" and {len(ids) - SHOWN_IDS:,} more (--json lists all)" if len(ids) > SHOWN_IDS else ""
    return (", ".join(ids[:SHOWN_IDS]) or "none") + rest


def _titled(table: Table, *, before: str = "") -> str:
    title = before + (table.title[0].lower() + table.title[1:] if before else table.title)
    return "\n".join([plain(title), draw(table), *([wrap(table.note)] if table.note else [])])


def draw(table: Table) -> str:
    """Align a table's cells; columns of words shrink, the widest first, where it would exceed 100 columns."""
    cells = [[plain(cell, one_line=True) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(display_width(row[column]) for row in cells) for column in range(len(table.columns))]
    while sum(widths) + len(GAP) * (len(widths) - 1) > WIDTH:
        widest = max(range(table.text_columns), key=lambda column: widths[column])
        if widths[widest] <= NARROWEST:
            break  # the figures alone are wider: cutting them would make them wrong
        widths[widest] -= 1
    lines = []
    for row in cells:
        aligned = [
            fit(cell, width) if column < table.text_columns else fit(cell, width, right=True)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(GAP.join(aligned).rstrip())
    return "\n".join([lines[0], GAP.join("-" * width for width in widths), *lines[1:]])


def plain(text: str, *, one_line: bool = False) -> str:
    """Drop control characters and marks that reverse the reading direction; line breaks and tabs may stay."""
    if one_line:
        text = " ".join(text.split())
    return "".join(
        letter
        for letter in text
        if letter in "\n\t" or (unicodedata.category(letter) not in ("Cc", "Cs") and letter not in BIDI_CONTROLS)
    )


def display_width(text: str) -> int:
    """Return how many columns a terminal gives the text."""
    return sum(_columns(letter) for letter in text)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Pad the text to a width, or cut it with an ellipsis."""
    if display_width(text) > width:
        text = _start(text, width - 1) + "…"
    space = " " * (width - display_width(text))
    return space + text if right else text + space


def wrap(text: str, *, indent: str = "") -> str:
    """Break a text into lines of at most 100 columns, the later ones indented."""
    lines, line = [], ""
    for word in plain(text, one_line=True).split(" "):
        candidate = f"{line} {word}" if line else word
        if display_width(candidate) > WIDTH and line:
            lines.append(line)
            candidate = indent + word
        while display_width(candidate) > WIDTH:  # a word that is longer than a line
            head = _start(candidate, WIDTH)
            lines.append(head)
            candidate = indent + candidate[len(head) :]
        line = candidate
    return "\n".join([*lines, line])


def _start(text: str, width: int) -> str:
    """Return as much of the text's start as fits the width."""
    used = 0
    for place, letter in enumerate(text):
        used += _columns(letter)
        if used > width:
            return text[:place]
    return text


def _columns(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1


def _scores(evaluation: EvaluationSummary) -> Table:
    second, title = (points_cell, "points") if evaluation.weighted else (macro_f1_cell, "macro-F1")
    rows = tuple(
        (
            system.name,
            accuracy_cell(system),
            second(system),
            answered_cell(system),
            NOTHING if system.scores is None else seconds_cell(system.scores),
            per_thousand(system.cost.usd_per_query),
        )
        for system in evaluation.systems
    )
    columns = ("system", "accuracy (95%)", f"{title} (95%)", "ok / none / err", "s/item (p95)", "$ of 1,000")
    return Table("scores", "", columns, rows)


def _pairs(comparisons: Sequence[Comparison]) -> Table:
    rows = tuple(
        (
            f"{one.a} − {one.b}",
            signed(one.difference),
            span(one.interval),
            p_value(one.p_holm),
            f"{len(one.won)}/{len(one.lost)}/{one.both_right + one.both_wrong}",
            "yes" if one.distinguishable else "no",
        )
        for one in comparisons
    )
    columns = ("pair", "difference", "95% interval", "p, Holm", "won/lost/tied", "beyond chance")
    return Table("differences", "", columns, rows, note=PAIRS_NOTE)
