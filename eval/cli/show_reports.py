"""What a run showed is printed: how `eval run`, `eval decide` and `eval import` all end."""

from pathlib import Path

from data.common.progress import log
from data.common.terminal import emit, emit_json_text, is_one_reader
from eval.api import Run
from eval.report.render.terminal import terminal_table


def end_run(done: Run, run_dir: Path, *, as_json: bool, brief: bool = False) -> int:
    """Print a run's reports, say what is missing, and return the exit code."""
    show_reports(done, as_json=as_json, brief=brief)
    outcome = done.outcome
    if outcome is not None and outcome.errors:
        log(f"incomplete: {outcome.errors} items failed; ask them again with --resume {run_dir}")
    return 1 if outcome is not None and outcome.too_many else 0


def show_reports(done: Run, *, as_json: bool, brief: bool = False) -> None:
    """Print what a run showed, and say where its reports are.

    Args:
        done: The run.
        as_json: Print the summary as JSON instead.
        brief: Print the scores and the verdict alone.
    """
    if as_json:
        emit_json_text(report_text(done, "summary.json"))
    else:
        emit(terminal_table(done.summary, brief=brief))
    log(f"\nreports: {done.path / 'report.md'}\n         {done.path / 'report.html'}")
    if is_one_reader() and not as_json and not brief:
        return  # the findings have said them
    for warning in (warning for evaluation in done.summary.evaluations for warning in evaluation.warnings):
        log(f"warning: {warning}")


def report_text(run: Run, file: str) -> str:
    """Return one of the reports that were written with a run."""
    return (run.path / file).read_text(encoding="utf-8")
