"""`python -m eval prompts FILE --model M`: wordings and examples are tried on training items, the best is tested once.

The file and a model in; out come the prompt and the examples that did best, and a run of them beside the project's own
prompt on the test items, which the search has not seen.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from data.card_options import TASK, card_fields
from data.common.errors import ConfigurationError, MissingResourceError
from data.common.options import given
from data.common.progress import log
from data.registry import benchmark, load_items, repeatable, task_card
from data.splits import split_items, without_overlap
from data.types import Benchmark
from eval import api
from eval.cli.read_options import check_own_task, one_line_faults, read_policy
from eval.cli.show_reports import end_run
from eval.plan.settings.specs import Suite
from eval.rundir.names import new_run_dir, plain_name

LEAST = 20  # items to learn from: fewer on either side tell no wording from another
REPLY = 1024  # tokens of a new wording


def prompts(options: argparse.Namespace) -> int:
    """Search for a prompt on training items, and test the best one once."""
    from chains.models.providers import read_env_file

    _check(options)
    read_env_file()
    from eval.cli.prompt_trials import announce, search

    options.target = repeatable(options.target)
    policy, card = read_policy(options), card_fields(given(options, TASK))
    about = benchmark(options.target, card=card)
    out = options.out or new_run_dir(f"{plain_name(about.name)}.prompts")
    if out.exists():
        raise ConfigurationError(f"{out} is there already; name another folder with --out")
    task = _task(options, about, card, out)
    trials = _trials(options, task, policy)
    found = search(trials, task, rounds=options.trials, seed=options.seed or 0)
    announce(found)
    best = max(found, key=lambda trial: trial.accuracy)  # of several, the one that was found first
    systems = [{"name": "as-it-is", **trials.settings(found[0].candidate)}]
    if best is found[0]:
        log("nothing that was tried is better on the held-out items; the prompt as it is is tested alone")
    else:
        systems.append({"name": "found", **trials.settings(best.candidate)})
    content = {"name": plain_name(out.name), "seed": options.seed or 0}
    with one_line_faults():
        suite = Suite.model_validate(
            {**content, "evaluations": [{"benchmark": options.target, "card": card, "systems": systems}]}
        )
    run_dir = out / "test"
    more: dict[str, Any] = {"max_concurrency": options.max_concurrency, "policy": policy, "lang": options.lang}
    code = end_run(api.evaluate(suite, out=run_dir, **more), run_dir, as_json=options.json)
    chosen = trials.settings(best.candidate)
    log(f"prompt:   {chosen['prompt']}")
    if "examples" in chosen:
        log(f"examples: {chosen['examples']}")
    return code


def _check(options: argparse.Namespace) -> None:
    check_own_task(options.target)
    for flag, least in (("trials", 1), ("held_out", 1), ("max_concurrency", 1)):
        if (value := getattr(options, flag)) < least:
            raise ConfigurationError(f"--{flag.replace('_', '-')} {value} is too few; give {least} or more")
    if options.max_cost is not None:
        raise ConfigurationError(
            "--max-cost bounds one run, and a search is many; bound it by --trials, --held-out and the price of a call"
        )
    if find_spec("gepa") is None:
        raise MissingResourceError("a search for prompts needs GEPA; run: pip install 'gepa>=0.1.4'")


def _task(options: argparse.Namespace, about: Benchmark, card: dict[str, Any], out: Path) -> Any:
    """Divide the items that may be learnt from; those that are measured are read to leave their like out alone."""
    from eval.cli.prompt_trials import Task

    if about.labels is None:
        raise ConfigurationError(f"{about.name} has choices of its own for each item; a search is of labels")
    train, test = (load_items(options.target, split=side, card=card) for side in ("train", "test"))
    train = without_overlap(train, test)
    if len(train) < LEAST:
        raise ConfigurationError(f"{about.name} has {len(train)} items to learn from; a search needs {LEAST} or more")
    share = min(options.held_out / len(train), 0.5)
    pool, held_out = split_items(train, share=share, seed=options.seed or 0)
    known = task_card(options.target, card=card)
    meanings = known.meanings if known else {}
    log(f"{about.name}: {len(held_out):,} training items are held out to compare on, {len(pool):,} to learn from")
    return Task(pool, held_out, about.language, meanings, out)


def _trials(options: argparse.Namespace, task: Any, policy: api.CallPolicy) -> Any:
    from chains.models.specs import check_ready, load_chat_model
    from eval.cli.prompt_trials import Trials

    seed = options.seed or 0
    model = load_chat_model(options.model, temperature=0.7, max_tokens=REPLY, seed=seed, timeout=policy.call_timeout_s)
    check_ready(model)
    task.folder.mkdir(parents=True)

    def reflect(prompt: str) -> str:
        return str(model.invoke(prompt).text)

    more: dict[str, Any] = {"seed": seed, "max_concurrency": options.max_concurrency}
    return Trials(task, model=options.model, reflect=reflect, policy=policy, **more)
