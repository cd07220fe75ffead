"""What a run showed is printed: how `eval run`, `eval decide` and `eval import` all end."""

import sys
from pathlib import Path

from data.common.language import language
from data.common.progress import log
from data.common.terminal import emit, emit_json_text, emit_strong, say_error
from eval.api import Run
from eval.report.render.terminal import score_tables, verdict_texts


def end_run(done: Run, run_dir: Path, *, as_json: bool, quiet: bool = False) -> int:
    """Print a run's reports, say what is missing, and return the exit code."""
    outcome, say = done.outcome, language(done.summary.lang)
    if outcome is not None and outcome.errors:
        failed = "incomplete: {n} items failed; ask them again with --resume {run_dir}"
        say_error(say(failed, n=outcome.errors, run_dir=run_dir))
    show_reports(done, as_json=as_json, quiet=quiet)
    return 1 if outcome is not None and outcome.too_many else 0


def show_reports(done: Run, *, as_json: bool, quiet: bool = False) -> None:
    """Print the scores of a run, what warns of them, where its reports are, and last the verdict.

    Args:
        done: The run.
        as_json: Print the summary as JSON instead.
        quiet: Print the verdicts alone, or the scores where there is no verdict.
    """
    verdicts, say = verdict_texts(done.summary), language(done.summary.lang)
    if as_json:
        emit_json_text(report_text(done, "summary.json"))
    elif not quiet or not verdicts:
        emit(score_tables(done.summary))
    sys.stdout.flush()  # both streams may be one terminal
    for warning in (warning for evaluation in done.summary.evaluations for warning in evaluation.warnings):
        log(say("warning: {warning}", warning=warning))
    log(say("reports: {paths}", paths=f"{done.path / 'report.md'} {done.path / 'report.html'}"))
    for number, one in enumerate(() if as_json else verdicts):
        if number or not quiet:
            emit("")
        emit_strong(one.sentence, "green" if one.takes else "yellow")
        for line in one.more:
            emit(line)


def report_text(run: Run, file: str) -> str:
    """Return one of the reports that were written with a run."""
    return (run.path / file).read_text(encoding="utf-8")
