"""What each command of `python -m eval` does: wires the parts together and prints what they return."""

import argparse
import json

from data.common.command_line import INTERRUPTED
from data.common.errors import ConfigurationError
from data.common.language import language
from data.common.progress import log
from data.common.table import emit_csv
from data.common.terminal import emit, emit_json, emit_json_text, say_error, write_utf8
from eval import api
from eval.api import Run
from eval.cli.read_options import read_policy, read_suite, with_batches
from eval.cli.show_reports import end_run, report_text, show_reports
from eval.execution.error_limit import read_error_limit
from eval.plan.settings.specs import Suite
from eval.rundir.names import MANIFEST_FILE, new_run_dir, plain_name
from eval.rundir.shard import read_shard


def run(options: argparse.Namespace) -> int:
    """Run a suite or one system over a benchmark, and report."""
    from chains.models.providers import read_env_file
    from eval.execution.batch_api.sweeps import PendingError

    suite, policy = read_suite(options), with_batches(read_policy(options), options)
    max_errors = read_error_limit(options.max_errors)
    if options.dry_run:
        read_env_file()
        if options.shard is not None:
            log(f"shard {read_shard(options.shard)}: what follows is of all shards together")
        return _dry_run(suite, options)
    part = "" if options.shard is None else read_shard(options.shard).suffix
    run_dir = options.resume or options.out or new_run_dir(f"{suite.name}{part}")
    try:
        done = api.evaluate(
            suite,
            out=run_dir,
            resume=options.resume is not None,
            retry_errors=options.retry_errors,
            max_concurrency=options.max_concurrency,
            max_errors=max_errors,
            policy=policy,
            shard=options.shard,
            langsmith_dataset=options.langsmith_dataset,
            lang=options.lang,
        )
    except PendingError as pending:
        log(str(pending))
        return pending.exit_code
    except KeyboardInterrupt:
        if not (run_dir / MANIFEST_FILE).is_file():
            raise  # nothing was written that one could go on with
        say_error(f"interrupted; go on with --resume {run_dir}")
        return INTERRUPTED
    return end_run(done, run_dir, as_json=options.json, quiet=options.quiet)


def _dry_run(suite: Suite, options: argparse.Namespace) -> int:
    from eval.cli import dry_run as dryrun

    estimates = dryrun.estimate(suite)
    if options.json:
        rows = [entry._asdict() | {"first": [m.model_dump() for m in entry.first]} for entry in estimates]
        emit_json({"estimates": rows, "reach": dryrun.reach(suite, language(options.lang))})
    else:
        emit(dryrun.render(estimates, dryrun.reach(suite, language(options.lang))))
    return 0


def rescore(options: argparse.Namespace) -> int:
    """Extract every answer again and write the reports anew."""
    from eval.execution.rescore import rescore as read_again

    changes = read_again(options.run)
    Run(options.run).write_reports(lang=options.lang)
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
    """Make a run of replies recorded elsewhere, or of other tools' logs, and report."""
    from eval.execution.import_logs import GivenItems, import_logs, known_formats
    from eval.execution.import_replies import import_replies

    named, more = options.benchmark, {"split": options.split, "data": options.data}
    run_dir = options.out or new_run_dir(f"{plain_name(named or options.files[0].stem)}.imported")
    more["skip_bad_rows"] = bool(options.skip_bad_rows)
    logs = known_formats(options.files, are_replies=named is not None)
    if logs:
        given = None if named is None else GivenItems(named, **more)
        import_logs(logs, run_dir, given=given, answers_from=options.answers_from)
    else:
        import_replies(options.files, named, run_dir, **more)
    show_reports(Run(run_dir).write_reports(lang=options.lang), as_json=options.json)
    return 0


def merge(options: argparse.Namespace) -> int:
    """Join the shards of a run, and report."""
    show_reports(api.merge(options.runs, options.out, lang=options.lang), as_json=options.json)
    return 0


