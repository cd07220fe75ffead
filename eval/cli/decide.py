"""`python -m eval decide FILE`: from a labelled file to a verdict, in one command.

The file and what the user says of it in; out come a card and a suite beside the run, the run, and its verdict.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from data.card import card_yaml, with_paths
from data.card_options import TASK, card_fields
from data.common.errors import ConfigurationError
from data.common.files import write_atomically
from data.common.language import Language, language
from data.common.options import given
from data.common.parsing import JsonObject
from data.common.progress import log
from data.common.terminal import muted
from data.registry import benchmark, load_items, repeatable, task_card, task_passages
from eval import api
from eval.cli.read_options import check_own_task, one_line_faults, read_policy
from eval.cli.show_reports import end_run
from eval.plan.decision import Choices, Decision, plan_decision
from eval.plan.planning import plan
from eval.plan.settings.options import VERDICT
from eval.plan.settings.specs import Suite
from eval.plan.suite import load_suite
from eval.report.figures import items_counted
from eval.rundir.names import new_run_dir, plain_name


def decide(options: argparse.Namespace) -> int:
    """Try what is worth trying on a task of the user's own, and say which to take."""
    from chains.models.providers import read_env_file

    check_own_task(options.target)
    if not options.yes and not sys.stdin.isatty():
        raise ConfigurationError("decide asks before it spends time and money; say --yes to go on without being asked")
    if not 0 < options.minutes < float("inf"):
        raise ConfigurationError(f"--minutes {options.minutes:g} is no time; give a number above 0")
    read_env_file()
    options.target = repeatable(options.target)  # what is read here and what is run later are the same rows
    policy = read_policy(options)
    card = card_fields(given(options, TASK))
    about = benchmark(options.target, card=card)
    train, test = (load_items(options.target, split=side, card=card) for side in ("train", "test"))
    has_passages = task_passages(options.target, card=card) is not None
    choices = Choices(tuple(options.model or ()), options.encoder, options.minutes, has_passages)
    decision = plan_decision(about, train, test, choices)
    run_dir = options.out or _free(new_run_dir(f"{plain_name(about.name)}.decide"))
    if taken := [path for path in (run_dir, *_files(run_dir)) if path.exists()]:
        raise ConfigurationError(f"{taken[0]} is there already; name another folder with --out")
    # All that would be refused is refused before anything is written, or agreed to.
    plan(_suite(run_dir, options, decision, benchmark=options.target, card=card), policy=policy)
    suite = _write_suite(run_dir, options, card, decision)
    _announce(decision, suite, language(options.lang))
    with muted():  # what is odd about the rows was said when the file was read
        benchmark(str(_files(run_dir)[0]))
    if not options.yes and not _agreed():
        log(f"nothing was asked; the suite is {suite}: python -m eval run {suite}")
        return 0
    done = api.evaluate(
        load_suite(str(suite)),
        out=run_dir,
        max_concurrency=options.max_concurrency,
        policy=policy,
        langsmith_dataset=options.langsmith_dataset,
        lang=options.lang,
    )
    return end_run(done, run_dir, as_json=options.json, quiet=options.quiet)


def _files(run_dir: Path) -> tuple[Path, Path]:
    """Return where the card and the suite of a run stand."""
    card, suite = (run_dir.with_name(f"{run_dir.name}.{kind}.yaml") for kind in ("card", "suite"))
    return card, suite


def _free(run_dir: Path) -> Path:
    """Return a folder that is free, with its files: those of an earlier one may have been changed by hand."""
    name, number = run_dir.name, 1
    while any(path.exists() for path in (run_dir, *_files(run_dir))):
        number += 1
        run_dir = run_dir.with_name(f"{name}-{number}")
    return run_dir


def _suite(run_dir: Path, options: argparse.Namespace, decision: Decision, **items: Any) -> Suite:
    with one_line_faults():
        return Suite.model_validate(_content(run_dir, options, decision, **items))


def _content(run_dir: Path, options: argparse.Namespace, decision: Decision, **items: Any) -> dict[str, Any]:
    return {
        "name": plain_name(run_dir.name),
        "seed": options.seed or 0,
        **given(options, VERDICT),
        "evaluations": [{**items, "systems": decision.systems}],
    }


def _write_suite(run_dir: Path, options: argparse.Namespace, card: dict[str, Any], decision: Decision) -> Path:
    """Write the task's card and the suite beside the run, to be read and changed."""
    known = task_card(options.target, card=card)
    assert known is not None  # it is a task
    folder = Path(options.target).parent if options.target.endswith((".yaml", ".yml")) else Path()
    card_file, suite_file = _files(run_dir)
    suite = _content(run_dir, options, decision, benchmark=str(card_file))
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(card_file, card_yaml(with_paths(known, lambda path: str((folder / path).resolve()))))
    write_atomically(suite_file, yaml.safe_dump(suite, allow_unicode=True, sort_keys=False, width=120))
    return suite_file


def _announce(decision: Decision, suite: Path, say: Language) -> None:
    """Say in few words who will be asked and what was left out; the suite says all of it."""
    log(say("systems: {systems}", systems=", ".join(_named(entry, say) for entry in decision.systems)))
    for note in decision.notes:
        log(say.again(note))
    log(say("suite: {path}", path=suite))


def _named(entry: JsonObject, say: Language) -> str:
    """Name a system, its model, and how many items it has time for, where that is not all."""
    model = entry.get("model") or entry.get("finetune", {}).get("model")
    about = [model] if model else []
    if "limit" in entry:
        about.append(items_counted(entry["limit"], say))
    return f"{entry['name']} ({', '.join(about)})" if about else entry["name"]


def _agreed() -> bool:
    """Ask whether to go on."""
    log("go on? [y/N]")
    return sys.stdin.readline().strip().casefold() in ("y", "yes")
