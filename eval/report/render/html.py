"""A report as one HTML page that asks nothing of the network and runs no script.

A summary and the run in, one file out. Jinja escapes everything that comes from data; the page's content
policy lets in only the one style sheet, by its hash, so that even a hole in the escaping could load or run nothing.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.common.language import language
from data.types import Record
from eval.measures.answers import Answers
from eval.measures.run_answers import RunAnswers, records_of_items
from eval.report.sections.all_sections import evaluation_tables
from eval.report.sections.calibration import reliability_diagram
from eval.report.sections.cascade_chart import frontier_drawing
from eval.report.sections.cost_curve import cost_drawing
from eval.report.sections.provenance import provenance_table
from eval.report.sections.scores import accuracy_text, points_text
from eval.report.summary import Summary
from eval.report.templates import template
from eval.rundir.journal import records_path

HERE = Path(__file__).parent
ITEMS_SHOWN = 500
LETTERS_SHOWN = 2000
HEAT_STEPS = 9


def render_html(summary: Summary, run: RunAnswers) -> str:
    """Draw the page.

    Args:
        summary: The summary of the run.
        run: The run itself, for the list of items.

    Returns:
        A whole HTML document.
    """
    from markupsafe import Markup

    style = (HERE / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    say = language(summary.lang)
    sections = [
        {
            "evaluation": evaluation,
            "tables": evaluation_tables(evaluation, say),
            "curve": cost_drawing(evaluation, say),
            "frontier": frontier_drawing(evaluation, say),
            "reliability": reliability_diagram(evaluation, say),
            "n_shown": _n_shown(answers),
            "shown_items": _shown_items(run.run_dir, answers),
        }
        for evaluation, answers in zip(summary.evaluations, run.evaluations, strict=True)
    ]
    return template("report.html.j2").render(
        summary=summary,
        sections=sections,
        provenance=provenance_table(summary, say),
        say=say,
        style=Markup(style),  # noqa: S704 - the project's own file, not data
        style_hash=digest,
        items_shown=ITEMS_SHOWN,
        accuracy_text=accuracy_text,
        points_text=points_text,
        is_right=is_right,
        heat=_heat,
        shortened=_shortened,
    )


def is_right(record: Record) -> bool:
    """Say whether a record's prediction is the target; a failed call is not."""
    return record.prediction is not None and record.prediction.choice == record.item.target


def _n_shown(answers: Mapping[str, Answers]) -> int:
    return min(ITEMS_SHOWN, *(len(one.items.ids) for one in answers.values()))


def _shown_items(run_dir: Path, answers: Mapping[str, Answers]) -> Iterator[dict[str, Any]]:
    """Yield the first items of an evaluation, each with every system's record of it, read back from the journals."""
    shown = range(_n_shown(answers))
    streams = {name: records_of_items(records_path(run_dir, name), one, shown) for name, one in answers.items()}
    ahead = {name: next(stream, None) for name, stream in streams.items()}
    for place in shown:
        records = {}
        for name, found in ahead.items():
            if found is not None and found[0] == place:
                records[name], ahead[name] = found[1], next(streams[name], None)
        yield _shown_item(records)


def _shown_item(records: dict[str, Record]) -> dict[str, Any]:
    """Return an item with its records, whether the systems disagree on it, and whether any is wrong."""
    right = {is_right(record) for record in records.values()}
    item = next(iter(records.values())).item
    return {"item": item, "records": records, "disagreed": len(right) > 1, "any_wrong": False in right}


def _heat(count: int, row: Sequence[int]) -> int:
    """Return the shade of a confusion matrix's cell: its share of its row, in steps from 0."""
    return round(HEAT_STEPS * count / max(sum(row), 1))


def _shortened(text: str) -> str:
    if len(text) <= LETTERS_SHOWN:
        return text
    return f"{text[:LETTERS_SHOWN]}… ({len(text) - LETTERS_SHOWN:,} more letters: python -m eval show)"
