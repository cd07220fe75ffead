"""A report as Markdown, for a repository or an issue: the conclusion first, then every table."""

from data.common.language import language
from data.common.text import plain
from eval.report.figures import items_counted
from eval.report.section import Table
from eval.report.sections.all_sections import evaluation_tables
from eval.report.sections.calibration import diagram_file
from eval.report.sections.cascade_chart import frontier_file
from eval.report.sections.cost_curve import cost_drawing, curve_file
from eval.report.sections.provenance import provenance_table
from eval.report.summary import Summary

SPECIAL = str.maketrans({**{mark: f"\\{mark}" for mark in "\\|`*[]"}, "&": "&amp;", "<": "&lt;", ">": "&gt;"})


def render_markdown(summary: Summary) -> str:
    """Write the whole report; names and texts from data are escaped, so that they stay text."""
    parts, say = [f"# {escape(summary.name)}"], language(summary.lang)
    if not summary.complete:
        parts.append(f"**{say('This run is incomplete.')}**")
    for verdict, *further in (one.verdict_sentences for _, one in summary.most_decisive_first if one.verdict_sentences):
        parts.append(" ".join([f"**{escape(verdict)}**", *map(escape, further)]))
    parts.append("\n".join(f"- {escape(sentence)}" for sentence in summary.conclusion))
    for number, evaluation in summary.most_decisive_first:
        title = f"{evaluation.benchmark}, {evaluation.split} ({items_counted(evaluation.n_items, say)})"
        parts.append(f"## {escape(title)}")
        for table in evaluation_tables(evaluation, say):
            parts.append(_section(table))
            if table.kind == "break-even" and cost_drawing(evaluation) is not None:
                parts.append(f"![{say('Total cost against the number of queries')}]({curve_file(number)})")
            if table.kind == "cascade-frontier":
                drawn = say("Accuracy of a cascade by the share of the items that are passed on")
                parts.append(f"![{drawn}]({frontier_file(number)})")
            if table.kind == "calibration":
                parts.append(f"![{say('Reliability diagram.')}]({diagram_file(number)})")
    parts.append(_section(provenance_table(summary, say), level=2))
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: str) -> str:
    """Make a text one line that Markdown shows as it is, inside a table as well."""
    return plain(text, one_line=True).translate(SPECIAL)


def _section(table: Table, *, level: int = 3) -> str:
    rules = [":--" if column < table.text_columns else "--:" for column in range(len(table.columns))]
    lines = [[escape(cell) for cell in table.columns], rules, *([escape(cell) for cell in row] for row in table.rows)]
    drawn = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    note = f"\n\n{escape(table.note)}" if table.note else ""
    return f"{'#' * level} {escape(table.title)}\n\n{drawn}{note}"
