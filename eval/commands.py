"""What each command of `python -m eval` does: wires the parts together and prints what they return."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import ConfigurationError
from eval.call_options import read_policy
from eval.progress import log
from eval.suite import EvaluationSpec, Suite, SystemSpec, list_suites, load_suite

if TYPE_CHECKING:
    from eval.report import ReportPaths

RUNS_DIR = Path("runs")
# Options of `run` that describe a system or its items: a suite says these itself.
_SYSTEM_OPTIONS = (
    "chain",
    "model",
    "prompt",
    "answering",
    "too_long",
    "temperature",
    "max_tokens",
    "retriever",
    "embeddings",
    "k",
    "checkpoint",
    "any_label_order",
    "baseline",
)
_ITEM_OPTIONS = ("split", "data", "train_split")


def emit(text: str) -> None:
    """Print what a command returns."""
    sys.stdout.write(text.rstrip("\n") + "\n")


def emit_json(content: Any) -> None:
    emit(json.dumps(content, ensure_ascii=False, indent=2))


def run(options: argparse.Namespace) -> int:
    """Run a suite or one system over a benchmark, and report."""
    from chains.providers import read_env_file

    read_env_file()  # keys, and LANGSMITH_* for traces
    suite = _suite(options)
    if options.dry_run:
        return _dry_run(suite, options)
    from eval import runner
    from eval.report import write_report

    policy = read_policy(options)
    planned = runner.plan(suite, policy=policy)
    run_dir = options.resume or options.out or _new_run_dir(suite.name)
    try:
        outcome = runner.run(
            planned,
            run_dir,
            resume=options.resume is not None,
            max_concurrency=options.max_concurrency,
            max_errors=options.max_errors,
            policy=policy,
        )
    except KeyboardInterrupt:
        log(f"interrupted; go on with --resume {run_dir}")
        return 130
    _show_reports(write_report(run_dir), as_json=options.json)
    allowed = options.max_errors or 0
    if outcome.errors > allowed:
        log(f"incomplete: {outcome.errors} items failed; ask them again with --resume {run_dir}")
        return 1
    return 0


def _show_reports(paths: "ReportPaths", *, as_json: bool) -> None:
    from eval.report.summary import read_summary
    from eval.report.terminal import terminal_table

    if as_json:
        emit(paths.summary.read_text(encoding="utf-8"))
    else:
        emit(terminal_table(read_summary(paths.summary)))
    log(f"\nreports: {paths.markdown}\n         {paths.html}")


def _suite(options: argparse.Namespace) -> Suite:
    """Read the suite that is named, or make one of the benchmark and the system that the options describe."""
    from data.attributes import is_module
    from data.registry import BENCHMARKS

    if options.limit is not None and options.limit < 1:
        raise ConfigurationError(f"--limit {options.limit} asks for no items; give 1 or more")
    if options.max_errors is not None and options.max_errors < 0:
        raise ConfigurationError(f"--max-errors {options.max_errors} is below 0; give 0 or more")
    if options.max_concurrency < 1:
        raise ConfigurationError(f"--max-concurrency {options.max_concurrency} lets nothing run; give 1 or more")
    names = (*_SYSTEM_OPTIONS, *_ITEM_OPTIONS)
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    target = options.target
    if target not in BENCHMARKS and (target.endswith((".yaml", ".yml")) or target in list_suites()):
        return _overridden(load_suite(target), given, options)
    if target not in BENCHMARKS and not is_module(target.removesuffix(":BENCHMARK")):
        known = ", ".join([*sorted(BENCHMARKS), *sorted(list_suites())])
        raise ConfigurationError(f"unknown benchmark or suite '{target}'. Allowed: {known}, or a suite's .yaml file.")
    system = {name: given[name] for name in _SYSTEM_OPTIONS if name in given}
    kind = next((name for name in ("chain", "checkpoint", "baseline") if name in system), None)
    if kind is None:
        raise ConfigurationError(f"'{target}' is a benchmark: say who answers with --chain, --checkpoint or --baseline")
    name = ".".join(_plain(str(system[part])) for part in (kind, "model") if part in system)
    return _validated(target, name, system, given, options)


def _validated(
    target: str, name: str, system: dict[str, Any], given: dict[str, Any], options: argparse.Namespace
) -> Suite:
    from pydantic import ValidationError

    items = {option: given[option] for option in _ITEM_OPTIONS if option in given}
    try:
        spec = SystemSpec(name=name, **system)
        evaluation = EvaluationSpec(benchmark=target, limit=options.limit, systems=(spec,), **items)
        return Suite(name=f"{_plain(target)}.{name}", seed=options.seed or 0, evaluations=(evaluation,))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"{f'--{field}: ' if field else ''}{message}") from None


def _overridden(suite: Suite, given: dict[str, Any], options: argparse.Namespace) -> Suite:
    if given:
        name = next(iter(given)).replace("_", "-")
        raise ConfigurationError(f"--{name} goes with a benchmark; suite '{suite.name}' says that itself")
    if options.limit is not None:
        limited = tuple(spec.model_copy(update={"limit": options.limit}) for spec in suite.evaluations)
        suite = suite.model_copy(update={"evaluations": limited})
    return suite if options.seed is None else suite.model_copy(update={"seed": options.seed})


def _plain(text: str) -> str:
    """Turn a spec such as hf:ORG/NAME or endpoint:NAME@URL into what can be a folder's name: its last part."""
    last = text.split("@http")[0].rstrip("/").rsplit("/", 1)[-1]
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in last).strip("-.") or "system"


