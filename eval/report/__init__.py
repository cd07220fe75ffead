"""The reports of a run: one summary, drawn for programs, for a repository, for a browser and for the terminal."""

from pathlib import Path
from typing import NamedTuple

from data.common.files import write_atomically
from data.common.language import language
from eval.measures.run_answers import read_answers
from eval.report.render.html import render_html
from eval.report.render.markdown import render_markdown
from eval.report.sections.calibration import diagram_file, draw_diagram, reliability_diagram
from eval.report.sections.cascade_chart import frontier_drawing, frontier_file
from eval.report.sections.cost_curve import cost_drawing, curve_file, draw_svg
from eval.report.summary import Summary, summarize_answers


class ReportPaths(NamedTuple):
    """Where the reports of a run are."""

    summary: Path
    markdown: Path
    html: Path


def write_report(run_dir: Path, *, lang: str = "en", texts: bool = True) -> ReportPaths:
    """Write summary.json, report.md, report.html and curves into a run's directory; each is whole or not there.

    The same records give the same bytes.

    Args:
        run_dir: The run.
        lang: The language of the sentences and headings, one of `data.common.language.LANGUAGES`.
        texts: Whether the page holds the items' texts and all that was sent and said; without, it can be shared.

    Raises:
        MissingResourceError: The folder is no run.
        ConfigurationError: A file in it is damaged.
    """
    run = read_answers(run_dir)
    summary = summarize_answers(run, lang=lang)
    paths = ReportPaths(run_dir / "summary.json", run_dir / "report.md", run_dir / "report.html")
    write_atomically(paths.summary, summary.model_dump_json(indent=2) + "\n")
    write_atomically(paths.markdown, render_markdown(summary))
    write_atomically(paths.html, render_html(summary, run, texts=texts))
    _write_drawings(summary, run_dir)
    return paths


def _write_drawings(summary: Summary, run_dir: Path) -> None:
    """Write the drawings that the Markdown report shows; one that is no longer shown does not stay behind."""
    say = language(summary.lang)
    for number, evaluation in enumerate(summary.evaluations, start=1):
        curve, diagram = cost_drawing(evaluation, say), reliability_diagram(evaluation, say)
        frontier = frontier_drawing(evaluation, say)
        drawings = {
            curve_file(number): None if curve is None else draw_svg(curve),
            frontier_file(number): None if frontier is None else draw_svg(frontier),
            diagram_file(number): None if diagram is None else draw_diagram(diagram),
        }
        for name, drawing in drawings.items():
            if drawing is None:
                (run_dir / name).unlink(missing_ok=True)
            else:
                write_atomically(run_dir / name, drawing)
