"""The reports of a run: one summary, drawn for programs, for a repository, for a browser and for the terminal."""

from pathlib import Path
from typing import NamedTuple

from eval.journal import write_atomically
from eval.report.html import render_html
from eval.report.markdown import render_markdown
from eval.report.summary import summarize


class ReportPaths(NamedTuple):
    """Where the reports of a run are."""

    summary: Path
    markdown: Path
    html: Path


def write_report(run_dir: Path) -> ReportPaths:
    """Write summary.json, report.md and report.html into a run's directory; each is whole or not there.

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
    return paths
