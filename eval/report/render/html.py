"""A report as one HTML page that asks nothing of the network and runs no script.

A summary and the run's journals in, one file out. Jinja escapes everything that comes from data; the page's content
policy lets in only the one style sheet, by its hash, so that even a hole in the escaping could load or run nothing.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from data.common.language import language
from data.common.text import plain
from data.types import Item, Record
from eval.report.sections.all_sections import evaluation_tables, provenance_table
from eval.report.sections.calibration import reliability_diagram
from eval.report.sections.cells import accuracy_cell, points_cell, what_it_is
from eval.report.summary import EvaluationSummary, Summary, cost_drawing
from eval.rundir.journal import read_records, records_path

if TYPE_CHECKING:
    from jinja2 import Template

HERE = Path(__file__).parent
ITEMS_SHOWN = 500
LETTERS_SHOWN = 2000
HEAT_STEPS = 9


class Asked(NamedTuple):
    """One item and each system's record of it."""

    item: Item
    records: dict[str, Record]

    @property
    def disagreed(self) -> bool:
        """Whether some systems are right and others are not."""
        return len({is_right(record) for record in self.records.values()}) > 1

    @property
    def any_wrong(self) -> bool:
        return not all(is_right(record) for record in self.records.values())


def render_html(summary: Summary, run_dir: Path) -> str:
    """Draw the page.

    Args:
        summary: Of the run.
        run_dir: Where its journals are, for the list of items.

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
            "reliability": reliability_diagram(evaluation, say),
            "asked": list(_asked(evaluation, run_dir).values()),
        }
        for evaluation in summary.evaluations
    ]
    return _template().render(
        summary=summary,
        sections=sections,
        provenance=provenance_table(summary, say),
        say=say,
        style=Markup(style),  # noqa: S704 - the project's own file, not data
        style_hash=digest,
        items_shown=ITEMS_SHOWN,
    )


def is_right(record: Record) -> bool:
    """Say whether a record's prediction is the target; a failed call is not."""
    return record.prediction is not None and record.prediction.choice == record.item.target


def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([HERE, HERE.parent / "sections"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: plain(value) if type(value) is str else value,
    )
    environment.globals.update(
        accuracy_cell=accuracy_cell,
        points_cell=points_cell,
        what_it_is=what_it_is,
        is_right=is_right,
        heat=_heat,
    )
    environment.filters["shortened"] = _shortened
    return environment.get_template("report.html.j2")


def _asked(evaluation: EvaluationSummary, run_dir: Path) -> Mapping[str, Asked]:
    """Read the first items of an evaluation with every system's record, holding no more than is shown."""
    asked: dict[str, Asked] = {}
    for system in evaluation.systems:
        path = records_path(run_dir, system.name)
        for record in read_records(path):
            if record.item.id not in asked:
                if len(asked) == ITEMS_SHOWN:
                    continue
                asked[record.item.id] = Asked(record.item, {})
            asked[record.item.id].records[system.name] = record  # asked again: the later record counts
    return asked


def _heat(count: int, row: Sequence[int]) -> int:
    """Return the shade of a confusion matrix's cell: its share of its row, in steps from 0."""
    return round(HEAT_STEPS * count / max(sum(row), 1))


def _shortened(text: str) -> str:
    if len(text) <= LETTERS_SHOWN:
        return text
    return f"{text[:LETTERS_SHOWN]}… ({len(text) - LETTERS_SHOWN:,} more letters: python -m eval show)"