def _new_run_dir(name: str) -> Path:
    """Return the first of runs/NAME, runs/NAME-2, … that does not exist: a run is never overwritten."""
    candidate, number = RUNS_DIR / name, 1
    while candidate.exists():
        number += 1
        candidate = RUNS_DIR / f"{name}-{number}"
    return candidate


def _dry_run(suite: Suite, options: argparse.Namespace) -> int:
    from eval import dryrun

    estimates = dryrun.estimate(suite)
    if options.json:
        rows = [entry._asdict() | {"first": [m.model_dump() for m in entry.first]} for entry in estimates]
        emit_json({"estimates": rows})
    else:
        emit(dryrun.render(estimates))
    return 0


def rescore(options: argparse.Namespace) -> int:
    """Extract every answer again and write the reports anew."""
    from eval.report import write_report
    from eval.rescore import rescore as read_again

    changes = read_again(options.run)
    write_report(options.run)
    if options.json:
        emit_json({"changes": [change._asdict() for change in changes]})
        return 0
    for change in changes:
        before, after = (("none" if c is None else str(c + 1)) for c in (change.before, change.after))
        verdict = "right" if change.after == change.target else "wrong"
        emit(f"{change.system}  {change.item_id}: {before} → {after} ({verdict})")
    emit(f"{len(changes)} predictions changed; the reports of {options.run} are written again")
    return 0


def import_recorded(options: argparse.Namespace) -> int:
    """Make a run of replies recorded elsewhere, and report."""
    from eval.importing import import_replies
    from eval.report import write_report

    run_dir = options.out or _new_run_dir(f"{_plain(options.benchmark)}.imported")
    import_replies(options.files, options.benchmark, run_dir, split=options.split, data=options.data)
    _show_reports(write_report(run_dir), as_json=options.json)
    return 0


def compare(options: argparse.Namespace) -> int:
    """Compare the systems of a run with one another, or with those of another run: how good, and how dear."""
    from eval.compare import compare as compare_runs
    from eval.compare import to_json
    from eval.report.costs import costs_json, costs_of_runs
    from eval.report.terminal import comparison_text

    comparisons = compare_runs(options.run, options.other)
    costs = costs_of_runs(options.run, options.other)
    emit(to_json(comparisons, **costs_json(costs)) if options.json else comparison_text(comparisons, costs))
    return 0


def report(options: argparse.Namespace) -> int:
    """Write reports again from the journals, and print them."""
    from eval.report import write_report
    from eval.report.summary import read_summary
    from eval.report.terminal import terminal_table

    form = "json" if options.json else options.format
    written = [write_report(run_dir) for run_dir in options.runs]
    if form == "json" and len(written) > 1:
        emit_json({"runs": [json.loads(paths.summary.read_text(encoding="utf-8")) for paths in written]})
        return 0
    for paths in written:
        if form == "text":
            emit(terminal_table(read_summary(paths.summary)))
        else:
            emit({"md": paths.markdown, "html": paths.html, "json": paths.summary}[form].read_text(encoding="utf-8"))
    return 0


def show(options: argparse.Namespace) -> int:
    """Print everything about one item."""
    from eval.report.show import show_item, show_item_json

    emit_json(show_item_json(options.run, options.item)) if options.json else emit(show_item(options.run, options.item))
    return 0


def retrieval(options: argparse.Namespace) -> int:
    """Measure retrievers on queries whose relevant passages are known."""
    from chains.providers import read_env_file
    from data.registry import retrieval_set
    from eval.retrieval import evaluate_retriever, render_json, render_table
    from retrievers.registry import build_retriever

    read_env_file()
    questions = retrieval_set(options.name, options.data)
    # Exam passages are searched as chains search them, in chunks; a set made of paragraphs as it is.
    chunk = options.name.startswith("kice") if options.chunk is None else options.chunk
    searched = "chunks" if chunk else "whole passages"
    names = list(dict.fromkeys(options.retriever))
    scores = []
    for name in names:
        # Beside others, BM25 is not refused for the embeddings that they need.
        embeddings = None if name == "bm25" and len(names) > 1 else options.embeddings
        retriever = build_retriever(name, questions.passages, k=options.k, chunk=chunk, embeddings=embeddings)
        scores.append(evaluate_retriever(retriever, questions, k=options.k, name=f"{name}, {searched}"))
    emit(render_json(scores) if options.json else render_table(scores))
    return 0


def list_names(options: argparse.Namespace) -> int:
    """Print what there is to name, a line each."""
    from eval.listing import KINDS

    kinds = [options.kind] if options.kind else list(KINDS)
    listed = {kind: KINDS[kind]() for kind in kinds}
    if options.json:
        emit_json(listed)
        return 0
    for kind, names in listed.items():
        if not options.kind:
            emit(f"\n{kind}")
        width = max(len(name) for name in names)
        for name, about in names.items():
            emit(f"{'' if options.kind else '  '}{name:<{width}}  {about}")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": list_names,
    "run": run,
    "rescore": rescore,
    "import": import_recorded,
    "compare": compare,
    "report": report,
    "show": show,
    "retrieval": retrieval,
}