def compare(options: argparse.Namespace) -> int:
    """Compare the systems of a run with one another, or with those of another run: how good, and how dear."""
    from eval.execution.join_runs import join_runs
    from eval.measures.differences import compare as compare_runs
    from eval.measures.differences import to_json
    from eval.measures.run_answers import read_answers
    from eval.report.render.terminal import comparison_text
    from eval.report.run_costs import costs_json, costs_of_runs

    if options.out is not None and options.other is None:
        raise ConfigurationError(f"--out joins two runs; the page of one is {options.run / 'report.html'}")
    run, other = read_answers(options.run), None if options.other is None else read_answers(options.other)
    comparisons, costs = compare_runs(run, other), costs_of_runs(run, other)
    if options.out is not None and other is not None:
        join_runs(run, other, options.out)
        Run(options.out).write_reports(lang=options.lang)
    if options.json:
        emit_json_text(to_json(comparisons, **costs_json(costs)))
    else:
        emit(comparison_text(comparisons, costs, language(options.lang)))
    if options.out is not None:
        log(f"page:    {options.out / 'report.html'}")
    return 0


def report(options: argparse.Namespace) -> int:
    """Write reports again from the journals, and print them; or print every answer as a table."""
    form = "json" if options.json else options.format
    if form == "csv":
        from eval.report.render.csv import csv_rows

        emit_csv(csv_rows(options.runs, texts=options.texts))
        return 0
    written = [Run(run_dir).write_reports(lang=options.lang, texts=options.texts) for run_dir in options.runs]
    if form == "json" and len(written) > 1:
        emit_json({"runs": [json.loads(report_text(one, "summary.json")) for one in written]})
        return 0
    for one in written:
        if form == "text":
            emit(str(one))
        elif form == "json":
            emit_json_text(report_text(one, "summary.json"))
        elif form == "html":
            write_utf8()  # the page says that it is
            emit(report_text(one, "report.html"))
        else:
            emit(report_text(one, "report.md"))
    return 0


def show(options: argparse.Namespace) -> int:
    """Print everything about one item, or the items to which two systems give other answers."""
    from eval.report.show import disagreements, show_item, show_item_json

    if options.disagree is not None:
        if options.item is not None:
            raise ConfigurationError(f"--disagree lists items; leave {options.item} out, or --disagree")
        found = disagreements(options.run, *options.disagree)
        emit_json(found.as_json(options.limit)) if options.json else emit(found.as_text(options.limit))
        return 0
    emit_json(show_item_json(options.run, options.item)) if options.json else emit(show_item(options.run, options.item))
    return 0


def retrieval(options: argparse.Namespace) -> int:
    """Measure retrievers on queries whose relevant passages are known."""
    from chains.models.providers import read_env_file
    from data.registry import retrieval_set
    from eval.execution.trace_client import traces_sent
    from eval.measures.retrieval_metrics import evaluate_retriever, render_json, render_table
    from retrievers.index_files import cached_indexes
    from retrievers.registry import build_retriever, uses_embeddings

    read_env_file()
    questions = retrieval_set(options.name, options.data)
    # Exam passages are searched as chains search them, in chunks; a set made of paragraphs as it is.
    chunk = options.name.startswith("kice") if options.chunk is None else options.chunk
    searched = "chunks" if chunk else "whole passages"
    names = list(dict.fromkeys(options.retriever))
    scores = []
    more = {"k": options.k, "chunk": chunk, "index_dir": cached_indexes(), "user_words": options.user_words}
    with traces_sent():
        for name in names:
            # Beside others, BM25 is not refused for the embeddings that they need.
            embeddings = options.embeddings if uses_embeddings(name) or len(names) == 1 else None
            retriever = build_retriever(name, questions.passages, embeddings=embeddings, **more)
            scores.append(evaluate_retriever(retriever, questions, k=options.k, name=f"{name}, {searched}"))
    emit_json_text(render_json(scores)) if options.json else emit(render_table(scores))
    return 0


def list_names(options: argparse.Namespace) -> int:
    """Print what there is to name, a line each."""
    from eval.cli.listing import KINDS

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
