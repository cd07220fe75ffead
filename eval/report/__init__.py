"""The reports of a run: one summary, drawn for programs, for a repository, for a browser and for the terminal."""

from pathlib import Path
from typing import NamedTuple

from eval.journal import write_atomically
from eval.report.cost_curve import curve_file, draw_svg
from eval.report.html import render_html
from eval.report.markdown import render_markdown
from eval.report.summary import Summary, cost_drawing, summarize


class ReportPaths(NamedTuple):
    """Where the reports of a run are."""

    summary: Path
    markdown: Path
    html: Path


def write_report(run_dir: Path) -> ReportPaths:
    """Write summary.json, report.md, report.html and curves into a run's directory; each is whole or not there.

    The same records give the same bytes.

    Raises:
        MissingResourceError: The folder is no run.
        ConfigurationError: A file in it is damaged.
    """
    summary = summarize(run_dir)
    paths = ReportPaths(run_dir / "summary.json", run_dir / "report.md", run_dir / "report.html")
    write_atomically(paths.summary, summary.model_dump_json(indent=2) + "\n")
    write_atomically(paths.markdown, render_markdown(summary))
    write_atomically(paths.html, render_html(summary, run_dir))
    _write_curves(summary, run_dir)
    return paths


def _write_curves(summary: Summary, run_dir: Path) -> None:
    """Write the drawings that the Markdown report shows; one of an earlier price table does not stay behind."""
    for number, evaluation in enumerate(summary.evaluations, start=1):
        path, drawing = run_dir / curve_file(number), cost_drawing(evaluation)
        if drawing is None:
            path.unlink(missing_ok=True)
        else:
            write_atomically(path, draw_svg(drawing))
